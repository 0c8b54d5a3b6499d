//! One member of an etcd cluster.

mod address;
mod announce;
mod assemble;
mod birth;
mod budget;
mod codec;
mod compactor;
mod config;
mod corruption;
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
mod quota;
mod replica_task;
mod status;
mod sweeper;
mod unsent;
mod view;
mod watch;

pub use compactor::Retention;
pub use config::{ClusterState, Config};
pub use error::{RunError, StartError, StopError};
pub use member::Member;

use crate::clock;
