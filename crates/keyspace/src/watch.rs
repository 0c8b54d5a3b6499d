//! Watches: who wants to hear of which changes, and what each has been told.
//!
//! They stand beside the machine and pull (DESIGN 16): nothing is pushed by `apply`. A *watcher* is a cursor into the history, the
//! next revision that it has not been given. Watchers belong to *streams*, and a stream has room for so many bytes that its client
//! has not taken.
//!
//! ```text
//!   machine ── advance ──▶ synced ─────────────────────────────────▶ stream, while it has room
//!      │                      │  ▲                                      │
//!      │              no room │  │ at the head                      no room
//!      │                      ▼  │                                      ▼
//!      └──── replay ───────▶ behind: nothing but a cursor ◀─────────────┘
//! ```
//!
//! * *Synced* watchers lie in an index by their keys. After every turn [`Watches::advance`] looks at what is new and tells those
//!   whom it concerns ([`tell`]).
//! * Watchers that are *behind*, because they start in the past or their stream had no room, cost a cursor and nothing else. When
//!   there is room, [`Watches::replay`] reads the history for them in pages, stream by stream, and one page serves all whose cursors
//!   lie in it. At the head they are synced again.
//! * A cursor below the last compaction cannot be served: the watcher is cancelled and told so.
//!
//! What a client is promised (etcd's API guarantees): events are *ordered* by revision and *unique*; none is left out (*reliable*);
//! all of one revision come together (*atomic*), unless the watcher agreed to fragments; a watch begun after the last revision that
//! was heard misses nothing (*resumable*); and a progress notification says that all up to its revision was told (*bookmarkable*).

mod advance;
mod interest;
mod interval;
mod page;
mod progress;
mod replay;
mod response;
mod stream;
mod tell;
mod watcher;

pub use page::{Page, ReadPages, Want};
pub use response::{WatchEvent, WatchNews, WatchRefusal, WatchRequest, WatchResponse};
pub use stream::StreamId;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec;
use alloc::vec::Vec;
use consensus::{Chance, Instant};
use core::time::Duration;
use interest::{Index, Interest};
use response::NOBODY;
use stream::Stream;
use watcher::{Pace, Watcher, Watchers};

/// Settings of the watches.
#[derive(Clone, Debug)]
pub struct WatchOptions {
    /// How often an idle watcher that wants to know is told how far it has come, to which up to a tenth is added for each stream.
    pub progress_interval: Duration,
    /// About how many bytes a stream holds for a client that does not read: at most …
    pub room_max: usize,
    /// … and, when there are many streams, at least.
    pub room_min: usize,
    /// About how many bytes all streams together hold, as long as `room_min` lets them.
    pub room_total: usize,
    /// How many bytes the keys of all watchers may have together.
    pub keys_total: usize,
    /// About how many bytes of history are read at a time for watchers that are behind.
    pub page_bytes: usize,
}

impl Default for WatchOptions {
    fn default() -> WatchOptions {
        WatchOptions {
            progress_interval: Duration::from_secs(10 * 60),
            room_max: 1 << 20,
            room_min: 64 << 10,
            room_total: 256 << 20,
            keys_total: 256 << 20,
            page_bytes: 256 << 10,
        }
    }
}

/// All watchers of one member.
///
/// Invariants: a synced watcher has been told everything up to `head` and lies in `synced`; one that is behind has a cursor at or
/// below it; a stream that has room and watchers that are behind waits in `turns`.
#[derive(Debug)]
pub struct Watches {
    options: WatchOptions,
    chance: Chance,
    /// Everything up to this revision was looked at.
    head: i64,
    streams: BTreeMap<StreamId, Stream>,
    watchers: Watchers,
    /// How many bytes their keys have.
    key_bytes: usize,
    synced: Index,
    /// Those for whom pages are read now, by their keys and by their cursors.
    replaying: Index,
    cursors: BTreeSet<(i64, u32)>,
    /// Streams for whom pages are to be read, in turn.
    turns: VecDeque<StreamId>,
    /// The page that is being read by somebody else.
    asked: Option<Want>,
    /// When each stream that wants progress notifications is due.
    ticks: BTreeSet<(Instant, StreamId)>,
    /// Watchers for whom something was gathered.
    touched: Vec<u32>,
    out: Vec<(StreamId, WatchResponse)>,
}

impl Watches {
    /// No watches, over a machine whose newest revision is `head`. The seed spreads progress notifications.
    pub fn new(head: i64, options: WatchOptions, seed: u64) -> Watches {
        Watches {
            options,
            chance: Chance::new(seed),
            head,
            streams: BTreeMap::new(),
            watchers: Watchers::default(),
            key_bytes: 0,
            synced: Index::default(),
            replaying: Index::default(),
            cursors: BTreeSet::new(),
            turns: VecDeque::new(),
            asked: None,
            ticks: BTreeSet::new(),
            touched: Vec::new(),
            out: Vec::new(),
        }
    }

