//! Transactions, read back from the log.

use super::index::{Index, POINT_BYTES, Stretch};
use super::record;
use crate::disk::{Disk, DiskFile};
use crate::fault::{Action, Fault};
use crate::log::window::Window;
use crate::zookeeper::folder::log_path;
use bytes::Bytes;
use consensus::{Entry, EntryKind, Position};
use std::io;
use std::sync::{Arc, Mutex};

/// Bytes read at a time: little more than the stretch between two points of the index.
const WINDOW: usize = 2 * POINT_BYTES as usize;

/// Reads entries from the log, also while it is being written. Clones read the same log.
///
/// What is read was written, synced or not, and its checksums are right. It is what the log said at one moment of the call: entries
/// that were cut off before the call are never returned.
pub struct LogReader<D: Disk> {
    disk: D,
    index: Arc<Mutex<Index<D::File>>>,
}

impl<D: Disk> Clone for LogReader<D> {
    fn clone(&self) -> Self {
        LogReader { disk: self.disk.clone(), index: Arc::clone(&self.index) }
    }
}

impl<D: Disk> LogReader<D> {
    pub(super) fn new(disk: D, index: Arc<Mutex<Index<D::File>>>) -> LogReader<D> {
        LogReader { disk, index }
    }

    /// The entries from zxid `first` to zxid `last` in order, beginning with the last one at or before `first`, or with the log's
    /// first if that is the very next; cut short before `budget` bytes of data after `first` are exceeded, but not before the first
    /// entry there: who asks on from the last entry of the answer always gets further. Empty if the log holds nothing in that range,
    /// or begins so late that something may be missing. What [`consensus::Fetch`] asks for.
    ///
    /// # Errors
    ///
    /// The disk failed, or gave back other bytes than were written ([`io::ErrorKind::InvalidData`]).
    pub fn read(&self, first: u64, last: u64, budget: usize) -> Result<Vec<Entry>, Fault> {
        let (first, last) = (Position::from_zxid(first), Position::from_zxid(last));
        let plan = self.index.lock().expect("the index is sound").plan(first);
        let mut found = Found { first, last, entries: Vec::new(), newest: None, progress: false, left: budget, full: false };
        // No bytes that the plan leads to are ever written over, so this is what the log said when it was made.
        for stretch in &plan {
            found.read(stretch).map_err(|source| {
                let path = self.disk.describe(&log_path(stretch.number));
                Fault { action: Action::Read, path, source }
            })?;
            if found.full {
                break;
            }
        }
        Ok(found.entries)
    }
}

/// What was read so far.
struct Found {
    first: Position,
    last: Position,
    /// Until one after `first` is met: only the last one before that.
    entries: Vec<Entry>,
    newest: Option<Position>,
    /// Whether one after `first` was met.
    progress: bool,
    left: usize,
    full: bool,
}

impl Found {
    fn read<F: DiskFile>(&mut self, stretch: &Stretch<F>) -> io::Result<()> {
        let mut window = Window::of(&*stretch.file, WINDOW);
        let mut offset = stretch.offset;
        while offset < stretch.end && !self.full {
            let record = record::at(&mut window, offset, stretch.end, Position::ZERO)?;
            let record = record.ok_or_else(|| {
                io::Error::new(io::ErrorKind::InvalidData, format!("the record at byte {offset} is not what was written there"))
            })?;
            offset += record.size();
            self.take(record.position, record.payload);
        }
        Ok(())
    }

    fn take(&mut self, position: Position, payload: &[u8]) {
        // Java may have logged a transaction twice.
        if self.newest.is_some_and(|newest| position <= newest) {
            return;
        }
        if position > self.last {
            self.full = true;
            return;
        }
        self.newest = Some(position);
        if position <= self.first {
            // The last of these is where the answer begins. It is not what was asked for, so it takes nothing of the budget.
            self.entries.clear();
        } else if payload.len() > self.left && self.progress {
            self.full = true;
            return;
        } else {
            self.left = self.left.saturating_sub(payload.len());
            self.progress = true;
        }
        self.entries.push(entry(position, payload));
    }
}

/// A record as an entry.
pub(super) fn entry(position: Position, payload: &[u8]) -> Entry {
    Entry { position, kind: EntryKind::Command, data: Bytes::copy_from_slice(payload) }
}
