//! The index: every key, and at which revisions it was changed.

use crate::history::{History, Left, Mark};
use crate::{KeyRange, Revision};
use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use alloc::vec::Vec;
use bytes::Bytes;
use core::ops::Bound;

/// The index. Keys are kept in allocations of their own, so that a small key does not hold the large message that brought it.
#[derive(Debug, Default)]
pub(crate) struct Index {
    keys: BTreeMap<Bytes, History>,
    alive: u64,
}

/// What a put found and made.
pub(crate) struct Put {
    /// The key, as the index holds it.
    pub(crate) key: Bytes,
    /// The new mark.
    pub(crate) mark: Mark,
    /// The lease that the key was attached to.
    pub(crate) old_lease: i64,
}

impl Index {
    /// How many keys exist now.
    pub(crate) fn alive(&self) -> u64 {
        self.alive
    }

    pub(crate) fn history(&self, key: &[u8]) -> Option<&History> {
        self.keys.get(key)
    }

    /// The history of each key in `range`, in order.
    pub(crate) fn range(&self, range: KeyRange<'_>) -> impl Iterator<Item = (&Bytes, &History)> {
        // To find one key takes half the comparisons that it takes to find where it begins and where it ends.
        let (one, span) = match range {
            KeyRange::One(key) => (self.keys.get_key_value(key), None),
            KeyRange::Span(..) => (None, range.bounds()),
        };
        one.into_iter().chain(span.into_iter().flat_map(|bounds| self.keys.range::<Bytes, _>(bounds)))
    }

    /// Puts a key and attaches it to `lease`.
    pub(crate) fn put(&mut self, key: &Bytes, at: Revision, lease: i64) -> Put {
        // One way down the tree, for the price of a copy of the key, which a new one needs in any case.
        match self.keys.entry(Bytes::copy_from_slice(key)) {
            Entry::Occupied(mut entry) => {
                let key = entry.key().clone();
                let history = entry.get_mut();
                self.alive += u64::from(!history.is_alive());
                let mark = history.latest().put(at);
                history.push(mark);
                let old_lease = core::mem::replace(&mut history.lease, lease);
                Put { key, mark, old_lease }
            }
            Entry::Vacant(entry) => {
                let key = entry.key().clone();
                let mark = Mark::creation(at);
                let mut history = History::new(mark);
                history.lease = lease;
                entry.insert(history);
                self.alive += 1;
                Put { key, mark, old_lease: 0 }
            }
        }
    }

    /// Deletes every key in `range` that exists, in order, at the next sub-revisions from `at` on. Tells `deleted` the key, the
    /// revision of its deletion and the lease that it was attached to; returns how many there were.
    pub(crate) fn delete(
        &mut self,
        range: KeyRange<'_>,
        mut at: Revision,
        mut deleted: impl FnMut(&Bytes, Revision, i64),
    ) -> i64 {
        let first = at.sub;
        let Some(bounds) = range.bounds() else { return 0 };
        for (key, history) in self.keys.range_mut::<Bytes, _>(bounds) {
            if !history.is_alive() {
                continue;
            }
            history.push(Mark::deletion(at));
            self.alive -= 1;
            deleted(key, at, core::mem::take(&mut history.lease));
            at.sub += 1;
        }
        at.sub - first
    }

    /// An index of histories, whose keys are in order and each other's equals nowhere.
    pub(crate) fn of(entries: Vec<(Bytes, History)>) -> Index {
        let alive = entries.iter().filter(|(_, history)| history.is_alive()).count() as u64;
        Index { keys: entries.into_iter().collect(), alive }
    }

    /// All histories, in order of key.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&Bytes, &History)> {
        self.keys.iter()
    }

    /// Takes in a change from a snapshot, whose changes come in order. Returns the key as the index holds it; `None` if the change
    /// cannot have happened. What a sweep would take is as good as what it would leave.
    pub(crate) fn restore(&mut self, key: &Bytes, mark: Mark, lease: i64, compacted: i64) -> Option<Bytes> {
        let bounds = (Bound::Included(key), Bound::Included(key));
        let Some((key, history)) = self.keys.range_mut::<Bytes, _>(bounds).next() else {
            if !History::can_begin(mark, compacted) {
                return None;
            }
            let mut history = History::new(mark);
            history.lease = lease;
            self.alive += u64::from(history.is_alive());
            let key = Bytes::copy_from_slice(key);
            self.keys.insert(key.clone(), history);
            return Some(key);
        };
        if !history.can_follow(mark) {
            return None;
        }
        self.alive = self.alive + u64::from(!mark.is_deletion()) - u64::from(history.is_alive());
        history.push(mark);
        history.lease = lease;
        Some(key.clone())
    }

    /// Forgets what is not needed after a compaction at `compacted`, for keys from `from` to before `end`, until the budget is
    /// spent: one for each change forgotten, or one for a key without any. Returns the key to go on with, if there is more.
    pub(crate) fn forget(
        &mut self,
        compacted: i64,
        from: &Bytes,
        end: Option<&Bytes>,
        budget: &mut usize,
        mut forgotten: impl FnMut(Revision),
    ) -> Option<Bytes> {
        let mut gone = Vec::new();
        let mut next = None;
        for (key, history) in self.keys.range_mut::<Bytes, _>((Bound::Included(from), Bound::Unbounded)) {
            if end.is_some_and(|end| key >= end) {
                break;
            }
            if *budget == 0 {
                next = Some(key.clone());
                break;
            }
            let before = *budget;
            match history.forget(compacted, budget, &mut forgotten) {
                Left::Some => {}
                Left::Nothing => gone.push(key.clone()),
                Left::More => {
                    next = Some(key.clone());
                    break;
                }
            }
            // Looking costs, too, but a budget of one must get somewhere.
            *budget -= usize::from(*budget == before);
        }
        for key in gone {
            self.keys.remove(&key);
        }
        next
    }
}
