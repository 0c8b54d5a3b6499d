//! A client's stream of watches.

use alloc::collections::{BTreeMap, BTreeSet};
use consensus::Instant;
use core::time::Duration;

/// Names a stream. Chosen by the driver, never used twice in a process.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct StreamId(pub u64);

/// A stream.
#[derive(Debug)]
pub(super) struct Stream {
    /// By id.
    pub(super) watchers: BTreeMap<i64, u32>,
    /// The next id that is tried for a watcher that brings none. etcd counts from 0.
    pub(super) next_id: i64,
    /// Bytes that the client has not taken yet.
    pub(super) held: usize,
    /// Watchers that are behind, by cursor: those for whom nothing is read at the moment, and those for whom something is.
    pub(super) waiting: BTreeSet<(i64, u32)>,
    pub(super) replaying: BTreeSet<(i64, u32)>,
    /// Whether it waits for its turn.
    pub(super) queued: bool,
    /// How many of its watchers want progress notifications.
    pub(super) notified: usize,
    /// When they are due, from the stream's beginning on.
    pub(super) opened: Instant,
    pub(super) interval: Duration,
    pub(super) next_tick: Option<Instant>,
}

impl Stream {
    pub(super) fn new(now: Instant, interval: Duration) -> Stream {
        Stream {
            watchers: BTreeMap::new(),
            next_id: 0,
            held: 0,
            waiting: BTreeSet::new(),
            replaying: BTreeSet::new(),
            queued: false,
            notified: 0,
            opened: now,
            interval,
            next_tick: None,
        }
    }

    /// When the stream's progress notifications are due next: a whole number of intervals after its beginning.
    pub(super) fn tick_after(&self, now: Instant) -> Instant {
        let interval = self.interval.as_nanos().max(1);
        let passed = now.since(self.opened).as_nanos() / interval + 1;
        let nanos = passed.saturating_mul(interval);
        self.opened + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    pub(super) fn is_behind(&self) -> bool {
        !self.waiting.is_empty() || !self.replaying.is_empty()
    }
}
