//! A few members, a network that delivers in order, and disks that sync when told to.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]

use bytes::Bytes;
use consensus::{
    Configuration, Consensus, Entry, EntryKind, Fetch, How, Input, Instant, Link, NodeId, Output, Persist, Position, Promise,
    ReadId, Role, Snapshot,
};
use raft::{Body, Config, Decision, Message, Raft, Recovered};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

pub type Out = Output<Message, Decision>;

/// What outlives a crash.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    pub promise: Promise,
    pub base: Position,
    pub log: Vec<Entry>,
    pub applied: Position,
    pub snapshot: Option<Snapshot>,
}

impl Disk {
    pub fn with_terms(terms: &[u64]) -> Disk {
        let entry = |(offset, &term)| Entry {
            position: Position::new(term, offset as u64 + 1),
            kind: EntryKind::Command,
            data: Bytes::new(),
        };
        let log: Vec<Entry> = terms.iter().enumerate().map(entry).collect();
        let promise = Promise { epoch: terms.last().copied().unwrap_or(0), ..Promise::default() };
        Disk { promise, log, ..Disk::default() }
    }

    /// The position of an entry that it holds, or of what the log begins after.
    pub fn position(&self, index: u64) -> Position {
        match index.checked_sub(self.base.index) {
            None | Some(0) => self.base,
            Some(offset) => self.log[offset as usize - 1].position,
        }
    }

    /// Forgets the log up to `index`.
    pub fn cut(&mut self, index: u64) {
        let base = self.position(index);
        self.log.drain(..(index - self.base.index) as usize);
        self.base = base;
    }

    /// A snapshot takes the place of everything.
    pub fn install(&mut self, position: Position) {
        self.base = position;
        self.applied = position;
        self.log.clear();
    }

    pub fn write(&mut self, persist: Persist) {
        if let Some(promise) = persist.promise {
            self.promise = promise;
        }
        if let Some(append) = persist.append {
            let base = self.base.index;
            self.log.truncate((append.after.index - base) as usize);
            let last = self.log.last().map_or(self.base, |entry| entry.position);
            assert_eq!(last, append.after, "an append does not follow what the disk holds");
            self.log.extend(append.entries);
        }
    }

    pub fn recovered(&self, configuration: Configuration) -> Recovered {
        let mut terms: Vec<(u64, u64)> = Vec::new();
        for entry in &self.log {
            if terms.last().is_none_or(|&(_, term)| term < entry.position.epoch) {
                terms.push((entry.position.index, entry.position.epoch));
            }
        }
        Recovered {
            promise: self.promise,
            base: self.base,
            terms,
            last: self.base.index + self.log.len() as u64,
            applied: self.applied.max(self.base),
            configuration,
        }
    }
}

pub struct Member {
    pub raft: Raft,
    /// With what it will start again.
    pub config: Config,
    pub disk: Disk,
    /// Writes that are open.
    pub open: VecDeque<Persist>,
    /// Everything that it ever asked for.
    pub seen: Vec<Out>,
    pub applied: Vec<Entry>,
    pub ready: Vec<ReadId>,
    pub decisions: Vec<Decision>,
    pub roles: Vec<(u64, Role)>,
    pub told: Vec<(NodeId, consensus::Note)>,
    pub dropped: Vec<(consensus::Dropped, consensus::DropReason)>,
    pub snapshots: Vec<(NodeId, Message)>,
    pub installs: Vec<Snapshot>,
    pub fetches: usize,
}

/// The members and what lies between them.
pub struct Cluster {
    pub now: Instant,
    pub members: BTreeMap<NodeId, Member>,
    pub wire: VecDeque<(NodeId, NodeId, Message)>,
    /// Links that lose everything: (from, to).
    pub cut: BTreeSet<(NodeId, NodeId)>,
    /// Members whose disks do not sync by themselves.
    pub slow: BTreeSet<NodeId>,
    pub down: BTreeSet<NodeId>,
}

pub fn id(number: u64) -> NodeId {
    NodeId(number)
}

pub fn at(term: u64, index: u64) -> Position {
    Position::new(term, index)
}

pub fn entry(term: u64, index: u64, data: &str) -> Entry {
    Entry { position: at(term, index), kind: EntryKind::Command, data: Bytes::copy_from_slice(data.as_bytes()) }
}

pub fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// One member alone, with the outputs of its last step.
pub struct Single {
    pub raft: Raft,
    pub now: Instant,
    pub out: Vec<Out>,
}

impl Single {
    pub fn new(config: Config, recovered: Recovered) -> Single {
        Single { raft: Raft::new(config, recovered, 1, Instant::ZERO), now: Instant::ZERO, out: Vec::new() }
    }

    /// Member 1 of 1..=3, whose log has these terms.
    pub fn of_three(terms: &[u64]) -> Single {
        Single::of(3, terms)
    }

    pub fn of(members: u64, terms: &[u64]) -> Single {
        let configuration = Configuration::of((1..=members).map(NodeId));
        Single::new(Config::new(id(1)), Disk::with_terms(terms).recovered(configuration))
    }

