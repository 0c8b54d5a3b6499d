//! What a member writes in the course of time, and what it may find again.

#![allow(dead_code, reason = "each test program uses a part")]

use bytes::Bytes;
use consensus::{Append, Chance, Entry, EntryKind, NodeId, Persist, Position, Promise, Ticket};
use std::fmt;
use storage::{Disk, Identity, Log, LogOptions};

pub(crate) const IDENTITY: Identity = Identity(*b"cluster1member01");

/// Small enough that a short story fills several segments.
pub(crate) const SMALL: LogOptions = LogOptions { segment_bytes: 8 << 10, step_bytes: 1 << 10, record_bytes: 600 };

/// What a log says: the promise and the entries after the base.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) promise: Promise,
    pub(crate) base: Position,
    pub(crate) entries: Vec<Entry>,
}

/// Short enough to be compared by eye.
impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} after {}:", self.promise, self.base)?;
        self.entries.iter().try_for_each(|entry| write!(f, " {}={}", entry.position, entry.data.len()))
    }
}

impl State {
    pub(crate) fn new() -> State {
        State { promise: Promise::default(), base: Position::ZERO, entries: Vec::new() }
    }

    pub(crate) fn last(&self) -> Position {
        self.entries.last().map_or(self.base, |entry| entry.position)
    }

    pub(crate) fn at(&self, index: u64) -> Position {
        if index == self.base.index { self.base } else { self.entries[(index - self.base.index) as usize - 1].position }
    }

    pub(crate) fn apply(&mut self, persist: &Persist) {
        if let Some(promise) = persist.promise {
            self.promise = promise;
        }
        if let Some(Append { after, entries }) = &persist.append {
            self.entries.truncate((after.index - self.base.index) as usize);
            self.entries.extend_from_slice(entries);
        }
    }

    /// What a crash in the midst of writing `persist` may leave: its beginning.
    pub(crate) fn beginnings(&self, persist: &Persist) -> Vec<State> {
        let Some(append) = &persist.append else { return Vec::new() };
        let part = |count: usize| {
            let entries = append.entries[..count].to_vec();
            let mut state = self.clone();
            state.apply(&Persist { append: Some(Append { after: append.after, entries }), ..persist.clone() });
            state
        };
        (1..append.entries.len()).map(part).collect()
    }

    /// What a log says, read back a few entries at a time.
    pub(crate) fn of<D: Disk>(log: &Log<D>) -> State {
        State::read(log, 2_000)
    }

    /// What a log says, read back about `budget` bytes at a time.
    pub(crate) fn read<D: Disk>(log: &Log<D>, budget: usize) -> State {
        let contents = log.contents();
        let (first, last) = (contents.base.index + 1, contents.last);
        let mut entries: Vec<Entry> = Vec::new();
        while first + (entries.len() as u64) <= last {
            let read = log.reader().read(first + entries.len() as u64, last, budget).unwrap();
            assert!(!read.is_empty(), "the log says that it ends at {last} and cannot be read up to there");
            entries.extend(read);
        }
        assert!(log.reader().read(last + 1, last + 9, 100).unwrap().is_empty(), "an invention behind the end");
        let mut runs: Vec<(u64, u64)> = Vec::new();
        for entry in &entries {
            if runs.last().is_none_or(|run| run.1 != entry.position.epoch) {
                runs.push((entry.position.index, entry.position.epoch));
            }
        }
        assert_eq!(contents.terms, runs);
        State { promise: contents.promise, base: contents.base, entries }
    }
}

/// Writes of a member that is a follower now and a leader then.
pub(crate) struct Writer {
    chance: Chance,
    epoch: u64,
    ticket: u64,
    written: u64,
}

impl Writer {
    pub(crate) fn new(seed: u64) -> Writer {
        Writer { chance: Chance::new(seed), epoch: 1, ticket: 0, written: 0 }
    }

    pub(crate) fn chance(&mut self) -> &mut Chance {
        &mut self.chance
    }

    /// The next thing to persist, on a member that holds `state` and whose log below `settled` is committed.
    pub(crate) fn next(&mut self, state: &State, settled: u64) -> Persist {
        self.ticket += 1;
        let mut promise = None;
        if self.chance.one_in(1, 4) {
            self.epoch += self.chance.below(2);
            let vote = self.chance.one_in(1, 2).then(|| NodeId(self.chance.below(5)));
            promise = Some(Promise { epoch: self.epoch, current: 0, vote, committed: settled });
        }
        let mut append = None;
        if promise.is_none() || self.chance.one_in(1, 2) {
            let mut after = state.last().index;
            if self.chance.one_in(1, 8) {
                let low = settled.max(state.base.index);
                after = low + self.chance.below(after - low + 1);
                self.epoch += 1;
            }
            let count = self.chance.below(6);
            let entries = (after + 1..=after + count).map(|index| self.entry(index)).collect();
            append = Some(Append { after: state.at(after), entries });
        }
        Persist { ticket: Ticket(self.ticket), promise, append }
    }

    /// An entry like no other.
    fn entry(&mut self, index: u64) -> Entry {
        self.written += 1;
        let length = if self.chance.one_in(1, 20) { 3_000 } else { self.chance.below(200) as usize };
        let mut data = format!("{:08}", self.written).into_bytes();
        // Zeros and other bytes that a careless reader may take for something else.
        data.resize(8 + length, [0, 1, 0xff][self.chance.below(3) as usize]);
        let kind = if self.chance.one_in(1, 9) { EntryKind::Configuration } else { EntryKind::Command };
        Entry { position: Position::new(self.epoch, index), kind, data: Bytes::from(data) }
    }
}
