//! The log and the snapshots of a Raft member.

use crate::disk::{SimDisk, SimFile};
use crate::invariant::Invariant;
use crate::invariant::durable::Found;
use crate::machine::{Bare, Map};
use crate::member;
use crate::on_raft::Raft;
use crate::subject::Store;
use crate::world::{World, id};
use bytes::Bytes;
use consensus::{Entry, Fetch, Persist, Position, Promise, Snapshot};
use std::collections::BTreeMap;
use storage::{
    DurableSnapshot, Fault, Identity, Log, LogReader, OpenError, Opened, Recovered, RecoveryError, SealedSnapshot, SnapshotError,
    SnapshotWriter, Snapshots,
};

/// The cluster's number.
const CLUSTER: u64 = 0xc1;

/// What a Raft member keeps on its disk.
pub(crate) struct RaftStore {
    log: Log<SimDisk>,
    reader: LogReader<SimDisk>,
    pub(super) snapshots: Snapshots<SimDisk>,
    pub(super) newest: Option<DurableSnapshot<SimDisk>>,
    taking: Option<(Position, SnapshotWriter<SimDisk>)>,
    /// The last shipment of a snapshot from each peer that has begun to arrive.
    pub(super) receiving: BTreeMap<usize, u64>,
    /// Held while the process lives.
    _lock: SimFile,
}

impl Store for RaftStore {
    type Arrived = SealedSnapshot<SimDisk>;

    fn write(&mut self, batch: &[Persist]) -> Result<(), Fault> {
        self.log.write(batch)
    }

    fn sync(&mut self) -> Result<(), Fault> {
        self.log.sync()
    }

    fn cut(&mut self, upto: u64) -> Result<(), Fault> {
        match &self.newest {
            Some(newest) => self.log.cut(upto.min(newest.snapshot().position.index), newest),
            None => Ok(()),
        }
    }

    fn fetch(&mut self, fetch: &Fetch) -> Result<Vec<Entry>, Fault> {
        self.reader.read(fetch.first, fetch.last, fetch.budget)
    }

    fn write_chunk(&mut self, snapshot: &Snapshot, chunk: &Bytes) -> Result<(), Fault> {
        let position = snapshot.position;
        let (_, writer) = match &mut self.taking {
            Some(taking) if taking.0 == position => taking,
            taking => taking.insert((position, self.snapshots.take(snapshot.clone())?)),
        };
        writer.write(chunk)
    }

    fn taking(&self) -> Option<Position> {
        self.taking.as_ref().map(|taking| taking.0)
    }

    fn publish(&mut self, kept: usize) -> Result<(), Fault> {
        let Some((position, writer)) = self.taking.take() else { return Ok(()) };
        let durable = writer.finish()?.publish()?;
        self.snapshots.remove_older(kept)?;
        let newest = self.newest.as_ref().map_or(0, |newest| newest.snapshot().position.index);
        if position.index > newest {
            self.newest = Some(durable);
        }
        Ok(())
    }
}

/// All pieces of a snapshot.
pub(super) fn read_all(durable: &DurableSnapshot<SimDisk>) -> Result<Vec<Bytes>, SnapshotError> {
    let mut reader = durable.read()?;
    let mut chunks = Vec::new();
    while let Some(chunk) = reader.next_chunk()? {
        chunks.push(chunk);
    }
    Ok(chunks)
}

pub(super) fn open(world: &mut World<Raft>, member: usize) -> Option<(RaftStore, Found)> {
    let disk = world.members[member].disk.clone();
    let store = match storage::open(disk, world.plan.log) {
        Ok(Opened::Member(store)) => *store,
        Ok(Opened::Blank(_)) if world.members[member].joined => {
            // It asks its peers, learns that its id is known, and stops: a stranger never votes under an old name.
            world.trace.note(world.now, 8, || format!("m{} has lost its disk and stays away", member + 1));
            world.members[member].fate = member::Fate::Gone;
            return None;
        }
        Ok(Opened::Blank(blank)) => match blank.create(Identity::of(CLUSTER, id(member)), Promise::default(), Vec::new()) {
            Ok(store) => store,
            Err(fault) => {
                world.start_failed(member, &fault);
                return None;
            }
        },
        Err(error) => {
            open_failed(world, member, &error);
            return None;
        }
    };
    let storage::Store { recovered, log, newest, snapshots, lock, .. } = store;
    let found = Found {
        promise: recovered.promise,
        base: recovered.base,
        runs: runs(&recovered),
        last: last(&recovered),
        applied: Position::ZERO,
        configuration: newest.as_ref().map(|newest| newest.snapshot().configuration.clone()),
    };
    let reader = log.reader();
    let store = RaftStore { reader, log, snapshots, newest, taking: None, receiving: BTreeMap::new(), _lock: lock };
    Some((store, found))
}

/// The machine that the newest snapshot holds.
pub(super) fn restore(world: &mut World<Raft>, member: usize, store: &RaftStore) -> Option<Map<Bare>> {
    match store.newest.as_ref().map(read_all).transpose() {
        Ok(Some(chunks)) => world.restore(member, chunks),
        Ok(None) => Some(world.watched(member, Map::new())),
        Err(error) => {
            world.snapshot_failed(member, &error);
            None
        }
    }
}

/// (the first of a run of entries of one term, its length), in order.
fn runs(recovered: &Recovered) -> Vec<(Position, u64)> {
    let ends = recovered.terms.iter().skip(1).map(|&(first, _)| first).chain([recovered.last + 1]);
    recovered.terms.iter().zip(ends).map(|(&(first, term), end)| (Position::new(term, first), end - first)).collect()
}

fn last(recovered: &Recovered) -> Position {
    recovered.terms.last().map_or(recovered.base, |&(_, term)| Position::new(term, recovered.last))
}

fn open_failed(world: &mut World<Raft>, member: usize, error: &OpenError) {
    match error {
        OpenError::Fault(fault)
        | OpenError::Log(RecoveryError::Fault(fault))
        | OpenError::Snapshot(SnapshotError::Fault(fault)) => world.start_failed(member, fault),
        // It says which file is damaged, and stays away until it is mended by hand.
        OpenError::Log(_) if world.members[member].damaged => {
            world.trace.note(world.now, 20, || format!("m{} stays away: {error}", member + 1));
            world.members[member].fate = member::Fate::Gone;
        }
        // Nothing was damaged that had been synced.
        other => world.violate(Invariant::SyncedBeforeSaid, format!("member {} cannot start: {other}", member + 1)),
    }
}

/// Puts a snapshot that arrived into force, in place of the log and of older snapshots.
pub(super) fn install(world: &mut World<Raft>, member: usize, arrived: SealedSnapshot<SimDisk>) -> Option<(Snapshot, Map<Bare>)> {
    let kept = world.plan.snapshots_kept;
    let store = &mut world.process(member).store;
    let installed = store.log.install(arrived).and_then(|durable| {
        store.newest = Some(durable.clone());
        store.snapshots.remove_older(kept)?;
        Ok(durable)
    });
    let durable = match installed {
        Ok(durable) => durable,
        Err(fault) => {
            world.disk_failed(member, &fault);
            return None;
        }
    };
    let chunks = match read_all(&durable) {
        Ok(chunks) => chunks,
        Err(error) => {
            world.snapshot_failed(member, &error);
            return None;
        }
    };
    let machine = world.restore(member, chunks)?;
    Some((durable.snapshot().clone(), machine))
}
