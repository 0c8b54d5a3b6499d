//! The folder of snapshots, and what becomes of a snapshot in it.
//!
//! ```text
//!   take     ─▶ SnapshotWriter ┐ finish                     publish
//!   receive  ─▶ Receiving      ┴────────▶ SealedSnapshot ──────────────▶ DurableSnapshot
//!               quorate-….tmp             quorate-….tmp, synced          snapshot.<zxid>, found by a start
//! ```

use super::reader::For;
use super::seal::SEAL_END;
use super::{Receiving, SnapshotError, SnapshotReader, SnapshotWriter};
use crate::disk::{Disk, DiskFile, fault};
use crate::fault::{Action, Fault};
use crate::zookeeper::folder::{self, FOLDER, Packing};
use consensus::{NodeId, Position};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many snapshots a start tries (FileSnap.deserialize).
const CANDIDATES: usize = 100;

/// The snapshots of a server. Clones are the same folder.
#[derive(Clone)]
pub struct Snapshots<D: Disk> {
    disk: D,
    /// How many snapshots were begun: gives each unfinished one a name of its own.
    begun: Arc<AtomicU64>,
}

/// What a search for the newest whole snapshot has found.
pub(in crate::zookeeper) struct Found<D: Disk> {
    pub(in crate::zookeeper) newest: Option<DurableSnapshot<D>>,
    /// What is wrong with those that are newer, newest first.
    pub(in crate::zookeeper) wrong: Vec<(Position, SnapshotError)>,
}

impl<D: Disk> Snapshots<D> {
    /// The snapshots in a folder that is there, of which unfinished ones were removed.
    pub(in crate::zookeeper) fn new(disk: &D) -> Snapshots<D> {
        Snapshots { disk: disk.clone(), begun: Arc::default() }
    }

    /// Begins a snapshot of this server's own tree.
    pub fn take(&self, position: Position) -> Result<SnapshotWriter<D>, Fault> {
        SnapshotWriter::create(self.begin("taken", position))
    }

    /// Begins to receive the snapshot that a leader sends after SNAP, whose zxid is `position`.
    pub fn receive(&self, from: NodeId, position: Position) -> Result<Receiving<D>, Fault> {
        Receiving::create(self.begin(&format!("from-{from}"), position))
    }

    /// The newest snapshot that is whole. Reads all of it.
    ///
    /// # Errors
    ///
    /// If there are snapshots but none is whole: what is wrong with the newest.
    pub fn newest(&self) -> Result<Option<DurableSnapshot<D>>, SnapshotError> {
        let Found { newest, mut wrong } = self.search()?;
        if newest.is_none() && !wrong.is_empty() {
            return Err(wrong.swap_remove(0).1);
        }
        Ok(newest)
    }

    /// What a leader sends after SNAP: the body of the snapshot of `position`. The caller adds what ends the transfer
    /// ("BenWasHere"), but only once `None` was read: only then is known that all of it was right.
    pub fn open_for_sending(&self, position: Position) -> Result<SnapshotReader<D>, SnapshotError> {
        let named = self.list()?.into_iter().find(|named| named.position == position);
        SnapshotReader::open(named.ok_or(SnapshotError::NoSuch { position })?, For::Learner)
    }

    /// Reads snapshots, newest first, until one is whole. Java gives up after a hundred, and so does this.
    pub(in crate::zookeeper) fn search(&self) -> Result<Found<D>, Fault> {
        let mut found = Found { newest: None, wrong: Vec::new() };
        for named in self.list()?.into_iter().take(CANDIDATES) {
            let position = named.position;
            match check(named.clone()) {
                Ok(()) => {
                    found.newest = Some(DurableSnapshot { named });
                    break;
                }
                Err(SnapshotError::Fault(fault)) => return Err(fault),
                Err(error) => found.wrong.push((position, error)),
            }
        }
        Ok(found)
    }

    /// Removes what is older than the `keep` newest that look whole, and returns the oldest that stays. Who reads one may go on.
    pub(in crate::zookeeper) fn remove_older(&self, keep: usize) -> Result<Option<Position>, Fault> {
        let all = self.list()?;
        let mut whole = Vec::new();
        for named in &all {
            if whole.len() < keep.max(1) && looks_whole(named)? {
                whole.push(named.position);
            }
        }
        if whole.len() < keep {
            return Ok(None);
        }
        let oldest = whole.last().copied();
        let gone: Vec<&Named<D>> = all.iter().filter(|named| oldest.is_some_and(|oldest| named.position < oldest)).collect();
        for named in &gone {
            named.remove()?;
        }
        if !gone.is_empty() {
            folder::sync_folder(&self.disk)?;
        }
        Ok(oldest)
    }

