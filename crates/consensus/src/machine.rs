//! The log's other side: what turns commands into answers.

use crate::{Instant, NodeId, Position, SessionNote};
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;
use core::time::Duration;

/// A replicated state machine.
///
/// `apply` is the same on every member: it may look at nothing but the machine, the position and the command. Whatever depends on
/// one member (wall time, what is still outstanding) goes into the command in `prepare`, which only the leader calls.
pub trait StateMachine: Sized {
    /// A client's write, as it arrives.
    type Request;
    /// What the log carries: deterministic.
    type Command;
    /// A client's read.
    type Query;
    /// The answer to either; outcomes that clients call errors are answers, too.
    type Response;
    /// What others than the asking client want to hear of a command that was applied: what watches are about.
    type Event;
    /// Where a snapshot in progress stands.
    type Cursor;

    /// What the clocks say. Told before anything else that comes of an event; a machine that does not care need not listen.
    fn tell_time(&mut self, _now: Instant, _wall: Wall) {}

    /// Turns a request into the command that would stand at `next`. etcd: the identity. ZooKeeper: the transaction, against the tree
    /// plus what is outstanding. `from` is the member whose client asks. Leader only.
    fn prepare(&mut self, next: Position, wall: Wall, from: NodeId, request: Self::Request) -> Self::Command;

    /// Leadership is lost: what was prepared and not applied is void.
    fn abandon(&mut self);

    /// Applies a committed command, once, in order. Infallible. What watchers want to hear of it is added to `events`.
    fn apply(&mut self, position: Position, command: Self::Command, events: &mut Vec<Self::Event>) -> Self::Response;

    /// Applies an entry without a command (a new leader's no-op), so that the machine knows how far it is.
    fn skip(&mut self, position: Position);

    /// The last entry applied or skipped.
    fn applied(&self) -> Position;

    /// Answers a read from what is applied.
    fn read(&self, query: Self::Query) -> Self::Response;

    /// Answers a client's query, and may touch what this member alone keeps (etcd: the clock of a lease), never what is
    /// replicated.
    fn attend(&mut self, query: Self::Query) -> Self::Response {
        self.read(query)
    }

    /// Whether a query waits behind others when many are to be answered at once. To be denied only of what is answered at once and
    /// shortly, and loses its meaning when answered late.
    fn takes_turns(_query: &Self::Query) -> bool {
        true
    }

    /// About how many bytes a query holds while it waits, beside a few for its own account.
    fn query_bytes(_query: &Self::Query) -> usize {
        0
    }

    /// About how much work an answer was, in bytes: those that it holds, or more if it took more to find them.
    fn response_weight(_response: &Self::Response) -> usize {
        0
    }

    /// This member began to lead and has applied everything of earlier epochs: timers that only a leader runs start anew.
    fn lead(&mut self, now: Instant);

    /// A member (perhaps this one) has news of its clients' sessions, or asks about one: the answer goes back to it. Leader only;
    /// etcd has no such thing.
    fn hear(&mut self, _now: Instant, _from: NodeId, _note: SessionNote) -> Option<SessionNote> {
        None
    }

    /// When `due` has something to say. [`Instant::NEVER`] unless leading.
    fn deadline(&self) -> Instant;

    /// What time has brought about (expiries): decided by the leader, replicated like any request.
    fn due(&mut self, now: Instant) -> Vec<Self::Request>;

    /// Begins a snapshot of this very moment. The machine goes on changing; the snapshot does not, unless whatever is changed in it
    /// meanwhile comes out right when the commands after this moment are applied to it again (ZooKeeper's fuzzy snapshots).
    fn begin_snapshot(&mut self) -> Self::Cursor;

    /// The next piece, of about `budget` bytes; `None` when all was given. Must not take time in proportion to the whole.
    fn snapshot_chunk(&self, cursor: &mut Self::Cursor, budget: usize) -> Option<Bytes>;

    /// The snapshot is whole, or no longer wanted.
    fn end_snapshot(&mut self, cursor: Self::Cursor);
}

/// A state machine that can be made anew of its snapshot alone. (One that keeps its data in a file of its own needs that file,
/// too, and is made by who has it.)
pub trait Restore: StateMachine {
    /// The machine that a snapshot holds, from its pieces in order (their borders may have moved).
    fn restore(chunks: &mut dyn Iterator<Item = Bytes>) -> Result<Self, RestoreError>;
}

/// Wall-clock time since 1970, of which only the leader's counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Wall(pub Duration);

/// A snapshot that cannot be understood.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RestoreError {
    /// Bytes from the snapshot's beginning.
    pub offset: u64,
    /// What was expected there.
    pub expected: String,
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "snapshot, byte {}: expected {}", self.offset, self.expected)
    }
}

impl core::error::Error for RestoreError {}
