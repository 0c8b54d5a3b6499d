//! A record of the log: a promise, a change of the entries, or both.
//!
//! ```text
//!    0 ┌──────────┬──────────┐
//!      │ checksum │ length   │   CRC-32C of everything after it, seeded with identity, segment and offset;
//!    8 ├──────────┴──────────┤   the payload's bytes
//!      │ number              │   counts records through all segments
//!   16 ├─────────────────────┤
//!      │ synced              │   the last record known to be durable when this one was written
//!   24 ├─────────────────────┤
//!      │ payload             │
//!      ├ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ┤
//!      │ zeros               │   to the next multiple of 8
//!      └─────────────────────┘
//!
//!   payload:  flags u8  [epoch, current, committed, vote: u64 each]  [after.epoch u64, after.index u64, count u32, entry…]
//!   entry:    epoch u64, kind u8, length u32, data
//!   flags:    1 a promise follows   2 the promise has a vote   4 an append follows
//! ```
//!
//! The seed makes a record valid in one place of one member's log only: a record that the disk put elsewhere, or that was copied
//! along in somebody's value, is not taken for one.
//!
//! A *mark* is a record without a payload, whose number is the next record's. It says nothing but `synced`.

use crate::identity::Identity;
use bytes::{Buf, BufMut, Bytes};
use consensus::{Entry, EntryKind, NodeId, Position, Promise};

/// Bytes before the payload.
pub(super) const RECORD_HEADER: usize = 24;

/// Records begin at multiples of this.
pub(super) const ALIGN: u64 = 8;

const PROMISE: u8 = 1;
const VOTED: u8 = 2;
const APPEND: u8 = 4;

/// Bytes of an entry beside its data.
const ENTRY_HEADER: usize = 13;

/// What the checksums of a segment's records begin with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seed(u32);

impl Seed {
    /// For the records of one segment.
    pub(super) fn of(identity: Identity, segment: u64) -> Seed {
        Seed(crc32c::crc32c_append(crc32c::crc32c(&identity.0), &segment.to_le_bytes()))
    }

    fn checksum(self, offset: u64, rest: &[u8]) -> u32 {
        crc32c::crc32c_append(crc32c::crc32c_append(self.0, &offset.to_le_bytes()), rest)
    }
}

/// The head of what may be a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Head {
    checksum: u32,
    /// Bytes of payload; 0 in a mark.
    pub(super) length: u32,
    /// Its number.
    pub(super) number: u64,
    /// The last record known to be durable when it was written.
    pub(super) synced: u64,
}

impl Head {
    /// What would be the head of a record that begins with these bytes. `None` if they are too few.
    pub(super) fn decode(mut bytes: &[u8]) -> Option<Head> {
        if bytes.len() < RECORD_HEADER {
            return None;
        }
        let (checksum, length) = (bytes.get_u32_le(), bytes.get_u32_le());
        Some(Head { checksum, length, number: bytes.get_u64_le(), synced: bytes.get_u64_le() })
    }

    /// Bytes from the record's beginning to the next one's.
    pub(super) fn size(&self) -> u64 {
        (RECORD_HEADER as u64 + u64::from(self.length)).next_multiple_of(ALIGN)
    }

    /// Whether `record`, all [`Head::size`] bytes of it, is what was written at `offset`.
    pub(super) fn matches(&self, record: &[u8], seed: Seed, offset: u64) -> bool {
        record.len() as u64 == self.size() && self.checksum == seed.checksum(offset, &record[4..])
    }
}

/// Where a record stands and what it knows, for encoding.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// The segment's seed.
    pub(super) seed: Seed,
    /// The record's offset in the segment.
    pub(super) offset: u64,
    /// Its number.
    pub(super) number: u64,
    /// The last record known to be durable.
    pub(super) synced: u64,
}

