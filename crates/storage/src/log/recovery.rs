//! Reads the log when a member starts.
//!
//! ```text
//!   1. look at every segment's header; the log begins at the last one that says it begins anew, else at the first
//!   2. read the records, in order of their numbers, until one is not there
//!   3. ask the evidence: was it durable once?   yes → damage: refuse, change nothing
//!   4. cut the torn tail: remove later segments, write zeros over the rest of this one
//!   5. write the records again that no witness calls durable, and sync
//! ```
//!
//! Step 4 is synced before anything else is written, so that no record behind the cut can ever follow a new one. Step 5 is for the
//! process that died (or was told of a failed sync) while the machine lived on: what it had written may be in the page cache only,
//! and marked clean; only writing it again makes the next sync take it along.

use super::evidence::search;
use super::header::{FORMAT, Found, HEADER};
use super::history::History;
use super::index::Index;
use super::record::{Head, Payload, RECORD_HEADER, Seed};
use super::segment::{self, Listed, Segment};
use super::window::Window;
use crate::disk::{Disk, DiskFile, fault, write_again, write_zeros};
use crate::fault::{Action, Fault};
use crate::identity::Identity;
use consensus::{Position, Promise};
use std::collections::VecDeque;
use std::sync::Arc;

/// Why a log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// The disk failed.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// Something that had been synced is not there any more. Nothing was changed.
    #[error("{segment} is damaged at byte {offset}: what was durable there cannot be read any more; the log was left as it is")]
    Damaged {
        /// The file.
        segment: String,
        /// Where the damage begins.
        offset: u64,
    },
    /// A segment is not there any more. Nothing was changed.
    #[error("{segment} is missing; the log was left as it is")]
    Missing {
        /// The file.
        segment: String,
    },
    /// A record is whole, but does not follow from those before it. Nothing was changed.
    #[error("{segment}: the record at byte {offset} does not follow from those before it; the log was left as it is")]
    Inconsistent {
        /// The file.
        segment: String,
        /// Where the record is.
        offset: u64,
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

/// A log as it was read: durable, and ready to be written to.
pub(super) struct Recovery<F> {
    /// Never empty; the last one is written to.
    pub(super) segments: Vec<Segment<F>>,
    pub(super) history: History,
    pub(super) promise: Promise,
    pub(super) index: Index<F>,
    /// Where the next record goes in the last segment.
    pub(super) tail: u64,
    /// The last segment's length.
    pub(super) allocated: u64,
    /// The next record's number.
    pub(super) next: u64,
}

/// Reads the log, and mends what a crash may leave behind.
pub(super) fn recover<D: Disk>(disk: &D, identity: Identity) -> Result<Recovery<D::File>, RecoveryError> {
    let mut void = segment::list(disk)?;
    for listed in &void {
        refuse_others(disk, listed, identity)?;
    }
    let start = void.iter().rposition(|listed| listed.header().is_some_and(|header| header.fresh)).unwrap_or(0);
    let live = void.split_off(start);
    let mut walk = Walk::begin(disk, identity, &live)?;
    walk.read_all()?;
    let end = walk.judge()?;
    walk.mend(end, void)?;
    let Walk { history, promise, mut index, next, read, .. } = walk;

    let mut recovery = Recovery { segments: Vec::new(), history, promise, index: Index::after(0), tail: 0, allocated: 0, next };
    for (listed, (base, end)) in live.into_iter().zip(read) {
        let file = Arc::new(listed.file);
        index.add_segment(listed.number, Arc::clone(&file));
        recovery.segments.push(Segment { number: listed.number, base, file });
        (recovery.tail, recovery.allocated) = (end, listed.length);
    }
    recovery.index = index;
    Ok(recovery)
}

fn refuse_others<D: Disk>(disk: &D, listed: &Listed<D::File>, wanted: Identity) -> Result<(), RecoveryError> {
    let segment = || disk.describe(&segment::path(listed.number));
    match &listed.found {
        Found::Header(header) if header.identity != wanted => {
            Err(RecoveryError::Stranger { segment: segment(), found: header.identity, wanted })
        }
        &Found::Later(found) => Err(RecoveryError::Version { segment: segment(), found, known: FORMAT }),
        Found::Header(_) | Found::Bad => Ok(()),
    }
}

/// Where a record stands.
#[derive(Clone, Copy)]
struct Place {
    /// Which of the live segments.
    live: usize,
    offset: u64,
}

/// A walk through the log, record by record.
struct Walk<'a, D: Disk> {
    disk: &'a D,
    identity: Identity,
    live: &'a [Listed<D::File>],
    history: History,
    promise: Promise,
    index: Index<D::File>,
    /// The number of the record that should come next.
    next: u64,
    /// The last record that some witness calls durable.
    synced: u64,
    /// Where the records after that one stand.
    unsure: VecDeque<(u64, Place)>,
    /// For each segment that was read: what the log held before it, and where its records end.
    read: Vec<(Position, u64)>,
}

