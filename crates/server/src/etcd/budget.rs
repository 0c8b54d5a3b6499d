//! A bound in bytes on what is held for others: what peers and clients have begun to send, what clients have not taken yet.

use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// So many bytes may be held in all. Clones are the same budget.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    held: Arc<AtomicUsize>,
    most: usize,
}

/// A part of a budget; given back when dropped.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Budget,
    bytes: usize,
}

impl Budget {
    pub(crate) fn new(most: usize) -> Budget {
        Budget { held: Arc::default(), most }
    }

    /// Whether all of it is in use.
    pub(crate) fn is_spent(&self) -> bool {
        self.is_overdrawn(0)
    }

    /// Whether all of it is in use, and so many bytes more.
    pub(crate) fn is_overdrawn(&self, by: usize) -> bool {
        self.held.load(Ordering::Relaxed) >= self.most.saturating_add(by)
    }

    /// `bytes` of it, if there are so many left.
    pub(crate) fn take(&self, bytes: usize) -> Option<Share> {
        let mut share = Share { budget: self.clone(), bytes: 0 };
        share.grow(bytes).then_some(share)
    }

    /// `bytes` of it, whether there are so many left or not: for what is there already.
    pub(crate) fn overdraw(&self, bytes: usize) -> Share {
        self.held.fetch_add(bytes, Ordering::Relaxed);
        Share { budget: self.clone(), bytes }
    }
}

impl Share {
    /// Takes `bytes` more; false, and nothing taken, if there are not so many left.
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        let most = self.budget.most;
        let add = |held: usize| held.checked_add(bytes).filter(|&sum| sum <= most);
        let grown = self.budget.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).is_ok();
        if grown {
            self.bytes += bytes;
        }
        grown
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Bytes that hold a share for as long as anybody holds them.
pub(crate) fn shared(bytes: Bytes, share: Arc<Share>) -> Bytes {
    Bytes::from_owner(Shared { bytes, _share: share })
}

struct Shared {
    bytes: Bytes,
    _share: Arc<Share>,
}

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_gets_more_than_there_is() {
        let budget = Budget::new(100);
        let mut first = budget.take(60).expect("60 of 100");
        assert!(budget.take(60).is_none(), "40 are left");
        assert!(first.grow(40) && !first.grow(1));
        assert!(budget.is_spent());
        drop(first);
        assert!(budget.take(100).is_some());
        assert!(budget.take(usize::MAX).is_none());
    }

    #[test]
    fn bytes_hold_their_share_to_the_last_copy() {
        let budget = Budget::new(10);
        let bytes = shared(Bytes::from_static(b"0123456789ab"), Arc::new(budget.overdraw(12)));
        let copy = bytes.slice(11..);
        drop(bytes);
        assert!(budget.is_spent());
        assert_eq!(copy, "b");
        drop(copy);
        assert!(!budget.is_spent());
    }
}
