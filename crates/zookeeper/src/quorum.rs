//! What a leader and its learner say to each other over the quorum port (Java: `QuorumPacket`, `Leader`, `LearnerHandler`, `Learner`).
//!
//! ```text
//! │ type: int │ zxid: long │ data: buffer or null │ authinfo: vector of ids or null │
//! ```
//!
//! Packets follow each other without a length around them, so the end of one is found by reading it. After SNAP comes the snapshot
//! itself: see [`snapshot`].

mod decode;
mod encode;
pub(crate) mod number;
pub mod snapshot;

pub use decode::{Also, Received, TXN_MAX, decode, decode_from_leader};
pub use encode::Speaker;

/// The version of the protocol that there is, as learners and leaders announce it.
pub const PROTOCOL_VERSION: i32 = 0x10000;