impl<'a, D: Disk> Walk<'a, D> {
    fn begin(disk: &'a D, identity: Identity, live: &'a [Listed<D::File>]) -> Result<Walk<'a, D>, RecoveryError> {
        let Some(first) = live.first() else {
            return Err(RecoveryError::Missing { segment: disk.describe(&segment::path(1)) });
        };
        let Some(header) = first.header() else {
            return Err(RecoveryError::Damaged { segment: disk.describe(&segment::path(first.number)), offset: 0 });
        };
        Ok(Walk {
            disk,
            identity,
            live,
            history: History::after(header.base),
            promise: header.promise,
            index: Index::after(header.base.index),
            next: header.first,
            synced: header.synced,
            unsure: VecDeque::new(),
            read: Vec::new(),
        })
    }

    /// Reads segments until one does not follow from the one before it.
    fn read_all(&mut self) -> Result<(), RecoveryError> {
        for live in 0..self.live.len() {
            let listed = &self.live[live];
            let Some(header) = listed.header() else { break };
            if listed.number != self.live[0].number + live as u64 || header.first > self.next {
                break;
            }
            if header.first < self.next || header.base != self.history.last() || header.promise != self.promise {
                return Err(self.inconsistent(Place { live, offset: 0 }));
            }
            self.hear(header.synced);
            self.read.push((header.base, HEADER));
            self.read_segment(live)?;
        }
        Ok(())
    }

    /// Reads records until one is not there.
    fn read_segment(&mut self, live: usize) -> Result<(), RecoveryError> {
        let listed = &self.live[live];
        let path = segment::path(listed.number);
        let seed = Seed::of(self.identity, listed.number);
        let mut window = Window::new(&listed.file, listed.length);
        let mut offset = HEADER;
        loop {
            self.read[live].1 = offset;
            let at = window.at(offset, RECORD_HEADER).map_err(fault(self.disk, Action::Read, &path))?;
            let Some(head) = Head::decode(at) else { break };
            if head.length == 0 || head.number != self.next || head.size() > listed.length - offset {
                break;
            }
            let record = window.at(offset, head.size() as usize).map_err(fault(self.disk, Action::Read, &path))?;
            if !head.matches(record, seed, offset) {
                break;
            }
            let payload = &record[RECORD_HEADER..RECORD_HEADER + head.length as usize];
            let place = Place { live, offset };
            self.take(payload, place).ok_or_else(|| self.inconsistent(place))?;
            self.hear(head.synced);
            self.unsure.push_back((self.next, place));
            self.next += 1;
            offset += head.size();
        }
        Ok(())
    }

    /// Takes in what one record says. `None` if it cannot follow what was read before.
    fn take(&mut self, payload: &[u8], place: Place) -> Option<()> {
        let payload = Payload::decode(payload)?;
        if let Some(promise) = payload.promise {
            self.promise = promise;
        }
        let Some(append) = payload.append else {
            return Some(());
        };
        if append.after.index < self.history.base().index {
            // The log was cut up to an entry that had been written over: what it holds begins where that happened.
            self.history = History::after(append.after);
        } else if self.history.holds(append.after) {
            self.history.truncate(append.after);
        } else {
            return None;
        }
        for (base, _) in &mut self.read {
            if base.index > append.after.index {
                *base = append.after;
            }
        }
        for entry in append.entries() {
            self.history.push(entry?.position);
        }
        let number = self.live[place.live].number;
        self.index.append(number, place.offset, append.after.index, u64::from(append.count));
        Some(())
    }

    /// A witness says that everything up to record `synced` was durable.
    fn hear(&mut self, synced: u64) {
        self.synced = self.synced.max(synced);
        while self.unsure.front().is_some_and(|unsure| unsure.0 <= self.synced) {
            self.unsure.pop_front();
        }
    }

    /// Whether the log ends where it does because nothing more was durable. Returns how far the bytes behind the end are to be
    /// cleared.
    fn judge(&mut self) -> Result<u64, RecoveryError> {
        let last = self.read.len() - 1;
        let tail = self.read[last].1;
        let mut witnessed = 0;
        let mut clear = tail;
        for (live, listed) in self.live.iter().enumerate().skip(last) {
            let path = segment::path(listed.number);
            let seed = Seed::of(self.identity, listed.number);
            if live > last {
                witnessed = witnessed.max(listed.header().map_or(0, |header| header.synced));
            }
            let from = if live == last { tail } else { HEADER };
            let evidence =
                search(&listed.file, seed, from, listed.length, self.next).map_err(fault(self.disk, Action::Read, &path))?;
            witnessed = witnessed.max(evidence.synced);
            if live == last {
                clear = evidence.end;
            }
            if witnessed >= self.next {
                return Err(self.damaged(last));
            }
        }
        // A segment that is not there, though nothing is missing between its neighbours, was there once.
        if let Some(later) = self.live.get(last + 1)
            && later.number != self.live[last].number + 1
            && later.header().is_some_and(|header| header.first == self.next)
        {
            return Err(self.damaged(last));
        }
        self.hear(witnessed);
        Ok(clear)
    }

    /// Names the damage that ended the walk in segment `last`.
    fn damaged(&self, last: usize) -> RecoveryError {
        let number = self.live[last].number;
        let describe = |number| self.disk.describe(&segment::path(number));
        match self.live.get(last + 1) {
            Some(later) if later.number != number + 1 => RecoveryError::Missing { segment: describe(number + 1) },
            Some(later) if later.header().is_none() => RecoveryError::Damaged { segment: describe(later.number), offset: 0 },
            _ => RecoveryError::Damaged { segment: describe(number), offset: self.read[last].1 },
        }
    }

    fn inconsistent(&self, place: Place) -> RecoveryError {
        let segment = self.disk.describe(&segment::path(self.live[place.live].number));
        RecoveryError::Inconsistent { segment, offset: place.offset }
    }

    /// Makes what was read durable, and makes sure that nothing else can ever be read.
    fn mend(&self, clear: u64, void: Vec<Listed<D::File>>) -> Result<(), RecoveryError> {
        let last = self.read.len() - 1;
        // From the last to the first: a crash in between leaves a log that is torn at the same place.
        for later in self.live[last + 1..].iter().rev() {
            self.remove(later.number)?;
        }
        self.sync_folder()?;

        let tail = self.read[last].1;
        let again = self.unsure.front().map_or(Place { live: last, offset: tail }, |unsure| unsure.1);
        for live in again.live..=last {
            let Listed { number, file, .. } = &self.live[live];
            let path = segment::path(*number);
            let from = if live == again.live { again.offset } else { HEADER };
            // No witness of the segment's first record: none of its header either.
            let from = if from == HEADER { 0 } else { from };
            let end = self.read[live].1;
            let clear = if live == last { clear } else { end };
            if from == clear {
                continue;
            }
            write_again(file, from, end).map_err(fault(self.disk, Action::Write, &path))?;
            write_zeros(file, end, clear).map_err(fault(self.disk, Action::Write, &path))?;
            file.sync().map_err(fault(self.disk, Action::Sync, &path))?;
        }
        if !void.is_empty() {
            let Listed { number, file, .. } = &self.live[0];
            let path = segment::path(*number);
            // The header that makes them void has to be durable first.
            write_again(file, 0, HEADER).map_err(fault(self.disk, Action::Write, &path))?;
            file.sync().map_err(fault(self.disk, Action::Sync, &path))?;
            for earlier in &void {
                self.remove(earlier.number)?;
            }
            self.sync_folder()?;
        }
        Ok(())
    }

    fn remove(&self, number: u64) -> Result<(), Fault> {
        let path = segment::path(number);
        self.disk.remove(&path).map_err(fault(self.disk, Action::Remove, &path))
    }

    fn sync_folder(&self) -> Result<(), Fault> {
        self.disk.sync_dir(segment::FOLDER).map_err(fault(self.disk, Action::Sync, segment::FOLDER))
    }
}
