//! The threads that touch the disk.
//!
//! ```text
//!   replica ── Persist, Cut, Install ──▶ log thread  ── Persisted ──▶ replica
//!           ── Fetch, snapshot, note ──▶ data thread ── Fetched … ──▶
//! ```
//!
//! The log thread does nothing but what must be synced soon; everything that may take long is the data thread's. Snapshots of
//! peers are written and read by threads of their own, as slow as the network.

mod data;
mod log;
mod transfer;

pub(crate) use data::{DataCommand, DataThread, restore};
pub(crate) use log::{LogCommand, LogThread};
pub(crate) use transfer::Snapshotting;

use super::engine::Machine;
use super::error::StopError;
use consensus::{Entry, Reader, Snapshot, Ticket};
use storage::{Disk, DurableSnapshot};
use tokio::sync::mpsc::UnboundedSender;

/// What the disk's threads tell the replica.
pub(crate) enum DiskEvent<D: Disk> {
    /// Everything up to this ticket is synced.
    Persisted(Ticket),
    /// Old entries.
    Fetched { reader: Reader, entries: Vec<Entry> },
    /// The last piece of the snapshot being taken was written.
    ChunkWritten,
    /// The snapshot being taken is durable.
    Saved(DurableSnapshot<D>),
    /// The snapshot that arrived is in force, and this is the machine that it holds.
    Installed { durable: DurableSnapshot<D>, machine: Box<Machine> },
    /// The disk failed, or holds what cannot be understood: the member stops.
    Failed(StopError),
}

impl<D: Disk> DiskEvent<D> {
    fn installed(durable: DurableSnapshot<D>, machine: Machine) -> DiskEvent<D> {
        DiskEvent::Installed { durable, machine: Box::new(machine) }
    }
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

/// Names what a snapshot stands for, for the log.
fn index(snapshot: &Snapshot) -> u64 {
    snapshot.position.index
}
