//! Puts, which are most of what a log holds, between [`PutRequest`] and bytes without a detour.
//!
//! A message that may be any of two dozen requests is a kilobyte in memory, whichever it is: to make one only to take it apart again
//! costs more than all that a put says. So a put is written straight through, and read back by its one usual shape:
//!
//! ```text
//! │ 4: put │ length │ key, value, lease, … │ 100: header │ length │ 1: id │
//! ```
//!
//! Whatever has another shape is none of this file's business: [`decode`] says `None`, and the message is read in full.

use crate::peer::raftpb::{field, open, varint_size};
use bytes::{BufMut, Bytes};
use keyspace::PutRequest;
use std::ops::Range;

/// The number and type of the field `put`.
const PUT: u8 = 4 << 3 | 2;
/// Those of the field `header`: 100 << 3 | 2, as a varint.
const HEADER: [u8; 2] = [0xa2, 0x06];

/// An InternalRaftRequest that holds this put, under this id.
pub(super) fn encode(id: u64, put: &PutRequest) -> Bytes {
    let PutRequest { key, value, lease, prev_kv, ignore_value, ignore_lease } = put;
    // Two's complement, as protobuf has it.
    let lease = *lease as u64;
    let flags = [(4, *prev_kv), (5, *ignore_value), (6, *ignore_lease)];
    let lease_size = if lease == 0 { 0 } else { 1 + varint_size(lease) };
    let set = flags.iter().filter(|(_, set)| *set).count();
    let size = bytes_size(key) + bytes_size(value) + lease_size + 2 * set;
    let header = if id == 0 { 0 } else { 1 + varint_size(id) };
    let mut out = Vec::with_capacity(1 + varint_size(size as u64) + size + HEADER.len() + 1 + header);
    open(4, size, &mut out);
    put_bytes(1, key, &mut out);
    put_bytes(2, value, &mut out);
    if lease != 0 {
        field(3, lease, &mut out);
    }
    for (tag, _) in flags.into_iter().filter(|(_, set)| *set) {
        field(tag, 1, &mut out);
    }
    out.put_slice(&HEADER);
    out.put_u8(header as u8);
    if id != 0 {
        field(1, id, &mut out);
    }
    out.into()
}

fn bytes_size(bytes: &Bytes) -> usize {
    if bytes.is_empty() { 0 } else { 1 + varint_size(bytes.len() as u64) + bytes.len() }
}

fn put_bytes(tag: u8, bytes: &Bytes, out: &mut Vec<u8>) {
    if !bytes.is_empty() {
        open(tag, bytes.len(), out);
        out.put_slice(bytes);
    }
}

/// The id and the put, if this is an InternalRaftRequest of the usual shape with nothing else in it.
pub(super) fn decode(data: &Bytes) -> Option<(u64, PutRequest)> {
    let mut all = Reader { data, at: 0, end: data.len() };
    if all.byte()? != PUT {
        return None;
    }
    let mut fields = all.message()?;
    let mut put = PutRequest::default();
    while !fields.is_empty() {
        match fields.byte()? {
            0x0a => put.key = data.slice(fields.block()?),
            0x12 => put.value = data.slice(fields.block()?),
            0x18 => put.lease = fields.varint()? as i64,
            0x20 => put.prev_kv = fields.flag()?,
            0x28 => put.ignore_value = fields.flag()?,
            0x30 => put.ignore_lease = fields.flag()?,
            _ => return None,
        }
    }
    if [all.byte()?, all.byte()?] != HEADER {
        return None;
    }
    let mut header = all.message()?;
    let id = if header.is_empty() {
        0
    } else if header.byte()? == 0x08 {
        header.varint()?
    } else {
        return None;
    };
    (header.is_empty() && all.is_empty()).then_some((id, put))
}

/// What of a message has not been read yet.
struct Reader<'a> {
    data: &'a [u8],
    at: usize,
    end: usize,
}

