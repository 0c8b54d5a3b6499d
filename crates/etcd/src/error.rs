//! What clients are told when something cannot be done: etcd's texts with etcd's gRPC codes, as of 3.5.16.
//!
//! The texts are interface. clientv3 tells errors apart by them, and retries a write only after texts that promise that nothing
//! was sent.

use core::fmt;
use keyspace::KeyspaceError;
use std::borrow::Cow;

/// A gRPC status code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "gRPC's own names")]
pub enum Code {
    Cancelled = 1,
    Unknown = 2,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    AlreadyExists = 6,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Aborted = 10,
    OutOfRange = 11,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    DataLoss = 15,
    Unauthenticated = 16,
}

macro_rules! known {
    ($($name:ident $code:ident $text:literal)*) => {
        /// An error that etcd's clients know.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Known {
            $(#[doc = $text] $name,)*
        }

        impl Known {
            /// All of them.
            pub const ALL: &[Known] = &[$(Known::$name),*];

            /// The gRPC code.
            pub fn code(self) -> Code {
                match self {
                    $(Known::$name => Code::$code,)*
                }
            }

            /// The text, word for word.
            pub fn text(self) -> &'static str {
                match self {
                    $(Known::$name => concat!("etcdserver: ", $text),)*
                }
            }
        }
    };
}

known! {
    EmptyKey InvalidArgument "key is not provided"
    KeyNotFound InvalidArgument "key not found"
    ValueProvided InvalidArgument "value is provided"
    LeaseProvided InvalidArgument "lease is provided"
    TooManyOps InvalidArgument "too many operations in txn request"
    DuplicateKey InvalidArgument "duplicate key given in txn request"
    InvalidSortOption InvalidArgument "invalid sort option" // 3.6 and later; 3.5 does not look
    Compacted OutOfRange "mvcc: required revision has been compacted"
    FutureRevision OutOfRange "mvcc: required revision is a future revision"
    NoSpace ResourceExhausted "mvcc: database space exceeded"

    LeaseNotFound NotFound "requested lease not found"
    LeaseExists FailedPrecondition "lease already exists"
    LeaseTtlTooLarge OutOfRange "too large lease TTL"

    WatchCanceled Cancelled "watch canceled"

    MemberExists FailedPrecondition "member ID already exist"
    PeerUrlExists FailedPrecondition "Peer URLs already exists"
    MemberNotEnoughStarted FailedPrecondition "re-configuration failed due to not enough started members"
    MemberBadUrls InvalidArgument "given member URLs are invalid"
    MemberNotFound NotFound "member not found"
    MemberNotLearner FailedPrecondition "can only promote a learner member"
    LearnerNotReady FailedPrecondition "can only promote a learner member which is in sync with leader"
    TooManyLearners FailedPrecondition "too many learner members in cluster"
    ClusterIdMismatch FailedPrecondition "cluster ID mismatch"

    RequestTooLarge InvalidArgument "request is too large"
    TooManyRequests ResourceExhausted "too many requests"

    RootUserNotExist FailedPrecondition "root user does not exist"
    RootRoleNotExist FailedPrecondition "root user does not have root role"
    UserAlreadyExist FailedPrecondition "user name already exists"
    UserEmpty InvalidArgument "user name is empty"
    UserNotFound FailedPrecondition "user name not found"
    RoleAlreadyExist FailedPrecondition "role name already exists"
    RoleNotFound FailedPrecondition "role name not found"
    RoleEmpty InvalidArgument "role name is empty"
    AuthFailed InvalidArgument "authentication failed, invalid user ID or password"
    PermissionNotGiven InvalidArgument "permission not given"
    PermissionDenied PermissionDenied "permission denied"
    RoleNotGranted FailedPrecondition "role is not granted to the user"
    PermissionNotGranted FailedPrecondition "permission is not granted to the role"
    AuthNotEnabled FailedPrecondition "authentication is not enabled"
    InvalidAuthToken Unauthenticated "invalid auth token"
    InvalidAuthMgmt InvalidArgument "invalid auth management"
    AuthOldRevision InvalidArgument "revision of auth store is old"

    NoLeader Unavailable "no leader"
    NotLeader FailedPrecondition "not leader"
    LeaderChanged Unavailable "leader changed"
    NotCapable Unavailable "not capable"
    Stopped Unavailable "server stopped"
    Timeout Unavailable "request timed out"
    TimeoutDueToLeaderFail Unavailable "request timed out, possibly due to previous leader failure"
    TimeoutDueToConnectionLost Unavailable "request timed out, possibly due to connection lost"
    TimeoutWaitAppliedIndex Unavailable "request timed out, waiting for the applied index took too long"
    Unhealthy Unavailable "unhealthy cluster"
    Corrupt DataLoss "corrupt cluster"
    NotSupportedForLearner Unavailable "rpc not supported for learner"
    BadLeaderTransferee FailedPrecondition "bad leader transferee"

    ClusterVersionUnavailable Unavailable "cluster version not found during downgrade"
    WrongDowngradeVersionFormat InvalidArgument "wrong downgrade target version format"
    InvalidDowngradeTargetVersion InvalidArgument "invalid downgrade target version"
    DowngradeInProcess FailedPrecondition "cluster has a downgrade job in progress"
    NoInflightDowngrade FailedPrecondition "no inflight downgrade job"

    Canceled Cancelled "request canceled"
    DeadlineExceeded DeadlineExceeded "context deadline exceeded"
}

