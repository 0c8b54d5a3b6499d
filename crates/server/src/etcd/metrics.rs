//! `/metrics`, under etcd's names.
//!
//! Only what is measured is shown: a family of etcd's that has nothing to say here (bbolt's, the v2 store's) is absent, not zero. So is
//! the quota while there is none, since etcd's alerts divide by it. All that etcd's own alert rules and dashboard use is there.
//! Families that etcd calls `…_total` although they are gauges stay gauges, and its counters without `_total` are gauges here,
//! because the library writes the suffix on every counter.

mod classic;
mod leases;
mod process;
mod quota;

use super::status::Status;
use super::watch::WatchMetrics;
use consensus::{NodeId, Role};
use etcd::version::SERVER;
use keyspace::LeaseTally;
use leases::LeaseMetrics;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, LabelSetEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use quota::QuotaBytes;
use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

type Number = Gauge<u64, AtomicU64>;

/// The buckets of an RPC's time: Prometheus's own (prometheus.DefBuckets).
const SECONDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// What clients say of themselves, most of them: clientv3 its version, others nothing.
const USUAL_VERSIONS: [&str; 5] = ["unknown", "3.4", "3.5", "3.6", "3.7"];
/// What takes longer to apply is slow (etcd: warning-apply-duration).
const SLOW_APPLY: Duration = Duration::from_millis(100);

