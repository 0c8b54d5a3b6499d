//! A snapshot in ZooKeeper's format: from a leader, who may send anything, and from a file, which may hold anything. What arrives whole
//! is read back as it came.

#![no_main]

#[path = "../../crates/storage/tests/ledger/mod.rs"]
mod ledger;
#[path = "../../crates/storage/tests/memory/mod.rs"]
mod memory;

use consensus::{NodeId, Position};
use libfuzzer_sys::fuzz_target;
use memory::MemoryDisk;
use storage::Disk;
use storage::zookeeper::SnapshotReader;

const NAMES: [&str; 3] = ["snapshot.7", "snapshot.7.gz", "snapshot.7.snappy"];

fn all(mut reader: SnapshotReader<MemoryDisk>) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(chunk) = reader.next_chunk().ok()? {
        bytes.extend(chunk);
    }
    Some(bytes)
}

fuzz_target!(|data: &[u8]| {
    let [form, size, bytes @ ..] = data else { return };
    let disk = MemoryDisk::new();
    disk.create_dir("").expect("a disk in memory");
    if let Some(name) = NAMES.get(usize::from(*form) % 4) {
        disk.put(&format!("version-2/{name}"), bytes);
        let _ = ledger::open(&disk, ledger::SMALL);
        return;
    }
    let store = ledger::open(&disk, ledger::SMALL).expect("a disk in memory");
    let position = Position::new(1, 7);
    let mut receiving = store.snapshots.receive(NodeId(2), position).expect("a disk in memory");
    let mut taken = 0;
    for piece in bytes.chunks(usize::from(*size).max(1)) {
        let Ok(progress) = receiving.write(piece) else { return };
        taken += progress.taken;
        if progress.whole {
            let sealed = receiving.finish().expect("a disk in memory");
            let read = all(sealed.read().expect("a disk in memory")).expect("what was sealed a moment ago");
            assert_eq!(read[..8], position.zxid().to_be_bytes());
            assert_eq!(read[8..], bytes[..taken]);
            return;
        }
        assert_eq!(progress.taken, piece.len());
    }
});
