//! Whatever peers say, in whatever order: a server's state stays whole ([`zab::Zab::check`], after every step), its disk can follow,
//! and it goes on. Nothing else is asked of it; the cluster around it makes no sense.

use bytes::Bytes;
use consensus::{
    Chance, Configuration, Consensus as _, Entry, EntryKind, How, Input, Instant, Link, NodeId, Note, Output, Persist, Position,
    Promise, ReadId, SessionNote, Snapshot,
};
use std::collections::VecDeque;
use std::time::Duration;
use zab::{Config, Message, Notification, Packet, Recovered, State, Vote, Zab};

struct Server {
    zab: Zab,
    now: Instant,
    configuration: Configuration,
    chance: Chance,
    promise: Promise,
    snapshot: Position,
    log: Vec<Entry>,
    /// What the driver owes, in order.
    writes: VecDeque<Persist>,
    owed: VecDeque<Input<Message>>,
    /// What the last snapshot that arrived stands for.
    arrived: Option<Position>,
    reads: u64,
    seed: u64,
}

fn config(chance: &mut Chance, configuration: Configuration) -> Config {
    let mut config = Config::new(NodeId(1), configuration);
    config.tick = Duration::from_millis(100);
    config.history_bytes_max = if chance.one_in(1, 2) { 4 } else { 1 << 20 };
    config.fetch_bytes_max = 2;
    config.apply_bytes_max = 2;
    config.uncommitted_bytes_max = 20;
    config.inflight_bytes_max = 30;
    config.epoch_entries_max = if chance.one_in(1, 2) { 5 } else { 1 << 31 };
    config
}

impl Server {
    fn new(seed: u64) -> Server {
        let mut chance = Chance::new(seed);
        let voters = [1, 2, 3, 3, 5][chance.below(5) as usize];
        let first = if chance.one_in(1, 5) { 2 } else { 1 };
        let mut configuration = Configuration::of((first..=voters.max(first)).map(NodeId));
        configuration.learners = [1, 6, 7].map(NodeId).into_iter().filter(|id| id.0 < first || id.0 > 5).collect();
        let log: Vec<Entry> = (1..=chance.below(4)).map(|index| entry(Position::new(3, index))).collect();
        let promise = Promise { epoch: 3, current: 3, ..Promise::default() };
        let zab = Zab::new(config(&mut chance, configuration.clone()), Recovered::default(), 0, Instant::ZERO);
        let (writes, owed) = (VecDeque::new(), VecDeque::new());
        let now = Instant::ZERO + Duration::from_millis(1);
        let snapshot = Position::ZERO;
        let mut server =
            Server { zab, now, configuration, chance, promise, snapshot, log, writes, owed, arrived: None, reads: 0, seed };
        server.restart();
        server
    }

    fn restart(&mut self) {
        self.writes.clear();
        self.owed.clear();
        let tail = self.chance.below(self.log.len() as u64 + 1) as usize;
        let before = tail.checked_sub(1).map_or(self.snapshot, |index| self.log[index].position);
        let last = self.log.last().map_or(self.snapshot, |entry| entry.position);
        let recovered = Recovered {
            promise: self.promise,
            snapshot: self.snapshot,
            last,
            tail: self.log[tail..].to_vec(),
            before,
            trusted: self.chance.one_in(9, 10),
        };
        let config = config(&mut self.chance, self.configuration.clone());
        self.zab = Zab::new(config, recovered, self.chance.draw(), self.now);
    }

    fn step(&mut self, input: Input<Message>) {
        let before = (self.zab.accepted_epoch(), self.zab.current_epoch(), self.zab.round());
        let mut out = Vec::new();
        self.zab.step(self.now, input, &mut out);
        let after = (self.zab.accepted_epoch(), self.zab.current_epoch(), self.zab.round());
        assert!(before.0 <= after.0 && before.1 <= after.1, "seed {}: epochs went back", self.seed);
        assert!(self.zab.deadline() > self.now, "seed {}: it would spin", self.seed);
        for output in out {
            self.carry_out(output);
        }
    }

