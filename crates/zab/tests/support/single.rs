//! One server, whose peers are the test.

use super::{Durable, Out, id, millis};
use bytes::Bytes;
use consensus::{Configuration, Consensus as _, Entry, Fetch, Input, Instant, Link, NodeId, Output, Persist, Position, Snapshot};
use std::collections::VecDeque;
use std::time::Duration;
use zab::{Config, Decision, Message, Notification, Packet, State, Vote, Zab};

pub struct Single {
    pub zab: Zab,
    pub now: Instant,
    pub out: Vec<Out>,
    pub writes: VecDeque<Persist>,
    configuration: Configuration,
}

impl Single {
    /// Server `me` of so many voters and observers, with this on its disk.
    pub fn new(me: u64, voters: u64, observers: u64, durable: &Durable, tail: usize) -> Single {
        let mut configuration = Configuration::of((1..=voters).map(NodeId));
        configuration.learners = (voters + 1..=voters + observers).map(NodeId).collect();
        Single::of(Config::new(id(me), configuration), durable, tail)
    }

    pub fn of(config: Config, durable: &Durable, tail: usize) -> Single {
        let now = Instant::ZERO + millis(1);
        let configuration = config.configuration.clone();
        let zab = Zab::new(config, durable.recovered(tail), 7, now);
        let mut single = Single { zab, now, out: Vec::new(), writes: VecDeque::new(), configuration };
        single.step(Input::Timeout);
        single
    }

    pub fn step(&mut self, input: Input<Message>) {
        let from = self.out.len();
        self.zab.step(self.now, input, &mut self.out);
        let writes = self.out[from..]
            .iter()
            .filter_map(|out| if let Output::Persist(persist) = out { Some(persist.clone()) } else { None });
        self.writes.extend(writes);
    }

    pub fn wait(&mut self, span: Duration) {
        self.now = self.now + span;
        self.step(Input::Timeout);
    }

    /// All writes reach the disk.
    pub fn sync(&mut self) {
        while let Some(persist) = self.writes.pop_front() {
            self.step(Input::Persisted { ticket: persist.ticket });
        }
    }

    /// Everything that was to be applied is.
    pub fn apply(&mut self) -> Vec<Position> {
        let mut all = Vec::new();
        loop {
            let applies: Vec<Vec<Entry>> = self
                .out
                .extract_if(.., |out| matches!(out, Output::Apply { .. }))
                .filter_map(|out| if let Output::Apply { entries } = out { Some(entries) } else { None })
                .collect();
            if applies.is_empty() {
                return all;
            }
            for entries in applies {
                all.extend(entries.iter().map(|entry| entry.position));
                let position = entries.last().expect("something to apply").position;
                self.step(Input::Applied { position });
            }
        }
    }

    pub fn hear(&mut self, from: u64, packet: Packet) {
        self.step(Input::Receive { from: id(from), message: Message::Packet(packet) });
    }

    pub fn notify(&mut self, from: u64, state: State, vote: Vote, round: i64) {
        let notification = Notification { state, vote, round };
        self.step(Input::Receive { from: id(from), message: Message::Notification(notification) });
    }

    pub fn link(&mut self, peer: u64) {
        self.step(Input::Connected { peer: id(peer), link: Link::Quorum, incarnation: 0 });
    }

    /// What was said to `to` over the quorum link since the last time it was asked.
    pub fn packets(&mut self, to: u64) -> Vec<Packet> {
        let said = |out: &mut Out| matches!(out, Output::Send { to: peer, message: Message::Packet(_) } if *peer == id(to));
        let said = self.out.extract_if(.., said);
        said.filter_map(|out| if let Output::Send { message: Message::Packet(packet), .. } = out { Some(packet) } else { None })
            .collect()
    }

    /// The same over the election link.
    pub fn notifications(&mut self, to: u64) -> Vec<Notification> {
        let said = |out: &mut Out| matches!(out, Output::Send { to: peer, message: Message::Notification(_) } if *peer == id(to));
        let said = self.out.extract_if(.., said);
        said.filter_map(|out| if let Output::Send { message: Message::Notification(said), .. } = out { Some(said) } else { None })
            .collect()
    }

    pub fn fetches(&mut self) -> Vec<Fetch> {
        self.out
            .extract_if(.., |out| matches!(out, Output::Fetch(_)))
            .filter_map(|out| if let Output::Fetch(fetch) = out { Some(fetch) } else { None })
            .collect()
    }

    pub fn decisions(&mut self) -> Vec<String> {
        let decisions = self.out.extract_if(.., |out| matches!(out, Output::Explain(_)));
        decisions.filter_map(|out| if let Output::Explain(decision) = out { Some(decision.to_string()) } else { None }).collect()
    }

    pub fn decided(&self, is: impl Fn(&Decision) -> bool) -> bool {
        self.out.iter().any(|out| matches!(out, Output::Explain(decision) if is(decision)))
    }

    pub fn disconnected(&self, peer: u64) -> bool {
        self.out.iter().any(|out| matches!(out, Output::Disconnect { peer: closed, .. } if *closed == id(peer)))
    }

    /// Own vote of the others, so that this server is elected.
    pub fn elect_me(&mut self) {
        let zab = &self.zab;
        let zxid = zab.last().zxid() as i64;
        let (vote, round) = (Vote { epoch: zab.current_epoch() as i64, zxid, leader: zab.id().0 as i64 }, zab.round());
        for voter in self.configuration.voters.clone() {
            if voter != self.zab.id() {
                self.notify(voter.0, State::Looking, vote, round);
            }
        }
        assert_eq!(self.zab.state(), State::Leading);
        self.out.clear();
    }

    /// `leader` is elected, and its link stands.
    pub fn follow(&mut self, leader: u64) {
        let vote = Vote { epoch: 1 << 20, zxid: 1 << 50, leader: leader as i64 };
        let round = self.zab.round();
        for voter in self.configuration.voters.clone() {
            if voter != self.zab.id() {
                self.notify(voter.0, State::Looking, vote, round);
            }
        }
        assert_eq!(self.zab.leader(), Some(id(leader)));
        assert!(self.out.contains(&Output::Connect { peer: id(leader), link: Link::Quorum }));
        self.out.clear();
        self.link(leader);
    }

    /// The same up to ACKEPOCH, in `epoch`.
    pub fn follow_in(&mut self, leader: u64, epoch: u64) {
        self.follow(leader);
        self.hear(leader, Packet::LeaderInfo { epoch });
        self.sync();
        self.out.clear();
    }

    /// It leads `epoch` and awaits learners to bring them up to date: 2 has accepted it, with `last`.
    pub fn lead_with(&mut self, follower: u64, current: u64, last: Option<Position>) -> u64 {
        self.elect_me();
        self.link(follower);
        let accepted = self.zab.accepted_epoch();
        self.hear(follower, Packet::LearnerInfo { accepted, observer: false, config_version: 0 });
        self.sync();
        let epoch = self.zab.accepted_epoch();
        assert_eq!(self.packets(follower), [Packet::LeaderInfo { epoch }]);
        self.hear(follower, Packet::AckEpoch { current: Some(current), last });
        self.sync();
        epoch
    }

    pub fn propose(&mut self, data: &[&str]) {
        let commands = data.iter().map(|data| Bytes::copy_from_slice(data.as_bytes())).collect();
        self.step(Input::Propose { commands });
    }

    pub fn install(&mut self, position: Position) {
        let snapshot = Snapshot { position, configuration: self.configuration.clone() };
        self.step(Input::Installed { snapshot });
    }
}
