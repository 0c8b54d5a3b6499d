//! What a server's folders may hold, and what is refused by name.

mod ledger;
mod memory;

use consensus::{Append, NodeId, Position, Promise};
use ledger::{Line, SMALL, body, entry, fill, history, line, lines, open, persist, stream};
use memory::MemoryDisk;
use storage::zookeeper::{self, LogError, OpenError, Options, SnapshotError, Store};
use storage::{Disk, RealDisk};

/// Writes these transactions, in one epoch each, and syncs.
fn write(store: &mut Store<MemoryDisk>, positions: &[(u64, u64)]) -> Vec<Line> {
    let entries: Vec<_> =
        positions.iter().map(|&(epoch, index)| entry(Position::new(epoch, index), epoch * 100 + index, 50)).collect();
    let epoch = entries.last().unwrap().position.epoch;
    let promise = Promise { epoch, current: epoch, ..Promise::default() };
    let lines = entries.iter().map(line).collect();
    store.log.write(&[persist(1, Some(promise), Some(Append { after: store.log.last(), entries }))]).unwrap();
    store.log.sync().unwrap();
    lines
}

fn snapshot(store: &mut Store<MemoryDisk>, lines: &[Line]) {
    let position = lines.last().unwrap().0;
    let writer = store.snapshots.take(position).unwrap();
    let durable = fill(writer, &stream(position, lines)).unwrap().finish().unwrap().publish().unwrap();
    store.log.cut(&durable).unwrap();
}

fn names(disk: &MemoryDisk) -> Vec<String> {
    let names = disk.files("version-2").into_iter();
    names.map(|path| path.trim_start_matches("version-2/").to_owned()).collect()
}

fn refusal(disk: &MemoryDisk, options: Options) -> OpenError {
    match open(disk, options) {
        Ok(_) => panic!("the folder was not refused"),
        Err(error) => error,
    }
}

#[test]
fn a_new_server_begins_as_javas_do() {
    let disk = MemoryDisk::new();
    let store = open(&disk, SMALL).unwrap();
    assert!(store.recovered.trusted && store.warnings.is_empty());
    assert_eq!((store.recovered.last, store.recovered.base), (Position::ZERO, Position::ZERO));
    assert_eq!(names(&disk), ["acceptedEpoch", "currentEpoch", "snapshot.0"]);
    assert_eq!(disk.bytes("version-2/currentEpoch"), b"0");
    assert!(disk.files("").contains(&"quorate.lock".to_owned()));
    assert!(matches!(refusal(&disk, SMALL), OpenError::InUse { .. }));
    drop(store);
    assert_eq!(open(&disk, SMALL).unwrap().recovered.last, Position::ZERO);
}

#[test]
fn nothing_is_given_of_what_follows_a_transaction_that_is_gone_with_its_successors() {
    let disk = MemoryDisk::new();
    let mut store = open(&disk, Options { snapshots_kept: Some(1), ..SMALL }).unwrap();
    let mut lines = write(&mut store, &[(1, 1), (1, 2), (1, 3)]);
    snapshot(&mut store, &lines);
    lines.extend(write(&mut store, &[(4, 1), (4, 2)]));
    snapshot(&mut store, &lines);
    let positions = |first: (u64, u64)| {
        let first = Position::new(first.0, first.1).zxid();
        let entries = store.log.reader().read(first, u64::MAX >> 1, usize::MAX).unwrap();
        entries.iter().map(|entry| (entry.position.epoch, entry.position.index)).collect::<Vec<_>>()
    };
    assert_eq!(positions((4, 1)), [(4, 1), (4, 2)]);
    // (4, 1) can follow any transaction of an earlier epoch, and (1, 3) was between.
    assert_eq!(positions((1, 2)), []);
}

#[test]
fn an_empty_folder_is_trusted_only_if_somebody_says_so() {
    let careful = Options { autocreate: false, ..SMALL };
    let disk = MemoryDisk::new();
    let store = open(&disk, careful).unwrap();
    assert!(!store.recovered.trusted && store.newest.is_none());
    drop(store);
    assert!(!names(&disk).contains(&"snapshot.0".to_owned()));
    disk.put("initialize", b"");
    let store = open(&disk, careful).unwrap();
    assert!(store.recovered.trusted);
    // It was good for one start.
    assert!(!disk.files("").contains(&"initialize".to_owned()));
}

