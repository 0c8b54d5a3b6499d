//! Which clients ask: their requests, by kind and by the version that they say they are.

use super::{Metrics, metric};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use std::sync::OnceLock;

/// What clients say of themselves, most of them: clientv3 its version, others nothing.
const USUAL_VERSIONS: [&str; 5] = ["unknown", "3.4", "3.5", "3.6", "3.7"];

/// Clients' requests, counted.
pub(super) struct ClientMetrics {
    requests: Family<ClientRequest, Counter>,
    /// Of those, the unary ones of usual clients, found without a search.
    usual: [OnceLock<Counter>; USUAL_VERSIONS.len()],
}

impl ClientMetrics {
    pub(super) fn new(r: &mut Registry) -> ClientMetrics {
        ClientMetrics {
            requests: metric(r, "etcd_server_client_requests", "Client requests by kind and client version"),
            usual: std::array::from_fn(|_| OnceLock::new()),
        }
    }
}

impl Metrics {
    pub(crate) fn client_request(&self, kind: &'static str, client_api_version: &str) {
        let usual = USUAL_VERSIONS.iter().position(|&usual| kind == "unary" && usual == client_api_version);
        if let Some(counter) = usual.and_then(|at| self.clients.usual[at].get()) {
            counter.inc();
            return;
        }
        // Clients may send anything; only what could be a version gets a line of its own.
        let short = client_api_version.len() <= 5 && client_api_version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let client_api_version = if short { client_api_version } else { "unknown" }.to_owned();
        let counter = self.clients.requests.get_or_create(&ClientRequest { r#type: kind, client_api_version }).clone();
        counter.inc();
        if let Some(at) = usual {
            // Whoever was faster set the same.
            let _ = self.clients.usual[at].set(counter);
        }
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct ClientRequest {
    r#type: &'static str,
    client_api_version: String,
}
