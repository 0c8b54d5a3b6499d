//! A member's folder as a whole, on a disk that fails as disks do.

mod memory;
mod workload;

use bytes::Bytes;
use consensus::{Append, Chance, Configuration, Entry, EntryKind, NodeId, Persist, Position, Promise, Snapshot, Ticket};
use memory::MemoryDisk;
use storage::{Blank, Journal, LogOptions, OpenError, Opened, SealedSnapshot, SnapshotError, Snapshots, Store, open};
use workload::{IDENTITY, SMALL, State, Writer};

const PROMISE: Promise = Promise { epoch: 1, current: 0, vote: None, committed: 0 };

fn entry(epoch: u64, index: u64) -> Entry {
    let data = Bytes::from(format!("entry {index} of {epoch} {}", "x".repeat(100)));
    Entry { position: Position::new(epoch, index), kind: EntryKind::Command, data }
}

fn blank(disk: &MemoryDisk) -> Blank<MemoryDisk> {
    match open(disk.clone(), SMALL) {
        Ok(Opened::Blank(blank)) => blank,
        Ok(Opened::Member(_)) => panic!("there is a member already"),
        Err(error) => panic!("{error}"),
    }
}

fn reopen(disk: &MemoryDisk) -> Store<MemoryDisk> {
    match open(disk.clone(), SMALL) {
        Ok(Opened::Member(store)) => *store,
        Ok(Opened::Blank(_)) => panic!("the member is gone"),
        Err(error) => panic!("{error}"),
    }
}

fn refusal(disk: &MemoryDisk) -> OpenError {
    open(disk.clone(), SMALL).map(|_| ()).unwrap_err()
}

fn content(position: Position) -> Vec<Vec<u8>> {
    (0..5).map(|piece| format!("piece {piece} of {position} ").repeat(piece * 40).into_bytes()).collect()
}

fn standing_for(position: Position) -> Snapshot {
    Snapshot { position, configuration: Configuration::of((1..=3).map(NodeId)) }
}

fn seal(snapshots: &Snapshots<MemoryDisk>, position: Position) -> Result<SealedSnapshot<MemoryDisk>, storage::Fault> {
    let mut writer = snapshots.receive(NodeId(2), standing_for(position))?;
    for piece in content(position) {
        writer.write(&piece)?;
    }
    writer.finish()
}

fn check_snapshot(store: &Store<MemoryDisk>) -> Position {
    let Some(newest) = &store.newest else { return Position::ZERO };
    let position = newest.snapshot().position;
    assert_eq!(*newest.snapshot(), standing_for(position));
    let mut reader = newest.read().unwrap();
    let wanted = content(position).concat();
    assert_eq!(reader.content_bytes(), wanted.len() as u64);
    let mut read = Vec::new();
    while let Some(piece) = reader.next_chunk().unwrap() {
        read.extend(piece);
    }
    assert_eq!(read, wanted);
    position
}

/// A member whose log holds entries 1 to `last` of epoch 1.
fn member(disk: &MemoryDisk, last: u64) -> Store<MemoryDisk> {
    let mut store = blank(disk).create(IDENTITY, PROMISE, vec![entry(1, 1)]).unwrap();
    for index in 2..=last {
        let append = Append { after: Position::new(1, index - 1), entries: vec![entry(1, index)] };
        store.log.write(&[Persist { ticket: Ticket(index), promise: None, append: Some(append) }]).unwrap();
    }
    store.log.sync().unwrap();
    store
}

#[test]
fn a_new_member_knows_from_its_first_start_what_it_was_created_with() {
    let disk = MemoryDisk::new();
    let created = blank(&disk).create(IDENTITY, PROMISE, vec![entry(1, 1), entry(1, 2)]).unwrap();
    let recovered = created.recovered.clone();
    assert_eq!((recovered.promise, recovered.last, &recovered.terms[..]), (PROMISE, 2, &[(1, 1)][..]));
    drop(created);
    let store = reopen(&disk.after_power_failure(&mut Chance::new(1)));
    assert_eq!((store.identity, store.recovered), (IDENTITY, recovered));
    assert_eq!(store.log.reader().read(1, 2, 1 << 20).unwrap(), [entry(1, 1), entry(1, 2)]);
}

