//! The log and the snapshots of a ZooKeeper server, in ZooKeeper's own files.

use crate::disk::SimDisk;
use crate::invariant::Invariant;
use crate::invariant::durable::Found;
use crate::machine::{Face, InMemory};
use crate::on_zab::snapshot::join;
use crate::on_zab::{Stack, Zab};
use crate::subject::Store;
use crate::world::World;
use bytes::Bytes;
use consensus::{Entry, Fetch, NodeId, Persist, Position, Restore, Snapshot, StateMachine};
use replica::{Codec, Undecodable};
use storage::zookeeper::{
    DurableSnapshot, Lock, Log, LogError, LogReader, MergeError, OpenError, Receiving, Recovered, SealedSnapshot, SnapshotError,
    SnapshotWriter, Snapshots,
};
use storage::{Disk, Fault};

/// The file by which an operator says that an empty folder is a new server's.
const INITIALIZE: &str = "initialize";

/// What a ZooKeeper server keeps on its disk.
pub(crate) struct ZabStore {
    log: Log<SimDisk>,
    reader: LogReader<SimDisk>,
    snapshots: Snapshots<SimDisk>,
    newest: Option<DurableSnapshot<SimDisk>>,
    taking: Option<(Position, SnapshotWriter<SimDisk>)>,
    receiving: Option<Receiving<SimDisk>>,
    /// What was found, until the protocol is told.
    pub(super) recovered: Option<Recovered>,
    /// Held while the process lives.
    _lock: Lock<SimDisk>,
}

impl ZabStore {
    /// All of the snapshot of `position`, as it goes to a learner.
    pub(super) fn read_for_sending(&mut self, position: Position) -> Result<Bytes, SnapshotError> {
        let mut reader = self.snapshots.open_for_sending(position)?;
        let mut chunks = Vec::new();
        while let Some(chunk) = reader.next_chunk()? {
            chunks.push(chunk);
        }
        Ok(join(chunks))
    }

    /// Writes a snapshot that a leader sent.
    pub(super) fn receive(&mut self, from: NodeId, position: Position, bytes: &[u8]) -> Result<(), SnapshotError> {
        if let Some(earlier) = self.receiving.take() {
            earlier.discard()?;
        }
        let mut receiving = self.snapshots.receive(from, position)?;
        let progress = receiving.write(bytes)?;
        assert!(progress.whole && progress.taken == bytes.len(), "a snapshot says where it ends: {progress:?}");
        self.receiving = Some(receiving);
        Ok(())
    }

    /// Syncs it.
    pub(super) fn settle(&mut self) -> Result<SealedSnapshot<SimDisk>, Fault> {
        self.receiving.take().expect("what was received is settled once").finish()
    }
}

impl Store for ZabStore {
    type Arrived = SealedSnapshot<SimDisk>;

    fn write(&mut self, batch: &[Persist]) -> Result<(), Fault> {
        self.log.write(batch)
    }

    fn sync(&mut self) -> Result<(), Fault> {
        self.log.sync()
    }

    fn cut(&mut self, _upto: u64) -> Result<(), Fault> {
        match &self.newest {
            Some(newest) => self.log.cut(newest),
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
            taking => taking.insert((position, self.snapshots.take(position)?)),
        };
        writer.write(chunk)
    }

    fn taking(&self) -> Option<Position> {
        self.taking.as_ref().map(|taking| taking.0)
    }

    fn publish(&mut self, _kept: usize) -> Result<(), Fault> {
        let Some((position, writer)) = self.taking.take() else { return Ok(()) };
        let durable = writer.finish()?.publish()?;
        if self.newest.as_ref().is_none_or(|newest| newest.position() < position) {
            self.newest = Some(durable);
        }
        Ok(())
    }
}

fn read_all(durable: &DurableSnapshot<SimDisk>) -> Result<Vec<Bytes>, SnapshotError> {
    let mut reader = durable.read()?;
    let mut chunks = Vec::new();
    while let Some(chunk) = reader.next_chunk()? {
        chunks.push(chunk);
    }
    Ok(chunks)
}

