//! The log of a Raft member, and what it keeps of its machine beside it.

use crate::disk::{SimDisk, SimFile};
use crate::invariant::Invariant;
use crate::invariant::durable::Found;
use crate::machine::Face;
use crate::member;
use crate::on_raft::kept::{Failure, Kept, Opened};
use crate::on_raft::{Raft, Stack};
use crate::subject::Store;
use crate::world::{World, id};
use bytes::Bytes;
use consensus::{Entry, Fetch, Persist, Position, Snapshot, StateMachine};
use std::collections::BTreeMap;
use storage::{Fault, Log, LogReader, OpenError, Recovered, RecoveryError, SnapshotError};

/// The cluster's number.
pub(super) const CLUSTER: u64 = 0xc1;

/// What a Raft member keeps on its disk.
pub(crate) struct RaftStore<K: Kept> {
    log: Log<SimDisk>,
    reader: LogReader<SimDisk>,
    pub(super) kept: K,
    /// The last snapshot from each peer that has begun to arrive: the number of its shipment, and what is written of it.
    pub(super) receiving: BTreeMap<usize, (u64, K::Writing)>,
    /// Held while the process lives.
    _lock: SimFile,
}

impl<K: Kept> Store for RaftStore<K> {
    type Arrived = K::Sealed;

    fn write(&mut self, batch: &[Persist]) -> Result<(), Fault> {
        self.log.write(batch)
    }

    fn sync(&mut self) -> Result<(), Fault> {
        self.log.sync()
    }

    fn cut(&mut self, upto: u64) -> Result<(), Fault> {
        self.kept.cut(&mut self.log, upto)
    }

    fn fetch(&mut self, fetch: &Fetch) -> Result<Vec<Entry>, Fault> {
        self.reader.read(fetch.first, fetch.last, fetch.budget)
    }

    fn write_chunk(&mut self, snapshot: &Snapshot, chunk: &Bytes) -> Result<(), Fault> {
        self.kept.write_chunk(snapshot, chunk)
    }

    fn taking(&self) -> Option<Position> {
        self.kept.taking()
    }

    fn publish(&mut self, kept: usize) -> Result<(), Fault> {
        self.kept.publish(kept)
    }
}

pub(super) fn open<S: Stack>(world: &mut World<Raft<S>>, member: usize) -> Option<(RaftStore<S::Kept>, Found)> {
    let disk = world.members[member].disk.clone();
    let opened = match S::Kept::open(disk, world.plan.log, id(member), !world.members[member].joined) {
        Ok(Some(opened)) => opened,
        Ok(None) => {
            // It asks its peers, learns that its id is known, and stops: a stranger never votes under an old name.
            world.trace.note(world.now, 8, || format!("m{} has lost its disk and stays away", member + 1));
            world.members[member].fate = member::Fate::Gone;
            return None;
        }
        Err(error) => {
            open_failed(world, member, &error);
            return None;
        }
    };
    let Opened { recovered, log, kept, lock, configuration } = opened;
    let found = Found {
        promise: recovered.promise,
        base: recovered.base,
        runs: runs(&recovered),
        last: last(&recovered),
        applied: Position::ZERO,
        configuration,
    };
    let reader = log.reader();
    Some((RaftStore { reader, log, kept, receiving: BTreeMap::new(), _lock: lock }, found))
}

/// The machine as it was kept.
pub(super) fn restore<S: Stack>(world: &mut World<Raft<S>>, member: usize, store: &mut RaftStore<S::Kept>) -> Option<S::Machine> {
    match store.kept.machine() {
        Ok(Some(machine)) => Some(adopt(world, member, machine)),
        Ok(None) => Some(world.watched(member, S::fresh())),
        Err(failure) => {
            world.keeping_failed(member, &failure);
            None
        }
    }
}

/// A machine that was kept is to be that of a process.
fn adopt<S: Stack>(world: &mut World<Raft<S>>, member: usize, machine: S::Machine) -> S::Machine {
    let mut machine = world.watched(member, machine);
    S::adopt(world, member, &mut machine);
    if machine.applied() != Position::ZERO {
        world.ghost.borrow_mut().restored(member, machine.applied(), machine.digest());
    }
    machine
}

/// (the first of a run of entries of one term, its length), in order.
fn runs(recovered: &Recovered) -> Vec<(Position, u64)> {
    let ends = recovered.terms.iter().skip(1).map(|&(first, _)| first).chain([recovered.last + 1]);
    recovered.terms.iter().zip(ends).map(|(&(first, term), end)| (Position::new(term, first), end - first)).collect()
}

fn last(recovered: &Recovered) -> Position {
    recovered.terms.last().map_or(recovered.base, |&(_, term)| Position::new(term, recovered.last))
}

fn open_failed<S: Stack>(world: &mut World<Raft<S>>, member: usize, error: &OpenError) {
    let failed = world.members[member].disk.cause().is_some();
    let it = &mut world.members[member];
    match error {
        OpenError::Fault(fault)
        | OpenError::Log(RecoveryError::Fault(fault))
        | OpenError::Snapshot(SnapshotError::Fault(fault)) => world.start_failed(member, fault),
        OpenError::Data(error) if failed => world.start_failed(member, error),
        // It says which file is damaged, and stays away until it is mended by hand.
        OpenError::Log(_) | OpenError::Lost { .. } if it.damaged => stay_away(world, member, error),
        OpenError::Data(_) if it.rotten => stay_away(world, member, error),
        // Nothing was damaged that had been synced.
        other => world.violate(Invariant::SyncedBeforeSaid, format!("member {} cannot start: {other}", member + 1)),
    }
}

fn stay_away<S: Stack>(world: &mut World<Raft<S>>, member: usize, error: &dyn std::fmt::Display) {
    world.trace.note(world.now, 20, || format!("m{} stays away: {error}", member + 1));
    world.members[member].fate = member::Fate::Gone;
}

impl<S: Stack> World<Raft<S>> {
    /// What a member kept of its machine could not be read, or not be written.
    pub(super) fn keeping_failed(&mut self, member: usize, failure: &Failure) {
        let it = &self.members[member];
        match failure {
            _ if it.disk.cause().is_some() => self.disk_failed(member, failure),
            Failure::Damaged(_) if it.rotten => {
                stay_away(self, member, failure);
                self.crash(member, false);
            }
            Failure::Disk(_) => self.disk_failed(member, failure),
            other => self.violate(Invariant::SnapshotsAreWhole, format!("member {}: {other}", member + 1)),
        }
    }
}

/// Puts a snapshot that arrived into force, in place of the log and of older snapshots.
pub(super) fn install<S: Stack>(
    world: &mut World<Raft<S>>,
    member: usize,
    arrived: <S::Kept as Kept>::Sealed,
) -> Option<(Snapshot, S::Machine)> {
    let older = world.plan.snapshots_kept;
    let RaftStore { log, kept, .. } = &mut world.process(member).store;
    match kept.install(log, arrived, older) {
        Ok((standing, machine)) => {
            let machine = adopt(world, member, machine);
            let configuration = standing.configuration.unwrap_or_else(|| world.plan.configuration());
            Some((Snapshot { position: standing.position, configuration }, machine))
        }
        Err(failure) => {
            world.keeping_failed(member, &failure);
            None
        }
    }
}
