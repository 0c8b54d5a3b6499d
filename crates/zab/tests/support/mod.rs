//! A little world: several servers, FIFO links that are lost as a whole, and disks that forget in a crash what was not synced.
#![allow(dead_code, unreachable_pub, reason = "each test uses its part")]

pub mod search;
pub mod single;

use bytes::Bytes;
use consensus::{
    Append, Chance, Configuration, Consensus as _, Entry, EntryKind, How, Input, Instant, Link, NodeId, Note, Output, Persist,
    Position, Promise, ReadId, Snapshot,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;
use zab::{Config, Decision, Message, Packet, Recovered, Zab};

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

/// What a state machine holds: everything that was applied to it.
pub type State = Vec<Entry>;

/// What survives a crash.
#[derive(Clone, Debug, Default)]
pub struct Durable {
    pub promise: Promise,
    pub log: Vec<Entry>,
    pub snapshot: (Position, State),
    /// An empty database that may not be trusted.
    pub untrusted: bool,
}

impl Durable {
    /// A disk whose log holds these, in the epochs in which they were written.
    pub fn with(current: u64, log: Vec<Entry>) -> Durable {
        let promise = Promise { epoch: current, current, ..Promise::default() };
        Durable { promise, log, ..Durable::default() }
    }

    pub fn last(&self) -> Position {
        self.log.last().map_or(self.snapshot.0, |entry| entry.position.max(self.snapshot.0))
    }

    /// Everything, from the beginning.
    pub fn history(&self) -> Vec<Entry> {
        let (position, state) = &self.snapshot;
        state.iter().chain(self.log.iter().filter(|entry| entry.position > *position)).cloned().collect()
    }

    fn recovered(&self, tail: usize) -> Recovered {
        let after: Vec<Entry> = self.log.iter().filter(|entry| entry.position > self.snapshot.0).cloned().collect();
        let tail = after[after.len().saturating_sub(tail)..].to_vec();
        let before = match tail.first() {
            None => self.last(),
            Some(first) => {
                let earlier = self.log.iter().map(|entry| entry.position).filter(|&position| position < first.position);
                earlier.max().map_or(self.snapshot.0, |position| position.max(self.snapshot.0))
            }
        };
        let trusted = !self.untrusted;
        Recovered { promise: self.promise, snapshot: self.snapshot.0, last: self.last(), tail, before, trusted }
    }

    fn write(&mut self, persist: &Persist) {
        // The log comes before the promise; a crash may come between, see `tear`.
        if let Some(append) = &persist.append {
            self.append(append, append.entries.len());
        }
        if let Some(promise) = persist.promise {
            assert!(promise.epoch >= self.promise.epoch, "acceptedEpoch went back");
            assert!(promise.current >= self.promise.current, "currentEpoch went back");
            self.promise = promise;
        }
    }

    fn append(&mut self, append: &Append, count: usize) {
        self.log.retain(|entry| entry.position <= append.after);
        assert!(append.after <= self.last() || append.entries.is_empty(), "a gap in the log: {append:?} after {}", self.last());
        assert_eq!(self.last(), append.after, "the log does not end where it is to be continued");
        self.log.extend(append.entries[..count].iter().cloned());
    }
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

    /// A connection ends; `left` is the side that hears of it.
    fn close(&mut self, learner: NodeId, leader: NodeId, left: NodeId) {
        let Some(mut conn) = self.conns.remove(&(learner, leader)) else { return };
        let queue = if left == leader { &mut conn.to_leader } else { &mut conn.to_learner };
        // What was on the way may arrive, or not.
        let kept = self.chance.below(queue.len() as u64 + 1) as usize;
        let items: Vec<Item> = queue.drain(..kept).collect();
        if left == leader && !conn.known && items.is_empty() {
            return;
        }
        let peer = if left == leader { learner } else { leader };
        if left == leader && !conn.known {
            self.step(left, Input::Connected { peer, link: Link::Quorum, incarnation: 0 });
        }
        for item in items {
            self.deliver_item(peer, left, item);
        }
        let how = if self.nodes.contains_key(&peer) { How::Lost } else { How::Refused };
        self.step(left, Input::Disconnected { peer, link: Link::Quorum, how });
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

    /// What a packet promises is on disk when it leaves.
    fn check_promises(&self, node: NodeId, packet: &Packet) {
        let disk = &self.disks[&node];
        let kept = match *packet {
            Packet::LeaderInfo { epoch } => disk.promise.epoch >= epoch,
            Packet::AckEpoch { .. } => disk.promise.epoch >= self.nodes[&node].zab.accepted_epoch(),
            Packet::Ack { position } if position.index == 0 => disk.promise.current >= position.epoch,
            Packet::Ack { position } => disk.last() >= position,
            _ => true,
        };
        assert!(kept, "{}: {node} says {packet:?} before it is on its disk", self.label);
    }

    pub fn node(&mut self, node: NodeId) -> &mut Node {
        self.nodes.get_mut(&node).expect("it runs")
    }

    /// The connection over which `from` speaks to `to`.
    fn conn_of(&self, from: NodeId, to: NodeId) -> Option<(NodeId, NodeId)> {
        [(from, to), (to, from)].into_iter().find(|pair| self.conns.contains_key(pair))
    }

    fn put(&mut self, from: NodeId, to: NodeId, item: Item) {
        let Some(pair) = self.conn_of(from, to) else { return };
        let conn = self.conns.get_mut(&pair).expect("found a moment ago");
        if pair.0 == from { conn.to_leader.push_back(item) } else { conn.to_learner.push_back(item) }
    }

    /// `node` closes a connection: the other side reads what is on the way, and then its end.
    fn drop_conn(&mut self, learner: NodeId, leader: NodeId) {
        if let Some(conn) = self.conns.remove(&(learner, leader)) {
            // Kept under a name that nobody speaks over, until its end has been read.
            for (side, known) in [(leader, conn.known), (learner, true)] {
                let peer = if side == leader { learner } else { leader };
                if known && let Some(node) = self.nodes.get_mut(&side) {
                    node.owed.push_back(Input::Disconnected { peer, link: Link::Quorum, how: How::Lost });
                }
            }
        }
    }

    /// A link breaks on both sides.
    pub fn break_links(&mut self, a: NodeId, b: NodeId) {
        self.drop_conn(a, b);
        self.drop_conn(b, a);
    }

    fn deliver_item(&mut self, from: NodeId, to: NodeId, item: Item) {
        match item {
            Item::Packet(packet) => self.step(to, Input::Receive { from, message: Message::Packet(packet) }),
            Item::Snapshot(position, state) => {
                self.node(to).arrived = Some((position, state));
                let message = Message::Packet(Packet::Snapshot { position });
                self.step(to, Input::SnapshotArrived { from, message });
            }
            Item::Close => {}
        }
    }

    /// Delivers one packet over one link.
    pub fn deliver(&mut self, learner: NodeId, leader: NodeId, to_leader: bool) -> bool {
        // Nothing overtakes what a side is owed about this link.
        let (from, to) = if to_leader { (learner, leader) } else { (leader, learner) };
        let about = |input: &Input<Message>| match input {
            Input::Connected { peer, link: Link::Quorum, .. } | Input::Disconnected { peer, link: Link::Quorum, .. } => {
                *peer == from
            }
            _ => false,
        };
        if !self.nodes.contains_key(&to) || self.nodes[&to].owed.iter().any(about) {
            return false;
        }
        let Some(conn) = self.conns.get_mut(&(learner, leader)) else { return false };
        let queue = if to_leader { &mut conn.to_leader } else { &mut conn.to_learner };
        let Some(item) = queue.pop_front() else { return false };
        if to_leader && !conn.known {
            conn.known = true;
            self.step(to, Input::Connected { peer: from, link: Link::Quorum, incarnation: 0 });
        }
        self.deliver_item(from, to, item);
        true
    }

    pub fn deliver_election(&mut self, from: NodeId, to: NodeId) -> bool {
        let Some(message) = self.elections.get_mut(&(from, to)).and_then(VecDeque::pop_front) else { return false };
        self.step(to, Input::Receive { from, message });
        true
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

    /// The whole history of a server: what its disk holds once all that was asked for is written.
    fn history_of(&self, node: NodeId) -> Vec<Entry> {
        let mut disk = self.disks[&node].clone();
        for persist in &self.nodes[&node].writes {
            disk.write(persist);
        }
        disk.history()
    }

    /// The invariants of one server against what is known of all.
    fn observe(&mut self, node: NodeId) {
        let Some(state) = self.nodes.get(&node) else { return };
        let zab = &state.zab;
        if let Some(epoch) = zab.established() {
            // One established leader an epoch, ever.
            let first = *self.leaders.entry(epoch).or_insert(node);
            assert_eq!(first, node, "{}: epoch {epoch} has two leaders", self.label);
            let committed = zab.committed();
            if self.ghost.last().is_none_or(|last| last.position < committed) {
                let history = self.history_of(node);
                let committed: Vec<Entry> = history.into_iter().filter(|entry| entry.position <= committed).collect();
                self.extend_ghost(node, &committed);
            }
        }
        // What a server serves from is a prefix of what is committed.
        let state = &self.nodes[&node];
        if state.zab.serving() {
            let known = self.ghost.len().min(state.machine.len());
            assert_eq!(
                state.machine.last(),
                state.machine.len().checked_sub(1).and_then(|last| self.ghost.get(last)),
                "{}: {node} serves what was not committed ({known})",
                self.label
            );
        }
    }

    fn extend_ghost(&mut self, node: NodeId, committed: &[Entry]) {
        assert!(
            committed.len() >= self.ghost.len() && committed[..self.ghost.len()] == self.ghost[..],
            "{}: {node} has lost or changed what was committed:\n{:?}\n{:?}",
            self.label,
            committed.iter().map(|entry| entry.position).collect::<Vec<_>>(),
            self.ghost.iter().map(|entry| entry.position).collect::<Vec<_>>()
        );
        self.ghost.extend_from_slice(&committed[self.ghost.len()..]);
    }

    /// Everybody holds the same, and all of it.
    pub fn assert_all_equal(&self) {
        for (node, state) in &self.nodes {
            assert_eq!(state.machine, self.ghost, "{}: {node} differs", self.label);
        }
    }
}
