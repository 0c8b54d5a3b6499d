//! What is always true of one server. Checked after every step wherever debug assertions are on.

use crate::role::Is;
use crate::{EPOCH_MAX, Zab};
use consensus::Consensus as _;

impl Zab {
    /// Panics if this server's own state contradicts itself.
    pub fn check(&self) {
        let last = self.history.last();
        assert!(self.current <= self.accepted, "currentEpoch {} beyond acceptedEpoch {}", self.current, self.accepted);
        assert!(self.accepted <= EPOCH_MAX, "an epoch that no zxid can hold");
        // The log, its window, and what is synced of it.
        assert!(self.disk.synced() <= last, "synced {} beyond the log's end {last}", self.disk.synced());
        assert!(self.history.before() <= self.disk.synced(), "an entry that is on no disk is not in memory either");
        assert!(self.applied <= last, "applied {} beyond the log's end {last}", self.applied);
        assert!(self.committed <= last, "committed {} beyond the log's end {last}", self.committed);
        assert!(self.applying.is_none_or(|upto| upto <= self.committed.min(self.disk.synced())), "applies what is not safe");
        assert!(self.disk.is_consistent(), "something waits for a ticket that was never given out");
        assert!(self.outbox.is_empty() && self.out.is_empty(), "a step left something unsaid");
        // Every timer that had run out was looked at, so a driver never spins.
        assert!(self.deadline() > self.now, "the next deadline is not in the future");
        match &self.is {
            Is::Leading(leading) => {
                assert!(self.is_voter(self.id()), "an observer leads");
                assert!(self.installing.is_none(), "leads while a snapshot replaces its history");
                if leading.is_established() {
                    let epoch = leading.epoch.expect("nothing is established without an epoch");
                    assert!(self.current == epoch && self.accepted == epoch, "leads another epoch than it has accepted");
                    assert!(self.committed >= leading.initial, "its own history is not committed");
                }
                for (id, learner) in &leading.learners {
                    assert!(learner.acked <= last.max(leading.beginning()), "{id} acknowledged what it was not sent");
                    assert!(*id != self.id(), "a leader follows nobody, not even itself");
                }
            }
            Is::Following(following) => {
                assert!(following.leader != self.id(), "a follower follows somebody else");
                let serving = self.is_serving();
                assert!(!serving || self.current == following.epoch, "serves in an epoch that it has not entered");
            }
            Is::Looking(_) => {}
        }
    }
}
