//! ZooKeeper's tree, sessions, ACLs, watches and quotas, as a state machine without IO.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod acl;
mod acls;
mod apply;
mod digest;
mod error;
mod event;
mod machine;
mod nodes;
mod outlook;
mod owner;
mod path;
mod permit;
mod prepare;
mod query;
mod quota;
mod read;
mod report;
mod request;
mod restore;
mod settings;
mod snapshot;
mod stat;
mod sweep;
mod tracker;
mod tree;
mod txn;
mod verify;
mod watches;

pub use acl::{Acl, Id, Permissions};
pub use error::ErrorCode;
pub use event::{Event, NodeEvent};
pub use query::{Answer, ClientInfo, OpAnswer, Query, ReadOp, Response};
pub use request::{CreateMode, Op, Request};
pub use settings::{Schemes, Settings};
pub use snapshot::Cursor;
pub use stat::Stat;
pub use tree::Tree;
pub use txn::{Change, Header, Kind, TreeDigest, Txn};
pub use watches::{AddMode, Fired, Renewal, WatchEvent, WatchSummary, WatcherType, Watches};
