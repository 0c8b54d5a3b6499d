//! What a member is told before it starts.

use super::compactor::Retention;
use super::unsent::UNSENT_BYTES_MAX;
use etcd::bootstrap::MemberSpec;
use etcd::url::Url;
use std::path::PathBuf;
use std::time::Duration;

/// One member's settings, already validated. Names and defaults are those of etcd's flags.
#[derive(Clone, Debug)]
pub struct Config {
    /// This member's name: which of `initial_cluster` it is.
    pub name: String,
    /// Where everything durable of this member lives.
    pub data_dir: PathBuf,
    /// Where it listens for other members.
    pub listen_peer_urls: Vec<Url>,
    /// Where it listens for clients, gRPC and HTTP.
    pub listen_client_urls: Vec<Url>,
    /// Where it listens for clients that speak plain HTTP. With any, `listen_client_urls` is for gRPC only.
    pub listen_client_http_urls: Vec<Url>,
    /// Where it answers `/metrics` and `/health` and nothing else, beside the client URLs.
    pub listen_metrics_urls: Vec<Url>,
    /// Where other members find it. Hashed into its id.
    pub initial_advertise_peer_urls: Vec<Url>,
    /// Where clients find it.
    pub advertise_client_urls: Vec<Url>,
    /// Every member of a new cluster, this one among them: its name and its peer URLs.
    pub initial_cluster: Vec<MemberSpec>,
    /// Hashed into the ids, so that two clusters on the same machines do not meet.
    pub initial_cluster_token: String,
    /// Whether the cluster is to be founded or joined.
    pub initial_cluster_state: ClusterState,
    /// How often a leader says that it leads.
    pub heartbeat_interval: Duration,
    /// A follower that heard nothing for one to two times this stands for election.
    pub election_timeout: Duration,
    /// Ask before standing for election.
    pub pre_vote: bool,
    /// Stand for election at once when the leader's process is seen to be gone.
    pub early_election: bool,
    /// The log is cut after this many applied entries, if not earlier.
    pub snapshot_count: u64,
    /// How many entries stay in the log when it is cut, for members that lag.
    pub snapshot_catchup_entries: u64,
    /// The largest request that a client may write.
    pub max_request_bytes: usize,
    /// The most operations in one level of a transaction.
    pub max_txn_ops: usize,
    /// The most requests that one client connection may have open.
    pub max_concurrent_streams: u32,
    /// How long an idle client connection is left before it is asked for a sign of life.
    pub grpc_keepalive_interval: Duration,
    /// How long that sign may take.
    pub grpc_keepalive_timeout: Duration,
    /// How many bytes of history a member holds before it refuses to store more; `None`: no bound.
    pub quota_backend_bytes: Option<u64>,
    /// How much history the leader keeps when it compacts by itself; `None`: it does not.
    pub auto_compaction: Option<Retention>,
    /// Do not start if the history here is another than the other members'.
    pub initial_corrupt_check: bool,
    /// How often a leader compares the whole history with the other members'; `None`: as often as it costs next to nothing.
    pub corrupt_check_time: Option<Duration>,
    /// How often a leader compares the checksums of compactions with the other members'.
    pub compact_hash_check_time: Duration,
    /// Count for each RPC how long it took.
    pub extensive_metrics: bool,
    /// How often idle watches that ask for it are told how far they have come.
    pub watch_progress_notify_interval: Duration,
    /// With so many bytes of answers that clients have not taken yet, no more large ones are made; with twice as many, none.
    pub unsent_bytes_max: usize,
    /// Use a disk that forgets what was not synced when the process ends. For tests only; the binary sets it from
    /// `QUORATE_TEST_DISK=lossy`.
    pub lossy_disk: bool,
}

/// Whether a cluster is founded or joined.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClusterState {
    /// All members start together.
    New,
    /// The cluster runs already.
    Existing,
}

impl Config {
    /// etcd's defaults for a cluster of one.
    pub fn new(name: &str, data_dir: impl Into<PathBuf>) -> Config {
        let client = vec![local(2379)];
        let peer = vec![local(2380)];
        Config {
            name: name.to_owned(),
            data_dir: data_dir.into(),
            listen_peer_urls: peer.clone(),
            listen_client_urls: client.clone(),
            listen_client_http_urls: Vec::new(),
            listen_metrics_urls: Vec::new(),
            initial_advertise_peer_urls: peer.clone(),
            advertise_client_urls: client,
            initial_cluster: vec![MemberSpec { name: name.to_owned(), peer_urls: peer }],
            initial_cluster_token: "etcd-cluster".to_owned(),
            initial_cluster_state: ClusterState::New,
            heartbeat_interval: Duration::from_millis(100),
            election_timeout: Duration::from_millis(1000),
            pre_vote: true,
            early_election: true,
            snapshot_count: 100_000,
            snapshot_catchup_entries: 5_000,
            max_request_bytes: 1_572_864,
            max_txn_ops: 128,
            max_concurrent_streams: u32::MAX,
            grpc_keepalive_interval: Duration::from_secs(2 * 60 * 60),
            grpc_keepalive_timeout: Duration::from_secs(20),
            quota_backend_bytes: None,
            auto_compaction: None,
            initial_corrupt_check: false,
            corrupt_check_time: None,
            compact_hash_check_time: Duration::from_secs(60),
            extensive_metrics: false,
            watch_progress_notify_interval: Duration::from_secs(10 * 60),
            unsent_bytes_max: UNSENT_BYTES_MAX,
            lossy_disk: false,
        }
    }

    /// How long a client's request may take: 5 s for the work itself and two elections.
    pub fn request_timeout(&self) -> Duration {
        Duration::from_secs(5) + 2 * self.election_timeout
    }

    /// How long dialling another member may take.
    pub fn dial_timeout(&self) -> Duration {
        Duration::from_secs(1) + self.election_timeout
    }
}

fn local(port: u16) -> Url {
    Url::parse(&format!("http://localhost:{port}")).expect("a well-formed URL")
}
