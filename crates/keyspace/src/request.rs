//! What clients ask for: etcd's KV requests as plain data.

use alloc::vec::Vec;
use bytes::Bytes;

/// Asks for keys. The fields are those of etcd's RangeRequest; their zero values mean the same.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RangeRequest {
    /// The key, or the first of the range.
    pub key: Bytes,
    /// Where the range ends; see [`crate::KeyRange`].
    pub range_end: Bytes,
    /// At most so many keys; 0 and less: all.
    pub limit: i64,
    /// As of this revision; 0 and less: now.
    pub revision: i64,
    /// In which order.
    pub sort_order: SortOrder,
    /// Ordered by what.
    pub sort_target: SortTarget,
    /// A local read will do. The machine does not look at it; who routes requests does.
    pub serializable: bool,
    /// Leave the values out.
    pub keys_only: bool,
    /// Only count.
    pub count_only: bool,
    /// Leave out what was changed before; 0: no such bound.
    pub min_mod_revision: i64,
    /// Leave out what was changed after; 0: no such bound.
    pub max_mod_revision: i64,
    /// Leave out what was created before; 0: no such bound.
    pub min_create_revision: i64,
    /// Leave out what was created after; 0: no such bound.
    pub max_create_revision: i64,
}

/// In which order a range comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SortOrder {
    /// By key; if the target is something else, ascending by that.
    #[default]
    None,
    /// Lowest first.
    Ascend,
    /// Highest first.
    Descend,
}

/// What a range is ordered by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SortTarget {
    /// The key.
    #[default]
    Key,
    /// How often the key was written since its creation.
    Version,
    /// When it was created.
    Create,
    /// When it was last changed.
    Mod,
    /// The value.
    Value,
}

/// Writes one key.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PutRequest {
    /// The key.
    pub key: Bytes,
    /// Its new value.
    pub value: Bytes,
    /// The lease to attach it to; 0: none.
    pub lease: i64,
    /// Answer with what was there before.
    pub prev_kv: bool,
    /// Keep the value that is there.
    pub ignore_value: bool,
    /// Keep the lease that is there.
    pub ignore_lease: bool,
}

/// Deletes one key or a range.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DeleteRangeRequest {
    /// The key, or the first of the range.
    pub key: Bytes,
    /// Where the range ends; see [`crate::KeyRange`].
    pub range_end: Bytes,
    /// Answer with what was there before.
    pub prev_kv: bool,
}

/// If all comparisons hold, does `success`, else `failure`; all of it at one revision.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TxnRequest {
    /// What must hold. Nothing to compare holds.
    pub compare: Vec<Compare>,
    /// Done, in order, if it does.
    pub success: Vec<Op>,
    /// Done, in order, if it does not.
    pub failure: Vec<Op>,
}

/// One step of a transaction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Op {
    /// Reads.
    Range(RangeRequest),
    /// Writes.
    Put(PutRequest),
    /// Deletes.
    DeleteRange(DeleteRangeRequest),
    /// A transaction within. All comparisons, of every level, see the state before the first step.
    Txn(TxnRequest),
    /// An operation that says nothing. Refused by [`crate::check_txn`]; in a log it does nothing.
    Empty,
}

/// A comparison.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Compare {
    /// The key, or the first of a range, all keys of which must compare so.
    pub key: Bytes,
    /// Where the range ends; see [`crate::KeyRange`].
    pub range_end: Bytes,
    /// How the key's property (left) and the operand (right) must relate.
    pub relation: Relation,
    /// Which property, and the operand. A client that names one property and sends the operand of another compares with zero or
    /// the empty value.
    pub operand: Operand,
}

/// How two values must relate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Relation {
    /// =
    Equal,
    /// >
    Greater,
    /// <
    Less,
    /// !=
    NotEqual,
    /// A number that the protocol does not define: it always holds, as in etcd.
    Undefined(i32),
}

/// The property that is compared, with what it is compared to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Operand {
    /// How often the key was written since its creation; 0 if there is none.
    Version(i64),
    /// When it was created; 0 if there is none.
    Create(i64),
    /// When it was last changed; 0 if there is none.
    Mod(i64),
    /// Its value. A key that does not exist compares with no value, not even by `!=`.
    Value(Bytes),
    /// Its lease; 0 if there is none.
    Lease(i64),
    /// A number that the protocol does not define: it compares as equal, as in etcd.
    Undefined(i32),
}

/// Forgets what can only be read at revisions before `revision`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CompactRequest {
    /// The first revision that stays readable.
    pub revision: i64,
    /// Answer only when the space is free. The machine does not look at it; see [`crate::Keyspace::sweep`].
    pub physical: bool,
}

impl TxnRequest {
    /// Whether it can be answered without the log: nothing but ranges. A nested transaction goes through the log even if it only
    /// reads, as in etcd.
    pub fn is_read_only(&self) -> bool {
        self.ops().all(|op| matches!(op, Op::Range(_)))
    }

    /// Whether a read-only transaction may be answered locally: all its ranges say so.
    pub fn is_serializable(&self) -> bool {
        self.ops().all(|op| matches!(op, Op::Range(range) if range.serializable))
    }

    fn ops(&self) -> impl Iterator<Item = &Op> {
        self.success.iter().chain(&self.failure)
    }
}
