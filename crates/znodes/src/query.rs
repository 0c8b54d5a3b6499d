//! What clients want to know, and how everything is answered.

use crate::{Acl, ErrorCode, Id, Stat};
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;

/// A read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Query {
    /// The session that asks.
    pub session: i64,
    /// As whom the client is known.
    pub ids: Vec<Id>,
    /// What it wants to know.
    pub op: ReadOp,
}

/// A read. Watches are the business of whoever keeps [`crate::Watches`]: reads say nothing of them.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the names are ZooKeeper's own (ZooDefs.OpCode)")]
pub enum ReadOp {
    Exists {
        path: String,
    },
    GetData {
        path: String,
    },
    GetAcl {
        path: String,
    },
    /// getChildren, getChildren2.
    GetChildren {
        path: String,
    },
    GetAllChildrenNumber {
        path: String,
    },
    GetEphemerals {
        prefix: String,
    },
    WhoAmI,
    /// sync: answered when everything committed before it is applied.
    Sync {
        path: String,
    },
    /// multiRead: of `GetData` and `GetChildren` only.
    MultiRead(Vec<ReadOp>),
}

/// The answer to a request or a query: an error that clients see is an answer, too.
pub type Response = Result<Answer, ErrorCode>;

/// What was done, or found.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the fields are the wire's own")]
pub enum Answer {
    SessionCreated {
        timeout: i32,
    },
    SessionClosed,
    /// create, create2, createContainer, createTTL; who used `create` is not told the Stat.
    Created {
        path: String,
        stat: Stat,
    },
    Deleted,
    /// setData, setACL, exists.
    Stat(Stat),
    Data {
        data: Option<Bytes>,
        stat: Stat,
    },
    Acl {
        acl: Vec<Acl>,
        stat: Stat,
    },
    Children {
        children: Vec<String>,
        stat: Stat,
    },
    Count(i32),
    Paths(Vec<String>),
    Who(Vec<ClientInfo>),
    Synced {
        path: String,
    },
    /// multi, multiRead: one result for each operation.
    Multi(Vec<OpAnswer>),
}

/// The result of one operation of a multi.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the fields are the wire's own")]
pub enum OpAnswer {
    /// The operation's number in the result's header, and its result (`Created`, `Deleted`, `Stat`, `Data`, `Children`; check: `Deleted`,
    /// which says nothing, either).
    Done { kind: i32, answer: Answer },
    /// Its code: 0 for those before the one that failed. A number, since a Java leader may know more of them.
    Failed { code: i32 },
}

/// One line of whoAmI.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the fields are the wire's own")]
pub struct ClientInfo {
    pub scheme: String,
    pub user: String,
}
