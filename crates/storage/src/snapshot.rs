//! Snapshots: what the state machine held after some entry, as a file.

use crate::disk::Disk;
use crate::fault::Fault;
use bytes::Bytes;
use consensus::{NodeId, Snapshot};
use std::marker::PhantomData;

/// The folder of snapshots. Clones are the same folder.
#[derive(Clone)]
pub struct Snapshots<D: Disk> {
    disk: PhantomData<D>,
}

impl<D: Disk> Snapshots<D> {
    /// Begins a snapshot of this member's own state machine, in place of an unfinished one.
    pub fn take(&self, _snapshot: Snapshot) -> Result<SnapshotWriter<D>, Fault> {
        unimplemented!()
    }

    /// Begins to receive a peer's snapshot, in place of an unfinished one from the same peer.
    pub fn receive(&self, _from: NodeId, _snapshot: Snapshot) -> Result<SnapshotWriter<D>, Fault> {
        unimplemented!()
    }

    /// The newest snapshot that is whole.
    pub fn newest(&self) -> Result<Option<DurableSnapshot<D>>, SnapshotError> {
        unimplemented!()
    }

    /// Removes all but the `keep` newest. Who reads one may go on.
    pub fn remove_older(&self, _keep: usize) -> Result<(), Fault> {
        unimplemented!()
    }
}

/// Writes a snapshot, piece by piece, under a name that recovery does not look at.
pub struct SnapshotWriter<D: Disk> {
    disk: PhantomData<D>,
}

impl<D: Disk> SnapshotWriter<D> {
    /// Appends a piece.
    pub fn write(&mut self, _chunk: &[u8]) -> Result<(), Fault> {
        unimplemented!()
    }

    /// All pieces are written: closes the file with its length and checksum, and syncs it.
    pub fn finish(self) -> Result<SealedSnapshot<D>, Fault> {
        unimplemented!()
    }

    /// Removes what was written.
    pub fn discard(self) -> Result<(), Fault> {
        unimplemented!()
    }
}

/// A snapshot that is whole and synced, but not yet in force: after a crash it is gone.
pub struct SealedSnapshot<D: Disk> {
    disk: PhantomData<D>,
}

impl<D: Disk> SealedSnapshot<D> {
    /// What it stands for.
    pub fn snapshot(&self) -> &Snapshot {
        unimplemented!()
    }

    /// Reads it before it is in force.
    pub fn read(&self) -> Result<SnapshotReader<D>, SnapshotError> {
        unimplemented!()
    }

    /// Gives it its name, durably. For a snapshot of this member's own; a peer's goes through [`crate::Log::install`].
    pub fn publish(self) -> Result<DurableSnapshot<D>, Fault> {
        unimplemented!()
    }

    /// Removes it.
    pub fn discard(self) -> Result<(), Fault> {
        unimplemented!()
    }
}

/// A snapshot that a restart finds: proof that the log up to its position may go.
#[derive(Clone)]
pub struct DurableSnapshot<D: Disk> {
    disk: PhantomData<D>,
}

impl<D: Disk> DurableSnapshot<D> {
    /// What it stands for.
    pub fn snapshot(&self) -> &Snapshot {
        unimplemented!()
    }

    /// Reads it from the beginning.
    pub fn read(&self) -> Result<SnapshotReader<D>, SnapshotError> {
        unimplemented!()
    }
}

/// Reads a snapshot, piece by piece; what is damaged is named and never returned.
pub struct SnapshotReader<D: Disk> {
    disk: PhantomData<D>,
}

impl<D: Disk> SnapshotReader<D> {
    /// What it stands for.
    pub fn snapshot(&self) -> &Snapshot {
        unimplemented!()
    }

    /// The bytes of all pieces together.
    pub fn content_bytes(&self) -> u64 {
        unimplemented!()
    }

    /// The next piece; `None` after the last, once the checksum of the whole has been compared.
    pub fn next_chunk(&mut self) -> Result<Option<Bytes>, SnapshotError> {
        unimplemented!()
    }
}

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
        /// Where the damage begins.
        offset: u64,
    },
}
