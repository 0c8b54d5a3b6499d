//! ZooKeeper's tree, sessions, ACLs, watches and quotas, as a state machine without IO.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod acl;
mod error;
mod event;
mod query;
mod request;
mod stat;
mod txn;

pub use acl::{Acl, Id, Permissions};
pub use error::ErrorCode;
pub use event::{Event, NodeEvent};
pub use query::{Answer, ClientInfo, OpAnswer, Query, ReadOp, Response};
pub use request::{CreateMode, Op, Request};
pub use stat::Stat;
pub use txn::{Change, Header, Kind, TreeDigest, Txn};
