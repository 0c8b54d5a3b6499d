//! The threads that touch the disk.
//!
//! ```text
//!   member ── Persist, Cut ──────────────▶ log thread  ── Persisted ──▶ member
//!          ── Fetch, snapshot, note ─────▶ data thread ── Fetched … ──▶
//!          ── Merge ──▶ data thread ── Install ──▶ log thread ── Installed ──▶
//! ```
//!
//! The log thread does nothing but what must be synced soon; everything that may take long is the data thread's. Snapshots of
//! other servers are written and read by threads of their own, as slow as the network.

mod data;
mod log;
mod restore;
mod transfer;

pub(crate) use data::{DataCommand, DataThread};
pub(crate) use log::{LogCommand, LogThread};
pub(crate) use restore::Restorer;
pub(crate) use transfer::{Arrived, Snapshotting};

use super::engine::Tree;
use super::error::StopError;
use consensus::{Entry, Position, Reader, Ticket};
use std::time::Duration;
use storage::Disk;
use storage::zookeeper::DurableSnapshot;
use tokio::sync::mpsc::UnboundedSender;

/// What the disk's threads tell the member.
pub(crate) enum DiskEvent<D: Disk> {
    /// Everything up to this ticket is synced.
    Persisted {
        /// The last of what was written.
        ticket: Ticket,
        /// How long the sync took.
        took: Duration,
        /// How many writes it covered.
        count: usize,
    },
    /// Old entries.
    Fetched { reader: Reader, entries: Vec<Entry> },
    /// The last piece of the snapshot being taken was written.
    ChunkWritten,
    /// The snapshot being taken is durable.
    Saved(DurableSnapshot<D>),
    /// The snapshot that arrived is in force, with what followed it, and this is the tree that it holds.
    Installed { position: Position, tree: Box<Tree> },
    /// The disk failed, or holds what cannot be understood: the server stops.
    Failed(StopError),
}

/// Tells the member when the thread that holds it panics: a disk without its thread would be waited for in vain.
struct Alarm<D: Disk>(UnboundedSender<DiskEvent<D>>);

impl<D: Disk> Drop for Alarm<D> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = self.0.send(DiskEvent::Failed(StopError::Panicked));
        }
    }
}