#[test]
fn other_systems_folders_are_refused_by_name() {
    for (path, owner) in [("quorate", "etcd's protocol"), ("member/snap/db", "Go etcd")] {
        let disk = MemoryDisk::new();
        disk.create_dir("").unwrap();
        if let Some((folder, _)) = path.rsplit_once('/') {
            disk.create_dir(folder).unwrap();
        }
        disk.put(path, b"x");
        let before = disk.operations();
        let error = refusal(&disk, SMALL).to_string();
        assert!(error.contains(owner), "{error}");
        assert_eq!(disk.operations(), before);
    }
    // What people keep beside the data harms nobody.
    let disk = MemoryDisk::new();
    disk.put("zoo.cfg", b"x");
    disk.put("myid", b"7\n");
    assert_eq!(zookeeper::my_id(&disk).unwrap(), Some(7));
    assert!(open(&disk, SMALL).is_ok());
    disk.put("myid", b"seven");
    assert!(matches!(zookeeper::my_id(&disk), Err(OpenError::NotANumber { .. })));
}

#[test]
fn exchanged_folders_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (data, log) = (RealDisk::new(folder.path().join("data")), RealDisk::new(folder.path().join("log")));
    let open = |data: &RealDisk, log: &RealDisk| {
        zookeeper::open(data.clone(), log.clone(), SMALL, || vec![stream(Position::ZERO, &[]).into()])
    };
    let mut store = open(&data, &log).unwrap();
    let entries = vec![entry(Position::new(1, 1), 1, 10)];
    let promise = Promise { epoch: 1, current: 1, ..Promise::default() };
    store.log.write(&[persist(1, Some(promise), Some(Append { after: Position::ZERO, entries }))]).unwrap();
    store.log.sync().unwrap();
    assert!(matches!(open(&data, &log), Err(OpenError::InUse { .. })));
    drop(store);
    assert!(folder.path().join("log/version-2/log.100000001").exists());
    assert!(matches!(open(&log, &data), Err(OpenError::Misplaced { .. })));
    assert_eq!(history(&open(&data, &log).unwrap()).len(), 1);
    // The disk of the log is not there: what was acknowledged since the snapshot would be forgotten.
    let unmounted = RealDisk::new(folder.path().join("elsewhere"));
    let refused = open(&data, &unmounted).err().unwrap();
    assert!(matches!(refused, OpenError::LogGone { .. }), "{refused}");
    assert!(matches!(open(&data, &unmounted), Err(OpenError::LogGone { .. })), "and again");
    // Unless somebody says that it is lost.
    unmounted.create_dir("version-2").unwrap();
    assert_eq!(history(&open(&data, &unmounted).unwrap()).len(), 0);
}

#[test]
fn a_log_without_a_snapshot_is_refused_unless_it_is_trusted() {
    let disk = MemoryDisk::new();
    let written = write(&mut open(&disk, SMALL).unwrap(), &[(1, 1), (1, 2)]);
    disk.remove("version-2/snapshot.0").unwrap();
    assert!(matches!(refusal(&disk, SMALL), OpenError::NoSnapshot { .. }));
    let store = open(&disk, Options { trust_empty_snapshot: true, ..SMALL }).unwrap();
    assert!(store.newest.is_none());
    assert_eq!(history(&store), written);
}

#[test]
fn a_bad_snapshot_is_passed_over_only_if_nothing_is_lost() {
    let disk = MemoryDisk::new();
    let mut store = open(&disk, SMALL).unwrap();
    let mut written = write(&mut store, &[(1, 1), (1, 2), (1, 3)]);
    snapshot(&mut store, &written);
    written.extend(write(&mut store, &[(1, 4)]));
    drop(store);
    // As Java leaves one if power fails: it writes them in place.
    disk.damage("version-2/snapshot.100000003", |bytes| bytes.truncate(bytes.len() / 2));
    let store = open(&disk, SMALL).unwrap();
    assert_eq!(history(&store), written);
    assert_eq!(store.warnings.len(), 1);
    assert!(store.warnings[0].to_string().contains("snapshot.100000003 is damaged"), "{}", store.warnings[0]);
    drop(store);
    // Without the transactions that it held, it is missed.
    disk.remove("version-2/log.100000001").unwrap();
    let error = refusal(&disk, SMALL);
    assert!(matches!(error, OpenError::Snapshot(SnapshotError::Damaged { .. })), "{error}");
}

#[test]
fn a_bad_snapshot_beyond_the_log_is_missed() {
    let disk = MemoryDisk::new();
    let mut store = open(&disk, SMALL).unwrap();
    let written = write(&mut store, &[(1, 1), (1, 2), (1, 3)]);
    // A leader's: this log never held what it holds.
    let mut leaders = written.clone();
    leaders.push((Position::new(2, 9), 209));
    let mut receiving = store.snapshots.receive(NodeId(3), Position::new(2, 9)).unwrap();
    assert!(receiving.write(&body(&leaders)).unwrap().whole);
    let installed = store.log.install(receiving.finish().unwrap()).unwrap();
    assert_eq!(lines(installed.read().unwrap()).unwrap(), leaders);
    drop(store);
    // Its epoch was announced, but not promised: this server accepted no epoch 2.
    assert!(matches!(refusal(&disk, SMALL), OpenError::Epochs { last: 2, accepted: 1, .. }));
    disk.put("version-2/acceptedEpoch", b"2");
    assert_eq!(history(&open(&disk, SMALL).unwrap()), leaders);
    disk.damage("version-2/snapshot.200000009", |bytes| bytes[40] ^= 1);
    let error = refusal(&disk, SMALL);
    assert!(matches!(error, OpenError::Snapshot(SnapshotError::Damaged { .. })), "{error}");
}

