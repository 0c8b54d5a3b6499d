//! The log, on a disk that fails as disks do.

mod memory;
mod workload;

use bytes::Bytes;
use consensus::{Append, Chance, Entry, EntryKind, Persist, Position, Promise, Ticket};
use memory::MemoryDisk;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use storage::{Disk, Log};
use workload::{IDENTITY, SMALL, State, Writer};

fn create(disk: &MemoryDisk) -> Log<MemoryDisk> {
    disk.create_dir("").unwrap();
    Log::create(disk, SMALL, IDENTITY, Position::ZERO, Promise::default()).unwrap()
}

#[test]
fn what_was_written_is_read_back_and_found_again() {
    for seed in 0..200 {
        let disk = MemoryDisk::new();
        let mut log = create(&disk);
        let (mut writer, mut state) = (Writer::new(seed), State::new());
        for _ in 0..60 {
            let persist = writer.next(&state, 0);
            state.apply(&persist);
            log.write(&[persist]).unwrap();
            if writer.chance().one_in(1, 3) {
                log.sync().unwrap();
            }
            if writer.chance().one_in(1, 10) {
                drop(log);
                log = Log::open(&disk, SMALL, IDENTITY).unwrap();
            }
            assert_eq!(State::of(&log), state, "seed {seed}");
        }
        drop(log);
        assert_eq!(State::of(&Log::open(&disk, SMALL, IDENTITY).unwrap()), state, "seed {seed}");
    }
}

/// Writes with power failures, also in the midst of a start. What was synced is found, and nothing that was never written.
fn story(seed: u64, failures: usize) {
    let mut disk = MemoryDisk::new();
    let mut log = create(&disk);
    let (mut writer, mut chance) = (Writer::new(seed), Chance::new(!seed));
    let mut durable = State::new();
    for _ in 0..failures {
        // Everything that the log may say after the next failure, from the last state that was synced on.
        let mut possible = vec![durable.clone()];
        let mut state = durable.clone();
        disk.die_after(chance.below(40));
        'alive: loop {
            let mut batch = Vec::new();
            for _ in 0..=chance.below(3) {
                let persist = writer.next(&state, 0);
                possible.extend(state.beginnings(&persist));
                state.apply(&persist);
                possible.push(state.clone());
                batch.push(persist);
            }
            if log.write(&batch).is_err() {
                break 'alive;
            }
            if chance.one_in(1, 2) {
                // A sync that failed may have made durable what it could.
                if log.sync().is_err() {
                    break 'alive;
                }
                possible = vec![state.clone()];
            }
        }
        loop {
            disk = if chance.one_in(1, 5) { disk.after_death() } else { disk.after_power_failure(&mut chance) };
            if chance.one_in(1, 2) {
                disk.die_after(chance.below(6));
            }
            match Log::open(&disk, SMALL, IDENTITY) {
                Ok(reopened) => {
                    log = reopened;
                    break;
                }
                Err(storage::RecoveryError::Fault(_)) => {}
                Err(error) => panic!("seed {seed}: {error}"),
            }
        }
        durable = State::of(&log);
        assert!(possible.contains(&durable), "seed {seed}: found {durable:?}");
        disk = {
            // What a start found is durable, whatever comes next.
            let after = disk.after_power_failure(&mut chance);
            log = Log::open(&after, SMALL, IDENTITY).unwrap();
            assert_eq!(State::of(&log), durable, "seed {seed}: a second power failure took what a start had found");
            after
        };
    }
}

#[test]
fn a_power_failure_takes_nothing_that_was_synced_and_invents_nothing() {
    for seed in 0..250 {
        story(seed, 6);
    }
}

/// An append of one entry; all of them take 64 bytes of the log.
fn append(epoch: u64, index: u64) -> Persist {
    let (position, after) = (Position::new(epoch, index), Position::new(1, index - 1));
    let entry = Entry { position, kind: EntryKind::Command, data: Bytes::from(format!("{epoch:06}")) };
    let append = Append { after: if index == 1 { Position::ZERO } else { after }, entries: vec![entry] };
    Persist { ticket: Ticket(0), promise: None, append: Some(append) }
}

