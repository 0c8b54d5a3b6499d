//! The file that is being written.
//!
//! It is made longer ahead by the rule of Java's (FilePadding), which costs nothing but a length, and real zeros are written a step
//! ahead of the records, so that most syncs have no metadata to write. Its head is durable before the first record is written.

use super::mark::{self, MARK, SECTOR};
use super::record::{HEAD, OVERHEAD, RECORD_HEAD, encode, head};
use crate::disk::{Disk, DiskFile, fault};
use crate::fault::{Action, Fault};
use crate::zookeeper::folder::{create_anew, log_path, sync_folder};
use crate::zookeeper::store::Options;
use consensus::{Entry, Position};
use std::sync::Arc;

/// A file is made longer when its records come so close to its end (FilePadding).
const CLOSE: u64 = 4096;

/// A buffer that grew above this for one batch is not kept.
const BUFFER_KEPT: usize = 4 << 20;

/// The file that is being written.
pub(super) struct Appender<D: Disk> {
    disk: D,
    options: Options,
    number: u64,
    file: Arc<D::File>,
    /// Behind the last record that was written.
    written: u64,
    /// Records on their way, which go there.
    buffer: Vec<u8>,
    pending: Vec<Written>,
    /// Up to where everything is durable.
    synced: u64,
    /// The file's length, and up to where its zeros were really written.
    length: u64,
    zeroed: u64,
    /// Behind the last mark, if there is one.
    marked: u64,
}

/// A record that was written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written {
    pub(super) position: Position,
    pub(super) offset: u64,
    pub(super) end: u64,
}

impl<D: Disk> Appender<D> {
    /// Begins the file whose first record will be `first`. Its head is durable when this returns.
    pub(super) fn begin(disk: &D, options: Options, first: Position) -> Result<Appender<D>, Fault> {
        let number = first.zxid();
        let path = log_path(number);
        // One of that name may be left that was cut off before its first record.
        let file = create_anew(disk, &path)?;
        file.write_at(0, &head()).map_err(fault(disk, Action::Write, &path))?;
        let mut appender = Appender {
            disk: disk.clone(),
            options,
            number,
            file: Arc::new(file),
            written: HEAD,
            buffer: Vec::new(),
            pending: Vec::new(),
            synced: HEAD,
            length: HEAD,
            zeroed: HEAD,
            marked: 0,
        };
        appender.lengthen(HEAD)?;
        appender.file.sync().map_err(fault(disk, Action::Sync, &path))?;
        sync_folder(disk)?;
        Ok(appender)
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn file(&self) -> Arc<D::File> {
        Arc::clone(&self.file)
    }

    /// Whether an entry would make too much that is not synced.
    pub(super) fn is_full_for(&self, entry: &Entry) -> bool {
        let unsynced = self.end() - self.synced;
        unsynced > 0 && unsynced + (OVERHEAD + entry.data.len()) as u64 > self.options.batch_bytes as u64
    }

    /// Adds a record to those on their way.
    pub(super) fn add(&mut self, entry: &Entry) {
        let offset = self.end();
        encode(&mut self.buffer, &entry.data);
        self.pending.push(Written { position: entry.position, offset, end: self.end() });
    }

    /// Writes the records on their way, all at once, and says which.
    pub(super) fn flush(&mut self) -> Result<Vec<Written>, Fault> {
        if self.pending.is_empty() {
            return Ok(Vec::new());
        }
        let end = self.end();
        self.lengthen(end)?;
        // Behind the last record the next one's length has to read as zero. Room for a mark behind that spares a write.
        let room = mark::place(end) + SECTOR;
        let mut zeros = end;
        if room > self.zeroed {
            zeros = room.next_multiple_of(self.options.step_bytes.max(SECTOR)).min(self.length.max(room));
        } else if self.marked > end && self.marked - (MARK as u64) < end + RECORD_HEAD as u64 {
            zeros = self.marked;
        }
        self.buffer.resize((zeros - self.written) as usize, 0);
        self.file.write_at(self.written, &self.buffer).map_err(fault(&self.disk, Action::Write, &log_path(self.number)))?;
        self.zeroed = self.zeroed.max(zeros);
        self.length = self.length.max(zeros);
        self.written = end;
        self.buffer.clear();
        self.buffer.shrink_to(BUFFER_KEPT);
        Ok(std::mem::take(&mut self.pending))
    }

    /// Makes what was written durable, and says so behind it.
    pub(super) fn sync(&mut self) -> Result<(), Fault> {
        debug_assert!(self.pending.is_empty(), "what is to be synced was written");
        if self.synced == self.written {
            return Ok(());
        }
        self.sync_file()?;
        self.synced = self.written;
        let place = mark::place(self.written);
        let mark = mark::encode(self.number, self.written);
        self.marked = place + MARK as u64;
        self.file.write_at(place, &mark).map_err(fault(&self.disk, Action::Write, &log_path(self.number)))
    }

    /// No more records follow. What was written is durable by now; this makes the mark so, too.
    pub(super) fn end_file(self) -> Result<(), Fault> {
        self.sync_file()
    }

    fn sync_file(&self) -> Result<(), Fault> {
        self.file.sync().map_err(fault(&self.disk, Action::Sync, &log_path(self.number)))
    }

    fn end(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    /// Makes the file longer if records up to `end` would come close to its end.
    fn lengthen(&mut self, end: u64) -> Result<(), Fault> {
        let length = padded(end, self.length, self.options.preallocate_bytes);
        if length > self.length {
            self.file.write_at(length - 1, &[0]).map_err(fault(&self.disk, Action::Write, &log_path(self.number)))?;
            self.length = length;
        }
        Ok(())
    }
}

/// How long a file is to be that has records up to `end` (FilePadding.calculateFileSizeWithPadding).
fn padded(end: u64, length: u64, step: u64) -> u64 {
    if step == 0 || end + CLOSE < length {
        length
    } else if end > length {
        (end + step) / step * step
    } else {
        length + step
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_as_long_as_javas() {
        const STEP: u64 = 64 << 20;
        assert_eq!(padded(HEAD, HEAD, STEP), 67_108_880);
        assert_eq!(padded(67_108_880 - 4097, 67_108_880, STEP), 67_108_880);
        assert_eq!(padded(67_108_880 - 4096, 67_108_880, STEP), 2 * STEP + 16);
        assert_eq!(padded(67_108_881, 67_108_880, STEP), 2 * STEP);
        assert_eq!(padded(100, 50, 0), 50);
    }
}
