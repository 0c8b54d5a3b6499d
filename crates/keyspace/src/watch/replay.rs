//! Replaying the past for watchers that are behind.
//!
//! Streams take turns: for the one whose turn it is a page is read from the lowest cursor on that any of its watchers has, and the
//! page serves the watchers of all streams whose cursors lie in it. So a stream with ten thousand watchers that are behind gets no
//! more of the disk than one with one, and ten thousand that are behind together cost one reading.

use super::Watches;
use super::page::{Page, Want};
use super::response::{WatchNews, WatchResponse};
use super::stream::StreamId;
use super::watcher::Pace;
use crate::{Keyspace, Values};
use alloc::vec::Vec;

/// So many pages that are at hand are gone through in one turn of the machine.
const PAGES_PER_TURN: usize = 4;
/// For so many watchers of a stream is the history read at a time. Those who share a stream share its room, so more would only move
/// to and fro.
const REPLAYING_PER_STREAM: usize = 256;

impl Watches {
    /// Goes on with the past, a few pages, as far as they are in memory. Returns the page that has to be read, if it comes to one:
    /// it is to be handed to [`Watches::supply`], and until then nothing else is asked for.
    pub fn replay<V: Values>(&mut self, machine: &Keyspace<V>) -> Option<Want> {
        for _ in 0..PAGES_PER_TURN {
            let want = self.next_want(machine)?;
            match machine.values.page(want) {
                Some(page) => self.serve(machine, page),
                None => {
                    self.asked = Some(want);
                    return Some(want);
                }
            }
        }
        None
    }

    /// Takes the page that was asked for.
    pub fn supply<V: Values>(&mut self, machine: &Keyspace<V>, page: Page) {
        assert!(self.asked.take().is_some_and(|want| want.from == page.from && page.through <= want.upto), "as was asked for");
        self.serve(machine, page);
    }

    /// The page that was asked for could not be read. Another will be asked for.
    pub fn unread(&mut self) {
        self.asked = None;
    }

    /// What to read next, and for whom.
    fn next_want<V: Values>(&mut self, machine: &Keyspace<V>) -> Option<Want> {
        if self.asked.is_some() {
            return None;
        }
        while let Some(id) = self.turns.pop_front() {
            let full = self.is_full(id);
            let Some(stream) = self.streams.get_mut(&id) else { continue };
            stream.queued = false;
            // One that is full gets its turn when its client has taken something.
            if full {
                continue;
            }
            self.choose(id);
            self.cancel_compacted(machine, id);
            let Some(stream) = self.streams.get(&id) else { continue };
            let lowest = stream.replaying.first().map(|&(cursor, _)| cursor);
            self.queue(id);
            if let Some(from) = lowest {
                return Some(Want { from, upto: self.head, budget: self.options.page_bytes });
            }
        }
        None
    }

    /// Chooses for which watchers of a stream the history is read: those with the lowest cursors.
    fn choose(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get(&id) else { return };
        let places = REPLAYING_PER_STREAM.saturating_sub(stream.replaying.len());
        let chosen: Vec<_> = stream.waiting.iter().take(places).copied().collect();
        for (cursor, slot) in chosen {
            self.go(slot, Pace::Replaying, cursor);
        }
    }

    /// Cancels those of a stream's watchers whose next revision was compacted away.
    fn cancel_compacted<V: Values>(&mut self, machine: &Keyspace<V>, id: StreamId) {
        while let Some(stream) = self.streams.get(&id)
            && let Some(&(cursor, slot)) = stream.replaying.first()
            && cursor < machine.compacted
        {
            self.say_compacted(slot, machine.compacted);
        }
    }

    /// Tells those whose cursors lie in a page what it holds, and lets those catch up who are at the head then.
    fn serve<V: Values>(&mut self, machine: &Keyspace<V>, page: Page) {
        let within = self.cursors.range((page.from, 0)..=(page.through, u32::MAX));
        let mut served: Vec<u32> = within.map(|&(_, slot)| slot).collect();
        served.retain(|&slot| {
            // A page may have lost what was compacted while it was read.
            if self.watchers[slot].cursor < machine.compacted {
                self.say_compacted(slot, machine.compacted);
                return false;
            }
            self.leave_cursor(slot);
            self.watchers[slot].pace = Pace::Served;
            true
        });
        self.tell(machine, Pace::Served, page.changes, page.through);
        for slot in served {
            let watcher = &mut self.watchers[slot];
            if watcher.pace != Pace::Served {
                continue;
            }
            watcher.cursor = page.through + 1;
            if watcher.cursor > self.head {
                self.go(slot, Pace::Synced, page.through + 1);
            } else {
                watcher.pace = Pace::Replaying;
                self.enter_cursor(slot);
            }
        }
    }

    fn say_compacted(&mut self, slot: u32, compact_revision: i64) {
        let (stream, watch_id) = (self.watchers[slot].stream, self.watchers[slot].id);
        self.forget(slot);
        self.say(stream, WatchResponse { watch_id, revision: 0, what: WatchNews::Compacted { compact_revision } });
    }

    /// Notes that a page is for this watcher if its cursor lies in it.
    pub(super) fn enter_cursor(&mut self, slot: u32) {
        let (id, place) = (self.watchers[slot].stream, (self.watchers[slot].cursor, slot));
        self.cursors.insert(place);
        self.streams.get_mut(&id).expect("its watchers end first").replaying.insert(place);
        self.queue(id);
    }

    /// Notes that none is.
    pub(super) fn leave_cursor(&mut self, slot: u32) {
        let (id, place) = (self.watchers[slot].stream, (self.watchers[slot].cursor, slot));
        self.cursors.remove(&place);
        self.streams.get_mut(&id).expect("its watchers end first").replaying.remove(&place);
    }
}
