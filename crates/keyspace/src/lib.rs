//! etcd's state machine: revisions, ranges and transactions, without IO.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod answer;
mod check;
mod command;
mod error;
mod members;
mod range;
mod request;
mod revision;

pub use answer::{
    Answer, DeleteRangeAnswer, HashKv, KeyValue, LeaseAnswer, MembersAnswer, OpAnswer, PutAnswer, Query, RangeAnswer, Response,
    Status, TxnAnswer,
};
pub use check::{MAX_TXN_OPS, check_delete_range, check_put, check_range, check_txn};
pub use command::{
    Alarm, AlarmAction, AlarmKind, AlarmRequest, Command, Downgrade, LeaseCheckpoint, LeaseGrantRequest, MemberChange,
};
pub use error::KeyspaceError;
pub use members::Member;
pub use range::KeyRange;
pub use request::{
    CompactRequest, Compare, DeleteRangeRequest, Op, Operand, PutRequest, RangeRequest, Relation, SortOrder, SortTarget,
    TxnRequest,
};
pub use revision::Revision;
