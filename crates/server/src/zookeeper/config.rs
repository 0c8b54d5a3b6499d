//! What a server is told before it starts.

use consensus::{Configuration, NodeId};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use zookeeper::config::Ensemble;

/// One server's settings, already validated. They are those of a zoo.cfg, whose keys are named with each.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which server of the ensemble this one is: the number in the file `myid` of the data folder. Of no meaning without an ensemble.
    pub id: u64,
    /// `dataDir`: snapshots, epochs and `myid`.
    pub data_dir: PathBuf,
    /// `dataLogDir`: transaction logs. The same folder if the file names no other.
    pub data_log_dir: PathBuf,
    /// `server.N`, `group.G` and `weight.N`: everybody, this server among them. Without servers: it stands alone.
    pub ensemble: Ensemble,
    /// `quorumListenOnAllIPs`: listen for other servers on every address of this machine and not only on the one in `server.N`.
    pub quorum_listen_on_all_ips: bool,
    /// `clientPort` and `clientPortAddress`, or the client's part of `server.N`. `None`: no clients.
    pub client_address: Option<SocketAddr>,
    /// `clientPortListenBacklog`.
    pub client_backlog: u32,
    /// `tickTime`: the unit of all limits.
    pub tick: Duration,
    /// `initLimit`: so many ticks a learner may take to connect and synchronize.
    pub init_limit: u32,
    /// `syncLimit`: so many ticks a learner may lag behind, or a leader be silent.
    pub sync_limit: u32,
    /// `minSessionTimeout`; two ticks unless set.
    pub min_session_timeout: Duration,
    /// `maxSessionTimeout`; twenty ticks unless set.
    pub max_session_timeout: Duration,
    /// `maxClientCnxns`: connections of one address; 0: any number.
    pub max_client_connections: u32,
    /// `maxCnxns`: connections in all; 0: as many as this process may open files.
    pub max_connections: u32,
    /// `globalOutstandingLimit`: so many requests of clients may wait for an answer.
    pub outstanding_max: usize,
    /// `leaderServes`: whether a leader serves clients.
    pub leader_serves: bool,
    /// `readonlymode.enabled`: whether a server that finds no quorum serves clients that put up with reading only.
    pub read_only_mode: bool,
    /// `4lw.commands.whitelist`; `*` is every word that there is.
    pub words: Vec<String>,
    /// Where the admin server listens (`admin.serverAddress`, `admin.serverPort`). `None`: nowhere (`admin.enableServer=false`).
    pub admin_address: Option<SocketAddr>,
    /// `admin.commandURL`.
    pub admin_path: String,
    /// Where metrics are served in Prometheus' form (`metricsProvider.httpHost`, `metricsProvider.httpPort`). `None`: nowhere.
    pub metrics_address: Option<SocketAddr>,
    /// `enforceQuota`: whether hard limits refuse writes.
    pub enforce_quota: bool,
    /// `extendedTypesEnabled`: whether nodes may have a time to live.
    pub extended_types: bool,
    /// `DigestAuthenticationProvider.superDigest`: who may do everything, as `user:hash`.
    pub super_digest: Option<String>,
    /// `skipACL`: whether access lists are not looked at.
    pub skip_acl: bool,
    /// `znode.container.checkIntervalMs`: how often empty containers and nodes whose time is over are looked for …
    pub container_check_interval: Duration,
    /// `znode.container.maxPerMinute`: … of which so many are deleted at most.
    pub containers_per_minute: u32,
    /// `znode.container.maxNeverUsedIntervalMs`: a container that never had a child goes after this long. Zero: never.
    pub container_never_used: Duration,
    /// `jute.maxbuffer`: the most bytes of one request, and of what it holds.
    pub jute_max: usize,
    /// `digest.enabled`: whether this server, when it leads, says with each transaction what the tree comes to.
    pub digest: bool,
    /// `snapCount`: a snapshot is taken after about so many transactions …
    pub snap_count: u64,
    /// `snapSizeLimitInKb`: … or after about so many bytes of them.
    pub snap_bytes: u64,
    /// `preAllocSize`: the log's files grow by so many bytes.
    pub prealloc_bytes: u64,
    /// `db.autocreate`: an empty folder may be a new server's. Otherwise a file `initialize` in it has to say so.
    pub autocreate: bool,
    /// `snapshot.trust.empty`: a log without any snapshot is taken for a server's whole history.
    pub trust_empty_snapshot: bool,
    /// `autopurge.purgeInterval`; `None`: old files stay for ever.
    pub purge_interval: Option<Duration>,
    /// `autopurge.snapRetainCount`.
    pub snapshots_kept: usize,
    /// `cnxTimeout`: how long a connection to another server's election port may take.
    pub election_connect_timeout: Duration,
    /// `fastleader.minNotificationInterval`: the first wait for votes before they are asked for again; doubled each time …
    pub notification_interval_min: Duration,
    /// `fastleader.maxNotificationInterval`: … up to this.
    pub notification_interval_max: Duration,
    /// The file that was read, for those who ask this server for its configuration; `None` if there was none.
    pub file: Option<PathBuf>,
    /// Use a disk that forgets what was not synced when the process ends. For tests only; the binary sets it from
    /// `QUORATE_TEST_DISK=lossy`.
    pub lossy_disk: bool,
}

