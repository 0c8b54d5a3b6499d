//! What happens to the members while clients work: deaths, partitions, pauses.

use crate::chaos::proxy::{CLIENTS, Flow, Flows, MEMBERS, Network, OPEN};
use crate::chaos::scene::{Chance, Scene};
use crate::support::Cluster;
use etcd::pb::etcdserverpb::StatusRequest;
use etcd::pb::etcdserverpb::maintenance_client::MaintenanceClient;
use rustix::process::{Pid, Signal, kill_process};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tonic::transport::Endpoint;

/// What can happen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    /// One member, the leader rather than another, dies at once and is started again.
    Kill,
    /// Two die.
    KillTwo,
    /// All die.
    KillAll,
    /// The network falls apart in some way.
    Partition,
    /// The network is slow.
    Slow,
    /// A member stands still, and goes on with an old idea of the time (SIGSTOP, SIGCONT).
    Pause,
}

/// How often what happened.
#[derive(Default, Debug)]
pub struct Counts {
    pub kills: u32,
    pub deaths: u32,
    pub partitions: u32,
    pub slow: u32,
    pub pauses: u32,
}

/// The cluster and its network, in the hands of whoever breaks them.
pub struct Faults {
    pub cluster: Cluster,
    pub network: Network,
    pub pids: Arc<[AtomicU32; MEMBERS]>,
    pub chance: Chance,
    pub counts: Counts,
    runtime: tokio::runtime::Runtime,
}

impl Faults {
    pub fn new(cluster: Cluster, network: Network, pids: Arc<[AtomicU32; MEMBERS]>, seed: u64) -> Faults {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        Faults { cluster, network, pids, chance: Chance::new(seed, 4 << 32), counts: Counts::default(), runtime }
    }

    /// So many kills and partitions, and some pauses and slow hours, spread evenly over the operations.
    pub fn run(&mut self, kills: u32, partitions: u32, scene: &Scene) {
        let mut plan: Vec<Fault> = (0..kills)
            .map(|kill| match kill % 5 {
                2 => Fault::KillTwo,
                4 => Fault::KillAll,
                _ => Fault::Kill,
            })
            .collect();
        plan.extend((0..partitions).map(|_| Fault::Partition));
        plan.extend((0..kills.div_ceil(3)).map(|_| Fault::Pause));
        plan.extend((0..partitions.div_ceil(3)).map(|_| Fault::Slow));
        for index in (1..plan.len()).rev() {
            plan.swap(index, self.chance.below(index as u64 + 1) as usize);
        }
        let between = scene.operations / (plan.len() as u64 + 1);
        for (index, fault) in plan.into_iter().enumerate() {
            wait_for_calls(between * (index as u64 + 1), scene);
            self.happen(fault);
            self.heal();
        }
    }

    fn happen(&mut self, fault: Fault) {
        let leader = self.leader().unwrap_or(0);
        let target = if self.chance.one_in(3) { (leader + 1) % MEMBERS } else { leader };
        let victims: &[usize] = match fault {
            Fault::Kill => &[target],
            Fault::KillTwo => &[target, (target + 1) % MEMBERS],
            Fault::KillAll => &[0, 1, 2],
            Fault::Partition => {
                let flows = self.partition(target);
                eprintln!("chaos: {}", Shown(&flows));
                self.network.set(flows);
                self.counts.partitions += 1;
                return self.last(1_500, 4_000);
            }
            Fault::Slow => {
                let delay = Duration::from_millis(1 + self.chance.below(30));
                eprintln!("chaos: every piece waits {delay:?}");
                let mut flows = [[Flow::Slow(delay); MEMBERS + 1]; MEMBERS + 1];
                flows[CLIENTS] = OPEN[CLIENTS];
                self.network.set(flows);
                self.counts.slow += 1;
                return self.last(1_000, 2_000);
            }
            Fault::Pause => {
                eprintln!("chaos: m{} stands still", target + 1);
                self.signal(target, Signal::STOP);
                self.counts.pauses += 1;
                self.last(500, 4_000);
                return self.signal(target, Signal::CONT);
            }
        };
        eprintln!("chaos: {victims:?} die");
        for &victim in victims {
            self.signal(victim, Signal::KILL);
        }
        for &victim in victims {
            self.cluster.members[victim].kill();
        }
        self.counts.kills += 1;
        self.counts.deaths += victims.len() as u32;
        self.last(50, 1_500);
    }

