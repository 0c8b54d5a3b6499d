//! Which term each entry of the log belongs to, without the entries.
//!
//! Terms only grow along a log, so the whole of it is a few runs: `1..=4 of term 1, 5..=9 of term 3`. That is all that elections
//! and the consistency check of appends need, however long the log is.

use alloc::vec::Vec;
use consensus::Position;

/// The terms of all entries after `base`.
///
/// Invariants: runs ascend in index and in term; the first begins at `base.index + 1`; none is empty; no term is below the base's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct History {
    base: Position,
    /// (first index of the run, its term).
    runs: Vec<(u64, u64)>,
    last: u64,
}

impl History {
    /// The history of a log that begins after `base` and ends at `last`. `runs` as in [`crate::Recovered::terms`].
    pub(crate) fn new(base: Position, runs: Vec<(u64, u64)>, last: u64) -> History {
        assert!(last >= base.index, "the log ends ({last}) before it begins ({base})");
        assert_eq!(runs.is_empty(), last == base.index, "a log has runs of terms if and only if it has entries");
        if let (Some(&(first, _)), Some(&(final_run, _))) = (runs.first(), runs.last()) {
            assert!(first == base.index + 1 && final_run <= last, "runs of terms lie outside the log");
        }
        assert!(runs.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1), "terms do not ascend along the log: {runs:?}");
        History { base, runs, last }
    }

    /// What the log begins after.
    pub(crate) fn base(&self) -> Position {
        self.base
    }

    /// The end of the log.
    pub(crate) fn last(&self) -> Position {
        Position::new(self.runs.last().map_or(self.base.epoch, |&(_, term)| term), self.last)
    }

    /// The term of the entry at `index`. `None` before the base and after the end.
    pub(crate) fn term_at(&self, index: u64) -> Option<u64> {
        if index == self.base.index {
            return Some(self.base.epoch);
        }
        if index < self.base.index || index > self.last {
            return None;
        }
        let run = self.runs.partition_point(|&(first, _)| first <= index) - 1;
        Some(self.runs[run].1)
    }

    /// The position of the entry at `index`.
    pub(crate) fn position(&self, index: u64) -> Option<Position> {
        self.term_at(index).map(|term| Position::new(term, index))
    }

    /// Whether the log holds this entry. Two logs that do are the same up to it (Log Matching, Raft §5.3).
    pub(crate) fn holds(&self, position: Position) -> bool {
        self.term_at(position.index) == Some(position.epoch)
    }

    /// The last entry at or before `index` whose term is at most `term`: where a log that has `term` at `index` may agree with this
    /// one at the latest, since terms only grow along a log. Skips a whole term at a time (end of §5.3). The base if no entry is
    /// left to ask; what lies before it is not known, so an `index` before it is its own answer.
    pub(crate) fn agree_by_term(&self, index: u64, term: u64) -> Position {
        if index < self.base.index {
            return Position::new(0, index);
        }
        let index = index.min(self.last);
        let runs = self.runs.partition_point(|&(first, its)| first <= index && its <= term);
        match runs.checked_sub(1) {
            None => self.base,
            Some(run) => {
                let end = self.runs.get(run + 1).map_or(self.last, |&(first, _)| first - 1);
                Position::new(self.runs[run].1, end.min(index))
            }
        }
    }

    /// Adds the entry after the last one.
    pub(crate) fn push(&mut self, position: Position) {
        let last = self.last();
        assert!(position.index == last.index + 1, "{position} does not follow {last}");
        assert!(position.epoch >= last.epoch, "{position} has a lower term than {last}");
        if self.runs.last().is_none_or(|&(_, term)| term < position.epoch) {
            self.runs.push((position.index, position.epoch));
        }
        self.last = position.index;
    }

    /// Drops the entries after `index`.
    pub(crate) fn truncate(&mut self, index: u64) {
        assert!(index >= self.base.index, "nothing before the base can be kept");
        self.last = self.last.min(index);
        while self.runs.last().is_some_and(|&(first, _)| first > self.last) {
            self.runs.pop();
        }
    }

    /// Forgets the entries up to `index`, which becomes the base.
    pub(crate) fn cut(&mut self, index: u64) {
        let Some(base) = self.position(index) else { return };
        self.base = base;
        let gone = self.runs.partition_point(|&(first, _)| first <= index + 1);
        // The run that the first remaining entry belongs to stays, and begins there.
        let keep = gone.saturating_sub(1);
        self.runs.drain(..keep);
        match self.runs.first_mut() {
            Some(first) if self.last > index => first.0 = first.0.max(index + 1),
            _ => self.runs.clear(),
        }
    }

    /// Forgets everything: the log now begins, and ends, with `base`.
    pub(crate) fn reset(&mut self, base: Position) {
        *self = History::new(base, Vec::new(), base.index);
    }
}
