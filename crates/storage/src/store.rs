//! A member's folder as a whole.

use crate::data::{self, DataError};
use crate::disk::{Disk, fault};
use crate::fault::{Action, Fault};
use crate::identity::Identity;
use crate::journal::Journal;
use crate::log::{Log, LogOptions, Recovered, RecoveryError};
use crate::marker::{self, Marker};
use crate::snapshot::{DurableSnapshot, SnapshotError, Snapshots};
use consensus::{Append, Entry, Persist, Position, Promise, RestoreError, Ticket};
use std::io;

const LOCK: &str = "lock";

/// What a folder was found to hold.
pub enum Opened<D: Disk> {
    /// No member yet.
    Blank(Blank<D>),
    /// A member.
    Member(Box<Store<D>>),
}

/// A folder that this process has locked and in which there is no member yet.
pub struct Blank<D: Disk> {
    disk: D,
    lock: D::File,
    options: LogOptions,
}

/// The parts of a member's folder, to be taken apart.
pub struct Store<D: Disk> {
    /// Whose data it is.
    pub identity: Identity,
    /// What was found in the log.
    pub recovered: Recovered,
    /// The log itself, for the thread that writes.
    pub log: Log<D>,
    /// The snapshot that the state machine is to be restored from; entries after it are in the log.
    pub newest: Option<DurableSnapshot<D>>,
    /// Where snapshots are kept.
    pub snapshots: Snapshots<D>,
    /// Where decisions are noted.
    pub journal: Journal<D>,
    /// Keeps other processes out until it is dropped.
    pub lock: D::File,
}

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The disk failed.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// Another process has it.
    #[error("{folder} is in use by another process")]
    InUse {
        /// The folder.
        folder: String,
    },
    /// Another system's data.
    #[error("{folder} holds the data of {owner}; Quorate cannot read it yet")]
    Foreign {
        /// The folder.
        folder: String,
        /// The other system.
        owner: &'static str,
    },
    /// Something that Quorate did not put there.
    #[error("{folder} is not empty and holds no member of Quorate: it holds `{name}`")]
    Unknown {
        /// The folder.
        folder: String,
        /// What is in it.
        name: String,
    },
    /// The file that says whose data it is cannot be understood.
    #[error("{file} is damaged")]
    BadMarker {
        /// The file.
        file: String,
    },
    /// Written by a later version.
    #[error("{file} has format {found}; this version reads up to {known}")]
    Version {
        /// The file.
        file: String,
        /// Its format.
        found: u32,
        /// The latest that is understood.
        known: u32,
    },
    /// The log cannot be used.
    #[error(transparent)]
    Log(#[from] RecoveryError),
    /// The newest snapshot cannot be used.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The data file cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// An earlier version's snapshot cannot be made a data file.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// The log ends, or goes on otherwise, before an entry that it held when the data file was written. Members and clients may have
    /// been told of more that is gone.
    #[error(
        "the data file holds what entry {data} of the log did, but the log does not hold that entry (its last is {last}): what was \
         synced there is lost"
    )]
    Lost {
        /// Index of the log's last entry.
        last: u64,
        /// Index of the last entry whose effect is in the data file.
        data: u64,
    },
    /// Entries are missing between the newest snapshot and the log's beginning.
    #[error("the log begins after entry {base}, but the newest snapshot ends at entry {snapshot}")]
    Gap {
        /// Index of the entry before the log's first.
        base: u64,
        /// The snapshot's index; 0 if there is none.
        snapshot: u64,
    },
}

/// Locks a member's folder (which need not exist yet) and reads what it holds; completes what a crash interrupted.
///
/// # Errors
///
/// Nothing was changed in a folder that is refused, except that a torn tail of the log may have been cut.
pub fn open<D: Disk>(disk: D, options: LogOptions) -> Result<Opened<D>, OpenError> {
    match claim(disk, options)? {
        Claimed::Blank(blank) => Ok(Opened::Blank(blank)),
        Claimed::Member { disk, lock, identity } => Ok(Opened::Member(Box::new(reopen(disk, lock, options, identity)?))),
    }
}

/// A folder that is locked, and known to be ours.
pub(crate) enum Claimed<D: Disk> {
    Blank(Blank<D>),
    Member { disk: D, lock: D::File, identity: Identity },
}

/// Locks a folder and sees whose it is.
pub(crate) fn claim<D: Disk>(disk: D, options: LogOptions) -> Result<Claimed<D>, OpenError> {
    // Before the first file is put there: the folder may not be ours.
    refuse_foreign(&disk)?;
    disk.create_dir("").map_err(fault(&disk, Action::Create, ""))?;
    let lock = match disk.lock(LOCK) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            return Err(OpenError::InUse { folder: disk.describe("") });
        }
        locked => locked.map_err(fault(&disk, Action::Open, LOCK))?,
    };
    match Marker::read(&disk)? {
        Some(Marker { identity, born: true }) => Ok(Claimed::Member { disk, lock, identity }),
        Some(Marker { born: false, .. }) => {
            // A crash interrupted the creation: nobody was told of this member yet.
            for folder in ["log", "snapshot", data::FOLDER] {
                remove_files(&disk, folder)?;
            }
            Ok(Claimed::Blank(Blank { disk, lock, options }))
        }
        None => Ok(Claimed::Blank(Blank { disk, lock, options })),
    }
}

