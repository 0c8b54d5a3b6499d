//! The log, on a disk that fails as disks do.

mod memory;
mod workload;

use consensus::{Chance, Position, Promise};
use memory::MemoryDisk;
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
    for seed in 0..400 {
        story(seed, 6);
    }
}
