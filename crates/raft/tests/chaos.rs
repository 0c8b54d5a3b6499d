//! Members in a hostile world, from many seeds: what Raft promises holds whatever is lost, doubled, delayed or forgotten.
//!
//! The simulator does this with the real replica and storage. This small one finds the protocol's own mistakes in a second.

mod support;

use consensus::{Chance, Consensus as _, Entry, How, Input, Link, NodeId, ReadId, Role, Ticket};
use raft::{Config, Message};
use std::collections::BTreeMap;
use support::{Cluster, id, millis};

/// What everybody must agree on, kept outside.
#[derive(Default)]
struct Ghost {
    leaders: BTreeMap<u64, NodeId>,
    votes: BTreeMap<(NodeId, u64), NodeId>,
    /// What was applied at each index, by whoever was first.
    applied: BTreeMap<u64, Entry>,
    terms: BTreeMap<NodeId, u64>,
    /// How many entries each member had applied when it was last looked at.
    looked: BTreeMap<NodeId, usize>,
    /// What was applied anywhere when each read was asked.
    reads: BTreeMap<ReadId, u64>,
    /// Who has not been answered yet; a restart forgets.
    open: BTreeMap<ReadId, NodeId>,
}

impl Ghost {
    fn look(&mut self, cluster: &mut Cluster) {
        for (&id, member) in &mut cluster.members {
            let raft = &member.raft;
            if raft.role() == Role::Leader {
                let known = *self.leaders.entry(raft.term()).or_insert(id);
                assert_eq!(known, id, "two leaders in term {}", raft.term());
            }
            let term = self.terms.entry(id).or_default();
            assert!(member.disk.promise.epoch >= *term, "{id} forgot a term");
            *term = member.disk.promise.epoch;
            if let Some(vote) = member.disk.promise.vote {
                let known = *self.votes.entry((id, member.disk.promise.epoch)).or_insert(vote);
                assert_eq!(known, vote, "{id} voted twice in term {}", member.disk.promise.epoch);
            }
            let looked = self.looked.entry(id).or_default();
            for entry in &member.applied[*looked..] {
                let known = self.applied.entry(entry.position.index).or_insert_with(|| entry.clone());
                assert_eq!(known, entry, "{id} applied another entry");
            }
            *looked = member.applied.len();
            for read in std::mem::take(&mut member.ready) {
                assert!(raft.applied() >= self.reads[&read], "{id} answered {read:?} from the past");
                assert_eq!(self.open.remove(&read), Some(id), "{id} answered {read:?} again");
            }
        }
    }

    fn last_applied(&self) -> u64 {
        self.applied.last_key_value().map_or(0, |(&index, _)| index)
    }
}

struct World {
    cluster: Cluster,
    ghost: Ghost,
    chance: Chance,
    count: u64,
    /// Messages on their way, in no order.
    flying: Vec<(NodeId, NodeId, Message)>,
    written: u64,
    asked: u64,
    /// One crash, and one change of the network, in so many chances.
    crashes: u64,
    cuts: u64,
    /// Which process of each member this is.
    incarnations: BTreeMap<u64, u64>,
}

impl World {
    fn new(seed: u64) -> World {
        let mut chance = Chance::new(seed);
        let count = [1, 2, 3, 3, 4, 5, 5][chance.below(7) as usize];
        let (pre_vote, lease, early) = (chance.one_in(3, 4), chance.one_in(3, 4), chance.one_in(1, 2));
        let (crashes, cuts) = (1 + chance.below(6), 1 + chance.below(8));
        let lease_reads = chance.one_in(1, 4);
        let small = chance.one_in(1, 2);
        let change = |config: &mut Config| {
            config.pre_vote = pre_vote;
            config.vote_lease = lease;
            config.check_quorum = lease;
            config.early_election = early;
            config.lease_reads = lease_reads;
            #[cfg(feature = "mutants")]
            mutate(config);
            if small {
                config.cache_bytes_max = 200;
                config.message_bytes_max = 3;
                config.apply_bytes_max = 3;
                config.inflight_messages_max = 3;
            }
        };
        let cluster = Cluster::with(count, change);
        World {
            cluster,
            ghost: Ghost::default(),
            chance,
            count,
            flying: Vec::new(),
            written: 0,
            asked: 0,
            crashes,
            cuts,
            incarnations: BTreeMap::new(),
        }
    }

