//! The URLs of a peer, and which of them is asked.

use etcd::url::Url;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A peer's URLs, and the one that has not failed since it was picked (etcd's urlPicker).
#[derive(Debug)]
pub(crate) struct Urls {
    urls: Vec<Url>,
    picked: AtomicUsize,
}

impl Urls {
    pub(crate) fn new(urls: Vec<Url>) -> Urls {
        Urls { urls, picked: AtomicUsize::new(0) }
    }

    pub(crate) fn all(&self) -> &[Url] {
        &self.urls
    }

    /// The one to ask, and its number.
    pub(crate) fn pick(&self) -> Option<(usize, &Url)> {
        let picked = self.picked.load(Ordering::Relaxed);
        Some((picked, self.urls.get(picked % self.urls.len().max(1))?))
    }

    /// The one of that number failed. Whoever says so first moves all on.
    pub(crate) fn avoid(&self, failed: usize) {
        let _ = self.picked.compare_exchange(failed, failed.wrapping_add(1), Ordering::Relaxed, Ordering::Relaxed);
    }
}
