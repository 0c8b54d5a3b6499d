//! The folder of snapshots, and what becomes of a snapshot in it.
//!
//! ```text
//!   take    ┐                     finish                     publish
//!   receive ┴▶ SnapshotWriter ──────────▶ SealedSnapshot ──────────────▶ DurableSnapshot
//!              ….tmp                      ….tmp, synced                  <index>.snapshot, found by a start
//! ```

use super::{SnapshotError, SnapshotReader, SnapshotWriter};
use crate::disk::{Disk, fault};
use crate::fault::{Action, Fault};
use crate::identity::Identity;
use consensus::{NodeId, Snapshot};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const FOLDER: &str = "snapshot";
const SUFFIX: &str = ".snapshot";
const UNFINISHED: &str = ".tmp";

/// The folder of snapshots. Clones are the same folder.
#[derive(Clone)]
pub struct Snapshots<D: Disk> {
    disk: D,
    identity: Identity,
    /// How many snapshots were begun: gives each unfinished one a name of its own.
    begun: Arc<AtomicU64>,
}

impl<D: Disk> Snapshots<D> {
    /// Whether there is such a folder.
    pub(crate) fn exist(disk: &D) -> Result<bool, Fault> {
        match disk.list(FOLDER) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            listed => listed.map(|_| true).map_err(fault(disk, Action::List, FOLDER)),
        }
    }

    /// Opens the folder, creates it if it is not there, and removes what is left of unfinished snapshots.
    pub fn open(disk: &D, identity: Identity) -> Result<Snapshots<D>, Fault> {
        disk.create_dir(FOLDER).map_err(fault(disk, Action::Create, FOLDER))?;
        disk.sync_dir("").map_err(fault(disk, Action::Sync, ""))?;
        let snapshots = Snapshots { disk: disk.clone(), identity, begun: Arc::default() };
        for name in snapshots.names()?.iter().filter(|name| name.ends_with(UNFINISHED)) {
            let path = format!("{FOLDER}/{name}");
            disk.remove(&path).map_err(fault(disk, Action::Remove, &path))?;
        }
        // What an earlier process renamed may not be durable yet, though it can be seen.
        disk.sync_dir(FOLDER).map_err(fault(disk, Action::Sync, FOLDER))?;
        Ok(snapshots)
    }

    /// Begins a snapshot of this member's own state machine.
    pub fn take(&self, snapshot: Snapshot) -> Result<SnapshotWriter<D>, Fault> {
        self.begin("taken", snapshot)
    }

    /// Begins to receive a peer's snapshot.
    pub fn receive(&self, from: NodeId, snapshot: Snapshot) -> Result<SnapshotWriter<D>, Fault> {
        self.begin(&format!("from-{from}"), snapshot)
    }

    /// The newest snapshot whose ends are whole; its pieces are checked when they are read.
    ///
    /// # Errors
    ///
    /// If there are snapshots but none is whole: what is wrong with the newest.
    pub fn newest(&self) -> Result<Option<DurableSnapshot<D>>, SnapshotError> {
        match self.search()? {
            (None, Some(wrong)) => Err(wrong),
            (newest, _) => Ok(newest),
        }
    }

    /// The newest snapshot whose ends are whole, and what is wrong with the newest of all if that is another.
    pub(crate) fn search(&self) -> Result<(Option<DurableSnapshot<D>>, Option<SnapshotError>), SnapshotError> {
        let mut wrong = None;
        for path in self.paths()?.into_iter().rev() {
            match SnapshotReader::open(&self.disk, self.identity, &path) {
                Ok(reader) => {
                    let snapshot = reader.snapshot().clone();
                    let named = Named { disk: self.disk.clone(), identity: self.identity, path, snapshot };
                    return Ok((Some(DurableSnapshot { named }), wrong));
                }
                Err(error @ SnapshotError::Damaged { .. }) => wrong = wrong.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        Ok((None, wrong))
    }

    /// Removes all but the `keep` newest. Who reads one may go on.
    pub fn remove_older(&self, keep: usize) -> Result<(), Fault> {
        let paths = self.paths()?;
        let gone = &paths[..paths.len().saturating_sub(keep)];
        for path in gone {
            self.disk.remove(path).map_err(fault(&self.disk, Action::Remove, path))?;
        }
        if gone.is_empty() {
            return Ok(());
        }
        self.disk.sync_dir(FOLDER).map_err(fault(&self.disk, Action::Sync, FOLDER))
    }

    fn begin(&self, name: &str, snapshot: Snapshot) -> Result<SnapshotWriter<D>, Fault> {
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        let path = format!("{FOLDER}/{name}-{number}{UNFINISHED}");
        SnapshotWriter::create(Named { disk: self.disk.clone(), identity: self.identity, path, snapshot })
    }

    /// The paths of published snapshots, oldest first: their names sort by index.
    fn paths(&self) -> Result<Vec<String>, Fault> {
        let names = self.names()?.into_iter().filter(|name| name.ends_with(SUFFIX));
        Ok(names.map(|name| format!("{FOLDER}/{name}")).collect())
    }

    fn names(&self) -> Result<Vec<String>, Fault> {
        self.disk.list(FOLDER).map_err(fault(&self.disk, Action::List, FOLDER))
    }
}

/// A snapshot's file.
#[derive(Clone)]
pub(super) struct Named<D: Disk> {
    pub(super) disk: D,
    pub(super) identity: Identity,
    pub(super) path: String,
    pub(super) snapshot: Snapshot,
}

impl<D: Disk> Named<D> {
    pub(super) fn remove(&self) -> Result<(), Fault> {
        self.disk.remove(&self.path).map_err(fault(&self.disk, Action::Remove, &self.path))
    }

    fn read(&self) -> Result<SnapshotReader<D>, SnapshotError> {
        SnapshotReader::open(&self.disk, self.identity, &self.path)
    }
}

/// A snapshot that is whole and synced, but not yet in force: after a crash it is gone.
pub struct SealedSnapshot<D: Disk> {
    named: Named<D>,
}

impl<D: Disk> SealedSnapshot<D> {
    pub(super) fn new(named: Named<D>) -> SealedSnapshot<D> {
        SealedSnapshot { named }
    }

    /// What it stands for.
    pub fn snapshot(&self) -> &Snapshot {
        &self.named.snapshot
    }

    /// Reads it before it is in force.
    pub fn read(&self) -> Result<SnapshotReader<D>, SnapshotError> {
        self.named.read()
    }

    /// Gives it its name, durably. For a snapshot of this member's own; a peer's goes through [`crate::Log::install`].
    pub fn publish(self) -> Result<DurableSnapshot<D>, Fault> {
        let Named { disk, path, .. } = &self.named;
        let name = format!("{FOLDER}/{:020}{SUFFIX}", self.named.snapshot.position.index);
        disk.rename(path, &name).map_err(fault(disk, Action::Rename, path))?;
        disk.sync_dir(FOLDER).map_err(fault(disk, Action::Sync, FOLDER))?;
        Ok(DurableSnapshot { named: Named { path: name, ..self.named } })
    }

    /// Removes it.
    pub fn discard(self) -> Result<(), Fault> {
        self.named.remove()
    }
}

/// A snapshot that a start finds: proof that the log up to its position may go.
#[derive(Clone)]
pub struct DurableSnapshot<D: Disk> {
    named: Named<D>,
}

impl<D: Disk> DurableSnapshot<D> {
    /// What it stands for.
    pub fn snapshot(&self) -> &Snapshot {
        &self.named.snapshot
    }

    /// Reads it from the beginning.
    pub fn read(&self) -> Result<SnapshotReader<D>, SnapshotError> {
        self.named.read()
    }
}