    fn anyone(&mut self) -> u64 {
        1 + self.chance.below(self.count)
    }

    fn step(&mut self, number: u64, input: Input<Message>) {
        self.cluster.step(number, input);
        self.flying.extend(self.cluster.wire.drain(..));
        self.ghost.look(&mut self.cluster);
    }

    fn deliver(&mut self) {
        if self.flying.is_empty() {
            return;
        }
        let at = self.chance.below(self.flying.len().min(8) as u64) as usize;
        let (from, to, message) = self.flying.remove(at);
        let lost = self.chance.one_in(1, 12) || self.cluster.cut.contains(&(from, to));
        if self.chance.one_in(1, 20) {
            self.flying.push((from, to, message.clone()));
        }
        if !lost && !self.cluster.down.contains(&to) {
            self.step(to.0, Input::Receive { from, message });
        }
    }

    fn pass_time(&mut self) {
        self.cluster.now = self.cluster.now + millis(1 + self.chance.below(40));
        let now = self.cluster.now;
        for number in 1..=self.count {
            if !self.cluster.down.contains(&id(number)) && self.cluster.raft(number).deadline() <= now {
                self.step(number, Input::Timeout);
            }
        }
    }

    /// A crash loses writes that are open, from some point on.
    fn crash(&mut self) {
        let number = self.anyone();
        if !self.cluster.down.insert(id(number)) {
            return;
        }
        let member = self.cluster.member(number);
        let open: Vec<_> = member.open.drain(..).collect();
        let survive = self.chance.below(open.len() as u64 + 1) as usize;
        for persist in open.into_iter().take(survive) {
            self.cluster.member(number).disk.write(persist);
        }
        // What was on its way is lost with the links.
        self.flying.retain(|&(from, to, _)| from != id(number) && to != id(number));
        let refused = self.chance.one_in(1, 2);
        for other in (1..=self.count).filter(|&other| other != number) {
            let how = if refused { How::Refused } else { How::Lost };
            self.step(other, Input::Disconnected { peer: id(number), link: Link::Peer, how });
        }
    }

    fn restart(&mut self, number: u64) {
        let incarnation = *self.incarnations.entry(number).and_modify(|it| *it += 1).or_insert(2);
        // At most a minority is without memory at any time.
        let forgetful = self.cluster.members.values().filter(|member| member.raft.abstains()).count() as u64;
        // Once it has been brought up to date its disk is as good as any.
        let still = self.cluster.raft(number).abstains();
        self.cluster.member(number).config.abstains = still;
        if self.count >= 3 && forgetful < (self.count - 1) / 2 && self.chance.one_in(1, 8) {
            self.wipe(number);
        }
        // The state machine may have kept less than it applied.
        let applied = self.cluster.member(number).disk.applied.index;
        let member = self.cluster.member(number);
        let kept = self.chance.below(applied + 1).max(member.disk.base.index);
        member.disk.applied = member.disk.position(kept);
        self.cluster.restart(number);
        self.ghost.looked.insert(id(number), 0);
        self.ghost.open.retain(|_, asker| *asker != id(number));
        for other in (1..=self.count).filter(|&other| other != number) {
            self.step(other, Input::Connected { peer: id(number), link: Link::Peer, incarnation });
            let its = self.incarnations.get(&other).copied().unwrap_or(1);
            self.step(number, Input::Connected { peer: id(other), link: Link::Peer, incarnation: its });
        }
    }

    /// The disk is gone. The member keeps its name, and knows that it has forgotten.
    fn wipe(&mut self, number: u64) {
        let member = self.cluster.member(number);
        member.disk = support::Disk::default();
        member.config.abstains = true;
        self.ghost.terms.remove(&id(number));
        self.ghost.votes.retain(|&(voter, _), _| voter != id(number));
    }

    fn sync(&mut self, number: u64) {
        let open = self.cluster.member(number).open.len() as u64;
        if open == 0 || self.cluster.down.contains(&id(number)) {
            return;
        }
        let some = 1 + self.chance.below(open);
        let mut ticket = Ticket(0);
        for _ in 0..some {
            let member = self.cluster.member(number);
            let persist = member.open.pop_front().unwrap();
            ticket = persist.ticket;
            member.disk.write(persist);
        }
        self.step(number, Input::Persisted { ticket });
    }