#[test]
fn a_creation_that_was_interrupted_leaves_a_blank_folder_or_a_whole_member() {
    let mut chance = Chance::new(3);
    for operations in 0.. {
        let disk = MemoryDisk::new();
        let blank = blank(&disk);
        disk.die_after(operations);
        let created = blank.create(IDENTITY, PROMISE, vec![entry(1, 1)]).is_ok();
        for _ in 0..30 {
            let after = disk.after_power_failure(&mut chance);
            match open(after.clone(), SMALL).unwrap() {
                Opened::Blank(blank) => {
                    assert!(!created, "a member was forgotten");
                    blank.create(IDENTITY, PROMISE, vec![entry(1, 1)]).unwrap();
                    assert_eq!(reopen(&after).recovered.last, 1);
                }
                Opened::Member(store) => assert_eq!((store.recovered.promise, store.recovered.last), (PROMISE, 1)),
            }
        }
        if created {
            assert!(operations > 10);
            break;
        }
    }
}

#[test]
fn an_installation_that_was_interrupted_leaves_the_old_state_or_the_new_one() {
    let mut chance = Chance::new(4);
    let far = Position::new(3, 500);
    for operations in 0.. {
        let disk = MemoryDisk::new();
        let mut store = member(&disk, 100);
        let sealed = seal(&store.snapshots, far).unwrap();
        let promise = Promise { epoch: 4, vote: Some(NodeId(2)), ..PROMISE };
        store.log.write(&[Persist { ticket: Ticket(1), promise: Some(promise), append: None }]).unwrap();
        disk.die_after(operations);
        let installed = store.log.install(sealed).is_ok();
        if installed {
            assert_eq!((store.log.base(), store.log.last()), (far, far));
        }
        for _ in 0..30 {
            let after = disk.after_power_failure(&mut chance);
            let store = reopen(&after);
            let position = check_snapshot(&store);
            if position == far {
                assert_eq!((store.recovered.base, store.recovered.last, &store.recovered.terms[..]), (far, 500, &[][..]));
                assert_eq!(store.recovered.promise, Promise { committed: 500, ..promise });
                assert_eq!(after.files("log").len(), 1);
            } else {
                assert!(!installed, "an installed snapshot was forgotten");
                assert_eq!((position, store.recovered.base, store.recovered.last), (Position::ZERO, Position::ZERO, 100));
            }
        }
        if installed {
            assert!(operations > 5);
            break;
        }
    }
}

#[test]
fn a_cut_that_was_interrupted_loses_nothing_above_it() {
    let mut chance = Chance::new(5);
    for operations in 0.. {
        let disk = MemoryDisk::new();
        let mut store = member(&disk, 300);
        let taken = Position::new(1, 250);
        let durable = seal(&store.snapshots, taken).unwrap().publish().unwrap();
        let segments = disk.files("log").len();
        disk.die_after(operations);
        let cut = store.log.cut(200, &durable).is_ok();
        if cut {
            assert!(store.log.base().index <= 200 && disk.files("log").len() < segments);
            assert!(store.log.reader().read(1, 10, 100).unwrap().is_empty());
        }
        for _ in 0..20 {
            let store = reopen(&disk.after_power_failure(&mut chance));
            assert_eq!(check_snapshot(&store), taken);
            assert!(store.recovered.base.index <= 200 && store.recovered.promise == PROMISE);
            let state = State::of(&store.log);
            let wanted: Vec<Entry> = (store.recovered.base.index + 1..=300).map(|index| entry(1, index)).collect();
            assert_eq!(state.entries, wanted);
        }
        if cut {
            assert!(operations > 4);
            break;
        }
    }
}

#[test]
#[should_panic(expected = "never cut above what is durable elsewhere")]
fn the_log_is_never_cut_above_a_durable_snapshot() {
    let mut store = member(&MemoryDisk::new(), 100);
    let durable = seal(&store.snapshots, Position::new(1, 50)).unwrap().publish().unwrap();
    let _ = store.log.cut(51, &durable);
}

