//! A keyspace in a data file, on a disk that fails as disks do.

mod keys;
mod memory;
mod workload;

use bytes::Bytes;
use consensus::{Append, Chance, Entry, EntryKind, Persist, Position, Promise, Restore, StateMachine, Ticket};
use keys::{apply, command, everything};
use keyspace::{Command, Keyspace, MemoryValues, PutRequest, ReadPages, Response, Values, Want};
use memory::MemoryDisk;
use std::collections::BTreeMap;
use storage::{
    DataError, DataOptions, KeyspaceStore, Machine, OpenError, Opened, OpenedKeyspace, ReceiveError, open, open_keyspace,
};
use workload::{IDENTITY, SMALL};

/// Little enough that most reads miss memory.
const LITTLE: DataOptions = DataOptions { cache_bytes: 64 << 10, memory_bytes: 2_000 };

fn blank_or_member(disk: &MemoryDisk) -> Option<KeyspaceStore<MemoryDisk>> {
    match open_keyspace(disk.clone(), SMALL, LITTLE) {
        Ok(OpenedKeyspace::Member(store)) => Some(*store),
        Ok(OpenedKeyspace::Blank(_)) => None,
        Err(error) => panic!("{error}"),
    }
}

fn reopen(disk: &MemoryDisk) -> KeyspaceStore<MemoryDisk> {
    blank_or_member(disk).expect("there is a member")
}

fn found(disk: &MemoryDisk) -> Result<KeyspaceStore<MemoryDisk>, DataError> {
    match open_keyspace(disk.clone(), SMALL, LITTLE) {
        Ok(OpenedKeyspace::Blank(blank)) => blank.create_keyspace(IDENTITY, Promise::default(), Vec::new(), LITTLE),
        _ => panic!("there is something"),
    }
}

/// The log of a member as long as its machine is old: the test keeps the commands itself.
fn log_entries(store: &mut KeyspaceStore<MemoryDisk>, upto: u64) {
    let after = store.log.last();
    let entries = (after.index + 1..=upto)
        .map(|index| Entry { position: Position::new(1, index), kind: EntryKind::Command, data: Bytes::from_static(b"x") })
        .collect();
    let append = Some(Append { after, entries });
    store.log.write(&[Persist { ticket: Ticket(1), promise: None, append }]).unwrap();
    store.log.sync().unwrap();
}

/// Hands over what changed and writes it; whether it is durable.
fn flush(machine: &mut Machine<MemoryDisk>) -> bool {
    let flush = machine.flush();
    let written = machine.values().file().write(&flush).is_ok_and(|durable| durable.position() == flush.applied);
    if written {
        machine.flushed();
    }
    written
}

/// A machine in memory that everything is compared with, and what it was after each command.
struct Model {
    machine: Keyspace<MemoryValues>,
    commands: Vec<Command>,
    past: BTreeMap<u64, Vec<Response>>,
    chance: Chance,
}

impl Model {
    fn new(seed: u64) -> Model {
        let machine = Keyspace::new();
        let past = BTreeMap::from([(0, everything(&machine))]);
        Model { machine, commands: Vec::new(), past, chance: Chance::new(seed) }
    }

    fn step(&mut self) -> Command {
        let command = command(&mut self.chance, self.commands.len() as u64, self.machine.revision());
        self.commands.push(command.clone());
        let _ = apply(&mut self.machine, command.clone());
        self.past.insert(self.machine.applied().index, everything(&self.machine));
        command
    }

    /// Sees that a machine is what the model was, and becomes what it is.
    fn check<V: Values>(&self, machine: &mut Keyspace<V>, at_least: u64) {
        let index = machine.applied().index;
        assert!(index >= at_least, "what was durable at {at_least} is found at {index}");
        assert_eq!(everything(machine), self.past[&index], "at {index}");
        for command in &self.commands[index as usize..] {
            let _ = apply(machine, command.clone());
        }
        assert_eq!(everything(machine), self.past[&(self.commands.len() as u64)], "from {index} on");
    }
}

