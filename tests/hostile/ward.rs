//! A cluster under a light load, and what must be true of it after everything.

use crate::hostile::raw;
use crate::hostile::voices::Scene;
use crate::support::{Cluster, Kind, wait};
use etcd::pb::etcdserverpb::kv_client::KvClient;
use etcd::pb::etcdserverpb::maintenance_client::MaintenanceClient;
use etcd::pb::etcdserverpb::{PutRequest, RangeRequest, StatusRequest, StatusResponse};
use etcd::pb::raftpb::Message;
use prost::Message as _;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeSet;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::Runtime;
use tonic::transport::{Channel, Endpoint};

/// What a member may take, whatever happens: many times what it needs, and far from what it was sent.
const RESIDENT_MAX: u64 = 1 << 30;
/// Longer than a busy machine stops a process for, so that nobody but the hostile ends a leadership.
const TIMING: [&str; 2] = ["--heartbeat-interval=300", "--election-timeout=3000"];

/// What a disturbance may do to the leadership.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leader {
    /// Nothing.
    Same,
    /// Cost elections.
    Any,
}

/// Where a member is found.
pub struct Place {
    pub client: String,
    pub peer: String,
}

/// One ward is open at a time: nine clusters on two cores would disturb their own leaders.
static OPEN: Mutex<()> = Mutex::new(());

pub struct Ward {
    cluster: RefCell<Cluster>,
    places: Vec<Place>,
    runtime: Runtime,
    load: Load,
    leadership: Cell<(u64, u64)>,
    headers: OnceCell<String>,
    _alone: MutexGuard<'static, ()>,
}

impl Ward {
    pub fn open() -> Ward {
        let alone = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        let cluster = Cluster::start_with(&[Kind::Quorate; 3], &TIMING, &[]);
        let places: Vec<Place> =
            cluster.members.iter().map(|member| Place { client: member.client.clone(), peer: member.peer.clone() }).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let load = Load::start(places.iter().map(|place| place.client.clone()).collect());
        let ward = Ward {
            cluster: RefCell::new(cluster),
            places,
            runtime,
            load,
            leadership: Cell::default(),
            headers: OnceCell::new(),
            _alone: alone,
        };
        ward.check("nothing yet", Leader::Any);
        ward
    }

    pub fn members(&self) -> impl Iterator<Item = &Place> {
        self.places.iter()
    }

    pub fn member(&self, index: usize) -> &Place {
        &self.places[index]
    }

    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    pub fn status(&self, index: usize) -> Option<StatusResponse> {
        self.block_on(async {
            let mut client = MaintenanceClient::new(connect(&self.places[index].client).await?);
            Some(client.status(StatusRequest::default()).await.ok()?.into_inner())
        })
    }

    fn header(&self, index: usize) -> (u64, u64) {
        let mut header = None;
        wait("a member to say who it is", || {
            header = self.status(index).and_then(|status| status.header);
            header.is_some()
        });
        header.map(|header| (header.cluster_id, header.member_id)).expect("waited for it")
    }

    pub fn cluster_id(&self) -> u64 {
        self.header(0).0
    }

    /// The headers that a member of the cluster would send.
    pub fn peer_headers(&self) -> String {
        let cluster = self.cluster_id();
        format!("x-server-version: 3.5.16\r\nx-min-cluster-version: 3.0.0\r\nx-etcd-cluster-id: {cluster:x}\r\n")
    }

    /// What a forger can know before turning to member `victim`.
    pub fn scene(&self, victim: usize) -> Scene {
        let status = self.agreed();
        let id = |index| self.header(index).1;
        let others = (0..3).filter(|&index| index != victim).map(id).collect();
        Scene { victim: id(victim), others, leader: status.leader, term: status.raft_term, index: status.raft_index }
    }

    /// The same once nothing is on its way any more.
    pub fn settled_scene(&self, victim: usize) -> Scene {
        let mut last = 0;
        wait("the log to come to rest", || {
            let indexes: BTreeSet<u64> = (0..3).filter_map(|index| Some(self.status(index)?.raft_index)).collect();
            let rests = indexes.len() == 1 && indexes.contains(&last);
            last = indexes.last().copied().unwrap_or(0);
            std::thread::sleep(Duration::from_millis(200));
            rests
        });
        self.scene(victim)
    }

    /// Sends a message as a request of its own; the status of the answer.
    pub fn post(&self, victim: usize, message: &Message) -> String {
        raw::ask(&self.places[victim].peer, "POST", "/raft", self.cached_headers(), &message.encode_to_vec())
    }

    fn cached_headers(&self) -> &str {
        self.headers.get_or_init(|| self.peer_headers())
    }

    pub fn follower(&self) -> usize {
        let leader = self.agreed().leader;
        (0..3).find(|&index| self.header(index).1 != leader).expect("two of three")
    }

    pub fn stop(&self, index: usize) {
        self.cluster.borrow_mut().members[index].kill();
    }

    pub fn start(&self, index: usize) {
        let mut cluster = self.cluster.borrow_mut();
        cluster.members[index].spawn();
        cluster.members[index].wait_healthy();
    }

    pub fn restart_all(&self) {
        let mut cluster = self.cluster.borrow_mut();
        cluster.kill_all();
        cluster.respawn_all();
    }

