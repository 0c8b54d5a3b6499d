//! Where in the segments an entry stands: a sparse index, kept in memory.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// At most about so many bytes of records lie between two points.
pub(super) const POINT_BYTES: u64 = 16 << 10;

/// From here on, records hold the entries from `first` until the next point's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Point {
    pub(super) first: u64,
    pub(super) segment: u64,
    pub(super) offset: u64,
}

/// The points of a log, and the files that they point into.
///
/// A truncation always begins a new point. So whoever reads from one point and stops at the next one's first entry meets each entry
/// that counts before any that was written over it.
#[derive(Debug)]
pub(super) struct Index<F> {
    base: u64,
    last: u64,
    segments: BTreeMap<u64, Arc<F>>,
    points: VecDeque<Point>,
    /// Whether the next append begins a point wherever it stands.
    begin: bool,
}

/// A stretch of records to read: where it begins, its file, and the last entry to take from it.
pub(super) type Stretch<F> = (Point, Arc<F>, u64);

impl<F> Index<F> {
    /// The index of a log without entries.
    pub(super) fn after(base: u64) -> Index<F> {
        Index { base, last: base, segments: BTreeMap::new(), points: VecDeque::new(), begin: true }
    }

    /// A segment from which entries can be read from now on.
    pub(super) fn add_segment(&mut self, number: u64, file: Arc<F>) {
        self.segments.insert(number, file);
    }

    /// A record was written: what was held after entry `after` is cut off, and `count` entries follow it.
    pub(super) fn append(&mut self, segment: u64, offset: u64, after: u64, count: u64) {
        if after < self.last {
            self.points.truncate(self.points.partition_point(|point| point.first <= after));
            self.begin = true;
            self.last = after;
            self.base = self.base.min(after);
        }
        debug_assert_eq!(after, self.last, "entries follow each other without gaps");
        if count == 0 {
            return;
        }
        let near = |point: &Point| point.segment == segment && offset - point.offset < POINT_BYTES;
        if self.begin || !self.points.back().is_some_and(near) {
            self.points.push_back(Point { first: after + 1, segment, offset });
            self.begin = false;
        }
        self.last = after + count;
    }

    /// Entries up to `base` and segments before `segment` are gone.
    pub(super) fn cut(&mut self, base: u64, segment: u64) {
        self.segments = self.segments.split_off(&segment);
        while self.points.front().is_some_and(|point| point.segment < segment) {
            self.points.pop_front();
        }
        self.base = base;
    }

    /// The log begins anew after `base`, in a segment that is yet to be added.
    pub(super) fn reset(&mut self, base: u64) {
        *self = Index::after(base);
    }

    /// How to read the entries from `first` to `last`, or those of them that come first. Empty if `first` is not held.
    pub(super) fn plan(&self, first: u64, last: u64, points: usize) -> Vec<Stretch<F>> {
        let mut plan = Vec::new();
        let last = last.min(self.last);
        if first <= self.base || first > last {
            return plan;
        }
        let start = self.points.partition_point(|point| point.first <= first) - 1;
        for number in (start..self.points.len()).take(points) {
            let point = self.points[number];
            if point.first > last {
                break;
            }
            let upto = self.points.get(number + 1).map_or(self.last, |next| next.first - 1);
            plan.push((point, Arc::clone(&self.segments[&point.segment]), upto.min(last)));
        }
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(index: &Index<()>, first: u64, last: u64) -> Vec<(u64, u64, u64)> {
        let plan = index.plan(first, last, 100);
        plan.iter().map(|(point, _, upto)| (point.first, point.offset, *upto)).collect()
    }

    #[test]
    fn a_truncation_begins_a_point_so_that_what_was_cut_off_is_never_reached() {
        let mut index = Index::after(0);
        index.add_segment(1, Arc::new(()));
        index.append(1, 512, 0, 5);
        index.append(1, 600, 5, 5);
        index.append(1, 700, 3, 1);
        assert_eq!(points(&index, 1, 100), [(1, 512, 3), (4, 700, 4)]);
        assert_eq!(points(&index, 4, 4), [(4, 700, 4)]);
        assert_eq!(points(&index, 5, 9), []);
    }

    #[test]
    fn a_truncation_alone_is_remembered_until_entries_come() {
        let mut index = Index::after(0);
        index.add_segment(1, Arc::new(()));
        index.append(1, 512, 0, 5);
        index.append(1, 600, 2, 0);
        index.append(1, 700, 2, 2);
        assert_eq!(points(&index, 1, 4), [(1, 512, 2), (3, 700, 4)]);
    }

    #[test]
    fn a_cut_hides_what_went_and_keeps_the_rest() {
        let mut index = Index::after(0);
        for number in 1..=3 {
            index.add_segment(number, Arc::new(()));
            index.append(number, 512, (number - 1) * 10, 10);
        }
        index.cut(10, 2);
        assert_eq!(points(&index, 10, 30), []);
        assert_eq!(points(&index, 11, 25), [(11, 512, 20), (21, 512, 25)]);
    }
}
