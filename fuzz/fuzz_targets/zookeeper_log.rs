//! A log in ZooKeeper's format whose bytes rot, whoever wrote it: a start refuses it, or finds a history to go on from, and finds the
//! same at the next start.

#![no_main]

#[path = "../../crates/storage/tests/ledger/mod.rs"]
mod ledger;
#[path = "../../crates/storage/tests/memory/mod.rs"]
mod memory;

use consensus::{Append, Position, Promise};
use ledger::{entry, fill, log_lines, open, persist, stream};
use libfuzzer_sys::fuzz_target;
use memory::MemoryDisk;
use std::sync::LazyLock;
use storage::zookeeper::{Options, Store};

const OPTIONS: Options = Options { preallocate_bytes: 2 << 10, step_bytes: 512, batch_bytes: 512, ..ledger::SMALL };

/// A server with a few log files, a change of epochs, and snapshots.
static SERVER: LazyLock<MemoryDisk> = LazyLock::new(|| {
    let disk = MemoryDisk::new();
    let mut lines = Vec::new();
    for start in 0..3 {
        let mut store = open(&disk, OPTIONS).expect("a disk in memory");
        for number in 1..20 {
            let last = store.log.last();
            let next =
                if number == 7 { Position::new(last.epoch + 1, 1) } else { Position::new(last.epoch.max(1), last.index + 1) };
            lines.push(write(&mut store, next, start * 100 + number));
        }
        let position = store.log.last();
        let writer = store.snapshots.take(position).expect("a disk in memory");
        let sealed = fill(writer, &stream(position, &lines)).expect("a disk in memory").finish().expect("a disk in memory");
        let durable = sealed.publish().expect("a disk in memory");
        if start == 1 {
            store.log.cut(&durable).expect("a disk in memory");
        }
        store.log.close().expect("a disk in memory");
    }
    disk
});

fn write(store: &mut Store<MemoryDisk>, position: Position, number: u64) -> ledger::Line {
    let promise = Promise { epoch: position.epoch, current: position.epoch, ..Promise::default() };
    let append = Append { after: store.log.last(), entries: vec![entry(position, number, 30)] };
    store.log.write(&[persist(number, Some(promise), Some(append))]).expect("a disk in memory");
    store.log.sync().expect("a disk in memory");
    (position, number)
}

/// Each wound: which file, where, how many bytes, and the bytes. File 128 and above are cut instead.
fn wound(disk: &MemoryDisk, mut data: &[u8]) {
    let files = disk.files("version-2");
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
    let disk = SERVER.copy();
    wound(&disk, data);
    let Ok(mut store) = open(&disk, OPTIONS) else { return };
    let mut found = log_lines(&store, 1_000);
    let last = store.recovered.last;
    let epoch = last.epoch.max(store.recovered.promise.epoch) + 1;
    if epoch > u64::from(u32::MAX) {
        return;
    }
    found.push(write(&mut store, Position::new(epoch, 1), 9_999));
    store.log.close().expect("a disk in memory");
    drop((store.lock, store.journal));
    let again = log_lines(&open(&disk, OPTIONS).expect("what was mended a moment ago"), 1_000);
    assert!(found.ends_with(&again) && again.last() == found.last());
});
