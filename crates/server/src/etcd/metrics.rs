//! `/metrics`, under etcd's names.
//!
//! Only what is measured is shown: a family of etcd's that has nothing to say here (bbolt's, the v2 store's) is absent, not zero. So is
//! the quota while there is none, since etcd's alerts divide by it. All that etcd's own alert rules and dashboard use is there.
//! Families that etcd calls `…_total` although they are gauges stay gauges, and its counters without `_total` are gauges here,
//! because the library writes the suffix on every counter.

//!
//! Each file of `metrics/` holds the families of one subject, and how `Metrics` notes what happens there. Here is the member itself.

mod classic;
mod clients;
mod disk;
mod health;
mod leases;
mod mvcc;
mod peers;
mod process;
mod quota;
mod rpcs;

pub(crate) use rpcs::RpcName;

use super::status::Status;
use super::watch::WatchMetrics;
use clients::ClientMetrics;
use consensus::{NodeId, Role};
use disk::DiskMetrics;
use etcd::version::SERVER;
use health::HealthMetrics;
use leases::LeaseMetrics;
use mvcc::MvccMetrics;
use peers::PeerMetrics;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, LabelSetEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};
use quota::QuotaBytes;
use rpcs::RpcMetrics;
use std::fmt;
use std::hash::Hash;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

type Number = Gauge<u64, AtomicU64>;
type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

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
    slow_read_indexes: Counter,
    slow_applies: Counter,
    cluster_version: Family<Label, Number>,
    quota: QuotaBytes,
    health: HealthMetrics,
    mvcc: MvccMetrics,
    disk: DiskMetrics,
    peers: PeerMetrics,
    rpcs: RpcMetrics,
    clients: ClientMetrics,
    pub(crate) leases: LeaseMetrics,
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
        let version: Family<Label, Number> = metric(r, "etcd_server_version", "Which version is running");
        version.get_or_create(&Label("server_version", SERVER.to_owned())).set(1);
        let id: Family<Label, Number> = metric(r, "etcd_server_id", "Member ID in hexadecimal");
        id.get_or_create(&Label("server_id", me.to_string())).set(1);
        let quota = QuotaBytes::default();
        r.register_collector(Box::new(quota.clone()));
        r.register_collector(Box::new(process::Process));
        Metrics {
            has_leader: metric(r, "etcd_server_has_leader", "Whether a leader exists"),
            is_leader: metric(r, "etcd_server_is_leader", "Whether this member is the leader"),
            is_learner: metric(r, "etcd_server_is_learner", "Whether this member is a learner"),
            leader_changes: metric(r, "etcd_server_leader_changes_seen", "How often the leader changed"),
            committed: metric(r, "etcd_server_proposals_committed_total", "Index of the last entry known to be committed"),
            applied: metric(r, "etcd_server_proposals_applied_total", "Index of the last entry applied"),
            pending: metric(r, "etcd_server_proposals_pending", "Requests that wait for an answer"),
            proposals_failed: metric(r, "etcd_server_proposals_failed", "Requests that were refused or timed out"),
            read_indexes_failed: metric(r, "etcd_server_read_indexes_failed", "Linearizable reads that were refused"),
            slow_read_indexes: metric(r, "etcd_server_slow_read_indexes", "Linearizable reads that were not confirmed in time"),
            slow_applies: metric(r, "etcd_server_slow_apply", "Batches of entries that took more than 100 ms to apply"),
            cluster_version: metric(r, "etcd_cluster_version", "The version that all members speak"),
            quota,
            health: HealthMetrics::new(r),
            mvcc: MvccMetrics::new(r),
            disk: DiskMetrics::new(r),
            peers: PeerMetrics::new(r),
            rpcs: RpcMetrics::new(r),
            clients: ClientMetrics::new(r),
            leases: LeaseMetrics::new(r),
            watches: WatchMetrics::new(r),
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
        self.mvcc.set(machine);
        if let Some(version) = &machine.cluster_version {
            self.cluster_version.clear();
            self.cluster_version.get_or_create(&Label("cluster_version", version.clone())).set(1);
        }
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("a string takes everything");
        if open { text } else { classic::classic(&text) }
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
}

/// A metric of this name, registered.
fn metric<M: Metric + Default + Clone>(registry: &mut Registry, name: &str, help: &str) -> M {
    let metric = M::default();
    registry.register(name, help, metric.clone());
    metric
}

/// A histogram of this name, registered.
fn histogram(registry: &mut Registry, name: &str, help: &str, buckets: impl Iterator<Item = f64>) -> Histogram {
    let histogram = Histogram::new(buckets);
    registry.register(name, help, histogram.clone());
    histogram
}

/// Histograms by label under one name, registered.
fn histograms<L>(registry: &mut Registry, name: &str, help: &str, new: fn() -> Histogram) -> Histograms<L>
where
    L: EncodeLabelSet + Clone + Eq + Hash + fmt::Debug + Send + Sync + 'static,
{
    let family = Family::new_with_constructor(new);
    registry.register(name, help, family.clone());
    family
}

/// One label.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Label(&'static str, String);

impl EncodeLabelSet for Label {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        [(self.0, self.1.as_str())].encode(encoder)
    }
}
