//! The folder of the data file, and what becomes of a data file in it.
//!
//! ```text
//!                 pieces of a snapshot                publish
//!   receive ┐                          ┌▶ SealedData ─────────▶ the member's data file
//!   found   ┴──────────────────────────┘  ….tmp, synced         keyspace.data, found by a start
//! ```

use super::error::DataError;
use super::file::{DataFile, DurableData};
use super::values::DataValues;
use super::{DataOptions, Machine};
use crate::disk::{Disk, fault};
use crate::fault::{Action, Fault};
use crate::identity::Identity;
use bytes::Bytes;
use consensus::{Position, RestoreError, StateMachine};
use keyspace::{Builder, Flush, Keyspace, Revision};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) const FOLDER: &str = "data";
const FILE: &str = "data/keyspace.data";
const UNFINISHED: &str = ".tmp";

/// The folder of the data file. Clones are the same folder.
#[derive(Clone)]
pub struct DataFolder<D: Disk> {
    disk: D,
    identity: Identity,
    options: DataOptions,
    /// How many files were begun: gives each unfinished one a name of its own.
    begun: Arc<AtomicU64>,
}

/// Why a snapshot could not be made a data file.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// The file could not be written.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The snapshot cannot be understood.
    #[error(transparent)]
    Restore(#[from] RestoreError),
}

/// A data file that is whole and synced, but not yet in force: after a crash it is gone.
pub struct SealedData<D: Disk> {
    machine: Machine<D>,
}

impl<D: Disk> DataFolder<D> {
    /// Opens the folder, creates it if it is not there, and removes what is left of unfinished files.
    pub(super) fn open(disk: &D, identity: Identity, options: DataOptions) -> Result<DataFolder<D>, Fault> {
        disk.create_dir(FOLDER).map_err(fault(disk, Action::Create, FOLDER))?;
        disk.sync_dir("").map_err(fault(disk, Action::Sync, ""))?;
        for name in names(disk)?.iter().filter(|name| name.ends_with(UNFINISHED)) {
            let path = format!("{FOLDER}/{name}");
            disk.remove(&path).map_err(fault(disk, Action::Remove, &path))?;
        }
        // What an earlier process renamed may not be durable yet, though it can be seen.
        disk.sync_dir(FOLDER).map_err(fault(disk, Action::Sync, FOLDER))?;
        Ok(DataFolder { disk: disk.clone(), identity, options, begun: Arc::default() })
    }

    /// The machine that the data file holds, if there is one.
    pub(super) fn load(&self) -> Result<Option<Machine<D>>, DataError> {
        let here = names(&self.disk)?.iter().any(|name| FILE.ends_with(&format!("/{name}")));
        if !here {
            return Ok(None);
        }
        let file = DataFile::open(&self.disk, self.identity, FILE, self.options)?;
        load(&file, self.options).map(Some)
    }

    /// The machine of a member that has applied nothing, durably.
    pub(super) fn found(&self) -> Result<SealedData<D>, DataError> {
        let file = self.create("new")?;
        let mut machine = Keyspace::with(DataValues::over(&file, Revision::default(), self.options)?);
        settle(&mut machine, DataFile::write)?;
        Ok(SealedData { machine })
    }

    /// Makes a data file of a snapshot's pieces. Durable when it returns, but not in force. If it fails, what was written is removed.
    pub fn receive(&self, name: &str, chunks: &mut dyn Iterator<Item = Bytes>) -> Result<SealedData<D>, ReceiveError> {
        let file = self.create(name)?;
        let received = fill(&file, self.options, chunks);
        if received.is_err() {
            let _ = self.disk.remove(&file.path());
        }
        received
    }

    fn create(&self, name: &str) -> Result<DataFile<D>, DataError> {
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        let path = format!("{FOLDER}/{name}-{number}{UNFINISHED}");
        DataFile::create(&self.disk, self.identity, &path, self.options)
    }
}

/// The names in the folder; none if there is no folder.
pub(crate) fn names<D: Disk>(disk: &D) -> Result<Vec<String>, Fault> {
    match disk.list(FOLDER) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        listed => listed.map_err(fault(disk, Action::List, FOLDER)),
    }
}

fn load<D: Disk>(file: &DataFile<D>, options: DataOptions) -> Result<Machine<D>, DataError> {
    let view = file.view()?;
    let (bytes, _) = view.head()?;
    let senseless = |error| DataError::Senseless { file: file.describe(), error };
    let mut builder = Builder::new(&bytes).map_err(senseless)?;
    view.leases(|id, row| builder.lease(id, row))?;
    let mut newest = Revision::default();
    let count = view.marks(|at, row| {
        newest = at;
        builder.mark(at, row)
    })?;
    if count != view.sums()?.changes {
        return Err(file.senseless("a mark for each change"));
    }
    builder.finish(DataValues::over(file, newest, options)?).map_err(senseless)
}

fn fill<D: Disk>(
    file: &DataFile<D>,
    options: DataOptions,
    chunks: &mut dyn Iterator<Item = Bytes>,
) -> Result<SealedData<D>, ReceiveError> {
    let values = DataValues::filling(file, options)?;
    let mut machine = Keyspace::restore_into(values, chunks)?.map_values(DataValues::filled);
    if let Some(error) = machine.values_mut().take_fault() {
        return Err(error.into());
    }
    settle(&mut machine, DataFile::complete)?;
    Ok(SealedData { machine })
}

/// Writes what a machine has not handed over yet.
fn settle<D: Disk>(
    machine: &mut Machine<D>,
    write: impl FnOnce(&DataFile<D>, &Flush) -> Result<DurableData, DataError>,
) -> Result<DurableData, DataError> {
    let flush = machine.flush();
    let durable = write(machine.values().file(), &flush)?;
    machine.flushed();
    match machine.values_mut().take_fault() {
        Some(error) => Err(error),
        None => Ok(durable),
    }
}

impl<D: Disk> SealedData<D> {
    /// What it holds.
    pub fn machine(&self) -> &Machine<D> {
        &self.machine
    }

    /// The last entry whose effect it holds.
    pub fn position(&self) -> Position {
        self.machine.applied()
    }

    /// Gives it its name, durably, in place of the file that had it.
    pub(crate) fn publish(self) -> Result<Machine<D>, Fault> {
        let file = self.machine.values().file();
        let (disk, path) = (file.disk(), file.path());
        disk.rename(&path, FILE).map_err(fault(disk, Action::Rename, &path))?;
        disk.sync_dir(FOLDER).map_err(fault(disk, Action::Sync, FOLDER))?;
        file.set_path(FILE);
        Ok(self.machine)
    }

    /// Removes it.
    pub fn discard(self) -> Result<(), Fault> {
        let file = self.machine.values().file();
        let path = file.path();
        file.disk().remove(&path).map_err(fault(file.disk(), Action::Remove, &path))
    }
}
