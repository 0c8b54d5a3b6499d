//! What members say to each other, byte for byte as Go etcd says it (rafthttp, raftpb).
//!
//! ```text
//!             raft::Message
//!                  │ raftpb      one message as protobuf, zeros written as 3.5 writes them
//!        ┌─────────┴─────────┐
//!      frame               msgapp    how messages follow each other on a connection
//!   everything else        appends
//!        └─────────┬─────────┘
//!                http              paths, headers, refusals
//! ```

pub mod frame;
pub mod http;
pub mod message;
pub mod msgapp;
pub(crate) mod raftpb;

pub use message::{Envelope, Received};
