//! What is always true of one member. Checked after every step wherever debug assertions are on.

use crate::Raft;
use crate::role::Role;
use consensus::Consensus as _;

impl Raft {
    /// Panics if this member's own state contradicts itself.
    pub fn check(&self) {
        let last = self.history.last().index;
        let base = self.history.base().index;
        // applied ≤ committed ≤ last, and nothing is applied that is not synced here (VERIFICATION: 3, 8).
        assert!(base <= self.applied, "the log was cut above what is applied");
        assert!(self.applied <= self.committed, "applied {} before it was committed ({})", self.applied, self.committed);
        assert!(self.committed <= last, "committed {} beyond the log's end {last}", self.committed);
        assert!(self.disk.synced() <= last, "synced {} beyond the log's end {last}", self.disk.synced());
        assert!(self.applying.is_none_or(|upto| upto <= self.committed.min(self.disk.synced())), "applies what is not safe");
        // The cache is the log's tail, and holds whatever cannot be read back.
        assert_eq!(self.cache.end(), last + 1, "the cache does not end where the log ends");
        assert!(self.cache.first() <= self.disk.synced() + 1, "an entry that is on no disk is not in memory either");
        // What waits for a sync waits for one that will come.
        assert!(self.disk.is_consistent(), "something waits for a ticket that was never given out");
        assert!(self.outbox.is_empty() && self.out.is_empty(), "a step left something unsaid");
        // Every timer that had run out was looked at, so a driver never spins.
        assert!(self.deadline() > self.now, "the next deadline is not in the future");
        match &self.role {
            Role::Leader(leading) => {
                assert!(self.vote == Some(self.id()), "leads without its own vote");
                assert!(self.installing.is_none(), "leads while a snapshot replaces its log");
                for (id, progress) in &leading.progress {
                    // VERIFICATION: 19.
                    assert!(progress.matched() < progress.next(), "{id}: match {} is not before next", progress.matched());
                    assert!(progress.next() <= last + 1, "{id}: next {} is beyond the log", progress.next());
                    assert!(*id != self.id(), "a leader follows nobody, not even itself");
                }
            }
            Role::Candidate(_) => assert!(self.vote == Some(self.id()), "a candidate votes for itself"),
            Role::Follower(_) | Role::Learner(_) | Role::PreCandidate(_) => {}
        }
    }
}
