//! What the server's driver does, in virtual time: events go in, effects are carried out in order.

use crate::codec::MapCodec;
use crate::fault::Fault;
use crate::invariant::Invariant;
use crate::machine::{Command, Map};
use crate::member::{Done, Job, Work};
use crate::network::{Fate, Stream};
use crate::watch::Watched;
use crate::world::{Occasion, Phase, World, id, place};
use consensus::{Instant, Wall};
use raft::{Body, Message};
use replica::{Answer, Effect, Event};
use std::time::Duration;

/// The effects of a replica in this world.
pub(crate) type Effects = replica::Effects<Watched, Map>;
/// An event of a replica in this world.
pub(crate) type MapEvent = Event<Message, Map, Command, u16>;

/// Timeouts at one moment, after which a replica is believed to spin.
const SPINS_MAX: u32 = 1_000;

impl World {
    /// Gives a replica an event, and carries out what it asks for.
    pub(crate) fn feed(&mut self, member: usize, event: MapEvent) {
        let now = self.members[member].clock.read(self.now);
        let Some(process) = &mut self.members[member].process else { return };
        let mut effects = std::mem::take(&mut self.effects);
        let wall = Wall(now.since(Instant::ZERO));
        process.replica.handle(now, wall, event, &mut effects);
        let life = self.members[member].life;
        for effect in effects.drain(..) {
            if !self.lives(member, life) {
                break;
            }
            self.carry_out(member, effect);
        }
        self.effects = effects;
        self.schedule_wake(member);
    }

    fn carry_out(
        &mut self,
        member: usize,
        effect: Effect<Message, raft::Decision, crate::machine::Response, std::convert::Infallible>,
    ) {
        match effect {
            Effect::Persist(persist) => self.give_job(member, Job::Persist(persist)),
            Effect::Send { to, message } => self.send(member, place(to), message),
            Effect::Fetch(fetch) => self.fetch(member, &fetch),
            Effect::Answer { token, answer } => self.on_answer(member, token.0, &answer),
            Effect::WriteSnapshot { snapshot, chunk } => self.write_snapshot(member, snapshot, &chunk),
            Effect::FinishSnapshot(snapshot) => {
                let latency = self.sync_latency(member);
                self.disk_in(member, latency, Done::Publish(snapshot));
            }
            Effect::CutLog { upto } => self.give_job(member, Job::Cut(upto)),
            Effect::SendSnapshot { to, message } => self.ship(member, place(to), message),
            Effect::InstallSnapshot { .. } => self.install(member),
            Effect::Happened { .. } | Effect::HeardOfSession(_) => unreachable!("the map has neither watchers nor sessions"),
            Effect::DiscardSnapshot => self.discard_arrived(member),
            Effect::ChangeRole { epoch, role } => {
                if role == consensus::Role::Leader {
                    self.check_leases(member, epoch);
                }
                let word = (member as u64) << 8 | role_number(role);
                self.trace
                    .note(self.now, word ^ epoch << 16, || format!("m{} is {role} in term {epoch}{}", member + 1, led_by(role)));
            }
            Effect::Explain(decision) => {
                self.trace.note(self.now, 7, || format!("m{}: {decision}", member + 1));
            }
            Effect::Stop(why) => self.violate(Invariant::NoCrash, format!("member {} stopped: {why}", member + 1)),
            Effect::Connect { .. } | Effect::Disconnect { .. } => unreachable!("Raft's links stand by themselves"),
        }
    }

    fn send(&mut self, from: usize, to: usize, message: Message) {
        let from_life = self.members[from].life;
        let losses = self.network.path(from, to).losses;
        let stream = if matches!(message.body, Body::Append { .. }) { Stream::Appends } else { Stream::Others };
        match self.network.send(self.now, from, to, stream) {
            Fate::Cut => {}
            Fate::Dropped => self.fault(Fault::Drop, || format!("m{} to m{}: {}", from + 1, to + 1, crate::words::say(&message))),
            Fate::Arrives { at, again, reordered, delayed } => {
                self.trace.note(self.now, (from << 8 | to << 16 | 1 << 24) as u64 ^ message.term << 32, || {
                    format!("m{} to m{}: {}", from + 1, to + 1, crate::words::say(&message))
                });
                let at = at + self.held_back(&message);
                if reordered {
                    self.faults.count(Fault::Reorder);
                }
                if delayed {
                    self.faults.count(Fault::Delay);
                }
                // What is forwarded beside the log travels at most once: its stream does not double, and nobody could tell.
                if let Some(again) = again.filter(|_| !matches!(message.body, Body::Propose { .. })) {
                    self.faults.count(Fault::Duplicate);
                    let message = message.clone();
                    self.agenda.put(again, Occasion::Deliver { from, to, from_life, losses, message });
                }
                self.agenda.put(at, Occasion::Deliver { from, to, from_life, losses, message });
            }
        }
    }

    /// What is forwarded to a leader is now and then so late that leadership has moved on, and perhaps come back.
    fn held_back(&mut self, message: &Message) -> Duration {
        let forwarded = matches!(message.body, Body::Propose { .. });
        let may = forwarded && self.phase == Phase::Chaos && self.plan.is_enabled(Fault::Delay);
        if !may || !self.chance.one_in(1, 20) {
            return Duration::ZERO;
        }
        self.faults.count(Fault::Delay);
        self.chance.between(Duration::ZERO, Duration::from_secs(3))
    }