    pub fn step(&mut self, input: Input<Message>) -> &[Out] {
        self.out.clear();
        self.raft.step(self.now, input, &mut self.out);
        &self.out
    }

    pub fn receive(&mut self, from: u64, term: u64, body: Body) -> &[Out] {
        self.step(Input::Receive { from: id(from), message: Message { term, body } })
    }

    /// Confirms everything that the last step wrote, and keeps both steps' outputs.
    pub fn sync(&mut self) -> &[Out] {
        let tickets =
            self.out.iter().filter_map(|out| if let Output::Persist(persist) = out { Some(persist.ticket) } else { None });
        if let Some(ticket) = tickets.last() {
            let mut out = std::mem::take(&mut self.out);
            self.raft.step(self.now, Input::Persisted { ticket }, &mut out);
            self.out = out;
        }
        &self.out
    }

    /// Lets its timer end.
    pub fn time_out(&mut self) -> &[Out] {
        self.now = self.raft.deadline().max(self.now);
        self.step(Input::Timeout)
    }

    pub fn sent(&self) -> Vec<(u64, u64, Body)> {
        sent(&self.out)
    }

    pub fn decisions(&self) -> Vec<String> {
        self.out
            .iter()
            .filter_map(|out| if let Output::Explain(decision) = out { Some(decision.to_string()) } else { None })
            .collect()
    }

    /// Makes it leader of its next term, with the votes of everybody.
    pub fn elect(&mut self) -> &mut Single {
        self.time_out();
        let others: Vec<NodeId> = self.raft.configuration().voters.iter().copied().filter(|&it| it != self.raft.id()).collect();
        for &other in &others {
            if self.raft.role() == Role::PreCandidate {
                self.receive(other.0, self.raft.term() + 1, Body::PreVote { granted: true });
            }
        }
        self.sync();
        for &other in &others {
            if self.raft.role() == Role::Candidate {
                self.receive(other.0, self.raft.term(), Body::Vote { granted: true });
            }
        }
        assert_eq!(self.raft.role(), Role::Leader);
        self
    }
}

pub fn sent(out: &[Out]) -> Vec<(u64, u64, Body)> {
    let send = |out: &Out| match out {
        Output::Send { to, message } => Some((to.0, message.term, message.body.clone())),
        _ => None,
    };
    out.iter().filter_map(send).collect()
}

impl Cluster {
    pub fn new(count: u64) -> Cluster {
        Cluster::with(count, |_| {})
    }

    pub fn with(count: u64, change: impl Fn(&mut Config)) -> Cluster {
        let disks = (0..count).map(|_| Disk::default()).collect();
        Cluster::with_disks(disks, change)
    }

    pub fn with_disks(disks: Vec<Disk>, change: impl Fn(&mut Config)) -> Cluster {
        let configuration = Configuration::of((1..=disks.len() as u64).map(NodeId));
        let mut cluster = Cluster {
            now: Instant::ZERO,
            members: BTreeMap::new(),
            wire: VecDeque::new(),
            cut: BTreeSet::new(),
            slow: BTreeSet::new(),
            down: BTreeSet::new(),
        };
        for (number, disk) in (1..).zip(disks) {
            let mut config = Config::new(NodeId(number));
            change(&mut config);
            cluster.start(config, disk, configuration.clone());
        }
        cluster
    }

    pub fn start(&mut self, config: Config, disk: Disk, configuration: Configuration) {
        let id = config.id;
        let seed = 1_000 * self.now.as_nanos() + id.0;
        let raft = Raft::new(config.clone(), disk.recovered(configuration), seed, self.now);
        let member = Member {
            raft,
            config,
            disk,
            open: VecDeque::new(),
            seen: Vec::new(),
            applied: Vec::new(),
            ready: Vec::new(),
            decisions: Vec::new(),
            roles: Vec::new(),
            told: Vec::new(),
            dropped: Vec::new(),
            snapshots: Vec::new(),
            installs: Vec::new(),
            fetches: 0,
        };
        self.members.insert(id, member);
        self.down.remove(&id);
    }

    pub fn restart(&mut self, number: u64) {
        let member = self.members.remove(&id(number)).unwrap();
        let configuration = member.raft.configuration().clone();
        self.start(member.config, member.disk, configuration);
    }

    pub fn raft(&self, number: u64) -> &Raft {
        &self.members[&id(number)].raft
    }

    pub fn member(&mut self, number: u64) -> &mut Member {
        self.members.get_mut(&id(number)).unwrap()
    }

