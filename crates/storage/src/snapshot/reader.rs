//! Reads a snapshot.

use super::SnapshotError;
use super::frame::{FORMAT, FRAME_HEADER, Kind, MAGIC_BYTES, SUM_BYTES, Sum, content_len, decode, decode_magic, decode_what};
use crate::disk::{Disk, DiskFile, fault};
use crate::fault::Action;
use crate::identity::Identity;
use bytes::Bytes;
use consensus::Snapshot;

/// Reads a snapshot, piece by piece. What is damaged is named and never handed out.
pub struct SnapshotReader<D: Disk> {
    frames: Frames<D>,
    snapshot: Snapshot,
    /// Where the next frame begins.
    offset: u64,
    /// What the last frame says of all pieces.
    wanted: Sum,
    /// What was read so far.
    sum: Sum,
    done: bool,
}

impl<D: Disk> SnapshotReader<D> {
    /// Opens a snapshot and reads its first and its last frame.
    pub(super) fn open(disk: &D, identity: Identity, path: &str) -> Result<SnapshotReader<D>, SnapshotError> {
        let file = disk.open(path).map_err(fault(disk, Action::Open, path))?;
        let length = file.len().map_err(fault(disk, Action::Read, path))?;
        let frames = Frames { disk: disk.clone(), identity, path: path.to_owned(), file };
        frames.check_format()?;

        let first = MAGIC_BYTES as u64;
        let last = length.checked_sub(SUM_BYTES).filter(|last| *last > first).ok_or_else(|| frames.damaged(length))?;
        let wanted = match frames.read(last)? {
            (Kind::Sum, content) => Sum::decode(&content),
            _ => None,
        };
        let wanted = wanted.ok_or_else(|| frames.damaged(last))?;
        let what = match frames.read(first)? {
            (Kind::What, content) => decode_what(&content).map(|snapshot| (snapshot, content.len())),
            _ => None,
        };
        let (snapshot, bytes) = what.ok_or_else(|| frames.damaged(first))?;
        let offset = first + (FRAME_HEADER + bytes) as u64;
        Ok(SnapshotReader { frames, snapshot, offset, wanted, sum: Sum::default(), done: false })
    }

    /// What it stands for.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The bytes of all pieces together.
    pub fn content_bytes(&self) -> u64 {
        self.wanted.bytes
    }

    /// The next piece; `None` after the last, once the checksum of the whole has been compared. Their borders may not be those with
    /// which they were written.
    pub fn next_chunk(&mut self) -> Result<Option<Bytes>, SnapshotError> {
        if self.done {
            return Ok(None);
        }
        match self.frames.read(self.offset)? {
            (Kind::Piece, content) => {
                self.offset += (FRAME_HEADER + content.len()) as u64;
                self.sum.add(&content);
                Ok(Some(content))
            }
            (Kind::Sum, _) if self.sum == self.wanted => {
                self.done = true;
                Ok(None)
            }
            _ => Err(self.frames.damaged(self.offset)),
        }
    }
}

/// The frames of a file.
struct Frames<D: Disk> {
    disk: D,
    identity: Identity,
    path: String,
    file: D::File,
}

impl<D: Disk> Frames<D> {
    fn check_format(&self) -> Result<(), SnapshotError> {
        match decode_magic(&self.bytes(0, MAGIC_BYTES)?) {
            Some(FORMAT) => Ok(()),
            Some(found) if found > FORMAT => {
                Err(SnapshotError::Version { file: self.disk.describe(&self.path), found, known: FORMAT })
            }
            _ => Err(self.damaged(0)),
        }
    }

    /// The frame at `offset`, its checksum compared.
    fn read(&self, offset: u64) -> Result<(Kind, Bytes), SnapshotError> {
        let header = self.bytes(offset, FRAME_HEADER)?;
        let length = content_len(&header).ok_or_else(|| self.damaged(offset))?;
        let frame = Bytes::from(self.bytes(offset, FRAME_HEADER + length)?);
        let kind = decode(&frame, self.identity, offset).ok_or_else(|| self.damaged(offset))?;
        Ok((kind, frame.slice(FRAME_HEADER..)))
    }

    fn bytes(&self, offset: u64, length: usize) -> Result<Vec<u8>, SnapshotError> {
        let mut buffer = vec![0; length];
        let count = self.file.read_at(offset, &mut buffer).map_err(fault(&self.disk, Action::Read, &self.path))?;
        if count < length { Err(self.damaged(offset)) } else { Ok(buffer) }
    }

    fn damaged(&self, offset: u64) -> SnapshotError {
        SnapshotError::Damaged { file: self.disk.describe(&self.path), offset }
    }
}
