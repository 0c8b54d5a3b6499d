//! A machine in memory, kept in snapshots.

use crate::disk::SimDisk;
use crate::on_raft::kept::{Failure, Kept, Opened, Sendable, Standing};
use crate::on_raft::store::CLUSTER;
use bytes::Bytes;
use consensus::{NodeId, Position, Promise, Restore, Snapshot};
use std::marker::PhantomData;
use storage::{
    DurableSnapshot, Fault, Identity, Log, LogOptions, OpenError, SealedSnapshot, SnapshotError, SnapshotWriter, Snapshots,
};

/// Snapshots, and the one that is being taken.
pub(crate) struct InSnapshots<M> {
    snapshots: Snapshots<SimDisk>,
    newest: Option<DurableSnapshot<SimDisk>>,
    taking: Option<(Position, SnapshotWriter<SimDisk>)>,
    machine: PhantomData<M>,
}

impl<M: Restore + 'static> Kept for InSnapshots<M> {
    type Machine = M;
    type Writing = SnapshotWriter<SimDisk>;
    type Sealed = SealedSnapshot<SimDisk>;

    fn open(disk: SimDisk, options: LogOptions, id: NodeId, may_be_born: bool) -> Result<Option<Opened<Self>>, OpenError> {
        let store = match storage::open(disk, options)? {
            storage::Opened::Member(store) => *store,
            storage::Opened::Blank(_) if !may_be_born => return Ok(None),
            storage::Opened::Blank(blank) => blank.create(Identity::of(CLUSTER, id), Promise::default(), Vec::new())?,
        };
        let storage::Store { recovered, log, newest, snapshots, lock, .. } = store;
        let configuration = newest.as_ref().map(|newest| newest.snapshot().configuration.clone());
        let kept = InSnapshots { snapshots, newest, taking: None, machine: PhantomData };
        Ok(Some(Opened { recovered, log, kept, lock, configuration }))
    }

    fn machine(&mut self) -> Result<Option<M>, Failure> {
        self.newest.as_ref().map(restore).transpose()
    }

    fn newest(&mut self) -> Result<Option<Sendable>, Failure> {
        let Some(newest) = &self.newest else { return Ok(None) };
        Ok(Some(Sendable { standing: Standing::of(newest.snapshot()), chunks: read_all(newest)? }))
    }

    fn receive(&mut self, from: NodeId, snapshot: Snapshot, chunks: &[Bytes]) -> Result<Self::Writing, Failure> {
        let mut writer = self.snapshots.receive(from, snapshot)?;
        chunks.iter().try_for_each(|chunk| writer.write(chunk))?;
        Ok(writer)
    }

    fn seal(writing: Self::Writing) -> Result<Self::Sealed, Failure> {
        Ok(writing.finish()?)
    }

    fn discard(sealed: Self::Sealed) -> Result<(), Fault> {
        sealed.discard()
    }

    fn install(&mut self, log: &mut Log<SimDisk>, sealed: Self::Sealed, older: usize) -> Result<(Standing, M), Failure> {
        let durable = log.install(sealed)?;
        self.newest = Some(durable.clone());
        self.snapshots.remove_older(older)?;
        Ok((Standing::of(durable.snapshot()), restore(&durable)?))
    }

    fn cut(&self, log: &mut Log<SimDisk>, upto: u64) -> Result<(), Fault> {
        match &self.newest {
            Some(newest) => log.cut(upto.min(newest.snapshot().position.index), newest),
            None => Ok(()),
        }
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

    fn publish(&mut self, older: usize) -> Result<(), Fault> {
        let Some((position, writer)) = self.taking.take() else { return Ok(()) };
        let durable = writer.finish()?.publish()?;
        self.snapshots.remove_older(older)?;
        let newest = self.newest.as_ref().map_or(0, |newest| newest.snapshot().position.index);
        if position.index > newest {
            self.newest = Some(durable);
        }
        Ok(())
    }
}

fn restore<M: Restore>(durable: &DurableSnapshot<SimDisk>) -> Result<M, Failure> {
    M::restore(&mut read_all(durable)?.into_iter()).map_err(Failure::Senseless)
}

/// All pieces of a snapshot.
fn read_all(durable: &DurableSnapshot<SimDisk>) -> Result<Vec<Bytes>, Failure> {
    let failure = |error| match error {
        SnapshotError::Fault(fault) => Failure::from(fault),
        damaged => Failure::Damaged(damaged.to_string()),
    };
    let mut reader = durable.read().map_err(failure)?;
    let mut chunks = Vec::new();
    while let Some(chunk) = reader.next_chunk().map_err(failure)? {
        chunks.push(chunk);
    }
    Ok(chunks)
}
