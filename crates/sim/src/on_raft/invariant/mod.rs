//! What must always hold of Raft in particular.

mod append;
mod election;
mod lease;
mod progress;
mod read;
