//! Whatever peers say, in whatever order: a member keeps its own promises, and goes on.
//!
//! The messages are drawn at random, with numbers near the member's own and at the far ends. Nothing that a sound cluster would do is
//! asked of it; only that its state stays whole ([`raft::Raft::check`], after every step) and that its disk can follow.

mod support;

use bytes::Bytes;
use consensus::{
    Chance, Configuration, Consensus as _, How, Input, Instant, Link, Output, Persist, Position, ReadId, Role, Snapshot,
};
use raft::{Body, Config, Message};
use std::collections::VecDeque;
use support::{Disk, Out, Single, entry, id, millis};

struct Member {
    single: Single,
    disk: Disk,
    configuration: Configuration,
    chance: Chance,
    /// What the driver owes, in order.
    writes: VecDeque<Persist>,
    owed: VecDeque<Input<Message>>,
    reads: u64,
    seed: u64,
}

impl Member {
    fn new(seed: u64) -> Member {
        let mut chance = Chance::new(seed);
        let members = [2, 3, 3, 5][chance.below(4) as usize];
        let configuration = Configuration::of((1..=members).map(consensus::NodeId));
        let terms = (0..chance.below(5)).map(|index| 1 + index / 2).collect::<Vec<_>>();
        let disk = Disk::with_terms(&terms);
        let single = Single::new(config(&mut chance), disk.recovered(configuration.clone()));
        Member { single, disk, configuration, chance, writes: VecDeque::new(), owed: VecDeque::new(), reads: 0, seed }
    }

    fn restart(&mut self) {
        let config = config(&mut self.chance);
        self.writes.clear();
        self.owed.clear();
        let recovered = self.disk.recovered(self.configuration.clone());
        let now = self.single.now;
        self.single = Single { raft: raft::Raft::new(config, recovered, self.chance.draw(), now), now, out: Vec::new() };
    }

    fn step(&mut self, input: Input<Message>) {
        let before = (self.single.raft.term(), self.single.raft.commit_index(), self.single.raft.applied());
        self.single.step(input);
        let after = (self.single.raft.term(), self.single.raft.commit_index(), self.single.raft.applied());
        assert!(before.0 <= after.0 && before.1 <= after.1 && before.2 <= after.2, "seed {}: {before:?}, {after:?}", self.seed);
        assert!(self.single.raft.deadline() > self.single.now, "seed {}: it would spin", self.seed);
        for out in std::mem::take(&mut self.single.out) {
            self.carry_out(out);
        }
    }

    fn carry_out(&mut self, out: Out) {
        match out {
            Output::Persist(persist) => self.writes.push_back(persist),
            Output::Apply { entries } => {
                let position = entries.last().expect("something to apply").position;
                assert_eq!(entries[0].position.index, self.single.raft.applied() + 1, "seed {}", self.seed);
                self.owed.push_back(Input::Applied { position });
            }
            Output::Fetch(fetch) => {
                let wanted = |entry: &&consensus::Entry| (fetch.first..=fetch.last).contains(&entry.position.index);
                let entries = self.disk.log.iter().filter(wanted).cloned().collect();
                self.owed.push_back(Input::Fetched { reader: fetch.reader, entries });
            }
            Output::SendSnapshot { to, .. } => {
                let delivered = self.chance.one_in(1, 2);
                self.owed.push_back(Input::SnapshotSent { to, delivered });
            }
            Output::InstallSnapshot { snapshot, .. } => self.owed.push_back(Input::Installed { snapshot }),
            Output::Send { to, .. } => {
                assert!(to != id(1) && self.configuration.contains(to), "seed {}: sends to {to}", self.seed);
            }
            _ => {}
        }
    }

    fn peer(&mut self) -> consensus::NodeId {
        id(2 + self.chance.below(self.configuration.voters.len() as u64 - 1))
    }

