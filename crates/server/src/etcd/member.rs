//! A running member: one thread with a runtime of its own, beside the log's and the data's.
//!
//! ```text
//!   listen, open the folder, found or recover ──▶ replica task, peers, clients ──▶ announce ──▶ ready
//!   stop: hand leadership over, stop accepting, let answers leave, end the disk's threads
//! ```

use super::announce::{keep_cluster_version, publish};
use super::assemble::{self, Cluster};
use super::birth::found;
use super::clock::{Clock, unforeseen, wall};
use super::codec::EtcdCodec;
use super::compactor;
use super::config::Config;
use super::corruption::{self, Pace};
use super::disk::{DataThread, LogThread, Snapshotting};
use super::door::Door;
use super::engine::Replica;
use super::error::{StartError, StopError};
use super::lessor::Lessor;
use super::listen::{ClientPort, Inside, Listeners};
use super::metrics::Metrics;
use super::peer::http::HttpClient;
use super::peer::identity::Identity;
use super::peer::{PeerPort, Shared, Transport};
use super::quota::{self, Quota};
use super::replica_task::{Inputs, Outputs, ReplicaTask};
use super::status::Board;
use super::unsent::Unsent;
use super::watch::{Desk, WatchAsk, WatchDoor};
use consensus::{NodeId, Role};
use etcd::url::Url;
use keyspace::{WatchOptions, Watches};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use storage::{DataOptions, Disk, Journal, KeyspaceStore, Log, LogOptions, LossyDisk, OpenedKeyspace, RealDisk, open_keyspace};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tracing::{info, warn};

/// How long a stopping member waits for another to lead.
const HANDOVER: Duration = Duration::from_secs(2);
/// How long it waits for news of the successor, once it does not lead any more.
const SUCCESSION: Duration = Duration::from_millis(300);
/// How long it waits for answers to leave.
const DRAIN: Duration = Duration::from_secs(1);
/// How long it waits until the data file holds what the log does.
const FLUSHING: Duration = Duration::from_secs(5);

/// A running member. Dropping it stops it as `kill` does.
#[derive(Debug)]
pub struct Member {
    orders: mpsc::UnboundedSender<Order>,
    ready: watch::Receiver<bool>,
    ended: Option<oneshot::Receiver<Result<(), StopError>>>,
    thread: Option<JoinHandle<()>>,
    id: u64,
    cluster: u64,
}

/// What a running member can be told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Order {
    Stop,
    Kill,
}

/// What the member's thread says once it runs.
struct Started {
    id: u64,
    cluster: u64,
}

impl Member {
    /// Starts a member; returns once it listens. Several may run in one process.
    pub async fn start(config: Config) -> Result<Member, StartError> {
        let (orders, received) = mpsc::unbounded_channel();
        let (ready_tell, ready) = watch::channel(false);
        let (ended_tell, ended) = oneshot::channel();
        let (started_tell, started) = oneshot::channel();
        let name = config.name.clone();
        let thread = std::thread::Builder::new().name(name).spawn(move || {
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(8).build() {
                Ok(runtime) => runtime,
                Err(error) => {
                    let _ = started_tell.send(Err(StartError::Thread(error)));
                    return;
                }
            };
            let life = Life { config: Arc::new(config), started: started_tell, ready: ready_tell, orders: received };
            let (stopped, threads) = runtime.block_on(life.live());
            // Closes every socket at once; then nobody sends to the disk's threads any more, and they end.
            runtime.shutdown_background();
            let panicked = threads.into_iter().filter_map(|thread| thread.join().err()).count() > 0;
            let _ = ended_tell.send(if panicked { Err(StopError::Panicked) } else { stopped });
        });
        let thread = thread.map_err(StartError::Thread)?;
        match started.await {
            Ok(Ok(Started { id, cluster })) => {
                Ok(Member { orders, ready, ended: Some(ended), thread: Some(thread), id, cluster })
            }
            Ok(Err(error)) => {
                let _ = thread.join();
                Err(error)
            }
            Err(_) => {
                let _ = thread.join();
                Err(StopError::Panicked.into())
            }
        }
    }

