//! Where in the files a transaction stands: a sparse index, kept in memory.

use super::record::HEAD;
use consensus::Position;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// At most about so many bytes of records lie between two points.
pub(super) const POINT_BYTES: u64 = 16 << 10;

/// A record at a known place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Point {
    pub(super) position: Position,
    /// The file, by the zxid in its name.
    pub(super) file: u64,
    pub(super) offset: u64,
}

/// A file, and how far it has been written.
#[derive(Debug)]
struct Held<F> {
    file: Arc<F>,
    end: u64,
}

/// Records to read: all between two places of a file.
#[derive(Debug)]
pub(super) struct Stretch<F> {
    pub(super) number: u64,
    pub(super) file: Arc<F>,
    pub(super) offset: u64,
    pub(super) end: u64,
}

/// The points of a log, and the files that they point into.
#[derive(Debug)]
pub(super) struct Index<F> {
    /// What the log begins after. Nothing tells whether anything is missing before it: each epoch counts from 1.
    base: Position,
    files: BTreeMap<u64, Held<F>>,
    points: VecDeque<Point>,
}

impl<F> Index<F> {
    /// The index of a log that begins after `base`, without entries.
    pub(super) fn new(base: Position) -> Index<F> {
        Index { base, files: BTreeMap::new(), points: VecDeque::new() }
    }

    /// A file from which transactions can be read from now on, in place of one of that number.
    pub(super) fn add_file(&mut self, number: u64, file: Arc<F>) {
        self.files.insert(number, Held { file, end: HEAD });
    }

    /// A record was written to the last file.
    pub(super) fn append(&mut self, position: Position, file: u64, offset: u64, end: u64) {
        let near = |point: &Point| point.file == file && offset - point.offset < POINT_BYTES;
        if !self.points.back().is_some_and(near) {
            self.points.push_back(Point { position, file, offset });
        }
        self.extend(file, end);
    }

    /// The last file has records up to `end`, none of which is news.
    pub(super) fn extend(&mut self, file: u64, end: u64) {
        self.files.get_mut(&file).expect("records are in files").end = end;
    }

    /// What is before the file `number` is gone: the log begins after `base`.
    pub(super) fn cut(&mut self, number: u64, base: Position) {
        self.base = base;
        self.files = self.files.split_off(&number);
        while self.points.front().is_some_and(|point| point.file < number) {
            self.points.pop_front();
        }
    }

    /// The file `number` and those after it are gone.
    pub(super) fn truncate(&mut self, number: u64) {
        self.files.split_off(&number);
        while self.points.back().is_some_and(|point| point.file >= number) {
            self.points.pop_back();
        }
    }

    /// The last file was cut after `last`, and is another file now.
    pub(super) fn replace(&mut self, number: u64, file: Arc<F>, end: u64, last: Position) {
        self.files.insert(number, Held { file, end });
        while self.points.back().is_some_and(|point| point.position > last) {
            self.points.pop_back();
        }
    }

    /// The last point at or before `position`; the first of all if there is none.
    pub(super) fn before(&self, position: Position) -> Option<Point> {
        let after = self.points.partition_point(|point| point.position <= position);
        self.points.get(after.saturating_sub(1)).copied()
    }

    /// What to read to find the transactions from the last one at or before `first` on. Nothing, if the log begins later: whoever asks
    /// takes what comes for what follows.
    pub(super) fn plan(&self, first: Position) -> Vec<Stretch<F>> {
        let Some(start) = self.before(first).filter(|_| first >= self.base) else { return Vec::new() };
        let stretch = |(&number, held): (&u64, &Held<F>)| {
            let offset = if number == start.file { start.offset } else { HEAD };
            Stretch { number, file: Arc::clone(&held.file), offset, end: held.end }
        };
        self.files.range(start.file..).map(stretch).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(index: u64) -> Position {
        Position::new(1, index)
    }

    /// Files of ten records of 10 KiB each.
    fn index() -> Index<()> {
        let mut index = Index::new(at(0));
        for number in [1, 11, 21] {
            index.add_file(number, Arc::new(()));
            for record in 0..10 {
                let offset = HEAD + record * 10_240;
                index.append(at(number + record), number, offset, offset + 10_240);
            }
        }
        index
    }

    fn plan(index: &Index<()>, first: u64) -> Vec<(u64, u64)> {
        index.plan(at(first)).iter().map(|stretch| (stretch.number, stretch.offset)).collect()
    }

    #[test]
    fn a_plan_begins_at_or_before_what_is_wanted() {
        let index = index();
        assert_eq!(plan(&index, 0), [(1, 16), (11, 16), (21, 16)]);
        assert_eq!(plan(&index, 4), [(1, 16 + 2 * 10_240), (11, 16), (21, 16)]);
        assert_eq!(plan(&index, 30), [(21, 16 + 8 * 10_240)]);
        assert_eq!(plan(&Index::new(at(0)), 3), []);
    }

    #[test]
    fn what_was_cut_is_not_planned_for() {
        let mut index = index();
        index.cut(11, at(10));
        assert_eq!(plan(&index, 10), [(11, 16), (21, 16)]);
        // What follows the fourth is not all there any more.
        assert_eq!(plan(&index, 4), []);
        index.truncate(21);
        assert_eq!(plan(&index, 40), [(11, 16 + 8 * 10_240)]);
    }
}
