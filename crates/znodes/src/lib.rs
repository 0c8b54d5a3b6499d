//! ZooKeeper's tree, sessions, ACLs, watches and quotas, as a state machine without IO.
//!
//! [`Tree`] is what every server of an ensemble keeps alike. On the leader it also turns requests into transactions:
//!
//! ```text
//!   Request ──▶ prepare.rs ──▶ Txn ──▶ the log ──▶ apply.rs ──▶ Response, Events
//!                │    ▲                               │    │
//!                ▼    │                               ▼    └──▶ Watches::fire
//!     tracker.rs   outlook.rs                      nodes.rs ◀── read.rs ◀── Query
//!     (sessions)   (what is prepared and not applied)  │
//!                                                      ▼
//!                                         snapshot.rs, restore.rs
//! ```
//!
//! Nobody is to tell it from Apache ZooKeeper 3.9's tree: the numbers in a Stat, the order in which a request is found wrong,
//! the digest of the tree. Where a rule acts, its Java class is named.
//!
//! [`Watches`] are not replicated: each server keeps those of its own clients, and feeds them the events of the transactions that it
//! applies.

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
mod paths;
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
mod weight;

pub use acl::{Acl, Id, Permissions};
pub use error::ErrorCode;
pub use event::{Event, NodeEvent};
pub use paths::Paths;
pub use query::{Answer, ClientInfo, OpAnswer, Query, ReadOp, Response};
pub use request::{CreateMode, Op, Request};
pub use settings::{Schemes, Settings};
pub use snapshot::Cursor;
pub use stat::Stat;
pub use tree::Tree;
pub use txn::{Change, Header, Kind, TreeDigest, Txn};
pub use watches::{AddMode, Fired, Renewal, WatchEvent, WatchSummary, WatcherType, Watches};
