//! The first sector of a segment.
//!
//! ```text
//!    0 ┌──────────────────┬─────────┬──────────┐
//!      │ magic            │ format  │ checksum │   checksum: CRC-32C of the sector without these four bytes
//!   16 ├──────────────────┴─────────┴──────────┤
//!      │ identity: whose log                   │
//!   32 ├──────────────────┬────────────────────┤
//!      │ segment          │ first              │   this segment's number; the number of its first record
//!   48 ├──────────────────┼────────────────────┤
//!      │ synced           │ base.epoch         │   the last record known to be durable when this was written;
//!   64 ├──────────────────┼────────────────────┤   base: the entry before the segment's first
//!      │ base.index       │ promise.epoch      │
//!   80 ├──────────────────┼────────────────────┤   the promise in force at the segment's beginning
//!      │ promise.current  │ promise.committed  │
//!   96 ├──────────────────┼────────────────────┤
//!      │ promise.vote     │ flags              │   1: there is a vote   2: nothing before this segment counts
//!  112 ├──────────────────┴────────────────────┤
//!      │ zeros                                 │
//!  512 └───────────────────────────────────────┘   numbers are little-endian
//! ```
//!
//! Magic, format and checksum stand where they stand in every format, so that a later one is told from damage.

use crate::identity::Identity;
use bytes::{Buf, BufMut};
use consensus::{NodeId, Position, Promise};

/// The smallest piece that a disk writes whole.
pub(super) const SECTOR: usize = 512;

/// The header takes a sector of its own, and records begin behind it.
pub(super) const HEADER: u64 = SECTOR as u64;

/// The only format so far.
pub(super) const FORMAT: u32 = 1;

const MAGIC: [u8; 8] = *b"QUORLOG\n";
const VOTED: u64 = 1;
const FRESH: u64 = 2;

/// What a segment says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Header {
    /// Whose log it is.
    pub(super) identity: Identity,
    /// The segment's number; segments are numbered without gaps.
    pub(super) segment: u64,
    /// The number of the segment's first record; records are numbered through all segments, without gaps, from 1.
    pub(super) first: u64,
    /// Number of the last record known to be durable when the segment was created.
    pub(super) synced: u64,
    /// The last entry before this segment.
    pub(super) base: Position,
    /// The promise in force.
    pub(super) promise: Promise,
    /// Whether the log begins here anew: segments before it are void.
    pub(super) fresh: bool,
}

/// What the first sector of a file was found to be.
#[derive(Debug)]
pub(super) enum Found {
    /// A header.
    Header(Header),
    /// A header in a format that this version does not know.
    Later(u32),
    /// Not a header: torn or damaged.
    Bad,
}

impl Header {
    /// Appends the sector.
    pub(super) fn encode(&self, buffer: &mut Vec<u8>) {
        let start = buffer.len();
        buffer.put_slice(&MAGIC);
        buffer.put_u32_le(FORMAT);
        buffer.put_u32_le(0);
        buffer.put_slice(&self.identity.0);
        for number in [
            self.segment,
            self.first,
            self.synced,
            self.base.epoch,
            self.base.index,
            self.promise.epoch,
            self.promise.current,
            self.promise.committed,
            self.promise.vote.map_or(0, |vote| vote.0),
            if self.promise.vote.is_some() { VOTED } else { 0 } | if self.fresh { FRESH } else { 0 },
        ] {
            buffer.put_u64_le(number);
        }
        buffer.resize(start + SECTOR, 0);
        let checksum = checksum(&buffer[start..]);
        buffer[start + 12..start + 16].copy_from_slice(&checksum.to_le_bytes());
    }

    /// Reads the sector.
    pub(super) fn decode(sector: &[u8]) -> Found {
        if sector.len() < SECTOR || sector[..8] != MAGIC {
            return Found::Bad;
        }
        let sector = &sector[..SECTOR];
        let mut rest = &sector[8..];
        let format = rest.get_u32_le();
        if rest.get_u32_le() != checksum(sector) {
            return Found::Bad;
        }
        if format != FORMAT {
            return Found::Later(format);
        }
        let mut identity = Identity([0; 16]);
        rest.copy_to_slice(&mut identity.0);
        let mut number = || rest.get_u64_le();
        let (segment, first, synced) = (number(), number(), number());
        let base = Position { epoch: number(), index: number() };
        let (epoch, current, committed) = (number(), number(), number());
        let (vote, flags) = (number(), number());
        let vote = (flags & VOTED != 0).then_some(NodeId(vote));
        let promise = Promise { epoch, current, vote, committed };
        Found::Header(Header { identity, segment, first, synced, base, promise, fresh: flags & FRESH != 0 })
    }
}

fn checksum(sector: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&sector[..12]), &sector[16..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_reads_back_and_no_flipped_bit_goes_unnoticed() {
        let promise = Promise { epoch: 7, current: 3, vote: Some(NodeId(9)), committed: 12 };
        let base = Position::new(6, 40);
        let header = Header { identity: Identity([5; 16]), segment: 2, first: 17, synced: 15, base, promise, fresh: true };
        let mut sector = Vec::new();
        header.encode(&mut sector);
        assert!(matches!(Header::decode(&sector), Found::Header(found) if found == header));
        for bit in 0..SECTOR * 8 {
            let mut damaged = sector.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(Header::decode(&damaged), Found::Bad), "bit {bit}");
        }
    }
}
