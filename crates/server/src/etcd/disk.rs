//! The threads that touch the disk.
//!
//! ```text
//!   replica ── Persist, Cut, Install ──▶ log thread  ── Persisted, Installed ──▶ replica
//!           ── Flush, Fetch, note ─────▶ data thread ── Flushed, Fetched ──────▶
//! ```
//!
//! The log thread does nothing but what must be synced soon; everything that may take long is the data thread's. What the machine
//! changes is written to the data file behind it ([`behind`]). Snapshots of peers are written and read by threads of their own, as
//! slow as the network. Single values that are not in memory are read on the spot.

mod behind;
mod data;
mod log;
mod transfer;

pub(crate) use behind::{Behind, is_deaf, is_full, is_refusing};
pub(crate) use data::{DataCommand, DataThread, Flushing};
pub(crate) use log::{LogCommand, LogThread};
pub(crate) use transfer::Snapshotting;

use super::engine::Machine;
use super::error::StopError;
use consensus::{Entry, Reader, Snapshot, Ticket};
use keyspace::Page;
use storage::{Disk, DurableData};
use tokio::sync::mpsc::UnboundedSender;

/// What the disk's threads tell the replica.
pub(crate) enum DiskEvent<D: Disk> {
    /// Everything up to this ticket is synced.
    Persisted(Ticket),
    /// Old entries.
    Fetched { reader: Reader, entries: Vec<Entry> },
    /// What was flushed is durable.
    Flushed(DurableData),
    /// A page of the history was read.
    Page(Page),
    /// The snapshot that arrived is in force, and this is the machine that it holds.
    Installed { snapshot: Snapshot, machine: Box<Machine<D>> },
    /// The disk failed, or holds what cannot be understood: the member stops.
    Failed(StopError),
}

/// Tells the replica when the thread that holds it panics: a disk without its thread would be waited for in vain.
struct Alarm<D: Disk>(UnboundedSender<DiskEvent<D>>);

impl<D: Disk> Drop for Alarm<D> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = self.0.send(DiskEvent::Failed(StopError::Panicked));
        }
    }
}
