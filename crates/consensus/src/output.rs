//! What comes out at a protocol's one door.

use crate::{Entry, How, Link, NodeId, Note, Position, Promise, ReadId, Snapshot};
use alloc::vec::Vec;
use core::fmt;

/// What a protocol asks for. Each may be carried out the moment it is emitted: whatever had to wait for a sync has waited.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output<M, D> {
    /// Write and sync this, then say `Input::Persisted`. Several may be open at once; they take effect in order.
    Persist(Persist),

    /// Send a message. Messages to one peer leave in order; they may be lost, late or doubled (Raft), or are lost as a whole with
    /// their link (Zab).
    Send {
        /// To whom: a member of the configuration, never oneself.
        to: NodeId,
        /// What.
        message: M,
    },

    /// Apply these committed entries, in order, then say `Input::Applied`.
    Apply {
        /// A run without gaps, beginning after the last entry applied.
        entries: Vec<Entry>,
    },

    /// The read may be answered now: the state machine holds everything that was committed when it was asked.
    ReadReady {
        /// Which.
        id: ReadId,
    },

    /// Something that was asked for will not happen.
    Drop {
        /// What.
        what: Dropped,
        /// Why.
        reason: DropReason,
    },

    /// Read entries from the log on disk, then say `Input::Fetched`. At most one is open per reader.
    Fetch(Fetch),

    /// Open a link. Zab only; Raft's links stand by themselves.
    Connect {
        /// To whom.
        peer: NodeId,
        /// Which link.
        link: Link,
    },

    /// Close a link. Zab only.
    Disconnect {
        /// To whom.
        peer: NodeId,
        /// Which link.
        link: Link,
        /// Why, as the other side would see it.
        why: How,
    },

    /// Send the newest snapshot (Zab: the one that the message names), its bytes with this message, then say
    /// `Input::SnapshotSent`. At most one is open per peer.
    SendSnapshot {
        /// To whom.
        to: NodeId,
        /// The message that goes with the bytes.
        message: M,
    },

    /// Put the snapshot that arrived into force, durably, in place of log and state machine, then say `Input::Installed`.
    InstallSnapshot {
        /// What it stands for.
        snapshot: Snapshot,
        /// Committed entries that follow it and come into force with it, as one: the member then holds a snapshot of the last of
        /// them. Without them a crash could leave it with less than it has acknowledged before. Zab only; Raft's snapshots
        /// are never behind what the receiver knows to be committed.
        entries: Vec<Entry>,
    },

    /// A peer told us something beside the log.
    Told {
        /// Who.
        from: NodeId,
        /// What.
        note: Note,
    },

    /// This member's role, its epoch, or the leader that it follows changed.
    ChangeRole {
        /// The epoch it takes part in.
        epoch: u64,
        /// What it is now.
        role: Role,
    },

    /// Why the protocol did what it did.
    Explain(D),
}

/// What is to be written and synced, as one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Persist {
    /// Grows by one with each.
    pub ticket: Ticket,
    /// The promise, if it changed.
    pub promise: Option<Promise>,
    /// The change of the log, if any.
    pub append: Option<Append>,
}

/// A change of the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Append {
    /// What the log held after this position is cut off first.
    pub after: Position,
    /// Then these follow it, without gaps.
    pub entries: Vec<Entry>,
}

/// Numbers what was to be persisted, from 1 in each process.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Ticket(pub u64);

/// Entries wanted from the log on disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fetch {
    /// For whom.
    pub reader: Reader,
    /// The first index wanted. Zab: a zxid. Since those have gaps, the answer begins with the last entry at or before it, or with
    /// the log's first if that is the very next; it is empty if the log begins later.
    pub first: u64,
    /// The last index wanted. Zab: a zxid.
    pub last: u64,
    /// Stop after this many bytes of data, but not before the first entry.
    pub budget: usize,
}

/// Who reads old entries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Reader {
    /// The state machine, which lags behind the log (after a restart, say).
    Machine,
    /// A peer that lags behind what is kept in memory.
    Peer(NodeId),
}

/// What a member is. ZooKeeper: LOOKING is a candidate; FOLLOWING and OBSERVING name the leader that was elected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Follows `leader`, if it knows one.
    Follower {
        /// Whom.
        leader: Option<NodeId>,
    },
    /// Asks whether it could win, without raising its term (Raft thesis §9.6). Raft only.
    PreCandidate,
    /// Asks for votes.
    Candidate,
    /// Leads.
    Leader,
    /// Receives the log but is never counted.
    Learner {
        /// Whom it follows.
        leader: Option<NodeId>,
    },
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Follower { .. } => "follower",
            Role::PreCandidate => "pre-candidate",
            Role::Candidate => "candidate",
            Role::Leader => "leader",
            Role::Learner { .. } => "learner",
        })
    }
}

impl Role {
    /// Who leads, as far as a member in this role knows; `me` is that member.
    pub fn leader(self, me: NodeId) -> Option<NodeId> {
        match self {
            Role::Leader => Some(me),
            Role::Follower { leader } | Role::Learner { leader } => leader,
            Role::PreCandidate | Role::Candidate => None,
        }
    }
}

/// Something that was asked for and will not happen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dropped {
    /// All commands of the last `Input::Propose`.
    Proposal,
    /// This read.
    Read(ReadId),
    /// The last `Input::Tell`.
    Note,
    /// The pending transfer of leadership.
    Transfer,
    /// The snapshot that arrived.
    Snapshot,
    /// The last `Input::Reconfigure`.
    Reconfiguration,
}

/// Why.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DropReason {
    /// Nobody leads, as far as this member knows.
    NoLeader,
    /// This member does not lead.
    NotLeader,
    /// Leadership is being handed over.
    Transferring,
    /// Leadership changed hands before it could happen.
    LeaderChanged,
    /// Too much is on its way already.
    Busy,
    /// It names somebody who is not a voter, or oneself.
    BadTarget,
    /// It took longer than an election timeout.
    TimedOut,
    /// It is not newer than what this member has.
    Stale,
    /// The protocol cannot do this (yet).
    Unsupported,
}
