//! Why a server does not start, or stops.

use std::net::SocketAddr;
use storage::Fault;

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// `server.N` names others, but not this server.
    #[error("myid is {id}, and no line server.{id} says where that is")]
    NotAServer {
        /// This server's id.
        id: u64,
    },
    /// A name stands for no address.
    #[error("{name} cannot be looked up: {source}")]
    Unknown {
        /// The name, with its port.
        name: String,
        /// Why.
        source: std::io::Error,
    },
    /// The address is taken, or not this machine's.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The data folder cannot be used, or what it holds cannot be understood.
    #[error("{0}")]
    Data(String),
    /// The disk failed.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The operating system gave no thread or no runtime.
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
}

/// Why a server stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    /// The disk failed: nothing that follows could be trusted.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The disk or the log holds what this version does not understand.
    #[error("{0}")]
    Data(String),
    /// A thread of this server panicked; what it said is on stderr.
    #[error("a thread of this server panicked")]
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
