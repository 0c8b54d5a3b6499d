//! Marks, many to a row: a start reads all of them, and a flush writes as many as changes.
//!
//! ```text
//!   row of the first revision in it:   mark │ mark │ …          about 3 KiB, or what one flush had
//!   mark:                              main, less that of the mark before │ sub │ length │ what the keyspace says     varints first
//! ```
//!
//! What is swept up is taken out of its row; a row without marks goes.

use keyspace::varint::{put_varint, take_varint};
use keyspace::{Change, Revision, row};

/// A row of so many bytes takes no more marks. So a page of redb's holds one, and little is left over.
const FULL: usize = 3_000;

/// A row in the making.
#[derive(Default)]
pub(super) struct Row {
    first: Option<Revision>,
    last: Revision,
    bytes: Vec<u8>,
    mark: Vec<u8>,
}

impl Row {
    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= FULL
    }

    /// Adds the mark of a change that follows those that are there.
    pub(super) fn push(&mut self, at: Revision, change: &Change) {
        let mut mark = std::mem::take(&mut self.mark);
        mark.clear();
        row::encode_mark(change, &mut mark);
        self.push_encoded(at, &mark);
        self.mark = mark;
    }

    fn push_encoded(&mut self, at: Revision, mark: &[u8]) {
        let before = if self.first.is_some() { self.last.main } else { at.main };
        self.first.get_or_insert(at);
        self.last = at;
        for number in [(at.main - before) as u64, at.sub as u64, mark.len() as u64] {
            put_varint(number, &mut self.bytes);
        }
        self.bytes.extend_from_slice(mark);
    }

    /// The row, and the revision that it is found under; nothing if it is empty. Begins the next.
    pub(super) fn take(&mut self, write: impl FnOnce(Revision, &[u8])) {
        if let Some(first) = self.first.take() {
            write(first, &self.bytes);
            self.bytes.clear();
        }
    }
}

/// The marks in a row that is found under `first`, each with its revision; ends with `None` in place of what cannot be understood.
pub(super) fn each(first: Revision, row: &[u8]) -> impl Iterator<Item = Option<(Revision, &[u8])>> {
    let mut rest = row;
    let mut main = first.main;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mark = next(&mut rest, main);
        match mark {
            Some((at, _)) => main = at.main,
            None => rest = &[],
        }
        Some(mark)
    })
}

fn next<'a>(rest: &mut &'a [u8], before: i64) -> Option<(Revision, &'a [u8])> {
    let main = before.checked_add(i64::try_from(take_varint(rest)?).ok()?)?;
    let sub = i64::try_from(take_varint(rest)?).ok()?;
    let length = usize::try_from(take_varint(rest)?).ok()?;
    let (mark, later) = rest.split_at_checked(length)?;
    *rest = later;
    Some((Revision::new(main, sub), mark))
}

/// What is left of a row when the first of `gone`, which are in order, are taken out of it; and how many of them were for this row.
/// `None` if the row cannot be understood.
pub(super) fn without(first: Revision, row: &[u8], gone: &[Revision]) -> Option<(Row, usize)> {
    let mut left = Row::default();
    let mut done = 0;
    for mark in each(first, row) {
        let (at, mark) = mark?;
        // Those that are not there are gone already.
        done += gone[done..].iter().take_while(|gone| **gone < at).count();
        if gone.get(done) == Some(&at) {
            done += 1;
        } else {
            left.push_encoded(at, mark);
        }
    }
    Some((left, done))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    const AT: [Revision; 5] =
        [Revision::new(7, 2), Revision::new(7, 3), Revision::new(8, 0), Revision::new(500, 0), Revision::new(1 << 40, 9)];

    fn row(revisions: &[Revision]) -> (Revision, Vec<u8>) {
        let mut row = Row::default();
        for at in revisions {
            row.push(*at, &Change::Delete { key: Bytes::from(at.to_string()) });
        }
        let mut made = None;
        row.take(|first, bytes| made = Some((first, bytes.to_vec())));
        made.unwrap()
    }

    fn revisions((first, row): &(Revision, Vec<u8>)) -> Option<Vec<Revision>> {
        each(*first, row).map(|mark| mark.map(|(at, _)| at)).collect()
    }

    #[test]
    fn a_row_says_what_was_put_into_it() {
        let row = row(&AT);
        assert_eq!((row.0, revisions(&row)), (AT[0], Some(AT.to_vec())));
    }

    #[test]
    fn what_is_taken_out_leaves_the_rest_as_it_was() {
        let (first, bytes) = row(&AT);
        for taken in 0..1 << AT.len() {
            let (gone, left): (Vec<_>, Vec<_>) = (0..AT.len()).partition(|number| taken & (1 << number) != 0);
            let mut gone: Vec<Revision> = gone.into_iter().map(|number| AT[number]).collect();
            let count = gone.len();
            gone.push(Revision::new(i64::MAX, 0));
            let (mut rest, done) = without(first, &bytes, &gone).unwrap();
            assert_eq!(done, count);
            let left: Vec<Revision> = left.into_iter().map(|number| AT[number]).collect();
            let mut written = None;
            rest.take(|first, bytes| written = Some((first, bytes.to_vec())));
            assert_eq!(written, (!left.is_empty()).then(|| row(&left)));
        }
    }

    #[test]
    fn a_part_of_a_row_is_seen_to_be_one() {
        let (first, bytes) = row(&AT);
        for length in 1..bytes.len() {
            let part = revisions(&(first, bytes[..length].to_vec()));
            assert!(part.is_none_or(|part| part.len() < AT.len()));
        }
    }
}