#[test]
fn a_machine_over_a_file_answers_as_one_in_memory() {
    for seed in 0..6 {
        let disk = MemoryDisk::new();
        let mut store = found(&disk).unwrap();
        let mut model = Model::new(seed);
        for step in 0..400 {
            let command = model.step();
            let _ = apply(&mut store.machine, command);
            if model.chance.one_in(1, 12) {
                assert!(flush(&mut store.machine));
            }
            if model.chance.one_in(1, 9) {
                store.machine.sweep(50);
            }
            if step % 7 == 0 {
                assert_eq!(everything(&store.machine), model.past[&model.machine.applied().index]);
            }
            if model.chance.one_in(1, 60) {
                log_entries(&mut store, model.machine.applied().index);
                drop(store);
                store = reopen(&disk);
                model.check(&mut store.machine, 0);
            }
        }
        assert!(store.machine.values().fault().is_none());
        while store.machine.sweep(1_000) {}
        flush(&mut store.machine);
        assert_eq!(everything(&store.machine), model.past[&model.machine.applied().index]);
    }
}

#[test]
fn what_was_flushed_survives_a_power_failure_between_any_two_operations() {
    let mut chance = Chance::new(7);
    let mut images = 0;
    for operations in (0..).step_by(3) {
        let disk = MemoryDisk::new();
        let mut store = found(&disk).unwrap();
        let mut model = Model::new(11);
        log_entries(&mut store, 90);
        disk.die_after(operations);
        let mut durable = 0;
        let mut alive = true;
        for _ in 0..90 {
            let command = model.step();
            let _ = apply(&mut store.machine, command);
            store.machine.sweep(10);
            if model.chance.one_in(1, 15) {
                alive = flush(&mut store.machine);
                if !alive {
                    break;
                }
                durable = store.machine.applied().index;
            }
        }
        drop(store);
        for _ in 0..6 {
            let after = disk.after_power_failure(&mut chance);
            let mut again = reopen(&after);
            model.check(&mut again.machine, durable);
            assert!(flush(&mut again.machine), "and it goes on");
            images += 1;
        }
        if alive {
            break;
        }
    }
    assert!(images > 150, "{images}");
}

#[test]
fn a_sync_that_fails_is_never_taken_for_one_that_did_not() {
    let disk = MemoryDisk::new();
    let mut store = found(&disk).unwrap();
    let mut model = Model::new(3);
    log_entries(&mut store, 60);
    for _ in 0..30 {
        let _ = apply(&mut store.machine, model.step());
    }
    assert!(flush(&mut store.machine));
    for _ in 0..30 {
        let _ = apply(&mut store.machine, model.step());
    }
    disk.fail_syncs();
    let file = store.machine.values().file().clone();
    let lost = store.machine.flush();
    assert!(matches!(file.write(&lost), Err(DataError::Fault(_))));
    assert!(matches!(file.write(&lost), Err(DataError::Fault(_))), "nor later");
    drop((store, file));
    model.check(&mut reopen(&disk.after_the_worst_power_failure()).machine, 30);
}

