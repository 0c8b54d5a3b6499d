//! The transaction log: files of Java's format, and the epochs that go with them.
//!
//! ```text
//!   log.100000001                            log.100000f43
//!   ┌──────┬────────┬────────┬───┬───────┐   ┌──────┬────────┬────────┬───────┬──────┬─────────┐
//!   │ head │ record │ record │ … │ zeros │   │ head │ record │ record │ zeros │ mark │ zeros … │
//!   └──────┴────────┴────────┴───┴───────┘   └──────┴────────┴────────┴───────┴──────┴─────────┘
//! ```
//!
//! A file ([`record`]) is named after its first transaction. A new one begins with the first append of each process and with the first
//! after a snapshot, as with Java; a file that was found is never appended to. What is in memory: which files there are, and a sparse
//! index of them ([`index`]).
//!
//! Several [`Persist`]s given to [`Log::write`] together become one write, and one [`Log::sync`] makes all that was written before it
//! durable: first the entries, then the epochs. An append after an earlier position cuts the log there first, durably ([`cut`]).

mod appender;
mod cut;
mod evidence;
mod index;
mod mark;
mod reader;
mod record;
mod recovery;

pub use reader::LogReader;
pub(super) use recovery::any;

use super::epochs::Epochs;
use super::folder::{self, FOLDER, log_path, sync_folder};
use super::snapshot::{DurableSnapshot, SealedSnapshot, Snapshots};
use super::store::{OpenError, Options};
use crate::disk::{Disk, fault};
use crate::fault::{Action, Fault};
use appender::Appender;
use consensus::{Append, Entry, Persist, Position, Promise};
use index::Index;
use recovery::{Recovery, numbers, recover};
use std::io;
use std::sync::{Arc, Mutex};

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
    /// Transactions are not there (any more), and no snapshot that can be read holds them. Nothing was changed.
    #[error("transactions are missing between {before} and {after}, which is in {file}; the log was left as it is")]
    Missing {
        /// The file.
        file: String,
        /// The last transaction before the gap, be it in the log or in the newest snapshot.
        before: Position,
        /// The first behind it.
        after: Position,
    },
    /// A file of a later ZooKeeper's, or of a later Quorate's. Nothing was changed.
    #[error("{file} is a log of version {version}, and this Quorate reads version 2; the log was left as it is")]
    Version {
        /// The file.
        file: String,
        /// What its head says.
        version: i32,
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

/// A file of the log.
struct LogFile<F> {
    /// The zxid in its name.
    number: u64,
    file: Arc<F>,
    first: Position,
    last: Position,
}

/// What the log was found to hold.
pub(super) struct Contents {
    pub(super) base: Position,
    pub(super) last: Position,
    pub(super) before: Position,
    pub(super) tail: Vec<Entry>,
}

/// The log of a server, and its epochs: made for one thread that writes and syncs, by turns.
///
/// After any failure, every later call fails: nobody knows what the disk holds then but a new start.
pub struct Log<D: Disk> {
    disk: D,
    options: Options,
    snapshots: Snapshots<D>,
    epochs: Epochs<D>,
    promise: Promise,
    files: Vec<LogFile<D::File>>,
    index: Arc<Mutex<Index<D::File>>>,
    base: Position,
    last: Position,
    current: Option<Appender<D>>,
    failed: bool,
}

impl<D: Disk> Log<D> {
    /// Reads the log that goes with the snapshot of `snapshot`, and the epochs, which are kept beside the snapshots.
    pub(super) fn open(
        data: &D,
        disk: &D,
        options: Options,
        snapshots: Snapshots<D>,
        snapshot: Position,
    ) -> Result<(Log<D>, Contents), OpenError> {
        let recovery = recover(disk, &snapshots.positions()?, snapshot, options.batch_bytes as u64, options.tail_bytes)?;
        let Recovery { files, index, base, last, before, tail } = recovery;
        let epochs = Epochs::open(data, last.epoch)?;
        let log = Log {
            disk: disk.clone(),
            options,
            snapshots,
            promise: epochs.promise(),
            epochs,
            files,
            index,
            base,
            last,
            current: None,
            failed: false,
        };
        Ok((log, Contents { base, last, before, tail }))
    }

    /// Writes these, in order. They are durable when the next [`Log::sync`] returns. An append after an earlier position cuts the
    /// log there first, durably.
    pub fn write(&mut self, batch: &[Persist]) -> Result<(), Fault> {
        self.unless_failed(|log| {
            for Persist { promise, append, .. } in batch {
                if let Some(append) = append {
                    log.append(append)?;
                }
                if let Some(promise) = promise {
                    log.promise = *promise;
                }
            }
            log.flush()
        })
    }

    /// Makes everything written so far durable: first the entries, then the epochs.
    pub fn sync(&mut self) -> Result<(), Fault> {
        self.unless_failed(|log| {
            log.sync_entries()?;
            log.epochs.keep(&log.promise, log.last.epoch)
        })
    }

    /// A snapshot of this server's own is durable: the next entry begins a new file, as with Java; and snapshots and log files that
    /// nobody needs any more go, unless all are to be kept.
    pub fn cut(&mut self, covered: &DurableSnapshot<D>) -> Result<(), Fault> {
        self.unless_failed(|log| {
            log.end_file()?;
            let Some(keep) = log.options.snapshots_kept else { return Ok(()) };
            let oldest = log.snapshots.remove_older(keep)?;
            match oldest {
                Some(oldest) => log.remove_before(oldest.min(covered.position())),
                None => Ok(()),
            }
        })
    }

    /// Puts what [`super::merge`] made of a peer's snapshot into force: cuts the log after it, publishes the file, then removes the
    /// old log files. Durable when it returns; a crash on the way leaves the old state or the new one.
    pub fn install(&mut self, sealed: SealedSnapshot<D>) -> Result<DurableSnapshot<D>, Fault> {
        // What was promised comes first: a start that finds the new state must not find an older promise.
        self.sync()?;
        self.unless_failed(|log| {
            let position = sealed.position();
            log.announce(position.epoch)?;
            // What the leader does not have: never acknowledged by a quorum, and not to be applied on top of its snapshot.
            log.truncate(position)?;
            let durable = sealed.publish()?;
            // Of a Java server's, which may hold what was never committed: the next start would take the newest.
            log.snapshots.remove_newer(position)?;
            log.end_file()?;
            // From the last to the first: what a crash leaves ends before the snapshot, and has no gap of which nothing tells.
            for name in numbers(&log.disk)?.into_iter().rev() {
                folder::remove(&log.disk, &log_path(name))?;
                sync_folder(&log.disk)?;
            }
            log.files.clear();
            *log.index.lock().expect("the index is sound") = Index::new(position);
            (log.base, log.last) = (position, position);
            Ok(durable)
        })
    }

    /// Syncs, for an orderly end.
    pub fn close(mut self) -> Result<(), Fault> {
        self.sync()?;
        self.unless_failed(Log::end_file)
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
        LogReader::new(self.disk.clone(), Arc::clone(&self.index))
    }

    fn unless_failed<T>(&mut self, work: impl FnOnce(&mut Log<D>) -> Result<T, Fault>) -> Result<T, Fault> {
        if self.failed {
            let source = io::Error::other("an earlier write or sync of it failed");
            return Err(fault(&self.disk, Action::Continue, FOLDER)(source));
        }
        let result = work(self);
        self.failed = result.is_err();
        result
    }

    fn append(&mut self, append: &Append) -> Result<(), Fault> {
        let Append { after, entries } = append;
        assert!(self.base <= *after, "the log begins after {} and cannot be cut after {after}", self.base);
        self.truncate(*after)?;
        for entry in entries {
            let position = entry.position;
            assert!(self.last < position, "{position} does not follow {}", self.last);
            assert_eq!(record::position(&entry.data), Some(position), "a transaction that stands elsewhere says so");
            self.announce(position.epoch)?;
            self.add(entry)?;
        }
        Ok(())
    }

    /// Transactions of this epoch are about to become durable, perhaps before currentEpoch says what it is to say.
    fn announce(&mut self, epoch: u64) -> Result<(), Fault> {
        let last = self.last.epoch;
        if last > self.epochs.current() && epoch > last {
            // Two epochs that were not completed: only one can be announced.
            self.sync_entries()?;
            self.epochs.complete(last)?;
        }
        self.epochs.announce(epoch)
    }

    fn add(&mut self, entry: &Entry) -> Result<(), Fault> {
        if self.current.as_ref().is_some_and(|current| current.is_full_for(entry)) {
            self.sync_entries()?;
        }
        if self.current.is_none() {
            let current = Appender::begin(&self.disk, self.options, entry.position)?;
            self.index.lock().expect("the index is sound").add_file(current.number(), current.file());
            let (number, file, position) = (current.number(), current.file(), entry.position);
            self.files.push(LogFile { number, file, first: position, last: position });
            self.current = Some(current);
        }
        let current = self.current.as_mut().expect("it was begun");
        current.add(entry);
        self.files.last_mut().expect("a file was begun").last = entry.position;
        self.last = entry.position;
        Ok(())
    }

    /// Writes what waits, and lets readers see it.
    fn flush(&mut self) -> Result<(), Fault> {
        let Some(current) = &mut self.current else { return Ok(()) };
        let written = current.flush()?;
        let mut index = self.index.lock().expect("the index is sound");
        for record in written {
            index.append(record.position, current.number(), record.offset, record.end);
        }
        Ok(())
    }

    fn sync_entries(&mut self) -> Result<(), Fault> {
        self.flush()?;
        self.current.as_mut().map_or(Ok(()), Appender::sync)
    }

    /// The next entry begins a new file. What is in this one is durable first: a file behind another says that that one was.
    fn end_file(&mut self) -> Result<(), Fault> {
        self.sync_entries()?;
        self.current.take().map_or(Ok(()), Appender::end_file)
    }

    /// Cuts off what is after `after`, durably.
    fn truncate(&mut self, after: Position) -> Result<(), Fault> {
        if self.last <= after {
            return Ok(());
        }
        self.end_file()?;
        while let Some(LogFile { number, .. }) = self.files.pop_if(|file| file.first > after) {
            folder::remove(&self.disk, &log_path(number))?;
            // One by one: a crash must not leave a later file where an earlier one is gone.
            sync_folder(&self.disk)?;
            self.index.lock().expect("the index is sound").truncate(number);
        }
        self.last = self.base;
        let Some(file) = self.files.last_mut() else { return Ok(()) };
        if file.last > after {
            let cut::Cut { end, last } = cut::place(&self.disk, file, after)?;
            file.file = cut::rewrite(&self.disk, file, end)?;
            file.last = last;
            self.index.lock().expect("the index is sound").replace(file.number, Arc::clone(&file.file), end, last);
        }
        self.last = file.last;
        Ok(())
    }

    /// Removes files that hold nothing after `position`: those before the last one that begins at or before it (PurgeTxnLog).
    fn remove_before(&mut self, position: Position) -> Result<(), Fault> {
        let names = numbers(&self.disk)?;
        let keep = names.iter().rposition(|&number| Position::from_zxid(number) <= position).unwrap_or(0);
        if keep == 0 {
            return Ok(());
        }
        let files = self.files.len();
        self.files.retain(|file| file.number >= names[keep]);
        if let Some(LogFile { first, .. }) = self.files.first().filter(|_| self.files.len() < files) {
            self.base = Position::new(first.epoch, first.index - 1);
        }
        self.index.lock().expect("the index is sound").cut(names[keep], self.base);
        for &number in &names[..keep] {
            folder::remove(&self.disk, &log_path(number))?;
        }
        sync_folder(&self.disk)
    }
}
