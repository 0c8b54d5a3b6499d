//! Snapshots: what the state machine held after some entry, as a file.
//!
//! ```text
//!   snapshot/<index>.snapshot
//!   ┌───────┬─────────────┬─────────────┬─────────────┬───┬────────┐
//!   │ magic │ frame: what │ frame:      │ frame:      │ … │ frame: │
//!   │       │ it is       │ first piece │ second      │   │ sum    │
//!   └───────┴─────────────┴─────────────┴─────────────┴───┴────────┘
//! ```
//!
//! The magic is followed by frames ([`frame`]), each with a checksum of its own, so that damage is named by its place and no piece is
//! ever handed out wrong. The last frame says how much the pieces are together, and their checksum.
//!
//! A snapshot is written under another name (`….tmp`), synced, renamed, and its folder synced: a crash at any point leaves the old
//! state or the new one. What is left of unfinished ones is removed at the next start. A peer's snapshot is kept in the same way; only
//! its pieces come from elsewhere.

mod catalog;
mod frame;
mod reader;
mod writer;

pub use catalog::{DurableSnapshot, SealedSnapshot, Snapshots};
pub use reader::SnapshotReader;
pub use writer::SnapshotWriter;

use crate::fault::Fault;

/// Why a snapshot cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The disk failed.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The bytes are not those that were written.
    #[error("{file} is damaged at byte {offset}")]
    Damaged {
        /// The file.
        file: String,
        /// Where the damaged frame begins.
        offset: u64,
    },
    /// Written by a later version.
    #[error("{file} has format {found}; this version reads up to {known}")]
    Version {
        /// The file.
        file: String,
        /// Its format.
        found: u32,
        /// The latest that is understood.
        known: u32,
    },
}
