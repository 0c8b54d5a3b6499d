//! The election port: who speaks, then what it thinks of the election (Java: `QuorumCnxManager`, `FastLeaderElection`).

mod greeting;
mod notification;

pub use greeting::Greeting;
pub use notification::{Heard, VERSION, encode, frame, notification};

/// The longest frame that is taken (Java: `QuorumCnxManager.PACKETMAXSIZE`).
pub const FRAME_LIMIT: usize = 512 << 10;

/// The longest list of addresses that is taken in a greeting (Java: `QuorumCnxManager.maxBuffer`).
pub const ADDRESSES_LIMIT: usize = 2048;
