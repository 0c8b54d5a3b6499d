//! What a member keeps of its machine beside the log: snapshots of it, or a data file that is written behind it.

use crate::disk::{SimDisk, SimFile};
use bytes::Bytes;
use consensus::{Configuration, NodeId, Position, RestoreError, Snapshot};
use std::fmt;
use storage::{Fault, Log, LogOptions, OpenError, Recovered};

/// What a machine is kept in.
pub(crate) trait Kept: Sized + 'static {
    /// The machine.
    type Machine;
    /// A peer's snapshot, written but not yet synced.
    type Writing;
    /// The same, synced but not yet in force.
    type Sealed;

    /// Opens a member's folder. `None`: it is blank, and no member may be made there.
    fn open(disk: SimDisk, options: LogOptions, id: NodeId, may_be_born: bool) -> Result<Option<Opened<Self>>, OpenError>;
    /// The machine as it was kept; `None` if nothing was. Asked once for each process.
    fn machine(&mut self) -> Result<Option<Self::Machine>, Failure>;
    /// The newest that can be sent to a peer: what it stands for, and its pieces.
    fn newest(&mut self) -> Result<Option<Sendable>, Failure>;
    /// Writes a snapshot that comes from a peer.
    fn receive(&mut self, from: NodeId, snapshot: Snapshot, chunks: &[Bytes]) -> Result<Self::Writing, Failure>;
    /// Syncs it.
    fn seal(writing: Self::Writing) -> Result<Self::Sealed, Failure>;
    /// Removes one that is not wanted.
    fn discard(sealed: Self::Sealed) -> Result<(), Fault>;
    /// Puts one into force, in place of the log and of what was kept before.
    fn install(
        &mut self,
        log: &mut Log<SimDisk>,
        sealed: Self::Sealed,
        older: usize,
    ) -> Result<(Standing, Self::Machine), Failure>;
    /// Cuts the log up to and including an index, as far as what is durable here covers it.
    fn cut(&self, log: &mut Log<SimDisk>, upto: u64) -> Result<(), Fault>;

    /// See [`crate::subject::Store::write_chunk`].
    fn write_chunk(&mut self, snapshot: &Snapshot, chunk: &Bytes) -> Result<(), Fault>;
    /// See [`crate::subject::Store::taking`].
    fn taking(&self) -> Option<Position>;
    /// See [`crate::subject::Store::publish`].
    fn publish(&mut self, older: usize) -> Result<(), Fault>;
}

/// A folder, opened.
pub(crate) struct Opened<K> {
    pub(crate) recovered: Recovered,
    pub(crate) log: Log<SimDisk>,
    pub(crate) kept: K,
    pub(crate) lock: SimFile,
    /// The configuration in force, if what was kept says so.
    pub(crate) configuration: Option<Configuration>,
}

/// What a snapshot for a peer consists of.
pub(crate) struct Sendable {
    pub(crate) standing: Standing,
    pub(crate) chunks: Vec<Bytes>,
}

/// What a snapshot stands for. The configuration is the one that everybody began with if it does not say.
pub(crate) struct Standing {
    pub(crate) position: Position,
    pub(crate) configuration: Option<Configuration>,
}

impl Standing {
    pub(crate) fn of(snapshot: &Snapshot) -> Standing {
        Standing { position: snapshot.position, configuration: Some(snapshot.configuration.clone()) }
    }
}

/// Why it could not be done.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The disk failed.
    Disk(String),
    /// What was kept is damaged, or makes no sense.
    Damaged(String),
    /// What a peer sent makes no sense.
    Senseless(RestoreError),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Disk(what) | Failure::Damaged(what) => f.write_str(what),
            Failure::Senseless(error) => error.fmt(f),
        }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Failure {
        Failure::Disk(fault.to_string())
    }
}
