//! Transactions that are like no other, and a tree that is a list of them: what was lost, doubled or exchanged shows.

#![allow(dead_code, reason = "each test program uses a part")]

use bytes::Bytes;
use consensus::{Append, Chance, Entry, EntryKind, Persist, Position, Promise, Ticket};
use storage::Disk;
use storage::zookeeper::{self, OpenError, Options, SnapshotError, SnapshotReader, SnapshotWriter, Store};

/// Small enough that a short story fills several files.
pub(crate) const SMALL: Options = Options {
    preallocate_bytes: 8 << 10,
    step_bytes: 1 << 10,
    batch_bytes: 2 << 10,
    tail_bytes: 1 << 10,
    snapshots_kept: Some(3),
    autocreate: true,
    trust_empty_snapshot: false,
};

/// A transaction, as it is remembered: where it stands, and its number.
pub(crate) type Line = (Position, u64);

/// A transaction of no sense but its zxid and its number.
pub(crate) fn entry(position: Position, number: u64, filler: usize) -> Entry {
    let mut data = vec![0; 12];
    data.extend(position.zxid().to_be_bytes());
    data.extend([0; 12]);
    data.extend(number.to_be_bytes());
    // Zeros and other bytes that a careless reader may take for something else.
    data.resize(data.len() + filler, [0, b'B', 0xff][number as usize % 3]);
    Entry { position, kind: EntryKind::Command, data: Bytes::from(data) }
}

pub(crate) fn line(entry: &Entry) -> Line {
    (entry.position, u64::from_be_bytes(entry.data[32..40].try_into().unwrap()))
}

/// What the state machine gives for a tree that holds these lines.
pub(crate) fn stream(position: Position, lines: &[Line]) -> Vec<u8> {
    let mut stream = position.zxid().to_be_bytes().to_vec();
    stream.extend(body(lines));
    // A digest that says nothing true, but is of the right form.
    stream.extend((position.zxid().max(1)).to_be_bytes());
    stream.extend(2i32.to_be_bytes());
    stream.extend(0x1234_u64.to_be_bytes());
    stream
}

/// The body of a snapshot: no sessions, no ACLs, the root, a node with the lines in it.
pub(crate) fn body(lines: &[Line]) -> Vec<u8> {
    let mut body = vec![0; 8];
    let data: Vec<u8> =
        lines.iter().flat_map(|(position, number)| [position.zxid().to_be_bytes(), number.to_be_bytes()].concat()).collect();
    for (path, data) in [("", None), ("/lines", Some(data))] {
        body.extend((path.len() as i32).to_be_bytes());
        body.extend(path.as_bytes());
        body.extend(data.as_ref().map_or(-1, |data| data.len() as i32).to_be_bytes());
        body.extend(data.unwrap_or_default());
        body.extend([0xff; 68]);
    }
    body.extend(1i32.to_be_bytes());
    body.push(b'/');
    body
}

/// The lines in a snapshot.
pub(crate) fn lines<D: Disk>(mut reader: SnapshotReader<D>) -> Result<Vec<Line>, SnapshotError> {
    let mut stream = Vec::new();
    while let Some(chunk) = reader.next_chunk()? {
        stream.extend(chunk);
    }
    let at = 8 + 8 + 4 + 4 + 68 + 4 + "/lines".len();
    let length = i32::from_be_bytes(stream[at..at + 4].try_into().unwrap()) as usize;
    let word = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().unwrap());
    let lines = stream[at + 4..at + 4 + length].chunks(16);
    Ok(lines.map(|line| (Position::from_zxid(word(&line[..8])), word(&line[8..]))).collect())
}

pub(crate) fn open<D: Disk>(disk: &D, options: Options) -> Result<Store<D>, OpenError> {
    zookeeper::open(disk.clone(), disk.clone(), options, || vec![Bytes::from(stream(Position::ZERO, &[]))])
}

/// Everything in the log, read back a little at a time.
pub(crate) fn log_lines<D: Disk>(store: &Store<D>, budget: usize) -> Vec<Line> {
    let reader = store.log.reader();
    let mut all: Vec<Line> = Vec::new();
    loop {
        let first = all.last().map_or(store.log.base(), |line| line.0).zxid();
        let read = reader.read(first, u64::MAX, budget).unwrap();
        let news: Vec<Line> = read.iter().map(line).filter(|line| all.last().is_none_or(|last| last < line)).collect();
        if let (Some(last), Some(first)) = (all.last(), read.first()) {
            assert_eq!(*last, line(first), "an answer begins with the last entry at or before the one that is wanted");
        }
        if news.is_empty() {
            return all;
        }
        all.extend(news);
    }
}

/// The whole history of a server: what its newest snapshot holds and what its log holds after that. Where they overlap, they agree.
pub(crate) fn history<D: Disk>(store: &Store<D>) -> Vec<Line> {
    let mut all = store.newest.as_ref().map_or_else(Vec::new, |newest| lines(newest.read().unwrap()).unwrap());
    for line in log_lines(store, 700) {
        match all.binary_search_by_key(&line.0, |line| line.0) {
            Ok(at) => assert_eq!(all[at], line, "log and snapshot differ"),
            Err(at) => {
                assert_eq!(at, all.len(), "the log holds {}, which the snapshot does not", line.0);
                all.push(line);
            }
        }
    }
    let recovered = &store.recovered;
    assert_eq!(recovered.last, all.last().map_or(Position::ZERO, |line| line.0));
    let tail: Vec<Line> = recovered.tail.iter().map(line).collect();
    assert!(all.ends_with(&tail), "the tail is the end");
    let before = all[..all.len() - tail.len()].last().map_or(Position::ZERO, |line| line.0);
    let fits = recovered.before == before || (recovered.before.index == 0 && recovered.before > before);
    assert!(
        fits,
        "{} is said to be before the tail {tail:?}, not {before}; snapshot {}, base {}",
        recovered.before, recovered.snapshot, recovered.base
    );
    all
}

/// Takes a snapshot of these lines.
pub(crate) fn fill<D: Disk>(mut writer: SnapshotWriter<D>, stream: &[u8]) -> Result<SnapshotWriter<D>, storage::Fault> {
    for piece in stream.chunks(100) {
        writer.write(piece)?;
    }
    Ok(writer)
}

/// Appends with tickets of their own.
pub(crate) fn persist(ticket: u64, promise: Option<Promise>, append: Option<Append>) -> Persist {
    Persist { ticket: Ticket(ticket), promise, append }
}

/// A few entries that follow `last`, some of them in a new epoch; all of them if others followed it before (`anew`): no zxid is ever
/// given to two transactions.
pub(crate) fn follow(chance: &mut Chance, last: Position, epoch: u64, anew: bool, written: &mut u64) -> Vec<Entry> {
    let mut position = last;
    (0..chance.below(6))
        .map(|_| {
            let next = epoch > position.epoch && (position.epoch == 0 || anew || chance.one_in(1, 2));
            position = if next { Position::new(epoch, 1) } else { Position::new(position.epoch, position.index + 1) };
            *written += 1;
            let filler = if chance.one_in(1, 20) { 3_000 } else { chance.below(200) as usize };
            entry(position, *written, filler)
        })
        .collect()
}
