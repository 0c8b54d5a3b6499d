//! ZooKeeper's Fast Leader Election and Zab, as a pure function of messages and time.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod message;
mod vote;

pub use message::{Message, Notification, Packet, State};
pub use vote::Vote;
