//! Reads the log when a server starts.
//!
//! ```text
//!   1. read the files in order of the zxid in their names, the records of each until one is not whole
//!   2. ask the evidence behind that place: was a record there durable once?     yes → damage: refuse, change nothing
//!   3. see whether each transaction follows from the one before it; a gap is fine only if the newest snapshot covers it, and the
//!      history begins anew behind it
//!   4. cut the torn tail: write zeros over the rest of the last file; remove last files without a record
//!   5. write the records again that nothing says were durable, and sync
//! ```
//!
//! **What Java leaves.** A start of Java's begins a new file and leaves what was torn in the old one; so does ours, but for the torn
//! bytes. A learner that received a snapshot goes on in the same file, so there may be a gap within it; between two epochs only that
//! snapshot tells of it. TRUNC cuts a file where a record ends, zeros and all.
//!
//! **What is torn and what is damaged.** The format has a checksum for each record, and nothing that says that a record was once
//! durable. So this is what tells:
//!
//! - a mark behind the place ([`super::mark`]): it was durable if the mark says so;
//! - zxids: within an epoch they have no gaps, so nothing is lost before a file that continues where the last one stopped, and
//!   something is before one that does not;
//! - in a file of ours, a whole record that begins more than a batch further on ([`Options::batch_bytes`]): more is never written
//!   unsynced, so this one was durable;
//! - in a file of Java's, any whole record further on, since its batches have no bound. (Java refuses such a file, too, unless the
//!   place looks like the end.)
//!
//! **What cannot be told apart** from a torn tail, and is cut: damage to the last records of Java's last file with nothing whole behind
//! it, or of an earlier file if the next one begins with another epoch; and in ours, damage to the last batch if power failed before
//! the mark behind it reached the disk, or before it did again after the next batch had been written over it.
//!
//! [`Options::batch_bytes`]: crate::zookeeper::Options::batch_bytes

use super::evidence::{Evidence, search};
use super::index::Index;
use super::mark::{self, MARK};
use super::reader::{LogReader, entry};
use super::record::{self, Author, HEAD};
use super::{LogError, LogFile};
use crate::disk::{Disk, DiskFile, fault, write_again, write_zeros};
use crate::fault::{Action, Fault};
use crate::log::window::Window;
use crate::zookeeper::folder::{self, FOLDER, log_path};
use consensus::{Entry, Position};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

/// A log as it was read: durable.
pub(super) struct Recovery<D: Disk> {
    /// Those that hold what follows `base`.
    pub(super) files: Vec<LogFile<D::File>>,
    pub(super) index: Arc<Mutex<Index<D::File>>>,
    pub(super) base: Position,
    /// The last transaction; `base` if there is none.
    pub(super) last: Position,
    /// The entry before the first of `tail`.
    pub(super) before: Position,
    pub(super) tail: Vec<Entry>,
}

/// A file as it was found.
struct Listed<F> {
    number: u64,
    file: Arc<F>,
    length: u64,
    author: Option<Author>,
}

/// Where the records of a file end, and what stands behind that.
struct End {
    offset: u64,
    evidence: Evidence,
}

/// Whether there are log files at all.
pub(in crate::zookeeper) fn any<D: Disk>(disk: &D) -> Result<bool, Fault> {
    Ok(!numbers(disk)?.is_empty())
}

/// Reads the log that goes with these snapshots, of which `newest` is the newest whole one, and mends what a crash may leave behind.
pub(super) fn recover<D: Disk>(
    disk: &D,
    snapshots: &[Position],
    newest: Position,
    batch_bytes: u64,
    tail_bytes: usize,
) -> Result<Recovery<D>, LogError> {
    let listed = list(disk)?;
    let mut walk = Walk::new(disk, snapshots, newest, tail_bytes);
    let mut ends = Vec::new();
    for (number, file) in listed.iter().enumerate() {
        let offset = walk.read(file)?;
        let far = if file.author == Some(Author::Quorate) { offset + batch_bytes } else { offset };
        let floor = walk.last.unwrap_or_default();
        let evidence = search(&*file.file, file.number, offset, file.length, floor, far);
        let evidence = evidence.map_err(fault(disk, Action::Read, &log_path(file.number)))?;
        let next = first_of(disk, &listed[number + 1..])?;
        judge(disk, file, offset, far, &evidence, walk.last, next)?;
        ends.push(End { offset, evidence });
    }
    walk.finish();
    mend(disk, &listed, &ends)?;
    let Walk { files, index, base, last, before, tail, .. } = walk;
    Ok(Recovery { files, index, base, last: last.unwrap_or(base), before, tail: tail.into() })
}