    /// This member's id.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The cluster's id.
    pub fn cluster_id(&self) -> u64 {
        self.cluster
    }

    /// Returns once the member has a leader and serves; false if it ended before.
    pub async fn ready(&mut self) -> bool {
        self.ready.wait_for(|ready| *ready).await.is_ok()
    }

    /// Returns when the member ended.
    pub async fn ended(&mut self) -> Result<(), StopError> {
        let ended = match &mut self.ended {
            Some(ended) => ended.await.unwrap_or(Err(StopError::Panicked)),
            None => Ok(()),
        };
        self.ended = None;
        self.join();
        ended
    }

    /// Hands leadership over, then stops.
    pub async fn stop(mut self) -> Result<(), StopError> {
        let _ = self.orders.send(Order::Stop);
        self.ended().await
    }

    /// Stops as if the process had been killed, as far as that can be done within it: sockets close without a word, what was not
    /// on its way to the disk is lost. For tests.
    pub async fn kill(mut self) {
        let _ = self.orders.send(Order::Kill);
        let _ = self.ended().await;
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let _ = self.orders.send(Order::Kill);
        self.join();
    }
}

/// The life of a member, on its own thread.
struct Life {
    config: Arc<Config>,
    started: oneshot::Sender<Result<Started, StartError>>,
    ready: watch::Sender<bool>,
    orders: mpsc::UnboundedReceiver<Order>,
}

/// The disk's threads, to be waited for.
type Threads = Vec<JoinHandle<()>>;

impl Life {
    async fn live(self) -> (Result<(), StopError>, Threads) {
        if self.config.lossy_disk {
            warn!("the disk forgets what was not synced when this process ends: for tests only");
            let disk = LossyDisk::new(self.config.data_dir.clone());
            self.live_on(disk).await
        } else {
            let disk = RealDisk::new(self.config.data_dir.clone());
            self.live_on(disk).await
        }
    }

    async fn live_on<D: Disk>(self, disk: D) -> (Result<(), StopError>, Threads) {
        let Life { config, started, ready, orders } = self;
        match begin(disk, &config).await {
            Ok(body) => {
                let _ = started.send(Ok(Started { id: body.me.0, cluster: body.cluster }));
                body.live(config, ready, orders).await
            }
            Err(error) => {
                let _ = started.send(Err(error));
                (Ok(()), Threads::new())
            }
        }
    }
}

/// What is alive of a member.
struct Body<D: Disk> {
    me: NodeId,
    cluster: u64,
    task: ReplicaTask<D>,
    transport: Arc<Transport>,
    board: Board,
    door: Door,
    watches: WatchDoor,
    listeners: Listeners,
    threads: Threads,
    quota: Arc<Quota>,
}

/// Everything up to the moment from which the member takes part.
async fn begin<D: Disk>(disk: D, config: &Arc<Config>) -> Result<Body<D>, StartError> {
    // First the ports: two members that were told the same ones are told apart before either touches its data.
    let listeners = Listeners::bind(config).await?;
    let client = HttpClient::new(config.dial_timeout());
    let store = match open_keyspace(disk, LogOptions::default(), DataOptions::default())? {
        OpenedKeyspace::Member(store) => *store,
        OpenedKeyspace::Blank(blank) => {
            listeners.say_unborn();
            found(blank, config, &client).await?
        }
    };
    let cluster = assemble::recover(&store)?;
    let KeyspaceStore { identity, recovered, log, mut machine, folder, journal, lock } = store;
    let clock = Clock::new();
    let me = identity.member();
    let metrics = Arc::new(Metrics::new(me));
    let shared = Arc::new(Shared {
        identity: Identity::new(me, identity.cluster(), unforeseen(), &cluster.urls_of(me)),
        dial_timeout: config.dial_timeout(),
        client,
        metrics: metrics.clone(),
        removed: Notify::new(),
    });
    // As in etcd not for a member that has just been founded: it holds nothing yet.
    if config.initial_corrupt_check && machine.revision() > 1 {
        let members: Vec<_> = machine.members().cloned().collect();
        let checked = corruption::check_at_start(&machine, &members, &shared, config.request_timeout()).await;
        // A file that cannot be read looks like another history, too.
        machine.values_mut().take_fault().map_or(Ok(()), |fault| Err(StopError::from(fault)))?;
        checked?;
    }
    let codec = EtcdCodec::new(me, wall().0, metrics);
    let disk = OnDisk { log, snapshotting: Snapshotting::new(folder, machine.values().file().clone()), journal, lock };
    let replica = assemble::replica(config, &recovered, machine, &cluster, codec, unforeseen(), clock);
    let board = Board::new(replica.status(), replica.machine().revision());
    let cluster_id = identity.cluster();
    connect(config, Parts { disk, cluster_id, replica, cluster, clock, board, shared }, listeners)
}

