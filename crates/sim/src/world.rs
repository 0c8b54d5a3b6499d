//! The world: time, and everything that happens in it.

use crate::agenda::Agenda;
use crate::fault::{Fault, Tally};
use crate::ghost::{Ghost, SharedGhost};
use crate::invariant::{Invariant, Violation};
use crate::member::{Done, Fate, Member};
use crate::network::Network;
use crate::options::SimOptions;
use crate::plan::Plan;
use crate::subject::{Happening, Subject};
use crate::topology::Cuts;
use crate::trace::Trace;
use crate::workload::{Call, Workload};
use crate::{clock::Clock, disk::SimDisk};
use consensus::{Chance, Instant, NodeId};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// Everything.
pub(crate) struct World<P: Subject> {
    pub(crate) plan: Plan<P>,
    pub(crate) now: Instant,
    pub(crate) agenda: Agenda<Occasion<P>>,
    pub(crate) members: Vec<Member<P>>,
    pub(crate) network: Network,
    pub(crate) net: P::Net,
    pub(crate) company: P::Company,
    pub(crate) ghost: SharedGhost<P>,
    pub(crate) workload: Workload,
    pub(crate) trace: Trace,
    pub(crate) faults: Tally,
    pub(crate) chance: Chance,
    pub(crate) phase: Phase,
    /// Reused by every event.
    pub(crate) effects: crate::driver::Effects<P>,
    /// Members whose disks were wiped or damaged: never more than a minority.
    pub(crate) victims: Vec<usize>,
    /// Clients have stopped to call.
    pub(crate) quiet: bool,
    /// Asks for a transfer of leadership are numbered from here downwards.
    pub(crate) next_transfer: u64,
}

/// Where the run stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// Anything may go wrong.
    Chaos,
    /// A core was healed, nothing new goes wrong, and the cluster has to find itself.
    Calm {
        /// The members that have to.
        core: Vec<usize>,
    },
}

/// Something that happens.
#[derive(Debug)]
pub(crate) enum Occasion<P: Subject> {
    /// A process is started.
    Start { member: usize },
    /// A timer of a process has run out.
    Wake { member: usize, life: u64 },
    /// Something happens on a link.
    Link(P::Happening),
    /// The disk of a process is done with something.
    Disk { member: usize, life: u64, done: Done },
    /// A client calls.
    ClientActs { client: usize },
    /// A client's calls reach a member.
    Called { member: usize, life: u64, calls: Vec<Call> },
    /// A client gives up an operation.
    ClientGivesUp { op: u64 },
    /// Something goes wrong.
    Chaos,
    /// What went wrong ends.
    FaultEnds(Ending),
    /// A process goes on.
    Resume { member: usize },
    /// A process dies.
    Crash { member: usize, life: u64, power: bool },
}

/// What ends with a fault.
#[derive(Clone, Debug)]
pub(crate) enum Ending {
    /// These paths pass again.
    Mend(Cuts),
    /// A flapping partition cuts again, and so often more.
    Flap { cuts: Cuts, left: u32, cut: bool },
    /// The weather on these paths is fair again.
    Clear(Cuts),
    /// The disk is as fast as ever.
    FastDisk(usize),
    /// The clock runs at a usual rate again.
    FairClock(usize),
    /// Leadership is handed over again, and so often more.
    TransferAgain(u32),
}

impl<P: Subject> World<P> {
    pub(crate) fn new(options: &SimOptions) -> World<P> {
        let mut chance = Chance::new(options.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5eed);
        let plan = Plan::new(options, &mut chance);
        let ghost = Rc::new(RefCell::new(Ghost::new(options.seed, &plan)));
        let network = Network::new(plan.members, plan.fair, chance.fork());
        let workload = Workload::new(plan.load, plan.members, chance.fork());
        let members = (0..plan.members).map(|_| new_member(&plan, &mut chance)).collect();
        let mut world = World {
            now: Instant::ZERO,
            agenda: Agenda::new(),
            members,
            network,
            net: P::net(&plan),
            company: P::Company::default(),
            ghost,
            workload,
            trace: Trace::new(options.trace),
            faults: Tally::default(),
            chance,
            phase: Phase::Chaos,
            effects: Vec::new(),
            victims: Vec::new(),
            quiet: false,
            next_transfer: u64::MAX,
            plan,
        };
        world.begin();
        world
    }

    fn begin(&mut self) {
        let Plan { enabled, members, config, .. } = &self.plan;
        let names: Vec<&str> = enabled.iter().map(|fault| fault.name()).collect();
        let line = format!("{members} members; {}; what may go wrong: {}", P::headline(config), names.join(", "));
        self.trace.note(self.now, 0, || line);
        for member in 0..self.members.len() {
            let after = self.chance.between(Duration::ZERO, Duration::from_millis(100));
            self.after(after, Occasion::Start { member });
        }
        for client in 0..self.plan.load.clients {
            let after = self.chance.between(Duration::ZERO, Duration::from_secs(2));
            self.after(after, Occasion::ClientActs { client });
        }
        P::gather(self);
        self.schedule_chaos();
    }

