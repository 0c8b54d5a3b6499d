//! A member's folder as a whole.

use crate::disk::Disk;
use crate::fault::Fault;
use crate::identity::Identity;
use crate::journal::Journal;
use crate::log::{Log, LogOptions, Recovered, RecoveryError};
use crate::snapshot::{DurableSnapshot, SnapshotError, Snapshots};
use consensus::{Entry, Promise};

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
pub fn open<D: Disk>(_disk: D, _options: LogOptions) -> Result<Opened<D>, OpenError> {
    unimplemented!()
}

impl<D: Disk> Blank<D> {
    /// Makes a member here, with what it must know from the first moment on. Durable when it returns.
    pub fn create(self, _identity: Identity, _promise: Promise, _entries: Vec<Entry>) -> Result<Store<D>, Fault> {
        let Blank { disk: _, lock: _, options: _ } = self;
        unimplemented!()
    }
}