/// Everything that one member counts.
pub(crate) struct Metrics {
    registry: Registry,
    has_leader: Number,
    is_leader: Number,
    is_learner: Number,
    leader_changes: Counter,
    committed: Number,
    applied: Number,
    pending: Number,
    proposals_failed: Counter,
    read_indexes_failed: Counter,
    heartbeat_send_failures: Counter,
    cluster_version: Family<Label, Number>,
    sync_seconds: Histogram,
    write_seconds: Histogram,
    backend_seconds: Histogram,
    log_bytes: Number,
    hash_seconds: Histogram,
    revision: Number,
    compacted: Number,
    keys: Number,
    db_size: Number,
    db_size_in_use: Number,
    ranges: Counter,
    puts: Counter,
    deletes: Counter,
    txns: Counter,
    health_success: Number,
    health_failures: Number,
    healthcheck: Family<Check, Number>,
    healthchecks: Family<CheckResult, Counter>,
    leases: LeaseMetrics,
    client_requests: Family<ClientRequest, Counter>,
    /// Of those, the unary ones of usual clients, found without a search.
    usual_clients: [OnceLock<Counter>; USUAL_VERSIONS.len()],
    rpcs_started: Family<RpcName, Counter>,
    rpc_seconds: Family<RpcName, Histogram, fn() -> Histogram>,
    grpc_received: Counter,
    grpc_sent: Counter,
    quota: QuotaBytes,
    slow_applies: Counter,
    slow_read_indexes: Counter,
    round_trips: Family<PeerLabel<To>, Histogram, fn() -> Histogram>,
    rpcs_handled: Family<RpcResult, Counter>,
    active_peers: Family<Pair, Number>,
    disconnected_peers: Family<Pair, Counter>,
    peer_sent: Family<PeerLabel<To>, Counter>,
    peer_received: Family<PeerLabel<From_>, Counter>,
    peer_send_failures: Family<PeerLabel<To>, Counter>,
    peer_receive_failures: Family<PeerLabel<From_>, Counter>,
    snapshots_sent: Family<PeerLabel<To>, Number>,
    snapshot_failures: Family<PeerLabel<To>, Number>,
    pub(crate) watches: WatchMetrics,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    /// All at zero, for member `me`.
    pub(crate) fn new(me: NodeId) -> Metrics {
        let mut registry = Registry::default();
        let r = &mut registry;
        let version: Family<Label, Number> = gauge(r, "etcd_server_version", "Which version is running");
        version.get_or_create(&Label("server_version", SERVER.to_owned())).set(1);
        let id: Family<Label, Number> = gauge(r, "etcd_server_id", "Member ID in hexadecimal");
        id.get_or_create(&Label("server_id", me.to_string())).set(1);
        let sync_seconds = Histogram::new(exponential_buckets(0.001, 2.0, 14));
        r.register("etcd_disk_wal_fsync_duration_seconds", "How long syncs of the log take", sync_seconds.clone());
        let write_seconds = Histogram::new(exponential_buckets(0.001, 2.0, 14));
        r.register("etcd_disk_wal_write_duration_seconds", "How long writes to the log take", write_seconds.clone());
        let backend_seconds = Histogram::new(exponential_buckets(0.001, 2.0, 14));
        r.register(
            "etcd_disk_backend_commit_duration_seconds",
            "How long commits of the data file take",
            backend_seconds.clone(),
        );
        let hash_seconds = Histogram::new(exponential_buckets(0.01, 2.0, 15));
        r.register("etcd_mvcc_hash_rev_duration_seconds", "How long HashKV takes", hash_seconds.clone());
        let rpc_seconds = Family::new_with_constructor((|| Histogram::new(SECONDS)) as fn() -> Histogram);
        r.register("grpc_server_handling_seconds", "How long RPCs take", rpc_seconds.clone());
        let round_trips =
            Family::new_with_constructor((|| Histogram::new(exponential_buckets(0.0001, 2.0, 16))) as fn() -> Histogram);
        r.register("etcd_network_peer_round_trip_time_seconds", "How long a question to a peer takes", round_trips.clone());
        r.register_collector(Box::new(process::Process));
        let quota = QuotaBytes::default();
        r.register_collector(Box::new(quota.clone()));
        Metrics {
            hash_seconds,
            rpc_seconds,
            round_trips,
            grpc_received: gauge(r, "etcd_network_client_grpc_received_bytes", "Bytes of clients' requests"),
            grpc_sent: gauge(r, "etcd_network_client_grpc_sent_bytes", "Bytes of answers to clients"),
            quota,
            slow_applies: gauge(r, "etcd_server_slow_apply", "Batches of entries that took more than 100 ms to apply"),
            slow_read_indexes: gauge(r, "etcd_server_slow_read_indexes", "Linearizable reads that were not confirmed in time"),
            has_leader: gauge(r, "etcd_server_has_leader", "Whether a leader exists"),
            is_leader: gauge(r, "etcd_server_is_leader", "Whether this member is the leader"),
            is_learner: gauge(r, "etcd_server_is_learner", "Whether this member is a learner"),
            leader_changes: gauge(r, "etcd_server_leader_changes_seen", "How often the leader changed"),
            committed: gauge(r, "etcd_server_proposals_committed_total", "Index of the last entry known to be committed"),
            applied: gauge(r, "etcd_server_proposals_applied_total", "Index of the last entry applied"),
            pending: gauge(r, "etcd_server_proposals_pending", "Requests that wait for an answer"),
            proposals_failed: gauge(r, "etcd_server_proposals_failed", "Requests that were refused or timed out"),
            read_indexes_failed: gauge(r, "etcd_server_read_indexes_failed", "Linearizable reads that were refused"),
            heartbeat_send_failures: gauge(r, "etcd_server_heartbeat_send_failures", "Heartbeats for which there was no room"),
            cluster_version: gauge(r, "etcd_cluster_version", "The version that all members speak"),
            sync_seconds,
            write_seconds,
            backend_seconds,
            log_bytes: gauge(r, "etcd_disk_wal_write_bytes_total", "Bytes of entries written to the log"),
            revision: gauge(r, "etcd_debugging_mvcc_current_revision", "The revision now"),
            compacted: gauge(r, "etcd_debugging_mvcc_compact_revision", "The last compaction"),
            keys: gauge(r, "etcd_debugging_mvcc_keys_total", "Keys that exist now"),
            db_size: gauge(r, "etcd_mvcc_db_total_size_in_bytes", "Bytes of every revision that is held"),
            db_size_in_use: gauge(r, "etcd_mvcc_db_total_size_in_use_in_bytes", "Bytes that a reader could ask for"),
            ranges: gauge(r, "etcd_mvcc_range", "Ranges answered here"),
            puts: gauge(r, "etcd_mvcc_put", "Puts applied here"),
            deletes: gauge(r, "etcd_mvcc_delete", "Deletes applied here"),
            txns: gauge(r, "etcd_mvcc_txn", "Transactions applied here"),
            health_success: gauge(r, "etcd_server_health_success", "Health checks that found this member well"),
            health_failures: gauge(r, "etcd_server_health_failures", "Health checks that did not"),
            healthcheck: gauge(r, "etcd_server_healthcheck", "The result of each kind of health check"),
            healthchecks: gauge(r, "etcd_server_healthchecks", "Health checks by kind and result"),
            leases: LeaseMetrics::new(r),
            watches: WatchMetrics::new(r),
            usual_clients: std::array::from_fn(|_| OnceLock::new()),
            client_requests: gauge(r, "etcd_server_client_requests", "Client requests by kind and client version"),
            rpcs_started: gauge(r, "grpc_server_started", "RPCs begun"),
            rpcs_handled: gauge(r, "grpc_server_handled", "RPCs ended, by code"),
            active_peers: gauge(r, "etcd_network_active_peers", "Peers to which a link stands"),
            disconnected_peers: gauge(r, "etcd_network_disconnected_peers", "Links lost"),
            peer_sent: gauge(r, "etcd_network_peer_sent_bytes", "Bytes sent to peers"),
            peer_received: gauge(r, "etcd_network_peer_received_bytes", "Bytes received from peers"),
            peer_send_failures: gauge(r, "etcd_network_peer_sent_failures", "Messages that could not be sent"),
            peer_receive_failures: gauge(r, "etcd_network_peer_received_failures", "Messages that could not be understood"),
            snapshots_sent: gauge(r, "etcd_network_snapshot_send_success", "Snapshots that arrived"),
            snapshot_failures: gauge(r, "etcd_network_snapshot_send_failures", "Snapshots that did not arrive"),
            registry,
        }
    }

