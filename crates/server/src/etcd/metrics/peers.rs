//! What goes to the other members and comes from them.

use super::{Histograms, Metrics, Number, histograms, metric};
use consensus::NodeId;
use prometheus_client::encoding::{EncodeLabelSet, LabelSetEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use std::fmt;
use std::time::Duration;

/// Links to peers and what they carry, counted.
pub(super) struct PeerMetrics {
    active: Family<Pair, Number>,
    disconnected: Family<Pair, Counter>,
    sent: Family<PeerLabel<To>, Counter>,
    received: Family<PeerLabel<From_>, Counter>,
    send_failures: Family<PeerLabel<To>, Counter>,
    receive_failures: Family<PeerLabel<From_>, Counter>,
    heartbeat_send_failures: Counter,
    snapshots_sent: Family<PeerLabel<To>, Number>,
    snapshot_failures: Family<PeerLabel<To>, Number>,
    round_trips: Histograms<PeerLabel<To>>,
}

impl PeerMetrics {
    pub(super) fn new(r: &mut Registry) -> PeerMetrics {
        PeerMetrics {
            active: metric(r, "etcd_network_active_peers", "Peers to which a link stands"),
            disconnected: metric(r, "etcd_network_disconnected_peers", "Links lost"),
            sent: metric(r, "etcd_network_peer_sent_bytes", "Bytes sent to peers"),
            received: metric(r, "etcd_network_peer_received_bytes", "Bytes received from peers"),
            send_failures: metric(r, "etcd_network_peer_sent_failures", "Messages that could not be sent"),
            receive_failures: metric(r, "etcd_network_peer_received_failures", "Messages that could not be understood"),
            heartbeat_send_failures: metric(r, "etcd_server_heartbeat_send_failures", "Heartbeats for which there was no room"),
            snapshots_sent: metric(r, "etcd_network_snapshot_send_success", "Snapshots that arrived"),
            snapshot_failures: metric(r, "etcd_network_snapshot_send_failures", "Snapshots that did not arrive"),
            round_trips: histograms(
                r,
                "etcd_network_peer_round_trip_time_seconds",
                "How long a question to a peer takes",
                || Histogram::new(exponential_buckets(0.0001, 2.0, 16)),
            ),
        }
    }
}

impl Metrics {
    /// Shows a peer from the first moment on: a rate needs something to rise from.
    pub(crate) fn know_peer(&self, to: NodeId) {
        drop(self.peers.send_failures.get_or_create(&PeerLabel::new(to)));
    }

    pub(crate) fn peer_connected(&self, me: NodeId, peer: NodeId) {
        self.peers.active.get_or_create(&Pair::of(me, peer)).set(1);
    }

    pub(crate) fn peer_disconnected(&self, me: NodeId, peer: NodeId) {
        self.peers.active.get_or_create(&Pair::of(me, peer)).set(0);
        self.peers.disconnected.get_or_create(&Pair::of(me, peer)).inc();
    }

    /// Counts bytes sent to a peer.
    pub(crate) fn peer_sent(&self, to: NodeId) -> Counter {
        self.peers.sent.get_or_create(&PeerLabel::new(to)).clone()
    }

    /// Counts bytes received from a peer.
    pub(crate) fn peer_received(&self, from: NodeId) -> Counter {
        self.peers.received.get_or_create(&PeerLabel::new(from)).clone()
    }

    pub(crate) fn peer_send_failed(&self, to: NodeId, heartbeat: bool) {
        self.peers.send_failures.get_or_create(&PeerLabel::new(to)).inc();
        if heartbeat {
            self.peers.heartbeat_send_failures.inc();
        }
    }

    pub(crate) fn peer_receive_failed(&self, from: NodeId) {
        self.peers.receive_failures.get_or_create(&PeerLabel::new(from)).inc();
    }

    pub(crate) fn snapshot_sent(&self, to: NodeId, delivered: bool) {
        let counts = if delivered { &self.peers.snapshots_sent } else { &self.peers.snapshot_failures };
        counts.get_or_create(&PeerLabel::new(to)).inc();
    }

    /// A peer answered a question.
    pub(crate) fn round_trip(&self, to: NodeId, took: Duration) {
        self.peers.round_trips.get_or_create(&PeerLabel::new(to)).observe(took.as_secs_f64());
    }
}

/// The label that names a peer, in one direction.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct PeerLabel<D> {
    peer: NodeId,
    direction: std::marker::PhantomData<D>,
}

impl<D> PeerLabel<D> {
    fn new(peer: NodeId) -> PeerLabel<D> {
        PeerLabel { peer, direction: std::marker::PhantomData }
    }
}

/// A direction, as etcd labels it.
trait Direction {
    const LABEL: &'static str;
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct To;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct From_;

impl Direction for To {
    const LABEL: &'static str = "To";
}

impl Direction for From_ {
    const LABEL: &'static str = "From";
}

impl<D: Direction + Clone + PartialEq + Eq + std::hash::Hash + fmt::Debug> EncodeLabelSet for PeerLabel<D> {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        [(D::LABEL, self.peer.to_string())].encode(encoder)
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
#[expect(non_snake_case, reason = "etcd's labels")]
struct Pair {
    Local: String,
    Remote: String,
}

impl Pair {
    fn of(me: NodeId, peer: NodeId) -> Pair {
        Pair { Local: me.to_string(), Remote: peer.to_string() }
    }
}