#[test]
fn a_log_of_another_version_is_refused_by_its_name() {
    let disk = MemoryDisk::new();
    let mut store = open(&disk, SMALL).unwrap();
    let written = write(&mut store, &[(1, 1), (1, 2)]);
    drop(store);
    disk.put("version-2/log.100000003", b"ZKLG\0\0\0\x03\0\0\0\0\0\0\0\0what follows is framed otherwise");
    let error = refusal(&disk, SMALL);
    assert!(matches!(error, OpenError::Log(LogError::Version { version: 3, .. })), "{error}");
    // It was left as it is, and is refused again.
    let error = refusal(&disk, SMALL);
    assert!(error.to_string().contains("log.100000003 is a log of version 3"), "{error}");
    disk.remove("version-2/log.100000003").unwrap();
    assert_eq!(history(&open(&disk, SMALL).unwrap()), written);
}

#[test]
fn a_file_under_a_name_that_nobody_gives_is_left_alone() {
    let disk = MemoryDisk::new();
    disk.create_dir("version-2").unwrap();
    disk.put("version-2/log.0000001", b"somebody's copy");
    let mut store = open(&disk, SMALL).unwrap();
    // What the snapshot holds is removed from the log, file by file.
    let mut written = write(&mut store, &[(1, 1), (1, 2), (1, 3)]);
    for index in 4..10 {
        snapshot(&mut store, &written);
        written.extend(write(&mut store, &[(1, index)]));
    }
    assert!(disk.open("version-2/log.100000001").is_err());
    assert!(disk.open("version-2/log.0000001").is_ok());
}

#[test]
fn what_a_leaders_snapshot_is_followed_by_is_left() {
    let disk = MemoryDisk::new();
    let store = open(&disk, SMALL).unwrap();
    let held = vec![(Position::new(1, 1), 1)];
    let mut sent = body(&held);
    let length = sent.len();
    sent.extend(b"\0\0\0\x0aBenWasHere");
    let mut receiving = store.snapshots.receive(NodeId(3), Position::new(1, 1)).unwrap();
    let progress = receiving.write(&sent).unwrap();
    assert_eq!((progress.taken, progress.whole), (length, true));
    let sealed = receiving.finish().unwrap();
    assert_eq!(lines(sealed.read().unwrap()).unwrap(), held);
    // What a leader sends is what a learner gets.
    let durable = sealed.publish().unwrap();
    let mut reader = store.snapshots.open_for_sending(durable.position()).unwrap();
    let mut again = Vec::new();
    while let Some(chunk) = reader.next_chunk().unwrap() {
        again.extend(chunk);
    }
    assert_eq!(again, body(&held));
    let none = store.snapshots.open_for_sending(Position::new(9, 9)).map(|_| ());
    assert!(matches!(none, Err(SnapshotError::NoSuch { .. })));
    // Nonsense is refused before it is believed.
    let mut receiving = store.snapshots.receive(NodeId(3), Position::new(1, 1)).unwrap();
    assert!(matches!(receiving.write(&[0xff; 64]), Err(SnapshotError::Damaged { .. })));
    receiving.discard().unwrap();
}

#[test]
fn old_snapshots_and_the_logs_before_them_go() {
    let disk = MemoryDisk::new();
    let mut store = open(&disk, SMALL).unwrap();
    let mut written = Vec::new();
    for round in 0..5 {
        written.extend(write(&mut store, &[(1, round * 2 + 1), (1, round * 2 + 2)]));
        snapshot(&mut store, &written);
    }
    written.extend(write(&mut store, &[(1, 11)]));
    let expected = ["log.100000005", "log.100000007", "log.100000009", "log.10000000b"];
    let expected = expected.into_iter().chain(["snapshot.100000006", "snapshot.100000008", "snapshot.10000000a"]);
    assert_eq!(names(&disk)[2..], expected.collect::<Vec<_>>());
    assert_eq!(store.log.base(), Position::new(1, 4));
    drop(store);
    assert_eq!(history(&open(&disk, SMALL).unwrap()), written);
}

