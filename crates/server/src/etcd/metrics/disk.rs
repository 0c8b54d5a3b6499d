//! How long the disk takes.

use super::{Metrics, Number, histogram, metric};
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use std::time::Duration;

/// The log and the data file, timed.
pub(super) struct DiskMetrics {
    write_seconds: Histogram,
    sync_seconds: Histogram,
    backend_seconds: Histogram,
    log_bytes: Number,
}

impl DiskMetrics {
    pub(super) fn new(r: &mut Registry) -> DiskMetrics {
        let mut seconds = |name, help| histogram(r, name, help, exponential_buckets(0.001, 2.0, 14));
        DiskMetrics {
            write_seconds: seconds("etcd_disk_wal_write_duration_seconds", "How long writes to the log take"),
            sync_seconds: seconds("etcd_disk_wal_fsync_duration_seconds", "How long syncs of the log take"),
            backend_seconds: seconds("etcd_disk_backend_commit_duration_seconds", "How long commits of the data file take"),
            log_bytes: metric(r, "etcd_disk_wal_write_bytes_total", "Bytes of entries written to the log"),
        }
    }
}

impl Metrics {
    pub(crate) fn log_written(&self, bytes: u64, took: Duration) {
        self.disk.log_bytes.inc_by(bytes);
        self.disk.write_seconds.observe(took.as_secs_f64());
    }

    pub(crate) fn log_synced(&self, took: Duration) {
        self.disk.sync_seconds.observe(took.as_secs_f64());
    }

    pub(crate) fn backend_committed(&self, took: Duration) {
        self.disk.backend_seconds.observe(took.as_secs_f64());
    }
}
