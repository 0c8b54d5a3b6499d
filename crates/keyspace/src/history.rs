//! The history of one key: at which revisions it was changed.
//!
//! A key's life is a row of *generations*, each from a creation to a deletion (etcd's keyIndex):
//!
//! ```text
//!   put 2   put 3   delete 5   put 8   put 9
//!   v1      v2      ×          v1      v2        version: counts from each creation
//!   ╰─ created 2 ───────╯      ╰─ created 8 ─…
//! ```
//!
//! Here it is one list of marks, oldest first, each of which says what etcd derives from its generation: the creation and the
//! version. A deletion has version 0. The newest mark lies outside the list, so that a key that was written once, as most are,
//! needs no list.

use crate::Revision;
use alloc::boxed::Box;
use alloc::collections::VecDeque;

/// One change of one key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Mark {
    /// When.
    pub(crate) at: Revision,
    /// When the key was created; 0 for a deletion.
    pub(crate) created: i64,
    /// How often it was written since; 0 for a deletion.
    pub(crate) version: i64,
}

impl Mark {
    pub(crate) fn creation(at: Revision) -> Mark {
        Mark { at, created: at.main, version: 1 }
    }

    pub(crate) fn deletion(at: Revision) -> Mark {
        Mark { at, created: 0, version: 0 }
    }

    /// The mark of a put that follows this one.
    pub(crate) fn put(self, at: Revision) -> Mark {
        if self.is_deletion() { Mark::creation(at) } else { Mark { at, created: self.created, version: self.version + 1 } }
    }

    pub(crate) fn is_deletion(self) -> bool {
        self.version == 0
    }
}

/// The history of one key. Never empty.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct History {
    /// The newest change.
    latest: Mark,
    /// Those before it, oldest first.
    #[expect(clippy::box_collection, reason = "most keys have none, and there are millions of them")]
    older: Option<Box<VecDeque<Mark>>>,
    /// The lease that the key is attached to now; 0: none.
    pub(crate) lease: i64,
}

/// What is left of a history after [`History::forget`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Left {
    /// Something that a reader may ask for.
    Some,
    /// Nothing: the key goes.
    Nothing,
    /// More to forget; the budget is spent.
    More,
}

impl History {
    pub(crate) fn new(mark: Mark) -> History {
        History { latest: mark, older: None, lease: 0 }
    }

    /// The newest change.
    pub(crate) fn latest(&self) -> Mark {
        self.latest
    }

    /// Whether the key exists now.
    pub(crate) fn is_alive(&self) -> bool {
        !self.latest.is_deletion()
    }

    pub(crate) fn push(&mut self, mark: Mark) {
        assert!(self.latest.at < mark.at, "a key's history goes forward: {} after {}", mark.at, self.latest.at);
        self.older.get_or_insert_default().push_back(self.latest);
        self.latest = mark;
    }

    /// Whether `mark` can be the first that is known of a key. Where the past was compacted away, a key may begin in the middle of
    /// its life, or with its end.
    pub(crate) fn can_begin(mark: Mark, compacted: i64) -> bool {
        mark.at.main <= compacted || mark == Mark::creation(mark.at)
    }

    /// Whether `mark` can come next.
    pub(crate) fn can_follow(&self, mark: Mark) -> bool {
        let fits = if mark.is_deletion() { self.is_alive() } else { mark == self.latest.put(mark.at) };
        fits && self.latest.at < mark.at
    }

    /// Whether [`History::forget`] has nothing to do.
    pub(crate) fn is_swept(&self, compacted: i64) -> bool {
        let oldest = self.older.as_ref().and_then(|older| older.front());
        self.needs(oldest.unwrap_or(&self.latest).at, compacted)
    }

    /// The newest change at or before `main`, deletions included.
    pub(crate) fn newest_upto(&self, main: i64) -> Option<Mark> {
        if self.latest.at.main <= main {
            return Some(self.latest);
        }
        let older = self.older.as_ref()?;
        let after = older.partition_point(|mark| mark.at.main <= main);
        after.checked_sub(1).map(|index| older[index])
    }

    /// The key's last write as of `main`, if it existed then.
    pub(crate) fn get(&self, main: i64) -> Option<Mark> {
        self.newest_upto(main).filter(|mark| !mark.is_deletion())
    }

