//! What a replica is told and what it asks for.

use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use consensus::{Entry, Fetch, How, Link, NodeId, Persist, Position, Reader, Role, SessionNote, Snapshot, Ticket};

/// Names a client's pending request or query in its answer. Chosen by the driver, never used twice in a process.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Token(pub u64);

/// What a replica is told. See [`consensus::Input`] for those of the same name.
#[derive(Debug)]
pub enum Event<M, Machine, Request, Query> {
    /// The deadline has passed.
    Timeout,
    /// A member sent this.
    Receive {
        /// Who.
        from: NodeId,
        /// What.
        message: M,
    },
    /// A link to a peer stands.
    Connected {
        /// Whose.
        peer: NodeId,
        /// Which.
        link: Link,
        /// See [`consensus::Input::Connected`].
        incarnation: u64,
    },
    /// A link to a peer is gone.
    Disconnected {
        /// Whose.
        peer: NodeId,
        /// Which.
        link: Link,
        /// Why.
        how: How,
    },
    /// Clients want these written. What arrives together is proposed together.
    Requests(Vec<(Token, Request)>),
    /// Clients want these answered from the state of at least this moment (linearizable). What arrives together is confirmed
    /// together.
    Queries(Vec<(Token, Query)>),
    /// A client wants this answered from whatever is applied here (serializable).
    LocalQuery(Token, Query),
    /// Everything to be persisted up to this ticket is synced.
    Persisted(Ticket),
    /// Old entries were read from the log.
    Fetched {
        /// For whom.
        reader: Reader,
        /// What was there.
        entries: Vec<Entry>,
    },
    /// The last piece of the snapshot that this replica takes was written; ready for the next.
    SnapshotChunkWritten,
    /// The snapshot that this replica took is durable and can be found after a restart.
    SnapshotSaved(Snapshot),
    /// The machine keeps its own data on disk, and everything up to here is durable there: as good as a snapshot of it. `snapshot`
    /// is what [`crate::Replica::standing`] said when that data was handed over.
    Durable(Snapshot),
    /// The transfer of a snapshot to a peer has ended.
    SnapshotSent {
        /// To whom.
        to: NodeId,
        /// Whether it has it whole.
        delivered: bool,
    },
    /// A peer's snapshot is here whole, but not yet in force.
    SnapshotArrived {
        /// From whom.
        from: NodeId,
        /// The message that came with it.
        message: M,
    },
    /// A snapshot that arrived is in force on the disk, and this is the machine that it holds.
    Installed {
        /// What it stands for.
        snapshot: Snapshot,
        /// The restored machine.
        machine: Machine,
    },
    /// Tell the leader, which may be this member itself, about clients' sessions. Lost if nobody leads.
    TellOfSessions(SessionNote),
    /// Hand leadership over. Answered when it is known how that ended.
    TransferLeadership {
        /// Who asks.
        token: Token,
        /// To whom; `None`: whoever is furthest ahead.
        to: Option<NodeId>,
    },
}

/// What a replica asks for. Each may be carried out the moment it is emitted.
#[derive(Debug)]
pub enum Effect<M, D, Response, Event> {
    /// Write and sync, then say `Persisted`.
    Persist(Persist),
    /// Send to a peer.
    Send {
        /// To whom.
        to: NodeId,
        /// What.
        message: M,
    },
    /// Read from the log, then say `Fetched`.
    Fetch(Fetch),
    /// Open a link.
    Connect {
        /// To whom.
        peer: NodeId,
        /// Which.
        link: Link,
    },
    /// Close a link.
    Disconnect {
        /// To whom.
        peer: NodeId,
        /// Which.
        link: Link,
    },
    /// Answer a client.
    Answer {
        /// Whom.
        token: Token,
        /// What.
        answer: Answer<Response>,
    },
    /// Write this piece of a new snapshot, then say `SnapshotChunkWritten`.
    WriteSnapshot {
        /// What the snapshot stands for; the same for all its pieces.
        snapshot: Snapshot,
        /// The piece.
        chunk: Bytes,
    },
    /// All pieces were written: sync and publish the snapshot, then say `SnapshotSaved`.
    FinishSnapshot(Snapshot),
    /// The log up to and including this index is covered by a durable snapshot and not needed for followers: cut it when
    /// convenient.
    CutLog {
        /// The last index that may go.
        upto: u64,
    },
    /// Send the newest durable snapshot, then say `SnapshotSent`.
    SendSnapshot {
        /// To whom.
        to: NodeId,
        /// With which message.
        message: M,
    },
    /// Put the snapshot that arrived into force, durably, with these entries after it, as one; then say `Installed`. See
    /// [`consensus::Output::InstallSnapshot`].
    InstallSnapshot {
        /// What it stands for.
        snapshot: Snapshot,
        /// What follows it.
        entries: Vec<Entry>,
    },
    /// A command was applied, and this is what watchers want to hear of it. Comes before the answer to whoever sent the command.
    Happened {
        /// Where it stands.
        position: Position,
        /// What happened.
        events: Vec<Event>,
    },
    /// The leader has told this about a client's session.
    HeardOfSession(SessionNote),
    /// The snapshot that arrived is not wanted: delete it.
    DiscardSnapshot,
    /// This member's role, epoch or leader changed.
    ChangeRole {
        /// The epoch.
        epoch: u64,
        /// The role.
        role: Role,
    },
    /// Why the protocol did what it did: for the journal.
    Explain(D),
    /// The replica cannot go on (an entry of the log that this version does not understand). Stop the process and say this.
    Stop(String),
}

/// How a request ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer<R> {
    /// The machine's answer to a write, and where it was applied.
    Applied(Position, R),
    /// The machine's answer to a read, and what was applied then.
    Read(Position, R),
    /// Leadership was handed over.
    Transferred,
    /// It was refused, or nobody knows what became of it.
    Refused(Refusal),
}

/// Why a request got no answer from the machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// Too much is waiting already; nothing was done.
    TooManyRequests,
    /// Leadership changed while it was on its way: it may have been done and it may not.
    LeaderChanged,
    /// It was forwarded, and the link to the leader was lost. It may have been done and it may not.
    ConnectionLost,
    /// No answer in time. It may have been done, and may still be.
    TimedOut,
    /// Leadership can be handed over by the leader only.
    NotLeader,
    /// Leadership cannot be handed to that member.
    BadTransferee,
}
