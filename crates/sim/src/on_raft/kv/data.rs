//! The keyspace in a data file that is written behind it.

use super::machine::Keys;
use crate::disk::SimDisk;
use crate::on_raft::kept::{Failure, Kept, Opened, Sendable, Standing};
use crate::on_raft::store::CLUSTER;
use bytes::Bytes;
use consensus::{NodeId, Position, Promise, Snapshot};
use storage::{
    DataError, DataFile, DataFolder, DataOptions, DurableData, Fault, Identity, KeyspaceStore, Log, LogOptions, OpenError,
    OpenedKeyspace, ReceiveError, SealedData,
};

/// Little enough that much is read from the file.
const LITTLE: DataOptions = DataOptions { cache_bytes: 64 << 10, memory_bytes: 4 << 10 };

/// A data file, and what of it is durable.
pub(crate) struct InDataFile {
    folder: DataFolder<SimDisk>,
    pub(super) file: DataFile<SimDisk>,
    pub(super) durable: Option<DurableData>,
    /// Until the process takes it.
    machine: Option<Keys>,
    /// Counts files: what was to be written into one that was replaced is of no use.
    pub(super) file_number: u64,
}

impl Kept for InDataFile {
    type Machine = Keys;
    type Writing = SealedData<SimDisk>;
    type Sealed = SealedData<SimDisk>;

    fn open(disk: SimDisk, options: LogOptions, id: NodeId, may_be_born: bool) -> Result<Option<Opened<Self>>, OpenError> {
        let store = match storage::open_keyspace(disk, options, LITTLE)? {
            OpenedKeyspace::Member(store) => *store,
            OpenedKeyspace::Blank(_) if !may_be_born => return Ok(None),
            OpenedKeyspace::Blank(blank) => {
                blank.create_keyspace(Identity::of(CLUSTER, id), Promise::default(), Vec::new(), LITTLE)?
            }
        };
        let KeyspaceStore { recovered, log, machine, folder, lock, .. } = store;
        let file = machine.values().file().clone();
        let kept = InDataFile { folder, file, durable: None, machine: Some(Keys::new(machine)), file_number: 0 };
        Ok(Some(Opened { recovered, log, kept, lock, configuration: None }))
    }

    fn machine(&mut self) -> Result<Option<Keys>, Failure> {
        Ok(self.machine.take())
    }

    fn newest(&mut self) -> Result<Option<Sendable>, Failure> {
        let mut stream = self.file.stream().map_err(failure)?;
        let position = stream.head().applied;
        let mut chunks = Vec::new();
        while let Some(chunk) = stream.next_chunk(1 << 10).map_err(failure)? {
            chunks.push(chunk);
        }
        if position == Position::ZERO {
            return Ok(None);
        }
        Ok(Some(Sendable { standing: Standing { position, configuration: None }, chunks }))
    }

    fn receive(&mut self, from: NodeId, _: Snapshot, chunks: &[Bytes]) -> Result<Self::Writing, Failure> {
        let received = self.folder.receive(&format!("from-{from}"), &mut chunks.iter().cloned());
        received.map_err(|error| match error {
            ReceiveError::Data(error) => failure(error),
            ReceiveError::Restore(error) => Failure::Senseless(error),
        })
    }

    fn seal(writing: Self::Writing) -> Result<Self::Sealed, Failure> {
        Ok(writing)
    }

    fn discard(sealed: Self::Sealed) -> Result<(), Fault> {
        sealed.discard()
    }

    fn install(&mut self, log: &mut Log<SimDisk>, sealed: Self::Sealed, _: usize) -> Result<(Standing, Keys), Failure> {
        let position = sealed.position();
        let machine = log.install_data(sealed)?;
        self.file = machine.values().file().clone();
        self.file_number += 1;
        self.durable = None;
        Ok((Standing { position, configuration: None }, Keys::new(machine)))
    }

    fn cut(&self, log: &mut Log<SimDisk>, upto: u64) -> Result<(), Fault> {
        match &self.durable {
            Some(durable) => log.cut_below(upto.min(durable.position().index), durable),
            None => Ok(()),
        }
    }

    fn write_chunk(&mut self, _: &Snapshot, _: &Bytes) -> Result<(), Fault> {
        unreachable!("no snapshots are taken of what is kept in a data file")
    }

    fn taking(&self) -> Option<Position> {
        None
    }

    fn publish(&mut self, _: usize) -> Result<(), Fault> {
        unreachable!("no snapshots are taken of what is kept in a data file")
    }
}

pub(super) fn failure(error: DataError) -> Failure {
    match error {
        DataError::Fault(fault) => fault.into(),
        damaged => Failure::Damaged(damaged.to_string()),
    }
}
