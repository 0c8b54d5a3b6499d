//! What the log carries.

use crate::{CompactRequest, DeleteRangeRequest, Member, PutRequest, RangeRequest, TxnRequest};
use alloc::string::String;
use alloc::vec::Vec;

/// A command: what etcd's log entries say, as data. A client's request *is* the command (`prepare` is the identity).
///
/// Whoever takes requests from clients checks them first ([`crate::check_put`] and its siblings); the machine applies what is in
/// the log as etcd does, checked or not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Writes one key.
    Put(PutRequest),
    /// Deletes one key or a range.
    DeleteRange(DeleteRangeRequest),
    /// A transaction.
    Txn(TxnRequest),
    /// A read that a Go member sent through the log.
    Range(RangeRequest),
    /// Forgets the past before a revision.
    Compact(CompactRequest),
    /// Makes a lease.
    LeaseGrant(LeaseGrantRequest),
    /// Ends a lease and deletes the keys attached to it, in one revision.
    LeaseRevoke {
        /// Which.
        id: i64,
    },
    /// Notes how long leases have left, for the next leader.
    LeaseCheckpoint(Vec<LeaseCheckpoint>),
    /// Raises, clears or lists alarms.
    Alarm(AlarmRequest),
    /// A change of the members, from a raftpb.ConfChange.
    Member(MemberChange),
    /// A member says its name and where clients find it, when it starts.
    MemberAttributes {
        /// Which.
        id: u64,
        /// Its name.
        name: String,
        /// Where clients find it.
        client_urls: Vec<String>,
    },
    /// The version that all members speak, such as `3.5.0`.
    ClusterVersion(String),
    /// A downgrade of the cluster is allowed, or no longer. Kept as data: nothing here depends on it.
    Downgrade(Downgrade),
    /// A command that this version cannot apply (users and roles), by name. The codec refuses them, because skipping one would
    /// make members differ; here it changes nothing and is answered by [`crate::KeyspaceError::Unsupported`].
    Unsupported(String),
}

/// Makes a lease.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LeaseGrantRequest {
    /// Its id, which whoever proposes this has chosen: not 0.
    pub id: i64,
    /// How long it lives without a sign of life, in seconds.
    pub ttl: i64,
}

/// How long a lease has left.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LeaseCheckpoint {
    /// Which.
    pub id: i64,
    /// Seconds.
    pub remaining_ttl: i64,
}

/// Raises, clears or lists alarms.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AlarmRequest {
    /// What to do.
    pub action: AlarmAction,
    /// For which member; 0: of all, when listing.
    pub member: u64,
    /// Which alarm.
    pub alarm: AlarmKind,
}

/// What to do with an alarm.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AlarmAction {
    /// List.
    Get,
    /// Raise.
    Activate,
    /// Clear.
    Deactivate,
}

/// Which alarm.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum AlarmKind {
    /// None in particular: when listing, all.
    None,
    /// A member is out of space: what would store something is refused.
    NoSpace,
    /// Members were found to differ: everything is refused.
    Corrupt,
}

/// A raised alarm.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Alarm {
    /// Which.
    pub alarm: AlarmKind,
    /// Whose.
    pub member: u64,
}

/// Whether the cluster may be downgraded, and to what.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Downgrade {
    /// Whether.
    pub enabled: bool,
    /// To what, such as `3.4.0`.
    pub version: String,
}

/// A change of the members.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MemberChange {
    /// AddNode or AddLearnerNode.
    Add(Member),
    /// AddNode with `isPromote`: a learner becomes a voter.
    Promote {
        /// Which.
        id: u64,
    },
    /// UpdateNode: replaces both.
    Update {
        /// Which.
        id: u64,
        /// Where peers find it.
        peer_urls: Vec<String>,
        /// What the entry says; etcd's own say `false`, whatever the member is.
        is_learner: bool,
    },
    /// RemoveNode. Its id never comes back.
    Remove {
        /// Which.
        id: u64,
    },
}
