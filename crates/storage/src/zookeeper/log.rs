//! The transaction log.

use super::snapshot::{DurableSnapshot, SealedSnapshot};
use crate::disk::Disk;
use crate::fault::{Action, Fault};
use consensus::{Entry, Persist, Position, Promise};
use std::io;
use std::marker::PhantomData;

/// Why a log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The disk failed.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// Something that had been synced, or may have been, is not there any more. Nothing was changed.
    #[error("{file} is damaged at byte {offset}: what was durable there cannot be read any more; the log was left as it is")]
    Damaged {
        /// The file.
        file: String,
        /// Where the damage begins.
        offset: u64,
    },
    /// Transactions between two files are not there any more. Nothing was changed.
    #[error("transactions are missing between {before} and {after}, with which {file} begins; the log was left as it is")]
    Missing {
        /// The later file.
        file: String,
        /// The last transaction of those before it.
        before: Position,
        /// Its first.
        after: Position,
    },
    /// A transaction is whole, but does not follow from those before it. Nothing was changed.
    #[error("{file}: the transaction at byte {offset} does not follow from those before it; the log was left as it is")]
    Inconsistent {
        /// The file.
        file: String,
        /// Where it is.
        offset: u64,
    },
}

/// The log of a server, and its epochs: made for one thread that writes and syncs, by turns.
///
/// After any failure, every later call fails: nobody knows what the disk holds then but a new start.
pub struct Log<D: Disk> {
    reader: LogReader<D>,
    promise: Promise,
    base: Position,
    last: Position,
}

impl<D: Disk> Log<D> {
    /// Writes these, in order. They are durable when the next [`Log::sync`] returns. An append after an earlier position cuts the
    /// log there first, durably.
    pub fn write(&mut self, batch: &[Persist]) -> Result<(), Fault> {
        let _ = batch;
        todo_later()
    }

    /// Makes everything written so far durable: first the entries, then the epochs.
    pub fn sync(&mut self) -> Result<(), Fault> {
        todo_later()
    }

    /// A snapshot of this server's own is durable: the next entry begins a new file, as with Java; and snapshots and log files that
    /// nobody needs any more go, unless all are to be kept.
    pub fn cut(&mut self, covered: &DurableSnapshot<D>) -> Result<(), Fault> {
        let _ = covered;
        todo_later()
    }

    /// Puts what [`super::merge`] made of a peer's snapshot into force: cuts the log after it, publishes the file, then removes the
    /// old log files. Durable when it returns; a crash on the way leaves the old state or the new one.
    pub fn install(&mut self, sealed: SealedSnapshot<D>) -> Result<DurableSnapshot<D>, Fault> {
        let _ = sealed;
        todo_later()
    }

    /// Syncs, for an orderly end.
    pub fn close(mut self) -> Result<(), Fault> {
        self.sync()
    }

    /// What was last promised, synced or not.
    pub fn promise(&self) -> Promise {
        self.promise
    }

    /// What the log begins after.
    pub fn base(&self) -> Position {
        self.base
    }

    /// The last entry written, synced or not; the base if there is none.
    pub fn last(&self) -> Position {
        self.last
    }

    /// A reader of entries, for any thread.
    pub fn reader(&self) -> LogReader<D> {
        self.reader.clone()
    }
}

/// Reads entries from the log, also while it is being written. Clones read the same log.
///
/// What is read was written, synced or not, and its checksums are right. It is what the log said at one moment of the call: entries
/// that were cut off before the call are never returned.
pub struct LogReader<D: Disk> {
    disk: PhantomData<D>,
}

impl<D: Disk> Clone for LogReader<D> {
    fn clone(&self) -> Self {
        LogReader { disk: PhantomData }
    }
}

impl<D: Disk> LogReader<D> {
    /// The entries from zxid `first` to zxid `last` in order, beginning with the last one at or before `first`, or with the log's
    /// first if there is none; cut short before `budget` bytes of data are exceeded, but not before the first entry. Empty if the
    /// log holds nothing in that range. What [`consensus::Fetch`] asks for.
    ///
    /// # Errors
    ///
    /// The disk failed, or gave back other bytes than were written ([`io::ErrorKind::InvalidData`]).
    pub fn read(&self, first: u64, last: u64, budget: usize) -> Result<Vec<Entry>, Fault> {
        let _ = (first, last, budget);
        todo_later()
    }
}

fn todo_later<T>() -> Result<T, Fault> {
    let source = io::Error::other("reading and writing of ZooKeeper's files is not built in yet");
    Err(Fault { action: Action::Continue, path: String::new(), source })
}