    /// A number near `near`, or at an end.
    fn number(&mut self, near: u64) -> u64 {
        match self.chance.below(12) {
            0 => 0,
            1 => u64::MAX,
            2 => 1 << 62,
            3 => (1 << 61) + self.chance.below(3),
            4 => self.chance.draw(),
            _ => near.saturating_add(self.chance.below(5)).saturating_sub(2),
        }
    }

    fn position(&mut self, near: u64) -> Position {
        let index = if self.chance.one_in(3, 4) { near } else { self.number(near) };
        let true_term = self.single.raft.term_at(index).filter(|_| self.chance.one_in(3, 4));
        let near = self.single.raft.term();
        Position::new(true_term.unwrap_or_else(|| self.number(near)), index)
    }

    fn body(&mut self) -> Body {
        let (last, committed) = (self.single.raft.last().index, self.single.raft.commit_index());
        let context = match self.chance.below(3) {
            0 => Bytes::new(),
            1 => Bytes::from(self.chance.draw().to_be_bytes().to_vec()),
            _ => self.echo(),
        };
        let granted = self.chance.one_in(2, 3);
        let near = committed + self.chance.below(last - committed + 1);
        match self.chance.below(16) {
            0 => Body::RequestPreVote { last: self.position(last) },
            1 => Body::PreVote { granted },
            2 => Body::RequestVote { last: self.position(last), transfer: self.chance.one_in(1, 4) },
            3 => Body::Vote { granted },
            4..=6 => {
                let previous = self.position(near);
                let mut term = previous.epoch.max(1);
                let count = self.chance.below(4);
                let entries = (1..=count).map(|offset| {
                    if self.chance.one_in(1, 3) {
                        term = self.number(self.single.raft.term());
                    }
                    let index = if self.chance.one_in(1, 30) { self.number(near) } else { previous.index.saturating_add(offset) };
                    entry(term, index, "x")
                });
                let entries = entries.collect();
                Body::Append { previous, entries, commit: self.number(near) }
            }
            7 => Body::Appended { upto: self.number(near) },
            8 => Body::Refused { previous: self.number(near), hint: self.position(near) },
            9 => Body::Heartbeat { commit: self.number(committed), context },
            10 => Body::HeartbeatAck { context },
            11 => Body::InstallSnapshot {
                snapshot: Snapshot { position: self.position(last), configuration: self.configuration.clone() },
            },
            12 => Body::Propose { proposals: Vec::new() },
            13 if self.chance.one_in(1, 2) => Body::ReadIndex { context },
            13 => Body::ReadIndexReady { context, index: self.number(committed) },
            14 => Body::TransferLeadership { to: id(self.number(2)) },
            _ => Body::TimeoutNow,
        }
    }

    /// A context as this member makes them, for its number is easily guessed by whoever saw one.
    fn echo(&mut self) -> Bytes {
        let contexts = self.single.out.iter().filter_map(|out| match out {
            Output::Send {
                message: Message { body: Body::Heartbeat { context, .. } | Body::ReadIndex { context }, .. }, ..
            } => Some(context),
            _ => None,
        });
        contexts.last().cloned().unwrap_or_default()
    }

    fn act(&mut self) {
        match self.chance.below(40) {
            0 => self.restart(),
            1..=3 => {
                let wait = self.chance.between(millis(0), millis(1_500));
                self.single.now = self.single.now + wait;
                self.step(Input::Timeout);
            }
            4..=7 => self.sync(),
            8..=11 => self.pay(),
            12 => {
                self.reads += 1;
                self.step(Input::Read { id: ReadId(self.reads) });
            }
            13 => {
                let count = self.chance.below(3) as usize;
                self.step(Input::Propose { commands: vec![Bytes::from_static(b"c"); count] });
            }
            14 => {
                let (peer, incarnation) = (self.peer(), self.chance.below(3));
                self.step(Input::Connected { peer, link: Link::Peer, incarnation });
            }
            15 => {
                let how = if self.chance.one_in(1, 2) { How::Refused } else { How::Lost };
                let peer = self.peer();
                self.step(Input::Disconnected { peer, link: Link::Peer, how });
            }
            16 => {
                let to = self.chance.one_in(1, 2).then(|| id(1 + self.chance.below(4)));
                self.step(Input::TransferLeadership { to });
            }
            17 => self.cut(),
            18..=20 => self.help(),
            _ => {
                let from = self.peer();
                let near = self.single.raft.term();
                let term = if self.chance.one_in(24, 25) { near } else { self.number(near) };
                let message = Message { term, body: self.body() };
                if matches!(message.body, Body::InstallSnapshot { .. }) {
                    self.step(Input::SnapshotArrived { from, message });
                } else {
                    self.step(Input::Receive { from, message });
                }
            }
        }
    }