    /// The text of `/metrics`, in OpenMetrics or in the older format. What only a look at the member tells is noted first.
    pub(crate) fn text(&self, status: &Status, machine: &keyspace::Status, open: bool) -> String {
        self.has_leader.set(status.leader.is_some().into());
        self.is_leader.set((status.role == Role::Leader).into());
        self.is_learner.set(matches!(status.role, Role::Learner { .. }).into());
        self.committed.set(status.committed.index);
        self.applied.set(status.applied.index);
        self.pending.set(status.pending as u64);
        self.revision.set(machine.revision.unsigned_abs());
        self.compacted.set(machine.compacted.max(0).unsigned_abs());
        self.keys.set(machine.keys);
        self.db_size.set(machine.db_size);
        self.db_size_in_use.set(machine.db_size_in_use);
        if let Some(version) = &machine.cluster_version {
            self.cluster_version.clear();
            self.cluster_version.get_or_create(&Label("cluster_version", version.clone())).set(1);
        }
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("a string takes everything");
        if open { text } else { classic::classic(&text) }
    }

    /// What happened to leases.
    pub(crate) fn leases(&self, tally: LeaseTally) {
        self.leases.set(tally);
    }

    pub(crate) fn leader_changed(&self) {
        self.leader_changes.inc();
    }

    pub(crate) fn proposal_failed(&self) {
        self.proposals_failed.inc();
    }

    /// A linearizable read was refused; `slow`: because nobody confirmed it in time.
    pub(crate) fn read_failed(&self, slow: bool) {
        self.read_indexes_failed.inc();
        if slow {
            self.slow_read_indexes.inc();
        }
    }

    /// A batch of entries was applied.
    pub(crate) fn applied(&self, took: Duration) {
        if took > SLOW_APPLY {
            self.slow_applies.inc();
        }
    }

    /// There is a quota.
    pub(crate) fn quota(&self, bytes: u64) {
        // A second one would be the same.
        let _ = self.quota.0.set(bytes);
    }

    /// A peer answered a question.
    pub(crate) fn round_trip(&self, to: NodeId, took: Duration) {
        self.round_trips.get_or_create(&PeerLabel::new(to)).observe(took.as_secs_f64());
    }

    pub(crate) fn log_written(&self, bytes: u64, took: Duration) {
        self.log_bytes.inc_by(bytes);
        self.write_seconds.observe(took.as_secs_f64());
    }

    pub(crate) fn backend_committed(&self, took: Duration) {
        self.backend_seconds.observe(took.as_secs_f64());
    }

    pub(crate) fn log_synced(&self, took: Duration) {
        self.sync_seconds.observe(took.as_secs_f64());
    }

    /// A checksum of the history was taken.
    pub(crate) fn hashed(&self, took: Duration) {
        self.hash_seconds.observe(took.as_secs_f64());
    }

    pub(crate) fn range(&self) {
        self.ranges.inc();
    }

    pub(crate) fn put(&self) {
        self.puts.inc();
    }

    pub(crate) fn delete(&self) {
        self.deletes.inc();
    }

    pub(crate) fn txn(&self) {
        self.txns.inc();
    }

    pub(crate) fn health(&self, well: bool) {
        if well {
            self.health_success.inc()
        } else {
            self.health_failures.inc()
        };
    }

