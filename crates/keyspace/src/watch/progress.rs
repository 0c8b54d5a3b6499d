//! Progress notifications: how far a watcher has come to whom nothing happens.
//!
//! ```text
//!   stream opened ──── interval ────▶ tick ──── interval ────▶ tick …
//!                         │                        │
//!                      no event: notified       event: not this time
//! ```

use super::Watches;
use super::response::{NOBODY, WatchNews, WatchResponse};
use super::stream::StreamId;
use super::watcher::Pace;
use alloc::vec::Vec;
use consensus::Instant;

impl Watches {
    /// A client asks how far all watchers of its stream have come. Answered only if all are synced and there is room; else it may
    /// ask again, as with etcd (watchableStore's progressAll). A stream without watchers is not answered either.
    pub fn request_progress(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get(&id) else { return };
        if stream.watchers.is_empty() || stream.is_behind() || self.is_full(id) {
            return;
        }
        self.say(id, WatchResponse { watch_id: NOBODY, revision: self.head, what: WatchNews::Progress });
    }

    /// Notifies the idle watchers of the streams that are due.
    pub(super) fn notify_progress(&mut self, now: Instant) {
        while let Some(&(at, id)) = self.ticks.first()
            && at <= now
        {
            self.ticks.pop_first();
            let full = self.is_full(id);
            let stream = self.streams.get_mut(&id).expect("a stream that is gone is never due");
            let next = stream.tick_after(now);
            stream.next_tick = Some(next);
            let slots: Vec<u32> = stream.watchers.values().copied().collect();
            self.ticks.insert((next, id));
            for slot in slots {
                let watcher = &mut self.watchers[slot];
                if !watcher.progress_notify {
                    continue;
                }
                let quiet = core::mem::replace(&mut watcher.quiet, true);
                if quiet && watcher.pace == Pace::Synced && !full {
                    let response = WatchResponse { watch_id: watcher.id, revision: self.head, what: WatchNews::Progress };
                    self.say(id, response);
                }
            }
        }
    }

    /// A watcher of this stream wants to be notified.
    pub(super) fn notify_from_now_on(&mut self, now: Instant, id: StreamId) {
        let stream = self.streams.get_mut(&id).expect("it has a watcher");
        stream.notified += 1;
        if stream.next_tick.is_none() {
            let next = stream.tick_after(now);
            stream.next_tick = Some(next);
            self.ticks.insert((next, id));
        }
    }

    /// One that did is gone.
    pub(super) fn notify_no_more(&mut self, id: StreamId) {
        let stream = self.streams.get_mut(&id).expect("its watchers end first");
        stream.notified -= 1;
        if stream.notified == 0
            && let Some(tick) = stream.next_tick.take()
        {
            self.ticks.remove(&(tick, id));
        }
    }
}
