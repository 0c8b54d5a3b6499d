//! The log: promises and entries, in the order in which they were made.
//!
//! ```text
//!   log/0000000000000007.log         log/0000000000000008.log
//!   ┌────────┬────────┬────────┬──   ┌────────┬────────┬────────┬────────┬──────┬───────────┐
//!   │ header │ record │ record │ …   │ header │ record │ record │ zeros  │ mark │ zeros …   │
//!   └────────┴────────┴────────┴──   └────────┴────────┴────────┴────────┴──────┴───────────┘
//!   0        512                                                ▲        ▲
//!                                            the next record's place     the next sector
//! ```
//!
//! A segment ([`header`]) holds records ([`record`]) and grows by zeros written ahead, so that most syncs have no metadata to
//! write. Records only ever follow each other: a truncation is a record like any other, and what it cuts off stays where it is until
//! its segment goes. Nothing that was durable is written over.
//!
//! Each record says which records were durable when it was written. So a start can tell a tail that was torn, which it cuts, from
//! damage, which it refuses ([`recovery`], [`evidence`]). Several [`Persist`]s given to [`Log::write`] together become one write, and
//! one [`Log::sync`] makes all that was written before it durable.

mod evidence;
mod header;
mod history;
mod index;
mod reader;
mod record;
mod recovery;
mod segment;
pub(crate) mod window;

pub use reader::LogReader;
pub use recovery::RecoveryError;

use crate::data::{DurableData, Machine, SealedData};
use crate::disk::{Disk, DiskFile, fault};
use crate::fault::{Action, Fault};
use crate::identity::Identity;
use crate::snapshot::{DurableSnapshot, SealedSnapshot};
use consensus::{Append, Entry, Persist, Position, Promise};
use header::{HEADER, Header, SECTOR};
use history::History;
use index::Index;
use record::{Place, RECORD_HEADER, Seed, encode, encode_mark, entry_bytes};
use recovery::recover;
use segment::{FOLDER, Segment};
use std::io;
use std::sync::{Arc, Mutex};

/// Room kept behind the last record for a mark.
const MARK_ROOM: u64 = 2 * SECTOR as u64;

/// A buffer that grew above this for one batch is not kept.
const BUFFER_KEPT: usize = 4 << 20;

/// How the log is laid out. Each start may choose anew.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogOptions {
    /// A record that would make a segment larger than this goes into the next one. 64 MiB.
    pub segment_bytes: u64,
    /// A segment grows by this many bytes of zeros at a time, so that most syncs have no metadata to write. 512 KiB.
    pub step_bytes: u64,
    /// An append of more bytes than this is split into several records, of which a crash may leave the first ones. 256 KiB.
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

/// The log of a member: made for one thread that writes and syncs, by turns.
///
/// Entries are numbered without gaps (Raft's indexes). After any failure, every later call fails: nobody knows what the disk holds
/// then but a new start.
pub struct Log<D: Disk> {
    disk: D,
    options: LogOptions,
    identity: Identity,
    segments: Vec<Segment<D::File>>,
    history: History,
    promise: Promise,
    index: Arc<Mutex<Index<D::File>>>,
    pending: Pending,
    /// The last segment's length.
    allocated: u64,
    /// The next record's number.
    next: u64,
    /// Number of the last record known to be durable.
    synced: u64,
    /// Segments that were written to since the last sync.
    dirty: Vec<u64>,
    /// Whether a segment was created since the last sync.
    created: bool,
    failed: bool,
}

/// Records on their way to the last segment.
struct Pending {
    /// Where the bytes go.
    offset: u64,
    bytes: Vec<u8>,
    /// (Offset, after, count) of each append among them.
    appends: Vec<(u64, u64, u64)>,
}

impl Pending {
    fn end(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }
}

impl<D: Disk> Log<D> {
    /// Makes a log that begins after `base`, in a folder without one. Durable when it returns.
    pub fn create(disk: &D, options: LogOptions, identity: Identity, base: Position, promise: Promise) -> Result<Log<D>, Fault> {
        disk.create_dir(FOLDER).map_err(fault(disk, Action::Create, FOLDER))?;
        disk.sync_dir("").map_err(fault(disk, Action::Sync, ""))?;
        let mut log = Log {
            disk: disk.clone(),
            options,
            identity,
            segments: Vec::new(),
            history: History::after(base),
            promise,
            index: Arc::new(Mutex::new(Index::after(base.index))),
            pending: Pending { offset: 0, bytes: Vec::new(), appends: Vec::new() },
            allocated: 0,
            next: 1,
            synced: 0,
            dirty: Vec::new(),
            created: false,
            failed: false,
        };
        log.begin_segment(true)?;
        log.flush()?;
        log.sync()?;
        Ok(log)
    }

