//! What is counted of watches, under etcd's names.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::sync::atomic::AtomicU64;

/// What is counted of watches.
#[derive(Debug)]
pub(crate) struct WatchMetrics {
    streams: Gauge<u64, AtomicU64>,
    watchers: Gauge<u64, AtomicU64>,
    behind: Gauge<u64, AtomicU64>,
    events: Counter,
    pending: Gauge,
}

impl WatchMetrics {
    pub(crate) fn new(registry: &mut Registry) -> WatchMetrics {
        let metrics = WatchMetrics {
            streams: Gauge::default(),
            watchers: Gauge::default(),
            behind: Gauge::default(),
            events: Counter::default(),
            pending: Gauge::default(),
        };
        let name = |name: &str| format!("etcd_debugging_mvcc_{name}");
        registry.register(name("watch_stream_total"), "Open streams of watches", metrics.streams.clone());
        registry.register(name("watcher_total"), "Watchers", metrics.watchers.clone());
        registry.register(name("slow_watcher_total"), "Watchers that are behind", metrics.behind.clone());
        registry.register(name("events"), "Events that were sent to watchers", metrics.events.clone());
        registry.register(name("pending_events_total"), "Events that wait for their clients", metrics.pending.clone());
        metrics
    }

    /// Notes how many there are.
    pub(crate) fn note(&self, streams: usize, watchers: usize, behind: usize) {
        self.streams.set(streams as u64);
        self.watchers.set(watchers as u64);
        self.behind.set(behind as u64);
    }

    /// So many events wait for a client.
    pub(crate) fn pending(&self, events: usize) {
        self.pending.inc_by(signed(events));
    }

    /// So many do no longer: the client has them, or is gone.
    pub(crate) fn sent(&self, events: usize) {
        self.pending.dec_by(signed(events));
        self.events.inc_by(events as u64);
    }
}

fn signed(events: usize) -> i64 {
    i64::try_from(events).unwrap_or(i64::MAX)
}
