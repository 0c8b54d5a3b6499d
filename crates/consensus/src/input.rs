//! What comes in at a protocol's one door.

use crate::{Entry, EntryKind, NodeId, Position, Reader, Snapshot, Ticket};
use alloc::vec::Vec;
use bytes::Bytes;

/// What a protocol is told. Each variant says when.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input<M> {
    /// The deadline has passed.
    Timeout,

    /// A member sent this. Never a stranger, never oneself; never over a link that was reported lost since.
    Receive {
        /// Who sent it.
        from: NodeId,
        /// What it says.
        message: M,
    },

    /// A link to a peer stands.
    Connected {
        /// Whose.
        peer: NodeId,
        /// Which of its links.
        link: Link,
        /// A number that differs whenever the peer's process is another than before; 0 if the peer does not say.
        incarnation: u64,
    },

    /// A link to a peer is gone.
    Disconnected {
        /// Whose.
        peer: NodeId,
        /// Which of its links.
        link: Link,
        /// What is known about why.
        how: How,
    },

    /// The replica has commands for the log. Only to a protocol whose `next()` is `Some`: they get that position and those after
    /// it, in order.
    Propose {
        /// The commands, encoded.
        commands: Vec<Bytes>,
    },

    /// Somebody wants to read what was committed when this input arrived. Answered by `Output::ReadReady` or `Output::Drop`.
    /// Raft: ReadIndex (thesis §6.4). Zab: SYNC.
    Read {
        /// Names the read in its answer; never used twice.
        id: ReadId,
    },

    /// Everything that was to be persisted up to and including this ticket is synced.
    Persisted {
        /// The last of them.
        ticket: Ticket,
    },

    /// The state machine holds the effect of everything up to and including this position.
    Applied {
        /// The last entry applied.
        position: Position,
    },

    /// Entries that were asked for with `Output::Fetch`, read from the log on disk: a run without gaps, from the first index asked
    /// for, cut short by the budget. Empty if the log no longer holds the first (Raft), or nothing at all in that range (Zab).
    Fetched {
        /// For whom they were asked.
        reader: Reader,
        /// The entries.
        entries: Vec<Entry>,
    },

    /// A snapshot of the state machine is durable, and the log up to and including index `cut` is about to go.
    SnapshotTaken {
        /// What it stands for.
        snapshot: Snapshot,
        /// At most the snapshot's own index, and not above [`Consensus::log_held_after`](crate::Consensus::log_held_after). Of no
        /// meaning to Zab, whose log is kept by the file.
        cut: u64,
    },

    /// The transfer of a snapshot has ended.
    SnapshotSent {
        /// The receiver.
        to: NodeId,
        /// Whether the receiver has it whole.
        delivered: bool,
    },

    /// A peer's snapshot is here whole, but not yet in force.
    SnapshotArrived {
        /// Who sent it.
        from: NodeId,
        /// The message that came with its bytes.
        message: M,
    },

    /// `Output::InstallSnapshot` was carried out and is durable.
    Installed {
        /// What the state machine now holds.
        snapshot: Snapshot,
    },

    /// Tell a peer something beside the log.
    Tell {
        /// Whom.
        to: NodeId,
        /// What.
        note: Note,
    },

    /// An operator wants another configuration. The bytes are the original system's own (raftpb.ConfChange).
    Reconfigure {
        /// The encoded change.
        change: Bytes,
    },

    /// An operator wants this member to hand leadership to `to`, or to whoever is furthest ahead.
    TransferLeadership {
        /// The member that is to lead.
        to: Option<NodeId>,
    },
}

/// Names a pending read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ReadId(pub u64);

/// Which of the links between two members.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Link {
    /// Raft's only one.
    Peer,
    /// ZooKeeper's election port. Zab only.
    Election,
    /// ZooKeeper's quorum port. Zab only.
    Quorum,
}

/// What is known about why a link is gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum How {
    /// Time-outs, resets, errors of any other kind: the peer may live on.
    Lost,
    /// The stream ended by FIN or RST *and* a fresh connect to every address of the peer was refused: no process listens there.
    Refused,
}

/// What members tell each other beside the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Note {
    /// A client's write for the leader to prepare and propose. Raft: MsgProp, whose bytes are the command itself. Zab: REQUEST.
    Request(Vec<(EntryKind, Bytes)>),
    /// What members tell each other about clients' sessions. ZooKeeper only.
    Sessions(SessionNote),
}

/// What ZooKeeper's members tell each other about clients' sessions, which the leader alone lets expire.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SessionNote {
    /// To the leader: these sessions (and their time-outs in milliseconds) were heard from. Travels with the answer to a ping.
    Touched(Vec<(i64, i32)>),
    /// To the leader: a client has come to me with this session (and its time-out in milliseconds). Does it live?
    Revalidate {
        /// The session.
        session: i64,
        /// Its time-out in milliseconds.
        timeout: i32,
    },
    /// From the leader: the answer. If it lives, it is now served by whoever asked.
    Revalidated {
        /// The session.
        session: i64,
        /// Whether it lives.
        valid: bool,
    },
}