/// Refuses a folder that holds something else than a member of Quorate, or nothing.
fn refuse_foreign<D: Disk>(disk: &D) -> Result<(), OpenError> {
    let folder = || disk.describe("");
    let Some(names) = list(disk, "")? else {
        return Ok(());
    };
    let holds = |name: &str| names.iter().any(|found| found == name);
    if holds("member") && (list(disk, "member/snap")?.is_some() || list(disk, "member/wal")?.is_some()) {
        return Err(OpenError::Foreign { folder: folder(), owner: "Go etcd" });
    }
    if holds("version-2") {
        return Err(OpenError::Foreign { folder: folder(), owner: "ZooKeeper" });
    }
    let harmless = [LOCK, marker::UNFINISHED, "lost+found"];
    match names.iter().find(|name| !harmless.contains(&name.as_str())) {
        Some(name) if !holds(marker::FILE) => Err(OpenError::Unknown { folder: folder(), name: name.clone() }),
        _ => Ok(()),
    }
}

/// What a folder holds; `None` if there is no such folder.
fn list<D: Disk>(disk: &D, folder: &str) -> Result<Option<Vec<String>>, Fault> {
    match disk.list(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        listed => listed.map(Some).map_err(fault(disk, Action::List, folder)),
    }
}

fn remove_files<D: Disk>(disk: &D, folder: &str) -> Result<(), Fault> {
    let Some(names) = list(disk, folder)? else {
        return Ok(());
    };
    for name in names {
        let path = format!("{folder}/{name}");
        disk.remove(&path).map_err(fault(disk, Action::Remove, &path))?;
    }
    disk.sync_dir(folder).map_err(fault(disk, Action::Sync, folder))
}

fn reopen<D: Disk>(disk: D, lock: D::File, options: LogOptions, identity: Identity) -> Result<Store<D>, OpenError> {
    let snapshots = Snapshots::open(&disk, identity)?;
    let (newest, wrong) = snapshots.search()?;
    let mut log = Log::open(&disk, options, identity)?;
    let position = newest.as_ref().map_or(Position::ZERO, |newest| newest.snapshot().position);
    if !log.holds(position) {
        match &newest {
            // A crash came between publishing the snapshot and beginning the log anew; or this member had applied, and kept in a
            // snapshot of its own, what others had made durable before its own log was.
            Some(newest) if position.index > log.base().index => log.reset_to(newest.snapshot().position)?,
            _ => {
                let gap = OpenError::Gap { base: log.base().index, snapshot: position.index };
                return Err(wrong.map_or(gap, OpenError::Snapshot));
            }
        }
    }
    let journal = Journal::open(&disk)?;
    Ok(Store { identity, recovered: log.contents(), log, newest, snapshots, journal, lock })
}

impl<D: Disk> Blank<D> {
    /// Makes a member here, with what it must know from its first moment on: a promise, and the entries that every member of a new
    /// cluster begins with. Durable when it returns; a crash on the way leaves a blank folder.
    pub fn create(self, identity: Identity, promise: Promise, entries: Vec<Entry>) -> Result<Store<D>, Fault> {
        let mut snapshots = None;
        let (disk, lock, log) = self.bear(identity, promise, entries, |disk| {
            snapshots = Some(Snapshots::open(disk, identity)?);
            Ok::<(), Fault>(())
        })?;
        let snapshots = snapshots.expect("made before the log");
        let journal = Journal::open(&disk)?;
        Ok(Store { identity, recovered: log.contents(), log, newest: None, snapshots, journal, lock })
    }

    /// Makes what `furnish` makes, and the log, between the two times that the marker is written.
    pub(crate) fn bear<E: From<Fault>>(
        self,
        identity: Identity,
        promise: Promise,
        entries: Vec<Entry>,
        furnish: impl FnOnce(&D) -> Result<(), E>,
    ) -> Result<(D, D::File, Log<D>), E> {
        let Blank { disk, lock, options } = self;
        Marker { identity, born: false }.write(&disk)?;
        furnish(&disk)?;
        let mut log = Log::create(&disk, options, identity, Position::ZERO, Promise::default())?;
        let append = Append { after: Position::ZERO, entries };
        log.write(&[Persist { ticket: Ticket(0), promise: Some(promise), append: Some(append) }])?;
        log.sync()?;
        Marker { identity, born: true }.write(&disk)?;
        Ok((disk, lock, log))
    }
}
