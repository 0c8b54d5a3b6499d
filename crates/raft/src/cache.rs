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

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use bytes::Bytes;
    use consensus::{EntryKind, Position};
    use proptest::prelude::*;

    fn entry(index: u64, bytes: usize) -> Entry {
        Entry { position: Position::new(1, index), kind: EntryKind::Command, data: Bytes::from(vec![0; bytes]) }
    }

    #[derive(Clone, Debug)]
    enum Change {
        Push(usize),
        Truncate(u64),
        Cut(u64),
        Shrink(usize, u64),
    }

    fn change() -> impl Strategy<Value = Change> {
        prop_oneof![
            6 => (0_usize..200).prop_map(Change::Push),
            1 => (0_u64..10).prop_map(Change::Truncate),
            1 => (0_u64..10).prop_map(Change::Cut),
            1 => (0_usize..2_000, 0_u64..20).prop_map(|(bytes, settled)| Change::Shrink(bytes, settled)),
        ]
    }

    proptest! {
        #[test]
        fn it_holds_the_end_of_the_log(changes in prop::collection::vec(change(), 0..80), budget in 0_usize..500) {
            let mut cache = Cache::new(0);
            // The whole log, and the first index that may be missing from memory.
            let mut log: Vec<Entry> = Vec::new();
            for change in changes {
                match change {
                    Change::Push(bytes) => {
                        log.push(entry(log.len() as u64 + 1, bytes));
                        cache.push(log.last().unwrap().clone());
                    }
                    Change::Truncate(back) => {
                        log.truncate(log.len().saturating_sub(back as usize));
                        cache.truncate(log.len() as u64);
                    }
                    Change::Cut(ahead) => {
                        cache.cut((cache.first() + ahead).min(log.len() as u64));
                    }
                    Change::Shrink(bytes_max, settled) => {
                        let first = cache.first();
                        cache.shrink(bytes_max, settled);
                        prop_assert!(cache.first() == first || cache.first() <= settled + 1, "an unsettled entry was dropped");
                        prop_assert!(cache.bytes <= bytes_max || cache.first() > settled);
                    }
                }
                let last = log.len() as u64;
                prop_assert_eq!(cache.end(), last + 1);
                prop_assert_eq!(cache.bytes, cache.entries.iter().map(weight).sum::<usize>());
                for first in 1..=last {
                    let Some(run) = cache.run(first, last, budget) else {
                        prop_assert!(first < cache.first());
                        continue;
                    };
                    prop_assert_eq!(&run[..], &log[first as usize - 1..][..run.len()]);
                    let bytes: usize = run.iter().map(|entry| entry.data.len()).sum();
                    prop_assert!(bytes <= budget.max(run[0].data.len()), "a run over its budget");
                    let next = log.get(first as usize - 1 + run.len());
                    let left = budget.saturating_sub(bytes);
                    prop_assert!(next.is_none_or(|next| next.data.len() > left), "a run stopped early");
                }
            }
        }
    }

    #[test]
    fn what_is_cut_beyond_memory_moves_the_end() {
        let mut cache = Cache::new(9);
        cache.truncate(4);
        assert_eq!((cache.first(), cache.end()), (5, 5));
        cache.push(entry(5, 1));
        assert_eq!(cache.run(4, 5, 10), None);
        assert_eq!(cache.run(6, 9, 10), Some(Vec::new()));
    }
}
