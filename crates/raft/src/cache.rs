//! The newest entries, kept in memory for followers and for the state machine.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use consensus::Entry;

/// A suffix of the log. Older entries are fetched from the disk.
///
/// Invariant: indexes are consecutive and end where the log ends.
#[derive(Clone, Debug)]
pub(crate) struct Cache {
    entries: VecDeque<Entry>,
    /// Index of the first entry kept, or of the next one to come.
    first: u64,
    bytes: usize,
}

/// What an entry weighs: its data, and about what it takes to hold it.
fn weight(entry: &Entry) -> usize {
    entry.data.len() + size_of::<Entry>()
}

impl Cache {
    /// Holds nothing of a log that ends at `last`.
    pub(crate) fn new(last: u64) -> Cache {
        Cache { entries: VecDeque::new(), first: last + 1, bytes: 0 }
    }

    /// Index of the first entry kept; one after the log's last if none is.
    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    /// One after the log's last entry.
    pub(crate) fn end(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// Adds the entry after the log's last.
    pub(crate) fn push(&mut self, entry: Entry) {
        assert_eq!(entry.position.index, self.end(), "an entry does not follow what is kept");
        self.bytes += weight(&entry);
        self.entries.push_back(entry);
    }

    /// Drops the entries after `index`, as the log did.
    pub(crate) fn truncate(&mut self, index: u64) {
        while self.end() > index + 1 {
            match self.entries.pop_back() {
                Some(entry) => self.bytes -= weight(&entry),
                None => self.first = index + 1,
            }
        }
    }

    /// Drops the entries up to `index`, which the log no longer holds.
    pub(crate) fn cut(&mut self, index: u64) {
        while self.first <= index && self.pop() {}
    }

    /// Drops old entries until `bytes_max` is kept; none after `settled`, which nobody else may hold yet.
    pub(crate) fn shrink(&mut self, bytes_max: usize, settled: u64) {
        while self.bytes > bytes_max && self.first <= settled && self.pop() {}
    }

    /// The entries from `first` to `last`, cut short after `budget` bytes of data but never before the first. `None` if `first` is
    /// not kept.
    pub(crate) fn run(&self, first: u64, last: u64, budget: usize) -> Option<Vec<Entry>> {
        let skip = usize::try_from(first.checked_sub(self.first)?).ok()?;
        let mut left = budget;
        let mut run = Vec::new();
        for entry in self.entries.range(skip.min(self.entries.len())..) {
            if entry.position.index > last || (!run.is_empty() && entry.data.len() > left) {
                break;
            }
            left = left.saturating_sub(entry.data.len());
            run.push(entry.clone());
        }
        Some(run)
    }

    fn pop(&mut self) -> bool {
        let Some(entry) = self.entries.pop_front() else { return false };
        self.bytes -= weight(&entry);
        self.first += 1;
        true
    }
}