    pub fn step(&mut self, number: u64, input: Input<Message>) {
        let now = self.now;
        let to = id(number);
        if self.down.contains(&to) {
            return;
        }
        let slow = self.slow.contains(&to);
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let member = self.members.get_mut(&to).unwrap();
            let mut out = Vec::new();
            member.raft.step(now, input, &mut out);
            member.seen.extend(out.iter().cloned());
            for output in out {
                match output {
                    Output::Persist(persist) => {
                        member.open.push_back(persist);
                        if !slow {
                            let mut last = None;
                            for persist in std::mem::take(&mut member.open) {
                                last = Some(persist.ticket);
                                member.disk.write(persist);
                            }
                            inputs.push_back(Input::Persisted { ticket: last.unwrap() });
                        }
                    }
                    Output::Send { to: peer, message } => self.wire.push_back((to, peer, message)),
                    Output::Apply { entries } => {
                        let position = entries.last().unwrap().position;
                        member.applied.extend(entries);
                        member.disk.applied = position;
                        inputs.push_back(Input::Applied { position });
                    }
                    Output::ReadReady { id } => member.ready.push(id),
                    Output::Drop { what, reason } => member.dropped.push((what, reason)),
                    Output::Fetch(Fetch { reader, first, last, budget }) => {
                        member.fetches += 1;
                        let mut left = budget;
                        let mut entries = Vec::new();
                        for entry in &member.disk.log {
                            let fits = entries.is_empty() || entry.data.len() <= left;
                            if entry.position.index >= first && entry.position.index <= last && fits {
                                left = left.saturating_sub(entry.data.len());
                                entries.push(entry.clone());
                            }
                        }
                        inputs.push_back(Input::Fetched { reader, entries });
                    }
                    Output::SendSnapshot { to: peer, message } => member.snapshots.push((peer, message)),
                    Output::InstallSnapshot { snapshot, .. } => member.installs.push(snapshot),
                    Output::Told { from, note } => member.told.push((from, note)),
                    Output::ChangeRole { epoch, role } => member.roles.push((epoch, role)),
                    Output::Explain(decision) => member.decisions.push(decision),
                    Output::Connect { .. } | Output::Disconnect { .. } => unreachable!("Raft's links stand by themselves"),
                }
            }
        }
    }

    /// Syncs what a slow disk has open.
    pub fn sync(&mut self, number: u64) {
        let member = self.member(number);
        let mut last = None;
        for persist in std::mem::take(&mut member.open) {
            last = Some(persist.ticket);
            member.disk.write(persist);
        }
        if let Some(ticket) = last {
            self.step(number, Input::Persisted { ticket });
        }
    }

    /// Delivers until nothing is on its way.
    pub fn settle(&mut self) {
        for _ in 0..100_000 {
            let Some((from, to, message)) = self.wire.pop_front() else { return };
            if !self.cut.contains(&(from, to)) && !self.down.contains(&from) {
                self.step(to.0, Input::Receive { from, message });
            }
        }
        panic!("messages never end");
    }

    /// Lets time pass, with every timer on the way.
    pub fn run(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            let up = self.members.iter().filter(|(id, _)| !self.down.contains(id));
            let Some((deadline, next)) = up.map(|(&id, member)| (member.raft.deadline(), id)).min() else { break };
            if deadline > end {
                break;
            }
            self.now = self.now.max(deadline);
            self.step(next.0, Input::Timeout);
            self.settle();
        }
        self.now = end;
    }

    /// Lets this member's timer end.
    pub fn time_out(&mut self, number: u64) {
        self.now = self.now.max(self.raft(number).deadline());
        self.step(number, Input::Timeout);
    }

    /// Runs until somebody leads the highest term that is led.
    pub fn elect(&mut self) -> u64 {
        for _ in 0..100 {
            self.run(millis(100));
            if let Some(leader) = self.leader() {
                return leader;
            }
        }
        panic!("nobody is elected");
    }

    pub fn leader(&self) -> Option<u64> {
        let up = self.members.iter().filter(|(id, _)| !self.down.contains(id));
        let leads = up.filter(|(_, member)| member.raft.role() == Role::Leader);
        leads.max_by_key(|(_, member)| member.raft.term()).map(|(id, _)| id.0)
    }

    pub fn propose(&mut self, number: u64, data: &str) {
        self.step(number, Input::Propose { commands: vec![Bytes::copy_from_slice(data.as_bytes())] });
    }

    pub fn cut_both(&mut self, a: u64, b: u64) {
        self.cut.insert((id(a), id(b)));
        self.cut.insert((id(b), id(a)));
    }

    pub fn isolate(&mut self, number: u64) {
        let others: Vec<u64> = self.members.keys().map(|id| id.0).filter(|&it| it != number).collect();
        for other in others {
            self.cut_both(number, other);
        }
    }

    pub fn heal(&mut self) {
        self.cut.clear();
    }

    /// kill -9: its links are refused.
    pub fn kill(&mut self, number: u64) {
        self.down.insert(id(number));
        let others: Vec<u64> = self.members.keys().map(|id| id.0).filter(|&it| it != number).collect();
        for other in others {
            let input = Input::Disconnected { peer: id(number), link: Link::Peer, how: How::Refused };
            self.step(other, input);
        }
    }

    pub fn log(&self, number: u64) -> Vec<Position> {
        self.members[&id(number)].disk.log.iter().map(|entry| entry.position).collect()
    }

    pub fn data(&self, number: u64) -> Vec<String> {
        let applied = &self.members[&id(number)].applied;
        applied.iter().filter(|it| !it.data.is_empty()).map(|it| String::from_utf8_lossy(&it.data).into_owned()).collect()
    }
}