    /// Removes what is newer than a durable snapshot of `position`, which takes its place.
    pub(in crate::zookeeper) fn remove_newer(&self, position: Position) -> Result<(), Fault> {
        for named in self.list()?.iter().filter(|named| named.position > position) {
            named.remove()?;
            // One by one, from the newest: a start in between finds the next one.
            folder::sync_folder(&self.disk)?;
        }
        Ok(())
    }

    fn begin(&self, name: &str, position: Position) -> Named<D> {
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        let path = folder::unfinished(&format!("{name}-{number}"));
        Named { disk: self.disk.clone(), path, packing: Packing::Plain, position }
    }

    /// What snapshots there are, whole or not, oldest first.
    pub(in crate::zookeeper) fn positions(&self) -> Result<Vec<Position>, Fault> {
        Ok(self.list()?.iter().rev().map(|named| named.position).collect())
    }

    /// All snapshots, newest first.
    fn list(&self) -> Result<Vec<Named<D>>, Fault> {
        let names = self.disk.list(FOLDER).map_err(fault(&self.disk, Action::List, FOLDER))?;
        let named = |name: &String| {
            let (zxid, packing) = folder::snapshot_zxid(name)?;
            Some(Named { disk: self.disk.clone(), path: folder::path(name), packing, position: Position::from_zxid(zxid) })
        };
        let mut all: Vec<Named<D>> = names.iter().filter_map(named).collect();
        all.sort_by_key(|named| (std::cmp::Reverse(named.position), named.packing));
        Ok(all)
    }
}

/// Reads all of a snapshot.
fn check<D: Disk>(named: Named<D>) -> Result<(), SnapshotError> {
    let mut reader = SnapshotReader::open(named, For::Learner)?;
    while reader.next_chunk()?.is_some() {}
    Ok(())
}

/// Whether a snapshot ends as one should (FileSnap.findNValidSnapshots). Of packed ones nothing is looked at.
fn looks_whole<D: Disk>(named: &Named<D>) -> Result<bool, Fault> {
    if named.packing != Packing::Plain {
        return Ok(true);
    }
    let Named { disk, path, .. } = named;
    let mut end = [0; SEAL_END.len()];
    let read = disk.open(path).and_then(|file| {
        let length = file.len()?;
        file.read_at(length.saturating_sub(end.len() as u64), &mut end)
    });
    match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        read => Ok(read.map_err(fault(disk, Action::Read, path))? == end.len() && end == SEAL_END),
    }
}

/// A snapshot's file.
#[derive(Clone)]
pub(super) struct Named<D: Disk> {
    pub(super) disk: D,
    pub(super) path: String,
    pub(super) packing: Packing,
    pub(super) position: Position,
}

impl<D: Disk> Named<D> {
    pub(super) fn remove(&self) -> Result<(), Fault> {
        folder::remove(&self.disk, &self.path)
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

    /// The last transaction whose effect it surely holds.
    pub fn position(&self) -> Position {
        self.named.position
    }

    /// Reads it before it is in force, as the state machine restores it.
    pub fn read(&self) -> Result<SnapshotReader<D>, SnapshotError> {
        SnapshotReader::open(self.named.clone(), For::Machine)
    }

    /// Gives it its name, durably. For a snapshot of this server's own; a peer's goes through
    /// [`Log::install`](crate::zookeeper::Log::install).
    pub fn publish(self) -> Result<DurableSnapshot<D>, Fault> {
        let Named { disk, path, position, .. } = &self.named;
        let name = folder::snapshot_path(position.zxid());
        disk.rename(path, &name).map_err(fault(disk, Action::Rename, path))?;
        folder::sync_folder(disk)?;
        Ok(DurableSnapshot { named: Named { path: name, ..self.named } })
    }

    /// Removes it.
    pub fn discard(self) -> Result<(), Fault> {
        self.named.remove()
    }
}

/// A snapshot that a start finds.
#[derive(Clone)]
pub struct DurableSnapshot<D: Disk> {
    named: Named<D>,
}

impl<D: Disk> DurableSnapshot<D> {
    /// The last transaction whose effect it surely holds.
    pub fn position(&self) -> Position {
        self.named.position
    }

    /// Reads it from the beginning, as the state machine restores it.
    pub fn read(&self) -> Result<SnapshotReader<D>, SnapshotError> {
        SnapshotReader::open(self.named.clone(), For::Machine)
    }
}
