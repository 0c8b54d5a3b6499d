//! A data file as a snapshot for a peer, piece by piece.
//!
//! It is read from one moment of the file, while the member goes on. What it looks like is the keyspace's business ([`keyspace::row`]).

use super::error::DataError;
use super::file::{DataFile, Rows, View};
use crate::disk::Disk;
use bytes::Bytes;
use keyspace::{Head, Revision, row};

/// The newest that a revision can be.
const LAST: Revision = Revision::new(i64::MAX, i64::MAX);

/// A snapshot on its way.
pub struct DataStream<D: Disk> {
    view: View<D>,
    head: Head,
    bytes: u64,
    checksum: u32,
    stage: Stage,
}

/// What comes next.
enum Stage {
    /// The head and the leases, which were gathered when it began.
    Small(Vec<u8>),
    Changes(Box<Rows>),
    Ended,
}

impl<D: Disk> DataFile<D> {
    /// A snapshot of what the file holds now.
    pub fn stream(&self) -> Result<DataStream<D>, DataError> {
        let view = self.view()?;
        let (bytes, head) = view.head()?;
        let total = bytes.len() as u64 + view.sums()?.bytes + row::SNAPSHOT_END_BYTES;
        let mut small = bytes.to_vec();
        view.leases(|id, row| row::lease_frame(id, row, &mut small))?;
        Ok(DataStream { view, head, bytes: total, checksum: 0, stage: Stage::Small(small) })
    }
}

impl<D: Disk> DataStream<D> {
    /// What it stands for.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The bytes of all pieces together.
    pub fn content_bytes(&self) -> u64 {
        self.bytes
    }

    /// The next piece, of about `budget` bytes; `None` after the last.
    pub fn next_chunk(&mut self, budget: usize) -> Result<Option<Bytes>, DataError> {
        let mut out = Vec::new();
        let mut ended = false;
        while out.len() < budget.max(1) && !ended {
            match &mut self.stage {
                Stage::Small(small) => {
                    out.append(small);
                    self.stage = Stage::Changes(Box::new(self.view.rows(Revision::default(), LAST)?));
                }
                Stage::Changes(rows) => match self.view.next(rows).transpose()? {
                    Some((at, row)) => row::change_frame(at, row.value(), &mut out),
                    None => ended = true,
                },
                Stage::Ended => return Ok(None),
            }
        }
        self.checksum = crc32c::crc32c_append(self.checksum, &out);
        if ended {
            row::snapshot_end(self.checksum, &mut out);
            self.stage = Stage::Ended;
        }
        Ok(Some(out.into()))
    }
}
