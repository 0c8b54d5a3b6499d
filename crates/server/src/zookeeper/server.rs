//! The life of a server.
//!
//! ```text
//!   ports, folders, the tree of the newest snapshot ──▶ turns, other servers, clients ──▶ ready
//!   stop: hand leadership over, stop accepting, let answers leave, end the disk's threads
//! ```

use super::address::listen;
use super::assemble::{self, layout, settings};
use super::clients::ClientPorts;
use super::config::Config;
use super::disk::{DataThread, LogThread, Restorer, Snapshotting};
use super::election::Election;
use super::error::{RunError, StartError, StopError};
use super::inbox::Inbox;
use super::member::{Clients, Core};
use super::quorum::Quorum;
use super::turn::{Inputs, Outputs, Turns};
use crate::clock::Clock;
use bytes::Bytes;
use consensus::Role;
use std::future::Future;
use std::path::Path;
use std::rc::Rc;
use std::thread::JoinHandle;
use std::time::Duration;
use storage::zookeeper::{Store, open};
use storage::{Disk, LossyDisk, RealDisk};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{sleep, timeout};
use tracing::{info, warn};
use zookeeper::config::Address;
use zookeeper::quorum::Speaker;

/// How long a stopping server waits for another to lead.
const HANDOVER: Duration = Duration::from_secs(2);
/// How long it waits for answers to leave, and how often it looks whether they have.
const DRAIN: Duration = Duration::from_secs(1);
const DRAIN_LOOK: Duration = Duration::from_millis(5);

/// See [`super::run_until`].
pub(crate) async fn run_until(config: Config, stop: impl Future<Output = ()>) -> Result<(), RunError> {
    let (data, log) = (config.data_dir.clone(), config.data_log_dir.clone());
    if config.lossy_disk {
        warn!("the disk forgets what was not synced when this process ends: for tests only");
        run_on(LossyDisk::new, &data, &log, config, stop).await
    } else {
        run_on(RealDisk::new, &data, &log, config, stop).await
    }
}

async fn run_on<D: Disk>(
    disk: impl Fn(std::path::PathBuf) -> D,
    data: &Path,
    log: &Path,
    config: Config,
    stop: impl Future<Output = ()>,
) -> Result<(), RunError> {
    // One folder is one disk: a disk may know more of its folder than what is in it.
    let one = data == log;
    let data = disk(data.to_owned());
    let log = if one { data.clone() } else { disk(log.to_owned()) };
    let local = LocalSet::new();
    let lived = local.run_until(live(data, log, Rc::new(config), stop)).await;
    // Closes every socket at once; then nobody sends to the disk's threads any more, and they end.
    drop(local);
    let (stopped, threads) = lived?;
    let panicked = threads.into_iter().filter_map(|thread| thread.join().err()).count() > 0;
    if panicked { Err(StopError::Panicked.into()) } else { Ok(stopped?) }
}

/// How a server stopped, and the disk's threads, to be waited for.
type Lived = (Result<(), StopError>, Vec<JoinHandle<()>>);

async fn live<D: Disk>(data: D, log: D, config: Rc<Config>, stop: impl Future<Output = ()>) -> Result<Lived, StartError> {
    // First the ports: two servers that were told the same ones are told apart before either touches its data.
    let ports = Ports::bind(&config).await?;
    let restorer = Restorer::new(&config, settings(&config));
    let store =
        open(data, log, layout(&config), || restorer.first_snapshot()).map_err(|error| StartError::Data(error.to_string()))?;
    for warning in &store.warnings {
        warn!("{warning}");
    }
    let Body { core, turns, clients, threads } = assemble(&config, restorer, store, ports)?;
    let mut turns = spawn_local(turns);
    let stopped = tokio::select! {
        stopped = &mut turns => Err(stopped.unwrap_or(StopError::Panicked)),
        () = stop => tokio::select! {
            stopped = &mut turns => Err(stopped.unwrap_or(StopError::Panicked)),
            () = farewell(&core, &*clients) => Ok(()),
        },
    };
    if stopped.is_ok() {
        turns.abort();
        // The turns hold the ways to the disk's threads until they are gone themselves.
        let _ = turns.await;
    }
    Ok((stopped, threads))
}

