//! How processes begin and end.

use crate::disk::Cause;
use crate::fault::Fault;
use crate::invariant::Invariant;
use crate::invariant::durable::Found;
use crate::machine::Face;
use crate::member::{self, Process, Work};
use crate::subject::{Happening, Machine, Subject};
use crate::watch::Watched;
use crate::world::{Occasion, World, id};
use consensus::{Consensus, Instant, StateMachine};
use replica::Replica;
use std::collections::VecDeque;
use std::time::Duration;

impl<P: Subject> World<P> {
    /// A process starts, and reads what is on its disk.
    pub(crate) fn start(&mut self, member: usize) {
        if self.members[member].process.is_some() || self.members[member].fate == member::Fate::Gone {
            return;
        }
        if std::mem::take(&mut self.members[member].interrupt_recovery) {
            let operations = 1 + self.members[member].chance.below(40);
            self.members[member].disk.crash_after(operations);
        }
        let Some((mut store, found)) = P::open(self, member) else { return };
        let Some(machine) = P::restore(self, member, &mut store) else { return };
        self.begin_life(member, store, found, machine);
    }

    pub(crate) fn start_failed(&mut self, member: usize, fault: &dyn std::fmt::Display) {
        let cause = self.members[member].disk.cause();
        match cause {
            Some(Cause::Dark) => self.fault(Fault::CrashInRecovery, || format!("m{}: {fault}", member + 1)),
            Some(Cause::Sync) => self.fault(Fault::FailedSync, || format!("m{} in recovery: {fault}", member + 1)),
            Some(Cause::Write) => self.fault(Fault::FailedWrite, || format!("m{} in recovery: {fault}", member + 1)),
            Some(Cause::Read) => self.fault(Fault::FailedRead, || format!("m{} in recovery: {fault}", member + 1)),
            None => return self.violate(Invariant::NoCrash, format!("member {} cannot start: {fault}", member + 1)),
        }
        self.crash(member, !matches!(cause, Some(Cause::Read | Cause::Write)));
    }

    fn begin_life(&mut self, member: usize, mut store: P::Store, mut found: Found, machine: Machine<P>) {
        found.applied = machine.applied();
        self.ghost.borrow_mut().started(member, &found);
        let configuration = found.configuration.clone().unwrap_or_else(|| self.plan.configuration());
        let now = self.members[member].clock.read(self.now);
        let core = P::begin(self, member, &found, &mut store, &configuration, now);
        self.ghost.borrow_mut().check_commit(member, core.committed());
        let watched = Watched::new(core, member, self.ghost.clone());
        let replica = Replica::new(id(member), watched, machine, P::codec(), configuration, self.plan.replica.clone());
        self.members[member].process = Some(Process { replica, store, jobs: VecDeque::new(), work: Work::Idle, arrived: None });
        let it = &mut self.members[member];
        it.life += 1;
        it.joined = true;
        it.wake_at = Instant::NEVER;
        it.spins = 0;
        let life = it.life;
        self.trace.note(self.now, (member as u64) << 8 | 9, || {
            format!("m{} starts its life {life} {}", member + 1, P::describe_start(&found))
        });
        P::begin_links(self, member);
        self.schedule_wake(member);
        self.loop_crash(member);
    }

    /// The ghost hears of everything that this machine applies.
    pub(crate) fn watched(&self, member: usize, mut machine: Machine<P>) -> Machine<P> {
        machine.watch(member, self.ghost.clone());
        machine
    }

    /// In a crash loop a process dies soon after its start.
    fn loop_crash(&mut self, member: usize) {
        if self.members[member].crash_loop == 0 {
            return;
        }
        self.members[member].crash_loop -= 1;
        let life = self.members[member].life;
        let after = self.chance.between(Duration::from_millis(1), Duration::from_millis(1_500));
        self.after(after, Occasion::Crash { member, life, power: true });
    }

    /// A process is gone; with `power`, so is what was not synced.
    pub(crate) fn crash(&mut self, member: usize, power: bool) {
        self.note_mended(member);
        let lived = self.members[member].process.take().is_some();
        self.ghost.borrow_mut().died(member);
        let losses = self.members[member].disk.crash(power);
        if losses.sectors > 0 {
            self.faults.count(Fault::LostWrites);
        }
        if losses.names > 0 {
            self.faults.count(Fault::LostName);
        }
        let it = &mut self.members[member];
        it.paused = false;
        // Whoever was sending a snapshot hears that it was not delivered.
        let outlives = |occasion: &Occasion<P>| matches!(occasion, Occasion::Link(happening) if happening.outlives_process());
        let waiting = std::mem::take(&mut it.backlog).into_iter().filter(outlives);
        for happening in waiting.collect::<Vec<_>>() {
            self.after(Duration::from_millis(1), happening);
        }
        let it = &mut self.members[member];
        it.wake_at = Instant::NEVER;
        self.trace.note(self.now, (member as u64) << 8 | 10, || {
            format!("m{} is down; {} unsynced sectors and {} names are lost", member + 1, losses.sectors, losses.names)
        });
        if lived {
            P::hang_up(self, member);
        }
        if self.members[member].fate == member::Fate::Fine {
            let after = self.downtime(member);
            self.after(after, Occasion::Start { member });
        }
    }

    /// A leader has confirmed to a damaged member what is committed: it is one like any other again.
    pub(crate) fn note_mended(&mut self, member: usize) {
        let it = &mut self.members[member];
        if let Some(process) = &it.process {
            it.damaged &= P::abstains(process.replica.consensus().core());
        }
    }

    fn downtime(&mut self, member: usize) -> Duration {
        let quick = self.members[member].crash_loop > 0 || matches!(self.phase, crate::world::Phase::Calm { .. });
        let most = if quick { 100 } else { [50, 2_000, 15_000][self.chance.below(3) as usize] };
        self.chance.between(Duration::from_millis(5), Duration::from_millis(most))
    }

    pub(crate) fn on_crash(&mut self, member: usize, life: u64, power: bool) {
        if self.lives(member, life) {
            self.fault(if power { Fault::PowerFailure } else { Fault::Kill }, || format!("m{}", member + 1));
            self.crash(member, power);
        }
    }

    /// A process stands still: what comes for it waits.
    pub(crate) fn pause(&mut self, member: usize, span: Duration) {
        if self.members[member].process.is_some() && !self.members[member].paused {
            self.members[member].paused = true;
            self.after(span, Occasion::Resume { member });
        }
    }

    /// A process goes on: everything that waited for it happens now, in order.
    pub(crate) fn resume(&mut self, member: usize) {
        if !std::mem::take(&mut self.members[member].paused) {
            return;
        }
        self.trace.note(self.now, (member as u64) << 8 | 11, || format!("m{} goes on", member + 1));
        // Its timers have run out meanwhile; they are looked at with whatever comes first.
        while let Some(occasion) = self.members[member].backlog.pop_front() {
            self.happen(occasion);
        }
    }

    pub(crate) fn process(&mut self, member: usize) -> &mut Process<P> {
        self.members[member].process.as_mut().expect("whose disk is at work lives")
    }
}
