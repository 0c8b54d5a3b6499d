//! The RPCs that clients call, as go-grpc-prometheus counts them, and their bytes.

use super::{Histograms, Metrics, histograms, metric};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::time::Duration;

/// The buckets of an RPC's time: Prometheus's own (prometheus.DefBuckets).
const SECONDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// RPCs, counted.
pub(super) struct RpcMetrics {
    started: Family<RpcName, Counter>,
    handled: Family<RpcResult, Counter>,
    seconds: Histograms<RpcName>,
    received_bytes: Counter,
    sent_bytes: Counter,
}

impl RpcMetrics {
    pub(super) fn new(r: &mut Registry) -> RpcMetrics {
        RpcMetrics {
            started: metric(r, "grpc_server_started", "RPCs begun"),
            handled: metric(r, "grpc_server_handled", "RPCs ended, by code"),
            seconds: histograms(r, "grpc_server_handling_seconds", "How long RPCs take", || Histogram::new(SECONDS)),
            received_bytes: metric(r, "etcd_network_client_grpc_received_bytes", "Bytes of clients' requests"),
            sent_bytes: metric(r, "etcd_network_client_grpc_sent_bytes", "Bytes of answers to clients"),
        }
    }
}

impl Metrics {
    /// How often an RPC began, and how often it ended well. It is shown from now on, with zeros: a dashboard subtracts those that
    /// ended from those that began.
    pub(crate) fn rpc(&self, name: RpcName) -> (Counter, Counter) {
        (self.rpcs.started.get_or_create(&name).clone(), self.rpcs.handled.get_or_create(&name.with("OK")).clone())
    }

    /// An RPC ended with a code that is not OK.
    pub(crate) fn rpc_failed(&self, name: RpcName, grpc_code: &'static str) {
        self.rpcs.handled.get_or_create(&name.with(grpc_code)).inc();
    }

    /// How long an RPC took, if that is wanted.
    pub(crate) fn rpc_took(&self, name: RpcName, took: Duration) {
        self.rpcs.seconds.get_or_create(&name).observe(took.as_secs_f64());
    }

    pub(crate) fn grpc_received_bytes(&self) -> &Counter {
        &self.rpcs.received_bytes
    }

    pub(crate) fn grpc_sent_bytes(&self) -> &Counter {
        &self.rpcs.sent_bytes
    }
}

/// An RPC, as go-grpc-prometheus labels it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(crate) struct RpcName {
    pub(crate) grpc_method: &'static str,
    pub(crate) grpc_service: &'static str,
    /// unary, server_stream or bidi_stream.
    pub(crate) grpc_type: &'static str,
}

impl RpcName {
    /// Whether a client may send several requests.
    pub(crate) fn is_stream(self) -> bool {
        self.grpc_type == "bidi_stream"
    }

    fn with(self, grpc_code: &'static str) -> RpcResult {
        let RpcName { grpc_method, grpc_service, grpc_type } = self;
        RpcResult { grpc_code, grpc_method, grpc_service, grpc_type }
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct RpcResult {
    grpc_code: &'static str,
    grpc_method: &'static str,
    grpc_service: &'static str,
    grpc_type: &'static str,
}