/// Appends a record to `buffer`.
pub(super) fn encode(buffer: &mut Vec<u8>, place: Place, promise: Option<&Promise>, append: Option<(Position, &[Entry])>) {
    frame(buffer, place, |buffer| {
        let voted = promise.is_some_and(|promise| promise.vote.is_some());
        let flags = [(promise.is_some(), PROMISE), (voted, VOTED), (append.is_some(), APPEND)];
        buffer.put_u8(flags.iter().filter(|(set, _)| *set).map(|(_, flag)| flag).sum());
        if let Some(promise) = promise {
            buffer.put_u64_le(promise.epoch);
            buffer.put_u64_le(promise.current);
            buffer.put_u64_le(promise.committed);
            buffer.put_u64_le(promise.vote.map_or(0, |vote| vote.0));
        }
        if let Some((after, entries)) = append {
            buffer.put_u64_le(after.epoch);
            buffer.put_u64_le(after.index);
            buffer.put_u32_le(u32::try_from(entries.len()).expect("a record holds few entries"));
            for entry in entries {
                buffer.put_u64_le(entry.position.epoch);
                buffer.put_u8(match entry.kind {
                    EntryKind::Command => 0,
                    EntryKind::Configuration => 1,
                });
                buffer.put_u32_le(u32::try_from(entry.data.len()).expect("an entry is far below 4 GiB"));
                buffer.put_slice(&entry.data);
            }
        }
    });
}

/// Appends a mark to `buffer`.
pub(super) fn encode_mark(buffer: &mut Vec<u8>, place: Place) {
    frame(buffer, place, |_| {});
}

fn frame(buffer: &mut Vec<u8>, place: Place, payload: impl FnOnce(&mut Vec<u8>)) {
    let start = buffer.len();
    buffer.put_bytes(0, 8);
    buffer.put_u64_le(place.number);
    buffer.put_u64_le(place.synced);
    payload(buffer);
    let length = u32::try_from(buffer.len() - start - RECORD_HEADER).expect("a record is far below 4 GiB");
    buffer[start + 4..start + 8].copy_from_slice(&length.to_le_bytes());
    buffer.resize(start + (buffer.len() - start).next_multiple_of(ALIGN as usize), 0);
    let checksum = place.seed.checksum(place.offset, &buffer[start + 4..]);
    buffer[start..start + 4].copy_from_slice(&checksum.to_le_bytes());
}

/// The bytes that an entry takes in a record.
pub(super) fn entry_bytes(entry: &Entry) -> usize {
    ENTRY_HEADER + entry.data.len()
}

/// What a record says.
#[derive(Debug)]
pub(super) struct Payload<'a> {
    /// A promise.
    pub(super) promise: Option<Promise>,
    /// A change of the entries.
    pub(super) append: Option<Appended<'a>>,
}

/// A change of the entries.
#[derive(Debug)]
pub(super) struct Appended<'a> {
    /// What was held after this position was cut off.
    pub(super) after: Position,
    /// How many entries follow.
    pub(super) count: u32,
    entries: &'a [u8],
}

/// An entry, still in the record's bytes.
#[derive(Debug)]
pub(super) struct EntryBytes<'a> {
    pub(super) position: Position,
    kind: EntryKind,
    data: &'a [u8],
}

impl<'a> Payload<'a> {
    /// Reads a payload whose checksum was right. `None` if it was not written by this format's rules.
    pub(super) fn decode(mut bytes: &'a [u8]) -> Option<Payload<'a>> {
        let flags = bytes.try_get_u8().ok()?;
        let mut payload = Payload { promise: None, append: None };
        if flags & PROMISE != 0 {
            let (epoch, current) = (bytes.try_get_u64_le().ok()?, bytes.try_get_u64_le().ok()?);
            let (committed, vote) = (bytes.try_get_u64_le().ok()?, bytes.try_get_u64_le().ok()?);
            let vote = (flags & VOTED != 0).then_some(NodeId(vote));
            payload.promise = Some(Promise { epoch, current, vote, committed });
        }
        if flags & APPEND != 0 {
            let after = Position { epoch: bytes.try_get_u64_le().ok()?, index: bytes.try_get_u64_le().ok()? };
            let count = bytes.try_get_u32_le().ok()?;
            payload.append = Some(Appended { after, count, entries: bytes });
            bytes = &[];
        }
        bytes.is_empty().then_some(payload)
    }
}

impl<'a> Appended<'a> {
    /// The entries, in order; an item that is `None` is the last and says that the bytes make no sense.
    pub(super) fn entries(&self) -> impl Iterator<Item = Option<EntryBytes<'a>>> {
        let (mut bytes, mut left, mut index) = (self.entries, self.count, self.after.index);
        std::iter::from_fn(move || {
            if left == 0 {
                return if std::mem::take(&mut bytes).is_empty() { None } else { Some(None) };
            }
            (left, index) = (left - 1, index.checked_add(1)?);
            let entry = EntryBytes::decode(&mut bytes, index);
            if entry.is_none() {
                (left, bytes) = (0, &[]);
            }
            Some(entry)
        })
    }
}

