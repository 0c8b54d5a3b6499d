//! What is kept, and what is done with it.

use super::{Metrics, Number, histogram, metric};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use std::time::Duration;

/// The keyspace, measured and counted.
pub(super) struct MvccMetrics {
    revision: Number,
    compacted: Number,
    keys: Number,
    db_size: Number,
    db_size_in_use: Number,
    ranges: Counter,
    puts: Counter,
    deletes: Counter,
    txns: Counter,
    hash_seconds: Histogram,
}

impl MvccMetrics {
    pub(super) fn new(r: &mut Registry) -> MvccMetrics {
        MvccMetrics {
            revision: metric(r, "etcd_debugging_mvcc_current_revision", "The revision now"),
            compacted: metric(r, "etcd_debugging_mvcc_compact_revision", "The last compaction"),
            keys: metric(r, "etcd_debugging_mvcc_keys_total", "Keys that exist now"),
            db_size: metric(r, "etcd_mvcc_db_total_size_in_bytes", "Bytes of every revision that is held"),
            db_size_in_use: metric(r, "etcd_mvcc_db_total_size_in_use_in_bytes", "Bytes that a reader could ask for"),
            ranges: metric(r, "etcd_mvcc_range", "Ranges answered here"),
            puts: metric(r, "etcd_mvcc_put", "Puts applied here"),
            deletes: metric(r, "etcd_mvcc_delete", "Deletes applied here"),
            txns: metric(r, "etcd_mvcc_txn", "Transactions applied here"),
            hash_seconds: histogram(
                r,
                "etcd_mvcc_hash_rev_duration_seconds",
                "How long HashKV takes",
                exponential_buckets(0.01, 2.0, 15),
            ),
        }
    }

    /// Notes what only a look at the keyspace tells.
    pub(super) fn set(&self, machine: &keyspace::Status) {
        self.revision.set(machine.revision.unsigned_abs());
        self.compacted.set(machine.compacted.max(0).unsigned_abs());
        self.keys.set(machine.keys);
        self.db_size.set(machine.db_size);
        self.db_size_in_use.set(machine.db_size_in_use);
    }
}

impl Metrics {
    pub(crate) fn range(&self) {
        self.mvcc.ranges.inc();
    }

    pub(crate) fn put(&self) {
        self.mvcc.puts.inc();
    }

    pub(crate) fn delete(&self) {
        self.mvcc.deletes.inc();
    }

    pub(crate) fn txn(&self) {
        self.mvcc.txns.inc();
    }

    /// A checksum of the history was taken.
    pub(crate) fn hashed(&self, took: Duration) {
        self.mvcc.hash_seconds.observe(took.as_secs_f64());
    }
}