fn list<D: Disk>(disk: &D) -> Result<Vec<Listed<D::File>>, LogError> {
    let look = |number: u64| {
        let path = log_path(number);
        let file = disk.open(&path).map_err(fault(disk, Action::Open, &path))?;
        let length = file.len().map_err(fault(disk, Action::Read, &path))?;
        let mut head = [0; HEAD as usize];
        let count = file.read_at(0, &mut head).map_err(fault(disk, Action::Read, &path))?;
        if let Some(version) = record::foreign_version(&head[..count]) {
            return Err(LogError::Version { file: disk.describe(&path), version });
        }
        Ok(Listed { number, file: Arc::new(file), length, author: record::author(&head[..count]) })
    };
    numbers(disk)?.into_iter().map(look).collect()
}

/// The numbers of all log files, ascending, whether they count or not.
pub(super) fn numbers<D: Disk>(disk: &D) -> Result<Vec<u64>, Fault> {
    let names = disk.list(FOLDER).map_err(fault(disk, Action::List, FOLDER))?;
    let mut numbers: Vec<u64> = names
        .iter()
        .filter_map(|name| folder::log_zxid(name).filter(|number| folder::path(name) == log_path(*number)))
        // Another name for a number is neither ours nor Java's.
        .collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// The first transaction in these files.
fn first_of<D: Disk>(disk: &D, files: &[Listed<D::File>]) -> Result<Option<Position>, Fault> {
    for Listed { number, file, length, author } in files {
        if author.is_some() {
            let mut window = Window::of(&**file, 1 << 10);
            let first = record::at(&mut window, HEAD, *length, Position::ZERO);
            if let Some(first) = first.map_err(fault(disk, Action::Read, &log_path(*number)))? {
                return Ok(Some(first.position));
            }
        }
    }
    Ok(None)
}

/// Refuses a file whose records end where they should not.
fn judge<D: Disk>(
    disk: &D,
    file: &Listed<D::File>,
    end: u64,
    far: u64,
    evidence: &Evidence,
    last: Option<Position>,
    next: Option<Position>,
) -> Result<(), LogError> {
    let durable = match (last, next) {
        _ if evidence.marked > end => true,
        // What was there came again, in the next file.
        (Some(last), Some(next)) if last.epoch == next.epoch && next.index == last.index + 1 => false,
        (_, Some(_)) => evidence.record > 0,
        // The head is durable before the first record is written.
        (_, None) if file.author.is_none() => evidence.record > 0,
        (_, None) => evidence.record >= far && evidence.record > 0,
    };
    if durable {
        return Err(LogError::Damaged { file: disk.describe(&log_path(file.number)), offset: end });
    }
    Ok(())
}

/// A walk through the log, record by record.
struct Walk<'a, D: Disk> {
    disk: &'a D,
    /// Those that there are, whole or not, ascending.
    snapshots: &'a [Position],
    /// The newest whole one.
    newest: Position,
    files: Vec<LogFile<D::File>>,
    index: Arc<Mutex<Index<D::File>>>,
    base: Position,
    last: Option<Position>,
    before: Position,
    tail: VecDeque<Entry>,
    /// Bytes that `tail` may hold, and holds.
    tail_bytes: usize,
    bytes: usize,
}

