//! What the server's driver does, in virtual time: events go in, effects are carried out in order.

use crate::invariant::Invariant;
use crate::member::{Done, Job, Member, Work};
use crate::subject::{COMPANY, Decision, Machine, Message, ResponseOf, Store, Subject};
use crate::watch::Watched;
use crate::world::{Occasion, World, place};
use consensus::{Instant, StateMachine, Wall};
use replica::{Answer, Effect, Event};
use std::time::Duration;

/// The effects of a replica in this world.
pub(crate) type Effects<P> = replica::Effects<Watched<P>, Machine<P>>;
/// An event of a replica in this world.
pub(crate) type MapEvent<P> =
    Event<Message<P>, Machine<P>, <Machine<P> as StateMachine>::Request, <Machine<P> as StateMachine>::Query>;
type MapEffect<P> = Effect<Message<P>, Decision<P>, ResponseOf<P>, <Machine<P> as StateMachine>::Event>;

/// Timeouts at one moment, after which a replica is believed to spin.
const SPINS_MAX: u32 = 1_000;

impl<P: Subject> World<P> {
    /// Gives a replica an event, and carries out what it asks for.
    pub(crate) fn feed(&mut self, member: usize, event: MapEvent<P>) {
        let now = self.members[member].clock.read(self.now);
        let Some(process) = &mut self.members[member].process else { return };
        let mut effects = std::mem::take(&mut self.effects);
        let wall = Wall(now.since(Instant::ZERO));
        process.replica.handle(now, wall, event, &mut effects);
        let life = self.members[member].life;
        if !P::is_whole(self, member) {
            effects.clear();
        }
        for effect in effects.drain(..) {
            if !self.lives(member, life) {
                break;
            }
            self.carry_out(member, effect);
        }
        self.effects = effects;
        self.schedule_wake(member);
        if self.lives(member, life) {
            P::turned(self, member);
        }
    }

    fn carry_out(&mut self, member: usize, effect: MapEffect<P>) {
        match effect {
            Effect::Persist(persist) => self.give_job(member, Job::Persist(persist)),
            Effect::Send { to, message } => P::send(self, member, place(to), message),
            Effect::Fetch(fetch) => self.fetch(member, &fetch),
            Effect::Answer { token, answer } => self.on_answer(member, token.0, answer),
            Effect::WriteSnapshot { snapshot, chunk } => self.write_snapshot(member, &snapshot, &chunk),
            Effect::FinishSnapshot(snapshot) => {
                let latency = self.sync_latency(member);
                self.disk_in(member, latency, Done::Publish(snapshot));
            }
            Effect::CutLog { upto } => self.give_job(member, Job::Cut(upto)),
            Effect::SendSnapshot { to, message } => P::send_snapshot(self, member, place(to), message),
            Effect::InstallSnapshot { entries, .. } => self.install(member, entries),
            Effect::Happened { .. } => {} // nobody watches
            Effect::HeardOfSession(note) => P::heard(self, member, note),
            Effect::DiscardSnapshot => P::discard_arrived(self, member),
            Effect::ChangeRole { epoch, role } => {
                if role == consensus::Role::Leader {
                    P::began_to_lead(self, member, epoch);
                }
                let word = (member as u64) << 8 | role_number(role);
                self.trace.note(self.now, word ^ epoch << 16, || {
                    format!("m{} is {role} in {} {epoch}{}", member + 1, P::EPOCH, led_by(role))
                });
            }
            Effect::Explain(decision) => {
                self.trace.note(self.now, 7, || format!("m{}: {decision}", member + 1));
            }
            Effect::Stop(why) => self.violate(Invariant::NoCrash, format!("member {} stopped: {why}", member + 1)),
            Effect::Connect { peer, link } => P::connect(self, member, place(peer), link),
            Effect::Disconnect { peer, link } => P::disconnect(self, member, place(peer), link),
        }
    }

    fn fetch(&mut self, member: usize, fetch: &consensus::Fetch) {
        match self.process(member).store.fetch(fetch) {
            Ok(entries) => {
                self.ghost.borrow_mut().check_fetched(member, &entries);
                let latency = self.chance.between(Duration::from_micros(20), Duration::from_millis(2));
                self.disk_in(member, latency, Done::Fetched(fetch.reader, entries));
            }
            Err(fault) => self.disk_failed(member, &fault),
        }
    }

    fn on_answer(&mut self, member: usize, token: u64, answer: Answer<ResponseOf<P>>) {
        let operator = token > self.next_transfer;
        self.trace.note(self.now, token << 8 | 3, || {
            let whom = if operator { "the operator".to_owned() } else { format!("operation {token}") };
            format!("m{} answers {whom}: {}", member + 1, crate::words::answer::<Machine<P>>(&answer))
        });
        if operator {
            return;
        }
        if token >= COMPANY {
            return P::answer_company(self, member, token, answer);
        }
        let free = self.workload.answered(member, self.now, token, &answer, &mut self.ghost.borrow_mut());
        if let Some(client) = free {
            let think = self.workload.think();
            self.after(think, Occasion::ClientActs { client });
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

    pub(crate) fn give_job(&mut self, member: usize, job: Job<P>) {
        let process = self.members[member].process.as_mut().expect("who asks lives");
        process.jobs.push_back(job);
        if process.work == Work::Idle {
            process.work = Work::Waking;
            self.disk_in(member, Duration::from_micros(5), Done::Wake);
        }
    }
}

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
        consensus::Role::Follower { leader: Some(leader) } | consensus::Role::Learner { leader: Some(leader) } => {
            format!(" of m{leader}")
        }
        _ => String::new(),
    }
}