    /// The change that etcd's HashKV counts for this key as of `main`: the last write, if the key existed then. But if it was deleted
    /// and put again at `main` itself, etcd takes the deletion for the last word.
    pub(crate) fn hashed(&self, main: i64) -> Option<Mark> {
        let deleted_there = || {
            let Some(older) = &self.older else { return false };
            let first = older.partition_point(|mark| mark.at.main < main);
            older.range(first..).take_while(|mark| mark.at.main == main).any(|mark| mark.is_deletion())
        };
        self.get(main).filter(|mark| mark.at.main < main || !deleted_there())
    }

    /// Whether the change at `at` can still be asked for after a compaction at `compacted`: what is newer can, and of the rest
    /// the newest. A deletion that is older says no more than its absence; one exactly there is kept, for watchers that start
    /// there (etcd since 3.5.16).
    pub(crate) fn needs(&self, at: Revision, compacted: i64) -> bool {
        if at.main > compacted {
            return true;
        }
        self.newest_upto(compacted).is_some_and(|mark| mark.at == at && !(mark.is_deletion() && at.main < compacted))
    }

    /// Forgets what is not needed after a compaction at `compacted`, oldest first. Takes one from `budget` for each change and
    /// hands it to `forgotten`.
    pub(crate) fn forget(&mut self, compacted: i64, budget: &mut usize, forgotten: &mut impl FnMut(Revision)) -> Left {
        while let Some(&oldest) = self.older.as_ref().and_then(|older| older.front()) {
            if self.needs(oldest.at, compacted) {
                self.shrink();
                return Left::Some;
            }
            if *budget == 0 {
                return Left::More;
            }
            *budget -= 1;
            self.older.as_mut().and_then(|older| older.pop_front());
            forgotten(oldest.at);
        }
        self.older = None;
        if self.needs(self.latest.at, compacted) {
            return Left::Some;
        }
        forgotten(self.latest.at);
        Left::Nothing
    }

    /// Gives back memory of what was forgotten, unless it is little.
    fn shrink(&mut self) {
        if let Some(older) = &mut self.older
            && older.capacity() > 4 * older.len()
        {
            older.shrink_to(2 * older.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;

    /// The history drawn above.
    fn history() -> History {
        let mut history = History::new(Mark::creation(Revision::new(2, 0)));
        history.push(history.latest().put(Revision::new(3, 0)));
        history.push(Mark::deletion(Revision::new(5, 0)));
        history.push(history.latest().put(Revision::new(8, 0)));
        history.push(history.latest().put(Revision::new(9, 0)));
        history
    }

    fn forget(history: &mut History, compacted: i64) -> (Left, Vec<i64>) {
        let mut forgotten = Vec::new();
        let left = history.forget(compacted, &mut 100, &mut |at| forgotten.push(at.main));
        (left, forgotten)
    }

    #[test]
    fn a_key_is_seen_as_it_was() {
        let history = history();
        let seen = |main| history.get(main).map(|mark| (mark.at.main, mark.created, mark.version));
        assert_eq!(seen(1), None);
        assert_eq!(seen(2), Some((2, 2, 1)));
        assert_eq!(seen(4), Some((3, 2, 2)));
        assert_eq!(seen(5), None);
        assert_eq!(seen(7), None);
        assert_eq!(seen(8), Some((8, 8, 1)));
        assert_eq!(seen(100), Some((9, 8, 2)));
    }

    #[test]
    fn a_compaction_keeps_what_was_seen_there_and_all_that_came_after() {
        for (compacted, expected) in
            [(1, vec![]), (2, vec![]), (3, vec![2]), (4, vec![2]), (5, vec![2, 3]), (6, vec![2, 3, 5]), (8, vec![2, 3, 5])]
        {
            assert_eq!(forget(&mut history(), compacted), (Left::Some, expected), "at {compacted}");
        }
        assert_eq!(forget(&mut history(), 9), (Left::Some, vec![2, 3, 5, 8]));
    }

    #[test]
    fn a_deleted_key_goes_once_the_compaction_is_past_its_deletion() {
        let mut history = History::new(Mark::creation(Revision::new(2, 0)));
        history.push(Mark::deletion(Revision::new(4, 0)));
        assert_eq!(forget(&mut history, 4), (Left::Some, vec![2]));
        assert_eq!(forget(&mut history, 5), (Left::Nothing, vec![4]));
    }

    #[test]
    fn forgetting_stops_where_the_budget_does() {
        let mut history = history();
        assert_eq!(history.forget(9, &mut 2, &mut |_| {}), Left::More);
        assert_eq!(forget(&mut history, 9), (Left::Some, vec![5, 8]));
    }
}