impl<'a, D: Disk> Walk<'a, D> {
    fn new(disk: &'a D, snapshots: &'a [Position], newest: Position, tail_bytes: usize) -> Walk<'a, D> {
        Walk {
            disk,
            snapshots,
            newest,
            files: Vec::new(),
            index: Arc::new(Mutex::new(Index::new(newest))),
            base: newest,
            last: None,
            before: newest,
            tail: VecDeque::new(),
            tail_bytes,
            bytes: 0,
        }
    }

    /// Reads the records of a file until one is not whole: where that is.
    fn read(&mut self, listed: &Listed<D::File>) -> Result<u64, LogError> {
        let Listed { number, file, length, author } = listed;
        if author.is_none() {
            return Ok(0);
        }
        let path = log_path(*number);
        let mut window = Window::new(&**file, *length);
        let mut offset = HEAD;
        while let Some(record) =
            record::at(&mut window, offset, *length, Position::ZERO).map_err(fault(self.disk, Action::Read, &path))?
        {
            let end = offset + record.size();
            self.take(record.position, record.payload, listed, offset, end)?;
            offset = end;
        }
        Ok(offset)
    }

    fn take(
        &mut self,
        position: Position,
        payload: &[u8],
        listed: &Listed<D::File>,
        offset: u64,
        end: u64,
    ) -> Result<(), LogError> {
        let describe = || self.disk.describe(&log_path(listed.number));
        let preceding = Position::new(position.epoch, position.index.wrapping_sub(1));
        let missing = |before| Err(LogError::Missing { file: describe(), before, after: position });
        // The last snapshot before this transaction: where the log does not hold it, it came from a leader, and what it held never
        // was in this log.
        let between = self.snapshots.partition_point(|snapshot| *snapshot < position).checked_sub(1);
        let between = between.map(|number| self.snapshots[number]);
        match self.last {
            _ if position.index == 0 => return Err(LogError::Inconsistent { file: describe(), offset }),
            // Java may log a transaction twice; it warns and goes on, and so does a start of it.
            Some(last) if position <= last => {
                if !self.holds(position, payload)? {
                    return Err(LogError::Inconsistent { file: describe(), offset });
                }
            }
            Some(last) if last.precedes_zxid(position) => match between.filter(|between| *between > last) {
                Some(between) if between > self.newest => return missing(last),
                Some(between) => self.restart(self.begin(between, preceding)),
                // Of what is before the oldest snapshot nothing tells whether it is without gaps.
                None if self.snapshots.first() == Some(&position) => self.restart(preceding),
                None => {}
            },
            last if position.index > 1 => {
                if self.newest < preceding {
                    return missing(last.unwrap_or(self.newest));
                }
                self.restart(preceding);
            }
            last => match between {
                Some(between) if between > self.newest => return missing(last.unwrap_or(self.newest)),
                Some(between) => self.restart(self.begin(between, preceding)),
                None => self.restart(preceding),
            },
        }
        self.add(position, payload, listed, offset, end);
        Ok(())
    }

    fn add(&mut self, position: Position, payload: &[u8], listed: &Listed<D::File>, offset: u64, end: u64) {
        let mut index = self.index.lock().expect("the index is sound");
        match self.files.last_mut() {
            Some(file) if file.number == listed.number => file.last = file.last.max(position),
            _ => {
                let file = Arc::clone(&listed.file);
                index.add_file(listed.number, Arc::clone(&file));
                self.files.push(LogFile { number: listed.number, file, first: position, last: position });
            }
        }
        if self.last.is_some_and(|last| position <= last) {
            index.extend(listed.number, end);
            return;
        }
        index.append(position, listed.number, offset, end);
        self.last = Some(position);
        self.bytes += payload.len();
        self.tail.push_back(entry(position, payload));
        while self.bytes > self.tail_bytes {
            let Some(gone) = self.tail.pop_front() else { break };
            self.bytes -= gone.data.len();
            self.before = gone.position;
        }
    }

    /// What a history begins after whose first transaction is the first of an epoch: a snapshot before it only if that is what this
    /// start is built on. Of others nobody knows whether all of the log that followed them is still there.
    fn begin(&self, snapshot: Position, preceding: Position) -> Position {
        if snapshot == self.newest { snapshot } else { preceding }
    }

    /// What was read so far does not count: the history begins after `base`.
    fn restart(&mut self, base: Position) {
        self.files.clear();
        *self.index.lock().expect("the index is sound") = Index::new(base);
        self.tail.clear();
        self.bytes = 0;
        (self.base, self.before, self.last) = (base, base, None);
    }

    /// The log ends here. If it does not reach the snapshot, which came from a leader then, it counts for nothing.
    fn finish(&mut self) {
        if self.last.is_none_or(|last| last < self.newest) {
            self.restart(self.newest);
        }
    }

    /// Whether the log holds this very transaction.
    fn holds(&self, position: Position, payload: &[u8]) -> Result<bool, Fault> {
        let reader = LogReader::new(self.disk.clone(), Arc::clone(&self.index));
        let found = reader.read(position.zxid(), position.zxid(), 0)?;
        Ok(found.last().is_some_and(|found| found.position == position && found.data == payload))
    }
}

/// Makes what was read durable, and makes sure that nothing else can ever be read.
fn mend<D: Disk>(disk: &D, listed: &[Listed<D::File>], ends: &[End]) -> Result<(), Fault> {
    // What a crash left of a file that was about to begin. From the last to the first: never is there a file behind a gap.
    let mut files = listed.iter().zip(ends);
    let mut last = files.next_back();
    while let Some((file, _)) = last.filter(|(_, end)| end.offset <= HEAD) {
        folder::remove(disk, &log_path(file.number))?;
        folder::sync_folder(disk)?;
        last = files.next_back();
    }
    let Some((Listed { number, file, length, .. }, End { offset, evidence })) = last else { return Ok(()) };
    let path = log_path(*number);
    let at_rest = evidence.marked == *offset && evidence.dirty <= mark::place(*offset) + MARK as u64;
    if !at_rest {
        // A process that died, or was told of a failed sync, may have left records in the page cache only, marked clean: only
        // writing them again makes the next sync take them along.
        write_again(&**file, evidence.marked, *offset).map_err(fault(disk, Action::Write, &path))?;
        write_zeros(&**file, *offset, evidence.dirty).map_err(fault(disk, Action::Write, &path))?;
    }
    file.sync().map_err(fault(disk, Action::Sync, &path))?;
    folder::sync_folder(disk)?;
    let place = mark::place(*offset);
    if !at_rest && place + MARK as u64 <= *length {
        file.write_at(place, &mark::encode(*number, *offset)).map_err(fault(disk, Action::Write, &path))?;
    }
    Ok(())
}
