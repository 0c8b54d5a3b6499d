//! A leader's snapshot and the transactions that followed it become one snapshot.

use super::snapshot::{SealedSnapshot, SnapshotError, Snapshots};
use crate::disk::Disk;
use crate::fault::Fault;
use bytes::Bytes;
use consensus::{Entry, RestoreError, StateMachine};

/// Why a leader's snapshot cannot be put into force.
#[derive(Debug, thiserror::Error)]
pub enum MergeError<E> {
    /// The disk failed.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The snapshot cannot be read back.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The snapshot cannot be understood.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// An entry cannot be understood.
    #[error("{0}")]
    Entry(E),
}

/// Makes a machine of a leader's snapshot, applies the entries that followed, and writes the result as a new snapshot at the last
/// of them: what [`super::Log::install`] is to put into force. `restore` makes a machine of a snapshot's pieces, `apply` decodes an
/// entry and applies it. May take long; needs nothing of the log.
pub fn merge<D: Disk, M: StateMachine, E>(
    snapshots: &Snapshots<D>,
    arrived: SealedSnapshot<D>,
    entries: &[Entry],
    restore: impl FnOnce(&mut dyn Iterator<Item = Bytes>) -> Result<M, RestoreError>,
    mut apply: impl FnMut(&mut M, &Entry) -> Result<(), E>,
) -> Result<(SealedSnapshot<D>, M), MergeError<E>> {
    let mut machine = read(&arrived, restore)?;
    let Some(last) = entries.last() else {
        return Ok((arrived, machine));
    };
    for entry in entries {
        apply(&mut machine, entry).map_err(MergeError::Entry)?;
    }
    let mut writer = snapshots.take(last.position)?;
    let mut cursor = machine.begin_snapshot();
    while let Some(chunk) = machine.snapshot_chunk(&mut cursor, 1 << 20) {
        writer.write(&chunk)?;
    }
    machine.end_snapshot(cursor);
    let sealed = writer.finish()?;
    arrived.discard()?;
    Ok((sealed, machine))
}

fn read<D: Disk, M, E>(
    arrived: &SealedSnapshot<D>,
    restore: impl FnOnce(&mut dyn Iterator<Item = Bytes>) -> Result<M, RestoreError>,
) -> Result<M, MergeError<E>> {
    let mut reader = arrived.read()?;
    let mut failed = None;
    let mut chunks = std::iter::from_fn(|| {
        reader.next_chunk().unwrap_or_else(|error| {
            failed = Some(error);
            None
        })
    });
    let machine = restore(&mut chunks);
    // What the checksums say comes first: a machine made of wrong bytes is none, and its complaint is beside the point.
    chunks.by_ref().for_each(drop);
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(machine?),
    }
}
