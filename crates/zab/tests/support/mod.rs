//! A little world: several servers, FIFO links that are lost as a whole, and disks that forget in a crash what was not synced.
#![allow(dead_code, unreachable_pub, reason = "each test uses its part")]

mod durable;
mod invariant;
mod network;
pub mod search;
pub mod single;

use bytes::Bytes;
use consensus::{
    Chance, Configuration, Consensus as _, Entry, EntryKind, How, Input, Instant, Link, NodeId, Note, Output, Persist, Position,
    ReadId, Snapshot,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;
use zab::{Config, Decision, Message, Packet, Zab};

pub use durable::{Durable, State};

pub type Out = Output<Message, Decision>;

pub fn id(id: u64) -> NodeId {
    NodeId(id)
}

pub fn at(epoch: u64, index: u64) -> Position {
    Position::new(epoch, index)
}

pub fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub fn entry(epoch: u64, index: u64, data: &str) -> Entry {
    Entry { position: at(epoch, index), kind: EntryKind::Command, data: Bytes::copy_from_slice(data.as_bytes()) }
}

#[derive(Clone, Debug)]
pub enum Item {
    Packet(Packet),
    Snapshot(Position, State),
    Close,
}

/// A quorum link, named by (learner, leader).
#[derive(Debug, Default)]
pub struct Conn {
    pub to_leader: VecDeque<Item>,
    pub to_learner: VecDeque<Item>,
    /// The leader has read the first packet.
    pub known: bool,
}

pub struct Node {
    pub zab: Zab,
    pub writes: VecDeque<Persist>,
    pub machine: State,
    pub owed: VecDeque<Input<Message>>,
    pub arrived: Option<(Position, State)>,
    pub install: Option<(Position, State)>,
    pub ready: Vec<ReadId>,
    pub told: Vec<(NodeId, Note)>,
    pub dropped: usize,
    /// How each synchronization was said to be done, by whoever leads.
    pub decisions: Vec<Decision>,
}

pub struct World {
    pub now: Instant,
    pub configuration: Configuration,
    pub nodes: BTreeMap<NodeId, Node>,
    pub disks: BTreeMap<NodeId, Durable>,
    pub elections: BTreeMap<(NodeId, NodeId), VecDeque<Message>>,
    pub conns: BTreeMap<(NodeId, NodeId), Conn>,
    pub cut: BTreeSet<(NodeId, NodeId)>,
    pub chance: Chance,
    /// What was committed, once and for all.
    pub ghost: Vec<Entry>,
    pub leaders: BTreeMap<u64, NodeId>,
    pub proposals: u64,
    pub trace: bool,
    pub setup: fn(&mut Config),
    pub tail: usize,
    pub syncs: BTreeMap<&'static str, usize>,
    pub label: String,
    pub slow_disks: BTreeSet<NodeId>,
}

impl World {
    pub fn new(voters: u64, observers: u64, seed: u64, setup: fn(&mut Config)) -> World {
        let mut configuration = Configuration::of((1..=voters).map(NodeId));
        configuration.learners = (voters + 1..=voters + observers).map(NodeId).collect();
        World {
            now: Instant::ZERO + millis(1),
            configuration,
            nodes: BTreeMap::new(),
            disks: BTreeMap::new(),
            elections: BTreeMap::new(),
            conns: BTreeMap::new(),
            cut: BTreeSet::new(),
            chance: Chance::new(seed),
            ghost: Vec::new(),
            leaders: BTreeMap::new(),
            proposals: 0,
            trace: std::env::var("TRACE").is_ok(),
            setup,
            tail: usize::MAX,
            syncs: BTreeMap::new(),
            label: format!("seed {seed}"),
            slow_disks: BTreeSet::new(),
        }
    }

    pub fn members(&self) -> Vec<NodeId> {
        self.configuration.members().collect()
    }

    pub fn start_all(&mut self) {
        for member in self.members() {
            self.start(member);
        }
    }

    pub fn start(&mut self, node: NodeId) {
        let durable = self.disks.entry(node).or_default().clone();
        let mut config = Config::new(node, self.configuration.clone());
        (self.setup)(&mut config);
        let seed = self.chance.draw();
        let zab = Zab::new(config, durable.recovered(self.tail), seed, self.now);
        let node_state = Node {
            zab,
            writes: VecDeque::new(),
            machine: durable.snapshot.1.clone(),
            owed: VecDeque::new(),
            arrived: None,
            install: None,
            ready: Vec::new(),
            told: Vec::new(),
            dropped: 0,
            decisions: Vec::new(),
        };
        self.nodes.insert(node, node_state);
        self.say(|| format!("{node} starts: {:?} last {}", durable.promise, durable.last()));
    }

    /// The process dies: writes that were not synced may be there in part.
    pub fn crash(&mut self, node: NodeId) {
        let Some(dead) = self.nodes.remove(&node) else { return };
        self.say(|| format!("{node} crashes"));
        let disk = self.disks.get_mut(&node).expect("every server has a disk");
        // A prefix of what was being written is there; of the write after it perhaps a part of the log.
        let whole = self.chance.below(dead.writes.len() as u64 + 1) as usize;
        for persist in dead.writes.iter().take(whole) {
            disk.write(persist);
        }
        if let Some(append) = dead.writes.get(whole).and_then(|persist| persist.append.as_ref())
            && whole < dead.writes.len()
            && self.chance.one_in(1, 2)
        {
            let part = self.chance.below(append.entries.len() as u64 + 1) as usize;
            disk.append(append, part);
        }
        self.elections.retain(|&(from, to), _| from != node && to != node);
        let pairs: Vec<_> = self.conns.keys().copied().filter(|&(a, b)| a == node || b == node).collect();
        for (learner, leader) in pairs {
            let peer = if learner == node { leader } else { learner };
            self.close(learner, leader, peer);
        }
    }

    fn say(&self, what: impl FnOnce() -> String) {
        if self.trace {
            println!("{} {}", self.now, what());
        }
    }

    pub fn reaches(&self, a: NodeId, b: NodeId) -> bool {
        self.nodes.contains_key(&b) && !self.cut.contains(&(a.min(b), a.max(b)))
    }

    pub fn step(&mut self, node: NodeId, input: Input<Message>) {
        let Some(state) = self.nodes.get_mut(&node) else { return };
        if self.trace {
            println!("{} {node} <- {input:?}", self.now);
        }
        let mut out = Vec::new();
        let before = (state.zab.accepted_epoch(), state.zab.current_epoch());
        state.zab.step(self.now, input, &mut out);
        let after = (state.zab.accepted_epoch(), state.zab.current_epoch());
        assert!(before.0 <= after.0 && before.1 <= after.1, "{}: {node}: epochs went back", self.label);
        assert!(state.zab.deadline() > self.now, "{}: {node} would spin", self.label);
        for output in out {
            self.carry_out(node, output);
        }
        self.observe(node);
    }

    fn carry_out(&mut self, node: NodeId, output: Out) {
        if self.trace {
            match &output {
                Output::Explain(decision) => println!("{} {node}: {decision}", self.now),
                other => println!("{} {node} -> {other:?}", self.now),
            }
        }
        match output {
            Output::Persist(persist) => self.node(node).writes.push_back(persist),
            Output::Send { to, message: message @ Message::Notification(_) } => {
                assert!(self.configuration.contains(to) && to != node, "{}: {node} notifies {to}", self.label);
                if self.reaches(node, to) {
                    self.elections.entry((node, to)).or_default().push_back(message);
                } else {
                    let how = if self.nodes.contains_key(&to) { How::Lost } else { How::Refused };
                    let owed = Input::Disconnected { peer: to, link: Link::Election, how };
                    self.node(node).owed.push_back(owed);
                }
            }
            Output::Send { to, message: Message::Packet(packet) } => {
                self.check_promises(node, &packet);
                self.put(node, to, Item::Packet(packet));
            }
            Output::SendSnapshot { to, message } => {
                let Message::Packet(Packet::Snapshot { position }) = message else { panic!("{message:?}") };
                let (held, state) = self.disks[&node].snapshot.clone();
                assert!(held >= position, "{}: {node} sends a snapshot that it does not have", self.label);
                // A fuzzy one may hold more than it says; here it says what it holds.
                let state = state.into_iter().filter(|entry| entry.position <= position).collect();
                let delivered = self.conn_of(node, to).is_some();
                self.put(node, to, Item::Snapshot(position, state));
                self.node(node).owed.push_back(Input::SnapshotSent { to, delivered });
            }
            Output::Apply { entries } => {
                let applied = self.node(node).zab.applied();
                assert!(entries[0].position > applied, "{}: {node} applies twice", self.label);
                let position = entries.last().expect("something to apply").position;
                self.node(node).machine.extend(entries);
                self.node(node).owed.push_back(Input::Applied { position });
            }
            Output::Fetch(fetch) => {
                let log = &self.disks[&node].log;
                let first = Position::from_zxid(fetch.first);
                let floor = log.iter().rposition(|entry| entry.position <= first).unwrap_or(0);
                let mut bytes = 0;
                let entries = log[floor..].iter().filter(|entry| entry.position.zxid() <= fetch.last);
                let entries = entries.take_while(|entry| {
                    let fits = bytes == 0 || bytes < fetch.budget;
                    bytes += entry.data.len().max(1);
                    fits
                });
                let entries = entries.cloned().collect();
                self.node(node).owed.push_back(Input::Fetched { reader: fetch.reader, entries });
            }
            Output::Connect { peer, link } => {
                assert_eq!(link, Link::Quorum);
                if self.reaches(node, peer) {
                    self.drop_conn(node, peer);
                    self.conns.insert((node, peer), Conn::default());
                    self.node(node).owed.push_back(Input::Connected { peer, link, incarnation: 0 });
                } else {
                    let how = if self.nodes.contains_key(&peer) { How::Lost } else { How::Refused };
                    self.node(node).owed.push_back(Input::Disconnected { peer, link, how });
                }
            }
            Output::Disconnect { peer, .. } => {
                self.drop_conn(node, peer);
                self.drop_conn(peer, node);
            }
            Output::InstallSnapshot { snapshot, entries } => {
                let (position, mut state) = self.node(node).arrived.take().expect("something arrived");
                assert_eq!(position, snapshot.position, "{}", self.label);
                let last = entries.last().map_or(position, |entry| entry.position);
                state.extend(entries);
                self.node(node).install = Some((last, state));
            }
            Output::ReadReady { id } => self.node(node).ready.push(id),
            Output::Told { from, note } => self.node(node).told.push((from, note)),
            Output::Drop { what: consensus::Dropped::Snapshot, .. } => self.node(node).arrived = None,
            Output::Drop { .. } => self.node(node).dropped += 1,
            Output::Explain(decision) => {
                if let Decision::IsBroughtUpToDate { sync, .. } = &decision {
                    let name = match sync {
                        zab::Sync::Diff { .. } => "diff",
                        zab::Sync::Truncate { .. } => "trunc",
                        zab::Sync::Snapshot { .. } => "snap",
                    };
                    *self.syncs.entry(name).or_default() += 1;
                }
                if matches!(decision, Decision::WantsSnapshot { .. }) {
                    *self.syncs.entry("wants").or_default() += 1;
                }
                self.node(node).decisions.push(decision);
            }
            Output::ChangeRole { .. } => {}
        }
    }

    pub fn node(&mut self, node: NodeId) -> &mut Node {
        self.nodes.get_mut(&node).expect("it runs")
    }

    /// One write of a server reaches its disk; with none left, what was to be installed is.
    pub fn sync(&mut self, node: NodeId) -> bool {
        let Some(state) = self.nodes.get_mut(&node) else { return false };
        if let Some(persist) = state.writes.pop_front() {
            self.disks.get_mut(&node).expect("every server has a disk").write(&persist);
            self.step(node, Input::Persisted { ticket: persist.ticket });
            return true;
        }
        let Some((position, machine)) = state.install.take() else { return false };
        state.machine = machine.clone();
        // What the old machine still owed is void.
        state.owed.retain(|input| !matches!(input, Input::Applied { .. }));
        let disk = self.disks.get_mut(&node).expect("every server has a disk");
        disk.log.clear();
        disk.snapshot = (position, machine);
        disk.untrusted = false;
        self.step(node, Input::Installed { snapshot: Snapshot { position, configuration: self.configuration.clone() } });
        true
    }

    pub fn pay(&mut self, node: NodeId) -> bool {
        let Some(input) = self.nodes.get_mut(&node).and_then(|state| state.owed.pop_front()) else { return false };
        self.step(node, input);
        true
    }

    pub fn propose(&mut self, node: NodeId) -> bool {
        if self.nodes.get(&node).is_none_or(|state| state.zab.next().is_none()) {
            return false;
        }
        self.proposals += 1;
        let data = format!("{}", self.proposals);
        self.step(node, Input::Propose { commands: vec![Bytes::from(data)] });
        true
    }

    /// Takes a snapshot of what is applied; the log before it goes, or stays.
    pub fn snapshot(&mut self, node: NodeId, cut_log: bool) {
        let Some(state) = self.nodes.get(&node) else { return };
        // Between Apply and Applied nobody looks at the machine.
        if state.owed.iter().any(|input| matches!(input, Input::Applied { .. })) || state.install.is_some() {
            return;
        }
        let position = state.zab.applied();
        let machine = state.machine.clone();
        let disk = self.disks.get_mut(&node).expect("every server has a disk");
        if position <= disk.snapshot.0 || disk.last() < position {
            return;
        }
        disk.snapshot = (position, machine);
        if cut_log {
            disk.log.retain(|entry| entry.position > position);
        }
        let snapshot = Snapshot { position, configuration: self.configuration.clone() };
        self.step(node, Input::SnapshotTaken { snapshot, cut: 0 });
    }

    pub fn wait(&mut self, node: NodeId) {
        self.step(node, Input::Timeout);
    }

    /// Lets time pass until the next deadline of anybody.
    pub fn next_deadline(&mut self) {
        let next = self.nodes.values().map(|node| node.zab.deadline()).min();
        if let Some(next) = next.filter(|&next| next < Instant::NEVER) {
            self.now = self.now.max(next);
            for node in self.members() {
                if self.nodes.get(&node).is_some_and(|state| state.zab.deadline() <= self.now) {
                    self.step(node, Input::Timeout);
                }
            }
        }
    }

    /// Does everything that can be done without time passing. In order, so the same each time.
    pub fn run(&mut self) {
        for _ in 0..100_000 {
            let mut moved = false;
            for node in self.members() {
                moved |= self.sync(node) | self.pay(node);
            }
            for (from, to) in self.elections.keys().copied().collect::<Vec<_>>() {
                moved |= self.deliver_election(from, to);
            }
            for (learner, leader) in self.conns.keys().copied().collect::<Vec<_>>() {
                moved |= self.deliver(learner, leader, true) | self.deliver(learner, leader, false);
            }
            if !moved {
                return;
            }
        }
        panic!("{}: it never comes to rest", self.label);
    }

    /// Lets so much time pass, doing everything that can be done.
    pub fn run_for(&mut self, span: Duration) {
        let until = self.now + span;
        loop {
            self.run();
            let next = self.nodes.values().map(|node| node.zab.deadline()).min().unwrap_or(Instant::NEVER);
            if next > until {
                self.now = until;
                return;
            }
            self.next_deadline();
        }
    }

    /// Runs until everybody serves, for so long at most.
    pub fn run_until_all_serve(&mut self, span: Duration) {
        let until = self.now + span;
        loop {
            self.run();
            if self.all_serve() {
                return;
            }
            assert!(self.now < until, "{}: not all serve after {span:?}: {}", self.label, self.describe());
            self.next_deadline();
        }
    }

    pub fn all_serve(&self) -> bool {
        self.members().iter().all(|member| self.nodes.get(member).is_some_and(|node| node.zab.serving()))
    }

    pub fn leader(&self) -> Option<NodeId> {
        let serves = |(_, node): &(&NodeId, &Node)| node.zab.established().is_some() && node.zab.serving();
        self.nodes.iter().filter(serves).max_by_key(|(_, node)| node.zab.established()).map(|(&id, _)| id)
    }

    pub fn describe(&self) -> String {
        let one = |(id, node): (&NodeId, &Node)| {
            let zab = &node.zab;
            format!(
                "\n  {id}: {:?} round {} epochs {}/{} last {} committed {} applied {} serving {}",
                zab.role(),
                zab.round(),
                zab.accepted_epoch(),
                zab.current_epoch(),
                zab.last(),
                zab.committed(),
                zab.applied(),
                zab.serving()
            )
        };
        self.nodes.iter().map(one).collect()
    }
}