    pub fn pause_load(&self) {
        self.load.paused.store(true, Ordering::SeqCst);
    }

    pub fn resume_load(&self) {
        self.load.paused.store(false, Ordering::SeqCst);
    }

    /// What a member says whose leader all members name.
    fn agreed(&self) -> StatusResponse {
        let mut agreed = None;
        wait("a leader of whom all know", || {
            let running: Vec<usize> = (0..3).filter(|&index| self.cluster.borrow().members[index].is_running()).collect();
            let all: Vec<StatusResponse> = running.iter().filter_map(|&index| self.status(index)).collect();
            let views: BTreeSet<(u64, u64)> = all.iter().map(|status| (status.leader, status.raft_term)).collect();
            let one = all.len() == running.len() && views.len() == 1 && views.iter().all(|&(leader, _)| leader != 0);
            agreed = all.into_iter().next().filter(|_| one);
            agreed.is_some()
        });
        agreed.expect("waited for it")
    }

    /// All members are alive, well and of reasonable size, puts go on, and what was acknowledged is there.
    pub fn check(&self, after: &str, leader: Leader) {
        let mut sizes = Vec::new();
        for member in &self.cluster.borrow().members {
            let resident = resident(member.pid()).unwrap_or_else(|| panic!("{} died of {after}", member.name));
            assert!(resident < RESIDENT_MAX, "{} takes {} MiB after {after}", member.name, resident >> 20);
            sizes.push(resident >> 20);
            member.wait_healthy();
        }
        let before = self.load.count();
        wait(&format!("puts to go on after {after}"), || self.load.count() > before + 10);

        let status = self.agreed();
        let now = (status.leader, status.raft_term);
        let then = self.leadership.replace(now);
        assert!(leader == Leader::Any || then == now, "the leader (id, term) was {then:x?} and is {now:x?} after {after}");

        let acknowledged = self.load.acknowledged.lock().expect("not poisoned").clone();
        for place in &self.places {
            let found = self.block_on(found(&place.client));
            let lost: Vec<&String> = acknowledged.difference(&found).take(5).collect();
            assert!(lost.is_empty(), "{lost:?} were acknowledged and are gone at {} after {after}", place.client);
        }
        println!("after {after}: {sizes:?} MiB resident, {} puts acknowledged", acknowledged.len());
    }
}

/// The resident bytes of a process; `None` if it is dead.
pub fn resident(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes << 10)
}

pub async fn connect(url: &str) -> Option<Channel> {
    let endpoint = Endpoint::from_shared(url.to_owned()).expect("a good address");
    endpoint.connect_timeout(Duration::from_secs(5)).timeout(Duration::from_secs(20)).connect().await.ok()
}

/// The keys of the load, as a member that agrees with the others has them.
async fn found(url: &str) -> BTreeSet<String> {
    let mut kv = KvClient::new(connect(url).await.expect("a healthy member"));
    let mut keys = BTreeSet::new();
    let mut next = b"load/".to_vec();
    loop {
        let range =
            RangeRequest { key: next.into(), range_end: "load0".into(), keys_only: true, limit: 1000, ..RangeRequest::default() };
        let answer = kv.range(range).await.expect("a healthy member").into_inner();
        keys.extend(answer.kvs.iter().map(|kv| String::from_utf8_lossy(&kv.key).into_owned()));
        match answer.kvs.last() {
            Some(last) if answer.more => next = [&last.key[..], &[0]].concat(),
            _ => return keys,
        }
    }
}

/// Some puts a second to each member, each under a key of its own.
struct Load {
    acknowledged: Arc<Mutex<BTreeSet<String>>>,
    paused: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Load {
    fn start(urls: Vec<String>) -> Load {
        let (acknowledged, paused, over) = (Arc::default(), Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let shared = (Arc::clone(&acknowledged), paused.clone(), over.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let (acknowledged, paused, over) = shared;
                let tasks: Vec<_> = urls
                    .into_iter()
                    .enumerate()
                    .map(|(number, url)| {
                        tokio::spawn(client(number, url, Arc::clone(&acknowledged), paused.clone(), over.clone()))
                    })
                    .collect();
                for task in tasks {
                    task.await.expect("a load that ends in peace");
                }
            });
        });
        Load { acknowledged, paused, over, thread: Some(thread) }
    }

    fn count(&self) -> usize {
        self.acknowledged.lock().expect("not poisoned").len()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn client(
    number: usize,
    url: String,
    acknowledged: Arc<Mutex<BTreeSet<String>>>,
    paused: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
) {
    let mut kv = None;
    for n in 0.. {
        // The load's pace, not a wait for anything.
        tokio::time::sleep(Duration::from_millis(20)).await;
        if over.load(Ordering::SeqCst) {
            return;
        }
        if paused.load(Ordering::SeqCst) {
            continue;
        }
        if kv.is_none() {
            kv = connect(&url).await.map(KvClient::new);
        }
        let Some(client) = &mut kv else { continue };
        let key = format!("load/{number}/{n:08}");
        let put = PutRequest { key: key.clone().into(), value: "x".into(), ..Default::default() };
        match client.put(put).await {
            Ok(_) => {
                acknowledged.lock().expect("not poisoned").insert(key);
            }
            Err(_) => kv = None,
        }
    }
}