impl<'a> EntryBytes<'a> {
    fn decode(bytes: &mut &'a [u8], index: u64) -> Option<EntryBytes<'a>> {
        let epoch = bytes.try_get_u64_le().ok()?;
        let kind = match bytes.try_get_u8().ok()? {
            0 => EntryKind::Command,
            1 => EntryKind::Configuration,
            _ => return None,
        };
        let length = bytes.try_get_u32_le().ok()? as usize;
        let (data, rest) = bytes.split_at_checked(length)?;
        *bytes = rest;
        Some(EntryBytes { position: Position { epoch, index }, kind, data })
    }

    /// Bytes of data.
    pub(super) fn data_len(&self) -> usize {
        self.data.len()
    }

    /// A copy that stands by itself.
    pub(super) fn to_entry(&self) -> Entry {
        Entry { position: self.position, kind: self.kind, data: Bytes::copy_from_slice(self.data) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(offset: u64) -> Place {
        Place { seed: Seed::of(Identity([1; 16]), 3), offset, number: 8, synced: 5 }
    }

    #[test]
    fn a_record_reads_back() {
        let promise = Promise { epoch: 4, current: 1, vote: Some(NodeId(2)), committed: 9 };
        let entry = |epoch, index, kind, data: &'static str| Entry {
            position: Position::new(epoch, index),
            kind,
            data: Bytes::from_static(data.as_bytes()),
        };
        let entries = [entry(3, 11, EntryKind::Command, "put"), entry(4, 12, EntryKind::Configuration, "")];
        let mut buffer = Vec::new();
        encode(&mut buffer, place(512), Some(&promise), Some((Position::new(3, 10), &entries)));

        let head = Head::decode(&buffer).unwrap();
        assert_eq!((head.number, head.synced, head.size()), (8, 5, buffer.len() as u64));
        assert!(head.matches(&buffer, place(512).seed, 512));
        let payload = Payload::decode(&buffer[RECORD_HEADER..RECORD_HEADER + head.length as usize]).unwrap();
        assert_eq!(payload.promise, Some(promise));
        let append = payload.append.unwrap();
        assert_eq!((append.after, append.count), (Position::new(3, 10), 2));
        let read: Vec<Entry> = append.entries().map(|entry| entry.unwrap().to_entry()).collect();
        assert_eq!(read, entries);
    }

    #[test]
    fn a_record_is_valid_in_its_own_place_only() {
        let mut buffer = Vec::new();
        encode(&mut buffer, place(512), Some(&Promise::default()), None);
        let head = Head::decode(&buffer).unwrap();
        assert!(head.matches(&buffer, place(512).seed, 512));
        assert!(!head.matches(&buffer, place(512).seed, 520));
        assert!(!head.matches(&buffer, Seed::of(Identity([1; 16]), 4), 512));
        assert!(!head.matches(&buffer, Seed::of(Identity([2; 16]), 3), 512));
    }

    #[test]
    fn no_flipped_bit_goes_unnoticed() {
        let mut buffer = Vec::new();
        encode(&mut buffer, place(512), Some(&Promise::default()), None);
        for bit in 0..buffer.len() * 8 {
            let mut damaged = buffer.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let head = Head::decode(&damaged).unwrap();
            assert!(!head.matches(&damaged, place(512).seed, 512), "bit {bit}");
        }
    }

    #[test]
    fn a_count_that_the_bytes_do_not_bear_out_is_refused() {
        let append = Appended { after: Position::ZERO, count: u32::MAX, entries: &[0; 20] };
        assert_eq!(append.entries().map(|entry| entry.is_some()).collect::<Vec<_>>(), [true, false]);
        let append = Appended { after: Position::ZERO, count: 1, entries: &[0; 20] };
        assert_eq!(append.entries().map(|entry| entry.is_some()).collect::<Vec<_>>(), [true, false]);
    }
}
