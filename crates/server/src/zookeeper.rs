//! One server of a ZooKeeper ensemble.
//!
//! ```text
//!   member    Core: where the two halves meet; the replica's turns
//!   election  the other servers, port 3888       clients  2181: sessions, requests, watches
//!   quorum    the other servers, port 2888       words    four letters
//!   disk      the log's thread and the data's    admin    8080, and metrics
//! ```

mod address;
mod admin;
mod assemble;
mod clients;
mod codec;
mod config;
mod disk;
mod election;
mod engine;
mod error;
mod inbox;
mod member;
mod metrics;
mod quorum;
mod server;
mod turn;
mod words;

pub use config::Config;
pub use error::{RunError, StartError, StopError};

use std::future::Future;

/// Runs a server until `stop` returns: it hands leadership over then, and ends. Returns earlier only with an error.
///
/// To be called on a runtime of one thread (`tokio::runtime::Builder::new_current_thread`): everything but the disk lives there.
pub async fn run_until(config: Config, stop: impl Future<Output = ()>) -> Result<(), RunError> {
    server::run_until(config, stop).await
}
