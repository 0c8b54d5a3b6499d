//! Snapshots: the tree after some transaction, as a file that Java reads and that Java may have written.
//!
//! A snapshot is a stream of numbers and strings without a length ([`outline`] finds where it ends), sealed by checksums that come
//! last ([`seal`]): nothing that was read of it is certain before all of it was. Java may have packed it ([`source`]); what is
//! written here is not.
//!
//! It is *fuzzy*: the tree goes on changing while it is written, so it may hold more than the transactions up to its zxid. Those after
//! it are applied again, which changes nothing that was there already. A server applies only what its own log has synced, so its
//! snapshots never hold more than its log.
//!
//! A snapshot is written under another name, synced, renamed, and its folder synced: a crash at any point leaves the old state or the
//! new one. (Java writes its own in place, so that a crash may leave a part of one; a start passes over that.)

mod catalog;
mod outline;
mod reader;
mod seal;
mod source;
mod writer;

pub(super) use catalog::Found;
pub use catalog::{DurableSnapshot, SealedSnapshot, Snapshots};
pub use reader::SnapshotReader;
pub use writer::{Receiving, SnapshotWriter};

use crate::fault::Fault;
use consensus::Position;

/// Why a snapshot cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The disk failed.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The bytes are not those of a whole snapshot.
    #[error("{file} is damaged at byte {offset}: expected {expected}")]
    Damaged {
        /// The file.
        file: String,
        /// Where, in what it holds uncompressed.
        offset: u64,
        /// What should be there.
        expected: &'static str,
    },
    /// There is no such snapshot (any more).
    #[error("there is no snapshot of {position}")]
    NoSuch {
        /// What it should stand for.
        position: Position,
    },
}

/// How far a leader's snapshot has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// How many of the bytes belonged to it.
    pub taken: usize,
    /// Whether these were the last: what follows on the connection is no longer the snapshot.
    pub whole: bool,
}
