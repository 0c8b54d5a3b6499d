//! etcd's own keyspace above Raft: its machine in a data file, its leases, its watches, with etcd's own bytes; and what must hold of
//! all that at every entry.
//!
//! The registers are keys, whose clients know nothing of the rest. The company is that of [`callers`], who send transactions and read;
//! of [`lessees`], whose leases take keys along when they end; and of [`viewers`], who watch. [`turn`] does what the server's driver does
//! beside the replica. All that anybody is told is looked up in the [`chronicle`].

mod audit;
mod callers;
mod chronicle;
mod codec;
mod data;
mod lessees;
mod machine;
mod model;
mod turn;
mod viewers;

use super::{Raft, Stack};
use crate::fault::Fault;
use crate::invariant::Invariant;
use crate::linear::Done;
use crate::subject::{COMPANY, ResponseOf};
use crate::world::{Occasion, World};
use callers::Caller;
use chronicle::SharedChronicle;
use codec::EtcdCodec;
use consensus::{Chance, Entry, Instant};
use data::InDataFile;
use keyspace::{Command, Query, Response};
use lessees::Lessee;
use machine::{Ask, Keys};
use replica::{Answer, Event, Token};
use std::collections::BTreeMap;
use std::time::Duration;
use turn::{Errand, Post};
use viewers::Viewer;

/// etcd's keyspace, as what Raft replicates.
pub(crate) struct Etcd;

type Land = World<Raft<Etcd>>;

/// Those who are not clients of registers, and what members keep for them.
pub(crate) struct Company {
    pub(super) chronicle: SharedChronicle,
    chance: Chance,
    /// Counts requests, errands, leases, streams.
    count: u64,
    errands: BTreeMap<u64, Errand>,
    asked: BTreeMap<u64, Asked>,
    done: Vec<Done>,
    posts: Vec<Post>,
    callers: Vec<Caller>,
    lessees: Vec<Lessee>,
    viewers: Vec<Viewer>,
    /// Only these members are called upon any more.
    core: Option<Vec<usize>>,
}

impl Default for Company {
    fn default() -> Company {
        Company {
            chronicle: SharedChronicle::default(),
            chance: Chance::new(0),
            count: 0,
            errands: BTreeMap::new(),
            asked: BTreeMap::new(),
            done: Vec::new(),
            posts: Vec::new(),
            callers: Vec::new(),
            lessees: Vec::new(),
            viewers: Vec::new(),
            core: None,
        }
    }
}

/// What somebody asked.
#[derive(Clone, Debug)]
struct Asked {
    who: Who,
    called: Instant,
    /// Entries that were committed anywhere when it was called.
    floor: u64,
    /// A read that need not be the newest.
    looks: bool,
    /// What was read; `None` for a write.
    query: Option<Query>,
}

/// Who asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Who {
    Caller(usize),
    Lessee(usize),
}

/// The bit by which requests of the company are told from others in the log.
const OURS: u64 = 1 << 62;

impl Stack for Etcd {
    type Machine = Keys;
    type Codec = EtcdCodec;
    type Kept = InDataFile;
    type Company = Company;

    const KEEPS_FILES: bool = true;

    fn codec() -> EtcdCodec {
        EtcdCodec
    }

    fn fresh() -> Keys {
        unreachable!("a data file always holds a machine")
    }

    fn op_of(entry: &Entry) -> u64 {
        codec::op_of_entry(entry)
    }

    fn adopt(world: &Land, member: usize, machine: &mut Keys) {
        let installs = world.members[member].process.is_some();
        world.company.chronicle.borrow_mut().count(if installs { "snapshots installed" } else { "data files opened" });
        machine.tell(world.company.chronicle.clone());
        #[cfg(feature = "mutants")]
        if world.plan.mutant == Some(crate::options::Mutant::LeasesBeginWhole) {
            machine.inner.begin_leases_whole();
        }
    }

    fn settle_replica(options: &mut replica::Options) {
        // What is durable in the data file is as good as a snapshot.
        (options.snapshot_entries, options.snapshot_bytes) = (u64::MAX, u64::MAX);
    }

    fn gather(world: &mut Land) {
        world.gather_company();
    }

    fn answer_company(world: &mut Land, member: usize, token: u64, answer: Answer<ResponseOf<Raft<Etcd>>>) {
        world.answer_asked(member, token, answer);
    }

    fn is_whole(world: &mut Land, member: usize) -> bool {
        world.look_at_machine(member)
    }

    fn turned(world: &mut Land, member: usize) {
        world.after_event(member);
    }

    fn company_in_calm(world: &mut Land, core: &[usize]) {
        world.calm_company(core);
    }

    fn done_by_company(world: &Land) -> Vec<Done> {
        world.company.done.clone()
    }

    fn tally(world: &Land) -> BTreeMap<&'static str, u64> {
        world.company.chronicle.borrow().checks.clone()
    }

    fn act(world: &mut Land, errand: u64) {
        if let Some(errand) = world.company.errands.remove(&errand) {
            world.run_errand(errand);
        }
    }
}

/// Faults after which clocks cannot be compared.
const BENT: [Fault; 3] = [Fault::ClockDrift, Fault::ClockJump, Fault::ClockFreeze];

/// So long after the chaos every lease whose client fell silent has ended …
const LEASES_CALM_MAX: Duration = Duration::from_secs(60);
/// … and so long at most a viewer that is owed something waits for anything at all.
const VIEWERS_CALM_MAX: Duration = Duration::from_secs(30);