    fn carry_out(&mut self, output: Output<Message, zab::Decision>) {
        match output {
            Output::Persist(persist) => self.writes.push_back(persist),
            Output::Apply { entries } => {
                let position = entries.last().expect("something to apply").position;
                assert!(entries[0].position > self.zab.applied(), "seed {}", self.seed);
                self.owed.push_back(Input::Applied { position });
            }
            Output::Fetch(fetch) => {
                let first = Position::from_zxid(fetch.first);
                let floor = self.log.iter().rposition(|entry| entry.position <= first).unwrap_or(0);
                let entries = self.log[floor..].iter().filter(|entry| entry.position.zxid() <= fetch.last).take(3);
                let entries = entries.cloned().collect();
                self.owed.push_back(Input::Fetched { reader: fetch.reader, entries });
            }
            Output::SendSnapshot { to, .. } => {
                let delivered = self.chance.one_in(1, 2);
                self.owed.push_back(Input::SnapshotSent { to, delivered });
            }
            Output::InstallSnapshot { snapshot, entries } => {
                assert_eq!(self.arrived, Some(snapshot.position), "seed {}", self.seed);
                let position = entries.last().map_or(snapshot.position, |entry| entry.position);
                let configuration = self.configuration.clone();
                self.owed.push_back(Input::Installed { snapshot: Snapshot { position, configuration } });
            }
            Output::Send { to, .. } => {
                assert!(to != NodeId(1) && to.0 < 10, "seed {}: sends to {to}", self.seed);
            }
            Output::Explain(decision) => assert!(!decision.to_string().is_empty()),
            _ => {}
        }
    }

    fn peer(&mut self) -> NodeId {
        NodeId(2 + self.chance.below(7))
    }

    /// Whom it is likely to listen to.
    fn familiar(&mut self) -> NodeId {
        let learners: Vec<NodeId> = self.zab.learners().map(|(id, _)| id).collect();
        match self.zab.leader() {
            Some(leader) if leader != NodeId(1) && self.chance.one_in(9, 10) => leader,
            _ if !learners.is_empty() && self.chance.one_in(9, 10) => learners[self.chance.below(learners.len() as u64) as usize],
            _ => self.peer(),
        }
    }

    /// A number near `near`, or at an end.
    fn number(&mut self, near: u64) -> u64 {
        match self.chance.below(30) {
            0 => 0,
            1 => 0x7fff_ffff,
            2 => 0xffff_ffff,
            3 => 0x8000_0000,
            4 => near + self.chance.below(1 << 20),
            _ => near.saturating_add(self.chance.below(3)).saturating_sub(1).min(0xffff_ffff),
        }
    }

    fn position(&mut self) -> Position {
        let last = self.zab.last();
        let near = match self.chance.below(6) {
            0 => self.zab.committed(),
            1 => self.zab.applied(),
            2 => Position::new(last.epoch, last.index.saturating_sub(1)),
            3 => Position::new(self.zab.accepted_epoch(), 0),
            _ => last,
        };
        if self.chance.one_in(2, 3) {
            return near;
        }
        Position::new(self.number(near.epoch), self.number(near.index))
    }

    fn next(&mut self) -> Entry {
        let last = self.zab.last();
        let position = match self.chance.below(8) {
            0 => self.position(),
            1 => Position::new(self.zab.accepted_epoch(), 1),
            _ => Position::new(last.epoch, last.index + 1),
        };
        entry(position)
    }

    fn notification(&mut self) -> Notification {
        let wild = |chance: &mut Chance, near: i64| match chance.below(20) {
            0 => i64::MIN,
            1 => i64::MAX,
            2 => -1,
            3 => chance.draw() as i64,
            _ => near + chance.below(3) as i64 - 1,
        };
        let state = [State::Looking, State::Following, State::Leading, State::Observing][self.chance.below(4) as usize];
        let round = wild(&mut self.chance, self.zab.round());
        let vote = if self.chance.one_in(1, 2) {
            self.zab.vote()
        } else {
            let leader = if self.chance.one_in(1, 3) { 1 } else { wild(&mut self.chance, 3) };
            let near = (self.zab.current_epoch() as i64, self.zab.last().zxid() as i64);
            Vote { epoch: wild(&mut self.chance, near.0), zxid: wild(&mut self.chance, near.1), leader }
        };
        Notification { state, vote, round }
    }