/// Where others find this server.
struct Ports {
    election: Vec<TcpListener>,
    quorum: Vec<TcpListener>,
    clients: ClientPorts,
}

impl Ports {
    async fn bind(config: &Config) -> Result<Ports, StartError> {
        let clients = ClientPorts::bind(config)?;
        if config.is_standalone() {
            return Ok(Ports { election: Vec::new(), quorum: Vec::new(), clients });
        }
        let me = config.ensemble.servers.get(&config.me()).ok_or(StartError::NotAServer { id: config.id })?;
        let places = |port: fn(&Address) -> _| me.addresses.iter().map(port).collect::<Vec<_>>();
        let everywhere = config.quorum_listen_on_all_ips;
        Ok(Ports {
            election: listen(&places(Address::election), everywhere).await?,
            quorum: listen(&places(Address::quorum), everywhere).await?,
            clients,
        })
    }
}

/// What is alive of a server.
struct Body<T> {
    core: Rc<Core>,
    turns: T,
    clients: Rc<dyn Clients>,
    threads: Vec<JoinHandle<()>>,
}

/// Lets the parts know each other, and the world know them.
fn assemble<D: Disk>(
    config: &Rc<Config>,
    restorer: Restorer,
    store: Store<D>,
    ports: Ports,
) -> Result<Body<impl Future<Output = StopError> + use<D>>, StartError> {
    let clock = Clock::new();
    let tree = assemble::tree(&store, &restorer).map_err(|error| StartError::Data(error.to_string()))?;
    let Store { recovered, log, newest, snapshots, journal, lock, .. } = store;
    let replica = assemble::replica(config, recovered, tree, clock);
    let core = Core::new(config.clone(), clock, replica);

    let (disk_events, disk) = mpsc::unbounded_channel();
    let reader = log.reader();
    let log = LogThread::start(log, lock, disk_events.clone()).map_err(StartError::Thread)?;
    let data =
        DataThread::start(reader, snapshots.clone(), journal, log.commands.clone(), disk_events).map_err(StartError::Thread)?;

    let (peer_events, peers) = mpsc::unbounded_channel();
    let inbox = Inbox::new(peer_events);
    let snapshotting = Snapshotting::new(snapshots, restorer);
    let configuration = Bytes::from(config.ensemble.to_string());
    let speaker = Speaker { sid: config.id as i64, configuration: configuration.clone() };
    let election = Election::new(config, configuration, inbox.clone());
    let quorum = Quorum::new(config, speaker, snapshotting.receiver(), inbox);
    election.open(ports.election);
    quorum.open(ports.quorum);
    core.know(quorum.clone());

    let clients: Rc<dyn Clients> = ports.clients.open(&core);
    let (log_commands, data_commands) = (log.commands, data.commands);
    let outputs = Outputs { clients: clients.clone(), election, quorum, log: log_commands, data: data_commands, snapshotting };
    let turns = Turns::new(core.clone(), Inputs { peers, disk }, outputs, newest).run();
    Ok(Body { core, turns, clients, threads: vec![log.handle, data.handle] })
}

/// Leaves nobody waiting: another server leads before this one is gone, and answers that are on their way arrive.
async fn farewell(core: &Core, clients: &dyn Clients) {
    if core.status().role == Role::Leader && !core.config().is_standalone() {
        match timeout(HANDOVER, core.hand_over()).await {
            Ok(Ok(outcome)) => info!(?outcome, "handed leadership over"),
            Ok(Err(_)) => {}
            Err(_) => warn!("nobody took leadership over in time"),
        }
    }
    clients.on_stopping();
    let drained = timeout(DRAIN, async {
        while !clients.is_drained() {
            sleep(DRAIN_LOOK).await;
        }
    });
    if drained.await.is_err() {
        info!("some clients were still connected");
    }
}
