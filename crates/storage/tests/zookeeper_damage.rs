//! A log in ZooKeeper's format whose bytes rot: the damage is named, or it harms nothing, as far as the format can tell.

mod ledger;
mod memory;

use consensus::{Append, Chance, Position, Promise};
use ledger::{Line, SMALL, entry, fill, follow, history, line, log_lines, open, persist, stream};
use memory::MemoryDisk;
use storage::Disk;
use storage::zookeeper::{LogError, OpenError, Options};

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

/// A server at rest, with several log files and a snapshot or two, and what it holds.
fn server(seed: u64, entries: u64, options: Options) -> (MemoryDisk, Vec<Line>) {
    let disk = MemoryDisk::new();
    let mut store = open(&disk, options).unwrap();
    let (mut chance, mut lines, mut written, mut epoch) = (Chance::new(seed), Vec::new(), 0, 1);
    while written < entries {
        epoch += u64::from(chance.one_in(1, 20));
        let promise = Promise { epoch, current: epoch, ..Promise::default() };
        let last = lines.last().map_or(Position::ZERO, |line: &Line| line.0);
        let news = follow(&mut chance, last, epoch, false, &mut written);
        lines.extend(news.iter().map(line));
        store.log.write(&[persist(written, Some(promise), Some(Append { after: last, entries: news }))]).unwrap();
        store.log.sync().unwrap();
        if chance.one_in(1, 25) && !lines.is_empty() {
            let position = lines.last().unwrap().0;
            let writer = store.snapshots.take(position).unwrap();
            let durable = fill(writer, &stream(position, &lines)).unwrap().finish().unwrap().publish().unwrap();
            store.log.cut(&durable).unwrap();
        }
    }
    store.log.close().unwrap();
    (disk, lines)
}

fn rot(disk: &MemoryDisk, path: &str, sector: usize, rot: Rot, chance: &mut Chance) {
    disk.damage(path, |bytes| {
        let from = sector * SECTOR;
        let end = bytes.len().min(from + SECTOR);
        match rot {
            Rot::Bit => {
                let bit = chance.below((end - from) as u64 * 8) as usize;
                bytes[from + bit / 8] ^= 1 << (bit % 8);
            }
            Rot::Zeros => bytes[from..end].fill(0),
            Rot::Stray => {
                let other = chance.below((bytes.len() / SECTOR) as u64) as usize * SECTOR;
                let copy = bytes[other..bytes.len().min(other + end - from)].to_vec();
                bytes[from..from + copy.len()].copy_from_slice(&copy);
            }
        }
    });
}

/// Whether a start after the damage refuses by name. If it does not, it finds everything.
fn a_start_after(disk: &MemoryDisk, lines: &[Line], path: &str, sector: usize, how: Rot) -> bool {
    let damaged = disk.copy();
    rot(&damaged, path, sector, how, &mut Chance::new(sector as u64));
    let before = damaged.operations();
    match open(&damaged, SMALL) {
        Ok(store) => {
            assert_eq!(history(&store), lines, "{path}, sector {sector}, {how:?}: a silent loss");
            false
        }
        Err(OpenError::Log(
            LogError::Damaged { .. } | LogError::Inconsistent { .. } | LogError::Missing { .. } | LogError::Version { .. },
        )) => {
            let names = damaged.files("version-2");
            assert_eq!(names, disk.files("version-2"), "{path}, sector {sector}: files went");
            // The lock, and the folders' syncs: nothing else.
            assert!(damaged.operations() - before <= 5, "{path}, sector {sector}, {how:?}: the log was not left as it was");
            true
        }
        Err(error) => panic!("{path}, sector {sector}, {how:?}: {error}"),
    }
}

fn logs(disk: &MemoryDisk) -> Vec<String> {
    disk.files("version-2").into_iter().filter(|path| path.contains("/log.")).collect()
}

fn sectors(disk: &MemoryDisk) -> Vec<(String, usize)> {
    let files = logs(disk).into_iter();
    files.flat_map(|path| (0..disk.bytes(&path).len().div_ceil(SECTOR)).map(move |sector| (path.clone(), sector))).collect()
}

#[test]
fn rot_is_named_or_harmless_in_a_log_of_ours() {
    for seed in 0..2 {
        let (disk, lines) = server(seed, 250, SMALL);
        let mut named = 0;
        for (path, sector) in sectors(&disk) {
            for how in ROTS {
                named += usize::from(a_start_after(&disk, &lines, &path, sector, how));
            }
        }
        assert!(named > 50, "only {named} were named");
    }
}

#[test]
#[ignore = "takes minutes: part of `cargo xtask prove`"]
fn rot_is_named_or_harmless_in_many_logs_of_ours() {
    let (mut count, mut named) = (0, 0);
    for seed in 100..120 {
        let (disk, lines) = server(seed, 1_500, SMALL);
        for (path, sector) in sectors(&disk) {
            for how in ROTS {
                named += usize::from(a_start_after(&disk, &lines, &path, sector, how));
                count += 1;
            }
        }
    }
    println!("{count} damaged logs: {named} refused by name, {} unharmed, 0 silent", count - named);
}