#[test]
fn what_is_cut_with_a_torn_tail_never_comes_back() {
    let disk = MemoryDisk::new();
    let mut log = create(&disk);
    log.write(&[append(1, 1)]).unwrap();
    log.sync().unwrap();
    let path = disk.files("log").pop().unwrap();
    let durable = disk.bytes(&path);
    log.write(&[append(1, 2), append(1, 3)]).unwrap();
    // Of the second record nothing reached the disk, of the third everything.
    let third = 512 + 2 * 64;
    disk.damage(&path, |bytes| bytes[..third].copy_from_slice(&durable[..third]));
    assert!(disk.bytes(&path)[third..third + 24].iter().any(|&byte| byte != 0), "the third record is not where it was");
    let mut log = Log::open(&disk, SMALL, IDENTITY).unwrap();
    assert_eq!(log.last(), Position::new(1, 1));
    log.write(&[append(1, 2)]).unwrap();
    log.sync().unwrap();
    let log = Log::open(&disk, SMALL, IDENTITY).unwrap();
    assert_eq!(log.last(), Position::new(1, 2), "a record came back that had been cut");
}

#[test]
fn what_a_start_found_is_durable_even_if_an_earlier_sync_failed() {
    let disk = MemoryDisk::new();
    let mut log = create(&disk);
    log.write(&[append(1, 1)]).unwrap();
    log.sync().unwrap();
    log.write(&[append(1, 2), append(1, 3)]).unwrap();
    disk.fail_syncs();
    assert!(log.sync().is_err());
    // The process stops; its machine runs on, and shows the next one what it could not write, as if all were well.
    let disk = disk.after_death();
    let log = Log::open(&disk, SMALL, IDENTITY).unwrap();
    assert_eq!(log.last(), Position::new(1, 3));
    let log = Log::open(&disk.after_the_worst_power_failure(), SMALL, IDENTITY).unwrap();
    assert_eq!(log.last(), Position::new(1, 3), "a start told of entries that were not durable");
}

#[test]
fn an_entry_that_is_larger_than_a_segment_has_one_to_itself() {
    let disk = MemoryDisk::new();
    let mut log = create(&disk);
    let large = |index| Entry { position: Position::new(1, index), kind: EntryKind::Command, data: Bytes::from(vec![7; 50_000]) };
    for index in 1..=3 {
        let after = if index == 1 { Position::ZERO } else { Position::new(1, index - 1) };
        let append = Some(Append { after, entries: vec![large(index)] });
        log.write(&[Persist { ticket: Ticket(index), promise: None, append }]).unwrap();
    }
    log.sync().unwrap();
    let log = Log::open(&disk.after_the_worst_power_failure(), SMALL, IDENTITY).unwrap();
    assert_eq!(log.reader().read(1, 3, 60_000).unwrap(), [large(1)]);
    assert_eq!(log.reader().read(2, 3, 1).unwrap(), [large(2)]);
    assert_eq!(log.reader().read(1, 9, 1 << 20).unwrap(), [large(1), large(2), large(3)]);
}

#[test]
fn a_reader_sees_what_is_written_before_it_is_synced_and_not_what_was_cut_off() {
    let disk = MemoryDisk::new();
    let mut log = create(&disk);
    let reader = log.reader();
    log.write(&[append(1, 1), append(1, 2), append(1, 3)]).unwrap();
    assert_eq!(reader.read(1, 3, 10_000).unwrap().len(), 3);
    log.write(&[append(2, 2)]).unwrap();
    let epochs: Vec<u64> = reader.read(1, 3, 10_000).unwrap().iter().map(|entry| entry.position.epoch).collect();
    assert_eq!(epochs, [1, 2]);
    assert!(reader.read(3, 3, 10_000).unwrap().is_empty());
}

#[test]
fn a_reader_on_another_thread_never_mixes_what_was_cut_off_with_what_replaced_it() {
    let disk = MemoryDisk::new();
    let mut log = create(&disk);
    let reader = log.reader();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                let entries = reader.read(1, u64::MAX, 1 << 20).unwrap();
                for pair in entries.windows(2) {
                    assert_eq!(pair[0].position.index + 1, pair[1].position.index);
                    // Each truncation came with a higher epoch.
                    assert!(pair[0].position.epoch <= pair[1].position.epoch, "{pair:?}");
                }
            }
        });
        let (mut writer, mut state) = (Writer::new(11), State::new());
        for _ in 0..2_000 {
            let persist = writer.next(&state, 0);
            state.apply(&persist);
            log.write(&[persist]).unwrap();
        }
        done.store(true, Ordering::Release);
    });
}
