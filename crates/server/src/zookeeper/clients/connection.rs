//! One client's connection, without its socket.

use super::super::member::Outcome;
use super::line::Line;
use super::stats::ConnectionStats;
use bytes::{Bytes, BytesMut};
use consensus::Instant;
use replica::Token;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use znodes::Id;
use zookeeper::client::Call;

/// As so many a connection is known at most, and their schemes and names take at most so many bytes (Java: no bound). Each of its
/// writes carries all of them to the leader.
const IDS_MAX: usize = 64;
const ID_BYTES_MAX: usize = 16 << 10;

/// Names a connection; never used twice in a process.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct ConnectionId {
    /// Its place in the table.
    pub(super) place: u32,
    /// How many had that place before.
    pub(super) turn: u32,
}

/// How far a client has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    /// It has not said yet what it wants: a session, or a word.
    Greeting,
    /// It said a word, which is about to be answered.
    Word,
    /// It waits for its session: a new one to be written into the log, or the leader's word that an old one lives.
    Opening,
    /// It has its session.
    Open,
    /// What was said to it is still on its way; then the connection ends.
    Closing,
}

/// A request that cannot be answered yet.
#[derive(Debug)]
pub(super) enum Waiting {
    /// It went to the member: a write, or `sync`. Answered once the outcome is here and nothing waits before it.
    Asked {
        /// Under this name.
        token: Token,
        xid: i32,
        op: i32,
        since: Instant,
        outcome: Option<Outcome>,
    },
    /// It is answered here, from the tree, once nothing waits before it: a session's reads see its own earlier writes.
    Here { call: Box<Call>, bytes: usize, since: Instant },
    /// The answer is known, and has its turn once nothing waits before it.
    Known { reply: Bytes, then_close: bool },
}

/// One client's connection.
pub(super) struct Connection {
    pub(super) address: SocketAddr,
    /// Its socket. `None`: a test reads and writes by hand.
    pub(super) line: Option<Rc<Line>>,
    pub(super) stage: Stage,
    /// Nothing more that it says is of interest: it has ended its session, or could not show who it is.
    pub(super) is_deaf: bool,
    /// Its session; 0: none yet.
    pub(super) session: i64,
    /// The session's time-out in milliseconds.
    pub(super) timeout: i32,
    /// Its session is known here only, and it may only read.
    pub(super) is_read_only: bool,
    /// Whether it has said if it would put up with a server that can only read, and so expects that field in the answer.
    pub(super) knows_read_only: bool,
    /// As whom it is known.
    pub(super) ids: Vec<Id>,
    /// What it sent and was not looked at yet.
    pub(super) input: BytesMut,
    /// Requests in the order in which they came, the oldest first.
    pub(super) queue: VecDeque<Waiting>,
    /// Bytes of records in `queue`.
    pub(super) queue_bytes: usize,
    /// Requests in `queue` that are answered from the tree.
    pub(super) queued_reads: usize,
    /// The next request in `input` has to wait for what is in `queue`, or for another connection's.
    pub(super) is_stuck: bool,
    /// What it is told and was not taken by the socket yet.
    pub(super) output: BytesMut,
    /// Bytes of watch events among it.
    pub(super) event_bytes: usize,
    /// What was last counted of all this.
    pub(super) kept_bytes: usize,
    /// It was heard from since the leader was last told.
    pub(super) touched: bool,
    /// When anything last came from it or went to it.
    pub(super) active: Instant,
    /// Whether it stands in the list of those to be looked after at the end of the turn.
    pub(super) is_dirty: bool,
    pub(super) stats: ConnectionStats,
}

impl Connection {
    pub(super) fn new(address: SocketAddr, line: Option<Rc<Line>>, now: Instant) -> Connection {
        Connection {
            address,
            line,
            stage: Stage::Greeting,
            is_deaf: false,
            session: 0,
            timeout: 0,
            is_read_only: false,
            knows_read_only: false,
            // Every client is known by where it comes from (Java: NIOServerCnxn's constructor).
            ids: vec![Id { scheme: "ip".to_owned(), id: host(address) }],
            input: BytesMut::new(),
            queue: VecDeque::new(),
            queue_bytes: 0,
            queued_reads: 0,
            is_stuck: false,
            output: BytesMut::new(),
            event_bytes: 0,
            kept_bytes: 0,
            touched: false,
            active: now,
            is_dirty: false,
            stats: ConnectionStats::new(),
        }
    }

    /// Adds a request to those that wait.
    pub(super) fn wait(&mut self, waiting: Waiting) {
        if let Waiting::Here { bytes, .. } = &waiting {
            self.queue_bytes += bytes;
            self.queued_reads += 1;
        }
        self.queue.push_back(waiting);
    }

    /// The oldest of them.
    pub(super) fn next(&mut self) -> Option<Waiting> {
        let next = self.queue.pop_front()?;
        if let Waiting::Here { bytes, .. } = &next {
            self.queue_bytes -= bytes;
            self.queued_reads -= 1;
        }
        Some(next)
    }

    /// Nothing waits any more. Says how much did.
    pub(super) fn wait_no_more(&mut self) -> usize {
        self.queue_bytes = 0;
        self.queued_reads = 0;
        std::mem::take(&mut self.queue).len()
    }

    /// Whether a session's end is on its way, asked for by this very client: it waits for the answer, and must not be let go before.
    pub(super) fn is_closing_session(&self) -> bool {
        self.queue.iter().any(|waiting| matches!(waiting, Waiting::Asked { op: zookeeper::opcode::CLOSE_SESSION, .. }))
    }

    /// Whether it can be known as these, too.
    pub(super) fn may_also_be(&self, ids: &[Id]) -> bool {
        let more = ids.iter().filter(|id| !self.ids.contains(id));
        let (count, bytes) = more.fold((self.ids.len(), self.id_bytes()), |(count, bytes), id| (count + 1, bytes + weight(id)));
        count <= IDS_MAX && bytes <= ID_BYTES_MAX
    }

    /// The memory that is taken by whom it is known as.
    pub(super) fn id_bytes(&self) -> usize {
        self.ids.iter().map(weight).sum()
    }

    /// Adds somebody whom the client has shown to be.
    pub(super) fn is_also(&mut self, id: Id) {
        if !self.ids.contains(&id) {
            self.ids.push(id);
        }
    }
}

fn weight(id: &Id) -> usize {
    id.scheme.len() + id.id.len()
}

/// The address as access lists name it.
pub(super) fn host(address: SocketAddr) -> String {
    match address.ip() {
        IpAddr::V4(ip) => ip.to_string(),
        // Java writes all eight groups, none of them shortened to `::`.
        IpAddr::V6(ip) => ip.segments().map(|group| format!("{group:x}")).join(":"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_java_writes_them() {
        for (address, written) in [("127.0.0.1:1", "127.0.0.1"), ("[::1]:1", "0:0:0:0:0:0:0:1")] {
            assert_eq!(host(address.parse().expect("an address")), written);
        }
    }
}
