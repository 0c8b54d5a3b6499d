//! What comes back.

use crate::{Alarm, Downgrade, KeyspaceError, LeaseTally, Member, RangeRequest, Renewal, TxnRequest};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use consensus::Position;

/// The answer to a command or a query.
pub type Response = Result<Answer, KeyspaceError>;

/// A read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Query {
    /// Keys.
    Range(RangeRequest),
    /// A transaction that only reads ([`TxnRequest::is_read_only`]). One that writes is answered as unsupported.
    Txn(TxnRequest),
    /// Who is in the cluster.
    Members,
    /// Where the machine stands.
    Status,
    /// One lease.
    Lease {
        /// Which.
        id: i64,
        /// With the keys attached to it.
        keys: bool,
    },
    /// A sign of life for a lease. To be asked as a linearizable read, so that only who still leads answers it.
    LeaseRenew {
        /// Which.
        id: i64,
    },
    /// All leases.
    Leases,
    /// What happened to leases here.
    LeaseTally,
    /// The checksum by which members compare themselves, up to a revision; 0: now.
    HashKv {
        /// The revision.
        revision: i64,
    },
    /// The checksums that this member took of its latest compactions.
    CompactionHashes,
}

/// An answer that is no error. The variant is the request's own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// To a range, read or command.
    Range(RangeAnswer),
    /// To a put.
    Put(PutAnswer),
    /// To a delete.
    DeleteRange(DeleteRangeAnswer),
    /// To a transaction, read or command.
    Txn(TxnAnswer),
    /// To a compaction.
    Compact {
        /// The revision now (not that of the compaction).
        revision: i64,
    },
    /// To the grant of a lease.
    LeaseGrant {
        /// The revision now.
        revision: i64,
        /// The lease.
        id: i64,
        /// How long it lives: what was asked for, or the least that is granted.
        ttl: i64,
    },
    /// To the end of a lease.
    LeaseRevoke {
        /// The revision now: a new one if keys were deleted.
        revision: i64,
    },
    /// To a lease checkpoint.
    LeaseCheckpoint {
        /// The revision now.
        revision: i64,
    },
    /// To anything about alarms: those listed, raised or cleared. etcd's answer has no revision of its own.
    Alarm(Vec<Alarm>),
    /// To a change of the members, and to `Query::Members`.
    Members(MembersAnswer),
    /// To what etcd gives no answer to: attributes, cluster version, downgrade.
    Done,
    /// To `Query::Status`.
    Status(Status),
    /// To `Query::Lease`. `None`: there is none.
    Lease {
        /// The revision now.
        revision: i64,
        /// The lease.
        lease: Option<LeaseAnswer>,
    },
    /// To `Query::LeaseRenew`; a lease that does not exist is [`KeyspaceError::LeaseNotFound`].
    LeaseRenewal(Renewal),
    /// To `Query::LeaseTally`.
    LeaseTally(Box<LeaseTally>),
    /// To `Query::Leases`: by what they have left if this member leads, else by id.
    Leases {
        /// The revision now.
        revision: i64,
        /// The ids.
        ids: Vec<i64>,
    },
    /// To `Query::HashKv`.
    HashKv(HashKv),
    /// To `Query::CompactionHashes`: in order of revision, those that can be compared. Only this member's: one that was restarted knows none.
    CompactionHashes(Vec<HashKv>),
}

/// A key and what is known of it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KeyValue {
    /// The key.
    pub key: Bytes,
    /// When it was created.
    pub create_revision: i64,
    /// When it was last changed.
    pub mod_revision: i64,
    /// How often it was written since its creation.
    pub version: i64,
    /// Its value.
    pub value: Bytes,
    /// Its lease; 0: none.
    pub lease: i64,
}

/// Keys.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RangeAnswer {
    /// The revision now; within a transaction that has written, the one being made.
    pub revision: i64,
    /// The keys.
    pub kvs: Vec<KeyValue>,
    /// The limit cut some off.
    pub more: bool,
    /// How many keys the range holds, whatever limit and filters say.
    pub count: i64,
}

/// A put was done.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PutAnswer {
    /// The revision that it made.
    pub revision: i64,
    /// What was there before, if asked for.
    pub prev_kv: Option<KeyValue>,
}

/// A delete was done.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DeleteRangeAnswer {
    /// The revision that it made; if nothing was there to delete, the one that was.
    pub revision: i64,
    /// How many keys.
    pub deleted: i64,
    /// What was there before, if asked for.
    pub prev_kvs: Vec<KeyValue>,
}

/// A transaction was done.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TxnAnswer {
    /// The revision that it made, or the one that was if nothing changed. 0 in a nested transaction, whose header etcd leaves
    /// empty.
    pub revision: i64,
    /// Whether the comparisons held.
    pub succeeded: bool,
    /// One for each step done.
    pub responses: Vec<OpAnswer>,
}

/// The answer to one step of a transaction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OpAnswer {
    /// To a range.
    Range(RangeAnswer),
    /// To a put.
    Put(PutAnswer),
    /// To a delete.
    DeleteRange(DeleteRangeAnswer),
    /// To a nested transaction.
    Txn(TxnAnswer),
    /// To an operation that said nothing.
    Empty,
}

/// Who is in the cluster.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MembersAnswer {
    /// In order of id.
    pub members: Vec<Member>,
    /// Ids that never come back, in order.
    pub removed: Vec<u64>,
}

/// A lease.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LeaseAnswer {
    /// Its id.
    pub id: i64,
    /// What was granted, in seconds.
    pub granted_ttl: i64,
    /// What the last checkpoint left of it, in seconds; 0: no checkpoint yet.
    pub remaining_ttl: i64,
    /// What is left of it in whole seconds by the clock of the member that answers; `None` unless that member leads. Negative for one
    /// that has run out, and whose end is on its way through the log.
    pub left: Option<i64>,
    /// The keys attached to it, in order, if asked for.
    pub keys: Vec<Bytes>,
}

/// Where the machine stands.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Status {
    /// The revision now; 1 before the first write.
    pub revision: i64,
    /// The last compaction; -1 before the first.
    pub compacted: i64,
    /// The last entry applied.
    pub applied: Position,
    /// Bytes of the keys and values of every revision that is held, with an allowance for their books. An estimate.
    pub db_size: u64,
    /// The same, as long as values are in memory: what is swept up is free at once.
    pub db_size_in_use: u64,
    /// Keys that exist now.
    pub keys: u64,
    /// The version that all members speak; `None` until it is agreed.
    pub cluster_version: Option<String>,
    /// The allowed downgrade.
    pub downgrade: Downgrade,
    /// Raised alarms, in order.
    pub alarms: Vec<Alarm>,
}

/// The checksum by which members compare themselves.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct HashKv {
    /// The revision now.
    pub revision: i64,
    /// CRC-32C over the history.
    pub hash: u32,
    /// From which compaction on it was taken.
    pub compact_revision: i64,
    /// Up to which revision it was taken.
    pub hash_revision: i64,
}
