//! Reads a snapshot.

use super::SnapshotError;
use super::catalog::Named;
use super::outline::Outline;
use super::seal::{DIGEST, HEAD, Sum, TAIL_MAX};
use super::source::{Source, nonsense};
use crate::disk::{Disk, fault};
use crate::fault::Action;
use bytes::Bytes;
use std::io;

/// Bytes read at a time.
const CHUNK: usize = 256 << 10;

/// For whom a snapshot is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum For {
    /// The state machine: the zxid, the body, the digest if there is one.
    Machine,
    /// A learner: the body.
    Learner,
}

/// Reads a snapshot, piece by piece. Whether all of it was right is known once `None` was returned: its checksums come last.
pub struct SnapshotReader<D: Disk> {
    named: Named<D>,
    reader: For,
    source: Source<D::File>,
    /// What was read of the file so far, uncompressed.
    offset: u64,
    sum: Sum,
    outline: Outline,
    state: State,
}

enum State {
    Head,
    Body,
    Digest([u8; DIGEST]),
    Done,
}

impl<D: Disk> SnapshotReader<D> {
    pub(super) fn open(named: Named<D>, reader: For) -> Result<SnapshotReader<D>, SnapshotError> {
        let Named { disk, path, packing, position } = &named;
        let file = match disk.open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(SnapshotError::NoSuch { position: *position }),
            opened => opened.map_err(fault(disk, Action::Open, path))?,
        };
        let source = Source::new(file, *packing);
        Ok(SnapshotReader { named, reader, source, offset: 0, sum: Sum::new(), outline: Outline::new(), state: State::Head })
    }

    /// The next piece; `None` after the last, once all checksums have been compared.
    pub fn next_chunk(&mut self) -> Result<Option<Bytes>, SnapshotError> {
        if let State::Head = self.state {
            let head = self.fill(HEAD.len())?;
            if head != HEAD {
                // Java looks at nothing but the magic; the seal will tell whether the rest was meant.
                if head.len() < HEAD.len() || head[..4] != HEAD[..4] {
                    return Err(self.damaged(0, "the head of a snapshot"));
                }
            }
            self.sum.add(&head);
            self.offset = HEAD.len() as u64;
            self.state = State::Body;
            if self.reader == For::Machine {
                return Ok(Some(Bytes::copy_from_slice(&self.named.position.zxid().to_be_bytes())));
            }
        }
        match self.state {
            State::Head | State::Body => self.body().map(Some),
            State::Digest(digest) => {
                self.state = State::Done;
                Ok(Some(Bytes::copy_from_slice(&digest)))
            }
            State::Done => Ok(None),
        }
    }

    /// The next piece of the body. With the last one, what follows it is checked.
    fn body(&mut self) -> Result<Bytes, SnapshotError> {
        let mut piece = self.fill(CHUNK)?;
        if piece.is_empty() {
            return Err(self.damaged(self.offset, "more of the tree"));
        }
        let taken = self.outline.take(&piece).map_err(|wrong| self.damaged(HEAD.len() as u64 + wrong.offset, wrong.expected))?;
        self.sum.add(&piece[..taken]);
        self.offset += taken as u64;
        if self.outline.whole() {
            let mut tail = piece.split_off(taken);
            tail.extend(self.fill(TAIL_MAX)?);
            let sum = std::mem::replace(&mut self.sum, Sum::new());
            let digest = sum.check(&tail).map_err(|(offset, expected)| self.damaged(self.offset + offset, expected))?;
            self.state = match digest {
                Some(digest) if self.reader == For::Machine => State::Digest(digest),
                _ => State::Done,
            };
        }
        Ok(Bytes::from(piece))
    }

    /// The next `most` bytes, fewer at the end only.
    fn fill(&mut self, most: usize) -> Result<Vec<u8>, SnapshotError> {
        let mut buffer = vec![0; most];
        match self.source.fill(&mut buffer) {
            Ok(count) => {
                buffer.truncate(count);
                Ok(buffer)
            }
            Err(error) if nonsense(&error) => Err(self.damaged(self.offset, "packed bytes that can be unpacked")),
            Err(error) => Err(fault(&self.named.disk, Action::Read, &self.named.path)(error).into()),
        }
    }

    fn damaged(&self, offset: u64, expected: &'static str) -> SnapshotError {
        SnapshotError::Damaged { file: self.named.disk.describe(&self.named.path), offset, expected }
    }
}
