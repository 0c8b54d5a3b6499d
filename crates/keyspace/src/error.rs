//! What clients are told when it cannot be done.

use alloc::string::String;
use core::fmt;

/// An outcome that clients call an error: the same on every member, in etcd's own words.
///
/// clientv3 recognises errors by their text, so `Display` is exact (etcd's api/v3rpc/rpctypes/error.go).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeyspaceError {
    /// A request without a key.
    EmptyKey,
    /// `ignore_value` or `ignore_lease` on a key that does not exist, or an empty operation in a transaction.
    KeyNotFound,
    /// `ignore_value` together with a value.
    ValueProvided,
    /// `ignore_lease` together with a lease.
    LeaseProvided,
    /// More operations in a transaction, counted along its nesting, than the server allows.
    TooManyOps,
    /// A transaction that would change one key twice.
    DuplicateKey,
    /// The revision is older than the last compaction.
    Compacted,
    /// The revision has not happened yet.
    FutureRevision,
    /// A NOSPACE alarm is raised, and the request would store something.
    NoSpace,
    /// A CORRUPT alarm is raised.
    Corrupt,
    /// No such lease.
    LeaseNotFound,
    /// A lease with that id exists.
    LeaseExists,
    /// A lease that would live longer than 9,000,000,000 seconds.
    LeaseTtlTooLarge,
    /// A member with that id exists.
    MemberExists,
    /// Another member has that peer URL.
    PeerUrlExists,
    /// No such member, or it was removed.
    MemberNotFound,
    /// The member to be promoted is a voter already.
    MemberNotLearner,
    /// One learner at a time.
    TooManyLearners,
    /// A command that this version cannot apply. The codec refuses these before they reach the machine.
    Unsupported(String),
}

impl KeyspaceError {
    /// The number of the gRPC status code that goes with the text.
    pub fn code(&self) -> u32 {
        match self {
            KeyspaceError::EmptyKey
            | KeyspaceError::KeyNotFound
            | KeyspaceError::ValueProvided
            | KeyspaceError::LeaseProvided
            | KeyspaceError::TooManyOps
            | KeyspaceError::DuplicateKey => 3, // INVALID_ARGUMENT
            KeyspaceError::LeaseNotFound | KeyspaceError::MemberNotFound => 5, // NOT_FOUND
            KeyspaceError::NoSpace => 8,                                       // RESOURCE_EXHAUSTED
            KeyspaceError::LeaseExists
            | KeyspaceError::MemberExists
            | KeyspaceError::PeerUrlExists
            | KeyspaceError::MemberNotLearner
            | KeyspaceError::TooManyLearners => 9, // FAILED_PRECONDITION
            KeyspaceError::Compacted | KeyspaceError::FutureRevision | KeyspaceError::LeaseTtlTooLarge => 11, // OUT_OF_RANGE
            KeyspaceError::Unsupported(_) => 12,                               // UNIMPLEMENTED
            KeyspaceError::Corrupt => 15,                                      // DATA_LOSS
        }
    }
}

impl fmt::Display for KeyspaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KeyspaceError::EmptyKey => "etcdserver: key is not provided",
            KeyspaceError::KeyNotFound => "etcdserver: key not found",
            KeyspaceError::ValueProvided => "etcdserver: value is provided",
            KeyspaceError::LeaseProvided => "etcdserver: lease is provided",
            KeyspaceError::TooManyOps => "etcdserver: too many operations in txn request",
            KeyspaceError::DuplicateKey => "etcdserver: duplicate key given in txn request",
            KeyspaceError::Compacted => "etcdserver: mvcc: required revision has been compacted",
            KeyspaceError::FutureRevision => "etcdserver: mvcc: required revision is a future revision",
            KeyspaceError::NoSpace => "etcdserver: mvcc: database space exceeded",
            KeyspaceError::Corrupt => "etcdserver: corrupt cluster",
            KeyspaceError::LeaseNotFound => "etcdserver: requested lease not found",
            KeyspaceError::LeaseExists => "etcdserver: lease already exists",
            KeyspaceError::LeaseTtlTooLarge => "etcdserver: too large lease TTL",
            KeyspaceError::MemberExists => "etcdserver: member ID already exist",
            KeyspaceError::PeerUrlExists => "etcdserver: Peer URLs already exists",
            KeyspaceError::MemberNotFound => "etcdserver: member not found",
            KeyspaceError::MemberNotLearner => "etcdserver: can only promote a learner member",
            KeyspaceError::TooManyLearners => "etcdserver: too many learner members in cluster",
            KeyspaceError::Unsupported(what) => return write!(f, "etcdserver: {what} is not supported"),
        })
    }
}

impl core::error::Error for KeyspaceError {}
