//! Writes a snapshot: this server's own, or a leader's as it arrives.

use super::catalog::{Named, SealedSnapshot};
use super::outline::Outline;
use super::seal::{DIGEST, HEAD, Sum};
use super::{Progress, SnapshotError};
use crate::disk::{Disk, DiskFile, fault};
use crate::fault::{Action, Fault};

/// After so many bytes, what was written is synced: a sync of gigabytes at the end would hold up the log's.
const SYNC_BYTES: u64 = 8 << 20;

/// Bytes gathered before they are written.
const BUFFER: usize = 256 << 10;

/// The file.
struct Sink<D: Disk> {
    named: Named<D>,
    file: D::File,
    buffer: Vec<u8>,
    offset: u64,
    synced: u64,
    sum: Sum,
    outline: Outline,
}

impl<D: Disk> Sink<D> {
    fn create(named: Named<D>) -> Result<Sink<D>, Fault> {
        let Named { disk, path, .. } = &named;
        let file = disk.create(path).map_err(fault(disk, Action::Create, path))?;
        let mut sink = Sink { named, file, buffer: Vec::new(), offset: 0, synced: 0, sum: Sum::new(), outline: Outline::new() };
        sink.add(&HEAD)?;
        Ok(sink)
    }

    fn add(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.sum.add(bytes);
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER {
            self.flush()?;
            if self.offset - self.synced >= SYNC_BYTES {
                self.sync()?;
            }
        }
        Ok(())
    }

    fn seal(mut self, digest: Option<&[u8; DIGEST]>) -> Result<SealedSnapshot<D>, Fault> {
        assert!(self.outline.whole(), "a snapshot is sealed once it is whole");
        let sum = std::mem::replace(&mut self.sum, Sum::new());
        let tail = sum.tail(digest, self.named.position.zxid());
        self.buffer.extend_from_slice(&tail);
        self.flush()?;
        self.sync()?;
        Ok(SealedSnapshot::new(self.named))
    }

    fn flush(&mut self) -> Result<(), Fault> {
        let Named { disk, path, .. } = &self.named;
        self.file.write_at(self.offset, &self.buffer).map_err(fault(disk, Action::Write, path))?;
        self.offset += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    fn sync(&mut self) -> Result<(), Fault> {
        let Named { disk, path, .. } = &self.named;
        self.file.sync().map_err(fault(disk, Action::Sync, path))?;
        self.synced = self.offset;
        Ok(())
    }
}

/// Writes a snapshot of this server's own, piece by piece, under a name that nobody looks at. Dropping it leaves the file there until
/// the next start.
pub struct SnapshotWriter<D: Disk> {
    sink: Sink<D>,
    /// The zxid, as far as it has come.
    zxid: Vec<u8>,
    /// What came behind the body.
    digest: Vec<u8>,
}

impl<D: Disk> SnapshotWriter<D> {
    pub(super) fn create(named: Named<D>) -> Result<SnapshotWriter<D>, Fault> {
        Ok(SnapshotWriter { sink: Sink::create(named)?, zxid: Vec::new(), digest: Vec::new() })
    }

    /// Appends a piece of what the state machine gives: the zxid (8 bytes), the body, then the digest (20 bytes) or nothing.
    /// Borders do not matter.
    pub fn write(&mut self, piece: &[u8]) -> Result<(), Fault> {
        let (zxid, piece) = piece.split_at(piece.len().min(8 - self.zxid.len()));
        self.zxid.extend_from_slice(zxid);
        let taken = match self.sink.outline.take(piece) {
            Ok(taken) => taken,
            Err(wrong) => panic!("the state machine's snapshot makes no sense at byte {}: no {}", wrong.offset, wrong.expected),
        };
        let (body, digest) = piece.split_at(taken);
        self.digest.extend_from_slice(digest);
        self.sink.add(body)
    }

    /// All pieces are written: seals and syncs the file.
    pub fn finish(self) -> Result<SealedSnapshot<D>, Fault> {
        assert_eq!(self.zxid, self.sink.named.position.zxid().to_be_bytes(), "a snapshot of another moment");
        if self.digest.is_empty() {
            return self.sink.seal(None);
        }
        let digest = self.digest.try_into().expect("behind the body there is a digest or nothing");
        self.sink.seal(Some(&digest))
    }

    /// Removes what was written.
    pub fn discard(self) -> Result<(), Fault> {
        self.sink.named.remove()
    }
}

/// Receives a leader's snapshot, under a name that nobody looks at. Dropping it leaves the file there until the next start.
pub struct Receiving<D: Disk> {
    sink: Sink<D>,
}

impl<D: Disk> Receiving<D> {
    pub(super) fn create(named: Named<D>) -> Result<Receiving<D>, Fault> {
        Ok(Receiving { sink: Sink::create(named)? })
    }

    /// Takes the next bytes from the connection. The snapshot says itself where it ends; what follows it is left.
    ///
    /// # Errors
    ///
    /// The disk failed, or these are not the bytes of a snapshot.
    pub fn write(&mut self, bytes: &[u8]) -> Result<Progress, SnapshotError> {
        let sink = &mut self.sink;
        let taken = sink.outline.take(bytes).map_err(|wrong| SnapshotError::Damaged {
            file: sink.named.disk.describe(&sink.named.path),
            offset: HEAD.len() as u64 + wrong.offset,
            expected: wrong.expected,
        })?;
        sink.add(&bytes[..taken])?;
        Ok(Progress { taken, whole: sink.outline.whole() })
    }

    /// It is whole: seals and syncs the file.
    pub fn finish(self) -> Result<SealedSnapshot<D>, Fault> {
        self.sink.seal(None)
    }

    /// Removes what was written.
    pub fn discard(self) -> Result<(), Fault> {
        self.sink.named.remove()
    }
}