pub(super) fn open<S: Stack>(world: &mut World<Zab<S>>, member: usize) -> Option<(ZabStore, Found)> {
    let disk = world.members[member].disk.clone();
    let options = world.plan.config.storage;
    if !options.autocreate && !world.members[member].joined {
        // An operator says that this server is new.
        let said = disk.create_dir("").and_then(|()| disk.create(INITIALIZE)).and_then(|_| disk.sync_dir(""));
        if let Err(error) = said
            && error.kind() != std::io::ErrorKind::AlreadyExists
        {
            world.start_failed(member, &error);
            return None;
        }
    }
    let opened = storage::zookeeper::open(disk.clone(), disk, options, || {
        let mut empty = S::Machine::fresh();
        let mut cursor = empty.begin_snapshot();
        std::iter::from_fn(|| empty.snapshot_chunk(&mut cursor, 1 << 10)).collect()
    });
    let store = match opened {
        Ok(store) => store,
        Err(error) => {
            open_failed(world, member, &error);
            return None;
        }
    };
    let storage::zookeeper::Store { recovered, log, newest, snapshots, lock, .. } = store;
    let reader = log.reader();
    // All of it, so that what the disk holds can be compared with what was written.
    let entries = match reader.read(recovered.base.zxid(), recovered.last.zxid(), usize::MAX) {
        Ok(entries) => entries,
        Err(fault) => {
            world.start_failed(member, &fault);
            return None;
        }
    };
    world.ghost.borrow_mut().check_fetched(member, &entries);
    // A log that begins with the first transaction of an epoch begins after whatever was before that.
    let first = entries.first().map(|entry| entry.position).filter(|_| recovered.base.index == 0);
    let base = first.and_then(|first| world.ghost.borrow().histories.previous(first)).unwrap_or(recovered.base);
    let found = Found {
        promise: recovered.promise,
        base,
        runs: runs(&entries, recovered.base),
        last: recovered.last,
        applied: Position::ZERO,
        configuration: None,
    };
    let recovered = Some(recovered);
    Some((ZabStore { log, reader, snapshots, newest, taking: None, receiving: None, recovered, _lock: lock }, found))
}

/// (the first of a run of entries of one epoch, its length), in order.
fn runs(entries: &[Entry], base: Position) -> Vec<(Position, u64)> {
    let mut runs: Vec<(Position, u64)> = Vec::new();
    for position in entries.iter().map(|entry| entry.position).filter(|&position| position > base) {
        match runs.last_mut() {
            Some((first, length)) if position == Position::new(first.epoch, first.index + *length) => *length += 1,
            _ => runs.push((position, 1)),
        }
    }
    runs
}

fn open_failed<S: Stack>(world: &mut World<Zab<S>>, member: usize, error: &OpenError) {
    match error {
        OpenError::Fault(fault) | OpenError::Log(LogError::Fault(fault)) | OpenError::Snapshot(SnapshotError::Fault(fault)) => {
            world.start_failed(member, fault)
        }
        // Nothing was damaged that had been synced.
        other => world.violate(Invariant::SyncedBeforeSaid, format!("member {} cannot start: {other}", member + 1)),
    }
}

/// The machine that the newest snapshot holds.
pub(super) fn restore<S: Stack>(world: &mut World<Zab<S>>, member: usize, store: &ZabStore) -> Option<S::Machine> {
    let Some(newest) = &store.newest else { return Some(world.watched(member, S::Machine::fresh())) };
    match read_all(newest) {
        Ok(chunks) => world.restore(member, chunks),
        Err(error) => {
            match error {
                SnapshotError::Fault(fault) => world.start_failed(member, &fault),
                other => world.violate(Invariant::SnapshotsAreWhole, format!("member {}: {other}", member + 1)),
            }
            None
        }
    }
}

/// Puts a leader's snapshot and the entries that followed it into force, as one.
pub(super) fn install<S: Stack>(
    world: &mut World<Zab<S>>,
    member: usize,
    arrived: SealedSnapshot<SimDisk>,
    entries: &[Entry],
) -> Option<(Snapshot, S::Machine)> {
    let configuration = world.plan.configuration();
    let store = &mut world.process(member).store;
    let codec = S::codec();
    let apply = |machine: &mut S::Machine, entry: &Entry| apply::<S>(&codec, machine, entry);
    let merged = storage::zookeeper::merge(&store.snapshots, arrived, entries, |chunks| S::Machine::restore(chunks), apply);
    let installed = merged.and_then(|(sealed, machine)| Ok((store.log.install(sealed)?, machine)));
    match installed {
        Ok((durable, mut machine)) => {
            machine.settle();
            let position = durable.position();
            store.newest = Some(durable);
            world.ghost.borrow_mut().restored(member, machine.applied(), machine.digest());
            Some((Snapshot { position, configuration }, world.watched(member, machine)))
        }
        Err(MergeError::Fault(fault) | MergeError::Snapshot(SnapshotError::Fault(fault))) => {
            world.disk_failed(member, &fault);
            None
        }
        Err(other) => {
            world.violate(Invariant::SnapshotsAreWhole, format!("member {}: {other}", member + 1));
            None
        }
    }
}

fn apply<S: Stack>(codec: &S::Codec, machine: &mut S::Machine, entry: &Entry) -> Result<(), Undecodable> {
    match codec.decode(entry)?.command {
        Some(command) => drop(machine.apply(entry.position, command, &mut Vec::new())),
        None => machine.skip(entry.position),
    }
    Ok(())
}
