//! A log whose bytes rot: a start refuses it, or finds a log to go on from, and finds the same at the next start.

#![no_main]

#[path = "../../crates/storage/tests/memory/mod.rs"]
mod memory;

use bytes::Bytes;
use consensus::{Append, Entry, EntryKind, Persist, Position, Promise, Ticket};
use libfuzzer_sys::fuzz_target;
use memory::MemoryDisk;
use std::sync::LazyLock;
use storage::{Disk, Identity, Log, LogOptions};

const IDENTITY: Identity = Identity(*b"cluster1member01");
const OPTIONS: LogOptions = LogOptions { segment_bytes: 2 << 10, step_bytes: 512, record_bytes: 300 };

/// A log of a few segments, with a truncation in it.
static LOG: LazyLock<MemoryDisk> = LazyLock::new(|| {
    let disk = MemoryDisk::new();
    disk.create_dir("").expect("a disk in memory");
    let mut log = Log::create(&disk, OPTIONS, IDENTITY, Position::ZERO, Promise::default()).expect("a disk in memory");
    let mut after = Position::ZERO;
    for ticket in 1..60 {
        if ticket == 40 {
            after = Position::new(after.epoch, after.index - 1);
        }
        after = write(&mut log, ticket, after, 1 + ticket / 20);
    }
    log.close().expect("a disk in memory");
    disk
});

fn write(log: &mut Log<MemoryDisk>, ticket: u64, after: Position, term: u64) -> Position {
    let position = Position::new(term, after.index + 1);
    let entry = Entry { position, kind: EntryKind::Command, data: Bytes::from(vec![ticket as u8; 40]) };
    let promise = Promise { epoch: term, committed: after.index.saturating_sub(2), ..Promise::default() };
    let append = Append { after, entries: vec![entry] };
    log.write(&[Persist { ticket: Ticket(ticket), promise: Some(promise), append: Some(append) }]).expect("a disk in memory");
    log.sync().expect("a disk in memory");
    position
}

fn entries(log: &Log<MemoryDisk>) -> Vec<Entry> {
    let reader = log.reader();
    let mut all = Vec::new();
    let mut next = log.base().index + 1;
    while next <= log.last().index {
        let read = reader.read(next, log.last().index, 1000).expect("what a start has looked at");
        assert!(!read.is_empty(), "entry {next} of {} is gone", log.last());
        next += read.len() as u64;
        all.extend(read);
    }
    all
}

/// Each wound: which file, where, how many bytes, and the bytes. File 255 is cut instead.
fn wound(disk: &MemoryDisk, mut data: &[u8]) {
    let files = disk.files("log");
    while let [file, high, low, length, rest @ ..] = data {
        let (bytes, rest) = rest.split_at(rest.len().min(usize::from(*length)));
        let path = &files[usize::from(*file) % files.len()];
        let at = usize::from(*high) << 8 | usize::from(*low);
        disk.damage(path, |content| {
            if *file >= 128 {
                content.truncate(at);
            } else {
                for (place, byte) in content.iter_mut().skip(at).zip(bytes) {
                    *place = *byte;
                }
            }
        });
        data = rest;
    }
}

fuzz_target!(|data: &[u8]| {
    let disk = LOG.copy();
    wound(&disk, data);
    let Ok(mut log) = Log::open(&disk, OPTIONS, IDENTITY) else { return };
    let found = entries(&log);
    let last = log.last();
    let (term, promise) = (last.epoch.max(log.promise().epoch).saturating_add(1), log.promise());
    if last.index > u64::MAX / 2 || term > u64::MAX / 2 || promise.committed > last.index {
        return;
    }
    write(&mut log, 1000, last, term);
    log.close().expect("a disk in memory");
    let log = Log::open(&disk, OPTIONS, IDENTITY).expect("what was mended a moment ago");
    let again = entries(&log);
    assert_eq!(again[..again.len() - 1], found);
});
