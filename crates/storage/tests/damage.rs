//! A log whose bytes rot: the damage is named, or it harms nothing.

mod memory;
mod workload;

use consensus::{Chance, Position, Promise};
use memory::MemoryDisk;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use storage::{Disk, Log, LogOptions, RecoveryError};
use workload::{IDENTITY, State, Writer};

const SECTOR: usize = 512;

/// What happens to a sector.
#[derive(Clone, Copy, Debug)]
enum Rot {
    /// One bit flips.
    Bit,
    /// It reads as zeros.
    Zeros,
    /// It reads as another sector of the same file: the disk's write went elsewhere.
    Stray,
}

const ROTS: [Rot; 3] = [Rot::Bit, Rot::Zeros, Rot::Stray];

/// A log of about `bytes`, at rest, and what it says.
fn log(seed: u64, bytes: usize, options: LogOptions) -> (MemoryDisk, State) {
    let disk = MemoryDisk::new();
    disk.create_dir("").unwrap();
    let mut log = Log::create(&disk, options, IDENTITY, Position::ZERO, Promise::default()).unwrap();
    let (mut writer, mut state) = (Writer::new(seed), State::new());
    let mut written = 0;
    while written < bytes {
        let mut batch = Vec::new();
        for _ in 0..=writer.chance().below(8) {
            // Truncations go back a little only, so that the log grows.
            let settled = state.last().index.saturating_sub(20);
            let persist = writer.next(&state, settled);
            state.apply(&persist);
            written += persist.append.iter().flat_map(|append| &append.entries).map(|entry| 13 + entry.data.len()).sum::<usize>();
            batch.push(persist);
        }
        log.write(&batch).unwrap();
        log.sync().unwrap();
    }
    log.close().unwrap();
    (disk, state)
}

fn rot(disk: &MemoryDisk, path: &str, sector: usize, rot: Rot, chance: &mut Chance) {
    disk.damage(path, |bytes| {
        let at = sector * SECTOR;
        match rot {
            Rot::Bit => bytes[at + chance.below(SECTOR as u64) as usize] ^= 1 << chance.below(8),
            Rot::Zeros => bytes[at..at + SECTOR].fill(0),
            Rot::Stray => {
                let from = chance.below((bytes.len() / SECTOR) as u64) as usize * SECTOR;
                bytes.copy_within(from..from + SECTOR, at);
            }
        }
    });
}

/// Damages one sector. The log is refused without a change to it, or says what it always said.
fn a_start_after(disk: &MemoryDisk, state: &State, options: LogOptions, path: &str, sector: usize, how: Rot) -> bool {
    let damaged = disk.copy();
    rot(&damaged, path, sector, how, &mut Chance::new(sector as u64));
    match Log::open(&damaged, options, IDENTITY) {
        Ok(log) => {
            assert_eq!(State::read(&log, 1 << 20), *state, "{path}, sector {sector}, {how:?}: a silent change");
            false
        }
        Err(RecoveryError::Damaged { .. } | RecoveryError::Inconsistent { .. }) => {
            assert_eq!(damaged.operations(), 0, "{path}, sector {sector}, {how:?}: the log was not left as it was");
            true
        }
        Err(error) => panic!("{path}, sector {sector}, {how:?}: {error}"),
    }
}

/// Damages one sector of a log in use. Reads find what was written, or fail.
fn reads_after(disk: &MemoryDisk, state: &State, options: LogOptions, path: &str, sector: usize, how: Rot) -> bool {
    let damaged = disk.copy();
    let log = Log::open(&damaged, options, IDENTITY).unwrap();
    rot(&damaged, path, sector, how, &mut Chance::new(sector as u64));
    let reader = log.reader();
    let mut next = 1;
    while next <= state.last().index {
        match reader.read(next, state.last().index, 100_000) {
            Ok(entries) => {
                let wanted = &state.entries[next as usize - 1..][..entries.len()];
                assert!(!entries.is_empty() && entries == wanted, "{path}, sector {sector}, {how:?}: a silent wrong read");
                next += entries.len() as u64;
            }
            Err(fault) => {
                assert_eq!(fault.source.kind(), std::io::ErrorKind::InvalidData);
                return true;
            }
        }
    }
    false
}