/// The parts of a member, each of which knows only itself.
struct Parts<D: Disk> {
    disk: OnDisk<D>,
    cluster_id: u64,
    replica: Replica<D>,
    cluster: Cluster,
    clock: Clock,
    board: Board,
    shared: Arc<Shared>,
}

/// What was found on the disk, beside the machine.
struct OnDisk<D: Disk> {
    log: Log<D>,
    snapshotting: Snapshotting<D>,
    journal: Journal<D>,
    lock: D::File,
}

/// Lets the parts know each other, and the world know them.
fn connect<D: Disk>(config: &Arc<Config>, parts: Parts<D>, listeners: Listeners) -> Result<Body<D>, StartError> {
    let Parts { disk: on_disk, cluster_id, replica, cluster, clock, board, shared } = parts;
    let metrics = shared.metrics.clone();
    let me = shared.identity.me;
    let (peer_events, peers) = mpsc::unbounded_channel();
    let (disk_events, disk) = mpsc::unbounded_channel();
    let (asks_tell, asks) = mpsc::unbounded_channel();
    let door = Door::new(asks_tell);
    let (watches, watch_asks) = WatchDoor::new();

    let OnDisk { log, snapshotting, journal, lock } = on_disk;
    let lock = Arc::new(lock);
    let data = DataThread::start(&config.name, log.reader(), journal, lock.clone(), disk_events.clone(), metrics.clone())
        .map_err(StartError::Thread)?;
    let log = LogThread::start(&config.name, log, lock, disk_events, metrics.clone()).map_err(StartError::Thread)?;

    let transport = Transport::start(shared, cluster.others(me), &peer_events);
    let snapshotting = Arc::new(snapshotting);
    let lessor = Lessor::new(door.clone(), board.clone(), transport.clone(), config.request_timeout());
    let peer_port = PeerPort::new(transport.clone(), Arc::new(door.clone()), snapshotting.clone(), board.clone(), lessor.clone());
    let quota = Arc::new(Quota::new(config.quota_backend_bytes));
    if let Some(bytes) = config.quota_backend_bytes {
        metrics.quota(bytes);
    }
    let unsent = Unsent::new(config.unsent_bytes_max);
    let inside = Inside {
        door: door.clone(),
        watches: watches.clone(),
        board: board.clone(),
        lessor,
        metrics: metrics.clone(),
        quota: quota.clone(),
        unsent: unsent.clone(),
    };
    let client_port = ClientPort::new(config.clone(), me, cluster_id, inside);
    listeners.open(peer_port, client_port);

    let all_watches = {
        let options = WatchOptions { progress_interval: config.watch_progress_notify_interval, ..WatchOptions::default() };
        Watches::new(replica.machine().revision(), options, unforeseen())
    };
    let desk = Desk::new(all_watches, watch_asks, clock, config.election_timeout, metrics.clone());
    let outputs = Outputs {
        me,
        transport: transport.clone(),
        log: log.commands,
        data: data.commands,
        snapshotting,
        peers: peer_events,
        board: board.clone(),
        metrics,
        quota: quota.clone(),
        unsent,
    };
    let task = ReplicaTask::new(replica, clock, desk, Inputs { peers, disk, asks }, outputs, config.snapshot_count);
    let threads = vec![log.handle, data.handle];
    Ok(Body { me, cluster: cluster_id, task, transport, board, door, watches, listeners, threads, quota })
}

