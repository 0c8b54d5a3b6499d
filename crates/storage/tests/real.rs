//! A member's folder on the disks of the product and of its tests.

use bytes::Bytes;
use consensus::{Append, Configuration, Entry, EntryKind, NodeId, Persist, Position, Promise, Snapshot, Ticket};
use std::path::PathBuf;
use storage::{Disk, Identity, LogOptions, LossyDisk, OpenError, Opened, RealDisk, Store, open};

const IDENTITY: Identity = Identity(*b"cluster1member01");
const OPTIONS: LogOptions = LogOptions { segment_bytes: 8 << 10, step_bytes: 4 << 10, record_bytes: 1 << 10 };

/// A folder of this test's own, removed when it passes.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("quorate-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn entry(index: u64) -> Entry {
    let data = Bytes::from(index.to_string().repeat(50));
    Entry { position: Position::new(1, index), kind: EntryKind::Command, data }
}

fn write<D: Disk>(store: &mut Store<D>, indexes: std::ops::RangeInclusive<u64>) {
    for index in indexes {
        let after = if index == 1 { Position::ZERO } else { Position::new(1, index - 1) };
        let append = Append { after, entries: vec![entry(index)] };
        let promise = Some(Promise { epoch: 1, ..Promise::default() });
        store.log.write(&[Persist { ticket: Ticket(index), promise, append: Some(append) }]).unwrap();
    }
}

fn reopen<D: Disk>(disk: D) -> Store<D> {
    match open(disk, OPTIONS) {
        Ok(Opened::Member(store)) => *store,
        Ok(Opened::Blank(_)) => panic!("the member is gone"),
        Err(error) => panic!("{error}"),
    }
}

/// A short life: writes, a snapshot, a cut, a restart on a disk as a new process would see it.
fn live<D: Disk>(disk: impl Fn() -> D, forgets: bool) {
    let Ok(Opened::Blank(blank)) = open(disk(), OPTIONS) else { panic!("not blank") };
    assert!(matches!(open(disk(), OPTIONS), Err(OpenError::InUse { .. })));
    let mut store = blank.create(IDENTITY, Promise::default(), Vec::new()).unwrap();
    write(&mut store, 1..=200);
    store.log.sync().unwrap();
    let what = Snapshot { position: Position::new(1, 150), configuration: Configuration::of([NodeId(1)]) };
    let mut writer = store.snapshots.take(what.clone()).unwrap();
    writer.write(b"half ").unwrap();
    writer.write(b"and half").unwrap();
    let durable = writer.finish().unwrap().publish().unwrap();
    store.log.cut(150, &durable).unwrap();
    store.journal.append(7, "led").unwrap();
    write(&mut store, 201..=210);
    drop(store);

    let store = reopen(disk());
    assert_eq!(store.recovered.last, if forgets { 200 } else { 210 });
    assert!(store.recovered.base.index > 100 && store.recovered.base.index <= 150);
    let newest = store.newest.unwrap();
    assert_eq!(*newest.snapshot(), what);
    assert_eq!(newest.read().unwrap().next_chunk().unwrap().unwrap(), "half ");
    let wanted: Vec<Entry> = (151..=200).map(entry).collect();
    assert_eq!(store.log.reader().read(151, 200, 1 << 20).unwrap(), wanted);
}

#[test]
fn a_member_lives_on_the_real_disk() {
    let folder = Folder::new("real");
    live(|| RealDisk::new(&folder.0), false);
    assert_eq!(storage::Journal::tail(&RealDisk::new(&folder.0), 9).unwrap()[0].text, "led");
}

#[test]
fn a_member_on_the_lossy_disk_keeps_what_was_synced_and_no_more() {
    let folder = Folder::new("lossy-member");
    live(|| LossyDisk::new(&folder.0), true);
}
