//! Where the history itself is kept: every change by its revision.

use crate::{KeyValue, Page, Revision, Want};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use bytes::Bytes;

/// What one revision did to one key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// It was written. `mod_revision` is the revision's `main`.
    Put(KeyValue),
    /// It was deleted.
    Delete {
        /// The key.
        key: Bytes,
    },
}

impl Change {
    /// The key that changed.
    pub fn key(&self) -> &Bytes {
        match self {
            Change::Put(kv) => &kv.key,
            Change::Delete { key } => key,
        }
    }

    /// How many bytes it takes in memory: an estimate.
    pub fn bytes(&self) -> u64 {
        let value = match self {
            Change::Put(kv) => kv.value.len(),
            Change::Delete { .. } => 0,
        };
        (OVERHEAD + self.key().len() + value) as u64
    }
}

/// What a change takes beside its key and value: the numbers, and the node of the map.
const OVERHEAD: usize = size_of::<(Revision, Change)>();

/// The store of changes. The index ([`crate::Keyspace`] keeps it in memory) knows which revisions exist; this knows what they say.
///
/// Changes come in order of revision and never change again; they go when a compaction has made them unreadable. What was put can be
/// got at once, however the store delays its own writes: the machine reads what it wrote a step ago.
///
/// A store whose reads may fail remembers that, and gives any answer then: whoever drives the machine looks for it before an answer
/// leaves the member.
pub trait Values {
    /// Whether the machine hands over what changed ([`crate::Keyspace::flush`]), and so keeps account of it.
    const WRITES_BEHIND: bool = false;

    /// Keeps a change. `at` is greater than every revision before it.
    fn put(&mut self, at: Revision, change: Change);

    /// The change at `at`.
    fn get(&self, at: Revision) -> Option<Change>;

    /// The changes at each of these, in their order: for a store that finds many at once better than one by one.
    fn get_all(&self, ats: &[Revision]) -> Vec<Option<Change>> {
        ats.iter().map(|at| self.get(*at)).collect()
    }

    /// Forgets a change that is there.
    fn remove(&mut self, at: Revision);

    /// All changes from `from` on, in order.
    fn scan(&self, from: Revision) -> impl Iterator<Item = (Revision, Change)>;

    /// A page of the history, for watchers, if it can be had without a disk. `None` if it has to be read: see [`crate::ReadPages`].
    /// What was put since the machine's driver last looked is always in memory.
    fn page(&self, want: Want) -> Option<Page> {
        Some(Page::scan(self, want))
    }

    /// How many bytes the changes take: an estimate.
    fn bytes(&self) -> u64;

    /// What was put and removed since this was last called, of a store that writes behind the machine. Others have nothing to say.
    fn take_unwritten(&mut self) -> Unwritten {
        Unwritten::default()
    }

    /// What was last taken is durable: memory that was kept for it may go.
    fn written(&mut self) {}
}

/// Changes on their way to the disk.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Unwritten {
    /// What was put and is still there, in order.
    pub changes: Vec<(Revision, Change)>,
    /// What was written before and is to go, in order.
    pub removed: Vec<Revision>,
}

/// Changes in memory.
#[derive(Debug, Default)]
pub struct MemoryValues {
    changes: BTreeMap<Revision, Change>,
    bytes: u64,
}

impl Values for MemoryValues {
    fn put(&mut self, at: Revision, change: Change) {
        debug_assert!(self.changes.last_key_value().is_none_or(|(&last, _)| last < at), "changes go forward");
        self.bytes += change.bytes();
        self.changes.insert(at, change);
    }

    fn get(&self, at: Revision) -> Option<Change> {
        self.changes.get(&at).cloned()
    }

    fn remove(&mut self, at: Revision) {
        if let Some(change) = self.changes.remove(&at) {
            self.bytes -= change.bytes();
        }
    }

    fn scan(&self, from: Revision) -> impl Iterator<Item = (Revision, Change)> {
        self.changes.range(from..).map(|(&at, change)| (at, change.clone()))
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }
}