    fn round(&mut self) {
        match self.chance.below(100) {
            0..50 => self.deliver(),
            50..65 => {
                let number = self.anyone();
                self.sync(number);
            }
            65..80 => self.pass_time(),
            80..88 => {
                let number = self.anyone();
                if self.cluster.raft(number).next().is_some() && !self.cluster.down.contains(&id(number)) {
                    let commands = (0..1 + self.chance.below(3)).map(|_| {
                        self.written += 1;
                        format!("{}", self.written).into_bytes().into()
                    });
                    let commands = commands.collect();
                    self.step(number, Input::Propose { commands });
                }
            }
            88..92 => {
                let number = self.anyone();
                if !self.cluster.down.contains(&id(number)) {
                    self.asked += 1;
                    let read = ReadId(self.asked);
                    self.ghost.reads.insert(read, self.ghost.last_applied());
                    self.ghost.open.insert(read, id(number));
                    self.step(number, Input::Read { id: read });
                }
            }
            92 => {
                if self.chance.one_in(1, self.crashes) {
                    self.crash();
                }
            }
            93..95 => {
                if let Some(&down) = self.cluster.down.iter().next() {
                    self.restart(down.0);
                }
            }
            95 if self.chance.one_in(1, self.cuts) => self.change_network(),
            96 if self.chance.one_in(1, self.cuts) => self.cluster.heal(),
            95 | 96 => self.deliver(),
            97 => {
                let (number, to) = (self.anyone(), self.anyone());
                let to = self.chance.one_in(1, 2).then_some(id(to));
                self.step(number, Input::TransferLeadership { to });
            }
            98 => {
                // Its disk gets stuck, or loose.
                let number = id(self.anyone());
                if !self.cluster.slow.remove(&number) {
                    self.cluster.slow.insert(number);
                }
            }
            _ => {
                let number = self.anyone();
                if !self.cluster.down.contains(&id(number)) {
                    self.snapshot(number);
                }
            }
        }
    }

    /// Cuts off a leader, splits the members in two, or cuts one direction of one link.
    fn change_network(&mut self) {
        match (self.chance.below(3), self.cluster.leader()) {
            (0, Some(leader)) => self.cluster.isolate(leader),
            (1, _) => {
                let side = self.chance.draw();
                for (a, b) in (1..=self.count).flat_map(|a| (1..a).map(move |b| (a, b))) {
                    if (side >> a) & 1 != (side >> b) & 1 {
                        self.cluster.cut_both(a, b);
                    }
                }
            }
            _ => {
                let (a, b) = (self.anyone(), self.anyone());
                self.cluster.cut.insert((id(a), id(b)));
            }
        }
    }

    /// The member snapshots what it applied and cuts its log. Transfers of snapshots begin and end at once.
    fn snapshot(&mut self, number: u64) {
        let member = self.cluster.member(number);
        let applied = member.raft.applied();
        if applied <= member.disk.base.index || !member.open.is_empty() || !member.installs.is_empty() {
            return;
        }
        let position = member.disk.position(applied);
        let configuration = member.raft.configuration().clone();
        let snapshot = consensus::Snapshot { position, configuration };
        member.disk.applied = position;
        let cut = member.disk.base.index + 1 + self.chance.below(applied - member.disk.base.index);
        member.disk.cut(cut);
        self.step(number, Input::SnapshotTaken { snapshot, cut });
    }

    fn move_snapshots(&mut self) {
        for number in 1..=self.count {
            for (to, message) in std::mem::take(&mut self.cluster.member(number).snapshots) {
                let delivered = self.chance.one_in(3, 4) && !self.cluster.down.contains(&to);
                if delivered {
                    self.step(to.0, Input::SnapshotArrived { from: id(number), message });
                }
                self.step(number, Input::SnapshotSent { to, delivered });
            }
            if self.cluster.down.contains(&id(number)) {
                self.cluster.member(number).installs.clear();
            }
            if !self.chance.one_in(1, 4) {
                continue;
            }
            for snapshot in std::mem::take(&mut self.cluster.member(number).installs) {
                // What was written before the log is reset is written first.
                while !self.cluster.member(number).open.is_empty() {
                    self.sync(number);
                }
                self.cluster.member(number).disk.install(snapshot.position);
                self.step(number, Input::Installed { snapshot });
            }
        }
    }

