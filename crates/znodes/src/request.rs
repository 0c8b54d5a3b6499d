//! What clients want written.

use crate::{Acl, ErrorCode, Id};
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;

/// A write, as a client's server hands it to the leader.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// The session that asks.
    pub session: i64,
    /// The number that the client gave its request.
    pub cxid: i32,
    /// As whom the client is known.
    pub ids: Vec<Id>,
    /// What it wants.
    pub op: Op,
}

/// A write.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Op {
    /// Begin a session.
    CreateSession {
        /// After so many milliseconds without a word it expires.
        timeout: i32,
    },
    /// End the session that asks.
    CloseSession,
    /// create, create2, createContainer, createTTL.
    Create {
        /// Where; the counter is still to be appended to a sequential node's name.
        path: String,
        /// The data. `None` is not empty, though clients can hardly tell.
        data: Option<Bytes>,
        /// Who may do what with it.
        acl: Vec<Acl>,
        /// Of which kind it is.
        mode: CreateMode,
        /// The number of the operation that the client used, which decides how it is answered: 1 (path), 15, 19, 21 (path and Stat).
        op: i32,
    },
    /// delete.
    Delete {
        /// Which.
        path: String,
        /// Only at this version; −1: any.
        version: i32,
    },
    /// deleteContainer: the leader's own, when a container is empty or a time to live is over.
    DeleteContainer {
        /// Which.
        path: String,
    },
    /// setData.
    SetData {
        /// Whose.
        path: String,
        /// The data.
        data: Option<Bytes>,
        /// Only at this version; −1: any.
        version: i32,
    },
    /// setACL.
    SetAcl {
        /// Whose.
        path: String,
        /// The list.
        acl: Vec<Acl>,
        /// Only at this version of the list; −1: any.
        version: i32,
    },
    /// check: only within a multi.
    Check {
        /// Which.
        path: String,
        /// Its version must be this; −1: it must exist.
        version: i32,
    },
    /// All or nothing.
    Multi(Vec<Op>),
    /// Something that cannot be done, and why: it is answered through the log like every write.
    Refused {
        /// The operation's number.
        op: i32,
        /// Why.
        error: ErrorCode,
    },
}

/// What kind of node to create.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CreateMode {
    /// Stays until it is deleted.
    Persistent {
        /// A counter is appended to its name.
        sequential: bool,
    },
    /// Lives as long as its session.
    Ephemeral {
        /// A counter is appended to its name.
        sequential: bool,
    },
    /// Is deleted when its last child is.
    Container,
    /// Is deleted when it has no children and was not changed for so long.
    Ttl {
        /// Milliseconds.
        ttl: i64,
        /// A counter is appended to its name.
        sequential: bool,
    },
}
