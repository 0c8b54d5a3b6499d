//! One watcher, and the shelf on which they all lie.

use super::interest::Interest;
use super::response::{WatchEvent, WatchRequest};
use super::stream::StreamId;
use crate::Change;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops;

/// A watcher: a cursor, and what it looks at.
#[derive(Debug)]
pub(super) struct Watcher {
    pub(super) stream: StreamId,
    pub(super) id: i64,
    pub(super) interest: Interest,
    no_put: bool,
    no_delete: bool,
    pub(super) prev_kv: bool,
    pub(super) fragment: bool,
    pub(super) progress_notify: bool,
    /// Whether it was told nothing since its stream's last progress notifications were due.
    pub(super) quiet: bool,
    /// The first revision that it may be given: everything before was, or is not wanted. While it is synced the head may be further.
    pub(super) cursor: i64,
    pub(super) pace: Pace,
    /// What it is about to be told.
    pub(super) gathered: Vec<Arc<WatchEvent>>,
}

/// How a watcher keeps up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Pace {
    /// With the head: it is told what is new.
    Synced,
    /// Behind, and nothing is read for it at the moment.
    Waiting,
    /// Behind, and the history is read for it.
    Replaying,
    /// The same, and the page that is at hand is for it, too.
    Served,
}

impl Watcher {
    pub(super) fn new(stream: StreamId, id: i64, interest: Interest, request: &WatchRequest, cursor: i64, pace: Pace) -> Watcher {
        Watcher {
            stream,
            id,
            interest,
            no_put: request.no_put,
            no_delete: request.no_delete,
            prev_kv: request.prev_kv,
            fragment: request.fragment,
            progress_notify: request.progress_notify,
            quiet: true,
            cursor,
            pace,
            gathered: Vec::new(),
        }
    }

    /// Whether its filters let a change through.
    pub(super) fn lets_through(&self, change: &Change) -> bool {
        match change {
            Change::Put(_) => !self.no_put,
            Change::Delete { .. } => !self.no_delete,
        }
    }
}

/// All watchers, each in a slot of its own.
#[derive(Debug, Default)]
pub(super) struct Watchers {
    slots: Vec<Option<Watcher>>,
    free: Vec<u32>,
}

impl Watchers {
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(super) fn insert(&mut self, watcher: Watcher) -> u32 {
        if let Some(slot) = self.free.pop() {
            self.slots[slot as usize] = Some(watcher);
            return slot;
        }
        self.slots.push(Some(watcher));
        u32::try_from(self.slots.len() - 1).expect("fewer watchers than there is memory for")
    }

    pub(super) fn remove(&mut self, slot: u32) -> Watcher {
        self.free.push(slot);
        self.slots[slot as usize].take().expect("who leaves was there")
    }

    /// The slots that are taken, in order.
    pub(super) fn slots(&self) -> impl Iterator<Item = (u32, &Watcher)> {
        (0..).zip(&self.slots).filter_map(|(slot, watcher)| watcher.as_ref().map(|watcher| (slot, watcher)))
    }
}

impl ops::Index<u32> for Watchers {
    type Output = Watcher;

    fn index(&self, slot: u32) -> &Watcher {
        self.slots[slot as usize].as_ref().expect("a slot that is referred to is taken")
    }
}

impl ops::IndexMut<u32> for Watchers {
    fn index_mut(&mut self, slot: u32) -> &mut Watcher {
        self.slots[slot as usize].as_mut().expect("a slot that is referred to is taken")
    }
}