/// Reads find what was written, or fail.
#[test]
fn rot_under_a_running_server_is_named_or_harmless() {
    let (disk, lines) = server(7, 250, SMALL);
    for (path, sector) in sectors(&disk) {
        let damaged = disk.copy();
        let store = open(&damaged, SMALL).unwrap();
        rot(&damaged, &path, sector, ROTS[sector % 3], &mut Chance::new(sector as u64));
        let mut next = store.log.base().zxid();
        loop {
            match store.log.reader().read(next, u64::MAX, 100_000) {
                Ok(entries) => {
                    for entry in &entries {
                        assert!(lines.contains(&line(entry)), "{path}, sector {sector}: a silent wrong read");
                    }
                    let last = entries.last().unwrap().position.zxid();
                    if last == next {
                        break;
                    }
                    next = last;
                }
                Err(fault) => {
                    assert_eq!(fault.source.kind(), std::io::ErrorKind::InvalidData);
                    break;
                }
            }
        }
    }
}

/// A file as Java leaves it: no marks, dbid 0.
fn javas(disk: &MemoryDisk) {
    for path in logs(disk) {
        disk.damage(&path, |bytes| {
            bytes[8..16].fill(0);
            let end = end_of_records(bytes);
            bytes[end..].fill(0);
        });
    }
}

fn end_of_records(bytes: &[u8]) -> usize {
    let mut end = 16;
    while let Some(length) = bytes.get(end + 8..end + 12).map(|length| u32::from_be_bytes(length.try_into().unwrap())) {
        if length == 0 {
            break;
        }
        end += 13 + length as usize;
    }
    end
}

/// Nothing in Java's files says that a record was durable but those that follow it. So what cannot be told from a torn tail is damage
/// to the last record of the last file, and to that of a file behind which another epoch begins.
#[test]
fn rot_in_a_log_of_javas_loses_the_last_record_of_a_file_at_most() {
    for seed in 0..2 {
        let (disk, lines) = server(seed, 250, SMALL);
        javas(&disk);
        assert_eq!(history(&open(&disk.copy(), SMALL).unwrap()), lines);
        let last_of: Vec<(String, usize)> = logs(&disk)
            .into_iter()
            .map(|path| {
                let bytes = disk.bytes(&path);
                let (mut last, end) = (16, end_of_records(&bytes));
                while let Some(next) =
                    Some(last + 13 + u32::from_be_bytes(bytes[last + 8..last + 12].try_into().unwrap()) as usize)
                    && next < end
                {
                    last = next;
                }
                (path, last)
            })
            .collect();
        let (mut named, mut lost) = (0, 0);
        for (path, sector) in sectors(&disk) {
            for how in ROTS {
                let damaged = disk.copy();
                rot(&damaged, &path, sector, how, &mut Chance::new(sector as u64));
                match open(&damaged, SMALL) {
                    Ok(store) => {
                        let found = history(&store);
                        let last = last_of.iter().find(|(name, _)| *name == path).unwrap().1;
                        if found != lines {
                            // Sectors hold parts of several records: all of those behind the damage have to be the last.
                            assert!(
                                (sector + 1) * SECTOR > last,
                                "{path}, sector {sector}, {how:?}: a silent loss in the middle"
                            );
                            assert!(found.iter().all(|line| lines.contains(line)), "an invention");
                            lost += 1;
                        }
                    }
                    Err(OpenError::Log(_)) => named += 1,
                    Err(error) => panic!("{error}"),
                }
            }
        }
        assert!(named > 40, "only {named} were named, {lost} could not be told");
    }
}

#[test]
fn a_lost_file_is_named() {
    let (disk, lines) = server(11, 600, Options { snapshots_kept: None, ..SMALL });
    let files = logs(&disk);
    assert!(files.len() > 3);
    // Of those that the newest snapshot covers none is needed, but what is there must hang together.
    for path in &files {
        let damaged = disk.copy();
        damaged.remove(path).unwrap();
        match open(&damaged, SMALL) {
            Ok(store) => {
                let held = log_lines(&store, 500);
                let whole = held.is_empty() || lines.windows(held.len()).any(|part| part == held);
                assert!(whole, "{path}: a log with a hole");
                assert!(store.recovered.last == lines.last().unwrap().0 || files.last() == Some(path), "{path}");
            }
            Err(error) => assert!(matches!(&error, OpenError::Log(LogError::Missing { .. })), "{path}: {error}"),
        }
    }
}

#[test]
fn a_batch_that_was_torn_in_the_middle_is_cut_where_it_was_torn() {
    let disk = MemoryDisk::new();
    let mut store = open(&disk, SMALL).unwrap();
    let promise = Promise { epoch: 1, current: 1, ..Promise::default() };
    let entries = |from: u64| (from..from + 10).map(|index| entry(Position::new(1, index), index, 100)).collect();
    store.log.write(&[persist(1, Some(promise), Some(Append { after: Position::ZERO, entries: entries(1) }))]).unwrap();
    store.log.sync().unwrap();
    store.log.write(&[persist(2, None, Some(Append { after: Position::new(1, 10), entries: entries(11) }))]).unwrap();
    drop(store);
    let path = logs(&disk).pop().unwrap();
    // The fifth of the second batch did not reach the disk, those behind it did.
    disk.damage(&path, |bytes| bytes[16 + 14 * 153 + 20..16 + 14 * 153 + 60].fill(0));
    let store = open(&disk, SMALL).unwrap();
    assert_eq!(store.recovered.last, Position::new(1, 14));
    drop(store);
    // What was cut never comes back.
    assert_eq!(open(&disk, SMALL).unwrap().recovered.last, Position::new(1, 14));
    let bytes = disk.bytes(&path);
    assert_eq!(end_of_records(&bytes), 16 + 14 * 153);
    assert!(bytes[16 + 14 * 153..].iter().filter(|&&byte| byte != 0).count() < 28, "nothing but a mark");
}
