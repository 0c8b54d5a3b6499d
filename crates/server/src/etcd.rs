//! One member of an etcd cluster.

mod address;
mod clock;
mod config;
mod error;
mod metrics;
mod peer;
mod status;
mod view;

pub use config::{ClusterState, Config};
pub use error::{RunError, StartError, StopError};