impl Reader<'_> {
    fn is_empty(&self) -> bool {
        self.at == self.end
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.data[..self.end].get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut rest = &self.data[self.at..self.end];
        let before = rest.len();
        let value = prost::encoding::decode_varint(&mut rest).ok()?;
        self.at += before - rest.len();
        Some(value)
    }

    /// Other numbers than these two nobody writes.
    fn flag(&mut self) -> Option<bool> {
        match self.byte()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    /// Where the bytes lie whose length comes next.
    fn block(&mut self) -> Option<Range<usize>> {
        let length = usize::try_from(self.varint()?).ok()?;
        let from = self.at;
        let to = from.checked_add(length).filter(|&to| to <= self.end)?;
        self.at = to;
        Some(from..to)
    }

    fn message(&mut self) -> Option<Self> {
        let Range { start, end } = self.block()?;
        Some(Reader { data: self.data, at: start, end })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pb::etcdserverpb::{self as pb, InternalRaftRequest, RequestHeader};
    use proptest::prelude::*;
    use proptest::sample::Index;
    use prost::Message as _;

    fn generated(id: u64, put: &PutRequest) -> InternalRaftRequest {
        let header = Some(RequestHeader { id, ..RequestHeader::default() });
        InternalRaftRequest { header, put: Some(put.into()), ..InternalRaftRequest::default() }
    }

    fn bytes() -> impl Strategy<Value = Bytes> {
        prop_oneof![prop::collection::vec(any::<u8>(), 0..8), prop::collection::vec(any::<u8>(), 120..300)].prop_map(Bytes::from)
    }

    fn put() -> impl Strategy<Value = PutRequest> {
        let lease = prop_oneof![Just(0), any::<i64>()];
        (bytes(), bytes(), lease, any::<[bool; 3]>()).prop_map(|(key, value, lease, [prev_kv, ignore_value, ignore_lease])| {
            PutRequest { key, value, lease, prev_kv, ignore_value, ignore_lease }
        })
    }

    proptest! {
        #[test]
        fn a_put_has_the_bytes_that_generated_code_gives_it(id in prop_oneof![Just(0), any::<u64>()], put in put()) {
            let ours = encode(id, &put);
            prop_assert_eq!(&ours[..], &generated(id, &put).encode_to_vec()[..]);
            prop_assert_eq!(decode(&ours), Some((id, put)));
        }

        #[test]
        fn what_is_read_here_is_what_generated_code_reads(
            put in put(),
            id in any::<u64>(),
            changes in prop::collection::vec((any::<Index>(), any::<u8>()), 0..4),
            cut in prop::option::of(any::<Index>()),
        ) {
            let mut bytes = encode(id, &put).to_vec();
            for (at, to) in changes {
                // Mostly where tags and lengths are.
                let at = at.index(if to % 4 == 0 { bytes.len() } else { bytes.len().min(12) });
                bytes[at] = to;
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            let bytes = Bytes::from(bytes);
            if let Some((id, put)) = decode(&bytes) {
                let read = InternalRaftRequest::decode(bytes).expect("what is taken here is taken there");
                let mut expected = generated(id, &put);
                expected.header = read.header.clone();
                prop_assert_eq!(&read, &expected);
                prop_assert_eq!(read.header, Some(RequestHeader { id, ..RequestHeader::default() }));
            }
        }
    }

    #[test]
    fn what_says_more_is_left_to_others() {
        let put = PutRequest { key: "k".into(), ..PutRequest::default() };
        let plain = generated(7, &put);
        let with_header = |header| InternalRaftRequest { header, ..plain.clone() };
        let others = [
            InternalRaftRequest { id: 7, ..plain.clone() },
            InternalRaftRequest { range: Some(pb::RangeRequest::default()), ..plain.clone() },
            with_header(None),
            with_header(Some(RequestHeader { id: 7, username: "root".into(), auth_revision: 3 })),
            InternalRaftRequest { put: None, ..plain.clone() },
        ];
        for other in others {
            assert_eq!(decode(&other.encode_to_vec().into()), None, "{other:?}");
        }
    }
}
