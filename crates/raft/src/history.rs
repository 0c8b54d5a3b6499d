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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a history stands for, entry by entry.
    #[derive(Clone, Debug)]
    struct Plain {
        base: Position,
        terms: Vec<u64>,
    }

    impl Plain {
        fn last(&self) -> u64 {
            self.base.index + self.terms.len() as u64
        }

        fn term_at(&self, index: u64) -> Option<u64> {
            if index == self.base.index {
                return Some(self.base.epoch);
            }
            self.terms.get(usize::try_from(index.checked_sub(self.base.index + 1)?).ok()?).copied()
        }

        fn agree_by_term(&self, index: u64, term: u64) -> Position {
            if index < self.base.index {
                return Position::new(0, index);
            }
            let entries = (self.base.index + 1..=index.min(self.last())).rev();
            let found = entries.map(|index| (index, self.term_at(index).unwrap())).find(|&(_, its)| its <= term);
            found.map_or(self.base, |(index, its)| Position::new(its, index))
        }
    }

    #[derive(Clone, Debug)]
    enum Change {
        Push { terms_later: u64 },
        Truncate { keep: u64 },
        Cut { forget: u64 },
        Reset { terms_later: u64, further: u64 },
    }

    fn change() -> impl Strategy<Value = Change> {
        prop_oneof![
            8 => (0_u64..3).prop_map(|terms_later| Change::Push { terms_later: terms_later.saturating_sub(1) }),
            2 => (0_u64..12).prop_map(|keep| Change::Truncate { keep }),
            1 => (0_u64..8).prop_map(|forget| Change::Cut { forget }),
            1 => (0_u64..3, 0_u64..9).prop_map(|(terms_later, further)| Change::Reset { terms_later, further }),
        ]
    }

    proptest! {
        #[test]
        fn runs_of_terms_say_what_a_list_of_entries_says(changes in prop::collection::vec(change(), 0..60)) {
            let mut history = History::new(Position::ZERO, Vec::new(), 0);
            let mut plain = Plain { base: Position::ZERO, terms: Vec::new() };
            for change in changes {
                match change {
                    Change::Push { terms_later } => {
                        let term = plain.term_at(plain.last()).unwrap().max(1) + terms_later;
                        plain.terms.push(term);
                        history.push(Position::new(term, plain.last()));
                    }
                    Change::Truncate { keep } => {
                        plain.terms.truncate(keep as usize);
                        history.truncate(plain.base.index + keep);
                    }
                    Change::Cut { forget } => {
                        let forget = forget.min(plain.terms.len() as u64);
                        let base = plain.base.index + forget;
                        plain.base = Position::new(plain.term_at(base).unwrap(), base);
                        plain.terms.drain(..forget as usize);
                        history.cut(base);
                    }
                    Change::Reset { terms_later, further } => {
                        let term = plain.term_at(plain.last()).unwrap().max(1) + terms_later;
                        plain = Plain { base: Position::new(term, plain.last() + further), terms: Vec::new() };
                        history.reset(plain.base);
                    }
                }
                prop_assert_eq!(history.base(), plain.base);
                prop_assert_eq!(history.last().index, plain.last());
                prop_assert_eq!(Some(history.last().epoch), plain.term_at(plain.last()));
                for index in plain.base.index.saturating_sub(2)..plain.last() + 3 {
                    prop_assert_eq!(history.term_at(index), plain.term_at(index), "at {}", index);
                    for term in 0..history.last().epoch + 2 {
                        prop_assert_eq!(history.agree_by_term(index, term), plain.agree_by_term(index, term));
                    }
                }
                // It can be written down and read back.
                let again = History::new(history.base, history.runs.clone(), history.last);
                prop_assert_eq!(&again, &history);
            }
        }
    }

    #[test]
    fn logs_agree_at_the_latest_where_the_term_is_no_higher() {
        // Indexes 1..=9 have terms 1 1 1 4 4 5 5 6 6.
        let history = History::new(Position::ZERO, [(1, 1), (4, 4), (6, 5), (8, 6)].into(), 9);
        let cases = [
            ((9, 6), (6, 9)),
            ((9, 5), (5, 7)),
            ((5, 5), (4, 5)),
            ((9, 3), (1, 3)),
            ((2, 9), (1, 2)),
            ((9, 0), (0, 0)),
            ((12, 4), (4, 5)),
        ];
        for ((index, term), (its, at)) in cases {
            assert_eq!(history.agree_by_term(index, term), Position::new(its, at), "{index} of term {term}");
        }
    }
}
