//! The newest part of the log, in memory.
//!
//! ```text
//!   on disk ...  (4,7) (4,8) (4,9) │ (4,10) (5,1) (5,2)
//!                             ▲      ▲                ▲
//!                          before    window         last
//! ```
//!
//! Zxids have gaps: each epoch counts from 1, and an epoch without a transaction leaves no trace. So whether two entries follow each
//! other is a question of its own ([`follows`]).

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use consensus::{Entry, Position};

/// What an entry takes in memory beside its data, about: its place in the window, and its share of what an allocator needs.
const OVERHEAD: usize = 128;

/// A window on the log's end.
#[derive(Clone, Debug)]
pub(crate) struct History {
    before: Position,
    /// Each with the bytes of all entries up to and including it, counted from the process's start.
    window: VecDeque<(u64, Entry)>,
    /// The same for `before`.
    bytes_before: u64,
}

impl History {
    /// The window with which a server starts. Where the log begins in the middle of an epoch, or has a gap that only a snapshot
    /// covers, the window begins after it.
    pub(crate) fn new(before: Position, tail: Vec<Entry>) -> History {
        let mut history = History { before, window: VecDeque::new(), bytes_before: 0 };
        for entry in tail {
            let Position { epoch, index } = entry.position;
            if !history.last().precedes_zxid(entry.position) {
                history.reset(Position::new(epoch, index.saturating_sub(1)));
            }
            history.push(entry);
        }
        history
    }

    /// What the window begins after.
    pub(crate) fn before(&self) -> Position {
        self.before
    }

    /// The end of the log.
    pub(crate) fn last(&self) -> Position {
        self.window.back().map_or(self.before, |(_, entry)| entry.position)
    }

    /// The bytes of all entries, counted from the process's start.
    pub(crate) fn bytes(&self) -> u64 {
        self.window.back().map_or(self.bytes_before, |&(bytes, _)| bytes)
    }

    /// The bytes up to and including `position`, as far as it is known.
    pub(crate) fn bytes_upto(&self, position: Position) -> u64 {
        self.index_after(position).checked_sub(1).map_or(self.bytes_before, |index| self.window[index].0)
    }

    pub(crate) fn push(&mut self, entry: Entry) {
        assert!(self.last().precedes_zxid(entry.position), "{} does not follow {}", entry.position, self.last());
        let bytes = self.bytes() + entry.data.len() as u64;
        self.window.push_back((bytes, entry));
    }

    /// Whether `position` is in the window, or is what it begins after.
    pub(crate) fn holds(&self, position: Position) -> bool {
        self.floor(position) == Some(position)
    }

    /// The last position at or before `position`; `None` if that lies before the window.
    pub(crate) fn floor(&self, position: Position) -> Option<Position> {
        match self.index_after(position) {
            0 => (self.before <= position).then_some(self.before),
            index => Some(self.window[index - 1].1.position),
        }
    }

    /// The entries in the window after `position`, up to and including `upto`.
    pub(crate) fn between(&self, position: Position, upto: Position) -> impl Iterator<Item = &Entry> {
        let (first, end) = (self.index_after(position), self.index_after(upto));
        self.window.range(first..end.max(first)).map(|(_, entry)| entry)
    }

    /// Cuts what is after `position`, which the window must hold.
    pub(crate) fn truncate(&mut self, position: Position) {
        assert!(self.holds(position), "cannot cut after {position}");
        self.window.truncate(self.index_after(position));
    }

    /// Something else took the log's place.
    pub(crate) fn reset(&mut self, position: Position) {
        self.bytes_before = self.bytes();
        self.before = position;
        self.window.clear();
    }

    /// Lets go of old entries up to `upto`, as far as they all take more than `bytes` of memory.
    pub(crate) fn shrink(&mut self, bytes: usize, upto: Position) {
        while let Some((bytes_upto, first)) = self.window.front() {
            let taken = self.bytes() - self.bytes_before + (self.window.len() * OVERHEAD) as u64;
            if taken <= bytes as u64 || first.position > upto {
                return;
            }
            (self.bytes_before, self.before) = (*bytes_upto, first.position);
            self.window.pop_front();
        }
    }

    fn index_after(&self, position: Position) -> usize {
        self.window.partition_point(|(_, entry)| entry.position <= position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use bytes::Bytes;
    use consensus::EntryKind;

    fn entry(epoch: u64, index: u64) -> Entry {
        Entry { position: Position::new(epoch, index), kind: EntryKind::Command, data: Bytes::from_static(b"12345") }
    }

    #[test]
    fn a_window_begins_after_a_gap() {
        let history = History::new(Position::ZERO, vec![entry(2, 5), entry(2, 6)]);
        assert_eq!((history.before(), history.last()), (Position::new(2, 4), Position::new(2, 6)));
        let history = History::new(Position::new(1, 3), vec![entry(1, 4), entry(2, 5)]);
        assert_eq!((history.before(), history.last()), (Position::new(2, 4), Position::new(2, 5)));
    }

    #[test]
    fn the_window_shrinks_from_the_front_and_is_cut_from_the_back() {
        let mut history = History::new(Position::new(1, 3), vec![entry(1, 4), entry(2, 1), entry(2, 2), entry(5, 1)]);
        assert_eq!(history.last(), Position::new(5, 1));
        assert_eq!(history.floor(Position::new(3, 9)), Some(Position::new(2, 2)));
        assert_eq!(history.floor(Position::new(1, 2)), None);
        assert!(history.holds(Position::new(1, 3)) && !history.holds(Position::new(3, 0)));
        assert_eq!(history.between(Position::new(1, 9), Position::new(4, 0)).count(), 2);
        history.truncate(Position::new(2, 2));
        history.shrink((5 + OVERHEAD) * 2 - 1, Position::new(9, 9));
        assert_eq!((history.before(), history.last()), (Position::new(2, 1), Position::new(2, 2)));
        assert_eq!((history.bytes(), history.bytes_upto(Position::new(2, 1))), (15, 10));
        history.reset(Position::new(7, 0));
        history.push(entry(7, 1));
        assert_eq!(history.bytes(), 20);
    }
}