    fn sync(&mut self) {
        if let Some(persist) = self.writes.pop_front() {
            let ticket = persist.ticket;
            self.disk.write(persist);
            self.step(Input::Persisted { ticket });
        }
    }

    /// Noise alone makes no leaders.
    fn help(&mut self) {
        while !self.writes.is_empty() {
            self.sync();
        }
        let (term, body) = match self.single.raft.role() {
            Role::PreCandidate => (self.single.raft.term() + 1, Body::PreVote { granted: true }),
            Role::Candidate => (self.single.raft.term(), Body::Vote { granted: true }),
            Role::Leader => (self.single.raft.term(), Body::Appended { upto: self.single.raft.last().index }),
            Role::Follower { .. } | Role::Learner { .. } => {
                self.single.now = self.single.now.max(self.single.raft.deadline().min(self.single.now + millis(2_000)));
                return self.step(Input::Timeout);
            }
        };
        for peer in 2..=self.configuration.voters.len() as u64 {
            self.step(Input::Receive { from: id(peer), message: Message { term, body: body.clone() } });
        }
    }

    fn pay(&mut self) {
        match self.owed.pop_front() {
            None => {}
            Some(Input::Applied { position }) => {
                self.disk.applied = self.disk.applied.max(position);
                self.step(Input::Applied { position });
            }
            Some(Input::Installed { snapshot }) => {
                // What was to be persisted before it comes first.
                while !self.writes.is_empty() {
                    self.sync();
                }
                self.disk.install(snapshot.position);
                self.step(Input::Installed { snapshot });
            }
            Some(input) => self.step(input),
        }
    }

    /// Takes a snapshot of what is applied and cuts the log.
    fn cut(&mut self) {
        let applied = self.single.raft.applied();
        let Some(term) = self.single.raft.term_at(applied) else { return };
        let snapshot = Snapshot { position: Position::new(term, applied), configuration: self.configuration.clone() };
        let cut = applied.saturating_sub(self.chance.below(2));
        if cut > self.disk.base.index {
            self.step(Input::SnapshotTaken { snapshot, cut });
            self.disk.cut(cut);
        }
    }
}

fn config(chance: &mut Chance) -> Config {
    let mut config = Config::new(id(1));
    config.pre_vote = chance.one_in(3, 4);
    config.check_quorum = chance.one_in(3, 4);
    config.vote_lease = chance.one_in(3, 4);
    config.lease_reads = config.check_quorum && config.vote_lease && chance.one_in(1, 3);
    config.abstains = chance.one_in(1, 8);
    config.cache_bytes_max = if chance.one_in(1, 2) { 100 } else { 1 << 20 };
    config.inflight_messages_max = 2;
    config.message_bytes_max = 2;
    config.apply_bytes_max = 2;
    config
}

#[test]
fn a_member_keeps_its_promises_whatever_it_is_told() {
    let seeds = std::env::var("SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(300);
    for seed in 0..seeds {
        let mut member = Member::new(seed);
        member.single.now = Instant::ZERO + millis(1);
        for _ in 0..400 {
            member.act();
        }
    }
}
