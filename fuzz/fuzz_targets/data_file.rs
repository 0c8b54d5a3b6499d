//! A data file whose bytes rot: a start refuses it, or every answer is what it was, or a fault is found before an answer leaves.

#![no_main]

#[path = "../../crates/storage/tests/keys/mod.rs"]
mod keys;
#[path = "../../crates/storage/tests/memory/mod.rs"]
mod memory;

use consensus::{Chance, Promise, StateMachine};
use keys::{apply, command, everything};
use keyspace::Response;
use libfuzzer_sys::fuzz_target;
use memory::MemoryDisk;
use std::sync::LazyLock;
use storage::{DataOptions, Identity, LogOptions, OpenedKeyspace, open_keyspace};

const IDENTITY: Identity = Identity(*b"cluster1member01");
const LOG: LogOptions = LogOptions { segment_bytes: 8 << 10, step_bytes: 1 << 10, record_bytes: 600 };
const DATA: DataOptions = DataOptions { cache_bytes: 64 << 10, memory_bytes: 2_000 };
const FILE: &str = "data/keyspace.data";

/// A member, and what it answers. All that it has came as a peer's snapshot, so that its log is empty.
static MEMBER: LazyLock<(MemoryDisk, Vec<Response>)> = LazyLock::new(|| {
    let disk = MemoryDisk::new();
    let Ok(OpenedKeyspace::Blank(blank)) = open_keyspace(disk.clone(), LOG, DATA) else { panic!("a blank folder") };
    let mut store = blank.create_keyspace(IDENTITY, Promise::default(), Vec::new(), DATA).expect("a disk in memory");
    let mut chance = Chance::new(1);
    for number in 0..200 {
        let command = command(&mut chance, number, store.machine.revision());
        let _ = apply(&mut store.machine, command);
    }
    let mut cursor = store.machine.begin_snapshot();
    let mut chunks = Vec::new();
    while let Some(chunk) = store.machine.snapshot_chunk(&mut cursor, 500) {
        chunks.push(chunk);
    }
    store.machine.end_snapshot(cursor);
    let sealed = store.folder.receive("from-2", &mut chunks.into_iter()).expect("a snapshot that was just made");
    drop(store.log.install_data(sealed).expect("a disk in memory"));
    drop(store);
    let Ok(OpenedKeyspace::Member(store)) = open_keyspace(disk.clone(), LOG, DATA) else { panic!("a member") };
    let answers = everything(&store.machine);
    assert!(store.machine.values().fault().is_none());
    drop(store);
    (disk, answers)
});

/// Each wound: where in the file, in steps of its size, how far behind that, and the bytes; or the file is cut there.
fn wound(content: &mut Vec<u8>, mut data: &[u8]) {
    while let [high, low, fine, length, rest @ ..] = data {
        let (bytes, rest) = rest.split_at(rest.len().min(usize::from(length & 31)));
        let step = content.len().div_ceil(1 << 16);
        let at = (usize::from(*high) << 8 | usize::from(*low)) * step + usize::from(*fine);
        if *length == 255 {
            content.truncate(at);
        } else {
            for (place, byte) in content.iter_mut().skip(at).zip(bytes) {
                *place = *byte;
            }
        }
        data = rest;
    }
}

fuzz_target!(|data: &[u8]| {
    let (disk, answers) = &*MEMBER;
    let disk = disk.copy();
    disk.damage(FILE, |content| wound(content, data));
    let Ok(OpenedKeyspace::Member(mut store)) = open_keyspace(disk, LOG, DATA) else { return };
    let found = everything(&store.machine);
    if store.machine.values_mut().take_fault().is_none() {
        assert_eq!(found, *answers);
    }
    let Ok(mut stream) = store.machine.values().file().stream() else { return };
    while let Ok(Some(_)) = stream.next_chunk(1000) {}
});