    /// Opens a stream. Its id was never used before.
    pub fn open(&mut self, now: Instant, id: StreamId) {
        let tenth = self.options.progress_interval / 10;
        let interval = self.options.progress_interval + self.chance.between(Duration::ZERO, tenth);
        let before = self.streams.insert(id, Stream::new(now, interval));
        assert!(before.is_none(), "{id:?} is open already");
    }

    /// Closes a stream: its watchers are gone.
    pub fn close(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get(&id) else { return };
        for slot in stream.watchers.values().copied().collect::<Vec<_>>() {
            self.forget(slot);
        }
        self.streams.remove(&id);
    }

    /// Creates a watcher, or says why not. Nothing happens on a stream that is closed, here and below.
    pub fn create(&mut self, now: Instant, stream: StreamId, request: WatchRequest) {
        let head = self.head;
        let Some(Stream { watchers, next_id, .. }) = self.streams.get_mut(&stream) else { return };
        let refuse = |why| WatchResponse { watch_id: NOBODY, revision: head, what: WatchNews::Refused(why) };
        let Some(interest) = Interest::new(&request.key, &request.range_end) else {
            return self.say(stream, refuse(WatchRefusal::EmptyRange));
        };
        let key_bytes = self.key_bytes + interest.bytes();
        if key_bytes > self.options.keys_total {
            return self.say(stream, refuse(WatchRefusal::TooManyKeys));
        }
        let mut id = request.watch_id;
        if id == 0 {
            while watchers.contains_key(next_id) {
                *next_id += 1;
            }
            id = *next_id;
            *next_id += 1;
        } else if watchers.contains_key(&id) {
            return self.say(stream, refuse(WatchRefusal::DuplicateId));
        }
        self.key_bytes = key_bytes;
        let cursor = if request.start_revision == 0 { head + 1 } else { request.start_revision };
        let pace = if cursor > head { Pace::Synced } else { Pace::Waiting };
        let progress_notify = request.progress_notify;
        let slot = self.watchers.insert(Watcher::new(stream, id, interest, &request, cursor, pace));
        self.streams.get_mut(&stream).expect("looked up above").watchers.insert(id, slot);
        self.say(stream, WatchResponse { watch_id: id, revision: head, what: WatchNews::Created });
        self.enter(slot);
        if progress_notify {
            self.notify_from_now_on(now, stream);
        }
    }

    /// Cancels a watcher. One that does not exist is not answered, as in etcd.
    pub fn cancel(&mut self, stream: StreamId, id: i64) {
        let Some(&slot) = self.streams.get(&stream).and_then(|stream| stream.watchers.get(&id)) else { return };
        self.forget(slot);
        self.say(stream, WatchResponse { watch_id: id, revision: self.head, what: WatchNews::Canceled });
    }

    /// A stream's client has taken so many bytes ([`WatchResponse::weight`]). To be told at the latest when they are a quarter of
    /// [`WatchOptions::room_min`].
    pub fn took(&mut self, stream: StreamId, bytes: usize) {
        let Some(held) = self.streams.get_mut(&stream).map(|stream| &mut stream.held) else { return };
        *held = held.checked_sub(bytes).expect("no more is taken than was given");
        self.queue(stream);
    }

