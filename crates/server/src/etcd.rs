//! One member of an etcd cluster.

mod address;
mod announce;
mod assemble;
mod birth;
mod budget;
mod codec;
mod config;
mod disk;
mod door;
mod engine;
mod error;
mod kin;
mod lessor;
mod listen;
mod member;
mod metrics;
mod peer;
mod replica_task;
mod status;
mod view;

pub use config::{ClusterState, Config};
pub use error::{RunError, StartError, StopError};
pub use member::Member;

use crate::clock;
