//! ZooKeeper's tree, sessions, ACLs, watches and quotas, as a state machine without IO.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod acl;
mod error;
mod event;
mod path;
mod query;
mod request;
mod settings;
mod stat;
mod tree;
mod txn;
mod watches;

pub use acl::{Acl, Id, Permissions};
pub use error::ErrorCode;
pub use event::{Event, NodeEvent};
pub use query::{Answer, ClientInfo, OpAnswer, Query, ReadOp, Response};
pub use request::{CreateMode, Op, Request};
pub use settings::{Schemes, Settings};
pub use stat::Stat;
pub use tree::{Cursor, Tree};
pub use txn::{Change, Header, Kind, TreeDigest, Txn};
pub use watches::{AddMode, Fired, Renewal, WatchEvent, WatchSummary, WatcherType, Watches};
