//! Pages of the history, from which watchers that are behind replay the past.
//!
//! ```text
//!   revisions   … 41  42  43 ┊ 44  45  46 ┊ 47  48 …
//!                            ╰─ one page ─╯
//!                            from       through       whole revisions only
//! ```
//!
//! A page that lies in memory is had at once ([`Values::page`]). One that does not is read beside the machine, by a thread that
//! holds a [`ReadPages`], and handed in when it is there. History does not change, so a page cannot be out of date; but a compaction
//! may have taken parts of it away before it was read. Whoever uses a page therefore looks at the compaction *after* it came: what
//! begins at or after the compaction is whole.

use crate::{Change, Revision, Values};
use alloc::vec::Vec;
use core::convert::Infallible;

/// A page that is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Want {
    /// The first revision that is wanted.
    pub from: i64,
    /// The last one: the newest when this was asked.
    pub upto: i64,
    /// About how many bytes of changes the page may hold ([`Change::bytes`]). A first revision that is larger comes all the same.
    pub budget: usize,
}

/// Consecutive revisions, each of them whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page {
    /// The first revision that it covers.
    pub from: i64,
    /// The last one, never below `from`. What lies between and is not in `changes` was compacted away.
    pub through: i64,
    /// What happened, in order.
    pub changes: Vec<(Revision, Change)>,
}

/// Reads the history beside the machine: from any thread, whenever.
pub trait ReadPages: Send + Sync {
    /// Why it could not be read.
    type Error;

    /// The page that is wanted: everything that is still held of the revisions from `want.from` on, up to `want.upto` or until the
    /// budget is spent, or to the end of what is durable, but no less than the first revision ([`Page::gather`] does the
    /// counting). Asked only for what [`Values::page`] said that it does not have in memory.
    fn read(&self, want: Want) -> Result<Page, Self::Error>;
}

impl Page {
    /// Fills a page from changes that come in order, the first of them at or after `want.from`. Ends before the first revision that
    /// would go over the budget, and with `want.upto` in any case; `changes` is not read further than that.
    ///
    /// Where `changes` end, history is taken to end: whoever holds only a part of what is wanted lowers `want.upto` to its end first.
    pub fn gather<E>(want: Want, changes: impl Iterator<Item = Result<(Revision, Change), E>>) -> Result<Page, E> {
        assert!(want.from <= want.upto, "a page holds at least one revision: {want:?}");
        let mut page = Page { from: want.from, through: want.upto, changes: Vec::new() };
        let mut bytes = 0_usize;
        // Where the last revision begins, which goes again if it turns out to be too much.
        let mut begins = 0;
        for change in changes {
            let (at, change) = change?;
            debug_assert!(at.main >= want.from, "{at} is before the page");
            if at.main > want.upto {
                break;
            }
            if page.changes.last().is_none_or(|(last, _)| last.main < at.main) {
                begins = page.changes.len();
            }
            bytes = bytes.saturating_add(change.bytes() as usize);
            if bytes > want.budget && begins > 0 {
                page.changes.truncate(begins);
                page.through = at.main - 1;
                break;
            }
            page.changes.push((at, change));
        }
        Ok(page)
    }

    /// The page that is wanted, from a store that has all of it at hand.
    pub(crate) fn scan<V: Values + ?Sized>(values: &V, want: Want) -> Page {
        let changes = values.scan(Revision::new(want.from, 0)).map(Ok::<_, Infallible>);
        match Page::gather(want, changes) {
            Ok(page) => page,
            Err(never) => match never {},
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryValues;
    use bytes::Bytes;

    /// Each revision with so many deletions of one-byte keys.
    fn values(revisions: &[(i64, i64)]) -> MemoryValues {
        let mut values = MemoryValues::default();
        for &(main, count) in revisions {
            for sub in 0..count {
                values.put(Revision::new(main, sub), Change::Delete { key: Bytes::from_static(b"k") });
            }
        }
        values
    }

    fn page(values: &MemoryValues, from: i64, upto: i64, changes: usize) -> (i64, Vec<i64>) {
        let one = Change::Delete { key: Bytes::from_static(b"k") }.bytes() as usize;
        let page = Page::scan(values, Want { from, upto, budget: changes * one });
        assert_eq!(page.from, from);
        (page.through, page.changes.iter().map(|(at, _)| at.main).collect())
    }

    #[test]
    fn a_page_ends_between_revisions() {
        let values = values(&[(2, 1), (3, 3), (4, 1), (7, 2), (8, 1)]);
        assert_eq!(page(&values, 2, 8, 100), (8, [2, 3, 3, 3, 4, 7, 7, 8].into()));
        assert_eq!(page(&values, 2, 8, 4), (3, [2, 3, 3, 3].into()));
        assert_eq!(page(&values, 2, 8, 3), (2, [2].into()), "revision 3 does not fit whole");
        assert_eq!(page(&values, 4, 8, 2), (6, [4].into()), "5 and 6 are gone, which takes no room");
        assert_eq!(page(&values, 5, 6, 2), (6, [].into()));
    }

    #[test]
    fn a_first_revision_comes_however_large_it_is() {
        let values = values(&[(2, 1), (3, 3), (4, 1)]);
        assert_eq!(page(&values, 3, 4, 1), (3, [3, 3, 3].into()));
        assert_eq!(page(&values, 2, 4, 0), (2, [2].into()));
    }

    #[test]
    fn nothing_comes_from_after_the_end() {
        assert_eq!(page(&values(&[(2, 1), (3, 2), (4, 1)]), 2, 3, 100), (3, [2, 3, 3].into()));
    }
}
