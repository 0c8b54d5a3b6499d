//! The folder of a member that keeps its keyspace in a data file.

use super::folder::DataFolder;
use super::{DataError, DataOptions, Machine, ReceiveError};
use crate::disk::Disk;
use crate::identity::Identity;
use crate::journal::Journal;
use crate::log::{Log, LogOptions, Recovered};
use crate::snapshot::{DurableSnapshot, SnapshotError, Snapshots};
use crate::store::{Blank, Claimed, OpenError, claim};
use consensus::{Entry, Position, Promise, StateMachine};

/// What a folder was found to hold.
pub enum OpenedKeyspace<D: Disk> {
    /// No member yet.
    Blank(Blank<D>),
    /// A member.
    Member(Box<KeyspaceStore<D>>),
}

/// The parts of a member's folder, to be taken apart.
pub struct KeyspaceStore<D: Disk> {
    /// Whose data it is.
    pub identity: Identity,
    /// What was found in the log.
    pub recovered: Recovered,
    /// The log itself, for the thread that writes.
    pub log: Log<D>,
    /// The machine that the data file holds; entries after it are in the log.
    pub machine: Machine<D>,
    /// Where peers' snapshots become data files.
    pub folder: DataFolder<D>,
    /// Where decisions are noted.
    pub journal: Journal<D>,
    /// Keeps other processes out until it is dropped.
    pub lock: D::File,
}

/// Locks a member's folder (which need not exist yet) and reads what it holds; completes what a crash interrupted. What an earlier
/// version kept as snapshots becomes a data file.
///
/// # Errors
///
/// Nothing was changed in a folder that is refused, except that a torn tail of the log may have been cut.
pub fn open_keyspace<D: Disk>(disk: D, options: LogOptions, data_options: DataOptions) -> Result<OpenedKeyspace<D>, OpenError> {
    match claim(disk, options)? {
        Claimed::Blank(blank) => Ok(OpenedKeyspace::Blank(blank)),
        Claimed::Member { disk, lock, identity } => {
            let store = reopen(disk, lock, options, data_options, identity)?;
            Ok(OpenedKeyspace::Member(Box::new(store)))
        }
    }
}

fn reopen<D: Disk>(
    disk: D,
    lock: D::File,
    options: LogOptions,
    data_options: DataOptions,
    identity: Identity,
) -> Result<KeyspaceStore<D>, OpenError> {
    let mut log = Log::open(&disk, options, identity)?;
    let folder = DataFolder::open(&disk, identity, data_options)?;
    let loaded = folder.load()?;
    let applied = loaded.as_ref().map_or(Position::ZERO, StateMachine::applied);
    let former = Former::find(&disk, identity, applied)?;
    let position = former.newest.as_ref().map_or(applied, |newest| newest.snapshot().position);
    // A crash may have come between publishing a peer's snapshot and beginning the log anew.
    let ahead = position.index > log.base().index;
    if !log.holds(position) && !ahead {
        let gap = OpenError::Gap { base: log.base().index, snapshot: position.index };
        return Err(former.wrong.map_or(gap, OpenError::Snapshot));
    }
    if !log.holds(position) && former.newest.is_none() && !came_from_elsewhere(loaded.as_ref())? {
        return Err(OpenError::Lost { last: log.last().index, data: position.index });
    }
    let machine = match (&former.newest, loaded) {
        (Some(newest), _) => convert(newest, &folder)?,
        (None, Some(machine)) => machine,
        (None, None) => folder.found()?.publish()?,
    };
    if let Some(snapshots) = former.snapshots {
        // What they hold is in the data file by now.
        snapshots.remove_older(0)?;
    }
    if !log.holds(position) {
        log.reset_to(position)?;
    }
    let journal = Journal::open(&disk)?;
    Ok(KeyspaceStore { identity, recovered: log.contents(), log, machine, folder, journal, lock })
}

/// Whether a machine holds what its log need not know of: a peer's snapshot, and nothing after it. What a flush wrote was synced in
/// the log before.
fn came_from_elsewhere<D: Disk>(machine: Option<&Machine<D>>) -> Result<bool, DataError> {
    machine.map_or(Ok(false), |machine| machine.values().file().is_received())
}

/// What an earlier version kept.
struct Former<D: Disk> {
    /// `None` if it kept nothing.
    snapshots: Option<Snapshots<D>>,
    /// The newest snapshot that is whole, if it holds more than the data file.
    newest: Option<DurableSnapshot<D>>,
    /// What is wrong with the newest of all, if that is another.
    wrong: Option<SnapshotError>,
}

impl<D: Disk> Former<D> {
    fn find(disk: &D, identity: Identity, applied: Position) -> Result<Former<D>, OpenError> {
        if !Snapshots::exist(disk)? {
            return Ok(Former { snapshots: None, newest: None, wrong: None });
        }
        let snapshots = Snapshots::open(disk, identity)?;
        let (newest, wrong) = snapshots.search()?;
        let newest = newest.filter(|newest| newest.snapshot().position.index > applied.index);
        Ok(Former { snapshots: Some(snapshots), newest, wrong })
    }
}

/// Makes a data file of a snapshot.
fn convert<D: Disk>(newest: &DurableSnapshot<D>, folder: &DataFolder<D>) -> Result<Machine<D>, OpenError> {
    let mut reader = newest.read()?;
    let mut failed = None;
    let mut chunks = std::iter::from_fn(|| {
        reader.next_chunk().unwrap_or_else(|error| {
            failed = Some(error);
            None
        })
    });
    let received = folder.receive("converted", &mut chunks);
    if let Some(error) = failed {
        return Err(error.into());
    }
    let sealed = received.map_err(|error| match error {
        ReceiveError::Data(error) => OpenError::Data(error),
        ReceiveError::Restore(error) => OpenError::Restore(error),
    })?;
    Ok(sealed.publish()?)
}

impl<D: Disk> Blank<D> {
    /// Makes a member here that keeps its keyspace in a data file: see [`Blank::create`].
    pub fn create_keyspace(
        self,
        identity: Identity,
        promise: Promise,
        entries: Vec<Entry>,
        options: DataOptions,
    ) -> Result<KeyspaceStore<D>, DataError> {
        let (mut folder, mut machine) = (None, None);
        let made = self.bear(identity, promise, entries, |disk| {
            let made = DataFolder::open(disk, identity, options)?;
            machine = Some(made.found()?.publish()?);
            folder = Some(made);
            Ok::<(), DataError>(())
        })?;
        let (disk, lock, log) = made;
        let journal = Journal::open(&disk)?;
        let machine = machine.expect("it was made before the log");
        let folder = folder.expect("it was made before the log");
        Ok(KeyspaceStore { identity, recovered: log.contents(), log, machine, folder, journal, lock })
    }
}