    pub(crate) fn on_deliver(&mut self, from: usize, to: usize, from_life: u64, losses: u64, message: Message) {
        let path = self.network.path(from, to);
        // What was sent over a link that was reported lost since does not arrive, and nothing passes a cut.
        if self.members[to].process.is_none() || path.losses != losses || !self.network.passes(from, to) {
            return;
        }
        if self.members[from].life != from_life {
            self.faults.count(Fault::Late);
        }
        self.trace.note(self.now, (from << 8 | to << 16 | 2 << 24) as u64 ^ message.term << 32, || {
            format!("m{} hears m{}: {}", to + 1, from + 1, crate::words::say(&message))
        });
        self.feed(to, Event::Receive { from: id(from), message });
    }

    fn fetch(&mut self, member: usize, fetch: &consensus::Fetch) {
        let process = self.members[member].process.as_ref().expect("who asks lives");
        match process.reader.read(fetch.first, fetch.last, fetch.budget) {
            Ok(entries) => {
                self.ghost.borrow_mut().check_fetched(member, &entries);
                let latency = self.chance.between(Duration::from_micros(20), Duration::from_millis(2));
                self.disk_in(member, latency, Done::Fetched(fetch.reader, entries));
            }
            Err(fault) => self.disk_failed(member, &fault),
        }
    }

    fn on_answer(&mut self, member: usize, token: u64, answer: &Answer<crate::machine::Response>) {
        let operator = token > self.next_transfer;
        self.trace.note(self.now, token << 8 | 3, || {
            let whom = if operator { "the operator".to_owned() } else { format!("operation {token}") };
            format!("m{} answers {whom}: {}", member + 1, crate::words::answer(answer))
        });
        if operator {
            return;
        }
        let free = self.workload.answered(member, self.now, token, answer, &mut self.ghost.borrow_mut());
        if let Some(client) = free {
            let think = self.workload.think();
            self.after(think, Occasion::ClientActs { client });
        }
    }

    /// When a leader begins to lead, nobody may hold a read lease of an earlier term, by their own clocks.
    fn check_leases(&mut self, leader: usize, term: u64) {
        for (other, it) in self.members.iter().enumerate().filter(|&(other, _)| other != leader) {
            let Some(process) = &it.process else { continue };
            let raft = process.replica.consensus().raft();
            let holds = raft.lease_until().is_some_and(|until| until > it.clock.read(self.now));
            if holds && raft.term() < term && raft.role() == consensus::Role::Leader {
                let what = format!(
                    "member {} leads term {term} while {} holds its lease of term {}",
                    leader + 1,
                    other + 1,
                    raft.term()
                );
                self.ghost.borrow_mut().violate(Invariant::LeaseHasOneLeader, what);
            }
        }
    }

    /// A timer of a process has run out, if it is still the same timer.
    pub(crate) fn on_wake(&mut self, member: usize, life: u64) {
        if !self.lives(member, life) || self.members[member].wake_at > self.now {
            return;
        }
        self.members[member].wake_at = Instant::NEVER;
        let now = self.members[member].clock.read(self.now);
        let process = self.members[member].process.as_ref().expect("it lives");
        if process.replica.deadline() <= now {
            self.members[member].spins += 1;
            if self.members[member].spins > SPINS_MAX {
                return self.violate(Invariant::NoCrash, format!("member {} spins: its deadline never passes", member + 1));
            }
            self.feed(member, Event::Timeout);
        } else {
            self.schedule_wake(member);
        }
    }

    /// Makes sure that a process is woken at its deadline.
    pub(crate) fn schedule_wake(&mut self, member: usize) {
        let Member { process, clock, wake_at, life, spins, .. } = &mut self.members[member];
        let Some(process) = process else { return };
        let deadline = process.replica.deadline();
        if deadline > clock.read(self.now) {
            *spins = 0;
        }
        let Some(when) = clock.when(deadline) else { return };
        let when = when.max(self.now + Duration::from_nanos(1));
        if when < *wake_at {
            *wake_at = when;
            let occasion = Occasion::Wake { member, life: *life };
            self.agenda.put(when, occasion);
        }
    }

    /// The process of a member is idle between two jobs of its log's thread.
    pub(crate) fn disk_in(&mut self, member: usize, after: Duration, done: Done) {
        let life = self.members[member].life;
        self.after(after, Occasion::Disk { member, life, done });
    }

    pub(crate) fn give_job(&mut self, member: usize, job: Job) {
        let process = self.members[member].process.as_mut().expect("who asks lives");
        process.jobs.push_back(job);
        if process.work == Work::Idle {
            process.work = Work::Waking;
            self.disk_in(member, Duration::from_micros(5), Done::Wake);
        }
    }

    /// A new process has a new codec and nothing else to begin with.
    pub(crate) fn codec() -> MapCodec {
        MapCodec
    }
}

use crate::member::Member;

fn role_number(role: consensus::Role) -> u64 {
    match role {
        consensus::Role::Follower { leader } => leader.map_or(1, |leader| leader.0 << 3 | 1),
        consensus::Role::PreCandidate => 2,
        consensus::Role::Candidate => 3,
        consensus::Role::Leader => 4,
        consensus::Role::Learner { .. } => 5,
    }
}

fn led_by(role: consensus::Role) -> String {
    match role {
        consensus::Role::Follower { leader: Some(leader) } => format!(" of m{leader}"),
        _ => String::new(),
    }
}
