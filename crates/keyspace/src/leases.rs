//! Leases, as data: what was granted, and which keys hang on it. Their clocks run elsewhere.

use crate::row::encode_lease;
use crate::{KeyspaceError, LeaseAnswer};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use bytes::Bytes;
use core::ops::Bound;

/// The longest life of a lease, in seconds (etcd's MaxLeaseTTL).
const MAX_TTL: i64 = 9_000_000_000;

/// How long a lease lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Terms {
    /// What was granted, in seconds.
    pub(crate) ttl: i64,
    /// What the last checkpoint left, in seconds; 0: no checkpoint yet.
    pub(crate) remaining_ttl: i64,
}

impl Terms {
    /// What a leader that begins to lead starts from, in seconds.
    pub(crate) fn left(&self) -> i64 {
        if self.remaining_ttl > 0 { self.remaining_ttl } else { self.ttl }
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Lease {
    terms: Terms,
    keys: BTreeSet<Bytes>,
}

/// The table of leases.
#[derive(Debug)]
pub(crate) struct Leases {
    leases: BTreeMap<i64, Lease>,
    /// For each snapshot in progress, what the leases that changed since it began were like: `None` if there was none.
    before: BTreeMap<u64, BTreeMap<i64, Option<Terms>>>,
    /// The leases that changed since the last flush; `None` if nobody flushes.
    touched: Option<BTreeSet<i64>>,
    /// The least that is granted, in seconds.
    pub(crate) min_ttl: i64,
}

impl Default for Leases {
    fn default() -> Leases {
        // One and a half of the default election timeout of one second, rounded up.
        Leases { leases: BTreeMap::new(), before: BTreeMap::new(), touched: None, min_ttl: 2 }
    }
}

impl Leases {
    pub(crate) fn contains(&self, id: i64) -> bool {
        self.leases.contains_key(&id)
    }

    pub(crate) fn get(&self, id: i64) -> Option<Terms> {
        self.leases.get(&id).map(|lease| lease.terms)
    }

    /// All leases, in order of id.
    pub(crate) fn terms(&self) -> impl Iterator<Item = (i64, Terms)> {
        self.leases.iter().map(|(&id, lease)| (id, lease.terms))
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = i64> {
        self.leases.keys().copied()
    }

    pub(crate) fn answer(&self, id: i64, keys: bool) -> Option<LeaseAnswer> {
        let lease = self.leases.get(&id)?;
        Some(LeaseAnswer {
            id,
            granted_ttl: lease.terms.ttl,
            remaining_ttl: lease.terms.remaining_ttl,
            left: None,
            keys: if keys { lease.keys.iter().cloned().collect() } else { Default::default() },
        })
    }

    /// Makes a lease; returns how long it lives.
    pub(crate) fn grant(&mut self, id: i64, ttl: i64) -> Result<i64, KeyspaceError> {
        if id == 0 {
            return Err(KeyspaceError::LeaseNotFound);
        }
        if ttl > MAX_TTL {
            return Err(KeyspaceError::LeaseTtlTooLarge);
        }
        if self.contains(id) {
            return Err(KeyspaceError::LeaseExists);
        }
        let ttl = ttl.max(self.min_ttl);
        self.remember(id);
        self.restore(id, Terms { ttl, remaining_ttl: 0 });
        Ok(ttl)
    }

    /// Ends a lease; returns the keys that hang on it, in order.
    pub(crate) fn revoke(&mut self, id: i64) -> Result<BTreeSet<Bytes>, KeyspaceError> {
        self.remember(id);
        self.leases.remove(&id).map(|lease| lease.keys).ok_or(KeyspaceError::LeaseNotFound)
    }

    /// Notes how long a lease has left. A lease that is gone has nothing left to note.
    pub(crate) fn checkpoint(&mut self, id: i64, remaining_ttl: i64) {
        self.remember(id);
        if let Some(lease) = self.leases.get_mut(&id) {
            lease.terms.remaining_ttl = remaining_ttl;
        }
    }

    pub(crate) fn attach(&mut self, id: i64, key: Bytes) {
        let lease = self.leases.get_mut(&id).expect("a key is attached only to a lease that was looked up");
        lease.keys.insert(key);
    }

    pub(crate) fn detach(&mut self, id: i64, key: &Bytes) {
        // The lease may be gone: its revocation deletes its keys.
        if let Some(lease) = self.leases.get_mut(&id) {
            lease.keys.remove(key);
        }
    }

    /// From now on, what changes is remembered for the next flush.
    pub(crate) fn keep_account(&mut self) {
        self.touched = Some(BTreeSet::new());
    }

    /// The leases that changed since this was last called, as rows; `None` for those that ended.
    pub(crate) fn take_touched(&mut self) -> Vec<(i64, Option<Bytes>)> {
        let touched = self.touched.as_mut().map(core::mem::take).unwrap_or_default();
        let row = |terms: Terms| {
            let mut row = Vec::new();
            encode_lease(terms, &mut row);
            Bytes::from(row)
        };
        touched.into_iter().map(|id| (id, self.leases.get(&id).map(|lease| row(lease.terms)))).collect()
    }

    /// Takes in a lease from a snapshot.
    pub(crate) fn restore(&mut self, id: i64, terms: Terms) {
        if let Some(touched) = &mut self.touched {
            touched.insert(id);
        }
        self.leases.insert(id, Lease { terms, keys: BTreeSet::new() });
    }

    /// From now on, what changes is remembered for `snapshot`.
    pub(crate) fn pin(&mut self, snapshot: u64) {
        self.before.insert(snapshot, BTreeMap::new());
    }

    pub(crate) fn unpin(&mut self, snapshot: u64) {
        self.before.remove(&snapshot);
    }

    /// The first lease after `after` that existed when `snapshot` began, as it was then.
    pub(crate) fn next_pinned(&self, snapshot: u64, mut after: Option<i64>) -> Option<(i64, Terms)> {
        let before = self.before.get(&snapshot)?;
        loop {
            let bounds = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
            let present = self.leases.range(bounds).next().map(|(&id, lease)| (id, Some(lease.terms)));
            let remembered = before.range(bounds).next().map(|(&id, &terms)| (id, terms));
            let (id, terms) = match (present, remembered) {
                (Some(present), Some(remembered)) if present.0 < remembered.0 => present,
                (_, Some(remembered)) => remembered,
                (present, None) => present?,
            };
            if let Some(terms) = terms {
                return Some((id, terms));
            }
            after = Some(id);
        }
    }

    fn remember(&mut self, id: i64) {
        if let Some(touched) = &mut self.touched {
            touched.insert(id);
        }
        for before in self.before.values_mut() {
            before.entry(id).or_insert_with(|| self.leases.get(&id).map(|lease| lease.terms));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;

    fn pinned(leases: &Leases) -> Vec<(i64, i64)> {
        let next = |after: Option<i64>| leases.next_pinned(7, after);
        let mut all = Vec::new();
        let mut found = next(None);
        while let Some((id, terms)) = found {
            all.push((id, terms.ttl + terms.remaining_ttl));
            found = next(Some(id));
        }
        all
    }

    #[test]
    fn a_grant_is_checked_and_rounded_up() {
        let mut leases = Leases::default();
        assert_eq!(leases.grant(0, 10), Err(KeyspaceError::LeaseNotFound));
        assert_eq!(leases.grant(1, MAX_TTL + 1), Err(KeyspaceError::LeaseTtlTooLarge));
        assert_eq!(leases.grant(1, MAX_TTL), Ok(MAX_TTL));
        assert_eq!(leases.grant(1, 10), Err(KeyspaceError::LeaseExists));
        assert_eq!(leases.grant(2, -5), Ok(2));
    }

    #[test]
    fn a_snapshot_sees_the_leases_of_its_beginning() {
        let mut leases = Leases::default();
        for id in [1, 3, 5, 7] {
            leases.grant(id, id * 100).unwrap();
        }
        let then = vec![(1, 100), (3, 300), (5, 500), (7, 700)];
        leases.pin(7);
        assert_eq!(pinned(&leases), then);
        leases.revoke(1).unwrap();
        leases.revoke(5).unwrap();
        leases.grant(2, 200).unwrap();
        leases.grant(5, 555).unwrap();
        leases.checkpoint(7, 1);
        leases.revoke(2).unwrap();
        assert_eq!(pinned(&leases), then);
        leases.unpin(7);
    }
}