fn sectors(disk: &MemoryDisk) -> Vec<(String, usize)> {
    let files = disk.files("log").into_iter();
    files.flat_map(|path| (0..disk.bytes(&path).len() / SECTOR).map(move |sector| (path.clone(), sector))).collect()
}

#[test]
fn rot_is_named_or_harmless_in_a_small_log() {
    let options = LogOptions { segment_bytes: 16 << 10, step_bytes: 2 << 10, record_bytes: 2 << 10 };
    for seed in 0..4 {
        let (disk, state) = log(seed, 60 << 10, options);
        let mut named = 0;
        for (path, sector) in sectors(&disk) {
            for how in ROTS {
                named += usize::from(a_start_after(&disk, &state, options, &path, sector, how));
            }
            reads_after(&disk, &state, options, &path, sector, ROTS[sector % 3]);
        }
        assert!(named > 250, "only {named} were named");
    }
}

#[test]
#[ignore = "takes minutes: part of `cargo xtask prove`"]
fn rot_is_named_or_harmless_in_every_sector_of_16_mib() {
    let options = LogOptions { segment_bytes: 1 << 20, step_bytes: 64 << 10, record_bytes: 64 << 10 };
    let (disk, state) = log(16, 16 << 20, options);
    let (count, named, failed) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let sectors = sectors(&disk);
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for share in 0..threads {
            let (disk, state, sectors) = (&disk, &state, &sectors);
            let (count, named, failed) = (&count, &named, &failed);
            scope.spawn(move || {
                for (path, sector) in sectors.iter().skip(share).step_by(threads) {
                    for how in [Rot::Bit, Rot::Zeros] {
                        let refused = a_start_after(disk, state, options, path, *sector, how);
                        named.fetch_add(usize::from(refused), Relaxed);
                        count.fetch_add(1, Relaxed);
                    }
                    if sector % 64 == share {
                        let refused = reads_after(disk, state, options, path, *sector, Rot::Bit);
                        failed.fetch_add(usize::from(refused), Relaxed);
                    }
                }
            });
        }
    });
    let (count, named, failed) = (count.into_inner(), named.into_inner(), failed.into_inner());
    println!("{count} damaged logs: {named} refused by name, {} unharmed, 0 silent; {failed} reads refused", count - named);
}

#[test]
fn a_lost_segment_is_named() {
    let options = LogOptions { segment_bytes: 16 << 10, step_bytes: 2 << 10, record_bytes: 2 << 10 };
    let (disk, _) = log(5, 60 << 10, options);
    let files = disk.files("log");
    for path in &files[1..files.len() - 1] {
        let damaged = disk.copy();
        damaged.remove(path).unwrap();
        let error = Log::open(&damaged, options, IDENTITY).map(|_| ()).unwrap_err();
        assert!(matches!(&error, RecoveryError::Missing { segment } if segment == path), "{error}");
    }
}

#[test]
fn a_tail_of_zeros_is_told_from_damage_by_the_mark() {
    // The file system lost the last blocks of a file that had been synced, but not the mark behind them.
    let (disk, _) = log(6, 4 << 10, workload::SMALL);
    let path = disk.files("log").pop().unwrap();
    let end = disk.bytes(&path).iter().rposition(|&byte| byte != 0).unwrap();
    let mark = end / SECTOR * SECTOR;
    disk.damage(&path, |bytes| bytes[mark - SECTOR..mark].fill(0));
    assert!(matches!(Log::open(&disk, workload::SMALL, IDENTITY), Err(RecoveryError::Damaged { .. })));
}

#[test]
fn the_log_of_another_member_is_refused_by_name() {
    let (disk, _) = log(7, 1 << 10, workload::SMALL);
    let other = storage::Identity([9; 16]);
    assert!(matches!(Log::open(&disk, workload::SMALL, other), Err(RecoveryError::Stranger { .. })));
}
