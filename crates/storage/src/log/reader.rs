//! Entries, read back from the log.

use super::header::HEADER;
use super::index::{Index, POINT_BYTES};
use super::record::{Head, Payload, RECORD_HEADER, Seed};
use super::segment;
use super::window::Window;
use crate::disk::{Disk, DiskFile};
use crate::fault::{Action, Fault};
use crate::identity::Identity;
use consensus::Entry;
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
    identity: Identity,
    index: Arc<Mutex<Index<D::File>>>,
}

impl<D: Disk> Clone for LogReader<D> {
    fn clone(&self) -> Self {
        LogReader { disk: self.disk.clone(), identity: self.identity, index: Arc::clone(&self.index) }
    }
}

impl<D: Disk> LogReader<D> {
    pub(super) fn new(disk: D, identity: Identity, index: Arc<Mutex<Index<D::File>>>) -> LogReader<D> {
        LogReader { disk, identity, index }
    }

    /// The entries from index `first` to index `last`, a run without gaps from `first` on, cut short before `budget` bytes of data
    /// are exceeded but not before the first entry. Empty if the log does not hold `first`.
    ///
    /// # Errors
    ///
    /// The disk failed, or gave back other bytes than were written ([`io::ErrorKind::InvalidData`]).
    pub fn read(&self, first: u64, last: u64, budget: usize) -> Result<Vec<Entry>, Fault> {
        let points = budget / POINT_BYTES as usize + 2;
        let plan = self.index.lock().expect("the index is sound").plan(first, last, points);
        let mut found = Found { entries: Vec::new(), next: first, left: budget, full: false };
        // No bytes that the plan leads to are ever written over, so this is what the log said when it was made.
        for (point, file, upto) in &plan {
            let seed = Seed::of(self.identity, point.segment);
            found.read(&**file, seed, point.offset, *upto).map_err(|source| {
                let path = self.disk.describe(&segment::path(point.segment));
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
    entries: Vec<Entry>,
    next: u64,
    left: usize,
    full: bool,
}

impl Found {
    /// Takes the entries up to `upto` from the records at `offset` and behind it.
    fn read<F: DiskFile>(&mut self, file: &F, seed: Seed, mut offset: u64, upto: u64) -> io::Result<()> {
        debug_assert!(offset >= HEADER, "records begin behind the header");
        let mut window = Window::of(file, WINDOW);
        while self.next <= upto && !self.full {
            let head = Head::decode(window.at(offset, RECORD_HEADER)?).ok_or_else(|| bad(offset))?;
            let size = usize::try_from(head.size()).map_err(|_| bad(offset))?;
            // A head that rotted may name any length: a long record is read only if the file has so much.
            if head.length == 0 || (size > WINDOW && offset + head.size() > file.len()?) {
                return Err(bad(offset));
            }
            let record = window.at(offset, size)?;
            if !head.matches(record, seed, offset) {
                return Err(bad(offset));
            }
            let payload = &record[RECORD_HEADER..RECORD_HEADER + head.length as usize];
            self.take(payload, upto).ok_or_else(|| bad(offset))?;
            offset += head.size();
        }
        Ok(())
    }

    /// Takes what is wanted from one record. `None` if it makes no sense.
    fn take(&mut self, payload: &[u8], upto: u64) -> Option<()> {
        let Some(append) = Payload::decode(payload)?.append else {
            return Some(());
        };
        for entry in append.entries() {
            let entry = entry?;
            if entry.position.index < self.next {
                continue;
            }
            if entry.position.index > upto {
                break;
            }
            if entry.position.index != self.next {
                return None;
            }
            if entry.data_len() > self.left && !self.entries.is_empty() {
                self.full = true;
                break;
            }
            self.left = self.left.saturating_sub(entry.data_len());
            self.next += 1;
            self.entries.push(entry.to_entry());
        }
        Some(())
    }
}

fn bad(offset: u64) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the record at byte {offset} is not what was written there"))
}