impl Land {
    fn gather_company(&mut self) {
        let mut chance = self.chance.fork();
        let company = &mut self.company;
        {
            let mut chronicle = company.chronicle.borrow_mut();
            chronicle.clocks_are_bent = BENT.iter().any(|fault| self.plan.enabled.contains(fault));
            chronicle.drift = 2 * self.plan.drift as u32 + 10;
        }
        company.posts = (0..self.members.len()).map(|_| Post::new(chance.draw())).collect();
        company.callers = (0..1 + chance.below(4)).map(|_| Caller::default()).collect();
        company.lessees = (0..1 + chance.below(4)).map(|_| Lessee::default()).collect();
        company.viewers = (0..1 + chance.below(5)).map(|_| Viewer::new(&mut chance)).collect();
        company.chance = chance;
        let (callers, lessees, viewers) = (company.callers.len(), company.lessees.len(), company.viewers.len());
        (0..callers).for_each(|who| self.soon(Errand::Call(who)));
        (0..lessees).for_each(|who| self.soon(Errand::Lease(who)));
        (0..viewers).for_each(|who| self.soon(Errand::View(who)));
    }

    /// Somebody acts before long.
    fn soon(&mut self, errand: Errand) {
        let pause = self.company.chance.between(Duration::from_millis(5), Duration::from_millis(300));
        self.send_on(pause, errand);
    }

    /// After so long this is to be done.
    fn send_on(&mut self, after: Duration, errand: Errand) {
        let number = self.number();
        let at = errand.process();
        self.company.errands.insert(number, errand);
        self.after(after, Occasion::Link(super::Happening::Acts { errand: number, at }));
    }

    fn number(&mut self) -> u64 {
        self.company.count += 1;
        self.company.count
    }

    /// A member that can be called.
    fn somebody(&mut self) -> Option<usize> {
        let member = match &self.company.core {
            Some(core) => core[self.company.chance.below(core.len() as u64) as usize],
            None => self.company.chance.below(self.members.len() as u64) as usize,
        };
        (self.members[member].process.is_some() && !self.members[member].paused).then_some(member)
    }

    /// Asks for a command to be carried out. Its token.
    fn ask_for(&mut self, member: usize, who: Who, command: Command) -> u64 {
        let number = self.number();
        let token = COMPANY + number;
        self.trace.note(self.now, number << 8 | 17, || format!("m{} is asked by {who:?}: {command:?}", member + 1));
        self.company.asked.insert(token, Asked { who, called: self.now, floor: 0, looks: false, query: None });
        self.feed(member, Event::Requests(vec![(Token(token), Ask { id: OURS | number, command })]));
        token
    }

    /// Asks a question. Its token.
    fn query(&mut self, member: usize, who: Who, query: Query, looks: bool) -> u64 {
        let number = self.number();
        let token = COMPANY + number;
        self.trace.note(self.now, number << 8 | 18, || format!("m{} is asked by {who:?}: {query:?}", member + 1));
        let floor = self.ghost.borrow().committed.len() as u64;
        self.company.asked.insert(token, Asked { who, called: self.now, floor, looks, query: Some(query.clone()) });
        if looks {
            self.feed(member, Event::LocalQuery(Token(token), query));
        } else {
            self.feed(member, Event::Queries(vec![(Token(token), query)]));
        }
        token
    }

    fn answer_asked(&mut self, member: usize, token: u64, answer: Answer<Response>) {
        let Some(asked) = self.company.asked.remove(&token) else { return };
        let done = |place, write: bool| Done {
            op: token,
            key: u16::MAX,
            change: write.then_some(crate::machine::Change::Put(token)),
            called: asked.called,
            answered: self.now,
            held: None,
            version: None,
            place,
        };
        match &answer {
            Answer::Applied(position, response) => {
                self.company.chronicle.borrow_mut().check_answer(OURS | (token - COMPANY), *position, response);
                self.company.done.push(done(position.index, true));
            }
            Answer::Read(position, response) => {
                if let Some(query) = &asked.query {
                    self.company.chronicle.borrow_mut().check_read(query, *position, response);
                }
                if !asked.looks {
                    self.ghost.borrow_mut().check_read(member, asked.floor, *position);
                    self.company.done.push(done(position.index, false));
                }
            }
            Answer::Refused(_) | Answer::Transferred => {}
        }
        match asked.who {
            Who::Caller(who) => self.tell_caller(who, token, &answer),
            Who::Lessee(who) => self.tell_lessee(who, member, token, answer),
        }
    }

    /// The core has found itself: leases whose clients are silent end, and watchers are told what they have not been told, however long
    /// that takes, as long as they get on.
    fn calm_company(&mut self, core: &[usize]) {
        self.company.core = Some(core.to_vec());
        let began = self.now;
        let viewers = self.company.viewers.len();
        // For each viewer: how far it had come, and since when.
        let mut told: Vec<(i64, Instant)> = vec![(0, began); viewers];
        loop {
            if !self.run_until(self.now + Duration::from_secs(2)) {
                return;
            }
            let owed: Vec<Option<String>> = (0..viewers).map(|who| self.owed_to(who)).collect();
            let leases: Vec<i64> = self.company.chronicle.borrow().model.leases.keys().copied().collect();
            if leases.is_empty() && owed.iter().all(Option::is_none) {
                return;
            }
            if !leases.is_empty() && self.now.since(began) > LEASES_CALM_MAX {
                let what = format!("leases {leases:x?} outlive their clients by {LEASES_CALM_MAX:?}");
                return self.violate(Invariant::LeasesKeepTheirTime, what);
            }
            for (who, owed) in owed.into_iter().enumerate() {
                let (far, since) = &mut told[who];
                let now = self.company.viewers[who].far();
                if now != *far || owed.is_none() {
                    (*far, *since) = (now, self.now);
                } else if self.now.since(*since) > VIEWERS_CALM_MAX {
                    return self.violate(Invariant::WatchesAreReliable, owed.unwrap_or_default());
                }
            }
        }
    }
}
