//! Both sides of a replicated log.
//!
//! A *consensus protocol* decides in which order commands enter a log that a quorum of members keeps ([`Consensus`]). A *state
//! machine* turns that log into answers ([`StateMachine`]). This crate holds what the two promise each other, in words that fit
//! Raft and ZooKeeper's Zab alike, so that one replica, one simulator and one script runner serve both:
//!
//! ```text
//!              Input                     Output
//!   network ──────────▶ ┌───────────┐ ──────────▶ network   (Send)
//!   disk    ──────────▶ │ Consensus │ ──────────▶ disk      (Persist)
//!   clock   ──────────▶ └───────────┘ ──────────▶ StateMachine (Apply)
//! ```
//!
//! Nothing here does IO. Time and chance are arguments: [`Instant`] comes with every step and [`Chance`] is seeded, so the same
//! inputs give the same outputs, byte for byte.
//!
//! The rule that keeps drivers simple: **an output may be carried out the moment it is emitted.** A core withholds whatever
//! depends on a sync until the matching [`Input::Persisted`] arrives.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod chance;
mod input;
mod log;
mod machine;
mod output;
mod quorum;
mod time;

pub use chance::Chance;
pub use input::{How, Input, Link, Note, ReadId, SessionNote};
pub use log::{Entry, EntryKind, Position, Promise, Snapshot};
pub use machine::{Restore, RestoreError, StateMachine, Wall};
pub use output::{Append, DropReason, Dropped, Fetch, Output, Persist, Reader, Role, Ticket};
pub use quorum::{Configuration, Hierarchy, Tally};
pub use time::Instant;

use alloc::vec::Vec;
use core::fmt;

/// A member's number: etcd's member id, ZooKeeper's `myid`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u64);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A protocol that orders commands: one door in, one door out.
///
/// Implementations are deterministic. They never read a clock, never block, and never fail: what they refuse they say in an
/// [`Output`].
pub trait Consensus {
    /// What members say to each other.
    type Message;

    /// Why the protocol did what it did: data first, a plain sentence through `Display`.
    type Decision: fmt::Display;

    /// Takes one input at time `now` and appends what follows from it to `out`.
    ///
    /// `now` never goes back. Every step also notices timers that have run out, so a process that was paused learns the true
    /// time with its first step, whatever the input. Outputs to one peer are to be delivered in the order in which they appear.
    fn step(&mut self, now: Instant, input: Input<Self::Message>, out: &mut Vec<Output<Self::Message, Self::Decision>>);

    /// When to step with [`Input::Timeout`] if nothing else comes first.
    fn deadline(&self) -> Instant;

    /// The position that the next proposal would get: `Some` only on a leader that may propose now.
    fn next(&self) -> Option<Position>;

    /// The epoch that this member takes part in: Raft's term, Zab's acceptedEpoch.
    fn epoch(&self) -> u64;

    /// The last position known to be committed. Never goes back within one process.
    fn committed(&self) -> Position;

    /// The log after this index is to stay, whatever snapshot covers it: a peer that is being sent a snapshot goes on from there. Who
    /// cuts the log asks first, and then cuts no further, here ([`Input::SnapshotTaken`]) and on the disk.
    fn log_held_after(&self) -> u64 {
        u64::MAX
    }

    /// Whether clients may be served. A Raft member always may: what it does not know it asks the leader. A ZooKeeper server
    /// serves only in Zab's broadcast phase; when that ends, everything that waits here is refused and its clients are let go.
    fn serving(&self) -> bool {
        true
    }
}
