//! Entries of the log: what is understood can be written again and means the same, and the state machine takes all of it, in any
//! order, and can be taken apart and put together again afterwards.

#![no_main]

use bytes::Bytes;
use consensus::{EntryKind, Position, Restore, StateMachine};
use etcd::codec::{decode_data, encode};
use keyspace::{Command, Keyspace};
use libfuzzer_sys::fuzz_target;

/// Each entry behind its kind and a length of one byte.
fn entries(mut data: &[u8]) -> Vec<(EntryKind, Bytes)> {
    let mut entries = Vec::new();
    while let [kind, length, rest @ ..] = data {
        let (entry, rest) = rest.split_at(rest.len().min(usize::from(*length)));
        let kind = if kind % 4 == 0 { EntryKind::Configuration } else { EntryKind::Command };
        entries.push((kind, Bytes::copy_from_slice(entry)));
        data = rest;
    }
    entries
}

fn restored(keyspace: &mut Keyspace) -> Keyspace {
    let mut cursor = keyspace.begin_snapshot();
    let mut chunks = Vec::new();
    while let Some(chunk) = keyspace.snapshot_chunk(&mut cursor, 64) {
        chunks.push(chunk);
    }
    keyspace.end_snapshot(cursor);
    Keyspace::restore(&mut chunks.into_iter()).expect("what was written a moment ago")
}

fuzz_target!(|data: &[u8]| {
    let mut keyspace = Keyspace::new();
    for (index, (kind, data)) in (1..).zip(entries(data)) {
        let position = Position::new(1, index);
        let Ok(decoded) = decode_data(kind, &data) else { continue };
        let Some(command) = decoded.command else {
            keyspace.skip(position);
            continue;
        };
        if !matches!(command, Command::Unsupported(_)) {
            let again = decode_data(kind, &encode(decoded.id.unwrap_or(7), &command)).expect("what was written a moment ago");
            assert_eq!(again.command.as_ref(), Some(&command));
        }
        let _ = keyspace.apply(position, command, &mut Vec::new());
    }
    let mut copy = restored(&mut keyspace);
    assert_eq!((copy.applied(), copy.revision()), (keyspace.applied(), keyspace.revision()));
    assert_eq!(restored(&mut copy).applied(), keyspace.applied());
});
