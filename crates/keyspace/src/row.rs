//! Changes and leases as rows of a data file.
//!
//! ```text
//!   change     kind u8, then what follows the revision in a snapshot's frame of that kind
//!   mark       kind u8; of a put: created, version, lease as varints; then the key to the end
//!   lease      what follows the id in a snapshot's frame
//!   head       the beginning of a snapshot: everything up to the first lease
//! ```
//!
//! A mark is what the index must know of a change, so that a start reads no values. The rows of a file, put together, make a snapshot:
//! the head, leases ([`lease_frame`]), changes ([`change_frame`]), the end ([`snapshot_end`]).
//!
//! Rows carry no checksum: whoever keeps them does. What cannot be understood is `None`.

use crate::history::Mark;
use crate::leases::Terms;
use crate::snapshot::{frame, kind, text};
use crate::varint::{put_varint, take_varint};
use crate::{Change, KeyValue, Revision};
use alloc::vec::Vec;
use bytes::{Buf, BufMut, Bytes};

/// Appends a change.
pub fn encode_change(change: &Change, out: &mut Vec<u8>) {
    match change {
        Change::Put(kv) => {
            out.push(kind::PUT);
            out.put_i64_le(kv.create_revision);
            out.put_i64_le(kv.version);
            out.put_i64_le(kv.lease);
            text(&kv.key, out);
            text(&kv.value, out);
        }
        Change::Delete { key } => {
            out.push(kind::DELETION);
            text(key, out);
        }
    }
}

/// The change at `at`. It shares the row's memory.
pub fn decode_change(at: Revision, mut row: Bytes) -> Option<Change> {
    let change = match row.try_get_u8().ok()? {
        kind::PUT => {
            let create_revision = row.try_get_i64_le().ok()?;
            let version = row.try_get_i64_le().ok()?;
            let lease = row.try_get_i64_le().ok()?;
            let key = take_text(&mut row)?;
            let value = take_text(&mut row)?;
            Change::Put(KeyValue { key, create_revision, mod_revision: at.main, version, value, lease })
        }
        kind::DELETION => Change::Delete { key: take_text(&mut row)? },
        _ => return None,
    };
    row.is_empty().then_some(change)
}

fn take_text(row: &mut Bytes) -> Option<Bytes> {
    let length = row.try_get_u32_le().ok()? as usize;
    (length <= row.len()).then(|| row.split_to(length))
}

/// Appends the mark of a change.
pub fn encode_mark(change: &Change, out: &mut Vec<u8>) {
    match change {
        Change::Put(kv) => {
            out.push(kind::PUT);
            for number in [kv.create_revision, kv.version, kv.lease] {
                put_varint(number as u64, out);
            }
            out.extend_from_slice(&kv.key);
        }
        Change::Delete { key } => {
            out.push(kind::DELETION);
            out.extend_from_slice(key);
        }
    }
}

/// What a mark at `at` says: the mark, the lease and the key.
pub(crate) fn decode_mark(at: Revision, mut row: &[u8]) -> Option<(Mark, i64, &[u8])> {
    match row.try_get_u8().ok()? {
        kind::PUT => {
            let created = take_varint(&mut row)? as i64;
            let version = take_varint(&mut row)? as i64;
            let lease = take_varint(&mut row)? as i64;
            let possible = (1..=at.main).contains(&created) && version > 0;
            possible.then_some((Mark { at, created, version }, lease, row))
        }
        kind::DELETION => Some((Mark::deletion(at), 0, row)),
        _ => None,
    }
}

pub(crate) fn encode_lease(terms: Terms, out: &mut Vec<u8>) {
    out.put_i64_le(terms.ttl);
    out.put_i64_le(terms.remaining_ttl);
}

pub(crate) fn decode_lease(mut row: &[u8]) -> Option<Terms> {
    let terms = Terms { ttl: row.try_get_i64_le().ok()?, remaining_ttl: row.try_get_i64_le().ok()? };
    row.is_empty().then_some(terms)
}

/// Appends a lease's row as a snapshot's frame.
pub fn lease_frame(id: i64, row: &[u8], out: &mut Vec<u8>) {
    frame(kind::LEASE, out, |out| {
        out.put_i64_le(id);
        out.extend_from_slice(row);
    });
}

/// Appends a change's row as a snapshot's frame.
pub fn change_frame(at: Revision, row: &[u8], out: &mut Vec<u8>) {
    let Some((&kind, rest)) = row.split_first() else { return };
    frame(kind, out, |out| {
        out.put_i64_le(at.main);
        out.put_i64_le(at.sub);
        out.extend_from_slice(rest);
    });
}

/// How long a lease's row is as a frame.
pub fn lease_frame_bytes(row: &[u8]) -> u64 {
    13 + row.len() as u64
}

/// How long a change's row is as a frame.
pub fn change_frame_bytes(row: &[u8]) -> u64 {
    20 + row.len() as u64
}

/// Appends the last frame of a snapshot: the CRC-32C of everything before it.
pub fn snapshot_end(checksum: u32, out: &mut Vec<u8>) {
    frame(kind::END, out, |out| out.put_u32_le(checksum));
}

/// How long that is.
pub const SNAPSHOT_END_BYTES: u64 = 9;

#[cfg(test)]
mod tests {
    use super::*;

    fn changes() -> [Change; 2] {
        let kv = KeyValue {
            key: Bytes::from_static(b"key"),
            create_revision: 300,
            mod_revision: 1 << 40,
            version: 2,
            value: Bytes::from_static(b"value"),
            lease: -7,
        };
        [Change::Put(kv), Change::Delete { key: Bytes::from_static(b"gone") }]
    }

    #[test]
    fn a_row_says_what_the_change_said() {
        let at = Revision::new(1 << 40, 3);
        for change in changes() {
            let (mut row, mut mark) = (Vec::new(), Vec::new());
            encode_change(&change, &mut row);
            assert_eq!(decode_change(at, row.clone().into()), Some(change.clone()));
            encode_mark(&change, &mut mark);
            let (found, lease, key) = decode_mark(at, &mark).unwrap();
            assert_eq!((found.at, key), (at, &change.key()[..]));
            if let Change::Put(kv) = &change {
                assert_eq!((found.created, found.version, lease), (kv.create_revision, kv.version, kv.lease));
            }
            let mut out = Vec::new();
            change_frame(at, &row, &mut out);
            assert_eq!(out.len() as u64, change_frame_bytes(&row));
        }
        let (mut row, mut out) = (Vec::new(), Vec::new());
        encode_lease(Terms { ttl: 60, remaining_ttl: 5 }, &mut row);
        assert_eq!(decode_lease(&row), Some(Terms { ttl: 60, remaining_ttl: 5 }));
        lease_frame(7, &row, &mut out);
        assert_eq!(out.len() as u64, lease_frame_bytes(&row));
        out.clear();
        snapshot_end(1, &mut out);
        assert_eq!(out.len() as u64, SNAPSHOT_END_BYTES);
    }

    #[test]
    fn a_part_of_a_row_is_no_row() {
        for change in changes() {
            let mut row = Vec::new();
            encode_change(&change, &mut row);
            for length in 0..row.len() {
                assert_eq!(decode_change(Revision::new(1 << 40, 0), Bytes::copy_from_slice(&row[..length])), None);
            }
            row.push(0);
            assert_eq!(decode_change(Revision::new(1 << 40, 0), row.into()), None);
        }
    }
}