    fn packet(&mut self) -> Packet {
        let accepted = self.zab.accepted_epoch();
        match self.chance.below(24) {
            0 => {
                let config_version = u64::from(self.chance.one_in(1, 20));
                Packet::LearnerInfo { accepted: self.number(accepted), observer: self.chance.one_in(1, 4), config_version }
            }
            1..=2 => Packet::LeaderInfo { epoch: self.number(accepted + 1) },
            3..=4 => {
                let current = self.chance.one_in(5, 6).then(|| self.number(self.zab.current_epoch()));
                let last = self.chance.one_in(5, 6).then(|| self.position());
                Packet::AckEpoch { current, last }
            }
            5 => Packet::Diff { upto: self.position() },
            6 => Packet::Truncate { to: self.position() },
            7 => Packet::Snapshot { position: self.position() },
            8..=9 => Packet::NewLeader { epoch: if self.chance.one_in(5, 6) { accepted } else { self.number(accepted) } },
            10..=11 => Packet::UpToDate,
            12..=13 => Packet::Ack { position: self.position() },
            14..=16 => Packet::Proposal { entry: self.next() },
            17 => Packet::Commit { position: self.position() },
            18 => Packet::Inform { entry: self.next() },
            19 => Packet::Ping { last: self.position(), touched: vec![(1, 2)] },
            20 => Packet::Revalidate(SessionNote::Revalidate { session: 1, timeout: 2 }),
            21 => Packet::Revalidate(SessionNote::Revalidated { session: 1, valid: true }),
            22 if self.chance.one_in(1, 2) => Packet::Request(Bytes::from_static(b"r")),
            22 => Packet::SyncRequest,
            _ if self.chance.one_in(1, 2) => Packet::Sync,
            _ => Packet::Activate { position: self.position() },
        }
    }

    fn act(&mut self) {
        match self.chance.below(60) {
            0 if self.chance.one_in(1, 3) => self.restart(),
            0..=3 => {
                let wait = self.chance.between(Duration::ZERO, Duration::from_millis(200));
                self.now = self.now + wait;
                self.step(Input::Timeout);
            }
            4..=10 => self.sync(),
            11..=17 => self.pay(),
            18 => {
                self.reads += 1;
                self.step(Input::Read { id: ReadId(self.reads) });
            }
            19..=21 => {
                let count = self.chance.below(3) as usize;
                self.step(Input::Propose { commands: vec![Bytes::from_static(b"c"); count] });
            }
            22..=25 => {
                let peer = self.familiar();
                let link = if self.chance.one_in(2, 3) { Link::Quorum } else { Link::Election };
                self.step(Input::Connected { peer, link, incarnation: 0 });
            }
            26..=27 => {
                let peer = self.familiar();
                let link = if self.chance.one_in(1, 2) { Link::Quorum } else { Link::Election };
                let how = if self.chance.one_in(1, 2) { How::Refused } else { How::Lost };
                self.step(Input::Disconnected { peer, link, how });
            }
            28 => {
                let to = self.chance.one_in(1, 2).then(|| NodeId(self.chance.below(8)));
                self.step(Input::TransferLeadership { to });
            }
            29 => {
                let to = self.familiar();
                let note = match self.chance.below(4) {
                    0 => Note::Request(vec![(EntryKind::Command, Bytes::from_static(b"r"))]),
                    1 => Note::Sessions(SessionNote::Touched(vec![(1, 2)])),
                    2 => Note::Sessions(SessionNote::Revalidate { session: 1, timeout: 2 }),
                    _ => Note::Sessions(SessionNote::Revalidated { session: 1, valid: false }),
                };
                self.step(Input::Tell { to, note });
            }
            30 => {
                let snapshot = Snapshot { position: self.zab.applied(), configuration: self.configuration.clone() };
                if snapshot.position > self.snapshot {
                    self.snapshot = snapshot.position;
                    self.log.retain(|entry| entry.position > snapshot.position);
                    self.step(Input::SnapshotTaken { snapshot, cut: 0 });
                }
            }
            31..=36 => {
                let (from, notification) = (self.peer(), self.notification());
                self.step(Input::Receive { from, message: Message::Notification(notification) });
            }
            37..=41 => self.help(),
            _ => {
                let (from, packet) = (self.familiar(), self.packet());
                let message = Message::Packet(packet);
                if let Message::Packet(Packet::Snapshot { position }) = message {
                    // One that is in force or being installed is not overwritten by the next.
                    self.arrived = Some(position);
                    self.step(Input::SnapshotArrived { from, message });
                } else {
                    self.step(Input::Receive { from, message });
                }
            }
        }
    }

