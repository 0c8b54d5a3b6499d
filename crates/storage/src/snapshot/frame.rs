//! What a snapshot's file is made of.
//!
//! ```text
//!   magic:   "QUORSNP\n", format u32, checksum u32             16 bytes; CRC-32C of the first 12
//!   frame:   checksum u32, kind u32, length u32, content       checksum: CRC-32C of everything behind it, seeded with the
//!                                                              member's identity and the frame's offset
//!   kind 1   what it is: position (2 × u64), counts of voters and learners (2 × u32), their ids (u64 each)
//!   kind 2   a piece
//!   kind 3   sum: bytes of all pieces u64, their CRC-32C u32; always the last
//! ```

use crate::identity::Identity;
use bytes::{Buf, BufMut};
use consensus::{Configuration, NodeId, Position, Snapshot};

/// The only format so far.
pub(super) const FORMAT: u32 = 1;

/// Bytes before the first frame.
pub(super) const MAGIC_BYTES: usize = 16;

/// Bytes of a frame before its content.
pub(super) const FRAME_HEADER: usize = 12;

/// The longest content of a frame. A piece of more is written as several.
pub(super) const CONTENT_MAX: usize = 1 << 20;

/// Bytes of the last frame.
pub(super) const SUM_BYTES: u64 = FRAME_HEADER as u64 + 12;

const MAGIC: [u8; 8] = *b"QUORSNP\n";

/// What a frame holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// What the snapshot stands for.
    What,
    /// A piece of its content.
    Piece,
    /// How much content there is. The last.
    Sum,
}

impl Kind {
    fn number(self) -> u32 {
        match self {
            Kind::What => 1,
            Kind::Piece => 2,
            Kind::Sum => 3,
        }
    }

    fn of(number: u32) -> Option<Kind> {
        [Kind::What, Kind::Piece, Kind::Sum].into_iter().find(|kind| kind.number() == number)
    }
}

/// Puts the magic into an empty buffer.
pub(super) fn encode_magic(buffer: &mut Vec<u8>) {
    debug_assert!(buffer.is_empty(), "the magic comes first");
    buffer.put_slice(&MAGIC);
    buffer.put_u32_le(FORMAT);
    let checksum = crc32c::crc32c(buffer);
    buffer.put_u32_le(checksum);
}

/// The format of a file that begins with these bytes. `None` if it is no snapshot.
pub(super) fn decode_magic(bytes: &[u8]) -> Option<u32> {
    let mut rest = bytes.strip_prefix(&MAGIC)?;
    let format = rest.try_get_u32_le().ok()?;
    (rest.try_get_u32_le().ok()? == crc32c::crc32c(&bytes[..12])).then_some(format)
}

/// Appends a frame that will stand at `offset`.
pub(super) fn encode(buffer: &mut Vec<u8>, identity: Identity, offset: u64, kind: Kind, content: &[u8]) {
    assert!(content.len() <= CONTENT_MAX, "a frame is short");
    let start = buffer.len();
    buffer.put_u32_le(0);
    buffer.put_u32_le(kind.number());
    buffer.put_u32_le(content.len() as u32);
    buffer.put_slice(content);
    let checksum = checksum(identity, offset, &buffer[start + 4..]);
    buffer[start..start + 4].copy_from_slice(&checksum.to_le_bytes());
}

/// The bytes of content in a frame that begins with `header`. `None` if that can be no frame.
pub(super) fn content_len(header: &[u8]) -> Option<usize> {
    let mut rest = header.get(8..)?;
    let length = rest.try_get_u32_le().ok()? as usize;
    (length <= CONTENT_MAX).then_some(length)
}

/// The kind of the frame at `offset`. `None` if these are not its bytes.
pub(super) fn decode(frame: &[u8], identity: Identity, offset: u64) -> Option<Kind> {
    let mut header = frame.get(..FRAME_HEADER)?;
    let found = header.get_u32_le();
    let kind = Kind::of(header.get_u32_le())?;
    (found == checksum(identity, offset, &frame[4..])).then_some(kind)
}

fn checksum(identity: Identity, offset: u64, rest: &[u8]) -> u32 {
    let seed = crc32c::crc32c_append(crc32c::crc32c(&identity.0), &offset.to_le_bytes());
    crc32c::crc32c_append(seed, rest)
}

/// The content of the first frame.
pub(super) fn encode_what(snapshot: &Snapshot) -> Vec<u8> {
    let Snapshot { position, configuration: Configuration { voters, learners, hierarchy: _ } } = snapshot;
    let mut content = Vec::new();
    content.put_u64_le(position.epoch);
    content.put_u64_le(position.index);
    content.put_u32_le(voters.len() as u32);
    content.put_u32_le(learners.len() as u32);
    voters.iter().chain(learners).for_each(|id| content.put_u64_le(id.0));
    content
}

/// Reads the content of the first frame.
pub(super) fn decode_what(mut content: &[u8]) -> Option<Snapshot> {
    let position = Position { epoch: content.try_get_u64_le().ok()?, index: content.try_get_u64_le().ok()? };
    let voters = content.try_get_u32_le().ok()? as usize;
    let learners = content.try_get_u32_le().ok()? as usize;
    if content.len() != voters.checked_add(learners)?.checked_mul(8)? {
        return None;
    }
    let mut ids = |count| (0..count).map(|_| NodeId(content.get_u64_le())).collect();
    let configuration = Configuration { voters: ids(voters), learners: ids(learners), hierarchy: None };
    Some(Snapshot { position, configuration })
}

/// How much content there is, and its checksum.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Sum {
    pub(super) bytes: u64,
    pub(super) checksum: u32,
}

impl Sum {
    /// One more piece.
    pub(super) fn add(&mut self, piece: &[u8]) {
        self.bytes += piece.len() as u64;
        self.checksum = crc32c::crc32c_append(self.checksum, piece);
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut content = Vec::new();
        content.put_u64_le(self.bytes);
        content.put_u32_le(self.checksum);
        content
    }

    pub(super) fn decode(mut content: &[u8]) -> Option<Sum> {
        let (bytes, checksum) = (content.try_get_u64_le().ok()?, content.try_get_u32_le().ok()?);
        content.is_empty().then_some(Sum { bytes, checksum })
    }
}