    /// Opens the log, and cuts off a tail that a crash tore.
    pub fn open(disk: &D, options: LogOptions, identity: Identity) -> Result<Log<D>, RecoveryError> {
        let found = recover(disk, identity)?;
        let mut log = Log {
            disk: disk.clone(),
            options,
            identity,
            segments: found.segments,
            history: found.history,
            promise: found.promise,
            index: Arc::new(Mutex::new(found.index)),
            pending: Pending { offset: found.tail, bytes: Vec::new(), appends: Vec::new() },
            allocated: found.allocated,
            next: found.next,
            synced: found.next - 1,
            dirty: Vec::new(),
            created: false,
            failed: false,
        };
        log.write_mark()?;
        Ok(log)
    }

    /// Writes these, in order. They are durable when the next [`Log::sync`] returns.
    pub fn write(&mut self, batch: &[Persist]) -> Result<(), Fault> {
        self.unless_failed(|log| {
            for persist in batch {
                log.add(persist)?;
            }
            log.flush()
        })
    }

    /// Makes everything written so far durable.
    pub fn sync(&mut self) -> Result<(), Fault> {
        self.unless_failed(|log| {
            if log.dirty.is_empty() && !log.created {
                return Ok(());
            }
            // In order, so that a crash in between leaves a prefix.
            for number in std::mem::take(&mut log.dirty) {
                let path = segment::path(number);
                log.segment(number).file.sync().map_err(fault(&log.disk, Action::Sync, &path))?;
            }
            if std::mem::take(&mut log.created) {
                log.disk.sync_dir(FOLDER).map_err(fault(&log.disk, Action::Sync, FOLDER))?;
            }
            log.synced = log.next - 1;
            log.write_mark()
        })
    }

    /// Removes whole segments whose entries all have an index of at most `upto`, which may not be above what a durable snapshot
    /// covers.
    pub fn cut(&mut self, upto: u64, covered: &DurableSnapshot<D>) -> Result<(), Fault> {
        self.cut_to(upto, covered.snapshot().position.index)
    }

    /// Removes whole segments whose entries all have an index of at most `upto`, which may not be above what a data file holds.
    pub fn cut_below(&mut self, upto: u64, covered: &DurableData) -> Result<(), Fault> {
        self.cut_to(upto, covered.position().index)
    }

    fn cut_to(&mut self, upto: u64, durable: u64) -> Result<(), Fault> {
        assert!(upto <= durable, "the log is never cut above what is durable elsewhere: {upto} > {durable}");
        let keep = self.segments.iter().rposition(|segment| segment.base.index <= upto).unwrap_or(0);
        if keep == 0 {
            return Ok(());
        }
        // The segment that the log will begin with carries the promise, so it has to be durable first.
        self.sync()?;
        self.unless_failed(|log| {
            let Segment { number, base, .. } = log.segments[keep];
            log.history.cut(base);
            log.index.lock().expect("the index is sound").cut(base.index, number);
            for gone in log.segments.drain(..keep) {
                let path = segment::path(gone.number);
                log.disk.remove(&path).map_err(fault(&log.disk, Action::Remove, &path))?;
                // One by one: a crash must not leave an earlier segment where a later one is gone.
                log.disk.sync_dir(FOLDER).map_err(fault(&log.disk, Action::Sync, FOLDER))?;
            }
            Ok(())
        })
    }

    /// Puts a peer's snapshot into force: publishes the file, then begins the log anew after it. The promise stays, unless the
    /// snapshot is of a later epoch. Durable when it returns; a crash on the way leaves the old state, or [`crate::open`] completes
    /// the new one.
    pub fn install(&mut self, sealed: SealedSnapshot<D>) -> Result<DurableSnapshot<D>, Fault> {
        // What was promised comes first: a start that completes this must not find an older promise.
        self.sync()?;
        self.unless_failed(|log| {
            let durable = sealed.publish()?;
            log.begin_anew(durable.snapshot().position)?;
            Ok(durable)
        })
    }