impl<D: Disk> Body<D> {
    async fn live(
        self,
        config: Arc<Config>,
        ready: watch::Sender<bool>,
        mut orders: mpsc::UnboundedReceiver<Order>,
    ) -> (Result<(), StopError>, Threads) {
        let Body { me, cluster, task, transport, board, door, watches, listeners, threads, quota } = self;
        info!(member = %me, cluster = format_args!("{cluster:x}"), name = config.name, "started");
        let mut replica = tokio::spawn(task.run());
        tokio::spawn(keep_cluster_version(door.clone(), board.clone(), transport.shared.clone()));
        tokio::spawn(quota::keep_alarm(door.clone(), quota, me));
        if let Some(retention) = config.auto_compaction {
            tokio::spawn(compactor::run(door.clone(), board.clone(), retention));
        }
        let pace = Pace {
            compactions: config.compact_hash_check_time,
            whole: config.corrupt_check_time,
            patience: config.request_timeout(),
        };
        tokio::spawn(corruption::watch(door.clone(), board.clone(), transport.shared.clone(), pace));
        let announcing = tokio::spawn(announce(door.clone(), me, config.clone(), ready));
        let shared = transport.shared.clone();
        let stopped = tokio::select! {
            stopped = &mut replica => Err(stopped.unwrap_or(StopError::Panicked)),
            () = shared.removed.notified() => Err(StopError::Removed),
            order = orders.recv() => match order {
                Some(Order::Stop) => {
                    announcing.abort();
                    tokio::select! {
                        stopped = &mut replica => Err(stopped.unwrap_or(StopError::Panicked)),
                        () = farewell(&door, &watches, &board, &listeners) => Ok(()),
                        _ = killed(&mut orders) => Ok(()),
                    }
                }
                Some(Order::Kill) | None => Ok(()),
            },
        };
        replica.abort();
        (stopped, threads)
    }
}

/// Announces this member, then says that it is ready, in the words that scripts wait for.
async fn announce(door: Door, me: NodeId, config: Arc<Config>, ready: watch::Sender<bool>) {
    publish(door, me, config.clone()).await;
    for address in config.listen_client_urls.iter().map(Url::as_str) {
        info!(address, "ready to serve client requests");
    }
    ready.send_replace(true);
}

/// Leaves nobody waiting: another member leads before this one is gone, and answers that are on their way arrive.
async fn farewell(door: &Door, watches: &WatchDoor, board: &Board, listeners: &Listeners) {
    if board.status().role == Role::Leader {
        tokio::select! {
            handed = door.transfer(None) => match handed {
                Ok(()) => info!("handed leadership over"),
                Err(why) => info!(?why, "nobody took leadership over"),
            },
            () = led_no_more(board) => info!("leads no more"),
            () = tokio::time::sleep(HANDOVER) => warn!("nobody took leadership over in time"),
        }
    }
    listeners.close();
    // These would stay for as long as they are let.
    watches.tell(WatchAsk::Stop);
    if tokio::time::timeout(DRAIN, listeners.drained()).await.is_err() {
        info!("some clients were still connected");
    }
    // The log has all of it; but the next start is quicker if the data file has, too.
    if tokio::time::timeout(FLUSHING, door.settle()).await.is_err() {
        info!("the data file lags behind the log");
    }
}

/// Returns when this member has not led for a moment: with a successor, the hand-over itself has ended by then.
async fn led_no_more(board: &Board) {
    let mut leadership = board.leadership();
    while board.status().role == Role::Leader {
        if leadership.changed().await.is_err() {
            return;
        }
    }
    tokio::time::sleep(SUCCESSION).await;
}

/// Returns when the order to kill comes, or nobody can give orders any more.
async fn killed(orders: &mut mpsc::UnboundedReceiver<Order>) {
    while let Some(order) = orders.recv().await {
        if order == Order::Kill {
            return;
        }
    }
}
