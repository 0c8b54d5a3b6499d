//! Which epochs the entries of a log are of, without the entries.

use consensus::Position;

/// The epochs of a log's entries, as runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct History {
    /// What the log begins after.
    base: Position,
    /// (First index, epoch) of each run of entries of one epoch, in order of index.
    runs: Vec<(u64, u64)>,
    /// Index of the last entry; the base's without entries.
    last: u64,
}

impl History {
    /// A log without entries.
    pub(super) fn after(base: Position) -> History {
        History { base, runs: Vec::new(), last: base.index }
    }

    pub(super) fn base(&self) -> Position {
        self.base
    }

    pub(super) fn runs(&self) -> &[(u64, u64)] {
        &self.runs
    }

    /// The last entry; the base without entries.
    pub(super) fn last(&self) -> Position {
        let epoch = self.runs.last().map_or(self.base.epoch, |run| run.1);
        Position { epoch, index: self.last }
    }

    /// Whether this log holds `position`, or begins after it.
    pub(super) fn holds(&self, position: Position) -> bool {
        // The most frequent question: what is to be appended follows the last entry.
        if position.index == self.last {
            return position == self.last();
        }
        if position.index == self.base.index {
            return position == self.base;
        }
        let run = self.runs.partition_point(|run| run.0 <= position.index);
        position.index <= self.last && run > 0 && self.runs[run - 1].1 == position.epoch
    }

    /// Cuts off what follows `after`, which the log must hold.
    pub(super) fn truncate(&mut self, after: Position) {
        debug_assert!(self.holds(after), "the log does not hold {after}");
        if after.index < self.last {
            self.runs.truncate(self.runs.partition_point(|run| run.0 <= after.index));
            self.last = after.index;
        }
    }

    /// Appends one entry.
    pub(super) fn push(&mut self, position: Position) {
        assert_eq!(position.index, self.last + 1, "entries follow each other without gaps");
        if self.runs.last().is_none_or(|run| run.1 != position.epoch) {
            self.runs.push((position.index, position.epoch));
        }
        self.last = position.index;
    }

    /// What is at or before `base` is not held any more. The log must hold `base`.
    pub(super) fn cut(&mut self, base: Position) {
        debug_assert!(self.holds(base), "the log does not hold {base}");
        let run = self.runs.partition_point(|run| run.0 <= base.index);
        if run > 0 {
            self.runs.drain(..run - 1);
            self.runs[0].0 = base.index + 1;
        }
        if base.index == self.last {
            self.runs.clear();
        } else if self.runs.len() > 1 && self.runs[1].0 == base.index + 1 {
            self.runs.remove(0);
        }
        self.base = base;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(epochs: &[u64]) -> History {
        let mut history = History::after(Position::ZERO);
        for (index, &epoch) in epochs.iter().enumerate() {
            history.push(Position::new(epoch, index as u64 + 1));
        }
        history
    }

    #[test]
    fn a_truncation_forgets_the_runs_behind_it() {
        let mut history = history(&[1, 1, 2, 2, 5]);
        assert_eq!(history.runs(), [(1, 1), (3, 2), (5, 5)]);
        assert!(history.holds(Position::new(2, 4)) && !history.holds(Position::new(1, 4)));
        history.truncate(Position::new(2, 3));
        assert_eq!((history.runs(), history.last()), (&[(1, 1), (3, 2)][..], Position::new(2, 3)));
        history.push(Position::new(6, 4));
        assert_eq!(history.last(), Position::new(6, 4));
    }

    #[test]
    fn a_cut_keeps_the_epochs_of_what_stays() {
        for base in 0..=5 {
            let epochs = [1, 1, 2, 2, 5];
            let mut history = history(&epochs);
            let epoch = if base == 0 { 0 } else { epochs[base as usize - 1] };
            history.cut(Position::new(epoch, base));
            let mut wanted = History::after(Position::new(epoch, base));
            for index in base + 1..=5 {
                wanted.push(Position::new(epochs[index as usize - 1], index));
            }
            assert_eq!(history, wanted);
        }
    }
}
