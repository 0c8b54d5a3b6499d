//! What a log is made of: positions, entries, promises, snapshots.

use crate::{Configuration, NodeId};
use bytes::Bytes;
use core::fmt;

/// A place in the log. Raft: (term, index). ZooKeeper: a zxid, whose high half is the epoch and whose low half is the counter.
///
/// The derived order *is* the rule by which both protocols call one log fresher than another: epoch first, then index
/// (Raft §5.4.1; ZooKeeper compares zxids).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position {
    /// The epoch of the leader that put the entry there: Raft's term, Zab's epoch.
    pub epoch: u64,
    /// Raft: counts entries from 1 through all terms. Zab: counts from 1 in each epoch.
    pub index: u64,
}

impl Position {
    /// Before the first entry.
    pub const ZERO: Position = Position { epoch: 0, index: 0 };

    /// The position `index` in `epoch`.
    pub const fn new(epoch: u64, index: u64) -> Position {
        Position { epoch, index }
    }

    /// The position that a ZooKeeper transaction id stands for: the epoch in its high half, the counter in its low half.
    pub const fn from_zxid(zxid: u64) -> Position {
        Position { epoch: zxid >> 32, index: zxid & 0xffff_ffff }
    }

    /// As a ZooKeeper transaction id. Only for positions that fit, which every position of Zab's does.
    pub const fn zxid(self) -> u64 {
        debug_assert!(self.epoch <= u32::MAX as u64 && self.index <= u32::MAX as u64, "too large for a zxid");
        self.epoch << 32 | self.index
    }

    /// Whether `next` can be the very next of ZooKeeper's transactions after this one: each epoch counts from 1 (the leader sets its
    /// zxid to (epoch, 0) in Leader.lead, and a learner warns of any other next in Learner.syncWithLeader and Follower.processPacket).
    pub const fn precedes_zxid(self, next: Position) -> bool {
        if next.epoch == self.epoch { next.index == self.index + 1 } else { next.epoch > self.epoch && next.index == 1 }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}, {})", self.epoch, self.index)
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// One entry of the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Where it stands.
    pub position: Position,
    /// Who reads it.
    pub kind: EntryKind,
    /// Its bytes, in the original system's own encoding. Empty: a new leader's no-op (Raft only).
    pub data: Bytes,
}

/// Who reads an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EntryKind {
    /// The state machine.
    Command,
    /// The protocol: a change of the configuration (raftpb.ConfChange; ZooKeeper's reconfig is a command).
    Configuration,
}

/// What a member must never forget, beside its log: synced before anything that depends on it leaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Promise {
    /// The highest epoch that this member takes part in: Raft's term, Zab's acceptedEpoch.
    pub epoch: u64,
    /// The epoch whose leader shaped this member's log: Zab's currentEpoch. Raft has no such thing and leaves it 0.
    pub current: u64,
    /// Whom this member voted for in `epoch`. Raft only.
    pub vote: Option<NodeId>,
    /// An index known to be committed. A hint that spares work after a restart; may lag. Raft only.
    pub committed: u64,
}

/// What a snapshot stands for; its bytes travel apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Snapshot {
    /// The last entry whose effect it holds.
    pub position: Position,
    /// The configuration in force there.
    pub configuration: Configuration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_epoch_counts_from_one() {
        let at = Position::new;
        assert!(at(4, 7).precedes_zxid(at(4, 8)) && at(4, 7).precedes_zxid(at(6, 1)) && at(4, 0).precedes_zxid(at(4, 1)));
        assert!(!at(4, 7).precedes_zxid(at(4, 9)) && !at(4, 7).precedes_zxid(at(5, 2)) && !at(4, 7).precedes_zxid(at(3, 1)));
        assert!(!at(4, 7).precedes_zxid(at(5, 0)) && !at(4, 7).precedes_zxid(at(4, 7)));
    }
}
