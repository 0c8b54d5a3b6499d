//! A keyspace's snapshot: what is accepted is a keyspace whose own snapshot is accepted, too, and tells the same.

#![no_main]

use bytes::Bytes;
use consensus::{Restore, StateMachine};
use keyspace::{Keyspace, Query};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

fn restore(bytes: &[u8], size: usize) -> Option<Keyspace> {
    Keyspace::restore(&mut bytes.chunks(size).map(Bytes::copy_from_slice)).ok()
}

fn taken(keyspace: &mut Keyspace) -> Vec<u8> {
    let mut cursor = keyspace.begin_snapshot();
    let mut bytes = Vec::new();
    while let Some(chunk) = keyspace.snapshot_chunk(&mut cursor, 100) {
        bytes.extend_from_slice(&chunk);
    }
    keyspace.end_snapshot(cursor);
    bytes
}

/// A snapshot of these frames, each given as its kind, its length and its content, with the head and the checksum that no fuzzer
/// finds by itself.
fn framed(mut data: &[u8]) -> Vec<u8> {
    let mut bytes = HEAD.to_vec();
    while let [kind, length, rest @ ..] = data {
        let (content, rest) = rest.split_at(rest.len().min(usize::from(*length)));
        bytes.push(*kind % 10);
        bytes.extend((content.len() as u32).to_le_bytes());
        bytes.extend_from_slice(content);
        data = rest;
    }
    let sum = checksum(&bytes);
    bytes.extend([9, 4, 0, 0, 0]);
    bytes.extend(sum.to_le_bytes());
    bytes
}

/// CRC-32C, bit by bit.
fn checksum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| if sum & 1 == 1 { (sum >> 1) ^ 0x82f6_3b78 } else { sum >> 1 })
    })
}

/// What every snapshot begins with.
static HEAD: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let bytes = taken(&mut Keyspace::new());
    bytes[..HEAD_BYTES].to_vec()
});

/// The magic word and the version.
const HEAD_BYTES: usize = 20;

fuzz_target!(|data: &[u8]| {
    let [size, form, bytes @ ..] = data else { return };
    let bytes = if form & 1 == 0 { framed(bytes) } else { bytes.to_vec() };
    let whole = restore(&bytes, usize::MAX);
    let pieces = restore(&bytes, usize::from(*size) + 1);
    assert_eq!(whole.is_some(), pieces.is_some());
    let Some(mut keyspace) = whole else { return };
    let _ = keyspace.read(Query::HashKv { revision: 0 });
    let bytes = taken(&mut keyspace);
    let mut again = restore(&bytes, 7).expect("what was written a moment ago");
    assert_eq!(taken(&mut again), bytes);
});