#[test]
fn a_log_that_begins_behind_the_snapshot_is_refused() {
    let disk = MemoryDisk::new();
    let mut store = member(&disk, 300);
    let durable = seal(&store.snapshots, Position::new(1, 250)).unwrap().publish().unwrap();
    store.log.cut(250, &durable).unwrap();
    drop(store);
    let path = &disk.files("snapshot")[0];
    disk.damage(path, |bytes| *bytes.last_mut().unwrap() ^= 1);
    let error = refusal(&disk);
    assert!(matches!(error, OpenError::Snapshot(SnapshotError::Damaged { .. })), "{error}");
    storage::Disk::remove(&disk, path).unwrap();
    let error = refusal(&disk);
    assert!(matches!(error, OpenError::Gap { snapshot: 0, .. }), "{error}");
}

#[test]
fn an_older_snapshot_serves_while_the_log_reaches_back_to_it() {
    let disk = MemoryDisk::new();
    let store = member(&disk, 100);
    for index in [20, 60] {
        seal(&store.snapshots, Position::new(1, index)).unwrap().publish().unwrap();
    }
    drop(store);
    let newest = disk.files("snapshot").pop().unwrap();
    disk.damage(&newest, |bytes| *bytes.last_mut().unwrap() ^= 1);
    let store = reopen(&disk);
    assert_eq!(check_snapshot(&store), Position::new(1, 20));
    assert_eq!(store.recovered.last, 100);
}

#[test]
fn damage_within_a_snapshot_is_named_by_its_place() {
    let disk = MemoryDisk::new();
    let store = member(&disk, 10);
    let durable = seal(&store.snapshots, Position::new(1, 5)).unwrap().publish().unwrap();
    let path = disk.files("snapshot")[0].clone();
    let length = disk.bytes(&path).len();
    for byte in 0..length {
        disk.damage(&path, |bytes| bytes[byte] ^= 4);
        let mut read = Vec::new();
        let outcome = durable.read().and_then(|mut reader| {
            while let Some(piece) = reader.next_chunk()? {
                read.extend(piece);
            }
            Ok(())
        });
        let whole = content(Position::new(1, 5)).concat();
        assert!(whole.starts_with(&read), "byte {byte}: a damaged piece was handed out");
        match outcome {
            Err(SnapshotError::Damaged { offset, .. }) => assert!(offset <= byte as u64),
            other => panic!("byte {byte}: {other:?}"),
        }
        disk.damage(&path, |bytes| bytes[byte] ^= 4);
    }
}

#[test]
fn what_is_left_of_unfinished_snapshots_is_removed() {
    let disk = MemoryDisk::new();
    let store = member(&disk, 10);
    drop(seal(&store.snapshots, Position::new(1, 5)).unwrap());
    drop(store.snapshots.take(standing_for(Position::new(1, 6))).unwrap());
    assert_eq!(disk.files("snapshot").len(), 2);
    drop(store);
    assert!(reopen(&disk).newest.is_none());
    assert!(disk.files("snapshot").is_empty());
}

#[test]
fn a_snapshot_that_is_being_read_outlives_its_removal() {
    let disk = MemoryDisk::new();
    let store = member(&disk, 10);
    let old = seal(&store.snapshots, Position::new(1, 5)).unwrap().publish().unwrap();
    let mut reader = old.read().unwrap();
    seal(&store.snapshots, Position::new(1, 9)).unwrap().publish().unwrap();
    store.snapshots.remove_older(1).unwrap();
    assert_eq!(disk.files("snapshot").len(), 1);
    while reader.next_chunk().unwrap().is_some() {}
}

#[test]
fn after_a_failed_sync_the_log_refuses_everything() {
    let disk = MemoryDisk::new();
    let mut store = member(&disk, 3);
    let persist = Persist { ticket: Ticket(9), promise: Some(PROMISE), append: None };
    store.log.write(std::slice::from_ref(&persist)).unwrap();
    disk.fail_syncs();
    assert!(store.log.sync().is_err());
    let error = store.log.sync().unwrap_err();
    assert_eq!(error.action, storage::Action::Continue, "a sync is never tried again");
    assert!(store.log.write(&[persist]).is_err());
}