    /// Puts a data file that was made of a peer's snapshot into force, as [`Log::install`] does a snapshot. Returns the machine that it
    /// holds.
    pub fn install_data(&mut self, sealed: SealedData<D>) -> Result<Machine<D>, Fault> {
        self.sync()?;
        self.unless_failed(|log| {
            let position = sealed.position();
            let machine = sealed.publish()?;
            log.begin_anew(position)?;
            Ok(machine)
        })
    }

    /// Begins the log anew after what is durable elsewhere, as [`Log::install`] does.
    pub(crate) fn reset_to(&mut self, covered: Position) -> Result<(), Fault> {
        self.unless_failed(|log| log.begin_anew(covered))
    }

    /// Syncs, and makes the mark behind the last records durable, too: for an orderly end.
    pub fn close(mut self) -> Result<(), Fault> {
        self.sync()?;
        self.unless_failed(|log| {
            let Segment { number, file, .. } = log.last_segment();
            file.sync().map_err(fault(&log.disk, Action::Sync, &segment::path(*number)))
        })
    }

    /// What the log says, synced or not: right after [`Log::open`], what was found.
    pub fn contents(&self) -> Recovered {
        Recovered {
            identity: self.identity,
            promise: self.promise,
            base: self.history.base(),
            terms: self.history.runs().to_vec(),
            last: self.history.last().index,
        }
    }

    /// What was last promised, synced or not.
    pub fn promise(&self) -> Promise {
        self.promise
    }

    /// What the log begins after.
    pub fn base(&self) -> Position {
        self.history.base()
    }

    /// The last entry written, synced or not; the base if there is none.
    pub fn last(&self) -> Position {
        self.history.last()
    }

    /// Whether the log holds this very entry, or begins after it.
    pub fn holds(&self, position: Position) -> bool {
        self.history.holds(position)
    }

