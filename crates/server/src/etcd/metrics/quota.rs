//! The quota, which is told only if there is one: etcd's alert rules divide by it.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// The quota in bytes; nothing while there is none.
#[derive(Clone, Debug, Default)]
pub(super) struct QuotaBytes(pub(super) Arc<OnceLock<u64>>);

impl Collector for QuotaBytes {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Some(&bytes) = self.0.get() else { return Ok(()) };
        let help = "Bytes of history at which writes are refused";
        let gauge = ConstGauge::new(bytes);
        gauge.encode(encoder.encode_descriptor("etcd_server_quota_backend_bytes", help, None, MetricType::Gauge)?)
    }
}
