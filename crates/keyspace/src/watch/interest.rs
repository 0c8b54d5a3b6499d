//! Which keys a watcher watches, and who watches a key.

use super::interval::{End, Intervals};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use bytes::Bytes;

/// What a watcher watches.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Interest {
    One(Bytes),
    /// From the first key to before the end.
    Span(Bytes, End),
}

impl Interest {
    /// What a request means by `key` and `range_end`; `None`: the range is empty. An empty key is the smallest there is, with or
    /// without a range (etcd's recvLoop), and an end of one zero byte is none.
    pub(super) fn new(key: &[u8], range_end: &[u8]) -> Option<Interest> {
        // Allocations of its own: slices would keep alive the message that brought them.
        let key = Bytes::copy_from_slice(if key.is_empty() { b"\0" } else { key });
        match range_end {
            b"" => Some(Interest::One(key)),
            b"\0" => Some(Interest::Span(key, End::Never)),
            end if &key[..] < end => Some(Interest::Span(key, End::Before(Bytes::copy_from_slice(end)))),
            _ => None,
        }
    }

    /// How long its keys are.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Interest::One(key) | Interest::Span(key, End::Never) => key.len(),
            Interest::Span(key, End::Before(end)) => key.len() + end.len(),
        }
    }
}

/// Who watches what.
#[derive(Debug, Default)]
pub(super) struct Index {
    keys: BTreeMap<Bytes, BTreeSet<u32>>,
    ranges: Intervals,
    len: usize,
}

impl Index {
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn insert(&mut self, interest: &Interest, watcher: u32) {
        self.len += 1;
        match interest {
            Interest::One(key) => {
                self.keys.entry(key.clone()).or_default().insert(watcher);
            }
            Interest::Span(start, end) => self.ranges.insert(start, end, watcher),
        }
    }

    /// Removes a watcher that is there.
    pub(super) fn remove(&mut self, interest: &Interest, watcher: u32) {
        self.len -= 1;
        match interest {
            Interest::One(key) => {
                let watchers = self.keys.get_mut(key).expect("who leaves was there");
                assert!(watchers.remove(&watcher), "who leaves was there");
                if watchers.is_empty() {
                    self.keys.remove(key);
                }
            }
            Interest::Span(start, end) => self.ranges.remove(start, end, watcher),
        }
    }

    /// Appends everyone who watches `key`, each once.
    pub(super) fn watchers_of(&self, key: &[u8], found: &mut Vec<u32>) {
        if let Some(watchers) = self.keys.get(key) {
            found.extend(watchers);
        }
        self.ranges.stab(key, found);
    }
}
