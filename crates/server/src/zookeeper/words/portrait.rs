//! What is known about this server, for whoever asks: words, the AdminServer, Prometheus.

use super::super::clients::Front;
use super::super::member::Mode;
use super::super::metrics::{Gauge, Gauges, Sizes};
use rustix::process::{Resource, getrlimit};
use std::path::Path;

/// What this server is called.
pub(crate) fn mode_name(mode: Mode) -> &'static str {
    match mode {
        // Asked of a server that serves nobody this is not answered.
        Mode::Looking => "looking",
        Mode::Leader => "leader",
        Mode::Follower => "follower",
        Mode::Observer => "observer",
        Mode::Standalone => "standalone",
    }
}

/// In more words (Java: `QuorumPeer.getDetailedPeerState`); `None`: it stands alone.
pub(crate) fn peer_state(mode: Mode) -> Option<&'static str> {
    match mode {
        Mode::Looking => Some("looking"),
        Mode::Leader => Some("leading - broadcast"),
        Mode::Follower => Some("following - broadcast"),
        Mode::Observer => Some("observing - broadcast"),
        Mode::Standalone => None,
    }
}

/// Bytes of the proposals of this leader.
pub(crate) fn proposal_sizes(front: &Front) -> Sizes {
    front.core().metrics.borrow().proposal_sizes
}

/// Values of this moment (Java: `ZooKeeperServer.registerMetrics`, `LeaderZooKeeperServer.registerMetrics`).
pub(crate) fn gauges(front: &Front) -> Gauges {
    let (core, desk) = (front.core(), front.desk());
    let tree = core.tree();
    let totals = &desk.totals;
    let whole = |value: u64| Gauge::Whole(i64::try_from(value).unwrap_or(i64::MAX));
    let size = |value: usize| whole(value as u64);
    let Sizes { last, least, greatest } = totals.response_bytes;
    let mut gauges = vec![
        ("avg_latency", Gauge::Real(totals.latency.mean())),
        ("max_latency", whole(totals.latency.greatest())),
        ("min_latency", whole(totals.latency.least())),
        ("packets_received", whole(totals.received)),
        ("packets_sent", whole(totals.sent)),
        ("num_alive_connections", size(desk.connections())),
        ("outstanding_requests", size(desk.outstanding())),
        ("uptime", whole(front.uptime())),
        ("znode_count", size(tree.node_count())),
        ("watch_count", size(desk.watches().len())),
        ("ephemerals_count", size(tree.ephemerals_count())),
        ("approximate_data_size", whole(tree.approximate_data_size())),
        ("global_sessions", size(tree.sessions().len())),
        ("local_sessions", Gauge::Whole(0)),
        ("open_file_descriptor_count", whole(open_files())),
        ("max_file_descriptor_count", whole(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX))),
        ("connection_drop_probability", Gauge::Real(0.0)),
        ("last_client_response_size", Gauge::Whole(last)),
        ("min_client_response_size", Gauge::Whole(least)),
        ("max_client_response_size", Gauge::Whole(greatest)),
        ("auth_failed_count", whole(totals.auth_failed)),
        // Of connections with TLS, and of others where both are let in.
        ("outstanding_tls_handshake", Gauge::Whole(0)),
        ("non_mtls_remote_conn_count", Gauge::Whole(0)),
        ("non_mtls_local_conn_count", Gauge::Whole(0)),
        ("digest_mismatches_count", whole(tree.digest_mismatches().0)),
    ];
    let mode = core.mode();
    if mode != Mode::Standalone {
        gauges.push(("quorum_size", size(core.protocol().configuration().voters.len())));
    }
    if mode == Mode::Leader {
        let learners = core.learners();
        let synced = |observer: bool| size(learners.iter().filter(|one| one.synced && one.observer == observer).count());
        let Sizes { last, least, greatest } = proposal_sizes(front);
        gauges.extend([
            ("learners", size(learners.len())),
            ("synced_followers", synced(false)),
            ("synced_non_voting_followers", Gauge::Whole(0)),
            ("synced_observers", synced(true)),
            ("leader_uptime", whole(front.served_for())),
            ("last_proposal_size", Gauge::Whole(last)),
            ("min_proposal_size", Gauge::Whole(least)),
            ("max_proposal_size", Gauge::Whole(greatest)),
        ]);
    }
    gauges
}

/// How many files this process has open, as far as the operating system tells.
fn open_files() -> u64 {
    std::fs::read_dir("/proc/self/fd").map_or(0, |files| files.count() as u64)
}

/// Bytes of the files in a folder and those below (Java: `ZooKeeperServer.getDirSize`).
pub(crate) fn folder_bytes(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let of = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => folder_bytes(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    entries.flatten().map(of).sum()
}
