//! From changes to responses: who is told of what.
//!
//! A stretch of the history is gone through once. Each change is looked up in an index and lies, shared, with everyone whom it
//! concerns; between two revisions what lies there is made into responses, for streams that have room.

use super::Watches;
use super::response::{WatchEvent, WatchNews, WatchResponse};
use super::watcher::Pace;
use crate::{Change, KeyValue, Keyspace, Revision, Values};
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;

/// So many events may lie with watchers before they are made into responses: ten thousand watchers of one key must not multiply a
/// long stretch of history in memory.
const GATHERED_MAX: usize = 32 << 10;
/// So much of what was there before may lie with them: little changes may have ended large values.
const BEFORE_MAX: usize = 1 << 20;
/// About how many bytes a response holds at most, if one revision is not more.
const RESPONSE_BYTES: usize = 256 << 10;

impl Watches {
    /// Tells the watchers of this pace what happened: `changes` are all there were up to and including revision `through`. A watcher
    /// whose stream has no room is left behind, with its cursor at the first revision that it was not told.
    pub(super) fn tell<V: Values>(&mut self, machine: &Keyspace<V>, pace: Pace, changes: Vec<(Revision, Change)>, through: i64) {
        let mut concerned = Vec::new();
        let (mut gathered, mut before) = (0, 0);
        let mut last = 0;
        for (at, change) in changes {
            if (gathered >= GATHERED_MAX || before >= BEFORE_MAX) && at.main > last {
                self.say_gathered(last);
                (gathered, before) = (0, 0);
            }
            last = at.main;
            concerned.clear();
            let index = if pace == Pace::Synced { &self.synced } else { &self.replaying };
            index.watchers_of(change.key(), &mut concerned);
            let watchers = &self.watchers;
            concerned.retain(|&slot| {
                let watcher = &watchers[slot];
                watcher.pace == pace && watcher.cursor <= at.main && watcher.lets_through(&change)
            });
            if concerned.is_empty() {
                continue;
            }
            gathered += concerned.len();
            let prev_kv = match &change {
                Change::Put(kv) if kv.create_revision == kv.mod_revision => None,
                _ if concerned.iter().any(|&slot| watchers[slot].prev_kv) => machine.before(change.key(), at.main),
                _ => None,
            };
            before += prev_kv.as_ref().map_or(0, |kv| kv.key.len() + kv.value.len());
            let event = Arc::new(WatchEvent { revision: at, change, prev_kv });
            for &slot in &concerned {
                let lying = &mut self.watchers[slot].gathered;
                if lying.is_empty() {
                    self.touched.push(slot);
                }
                lying.push(event.clone());
            }
        }
        self.say_gathered(through);
    }

    /// Makes what was gathered into responses; it is everything up to `upto`.
    fn say_gathered(&mut self, upto: i64) {
        let mut touched = core::mem::take(&mut self.touched);
        for slot in touched.drain(..) {
            let events = core::mem::take(&mut self.watchers[slot].gathered);
            self.say_events(slot, events, upto);
        }
        self.touched = touched;
    }

    /// Says `events`, which are all for this watcher up to `upto`, in responses of whole revisions.
    fn say_events(&mut self, slot: u32, events: Vec<Arc<WatchEvent>>, upto: i64) {
        let watcher = &mut self.watchers[slot];
        let (stream, watch_id, prev_kv, fragment) = (watcher.stream, watcher.id, watcher.prev_kv, watcher.fragment);
        let mut rest = events;
        while let Some(first) = rest.first() {
            if self.is_full(stream) {
                let cursor = first.revision.main;
                return self.go(slot, Pace::Waiting, cursor);
            }
            let later = rest.split_off(piece(&rest, prev_kv));
            // The header's revision promises that everything up to it was told, so that who resumes after it misses nothing. (etcd
            // gives the newest there is, with more to come.)
            let revision = if later.is_empty() { upto } else { rest.last().expect("a piece holds something").revision.main };
            let what = WatchNews::Events { events: rest, prev_kv, fragment };
            self.say(stream, WatchResponse { watch_id, revision, what });
            self.watchers[slot].quiet = false;
            rest = later;
        }
    }
}

/// How many of the first events make a response.
fn piece(events: &[Arc<WatchEvent>], prev_kv: bool) -> usize {
    let mut bytes = 0;
    let mut last = 0;
    for (index, event) in events.iter().enumerate() {
        if bytes >= RESPONSE_BYTES && event.revision.main > last {
            return index;
        }
        last = event.revision.main;
        bytes += event.weight(prev_kv);
    }
    events.len()
}

impl<V: Values> Keyspace<V> {
    /// A key as it was before revision `main`, if that can still be read: what etcd's sendLoop looks up for `prev_kv`.
    fn before(&self, key: &Bytes, main: i64) -> Option<KeyValue> {
        if main - 1 < self.compacted {
            return None;
        }
        self.index.history(key)?.get(main - 1).map(|mark| self.view().fetch(mark))
    }
}
