//! Why a member does not start, or stops.

use storage::{DataError, Fault, OpenError};

/// Why a member does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The initial cluster does not name this member, or names it with other URLs than those that it advertises.
    #[error("--initial-cluster must name this member: {0}")]
    NotInCluster(String),
    /// Joining is not built.
    #[error(
        "--initial-cluster-state=existing: Quorate cannot join a running cluster yet; start all members of a new cluster together \
         with --initial-cluster-state=new"
    )]
    Joining,
    /// TLS is not built.
    #[error("{url}: https is not supported yet; use http")]
    Secure {
        /// The URL.
        url: String,
    },
    /// The address is taken, or not this machine's.
    #[error("cannot listen on {url}: {source}")]
    Listen {
        /// The URL.
        url: String,
        /// Why.
        source: std::io::Error,
    },
    /// The data folder cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The disk failed.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// What the disk holds cannot be understood.
    #[error(transparent)]
    Recover(#[from] StopError),
    /// A member that lost its disk must not vote under its old id (DESIGN: a stranger).
    #[error(
        "member {id} has already been bootstrapped: {peer} knows it, but {folder} holds nothing of it. A member that lost its data may \
         have voted; remove it from the cluster and add it again under a new id"
    )]
    AlreadyBootstrapped {
        /// This member's id.
        id: String,
        /// Who knows it.
        peer: String,
        /// The empty folder.
        folder: String,
    },
    /// The initial check found that this member holds another history than others.
    #[error("{id} found data inconsistency with peers: {peers}")]
    Corrupt {
        /// This member's id.
        id: String,
        /// Who holds something else.
        peers: String,
    },
    /// The operating system gave no thread or no runtime.
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
}

/// Why a member stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    /// The disk failed: nothing that follows could be trusted.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The data file is damaged, or could not be read or written.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The log holds what this version does not understand, or a snapshot that cannot be restored.
    #[error("{0}")]
    Log(String),
    /// The cluster says so.
    #[error("the member has been permanently removed from the cluster")]
    Removed,
    /// A thread of this member panicked; what it said is on stderr.
    #[error("a thread of this member panicked")]
    Panicked,
}

/// Either.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// It stopped by itself.
    #[error(transparent)]
    Stop(#[from] StopError),
}
