//! Writes a snapshot.

use super::catalog::{Named, SealedSnapshot};
use super::frame::{CONTENT_MAX, Kind, Sum, encode, encode_magic, encode_what};
use crate::disk::{Disk, DiskFile, fault};
use crate::fault::{Action, Fault};
use consensus::Snapshot;

/// After so many bytes, what was written is synced: a sync of gigabytes at the end would hold up the log's.
const SYNC_BYTES: u64 = 8 << 20;

/// Writes a snapshot, piece by piece, under a name that a start does not look at but to remove the file. Dropping it leaves the
/// file there until then.
pub struct SnapshotWriter<D: Disk> {
    named: Named<D>,
    file: D::File,
    offset: u64,
    synced: u64,
    sum: Sum,
    buffer: Vec<u8>,
}

impl<D: Disk> SnapshotWriter<D> {
    pub(super) fn create(named: Named<D>) -> Result<SnapshotWriter<D>, Fault> {
        let Named { disk, path, .. } = &named;
        let file = disk.create(path).map_err(fault(disk, Action::Create, path))?;
        let what = encode_what(&named.snapshot);
        let mut writer = SnapshotWriter { named, file, offset: 0, synced: 0, sum: Sum::default(), buffer: Vec::new() };
        encode_magic(&mut writer.buffer);
        writer.flush()?;
        writer.frame(Kind::What, &what)?;
        Ok(writer)
    }

    /// What it will stand for.
    pub fn snapshot(&self) -> &Snapshot {
        &self.named.snapshot
    }

    /// Appends a piece.
    pub fn write(&mut self, piece: &[u8]) -> Result<(), Fault> {
        for part in piece.chunks(CONTENT_MAX) {
            self.sum.add(part);
            self.frame(Kind::Piece, part)?;
        }
        if self.offset - self.synced >= SYNC_BYTES {
            self.sync()?;
        }
        Ok(())
    }

    /// All pieces are written: adds their sum, and syncs the file.
    pub fn finish(mut self) -> Result<SealedSnapshot<D>, Fault> {
        let sum = self.sum.encode();
        self.frame(Kind::Sum, &sum)?;
        self.sync()?;
        Ok(SealedSnapshot::new(self.named))
    }

    /// Removes what was written.
    pub fn discard(self) -> Result<(), Fault> {
        self.named.remove()
    }

    fn frame(&mut self, kind: Kind, content: &[u8]) -> Result<(), Fault> {
        encode(&mut self.buffer, self.named.identity, self.offset, kind, content);
        self.flush()
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
