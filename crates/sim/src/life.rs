//! How processes begin and end.

use crate::disk::{Cause, SimDisk};
use crate::fault::Fault;
use crate::invariant::Invariant;
use crate::invariant::durable::Found;
use crate::machine::Map;
use crate::member::{self, Process, Work};
use crate::watch::Watched;
use crate::world::{Occasion, World, id};
use consensus::{Configuration, Consensus, Instant, Promise, StateMachine};
use raft::Raft;
use replica::Replica;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use storage::{Identity, OpenError, Opened, RecoveryError, SnapshotError, Store};

/// The cluster's number.
const CLUSTER: u64 = 0xc1;

impl World {
    /// A process starts, and reads what is on its disk.
    pub(crate) fn start(&mut self, member: usize) {
        if self.members[member].process.is_some() || self.members[member].fate == member::Fate::Gone {
            return;
        }
        if std::mem::take(&mut self.members[member].interrupt_recovery) {
            let operations = 1 + self.members[member].chance.below(40);
            self.members[member].disk.crash_after(operations);
        }
        let Some(store) = self.open(member) else { return };
        let Some(machine) = self.recover_machine(member, &store) else { return };
        self.begin_life(member, store, machine);
    }

    fn open(&mut self, member: usize) -> Option<Store<SimDisk>> {
        let disk = self.members[member].disk.clone();
        match storage::open(disk, self.plan.log) {
            Ok(Opened::Member(store)) => Some(*store),
            Ok(Opened::Blank(_)) if self.members[member].joined => {
                // It asks its peers, learns that its id is known, and stops: a stranger never votes under an old name.
                self.trace.note(self.now, 8, || format!("m{} has lost its disk and stays away", member + 1));
                self.members[member].fate = member::Fate::Gone;
                None
            }
            Ok(Opened::Blank(blank)) => match blank.create(Identity::of(CLUSTER, id(member)), Promise::default(), Vec::new()) {
                Ok(store) => Some(store),
                Err(fault) => {
                    self.start_failed(member, &fault);
                    None
                }
            },
            Err(error) => {
                self.open_failed(member, &error);
                None
            }
        }
    }

    fn open_failed(&mut self, member: usize, error: &OpenError) {
        match error {
            OpenError::Fault(fault)
            | OpenError::Log(RecoveryError::Fault(fault))
            | OpenError::Snapshot(SnapshotError::Fault(fault)) => self.start_failed(member, fault),
            // It says which file is damaged, and stays away until it is mended by hand.
            OpenError::Log(_) if self.members[member].damaged => {
                self.trace.note(self.now, 20, || format!("m{} stays away: {error}", member + 1));
                self.members[member].fate = member::Fate::Gone;
            }
            // Nothing was damaged that had been synced.
            other => self.violate(Invariant::SyncedBeforeSaid, format!("member {} cannot start: {other}", member + 1)),
        }
    }

    fn start_failed(&mut self, member: usize, fault: &storage::Fault) {
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

    fn recover_machine(&mut self, member: usize, store: &Store<SimDisk>) -> Option<Map> {
        let Some(newest) = &store.newest else {
            let mut machine = Map::new();
            machine.watch(member, self.ghost.clone());
            return Some(machine);
        };
        self.restore(member, newest)
    }

    fn begin_life(&mut self, member: usize, store: Store<SimDisk>, machine: Map) {
        let Store { recovered, log, newest, snapshots, lock, .. } = store;
        let found = Found {
            promise: recovered.promise,
            base: recovered.base,
            terms: recovered.terms.clone(),
            last: recovered.last,
            applied: machine.applied(),
        };
        self.ghost.borrow_mut().started(member, &found);
        let everybody = Configuration::of((0..self.members.len()).map(id));
        let configuration = newest.as_ref().map_or(everybody, |newest| newest.snapshot().configuration.clone());
        let now = self.members[member].clock.read(self.now);
        let recovered = raft::Recovered {
            promise: recovered.promise,
            base: recovered.base,
            terms: recovered.terms,
            last: recovered.last,
            applied: machine.applied(),
            configuration: configuration.clone(),
        };
        let seed = self.members[member].chance.draw();
        // Damage at the very end of a log looks like a torn tail. Whoever mends a disk tells its member to abstain.
        let config = raft::Config { abstains: self.members[member].damaged, ..self.plan.config_of(member) };
        let raft = Raft::new(config, recovered, seed, now);
        self.ghost.borrow_mut().check_commit(member, raft.committed());
        let watched = Watched::new(raft, member, self.ghost.clone());
        let replica = Replica::new(id(member), watched, machine, World::codec(), configuration, self.plan.replica.clone());
        self.members[member].process = Some(Process {
            replica,
            reader: log.reader(),
            log,
            snapshots,
            newest,
            jobs: VecDeque::new(),
            work: Work::Idle,
            taking: None,
            arrived: None,
            receiving: BTreeMap::new(),
            _lock: lock,
        });
        let it = &mut self.members[member];
        it.life += 1;
        it.joined = true;
        it.wake_at = Instant::NEVER;
        it.spins = 0;
        let life = it.life;
        self.trace.note(self.now, (member as u64) << 8 | 9, || {
            let Promise { epoch, vote, committed, .. } = found.promise;
            let vote = vote.map_or_else(|| "its vote not given".to_owned(), |vote| format!("its vote given to m{vote}"));
            format!(
                "m{} starts its life {life} in term {epoch}, {vote}, knowing of {committed} committed entries, with a log from {} to {} and a \
                 snapshot of {}",
                member + 1,
                found.base,
                found.last,
                found.applied
            )
        });
        self.begin_links(member);
        self.schedule_wake(member);
        self.loop_crash(member);
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
        let waiting = std::mem::take(&mut it.backlog).into_iter().filter(|occasion| matches!(occasion, Occasion::Ship(_)));
        for shipment in waiting.collect::<Vec<_>>() {
            self.after(Duration::from_millis(1), shipment);
        }
        let it = &mut self.members[member];
        it.wake_at = Instant::NEVER;
        self.trace.note(self.now, (member as u64) << 8 | 10, || {
            format!("m{} is down; {} unsynced sectors and {} names are lost", member + 1, losses.sectors, losses.names)
        });
        if lived {
            self.hang_up(member);
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
            it.damaged &= process.replica.consensus().raft().abstains();
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

    pub(crate) fn process(&mut self, member: usize) -> &mut Process {
        self.members[member].process.as_mut().expect("whose disk is at work lives")
    }
}
