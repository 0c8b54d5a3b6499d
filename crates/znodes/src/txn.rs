//! What the log carries: deterministic, the same on every server.

use crate::Acl;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use consensus::Position;

/// A transaction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Txn {
    /// Whose it is, where it stands, and when it was prepared.
    pub header: Header,
    /// What it changes.
    pub change: Change,
    /// The tree's digest after it, if the leader said so.
    pub digest: Option<TreeDigest>,
}

/// Whose a transaction is, where it stands, and when it was prepared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// The session.
    pub session: i64,
    /// The client's number for it.
    pub cxid: i32,
    /// Its zxid.
    pub position: Position,
    /// The leader's wall clock, in milliseconds since 1970.
    pub time: i64,
    /// What it is.
    pub kind: Kind,
}

/// The number of the operation in a transaction's header, which decides how the client is answered: `create` and `create2` change
/// the tree alike.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Kind(pub i32);

#[expect(missing_docs, reason = "the names are ZooKeeper's own (ZooDefs.OpCode)")]
impl Kind {
    pub const CREATE: Kind = Kind(1);
    pub const DELETE: Kind = Kind(2);
    pub const SET_DATA: Kind = Kind(5);
    pub const SET_ACL: Kind = Kind(7);
    pub const CHECK: Kind = Kind(13);
    pub const MULTI: Kind = Kind(14);
    pub const CREATE2: Kind = Kind(15);
    pub const RECONFIG: Kind = Kind(16);
    pub const CREATE_CONTAINER: Kind = Kind(19);
    pub const DELETE_CONTAINER: Kind = Kind(20);
    pub const CREATE_TTL: Kind = Kind(21);
    pub const ERROR: Kind = Kind(-1);
    pub const CREATE_SESSION: Kind = Kind(-10);
    pub const CLOSE_SESSION: Kind = Kind(-11);
}

/// What a transaction changes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// A session begins.
    CreateSession {
        /// Its time-out in milliseconds.
        timeout: i32,
    },
    /// A session ends, and its ephemeral nodes with it.
    CloseSession {
        /// Those that the leader knew of. Others that the session owns go, too.
        paths: Vec<String>,
    },
    /// A node is created. The header's kind tells of which sort it is.
    Create {
        /// Where, with its counter if it is sequential.
        path: String,
        /// Its data.
        data: Option<Bytes>,
        /// Its access list, with `auth` spelled out.
        acl: Vec<Acl>,
        /// It belongs to the header's session.
        ephemeral: bool,
        /// The parent's cversion afterwards. −1: one more than before (transactions of ZooKeeper before 3.3).
        parent_cversion: i32,
        /// Its time to live in milliseconds (createTTL only).
        ttl: Option<i64>,
    },
    /// A node is deleted (delete, deleteContainer).
    Delete {
        /// Which.
        path: String,
    },
    /// A node's data is set (setData, reconfig).
    SetData {
        /// Whose.
        path: String,
        /// The data.
        data: Option<Bytes>,
        /// Its version afterwards.
        version: i32,
    },
    /// A node's access list is set.
    SetAcl {
        /// Whose.
        path: String,
        /// The list.
        acl: Vec<Acl>,
        /// The list's version afterwards.
        version: i32,
    },
    /// A node was found at a version. Within a multi only.
    Check {
        /// Which.
        path: String,
        /// The version.
        version: i32,
    },
    /// Nothing is changed: the request was refused.
    Error {
        /// Why. A number, since a Java leader may know more of them.
        code: i32,
    },
    /// Several at once.
    Multi(Vec<(Kind, Change)>),
}

/// A digest of the whole tree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TreeDigest {
    /// How it was computed: 2.
    pub version: i32,
    /// The sum.
    pub value: u64,
}

impl TreeDigest {
    /// The version that this is: a wrapping sum of CRC-32s.
    pub const VERSION: i32 = 2;
}