    fn sync(&mut self) {
        let Some(persist) = self.writes.pop_front() else { return };
        if let Some(append) = &persist.append {
            self.log.retain(|entry| entry.position <= append.after);
            assert_eq!(self.log.last().map_or(self.snapshot, |entry| entry.position.max(self.snapshot)), append.after);
            self.log.extend(append.entries.iter().cloned());
        }
        if let Some(promise) = persist.promise {
            assert!(promise.epoch >= self.promise.epoch && promise.current >= self.promise.current);
            self.promise = promise;
        }
        self.step(Input::Persisted { ticket: persist.ticket });
    }

    fn pay(&mut self) {
        match self.owed.pop_front() {
            Some(Input::Installed { snapshot }) => {
                // What was to be persisted before it comes first.
                while !self.writes.is_empty() {
                    self.sync();
                }
                self.log.clear();
                self.snapshot = snapshot.position;
                self.owed.retain(|input| !matches!(input, Input::Applied { .. }));
                self.step(Input::Installed { snapshot });
            }
            Some(input) => self.step(input),
            None => {}
        }
    }

    /// Noise alone elects nobody and brings nobody up to date.
    fn help(&mut self) {
        while !self.writes.is_empty() {
            self.sync();
        }
        let epoch = self.zab.accepted_epoch();
        match self.zab.state() {
            State::Looking => {
                self.step(Input::Timeout);
                let leader = if self.chance.one_in(1, 2) { 1 } else { 3 };
                let vote = Vote { epoch: epoch as i64 + 1, zxid: 1 << 40, leader };
                for peer in 2..=5 {
                    let notification = Notification { state: State::Looking, vote, round: self.zab.round() };
                    self.step(Input::Receive { from: NodeId(peer), message: Message::Notification(notification) });
                }
                self.now = self.now + Duration::from_millis(200);
                self.step(Input::Timeout);
            }
            State::Leading => {
                for peer in 2..=7 {
                    let last = Some(self.zab.last());
                    let packets = [
                        Packet::LearnerInfo { accepted: epoch - 1, observer: peer > 5, config_version: 0 },
                        Packet::AckEpoch { current: Some(0), last },
                        Packet::Ack { position: Position::new(epoch, 0) },
                        Packet::Ack { position: self.zab.last() },
                    ];
                    let packet = packets[self.chance.below(4) as usize].clone();
                    self.step(Input::Receive { from: NodeId(peer), message: Message::Packet(packet) });
                }
            }
            State::Following | State::Observing => {
                let leader = self.zab.leader().expect("it follows");
                self.step(Input::Connected { peer: leader, link: Link::Quorum, incarnation: 0 });
                let epoch = epoch + 1;
                let last = self.zab.last();
                let packets = [
                    Packet::LeaderInfo { epoch },
                    Packet::Diff { upto: last },
                    Packet::NewLeader { epoch },
                    Packet::UpToDate,
                    Packet::Proposal { entry: entry(Position::new(epoch, 1)) },
                    Packet::Commit { position: Position::new(epoch, 1) },
                ];
                let steps = self.chance.below(packets.len() as u64 + 1) as usize;
                for packet in packets.into_iter().take(steps) {
                    self.step(Input::Receive { from: leader, message: Message::Packet(packet) });
                    while !self.writes.is_empty() {
                        self.sync();
                    }
                }
            }
        }
    }
}

fn entry(position: Position) -> Entry {
    Entry { position, kind: EntryKind::Command, data: Bytes::from_static(b"d") }
}

#[test]
fn a_server_stays_whole_whatever_it_is_told() {
    let number = |name: &str, default: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (first, count) = (number("FIRST", 0), number("SEEDS", 300));
    let (mut led, mut obeyed) = (0, 0);
    for seed in first..first + count {
        let mut server = Server::new(seed);
        for _ in 0..600 {
            server.act();
            led += u64::from(server.zab.established().is_some());
            obeyed += u64::from(server.zab.serving() && server.zab.established().is_none());
        }
    }
    assert!(led > 0 && obeyed > 0, "noise came nowhere: led {led}, obeyed {obeyed}");
    println!("led for {led} steps, served as a learner for {obeyed}");
}
