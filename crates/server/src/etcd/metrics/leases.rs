//! What `/metrics` says of leases. The machine counts; here it only gets its names.

use super::metric;
use keyspace::{LeaseTally, TTL_BUCKETS};
use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

/// Leases, counted.
pub(crate) struct LeaseMetrics {
    granted: Counter,
    revoked: Counter,
    renewed: Counter,
    expired: Counter,
    ttls: Ttls,
}

impl LeaseMetrics {
    pub(super) fn new(r: &mut Registry) -> LeaseMetrics {
        LeaseMetrics {
            granted: metric(r, "etcd_debugging_lease_granted", "Leases granted"),
            revoked: metric(r, "etcd_debugging_lease_revoked", "Leases that ended"),
            renewed: metric(r, "etcd_debugging_lease_renewed", "Renewals that this member answered as the leader"),
            expired: metric(
                r,
                "etcd_debugging_server_lease_expired",
                "Leases that this member ended as the leader because they ran out",
            ),
            ttls: metric(r, "etcd_debugging_lease_ttl_total", "For how many seconds leases were granted"),
        }
    }

    /// What happened to leases.
    pub(crate) fn set(&self, tally: LeaseTally) {
        let counted = [
            (&self.granted, tally.granted),
            (&self.revoked, tally.revoked),
            (&self.renewed, tally.renewed),
            (&self.expired, tally.expired),
        ];
        for (counter, count) in counted {
            counter.inner().store(count, Ordering::Relaxed);
        }
        *self.ttls.0.lock().expect("nobody panics while holding it") = tally;
    }
}

/// A histogram that was counted elsewhere.
#[derive(Clone, Debug, Default)]
struct Ttls(Arc<Mutex<LeaseTally>>);

impl EncodeMetric for Ttls {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let tally = *self.0.lock().expect("nobody panics while holding it");
        let bounds = (0..TTL_BUCKETS).map(|power| f64::from(1 << power)).chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(tally.ttls).collect();
        encoder.encode_histogram::<NoLabelSet>(tally.ttl_seconds as f64, tally.granted, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::encoding::text::encode;

    #[test]
    fn leases_are_shown_under_the_names_of_etcd() {
        let mut registry = Registry::default();
        let metrics = LeaseMetrics::new(&mut registry);
        let mut tally = LeaseTally { granted: 3, revoked: 2, renewed: 9, expired: 1, ttl_seconds: 70, ..LeaseTally::default() };
        (tally.ttls[2], tally.ttls[6]) = (2, 1);
        metrics.set(tally);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for line in [
            "etcd_debugging_lease_granted_total 3",
            "etcd_debugging_lease_revoked_total 2",
            "etcd_debugging_lease_renewed_total 9",
            "etcd_debugging_server_lease_expired_total 1",
            "etcd_debugging_lease_ttl_total_sum 70.0",
            "etcd_debugging_lease_ttl_total_count 3",
            "etcd_debugging_lease_ttl_total_bucket{le=\"2.0\"} 0",
            "etcd_debugging_lease_ttl_total_bucket{le=\"4.0\"} 2",
            "etcd_debugging_lease_ttl_total_bucket{le=\"64.0\"} 3",
            "etcd_debugging_lease_ttl_total_bucket{le=\"+Inf\"} 3",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line} is not in\n{text}");
        }
    }
}
