//! Snapshots.

use crate::disk::Disk;
use crate::fault::{Action, Fault};
use bytes::Bytes;
use consensus::{NodeId, Position};
use std::io;
use std::marker::PhantomData;

/// Why a snapshot cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The disk failed.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The bytes are not those of a whole snapshot.
    #[error("{file} is damaged at byte {offset}: expected {expected}")]
    Damaged {
        /// The file.
        file: String,
        /// Where, in what it holds uncompressed.
        offset: u64,
        /// What should be there.
        expected: &'static str,
    },
    /// There is no such snapshot (any more).
    #[error("there is no snapshot of {position}")]
    NoSuch {
        /// What it should stand for.
        position: Position,
    },
}

/// The snapshots of a server. Clones are the same folder.
#[derive(Clone)]
pub struct Snapshots<D: Disk> {
    disk: D,
}

impl<D: Disk> Snapshots<D> {
    /// Begins a snapshot of this server's own tree.
    pub fn take(&self, position: Position) -> Result<SnapshotWriter<D>, Fault> {
        let _ = position;
        todo_later()
    }

    /// Begins to receive the snapshot that a leader sends after SNAP, whose zxid is `position`.
    pub fn receive(&self, from: NodeId, position: Position) -> Result<Receiving<D>, Fault> {
        let _ = (from, position);
        todo_later()
    }

    /// The newest snapshot that is whole.
    ///
    /// # Errors
    ///
    /// If there are snapshots but none is whole: what is wrong with the newest.
    pub fn newest(&self) -> Result<Option<DurableSnapshot<D>>, SnapshotError> {
        Err(todo_later::<()>().unwrap_err().into())
    }

    /// What a leader sends after SNAP: the snapshot of `position`, its body only. The caller adds what ends the transfer
    /// ("BenWasHere"), but only once the last piece was read without error: only then is known that all of them were right.
    pub fn open_for_sending(&self, position: Position) -> Result<SnapshotReader<D>, SnapshotError> {
        let _ = &self.disk;
        Err(SnapshotError::NoSuch { position })
    }
}

/// Writes a snapshot, piece by piece, under a name that nobody looks at. Dropping it leaves the file there until the next start.
pub struct SnapshotWriter<D: Disk> {
    disk: PhantomData<D>,
}

impl<D: Disk> SnapshotWriter<D> {
    /// Appends a piece of what the state machine gives: the zxid (8 bytes), the body, then the digest (20 bytes) or nothing.
    /// Borders do not matter.
    pub fn write(&mut self, piece: &[u8]) -> Result<(), Fault> {
        let _ = piece;
        todo_later()
    }

    /// All pieces are written: seals and syncs the file.
    pub fn finish(self) -> Result<SealedSnapshot<D>, Fault> {
        todo_later()
    }

    /// Removes what was written.
    pub fn discard(self) -> Result<(), Fault> {
        todo_later()
    }
}

/// Receives a leader's snapshot.
pub struct Receiving<D: Disk> {
    disk: PhantomData<D>,
}

/// How far a leader's snapshot has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// How many of the bytes belonged to it.
    pub taken: usize,
    /// Whether these were the last: what follows on the connection is no longer the snapshot.
    pub whole: bool,
}

impl<D: Disk> Receiving<D> {
    /// Takes the next bytes from the connection. The snapshot says itself where it ends; what follows it is left.
    ///
    /// # Errors
    ///
    /// The disk failed, or these are not the bytes of a snapshot.
    pub fn write(&mut self, bytes: &[u8]) -> Result<Progress, SnapshotError> {
        let _ = bytes;
        Err(todo_later::<()>().unwrap_err().into())
    }

    /// It is whole: seals and syncs the file.
    pub fn finish(self) -> Result<SealedSnapshot<D>, Fault> {
        todo_later()
    }

    /// Removes what was written.
    pub fn discard(self) -> Result<(), Fault> {
        todo_later()
    }
}

/// A snapshot that is whole and synced, but not yet in force: after a crash it is gone.
pub struct SealedSnapshot<D: Disk> {
    position: Position,
    disk: PhantomData<D>,
}

impl<D: Disk> SealedSnapshot<D> {
    /// The last transaction whose effect it surely holds.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Reads it before it is in force.
    pub fn read(&self) -> Result<SnapshotReader<D>, SnapshotError> {
        Err(SnapshotError::NoSuch { position: self.position })
    }

    /// Gives it its name, durably. For a snapshot of this server's own; a peer's goes through [`super::Log::install`].
    pub fn publish(self) -> Result<DurableSnapshot<D>, Fault> {
        todo_later()
    }

    /// Removes it.
    pub fn discard(self) -> Result<(), Fault> {
        todo_later()
    }
}

/// A snapshot that a start finds.
#[derive(Clone)]
pub struct DurableSnapshot<D: Disk> {
    position: Position,
    disk: D,
}

impl<D: Disk> DurableSnapshot<D> {
    /// The last transaction whose effect it surely holds.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Reads it from the beginning, as the state machine restores it.
    pub fn read(&self) -> Result<SnapshotReader<D>, SnapshotError> {
        let _ = &self.disk;
        Err(SnapshotError::NoSuch { position: self.position })
    }
}

/// Reads a snapshot, piece by piece. Whether all of it was right is known once `None` was returned.
pub struct SnapshotReader<D: Disk> {
    disk: PhantomData<D>,
}

impl<D: Disk> SnapshotReader<D> {
    /// The next piece; `None` after the last, once all checksums have been compared.
    pub fn next_chunk(&mut self) -> Result<Option<Bytes>, SnapshotError> {
        Err(todo_later::<()>().unwrap_err().into())
    }
}

fn todo_later<T>() -> Result<T, Fault> {
    let source = io::Error::other("reading and writing of ZooKeeper's files is not built in yet");
    Err(Fault { action: Action::Continue, path: String::new(), source })
}
