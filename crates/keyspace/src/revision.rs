//! Revisions: etcd's version numbers.

use core::fmt;

/// When something was written: `main` counts the writes since the cluster began, `sub` the changes within one of them.
///
/// A put is one change; a transaction or the revocation of a lease may make many, which share `main`. Clients see only `main`,
/// and count it from 1, the revision of the empty store; the first write makes revision 2. Signed, as in etcd's API.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Revision {
    /// The write.
    pub main: i64,
    /// The change within it, from 0.
    pub sub: i64,
}

impl Revision {
    /// The change `sub` of the write `main`.
    pub const fn new(main: i64, sub: i64) -> Revision {
        Revision { main, sub }
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.main, self.sub)
    }
}

impl fmt::Debug for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