#[test]
fn a_gap_that_a_snapshot_covers_begins_the_history_anew() {
    // Java's learner goes on in the same file after a snapshot from its leader.
    let disk = MemoryDisk::new();
    let mut store = open(&disk, SMALL).unwrap();
    let mut written = write(&mut store, &[(1, 1), (1, 2), (1, 8), (1, 9), (3, 1)]);
    drop(store);
    let error = refusal(&disk, SMALL);
    let OpenError::Log(LogError::Missing { before, after, .. }) = &error else { panic!("{error}") };
    assert_eq!((*before, *after), (Position::new(1, 2), Position::new(1, 8)));
    written.insert(2, (Position::new(1, 7), 107));
    let store = {
        // Its snapshot is put there as Java would have.
        let other = MemoryDisk::new();
        let store = open(&other, SMALL).unwrap();
        let writer = store.snapshots.take(Position::new(1, 7)).unwrap();
        fill(writer, &stream(Position::new(1, 7), &written[..3])).unwrap().finish().unwrap().publish().unwrap();
        disk.put("version-2/snapshot.100000007", &other.bytes("version-2/snapshot.100000007"));
        open(&disk, SMALL).unwrap()
    };
    assert_eq!(history(&store), written);
    assert_eq!(store.recovered.base, Position::new(1, 7));
}

#[test]
fn a_transaction_that_was_logged_twice_counts_once() {
    let disk = MemoryDisk::new();
    let written = write(&mut open(&disk, SMALL).unwrap(), &[(1, 1), (1, 2), (1, 3)]);
    let first = disk.bytes("version-2/log.100000001");
    // The last two again, in a file of their own.
    let mut again = first[..16].to_vec();
    let record = (first[16..].iter().rposition(|&byte| byte == b'B').unwrap() + 1) / 3;
    again.extend_from_slice(&first[16 + record..16 + 3 * record]);
    disk.put("version-2/log.100000002", &again);
    let store = open(&disk, SMALL).unwrap();
    assert_eq!(history(&store), written);
    drop(store);
    // Two transactions of one zxid are not one logged twice.
    disk.put("version-2/log.100000002", &{
        let other = MemoryDisk::new();
        let mut store = open(&other, SMALL).unwrap();
        let entries = vec![entry(Position::new(1, 1), 1, 3), entry(Position::new(1, 2), 77, 3)];
        let promise = Promise { epoch: 1, current: 1, ..Promise::default() };
        store.log.write(&[persist(1, Some(promise), Some(Append { after: Position::ZERO, entries }))]).unwrap();
        other.bytes("version-2/log.100000001")
    });
    assert!(matches!(refusal(&disk, SMALL), OpenError::Log(LogError::Inconsistent { .. })));
}

#[test]
fn epochs_that_do_not_fit_are_refused_and_interrupted_ones_completed() {
    let disk = MemoryDisk::new();
    write(&mut open(&disk, SMALL).unwrap(), &[(3, 1)]);
    disk.put("version-2/currentEpoch", b"2");
    let error = refusal(&disk, SMALL);
    assert!(matches!(error, OpenError::Epochs { last: 3, current: 2, accepted: 3 }), "{error}");
    disk.put("version-2/currentEpoch.tmp", b"3");
    let store = open(&disk, SMALL).unwrap();
    assert_eq!((store.recovered.promise.epoch, store.recovered.promise.current), (3, 3));
    drop(store);
    assert_eq!(disk.bytes("version-2/currentEpoch"), b"3");
    disk.put("version-2/acceptedEpoch", b"2");
    assert!(matches!(refusal(&disk, SMALL), OpenError::Epochs { .. }));
    // Those of a server that stood alone are not there.
    disk.remove("version-2/acceptedEpoch").unwrap();
    disk.remove("version-2/currentEpoch").unwrap();
    let promise = open(&disk, SMALL).unwrap().recovered.promise;
    assert_eq!((promise.epoch, promise.current), (3, 3));
    disk.put("version-2/acceptedEpoch", b"what");
    assert!(matches!(refusal(&disk, SMALL), OpenError::NotANumber { .. }));
}

#[test]
fn a_cut_goes_back_over_files() {
    let disk = MemoryDisk::new();
    let mut store = open(&disk, SMALL).unwrap();
    let mut written = Vec::new();
    for round in 0..4 {
        written.extend(write(&mut store, &[(1, round * 2 + 1), (1, round * 2 + 2)]));
        drop(store);
        store = open(&disk, SMALL).unwrap();
    }
    assert_eq!(names(&disk).iter().filter(|name| name.starts_with("log.")).count(), 4);
    let after = Position::new(1, 3);
    store.log.write(&[persist(1, None, Some(Append { after, entries: Vec::new() }))]).unwrap();
    assert_eq!(store.log.last(), after);
    let read = store.log.reader().read(0, u64::MAX, 10_000).unwrap();
    assert_eq!(read.iter().map(line).collect::<Vec<_>>(), written[..3]);
    // It is durable at once: nothing that was cut may follow what comes next.
    let store = open(&disk.after_the_worst_power_failure(), SMALL).unwrap();
    assert_eq!(history(&store), written[..3]);
}
