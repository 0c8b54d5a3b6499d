//! The newest changes, in memory: all that are not durable yet, and those before them as far as there is room.

use keyspace::{Change, Revision};
use std::collections::VecDeque;

/// What a change takes that was removed, until it leaves with those around it.
const SLOT: usize = size_of::<(Revision, Option<Change>)>();

/// A run of changes without gaps, up to the newest.
#[derive(Default)]
pub(super) struct Memory {
    /// `None`: removed since.
    changes: VecDeque<(Revision, Option<Change>)>,
    bytes: usize,
    /// Everything after this is here.
    floor: Revision,
}

impl Memory {
    /// Nothing, after what a file holds.
    pub(super) fn after(floor: Revision) -> Memory {
        Memory { floor, ..Memory::default() }
    }

    /// Everything after this is here.
    pub(super) fn floor(&self) -> Revision {
        self.floor
    }

    pub(super) fn last(&self) -> Revision {
        self.changes.back().map_or(self.floor, |(at, _)| *at)
    }

    /// Adds the newest change; returns what it takes.
    pub(super) fn push(&mut self, at: Revision, change: Change) -> usize {
        assert!(self.last() < at, "changes go forward: {at} after {}", self.last());
        let bytes = size(&change);
        self.bytes += bytes;
        self.changes.push_back((at, Some(change)));
        bytes
    }

    /// The change at `at`, which must be after the floor.
    pub(super) fn get(&self, at: Revision) -> Option<&Change> {
        let found = self.changes.binary_search_by_key(&at, |(at, _)| *at).ok()?;
        self.changes[found].1.as_ref()
    }

    pub(super) fn remove(&mut self, at: Revision) {
        if let Ok(found) = self.changes.binary_search_by_key(&at, |(at, _)| *at)
            && let Some(change) = self.changes[found].1.take()
        {
            self.bytes -= size(&change) - SLOT;
        }
    }

    /// The changes from `from` on, in order.
    pub(super) fn range(&self, from: Revision) -> impl Iterator<Item = (Revision, &Change)> {
        let first = self.changes.partition_point(|(at, _)| *at < from);
        self.changes.range(first..).filter_map(|(at, change)| Some((*at, change.as_ref()?)))
    }

    /// Lets the oldest go, up to `durable`, until no more than `keep` bytes are left.
    pub(super) fn shrink(&mut self, durable: Revision, keep: usize) {
        while let Some((at, change)) = self.changes.front()
            && *at <= durable
            && (change.is_none() || self.bytes > keep)
        {
            self.floor = *at;
            self.bytes -= change.as_ref().map_or(SLOT, size);
            self.changes.pop_front();
        }
        if self.changes.capacity() > 4 * self.changes.len() + 1024 {
            self.changes.shrink_to(2 * self.changes.len());
        }
    }
}

fn size(change: &Change) -> usize {
    change.bytes() as usize + SLOT
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn what_is_not_durable_stays_however_much_it_is() {
        let mut memory = Memory::default();
        let at = |main| Revision::new(main, 0);
        for main in 2..100 {
            memory.push(at(main), Change::Delete { key: Bytes::from_static(b"key") });
        }
        memory.remove(at(50));
        assert!(memory.get(at(50)).is_none() && memory.get(at(51)).is_some());
        memory.shrink(at(49), 0);
        assert_eq!((memory.floor(), memory.range(at(0)).count()), (at(49), 49));
        memory.shrink(at(60), usize::MAX);
        assert_eq!(memory.floor(), at(50), "what was removed is not kept for its own sake");
        memory.shrink(at(99), 0);
        assert_eq!((memory.floor(), memory.last(), memory.bytes), (at(99), at(99), 0));
    }
}
