//! The clients' half: connections, sessions, requests, watches.
//!
//! ```text
//!   socket ──▶ line ──▶ frames ──▶ handshake            a session: createSession, or the leader's word that it lives
//!                          │
//!                          ▼
//!                       request ──▶ read                from the tree, at once
//!                          │   └──▶ watching            one-shot and lasting watches
//!                          └──────▶ Core                writes and sync; answered in `answer`
//!   socket ◀── line ◀── output, in the order of the requests
//! ```
//!
//! [`Front`] is what the member and the sockets see; behind it stands one [`Desk`] that knows nothing of sockets and of nobody's clock:
//! bytes in, bytes out. Replies leave a connection in the order of its requests. A session's reads wait for its own earlier writes and
//! are then answered from the tree without a detour. What one read from a socket brings is answered with one write to it.

mod answer;
mod authenticate;
mod connection;
mod desk;
mod frames;
mod handshake;
mod line;
mod listen;
mod read;
mod request;
mod send;
mod session;
mod stats;
mod watching;

#[cfg(test)]
mod tests;

pub(crate) use connection::ConnectionId;
pub(crate) use desk::Described;
pub(crate) use listen::{ClientPorts, open_files};

use super::member::{self, Core, Outcome};
use super::metrics::{Metrics, Seen};
use super::words;
use consensus::{Instant, Position, Role, SessionNote, StateMachine};
use desk::{Desk, Member, Moment, Work};
use line::Line;
use replica::Token;
use std::cell::{Cell, Ref, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::watch;

/// So long a server looks for a leader before it serves those who only read, or for a tick, if that is longer.
const READ_ONLY_PATIENCE: Duration = Duration::from_secs(2);
/// Bytes that one read takes from a socket at most.
const SCRATCH_BYTES: usize = 64 << 10;

/// The clients' half, with its sockets.
pub(crate) struct Front {
    core: Rc<Core>,
    desk: RefCell<Desk>,
    /// All connections read into the same memory, one after the other.
    scratch: RefCell<Box<[u8]>>,
    /// The mask of `stmk`, of which nothing depends.
    trace_mask: Cell<i64>,
    served_since: Cell<Instant>,
    unserved_since: Cell<Instant>,
    was_read_only: Cell<bool>,
    stopping: watch::Sender<bool>,
}

impl Front {
    /// Nobody is connected yet.
    pub(crate) fn new(core: Rc<Core>) -> Rc<Front> {
        let settings = core.tree().settings().clone();
        let desk = Desk::new(core.config(), settings);
        let front = Front {
            core,
            desk: RefCell::new(desk),
            scratch: RefCell::new(vec![0; SCRATCH_BYTES].into_boxed_slice()),
            // As ZooTrace has it.
            trace_mask: Cell::new(0b1_0011_0010),
            served_since: Cell::default(),
            unserved_since: Cell::default(),
            was_read_only: Cell::default(),
            stopping: watch::Sender::new(false),
        };
        Rc::new(front)
    }

    /// The member.
    pub(crate) fn core(&self) -> &Rc<Core> {
        &self.core
    }

    /// All that is known by numbers, for `tell` to write down.
    pub(crate) fn seen<T>(&self, tell: impl FnOnce(&Seen<'_>) -> T) -> T {
        let gauges = words::gauges(self);
        let (desk, of_member) = (self.desk.borrow(), self.core.metrics.borrow());
        tell(&Seen { gauges, of_clients: &desk.metrics, of_member: &of_member })
    }

    /// Everything about the connections, to look at.
    pub(crate) fn desk(&self) -> Ref<'_, Desk> {
        self.desk.borrow()
    }

    /// `crst`.
    pub(crate) fn reset_connections(&self) {
        self.desk.borrow_mut().reset_connections();
    }

    /// `srst`.
    pub(crate) fn reset(&self) {
        self.core.metrics.replace(Metrics::default());
        let mut desk = self.desk.borrow_mut();
        desk.metrics = Metrics::default();
        desk.totals.reset();
    }

    /// Milliseconds since this server was started.
    pub(crate) fn uptime(&self) -> u64 {
        self.core.clock().now().as_nanos() / 1_000_000
    }

    /// Milliseconds since it began to serve.
    pub(crate) fn served_for(&self) -> u64 {
        self.core.clock().now().since(self.served_since.get()).as_millis() as u64
    }

    /// `gtmk` and `stmk`.
    pub(crate) fn trace_mask(&self) -> i64 {
        self.trace_mask.get()
    }

    /// `stmk`.
    pub(crate) fn set_trace_mask(&self, mask: i64) {
        self.trace_mask.set(mask);
    }

    /// Whether clients are served: `leaderServes=no` keeps a leader's clients out.
    pub(crate) fn serves_clients(&self) -> bool {
        let config = self.core.config();
        self.core.serving() && (config.leader_serves || self.core.mode() != member::Mode::Leader)
    }

    /// Whether clients are served that put up with reading only: there has been no leader for a while, and the configuration wants it
    /// (Java: `QuorumPeer.run`, which waits two seconds or a tick).
    pub(crate) fn is_read_only(&self) -> bool {
        let config = self.core.config();
        let patience = config.tick.max(READ_ONLY_PATIENCE);
        config.read_only_mode
            && !self.core.serving()
            && self.core.status().role == Role::Candidate
            && self.core.clock().now().since(self.unserved_since.get()) > patience
    }

    /// Does something at the desk, as the world is now, and sends what comes of it.
    fn at_desk<T>(&self, act: impl FnOnce(&mut Desk, &Moment<'_>) -> T) -> T {
        let (result, words) = {
            let tree = self.core.tree();
            let read_only = self.is_read_only();
            let moment = Moment {
                tree: &tree,
                zxid: tree.applied().zxid() as i64,
                now: self.core.clock().now(),
                serving: self.serves_clients(),
                read_only,
                member: &*self.core,
                work: Work::default(),
            };
            let mut desk = self.desk.borrow_mut();
            if self.was_read_only.replace(read_only) && !read_only {
                // There may be a leader: who could only read is to come again.
                desk.let_everybody_go();
            }
            let result = act(&mut desk, &moment);
            desk.flush();
            (result, desk.take_words())
        };
        for (id, word, mask) in words {
            let text = words::say(self, word, mask);
            self.desk.borrow_mut().say(id, &text);
        }
        result
    }

    fn connect(&self, address: SocketAddr, line: &Rc<Line>) -> Option<ConnectionId> {
        if *self.stopping.borrow() {
            return None;
        }
        let now = self.core.clock().now();
        self.desk.borrow_mut().connect(address, Some(line.clone()), now)
    }

    fn receive(&self, id: ConnectionId, bytes: &[u8]) {
        self.at_desk(|desk, moment| desk.receive(moment, id, bytes));
    }

    /// The socket has room again.
    fn resume(&self, id: ConnectionId) {
        self.at_desk(|desk, moment| desk.resume(moment, id));
    }

    fn is_listening_to(&self, id: ConnectionId) -> bool {
        self.desk.borrow().is_listening_to(id)
    }

    /// The client is gone without a word.
    fn lost(&self, id: ConnectionId) {
        self.desk.borrow_mut().lost(id);
    }

    /// Nothing more is said or heard.
    fn forget(&self, id: ConnectionId) {
        self.desk.borrow_mut().remove(id);
    }

    /// Its socket is closed: there is room for another of that address.
    fn left(&self, address: SocketAddr) {
        self.desk.borrow_mut().left(address);
    }

    fn with_scratch<T>(&self, read: impl FnOnce(&mut [u8]) -> T) -> T {
        read(&mut self.scratch.borrow_mut())
    }
}

impl member::Clients for Front {
    fn on_happened(&self, position: Position, events: Vec<znodes::Event>) {
        self.desk.borrow_mut().happened(position, &events);
    }

    fn on_answer(&self, token: Token, outcome: Outcome) {
        let now = self.core.clock().now();
        self.desk.borrow_mut().answered(token, outcome, now);
    }

    fn on_session(&self, note: SessionNote) {
        if let SessionNote::Revalidated { session, valid } = note {
            self.desk.borrow_mut().revalidated(session, valid);
        }
    }

    fn on_serving(&self, serving: bool) {
        if serving {
            self.served_since.set(self.core.clock().now());
        } else {
            self.unserved_since.set(self.core.clock().now());
            self.desk.borrow_mut().let_everybody_go();
        }
    }

    fn on_settled(&self) {
        self.at_desk(Desk::settle);
    }

    fn on_stopping(&self) {
        self.stopping.send_replace(true);
        self.desk.borrow_mut().say_goodbye();
    }

    fn is_drained(&self) -> bool {
        self.desk.borrow().is_empty()
    }
}

impl Member for Core {
    fn token(&self) -> Token {
        Core::token(self)
    }

    fn write(&self, token: Token, request: znodes::Request) {
        Core::write(self, token, request);
    }

    fn query(&self, token: Token, query: znodes::Query) {
        Core::query(self, token, query);
    }

    fn tell(&self, note: SessionNote) {
        Core::tell(self, note);
    }
}