    /// Lets happen what happens until then, or until an invariant is violated.
    pub(crate) fn run_until(&mut self, end: Instant) -> bool {
        self.agenda.put(end, Occasion::FaultEnds(Ending::Mend(Vec::new())));
        while let Some((time, occasion)) = self.agenda.take() {
            self.now = time;
            self.ghost.borrow_mut().now = time;
            self.happen(occasion);
            if self.ghost.borrow().violation.is_some() {
                return false;
            }
            if time >= end {
                return true;
            }
        }
        true
    }

    pub(crate) fn happen(&mut self, occasion: Occasion<P>) {
        if let Some(member) = occasion.process()
            && self.members[member].paused
        {
            self.members[member].backlog.push_back(occasion);
            return;
        }
        match occasion {
            Occasion::Start { member } => self.start(member),
            Occasion::Wake { member, life } => self.on_wake(member, life),
            Occasion::Link(happening) => P::happen(self, happening),
            Occasion::Disk { member, life, done } => self.on_disk(member, life, done),
            Occasion::ClientActs { client } => self.on_client(client),
            Occasion::Called { member, life, calls } => self.on_called(member, life, calls),
            Occasion::ClientGivesUp { op } => self.on_give_up(op),
            Occasion::Chaos => self.on_chaos(),
            Occasion::FaultEnds(ending) => self.on_fault_ends(ending),
            Occasion::Resume { member } => self.resume(member),
            Occasion::Crash { member, life, power } => self.on_crash(member, life, power),
        }
    }

    pub(crate) fn after(&mut self, span: Duration, occasion: Occasion<P>) {
        self.agenda.put(self.now + span, occasion);
    }

    /// Counts a fault, and tells of it.
    pub(crate) fn fault(&mut self, fault: Fault, line: impl FnOnce() -> String) {
        self.faults.count(fault);
        self.trace.note(self.now, 1_000 + fault as u64, || format!("** {fault}: {}", line()));
    }

    pub(crate) fn violate(&mut self, invariant: Invariant, what: impl Into<String>) {
        self.ghost.borrow_mut().violate(invariant, what);
    }

    pub(crate) fn violation(&self) -> Option<Violation> {
        self.ghost.borrow().violation.clone()
    }

    /// Whether this is the process it was.
    pub(crate) fn lives(&self, member: usize, life: u64) -> bool {
        self.members[member].life == life && self.members[member].process.is_some()
    }

    /// Who leads, in the latest term in which a living member does.
    pub(crate) fn leader(&self) -> Option<usize> {
        let ghost = self.ghost.borrow();
        (0..self.members.len())
            .filter(|&member| ghost.members[member].alive && ghost.members[member].leads())
            .max_by_key(|&member| ghost.members[member].term)
    }
}

impl<P: Subject> Occasion<P> {
    /// The process that has to run for this to happen. It waits while that stands still.
    fn process(&self) -> Option<usize> {
        match self {
            Occasion::Wake { member, .. } | Occasion::Disk { member, .. } | Occasion::Called { member, .. } => Some(*member),
            Occasion::Link(happening) => happening.process(),
            Occasion::Start { .. }
            | Occasion::ClientActs { .. }
            | Occasion::ClientGivesUp { .. }
            | Occasion::Chaos
            | Occasion::FaultEnds(_)
            | Occasion::Resume { .. }
            | Occasion::Crash { .. } => None,
        }
    }
}

pub(crate) fn id(member: usize) -> NodeId {
    NodeId(member as u64 + 1)
}

pub(crate) fn place(id: NodeId) -> usize {
    id.0 as usize - 1
}

fn new_member<P: Subject>(plan: &Plan<P>, chance: &mut Chance) -> Member<P> {
    let local = Instant::ZERO + chance.between(Duration::from_secs(1), Duration::from_secs(100_000));
    let rate = 1_000_000 + chance.below(2 * plan.drift * 1_000 + 1) - plan.drift * 1_000;
    Member {
        disk: SimDisk::new(chance.fork()),
        clock: Clock::new(local, if chance.one_in(1, 2) { rate } else { 1_000_000 }),
        process: None,
        life: 0,
        fate: Fate::Fine,
        joined: false,
        paused: false,
        backlog: std::collections::VecDeque::new(),
        wake_at: Instant::NEVER,
        sync: plan.sync,
        stuck: Duration::ZERO,
        crash_loop: 0,
        interrupt_recovery: false,
        chance: chance.fork(),
        spins: 0,
        damaged: false,
        rotten: false,
        wiped: false,
    }
}