    /// A reader of entries, for any thread.
    pub fn reader(&self) -> LogReader<D> {
        LogReader::new(self.disk.clone(), self.identity, Arc::clone(&self.index))
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

    /// Makes records of what is to be persisted.
    fn add(&mut self, persist: &Persist) -> Result<(), Fault> {
        let Some(Append { after, entries }) = &persist.append else {
            return match &persist.promise {
                Some(promise) => self.add_record(Some(promise), None),
                None => Ok(()),
            };
        };
        assert!(self.history.holds(*after), "the log ends {} and does not hold {after}", self.history.last());
        let (mut promise, mut after, mut rest) = (persist.promise.as_ref(), *after, &entries[..]);
        loop {
            let (part, later) = rest.split_at(self.fitting(rest));
            self.add_record(promise.take(), Some((after, part)))?;
            let (Some(last), false) = (part.last(), later.is_empty()) else {
                return Ok(());
            };
            (after, rest) = (last.position, later);
        }
    }

    /// How many of these entries one record takes: as many as its bytes allow, but at least one.
    fn fitting(&self, entries: &[Entry]) -> usize {
        let mut bytes = 0;
        let fits = entries.iter().take_while(|entry| {
            bytes += entry_bytes(entry);
            bytes <= self.options.record_bytes
        });
        fits.count().max(1).min(entries.len())
    }

    fn add_record(&mut self, promise: Option<&Promise>, append: Option<(Position, &[Entry])>) -> Result<(), Fault> {
        let entries = append.map_or(&[][..], |append| append.1);
        let at_most = 2 * RECORD_HEADER + 64 + entries.iter().map(entry_bytes).sum::<usize>();
        if self.pending.end() > HEADER && self.pending.end() + at_most as u64 > self.options.segment_bytes {
            self.flush()?;
            self.begin_segment(false)?;
        }
        let offset = self.pending.end();
        let seed = Seed::of(self.identity, self.last_segment().number);
        let place = Place { seed, offset, number: self.next, synced: self.synced };
        encode(&mut self.pending.bytes, place, promise, append);
        self.next += 1;
        if let Some(promise) = promise {
            self.promise = *promise;
        }
        if let Some((after, entries)) = append {
            self.history.truncate(after);
            for segment in &mut self.segments {
                if segment.base.index > after.index {
                    segment.base = after;
                }
            }
            for entry in entries {
                self.history.push(entry.position);
            }
            self.pending.appends.push((offset, after.index, entries.len() as u64));
        }
        Ok(())
    }

    /// Creates the next segment; its header waits with the records.
    fn begin_segment(&mut self, fresh: bool) -> Result<(), Fault> {
        debug_assert!(self.pending.bytes.is_empty(), "the last segment has all its records");
        let number = self.segments.last().map_or(1, |last| last.number + 1);
        let path = segment::path(number);
        let file = Arc::new(self.disk.create(&path).map_err(fault(&self.disk, Action::Create, &path))?);
        let base = self.history.last();
        self.index.lock().expect("the index is sound").add_segment(number, Arc::clone(&file));
        self.segments.push(Segment { number, base, file });
        self.created = true;
        self.allocated = 0;
        self.pending.offset = 0;
        let (identity, promise) = (self.identity, self.promise);
        Header { identity, segment: number, first: self.next, synced: self.synced, base, promise, fresh }
            .encode(&mut self.pending.bytes);
        Ok(())
    }

    /// Writes the records that wait, all at once, and lets readers see them.
    fn flush(&mut self) -> Result<(), Fault> {
        if self.pending.bytes.is_empty() {
            return Ok(());
        }
        let (from, end) = (self.pending.offset, self.pending.end());
        if end + MARK_ROOM > self.allocated {
            self.allocated = (end + MARK_ROOM).next_multiple_of(self.options.step_bytes);
            self.pending.bytes.resize((self.allocated - from) as usize, 0);
        }
        let Segment { number, file, .. } = self.last_segment();
        let number = *number;
        file.write_at(from, &self.pending.bytes).map_err(fault(&self.disk, Action::Write, &segment::path(number)))?;
        if self.dirty.last() != Some(&number) {
            self.dirty.push(number);
        }
        let mut index = self.index.lock().expect("the index is sound");
        for (offset, after, count) in self.pending.appends.drain(..) {
            index.append(number, offset, after, count);
        }
        self.pending.offset = end;
        self.pending.bytes.clear();
        self.pending.bytes.shrink_to(BUFFER_KEPT);
        Ok(())
    }

    /// Says in the next sector that everything before it is durable. Is not synced: it costs nothing, and saves the last records
    /// from being taken for a torn tail if they rot.
    fn write_mark(&mut self) -> Result<(), Fault> {
        let Segment { number, file, .. } = self.last_segment();
        let offset = self.pending.offset.next_multiple_of(SECTOR as u64);
        if offset + RECORD_HEADER as u64 > self.allocated {
            return Ok(());
        }
        let mut mark = Vec::with_capacity(RECORD_HEADER);
        let seed = Seed::of(self.identity, *number);
        encode_mark(&mut mark, Place { seed, offset, number: self.next, synced: self.synced });
        file.write_at(offset, &mark).map_err(fault(&self.disk, Action::Write, &segment::path(*number)))
    }

    fn begin_anew(&mut self, base: Position) -> Result<(), Fault> {
        self.history = History::after(base);
        if self.promise.epoch < base.epoch {
            // A vote in that epoch would have been durable before it was given, so none was.
            self.promise = Promise { epoch: base.epoch, vote: None, ..self.promise };
        }
        self.promise.committed = self.promise.committed.max(base.index);
        // All records so far are void: the new segment's header says so, and says what was promised.
        self.synced = self.next - 1;
        self.dirty.clear();
        self.index.lock().expect("the index is sound").reset(base.index);
        self.begin_segment(true)?;
        self.flush()?;
        self.sync()?;
        let last = self.segments.len() - 1;
        for gone in self.segments.drain(..last) {
            let path = segment::path(gone.number);
            self.disk.remove(&path).map_err(fault(&self.disk, Action::Remove, &path))?;
        }
        self.disk.sync_dir(FOLDER).map_err(fault(&self.disk, Action::Sync, FOLDER))
    }

    fn last_segment(&self) -> &Segment<D::File> {
        self.segments.last().expect("a log has a segment")
    }

    fn segment(&self, number: u64) -> &Segment<D::File> {
        let first = self.segments[0].number;
        &self.segments[(number - first) as usize]
    }
}
