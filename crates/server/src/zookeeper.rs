//! One server of a ZooKeeper ensemble.
//!
//! ```text
//!   member    Core: where the two halves meet; the replica's turns
//!   election  the other servers, port 3888       clients  2181: sessions, requests, watches
//!   quorum    the other servers, port 2888       words    four letters
//!   disk      the log's thread and the data's    admin    8080, and metrics
//! ```

mod config;
mod error;

pub use config::{Address, Config, Server, ServerRole};
pub use error::{RunError, StartError, StopError};

use std::future::Future;

/// Runs a server until `stop` returns: it hands leadership over then, and ends. Returns earlier only with an error.
///
/// To be called on a runtime of one thread (`tokio::runtime::Builder::new_current_thread`): everything but the disk lives there.
pub async fn run_until(config: Config, stop: impl Future<Output = ()>) -> Result<(), RunError> {
    drop((config, stop));
    Err(StartError::Data("ZooKeeper servers cannot be run yet".to_owned()).into())
}