#[test]
fn no_sector_rots_in_silence() {
    let disk = MemoryDisk::new();
    let mut store = found(&disk).unwrap();
    let mut model = Model::new(5);
    log_entries(&mut store, 300);
    for _ in 0..300 {
        let _ = apply(&mut store.machine, model.step());
        if model.chance.one_in(1, 40) {
            assert!(flush(&mut store.machine));
        }
    }
    assert!(flush(&mut store.machine));
    drop(store);
    let path = "data/keyspace.data";
    let bytes = disk.bytes(path);
    let (mut refused, mut found_later, mut harmless) = (0, 0, 0);
    for sector in 0..bytes.len() / 512 {
        if bytes[sector * 512..(sector + 1) * 512].iter().all(|&byte| byte == 0) {
            continue;
        }
        let copy = disk.copy();
        let zeroed = sector % 5 == 0;
        copy.damage(path, |bytes| {
            if zeroed {
                bytes[sector * 512..(sector + 1) * 512].fill(0);
            } else {
                bytes[sector * 512 + model.chance.below(512) as usize] ^= 1 << model.chance.below(8);
            }
        });
        match open_keyspace(copy.clone(), SMALL, LITTLE) {
            Err(OpenError::Data(DataError::Damaged { file, offset })) => {
                assert_eq!(file, path);
                assert!(offset < bytes.len() as u64);
                refused += 1;
            }
            Err(error) => panic!("sector {sector}: {error}"),
            Ok(OpenedKeyspace::Blank(_)) => panic!("sector {sector}: the member is forgotten"),
            Ok(OpenedKeyspace::Member(store)) => {
                let answers = everything(&store.machine);
                if let Some(fault) = store.machine.values().fault() {
                    let named = matches!(fault, DataError::Damaged { .. } | DataError::Unreadable { .. });
                    assert!(named, "sector {sector}: {fault}");
                    found_later += 1;
                } else {
                    assert_eq!(answers, model.past[&300], "sector {sector}");
                    harmless += 1;
                }
            }
        }
    }
    println!("{refused} refused at the start, {found_later} found by a read, {harmless} of no use any more");
    // In a debug build redb looks at every page when it opens a file.
    assert!(refused + found_later > 300);
}

#[test]
fn a_file_streams_what_it_holds() {
    let disk = MemoryDisk::new();
    let mut store = found(&disk).unwrap();
    let mut model = Model::new(9);
    for round in 0..6 {
        for _ in 0..60 {
            let _ = apply(&mut store.machine, model.step());
        }
        store.machine.sweep(round * 10);
        assert!(flush(&mut store.machine));
        let at = store.machine.applied();
        let mut stream = store.machine.values().file().stream().unwrap();
        // What comes later is not in it.
        let _ = apply(&mut store.machine, model.step());
        assert!(flush(&mut store.machine));
        assert_eq!(stream.head().applied, at);
        let (announced, mut chunks) = (stream.content_bytes(), Vec::new());
        while let Some(chunk) = stream.next_chunk(700).unwrap() {
            chunks.push(chunk);
        }
        assert_eq!(chunks.iter().map(|chunk| chunk.len() as u64).sum::<u64>(), announced);
        let mut restored = Keyspace::<MemoryValues>::restore(&mut chunks.clone().into_iter()).unwrap();
        model.check(&mut restored, at.index);
        let sealed = store.folder.receive("from-2", &mut chunks.into_iter()).unwrap();
        assert_eq!((sealed.position(), everything(sealed.machine())), (at, model.past[&at.index].clone()));
        sealed.discard().unwrap();
    }
    assert_eq!(disk.files("data").len(), 1);
}

/// The snapshot of a machine that is further than any other here.
fn ahead(seed: u64) -> (Model, Vec<Bytes>) {
    let mut model = Model::new(seed);
    for _ in 0..150 {
        model.step();
    }
    let mut cursor = model.machine.begin_snapshot();
    let chunks = std::iter::from_fn(|| model.machine.snapshot_chunk(&mut cursor, 500)).collect();
    model.machine.end_snapshot(cursor);
    (model, chunks)
}

