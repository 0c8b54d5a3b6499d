//! Raft.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod config;
mod message;

pub use config::{Config, Recovered};
pub use message::{Body, Message};
