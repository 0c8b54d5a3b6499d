//! Answers that were made and not taken yet: they count from when the replica has made them until their clients have them, and bound
//! what is made.

use super::budget::{Budget, Share};
use std::sync::{Arc, OnceLock};

/// With so many bytes of answers on their way, no more large ones are made; with twice as many, none.
pub(crate) const UNSENT_BYTES_MAX: usize = 512 << 20;

/// All that were made. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Unsent {
    budget: Budget,
    most: usize,
}

impl Unsent {
    pub(crate) fn new(most: usize) -> Unsent {
        Unsent { budget: Budget::new(most), most }
    }

    /// Whether there is room for large answers, too.
    pub(crate) fn has_room(&self) -> bool {
        !self.budget.is_spent()
    }

    /// Whether there is no room for small ones either. They may go on for longer, so that who leaves large ones unread does not keep
    /// others from their keys.
    pub(crate) fn is_full(&self) -> bool {
        self.budget.is_overdrawn(self.most)
    }

    /// Counts an answer that is there.
    pub(crate) fn hold(&self, bytes: usize) -> Share {
        self.budget.overdraw(bytes)
    }
}

/// What an answer takes on its way from the replica to who asked. Goes with whoever has it last, also if nobody waits any more.
#[derive(Clone, Debug, Default)]
pub(crate) struct Held(Arc<OnceLock<Share>>);

impl Held {
    /// The answer is there, and this is what it takes.
    pub(crate) fn count(&self, unsent: &Unsent, bytes: usize) {
        if bytes > 0 {
            let _ = self.0.set(unsent.hold(bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_until_nobody_has_it() {
        let unsent = Unsent::new(100);
        let (asked, asks) = (Held::default(), Held::default());
        let waiting = asked.clone();
        waiting.count(&unsent, 150);
        asks.count(&unsent, 60);
        assert!(!unsent.has_room() && unsent.is_full());
        drop(waiting);
        assert!(unsent.is_full(), "its client has it");
        drop(asks);
        assert!(!unsent.has_room() && !unsent.is_full());
        drop(asked);
        assert!(unsent.has_room());
    }
}
