//! What health checks found.

use super::{Metrics, Number, metric};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// Health checks, counted.
pub(super) struct HealthMetrics {
    success: Number,
    failures: Number,
    /// The last result of each sub-check.
    check: Family<Check, Number>,
    checks: Family<CheckResult, Counter>,
}

impl HealthMetrics {
    pub(super) fn new(r: &mut Registry) -> HealthMetrics {
        HealthMetrics {
            success: metric(r, "etcd_server_health_success", "Health checks that found this member well"),
            failures: metric(r, "etcd_server_health_failures", "Health checks that did not"),
            check: metric(r, "etcd_server_healthcheck", "The result of each kind of health check"),
            checks: metric(r, "etcd_server_healthchecks", "Health checks by kind and result"),
        }
    }
}

impl Metrics {
    /// One question to `/health`.
    pub(crate) fn health(&self, well: bool) {
        let counts = if well { &self.health.success } else { &self.health.failures };
        counts.inc();
    }

    /// One sub-check of `/livez` or `/readyz`.
    pub(crate) fn health_check(&self, kind: &'static str, name: &'static str, well: bool) {
        self.health.check.get_or_create(&Check { r#type: kind, name }).set(well.into());
        let status = if well { "success" } else { "error" };
        self.health.checks.get_or_create(&CheckResult { r#type: kind, name, status }).inc();
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Check {
    r#type: &'static str,
    name: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct CheckResult {
    r#type: &'static str,
    name: &'static str,
    status: &'static str,
}