    /// How the network falls apart around `target`.
    fn partition(&mut self, target: usize) -> Flows {
        let flow = if self.chance.one_in(2) { Flow::Cut } else { Flow::Held };
        let others = (0..MEMBERS).filter(|&other| other != target);
        let mut flows = OPEN;
        match self.chance.below(5) {
            // Alone, but for clients, who must not be told anything stale.
            0 => others.for_each(|other| (flows[target][other], flows[other][target]) = (flow, flow)),
            // Alone.
            1 => (0..=CLIENTS)
                .filter(|&other| other != target)
                .for_each(|other| (flows[target][other], flows[other][target]) = (flow, flow)),
            // It hears, and is not heard.
            2 => others.for_each(|other| flows[target][other] = Flow::Held),
            // It is heard, and does not hear.
            3 => others.for_each(|other| flows[other][target] = Flow::Held),
            // Two do not hear each other; the third hears both.
            _ => {
                let other = (target + 1) % MEMBERS;
                (flows[target][other], flows[other][target]) = (flow, flow);
            }
        }
        flows
    }

    /// A fault lasts as long as it does: nothing else ends it.
    fn last(&mut self, at_least: u64, more: u64) {
        std::thread::sleep(Duration::from_millis(at_least + self.chance.below(more)));
    }

    /// Ends all faults, and waits until every member serves.
    pub fn heal(&mut self) {
        self.network.set(OPEN);
        for (member, pid) in self.cluster.members.iter_mut().zip(self.pids.iter()) {
            if !member.is_running() {
                member.spawn();
                pid.store(member.pid(), Ordering::SeqCst);
            }
        }
        self.cluster.wait_healthy();
    }

    fn signal(&self, member: usize, signal: Signal) {
        let pid = Pid::from_raw(self.cluster.members[member].pid() as i32).expect("a process");
        kill_process(pid, signal).expect("a process of ours");
    }

    /// Who leads, by its own account in the highest term.
    fn leader(&self) -> Option<usize> {
        self.runtime.block_on(async {
            let mut found: Option<(u64, usize)> = None;
            for (index, member) in self.cluster.members.iter().enumerate() {
                let endpoint = Endpoint::from_shared(member.client.clone()).expect("a good address");
                let mut client = MaintenanceClient::new(endpoint.connect_lazy());
                let answer = tokio::time::timeout(Duration::from_secs(1), client.status(StatusRequest {})).await;
                let Ok(Ok(status)) = answer else { continue };
                let status = status.into_inner();
                let leads = status.header.is_some_and(|header| header.member_id == status.leader);
                if leads && found.is_none_or(|(term, _)| term < status.raft_term) {
                    found = Some((status.raft_term, index));
                }
            }
            found.map(|(_, index)| index)
        })
    }
}

/// Waits until so many operations were called; clients that call nothing for a minute are a finding.
fn wait_for_calls(calls: u64, scene: &Scene) {
    let (mut before, mut since) = (0, Instant::now());
    loop {
        let called = scene.called.load(Ordering::Relaxed);
        if called >= calls {
            return;
        }
        if called != before {
            (before, since) = (called, Instant::now());
        }
        assert!(
            since.elapsed() < Duration::from_secs(60),
            "for a minute, no client could do anything: {called} of {} operations",
            scene.operations
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A partition in words.
struct Shown<'a>(&'a Flows);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |node: usize| if node == CLIENTS { "clients".to_owned() } else { format!("m{}", node + 1) };
        for (source, row) in self.0.iter().enumerate() {
            for (target, flow) in row.iter().enumerate().filter(|(_, flow)| **flow != Flow::Open) {
                write!(f, " {} -> {} {flow:?};", name(source), name(target))?;
            }
        }
        Ok(())
    }
}