#[test]
fn an_installation_that_was_interrupted_leaves_the_old_state_or_the_new_one() {
    let mut chance = Chance::new(4);
    let (new, chunks) = ahead(21);
    for operations in (0..).step_by(2) {
        let disk = MemoryDisk::new();
        let mut store = found(&disk).unwrap();
        let mut old = Model::new(20);
        log_entries(&mut store, 40);
        for _ in 0..40 {
            let _ = apply(&mut store.machine, old.step());
        }
        assert!(flush(&mut store.machine));
        disk.die_after(operations);
        let installed = match store.folder.receive("from-2", &mut chunks.clone().into_iter()) {
            Ok(sealed) => store.log.install_data(sealed).is_ok(),
            Err(ReceiveError::Data(_)) => false,
            Err(error) => panic!("{error}"),
        };
        drop(store);
        for _ in 0..8 {
            let mut store = reopen(&disk.after_power_failure(&mut chance));
            if store.machine.applied().index == 150 {
                new.check(&mut store.machine, 150);
                assert_eq!((store.recovered.base.index, store.recovered.last), (150, 150));
            } else {
                assert!(!installed, "an installation was forgotten");
                old.check(&mut store.machine, 40);
                assert_eq!(store.recovered.last, 40);
            }
        }
        if installed {
            assert!(operations > 20);
            break;
        }
    }
}

#[test]
fn a_snapshot_that_makes_no_sense_leaves_nothing_behind() {
    let disk = MemoryDisk::new();
    let store = found(&disk).unwrap();
    let (_, chunks) = ahead(2);
    for length in [0, 1, chunks.len() / 2, chunks.len() - 1] {
        let refused = store.folder.receive("from-2", &mut chunks[..length].iter().cloned());
        assert!(matches!(refused, Err(ReceiveError::Restore(_))));
    }
    assert_eq!(disk.files("data").len(), 1);
}

#[test]
fn a_folder_of_snapshots_becomes_one_with_a_data_file() {
    let mut chance = Chance::new(6);
    let (model, chunks) = ahead(31);
    let position = model.machine.applied();
    let disk = MemoryDisk::new();
    let Ok(Opened::Blank(blank)) = open(disk.clone(), SMALL) else { panic!("a blank folder") };
    let mut store = blank.create(IDENTITY, Promise::default(), Vec::new()).unwrap();
    let entries = (1..=160).map(|index| Entry {
        position: Position::new(1, index),
        kind: EntryKind::Command,
        data: Bytes::from(vec![0; 300]),
    });
    let append = Some(Append { after: Position::ZERO, entries: entries.collect() });
    store.log.write(&[Persist { ticket: Ticket(1), promise: None, append }]).unwrap();
    store.log.sync().unwrap();
    let configuration = consensus::Configuration::of([consensus::NodeId(1)]);
    let mut writer = store.snapshots.take(consensus::Snapshot { position, configuration }).unwrap();
    chunks.iter().for_each(|chunk| writer.write(chunk).unwrap());
    let durable = writer.finish().unwrap().publish().unwrap();
    store.log.cut(140, &durable).unwrap();
    assert!(store.log.base().index > 0);
    drop((store, durable));

    for operations in 0.. {
        let copy = disk.after_death();
        copy.die_after(operations);
        let opened = open_keyspace(copy.clone(), SMALL, LITTLE).is_ok();
        for _ in 0..4 {
            let after = copy.after_power_failure(&mut chance);
            let mut store = reopen(&after);
            assert_eq!((store.machine.applied(), store.recovered.last), (position, 160));
            model.check(&mut store.machine, position.index);
            assert!(after.files("snapshot").is_empty());
        }
        if opened {
            assert!(operations > 20);
            break;
        }
    }
}

#[test]
fn a_log_that_begins_behind_the_data_is_refused() {
    let disk = MemoryDisk::new();
    let mut store = found(&disk).unwrap();
    let (_, chunks) = ahead(1);
    let sealed = store.folder.receive("from-2", &mut chunks.into_iter()).unwrap();
    drop(store.log.install_data(sealed).unwrap());
    drop(store);
    let without = disk.copy();
    storage::Disk::remove(&without, "data/keyspace.data").unwrap();
    let refused = open_keyspace(without, SMALL, LITTLE).map(|_| ()).unwrap_err();
    assert!(matches!(refused, OpenError::Gap { base: 150, snapshot: 0 }), "{refused}");
}

