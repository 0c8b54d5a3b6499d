//! Compaction: at once for readers, little by little for memory (DESIGN 17).
//!
//! A compaction moves the border below which nothing can be read, and that is all that clients see. What it made unreadable is
//! swept up later, off the path of commands: as many keys at a time as [`Keyspace::sweep`] is told to, in a round over the index.
//! Whoever calls it lets watchers see first what was applied.
//!
//! ```text
//!   first key ──── next ───────────── last key        first part of a round: from `next` to the last key
//!   first key ──── until                              second part: what lay before `next` when a newer compaction came
//! ```
//!
//! Before the first round of a compaction comes its checksum ([`crate::Hashing`]), for which all is read that there is.
//!
//! A snapshot in progress holds the sweep back if it began before the compaction: it may still need what would be swept up. So does
//! a checksum in progress.

use crate::{CompactRequest, Keyspace, KeyspaceError, Values};
use bytes::Bytes;

/// A round over the index.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Sweep {
    compacted: i64,
    /// The first key not seen yet.
    next: Bytes,
    /// Where this part of the round ends; `None`: with the last key.
    end: Option<Bytes>,
    /// Where the second part ends, if there is one to come.
    until: Option<Bytes>,
}

impl Sweep {
    /// A round over all keys.
    pub(crate) fn begin(compacted: i64) -> Sweep {
        Sweep { compacted, next: Bytes::new(), end: None, until: None }
    }
}

impl<V: Values> Keyspace<V> {
    pub(crate) fn compact(&mut self, request: CompactRequest) -> Result<(), KeyspaceError> {
        if request.revision <= self.compacted {
            return Err(KeyspaceError::Compacted);
        }
        if request.revision > self.revision {
            return Err(KeyspaceError::FutureRevision);
        }
        let previous = core::mem::replace(&mut self.compacted, request.revision);
        // As in etcd, a compaction that comes before the last one is swept up has no checksum of its own.
        if self.sweep.is_none() {
            self.compaction_hash = Some(self.begin_compaction_hash(previous, request.revision));
        }
        // A round in progress goes on with the new border, and then sees again what it saw with the old one. (Starting over instead
        // could keep it from ever reaching the end.)
        let next = self.sweep.take().map(|sweep| sweep.next).unwrap_or_default();
        let until = Some(next.clone()).filter(|next| !next.is_empty());
        self.sweep = Some(Sweep { compacted: request.revision, next, end: None, until });
        Ok(())
    }

    /// Whether the values hold all that happened from revision `from` on: a compaction that nothing was swept up after has taken
    /// nothing yet.
    pub(crate) fn has_all_since(&self, from: i64) -> bool {
        from >= self.swept
    }

    /// Frees about `budget` changes that a compaction made unreadable, or looks at as many keys for them. Returns whether something
    /// is left, so that a budget of 0 merely asks: a compaction with `physical` is to be answered when nothing is. While a
    /// snapshot holds the sweep back something is left and nothing is done ([`Keyspace::is_sweep_held`]), so whoever calls this
    /// does so now and then and does not wait for it in a loop.
    ///
    /// Nothing that clients can see depends on it but the size of the store.
    pub fn sweep(&mut self, mut budget: usize) -> bool {
        if let Some(mut hashing) = self.compaction_hash.take() {
            let Some(hash) = self.hash_on(&mut hashing, &mut budget) else {
                self.compaction_hash = Some(hashing);
                return true;
            };
            self.end_compaction_hash(hashing, hash);
        }
        let Some(sweep) = &mut self.sweep else { return false };
        if self.pins.values().any(|&pinned| pinned < sweep.compacted) {
            return true;
        }
        let Keyspace { index, values, swept, .. } = self;
        while budget > 0 {
            *swept = sweep.compacted;
            let forgotten = |at| values.remove(at);
            match index.forget(sweep.compacted, &sweep.next, sweep.end.as_ref(), &mut budget, forgotten) {
                Some(next) => sweep.next = next,
                None if sweep.until.is_some() => {
                    sweep.next = Bytes::new();
                    sweep.end = sweep.until.take();
                }
                None => {
                    self.sweep = None;
                    return false;
                }
            }
        }
        true
    }

    /// Whether there is something to sweep up that must wait, for a snapshot or for a checksum that somebody asked for.
    pub fn is_sweep_held(&self) -> bool {
        let Some(sweep) = &self.sweep else { return false };
        self.compaction_hash.is_none() && self.pins.values().any(|&pinned| pinned < sweep.compacted)
    }
}