impl Known {
    /// The error that a text stands for.
    pub fn of(text: &str) -> Option<Known> {
        Known::ALL.iter().copied().find(|known| known.text() == text)
    }

    /// The error that the keyspace means; `None` for what etcd has no error for.
    fn of_keyspace(error: &KeyspaceError) -> Option<Known> {
        Some(match error {
            KeyspaceError::EmptyKey => Known::EmptyKey,
            KeyspaceError::KeyNotFound => Known::KeyNotFound,
            KeyspaceError::ValueProvided => Known::ValueProvided,
            KeyspaceError::LeaseProvided => Known::LeaseProvided,
            KeyspaceError::TooManyOps => Known::TooManyOps,
            KeyspaceError::DuplicateKey => Known::DuplicateKey,
            KeyspaceError::Compacted => Known::Compacted,
            KeyspaceError::FutureRevision => Known::FutureRevision,
            KeyspaceError::NoSpace => Known::NoSpace,
            KeyspaceError::Corrupt => Known::Corrupt,
            KeyspaceError::LeaseNotFound => Known::LeaseNotFound,
            KeyspaceError::LeaseExists => Known::LeaseExists,
            KeyspaceError::LeaseTtlTooLarge => Known::LeaseTtlTooLarge,
            KeyspaceError::MemberExists => Known::MemberExists,
            KeyspaceError::PeerUrlExists => Known::PeerUrlExists,
            KeyspaceError::MemberNotFound => Known::MemberNotFound,
            KeyspaceError::MemberNotLearner => Known::MemberNotLearner,
            KeyspaceError::TooManyLearners => Known::TooManyLearners,
            KeyspaceError::Unsupported(_) => return None,
        })
    }
}

/// What a client is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientError {
    /// The gRPC code.
    pub code: Code,
    /// The text.
    pub text: Cow<'static, str>,
}

impl From<Known> for ClientError {
    fn from(known: Known) -> ClientError {
        ClientError { code: known.code(), text: Cow::Borrowed(known.text()) }
    }
}

impl From<KeyspaceError> for ClientError {
    fn from(error: KeyspaceError) -> ClientError {
        match Known::of_keyspace(&error) {
            Some(known) => known.into(),
            None => ClientError { code: Code::Unimplemented, text: Cow::Owned(error.to_string()) },
        }
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl core::error::Error for ClientError {}

#[cfg(feature = "grpc")]
impl From<ClientError> for tonic::Status {
    fn from(error: ClientError) -> tonic::Status {
        tonic::Status::new(tonic::Code::from_i32(error.code as i32), error.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_tell_errors_apart() {
        for &known in Known::ALL {
            assert_eq!(Known::of(known.text()), Some(known));
        }
        assert_eq!(Known::of("etcdserver: nonsense"), None);
    }

    #[test]
    fn the_keyspace_and_this_table_agree() {
        let errors = [
            KeyspaceError::EmptyKey,
            KeyspaceError::KeyNotFound,
            KeyspaceError::ValueProvided,
            KeyspaceError::LeaseProvided,
            KeyspaceError::TooManyOps,
            KeyspaceError::DuplicateKey,
            KeyspaceError::Compacted,
            KeyspaceError::FutureRevision,
            KeyspaceError::NoSpace,
            KeyspaceError::Corrupt,
            KeyspaceError::LeaseNotFound,
            KeyspaceError::LeaseExists,
            KeyspaceError::LeaseTtlTooLarge,
            KeyspaceError::MemberExists,
            KeyspaceError::PeerUrlExists,
            KeyspaceError::MemberNotFound,
            KeyspaceError::MemberNotLearner,
            KeyspaceError::TooManyLearners,
            KeyspaceError::Unsupported("walking".into()),
        ];
        for error in errors {
            let told = ClientError::from(error.clone());
            assert_eq!(told.text, error.to_string());
            assert_eq!(told.code as u32, error.code(), "{error}");
        }
    }
}