    /// What everybody decided last.
    fn tell(&self) {
        for (id, member) in &self.cluster.members {
            let raft = &member.raft;
            eprintln!(
                "{id}: {:?}, term {}, log ends {}, committed {}",
                raft.role(),
                raft.term(),
                raft.last(),
                raft.commit_index()
            );
            for (id, progress) in raft.progress() {
                eprintln!("    {id}: {progress:?}");
            }
            for decision in member.decisions.iter().rev().take(20).rev() {
                eprintln!("    {decision}");
            }
        }
    }

    /// Everything is well from now on: somebody leads, all catch up, every read is answered, and nothing changes any more.
    fn calm(&mut self) {
        self.cluster.heal();
        self.cluster.slow.clear();
        for number in 1..=self.count {
            if self.cluster.down.contains(&id(number)) {
                self.restart(number);
            }
        }
        let mut leader = None;
        for phase in 0..2_000 {
            self.cluster.now = self.cluster.now + millis(10);
            for number in 1..=self.count {
                while !self.cluster.member(number).open.is_empty() {
                    self.sync(number);
                }
                if self.cluster.raft(number).deadline() <= self.cluster.now {
                    self.step(number, Input::Timeout);
                }
            }
            self.move_snapshots();
            for _ in 0..self.flying.len() {
                let (from, to, message) = self.flying.remove(0);
                self.step(to.0, Input::Receive { from, message });
            }
            if phase == 1_500 {
                leader = self.cluster.leader().map(|leader| (leader, self.cluster.raft(leader).term()));
                if leader.is_none() {
                    self.tell();
                }
                assert!(leader.is_some(), "nobody leads after 15 s of calm");
            }
        }
        let (leader, term) = leader.unwrap();
        assert_eq!(
            (leader, term),
            (self.cluster.leader().unwrap(), self.cluster.raft(leader).term()),
            "leadership changed in calm"
        );
        let last = self.cluster.raft(leader).last();
        if (1..=self.count).any(|number| self.cluster.raft(number).applied() != last.index) {
            self.tell();
        }
        for number in 1..=self.count {
            let raft = self.cluster.raft(number);
            assert_eq!((raft.last(), raft.applied()), (last, last.index), "member {number} did not catch up");
        }
        assert!(self.ghost.open.is_empty(), "reads were never answered: {:?}", self.ghost.open);
    }
}

/// The mistake that `MUTANT` names.
#[cfg(feature = "mutants")]
fn mutate(config: &mut Config) {
    use raft::Mutant::*;
    let all = [
        VoteBeforeSync,
        CommitOldTermByCounting,
        AppendAnsweredBeforeSync,
        VoteComparesIndexBeforeTerm,
        TruncateOnAnyAppend,
        ReadIndexBeforeFirstCommit,
        PreVoteWithoutLogCheck,
        LeaseWithoutCheckQuorum,
    ];
    let name = std::env::var("MUTANT").unwrap_or_default();
    config.mutant = all.into_iter().find(|mutant| format!("{mutant:?}") == name);
}

fn run(seed: u64) -> (u64, usize) {
    let mut world = World::new(seed);
    for number in 1..=world.count {
        for other in (1..=world.count).filter(|&other| other != number) {
            world.step(other, Input::Connected { peer: id(number), link: Link::Peer, incarnation: 1 });
        }
        if world.chance.one_in(2, 3) {
            world.cluster.slow.insert(id(number));
        }
    }
    for _ in 0..3_000 {
        world.round();
        world.move_snapshots();
    }
    world.calm();
    (world.ghost.last_applied(), world.ghost.leaders.len())
}

#[test]
fn what_raft_promises_holds() {
    let seeds = std::env::var("SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(60);
    let first = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0);
    let (mut applied, mut leaders) = (0, 0);
    for seed in first..first + seeds {
        eprintln!("seed {seed}");
        let (more, led) = run(seed);
        applied += more;
        leaders += led;
    }
    eprintln!("{applied} entries, {leaders} leaders");
    assert!(applied > 0 && leaders > 0);
}