    /// What is to be sent, in order.
    pub fn responses(&mut self) -> vec::Drain<'_, (StreamId, WatchResponse)> {
        self.out.drain(..)
    }

    /// When to call [`Watches::advance`] and [`Watches::replay`] if nothing else comes first; the clock's start: at once.
    pub fn deadline(&self) -> Instant {
        if self.asked.is_none() && !self.turns.is_empty() {
            return Instant::ZERO;
        }
        self.ticks.first().map_or(Instant::NEVER, |&(at, _)| at)
    }

    /// Streams that are open.
    pub fn streams(&self) -> usize {
        self.streams.len()
    }

    /// Watchers.
    pub fn watchers(&self) -> usize {
        self.watchers.len()
    }

    /// Watchers that are behind.
    pub fn behind(&self) -> usize {
        self.watchers.len() - self.synced.len()
    }

    /// Queues a response.
    fn say(&mut self, stream: StreamId, response: WatchResponse) {
        let Some(held) = self.streams.get_mut(&stream).map(|stream| &mut stream.held) else { return };
        *held += response.weight();
        self.out.push((stream, response));
    }

    /// How many bytes a stream may hold: its share of what all may hold.
    fn room(&self) -> usize {
        let WatchOptions { room_min, room_max, room_total, .. } = self.options;
        (room_total / self.streams.len().max(1)).clamp(room_min, room_max.max(room_min))
    }

    /// Whether a stream holds as much as it may. What goes over the edge is one response.
    fn is_full(&self, stream: StreamId) -> bool {
        self.streams.get(&stream).is_none_or(|stream| stream.held >= self.room())
    }

    /// Puts a watcher where one of its pace belongs.
    fn enter(&mut self, slot: u32) {
        let watcher = &self.watchers[slot];
        let (stream, cursor) = (watcher.stream, watcher.cursor);
        match watcher.pace {
            Pace::Synced => self.synced.insert(&watcher.interest, slot),
            Pace::Waiting => {
                self.streams.get_mut(&stream).expect("its watchers end first").waiting.insert((cursor, slot));
                self.queue(stream);
            }
            Pace::Replaying => {
                self.replaying.insert(&watcher.interest, slot);
                self.enter_cursor(slot);
            }
            Pace::Served => unreachable!("only what replays is served"),
        }
    }

    /// Takes it from there.
    fn leave(&mut self, slot: u32) {
        let watcher = &self.watchers[slot];
        match watcher.pace {
            Pace::Synced => self.synced.remove(&watcher.interest, slot),
            Pace::Waiting => {
                let stream = self.streams.get_mut(&watcher.stream).expect("its watchers end first");
                stream.waiting.remove(&(watcher.cursor, slot));
            }
            Pace::Replaying => {
                self.replaying.remove(&watcher.interest, slot);
                self.leave_cursor(slot);
            }
            Pace::Served => self.replaying.remove(&watcher.interest, slot),
        }
    }

    /// Changes a watcher's pace.
    fn go(&mut self, slot: u32, pace: Pace, cursor: i64) {
        self.leave(slot);
        let watcher = &mut self.watchers[slot];
        (watcher.pace, watcher.cursor) = (pace, cursor);
        self.enter(slot);
    }

    /// Removes a watcher.
    fn forget(&mut self, slot: u32) {
        self.leave(slot);
        let watcher = self.watchers.remove(slot);
        self.key_bytes -= watcher.interest.bytes();
        let stream = self.streams.get_mut(&watcher.stream).expect("its watchers end first");
        stream.watchers.remove(&watcher.id);
        if watcher.progress_notify {
            self.notify_no_more(watcher.stream);
        }
    }

    /// Gives a stream a turn, if there is something to read for it and room to put it.
    fn queue(&mut self, id: StreamId) {
        if self.is_full(id) {
            return;
        }
        let Some(stream) = self.streams.get_mut(&id) else { return };
        if !stream.queued && stream.is_behind() {
            stream.queued = true;
            self.turns.push_back(id);
        }
    }

    /// Checks the invariants: for tests and simulation.
    pub fn check(&self) {
        let mut behind = 0;
        for (&id, stream) in &self.streams {
            behind += stream.waiting.len() + stream.replaying.len();
            assert!(stream.queued || !stream.is_behind() || stream.held >= self.options.room_min, "{id:?} waits for nothing");
            let notified = stream.watchers.values().filter(|&&slot| self.watchers[slot].progress_notify).count();
            assert_eq!(stream.notified, notified);
            assert_eq!(stream.next_tick.is_some_and(|at| self.ticks.contains(&(at, id))), notified > 0);
            for (&watch_id, &slot) in &stream.watchers {
                let watcher = &self.watchers[slot];
                assert_eq!((watcher.stream, watcher.id), (id, watch_id));
                let place = (watcher.cursor, slot);
                assert_eq!(stream.waiting.contains(&place), watcher.pace == Pace::Waiting);
                assert_eq!(stream.replaying.contains(&place), watcher.pace == Pace::Replaying);
                assert_eq!(self.cursors.contains(&place), watcher.pace == Pace::Replaying);
                assert!(watcher.pace == Pace::Synced || watcher.cursor <= self.head, "who is behind has something to hear");
                assert!(watcher.gathered.is_empty(), "what was gathered was said");
            }
        }
        assert_eq!(self.streams.values().map(|stream| stream.watchers.len()).sum::<usize>(), self.watchers.len());
        assert_eq!(behind, self.behind());
        assert_eq!(self.key_bytes, self.watchers.slots().map(|(_, watcher)| watcher.interest.bytes()).sum::<usize>());
        assert_eq!(self.cursors.len(), self.replaying.len());
        assert!(self.touched.is_empty());
    }
}