impl Config {
    /// ZooKeeper's defaults for a server that stands alone.
    pub fn new(data_dir: impl Into<PathBuf>) -> Config {
        let data_dir = data_dir.into();
        let tick = Duration::from_secs(3);
        Config {
            id: 1,
            data_log_dir: data_dir.clone(),
            data_dir,
            ensemble: Ensemble::default(),
            quorum_listen_on_all_ips: false,
            client_address: None,
            client_backlog: 1024,
            tick,
            init_limit: 10,
            sync_limit: 5,
            min_session_timeout: 2 * tick,
            max_session_timeout: 20 * tick,
            max_client_connections: 60,
            max_connections: 0,
            outstanding_max: 1000,
            leader_serves: true,
            read_only_mode: false,
            words: vec!["srvr".to_owned()],
            admin_address: None,
            admin_path: "/commands".to_owned(),
            metrics_address: None,
            enforce_quota: false,
            extended_types: false,
            super_digest: None,
            skip_acl: false,
            container_check_interval: Duration::from_secs(60),
            containers_per_minute: 10_000,
            container_never_used: Duration::ZERO,
            jute_max: 0xf_ffff,
            digest: true,
            snap_count: 100_000,
            snap_bytes: 4 << 30,
            prealloc_bytes: 64 << 20,
            autocreate: true,
            trust_empty_snapshot: false,
            purge_interval: None,
            snapshots_kept: 3,
            election_connect_timeout: Duration::from_secs(5),
            notification_interval_min: Duration::from_millis(200),
            notification_interval_max: Duration::from_secs(60),
            file: None,
            lossy_disk: false,
        }
    }

    /// Whether this server stands alone.
    pub fn is_standalone(&self) -> bool {
        self.ensemble.servers.is_empty()
    }

    /// This server's id.
    pub(crate) fn me(&self) -> NodeId {
        NodeId(self.id)
    }

    /// Who votes, who does not, and what votes weigh. Who stands alone agrees with himself.
    pub(crate) fn configuration(&self) -> Configuration {
        if self.is_standalone() { Configuration::of([self.me()]) } else { self.ensemble.configuration() }
    }

    /// Whether this server only listens.
    pub(crate) fn is_observer(&self) -> bool {
        self.ensemble.servers.get(&self.me()).is_some_and(|server| server.observer)
    }

    /// The longest string or buffer that is taken from anybody, and so the longest transaction that is made.
    pub(crate) fn length_max(&self) -> usize {
        zookeeper::jute::length_limit(self.jute_max, self.jute_max)
    }

    /// How long a learner may take to connect and synchronize.
    pub(crate) fn init_timeout(&self) -> Duration {
        self.tick * self.init_limit
    }

    /// How long a leader or a learner may be silent.
    pub(crate) fn sync_timeout(&self) -> Duration {
        self.tick * self.sync_limit
    }
}
