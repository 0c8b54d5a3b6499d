//! What a log file is made of.
//!
//! ```text
//!   head      "ZKLG", version i32 = 2, dbid i64                            16 bytes
//!   record    Adler-32 of the payload i64, length i32, payload, "B"        one after the other
//!   zeros     to the end of the file, which was made that long ahead
//!
//!   payload   session i64, cxid i32, zxid i64, time i64, type i32, …       opaque here but for the zxid
//! ```
//!
//! Numbers are big-endian. A length of zero ends the file for Java, whatever follows. Java writes 0 as dbid and never reads it; files
//! of Quorate's say whose they are there, because a start has to know who left a tail as it is ([`super::recovery`]).

use crate::disk::DiskFile;
use crate::log::window::Window;
use consensus::Position;
use simd_adler32::adler32;
use std::io;

/// Bytes of a file before its first record.
pub(super) const HEAD: u64 = 16;

/// Bytes of a record beside its payload.
pub(super) const OVERHEAD: usize = 13;

/// Bytes of a record before its payload.
pub(super) const RECORD_HEAD: usize = 12;

/// The shortest payload: a header without anything.
const PAYLOAD_MIN: usize = 32;

/// Bytes of a record up to and including its zxid.
const UPTO_ZXID: usize = RECORD_HEAD + 20;

const MAGIC: [u8; 8] = *b"ZKLG\0\0\0\x02";
const OURS: [u8; 8] = *b"Quorate\0";

/// Who wrote a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Author {
    /// Quorate, which never leaves more than a batch unsynced.
    Quorate,
    /// Java, or somebody else.
    Other,
}

/// The head of a file of ours.
pub(super) fn head() -> [u8; HEAD as usize] {
    let mut head = [0; HEAD as usize];
    head[..8].copy_from_slice(&MAGIC);
    head[8..].copy_from_slice(&OURS);
    head
}

/// Who wrote a file that begins with these bytes; `None` if it is no log.
pub(super) fn author(head: &[u8]) -> Option<Author> {
    let dbid = head.strip_prefix(&MAGIC)?.get(..8)?;
    Some(if dbid == OURS { Author::Quorate } else { Author::Other })
}

/// The version that the head of a log names, if it is another than the one we read. Zero is what a torn head names.
pub(super) fn foreign_version(head: &[u8]) -> Option<i32> {
    let version = head.strip_prefix(b"ZKLG")?.first_chunk().map(|bytes| i32::from_be_bytes(*bytes))?;
    (version != 2 && version != 0).then_some(version)
}

/// Appends a record.
pub(super) fn encode(buffer: &mut Vec<u8>, payload: &[u8]) {
    buffer.extend_from_slice(&u64::from(adler32(&payload)).to_be_bytes());
    buffer.extend_from_slice(&(payload.len() as u32).to_be_bytes());
    buffer.extend_from_slice(payload);
    buffer.push(b'B');
}

/// The place in the log that a payload itself names. `None` if it is too short for a transaction.
pub(super) fn position(payload: &[u8]) -> Option<Position> {
    let zxid = payload.get(..PAYLOAD_MIN)?.get(12..20)?;
    Some(Position::from_zxid(u64::from_be_bytes(zxid.try_into().ok()?)))
}

/// A record that is whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Record<'a> {
    pub(super) position: Position,
    pub(super) payload: &'a [u8],
}

impl Record<'_> {
    /// Bytes that it takes in the file.
    pub(super) fn size(&self) -> u64 {
        (OVERHEAD + self.payload.len()) as u64
    }
}

/// The record at `offset`, if there is a whole one that ends at or before `length`. Only those after `floor` count: where nothing is
/// known of what stands there, that spares reading what can be none.
pub(super) fn at<'a, F: DiskFile>(
    window: &'a mut Window<'_, F>,
    offset: u64,
    length: u64,
    floor: Position,
) -> io::Result<Option<Record<'a>>> {
    let head = window.at(offset, UPTO_ZXID)?;
    let Some(size) = plausible(head, floor).filter(|&size| offset + size <= length) else { return Ok(None) };
    let record = window.at(offset, size as usize)?;
    // A file may have become shorter than it said.
    let (Some((head, rest)), true) = (record.split_at_checked(RECORD_HEAD), record.len() as u64 == size) else {
        return Ok(None);
    };
    let (payload, end) = rest.split_at(rest.len() - 1);
    let sum = u64::from(adler32(&payload)).to_be_bytes();
    if end != b"B" || head[..8] != sum {
        return Ok(None);
    }
    Ok(position(payload).map(|position| Record { position, payload }))
}

/// The size of the record that begins with these bytes, if they can begin one.
fn plausible(head: &[u8], floor: Position) -> Option<u64> {
    let length = u32::from_be_bytes(head.get(8..12)?.try_into().ok()?) as usize;
    let zxid = u64::from_be_bytes(head.get(24..32)?.try_into().ok()?);
    let possible = head[..4] == [0; 4] && (PAYLOAD_MIN..=i32::MAX as usize).contains(&length);
    (possible && Position::from_zxid(zxid) > floor).then_some((OVERHEAD + length) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_is_javas_but_for_the_dbid() {
        assert_eq!(author(&head()), Some(Author::Quorate));
        assert_eq!(author(b"ZKLG\0\0\0\x02\0\0\0\0\0\0\0\0"), Some(Author::Other));
        assert_eq!(author(b"ZKSN\0\0\0\x02\0\0\0\0\0\0\0\0"), None);
        assert_eq!(author(b"ZKLG\0\0\0\x02\0\0\0"), None);
    }
}