    /// One sub-check of `/livez` or `/readyz`.
    pub(crate) fn health_check(&self, kind: &'static str, name: &'static str, well: bool) {
        self.healthcheck.get_or_create(&Check { r#type: kind, name }).set(well.into());
        let status = if well { "success" } else { "error" };
        self.healthchecks.get_or_create(&CheckResult { r#type: kind, name, status }).inc();
    }

    pub(crate) fn client_request(&self, kind: &'static str, client_api_version: &str) {
        let usual = USUAL_VERSIONS.iter().position(|&usual| kind == "unary" && usual == client_api_version);
        if let Some(counter) = usual.and_then(|at| self.usual_clients[at].get()) {
            counter.inc();
            return;
        }
        // Clients may send anything; only what could be a version gets a line of its own.
        let short = client_api_version.len() <= 5 && client_api_version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let client_api_version = if short { client_api_version } else { "unknown" }.to_owned();
        let counter = self.client_requests.get_or_create(&ClientRequest { r#type: kind, client_api_version }).clone();
        counter.inc();
        if let Some(at) = usual {
            // Whoever was faster set the same.
            let _ = self.usual_clients[at].set(counter);
        }
    }

    /// How often an RPC began, and how often it ended well. It is shown from now on, with zeros: a dashboard subtracts those that
    /// ended from those that began.
    pub(crate) fn rpc(&self, name: RpcName) -> (Counter, Counter) {
        (self.rpcs_started.get_or_create(&name).clone(), self.rpcs_handled.get_or_create(&name.with("OK")).clone())
    }

    /// An RPC ended with a code that is not OK.
    pub(crate) fn rpc_failed(&self, name: RpcName, grpc_code: &'static str) {
        self.rpcs_handled.get_or_create(&name.with(grpc_code)).inc();
    }

    /// How long an RPC took, if that is wanted.
    pub(crate) fn rpc_took(&self, name: RpcName, took: Duration) {
        self.rpc_seconds.get_or_create(&name).observe(took.as_secs_f64());
    }

    pub(crate) fn grpc_received_bytes(&self) -> &Counter {
        &self.grpc_received
    }

    pub(crate) fn grpc_sent_bytes(&self) -> &Counter {
        &self.grpc_sent
    }

    /// Shows a peer from the first moment on: a rate needs something to rise from.
    pub(crate) fn know_peer(&self, to: NodeId) {
        drop(self.peer_send_failures.get_or_create(&PeerLabel::new(to)));
    }

    pub(crate) fn peer_connected(&self, me: NodeId, peer: NodeId) {
        self.active_peers.get_or_create(&Pair::of(me, peer)).set(1);
    }

    pub(crate) fn peer_disconnected(&self, me: NodeId, peer: NodeId) {
        self.active_peers.get_or_create(&Pair::of(me, peer)).set(0);
        self.disconnected_peers.get_or_create(&Pair::of(me, peer)).inc();
    }

    /// Counts bytes sent to a peer.
    pub(crate) fn peer_sent(&self, to: NodeId) -> Counter {
        self.peer_sent.get_or_create(&PeerLabel::new(to)).clone()
    }

    /// Counts bytes received from a peer.
    pub(crate) fn peer_received(&self, from: NodeId) -> Counter {
        self.peer_received.get_or_create(&PeerLabel::new(from)).clone()
    }

    pub(crate) fn peer_receive_failed(&self, from: NodeId) {
        self.peer_receive_failures.get_or_create(&PeerLabel::new(from)).inc();
    }

    pub(crate) fn peer_send_failed(&self, to: NodeId, heartbeat: bool) {
        self.peer_send_failures.get_or_create(&PeerLabel::new(to)).inc();
        if heartbeat {
            self.heartbeat_send_failures.inc();
        }
    }

    pub(crate) fn snapshot_sent(&self, to: NodeId, delivered: bool) {
        let counts = if delivered { &self.snapshots_sent } else { &self.snapshot_failures };
        counts.get_or_create(&PeerLabel::new(to)).inc();
    }
}

/// A metric of this name, registered.
fn gauge<M>(registry: &mut Registry, name: &str, help: &str) -> M
where
    M: prometheus_client::registry::Metric + Default + Clone,
{
    let metric = M::default();
    registry.register(name, help, metric.clone());
    metric
}

/// One label.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Label(&'static str, String);

impl EncodeLabelSet for Label {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        [(self.0, self.1.as_str())].encode(encoder)
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

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct ClientRequest {
    r#type: &'static str,
    client_api_version: String,
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
