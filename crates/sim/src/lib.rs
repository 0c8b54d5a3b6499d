//! Whole members in a hostile world, from one seed.
//!
//! The members are those of the product: the same [`replica`], the same [`raft`] or [`zab`], the same [`storage`]. What the server has
//! sockets, threads, files and a clock for, this crate has a queue of occasions for, ordered by virtual time:
//!
//! ```text
//!              plan ◀── seed ──▶ chaos, workload
//!                        │
//!            ┌─────── world ────────┐         one occasion after the other
//!            │  agenda: (time, nr)  │
//!            └──┬────────┬───────┬──┘
//!           network    driver   writer        what the server does with sockets and threads
//!                        │       │
//!                     Replica   Log<SimDisk>  the product's own code
//!                        │
//!                 Watched<Core> ──▶ ghost ──▶ invariants, after every step
//! ```
//!
//! A run has three parts: *chaos*, in which anything goes wrong that the seed has switched on; *calm*, in which a core of the members
//! is healed and has to find itself; and the check that what clients were told makes one history. The same seed
//! gives the same run: [`Outcome::hash`] covers every event.
//!
//! What differs between protocols (settings, links, storage, what must hold of each in particular) stands behind one trait, `Subject`,
//! and lies in `on_raft` and `on_zab`.
//!
//! See docs/VERIFICATION.md for the invariants and the faults.

#![forbid(unsafe_code)]

mod agenda;
mod calls;
mod chaos;
pub mod cli;
mod clock;
mod codec;
mod disk;
mod driver;
mod fault;
mod ghost;
mod history;
mod invariant;
mod life;
mod linear;
mod liveness;
mod machine;
mod member;
mod network;
mod on_raft;
mod on_zab;
mod options;
mod plan;
mod run;
mod search;
mod subject;
mod topology;
mod trace;
mod watch;
mod words;
mod workload;
mod world;
mod writer;

pub use fault::{Fault, Tally};
pub use invariant::{Invariant, Violation};
#[cfg(feature = "mutants")]
pub use options::Mutant;
pub use options::{Mechanism, Protocol, SimOptions, Unknown};
pub use run::{Outcome, run};
pub use search::{Summary, search};