#[test]
fn a_log_that_lost_what_the_data_file_holds_is_refused() {
    let disk = MemoryDisk::new();
    let mut store = found(&disk).unwrap();
    let mut model = Model::new(8);
    log_entries(&mut store, 20);
    let older = disk.copy();
    log_entries(&mut store, 60);
    for _ in 0..50 {
        let _ = apply(&mut store.machine, model.step());
    }
    assert!(flush(&mut store.machine));
    drop(store);
    let data = disk.bytes("data/keyspace.data");
    older.damage("data/keyspace.data", |bytes| *bytes = data);
    let refused = open_keyspace(older.after_death(), SMALL, LITTLE).map(|_| ()).unwrap_err();
    assert!(matches!(refused, OpenError::Lost { last: 20, data: 50 }), "{refused}");
    // Of a snapshot that a peer sent the log need not know, until something was written after it.
    let mut store = reopen(&disk);
    let before = disk.copy();
    let (_, chunks) = ahead(1);
    let sealed = store.folder.receive("from-2", &mut chunks.into_iter()).unwrap();
    let mut machine = store.log.install_data(sealed).unwrap();
    let data = disk.bytes("data/keyspace.data");
    before.damage("data/keyspace.data", |bytes| *bytes = data);
    assert_eq!(reopen(&before.after_death()).recovered.base.index, 150);
    assert!(flush(&mut machine));
    let data = disk.bytes("data/keyspace.data");
    before.damage("data/keyspace.data", |bytes| *bytes = data);
    let refused = open_keyspace(before.after_death(), SMALL, LITTLE).map(|_| ()).unwrap_err();
    assert!(matches!(refused, OpenError::Lost { last: 60, data: 150 }), "{refused}");
}

#[test]
fn a_creation_that_was_interrupted_leaves_a_blank_folder_or_a_whole_member() {
    let mut chance = Chance::new(3);
    for operations in 0.. {
        let disk = MemoryDisk::new();
        let Ok(OpenedKeyspace::Blank(blank)) = open_keyspace(disk.clone(), SMALL, LITTLE) else { panic!("a blank folder") };
        disk.die_after(operations);
        let created = blank.create_keyspace(IDENTITY, Promise::default(), Vec::new(), LITTLE).is_ok();
        for _ in 0..5 {
            let after = disk.after_power_failure(&mut chance);
            if blank_or_member(&after).is_none() {
                assert!(!created, "a member was forgotten");
                found(&after).unwrap();
            }
        }
        if created {
            assert!(operations > 20);
            break;
        }
    }
}

#[test]
fn the_same_done_twice_does_the_same_to_the_disk() {
    let run = || {
        let disk = MemoryDisk::new();
        let mut store = found(&disk).unwrap();
        let mut model = Model::new(17);
        log_entries(&mut store, 200);
        for _ in 0..200 {
            let _ = apply(&mut store.machine, model.step());
            if model.chance.one_in(1, 10) {
                assert!(flush(&mut store.machine));
                everything(&store.machine);
            }
        }
        drop(store);
        let mut again = reopen(&disk);
        everything(&again.machine);
        flush(&mut again.machine);
        (disk.operations(), disk.bytes("data/keyspace.data"))
    };
    let (first, second) = (run(), run());
    assert_eq!(first.0, second.0);
    assert!(first.1 == second.1, "the files differ");
}

#[test]
fn a_page_from_before_the_first_revision_holds_all_there_is() {
    let disk = MemoryDisk::new();
    let mut store = found(&disk).unwrap();
    for number in 0..9 {
        let request = PutRequest { key: Bytes::from(vec![number]), ..PutRequest::default() };
        apply(&mut store.machine, Command::Put(request)).unwrap();
    }
    assert!(flush(&mut store.machine));
    for from in [i64::MIN, -1, 0, 1, 2] {
        let want = Want { from, upto: 10, budget: usize::MAX };
        let page = store.machine.values().pages().read(want).unwrap();
        let revisions: Vec<i64> = page.changes.iter().map(|(at, _)| at.main).collect();
        assert_eq!((page.through, revisions), (10, (2..=10).collect()), "from {from}");
    }
}