#[test]
fn two_processes_cannot_open_one_folder() {
    let disk = MemoryDisk::new();
    let store = member(&disk, 3);
    assert!(matches!(refusal(&disk), OpenError::InUse { .. }));
    drop(store);
    reopen(&disk);
}

#[test]
fn the_data_of_others_is_refused_by_name_and_left_alone() {
    for (paths, sentence) in [
        (&["member/snap/db", "member/wal/0.wal"][..], "holds the data of Go etcd; Quorate cannot read it yet"),
        (&["version-2/log.1"][..], "holds the data of ZooKeeper; Quorate cannot read it yet"),
        (&["holiday.jpg"][..], "is not empty and holds no member of Quorate: it holds `holiday.jpg`"),
        (&["log/0000000000000001.log"][..], "is not empty and holds no member of Quorate: it holds `log`"),
    ] {
        let disk = MemoryDisk::new();
        for path in paths {
            storage::Disk::create_dir(&disk, path.rsplit_once('/').map_or("", |(folder, _)| folder)).unwrap();
            disk.put(path, b"theirs");
        }
        let error = refusal(&disk).to_string();
        assert!(error.ends_with(sentence), "{error}");
        assert_eq!(disk.operations(), 0);
    }
}

#[test]
fn a_marker_that_rotted_or_comes_from_the_future_is_refused() {
    let disk = MemoryDisk::new();
    drop(member(&disk, 3));
    let whole = disk.bytes("quorate");
    for byte in 0..whole.len() {
        disk.damage("quorate", |bytes| bytes[byte] ^= 1);
        let error = refusal(&disk);
        assert!(matches!(error, OpenError::BadMarker { .. } | OpenError::Version { .. }), "{error}");
        disk.damage("quorate", |bytes| bytes[byte] ^= 1);
    }
    disk.put("quorate", b"quorate data folder, format 2\nwho knows\n");
    assert!(matches!(refusal(&disk), OpenError::Version { found: 2, known: 1, .. }));
}

#[test]
fn the_journal_keeps_the_last_lines_through_rotation_and_torn_lines() {
    let disk = MemoryDisk::new();
    storage::Disk::create_dir(&disk, "").unwrap();
    assert!(Journal::tail(&disk, 5).unwrap().is_empty());
    let mut journal = Journal::open(&disk).unwrap();
    for number in 0..20_000 {
        journal.append(number, &format!("stood for election:\nno heartbeat {number}")).unwrap();
    }
    let kept: usize = ["journal", "journal.old"].map(|path| disk.bytes(path).len()).iter().sum();
    assert!(kept < 600 << 10, "{kept} bytes");
    disk.damage("journal", |bytes| bytes.truncate(bytes.len() - 5));
    let mut journal = Journal::open(&disk).unwrap();
    journal.append(20_000, "refused 2").unwrap();
    let lines = Journal::tail(&disk, 5_000).unwrap();
    assert_eq!(lines.len(), 5_000);
    assert_eq!((lines[4_999].wall_ms, &lines[4_999].text[..]), (20_000, "refused 2"));
    assert_eq!(lines[4_997].text, "stood for election: no heartbeat 19998");
}

/// What a folder may say.
#[derive(Clone, PartialEq, Debug)]
struct Possible {
    /// Everything after `state.base`, which a snapshot that was installed covers; nothing is ever cut here.
    state: State,
}

impl Possible {
    fn explains(&self, store: &Store<MemoryDisk>, found: &State, snapshot: Position) -> bool {
        let State { promise, base, entries } = &self.state;
        let reaches = |position: Position| {
            position == *base
                || (position.index > base.index
                    && position.index <= self.state.last().index
                    && self.state.at(position.index) == position)
        };
        *promise == found.promise
            && reaches(found.base)
            && (snapshot == Position::ZERO || reaches(snapshot))
            && found.base.index <= store.newest.as_ref().map_or(0, |newest| newest.snapshot().position.index)
            && found.entries[..] == entries[(found.base.index - base.index) as usize..]
    }
}

