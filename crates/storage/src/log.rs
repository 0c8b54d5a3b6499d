//! The log: promises and entries, in the order in which they were made.

use crate::disk::Disk;
use crate::fault::Fault;
use crate::identity::Identity;
use crate::snapshot::{DurableSnapshot, SealedSnapshot};
use consensus::{Entry, Persist, Position, Promise};
use std::marker::PhantomData;

/// How the log is laid out. Each start may choose anew.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogOptions {
    /// A segment that has grown to this many bytes is followed by the next. 64 MiB.
    pub segment_bytes: u64,
    /// A segment grows by this many bytes of zeros at a time, so that most syncs have no metadata to write. 512 KiB.
    pub step_bytes: u64,
    /// An append of more bytes than this is split into several records. 256 KiB.
    pub record_bytes: usize,
}

impl Default for LogOptions {
    fn default() -> LogOptions {
        LogOptions { segment_bytes: 64 << 20, step_bytes: 512 << 10, record_bytes: 256 << 10 }
    }
}

/// What was found in the log: everything in it is synced.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recovered {
    /// Whose log it is.
    pub identity: Identity,
    /// The last promise.
    pub promise: Promise,
    /// What the log begins after.
    pub base: Position,
    /// The terms of the entries after `base`: (first index of the run, its term), ascending.
    pub terms: Vec<(u64, u64)>,
    /// Index of the last entry; `base.index` if there is none.
    pub last: u64,
}

/// Why a log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// The disk failed.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// Something that had been synced is not there any more, and more was written after it. Nothing was changed.
    #[error("{segment} is damaged at byte {offset}: what had been synced there cannot be read any more; the log was left as it is")]
    Damaged {
        /// The file.
        segment: String,
        /// Where the damage begins.
        offset: u64,
    },
    /// A segment in the middle is not there any more.
    #[error("{segment} is missing, though a later segment exists")]
    Missing {
        /// The file.
        segment: String,
    },
    /// The log of somebody else.
    #[error("{segment} belongs to {found}, not to {wanted}")]
    Stranger {
        /// The file.
        segment: String,
        /// Whose log it is.
        found: Identity,
        /// Whose log it was thought to be.
        wanted: Identity,
    },
    /// Written by a later version.
    #[error("{segment} has format {found}; this version reads up to {known}")]
    Version {
        /// The file.
        segment: String,
        /// Its format.
        found: u32,
        /// The latest that is understood.
        known: u32,
    },
}

/// The log of a member: made for one thread that writes and syncs, and never both at once.
pub struct Log<D: Disk> {
    disk: PhantomData<D>,
}

impl<D: Disk> Log<D> {
    /// Opens the log in the folder `log`, and cuts off a torn tail.
    pub fn open(_disk: &D, _options: LogOptions, _identity: Identity) -> Result<(Log<D>, Recovered), RecoveryError> {
        unimplemented!()
    }

    /// Writes these, in order. They are durable when the next [`Log::sync`] returns.
    pub fn write(&mut self, _batch: &[Persist]) -> Result<(), Fault> {
        unimplemented!()
    }

    /// Makes everything written so far durable. After a failure, every later call fails.
    pub fn sync(&mut self) -> Result<(), Fault> {
        unimplemented!()
    }

    /// Removes whole segments whose entries all have an index of at most `upto`, which may not be above what the snapshot covers.
    pub fn cut(&mut self, _upto: u64, _covered: &DurableSnapshot<D>) -> Result<(), Fault> {
        unimplemented!()
    }

    /// Puts a peer's snapshot into force: publishes the file, then begins the log anew after it. The promise stays.
    pub fn install(&mut self, _sealed: SealedSnapshot<D>) -> Result<DurableSnapshot<D>, Fault> {
        unimplemented!()
    }

    /// What was last promised, synced or not.
    pub fn promise(&self) -> Promise {
        unimplemented!()
    }

    /// What the log begins after.
    pub fn base(&self) -> Position {
        unimplemented!()
    }

    /// The last entry written, synced or not; the base if there is none.
    pub fn last(&self) -> Position {
        unimplemented!()
    }

    /// A reader of entries, for any thread.
    pub fn reader(&self) -> LogReader<D> {
        unimplemented!()
    }
}

/// Reads entries from the log, also while it is being written.
pub struct LogReader<D: Disk> {
    disk: PhantomData<D>,
}

impl<D: Disk> Clone for LogReader<D> {
    fn clone(&self) -> Self {
        LogReader { disk: PhantomData }
    }
}

impl<D: Disk> LogReader<D> {
    /// The entries from index `first` to index `last`, a run without gaps from `first` on, cut short before `budget` bytes of data
    /// are exceeded but not before the first entry. Empty if the log does not hold `first`.
    pub fn read(&self, _first: u64, _last: u64, _budget: usize) -> Result<Vec<Entry>, Fault> {
        unimplemented!()
    }
}
