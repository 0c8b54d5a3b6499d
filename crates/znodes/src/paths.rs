//! Paths that belong together, and how many bytes they take.

use alloc::collections::BTreeSet;
use alloc::collections::btree_set::Iter;
use alloc::sync::Arc;
use core::ops::Deref;

/// A set of paths that knows how long a list of them is on the wire. It reads as a [`BTreeSet`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Paths {
    set: BTreeSet<Arc<str>>,
    bytes: usize,
}

/// What one path takes in a list: its length, and itself.
pub(crate) fn weight(path: &str) -> usize {
    4 + path.len()
}

impl Paths {
    /// Bytes that they take in a list.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn insert(&mut self, path: Arc<str>) {
        let bytes = weight(&path);
        if self.set.insert(path) {
            self.bytes += bytes;
        }
    }

    pub(crate) fn remove(&mut self, path: &str) {
        if self.set.remove(path) {
            self.bytes -= weight(path);
        }
    }

    pub(crate) fn into_set(self) -> BTreeSet<Arc<str>> {
        self.set
    }
}

impl Deref for Paths {
    type Target = BTreeSet<Arc<str>>;

    fn deref(&self) -> &BTreeSet<Arc<str>> {
        &self.set
    }
}

impl<'a> IntoIterator for &'a Paths {
    type Item = &'a Arc<str>;
    type IntoIter = Iter<'a, Arc<str>>;

    fn into_iter(self) -> Iter<'a, Arc<str>> {
        self.set.iter()
    }
}