/// Writes, snapshots, cuts and installations, with power failures.
fn story(seed: u64, options: LogOptions) {
    let mut disk = MemoryDisk::new();
    let (mut writer, mut chance) = (Writer::new(seed), Chance::new(!seed));
    let mut store = blank(&disk).create(IDENTITY, PROMISE, Vec::new()).unwrap();
    let mut durable = Possible { state: State { promise: PROMISE, ..State::new() } };
    for _ in 0..6 {
        let mut possible = vec![durable.clone()];
        let mut state = durable.state.clone();
        disk.die_after(chance.below(80));
        let outcome: Result<(), storage::Fault> = (|| {
            loop {
                let snapshot = store.newest.as_ref().map_or(0, |newest| newest.snapshot().position.index);
                match chance.below(12) {
                    0 => {
                        // A snapshot of one's own, of something that is durable.
                        let low = durable.state.base.index.max(snapshot);
                        let high = durable.state.last().index.min(state.last().index);
                        if high > low && state.at(high) == durable.state.at(high) {
                            let newest = seal(&store.snapshots, state.at(high))?.publish()?;
                            store.newest = Some(newest.clone());
                            store.snapshots.remove_older(1)?;
                            let base = store.log.base();
                            store.log.cut(high - chance.below(high - low), &newest)?;
                            if store.log.base() != base {
                                // What stays is durable, or the promise could have gone with what went.
                                durable = Possible { state: state.clone() };
                                possible = vec![durable.clone()];
                            }
                        }
                    }
                    1 => {
                        // A peer's snapshot, far ahead.
                        let position = Position::new(state.promise.epoch + 1, state.last().index + 10);
                        state = State { base: position, entries: Vec::new(), ..state.clone() };
                        state.promise.committed = state.promise.committed.max(position.index);
                        (state.promise.epoch, state.promise.vote) = (position.epoch, None);
                        let sealed = seal(&store.snapshots, position)?;
                        possible.push(Possible { state: state.clone() });
                        store.newest = Some(store.log.install(sealed)?);
                        durable = Possible { state: state.clone() };
                        possible = vec![durable.clone()];
                        store.snapshots.remove_older(1)?;
                    }
                    2..=6 => {
                        store.log.sync()?;
                        durable = Possible { state: state.clone() };
                        possible = vec![durable.clone()];
                    }
                    _ => {
                        let settled = snapshot.max(durable.state.last().index.min(state.last().index).saturating_sub(3));
                        let persist = writer.next(&state, settled);
                        possible.extend(state.beginnings(&persist).into_iter().map(|state| Possible { state }));
                        state.apply(&persist);
                        possible.push(Possible { state: state.clone() });
                        store.log.write(&[persist])?;
                    }
                }
            }
        })();
        assert!(outcome.is_err());
        drop(store);
        store = loop {
            disk = if chance.one_in(1, 5) { disk.after_death() } else { disk.after_power_failure(&mut chance) };
            if chance.one_in(1, 2) {
                disk.die_after(chance.below(12));
            }
            match open(disk.clone(), options) {
                Ok(Opened::Member(store)) => break *store,
                Ok(Opened::Blank(_)) => panic!("seed {seed}: the member is gone"),
                Err(
                    OpenError::Fault(_)
                    | OpenError::Log(storage::RecoveryError::Fault(_))
                    | OpenError::Snapshot(SnapshotError::Fault(_)),
                ) => {}
                Err(error) => panic!("seed {seed}: {error}"),
            }
        };
        let snapshot = check_snapshot(&store);
        let found = State::of(&store.log);
        let explanation = possible.iter().find(|possible| possible.explains(&store, &found, snapshot));
        let Some(Possible { state }) = explanation else {
            panic!("seed {seed}: snapshot {snapshot}, log {found:?}; possible {possible:#?}");
        };
        durable = Possible { state: State { promise: found.promise, ..state.clone() } };
        disk.die_after(u64::MAX);
    }
}

#[test]
fn a_power_failure_at_any_moment_of_a_members_life_takes_nothing_that_was_durable() {
    for seed in 0..300 {
        story(seed, SMALL);
    }
}
