//! Leadership transfer (Raft thesis §3.10).
//!
//! The leader takes no proposals, brings its target up to date, and tells it to stand at once. That election passes all leases:
//! the leader wants it. If it does not happen within an election timeout the leader goes on.

use crate::{Body, Decision, Raft};
use consensus::{DropReason, Dropped, Instant, NodeId};

/// A transfer in progress.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Transfer {
    pub(crate) to: NodeId,
    /// When it is given up.
    pub(crate) until: Instant,
    /// The target was told to stand.
    pub(crate) told: bool,
    /// It was asked for here, not by another member.
    pub(crate) local: bool,
}

impl Raft {
    /// An operator here wants another leader.
    pub(crate) fn on_transfer_wanted(&mut self, to: Option<NodeId>) {
        match (self.role.leading().is_some(), to) {
            (true, _) => self.transfer(to, true),
            (false, Some(target)) => match self.leader() {
                // Only the leader can do it: hand the wish on, and see whether it comes true.
                Some(leader) => {
                    self.forwarded_transfer = Some((target, self.now + self.config.election_timeout));
                    self.send(leader, Body::TransferLeadership { to: target });
                }
                None => self.drop_transfer(DropReason::NoLeader),
            },
            (false, None) => self.drop_transfer(DropReason::NotLeader),
        }
    }

    /// Another member hands on such a wish.
    pub(crate) fn on_transfer_leadership(&mut self, from: NodeId, to: NodeId) {
        if self.role.leading().is_none() {
            self.explain(Decision::NotLeader { from, what: "transfer of leadership" });
            return;
        }
        self.transfer(Some(to), false);
    }

    /// Time passed: a transfer that took too long is given up.
    pub(crate) fn check_transfer(&mut self) {
        if let Some((target, until)) = self.forwarded_transfer {
            if self.leader() == Some(target) {
                self.forwarded_transfer = None;
            } else if until <= self.now {
                self.forwarded_transfer = None;
                self.drop_transfer(DropReason::TimedOut);
            }
        }
        let due = |transfer: &Transfer| transfer.until <= self.now;
        if self.role.leading().and_then(|leading| leading.transfer.as_ref()).is_some_and(due) {
            self.end_transfer(DropReason::TimedOut, "it took longer than an election timeout");
        }
    }

    /// The target may have caught up: then it is told to stand.
    pub(crate) fn advance_transfer(&mut self) {
        let last = self.history.last().index;
        let Some(leading) = self.role.leading_mut() else { return };
        let Some(transfer) = &mut leading.transfer else { return };
        let to = transfer.to;
        if transfer.told || leading.progress.get(&to).is_none_or(|progress| progress.matched() < last) {
            return;
        }
        transfer.told = true;
        leading.lease_forgone = true;
        self.send(to, Body::TimeoutNow);
    }

    /// A transfer ends without success.
    pub(crate) fn end_transfer(&mut self, reason: DropReason, because: &'static str) {
        let Some(transfer) = self.role.leading_mut().and_then(|leading| leading.transfer.take()) else { return };
        self.explain(Decision::TransferEnded { to: transfer.to, because });
        if transfer.local {
            self.drop_transfer(reason);
        }
    }

    fn transfer(&mut self, to: Option<NodeId>, local: bool) {
        let now = self.now;
        let last = self.history.last().index;
        let Some(to) = to.or_else(|| self.best_successor()) else {
            self.drop_transfer(DropReason::BadTarget);
            return;
        };
        if to == self.id() || !self.configuration.voters.contains(&to) {
            self.explain(Decision::TransferEnded { to, because: "it is no other voter" });
            if local {
                self.drop_transfer(DropReason::BadTarget);
            }
            return;
        }
        let Some(leading) = self.role.leading_mut() else { return };
        match &mut leading.transfer {
            // Asking again does not extend the time.
            Some(current) if current.to == to => {
                current.local |= local;
                return;
            }
            Some(current) => {
                // Who asked here before and now wants another target knows; a drop would be taken for one of the new wish.
                current.local &= !local;
                self.end_transfer(DropReason::Transferring, "another target was chosen");
            }
            None => {}
        }
        let Some(leading) = self.role.leading_mut() else { return };
        let matched = leading.progress.get(&to).map_or(0, |progress| progress.matched());
        leading.transfer = Some(Transfer { to, until: now + self.config.election_timeout, told: false, local });
        self.explain(Decision::Transfers { to, matched, last });
        self.advance_transfer();
        if self.role.leading().and_then(|leading| leading.transfer).is_some_and(|transfer| !transfer.told) {
            // Nothing is proposed while it lags: what may have been lost on the way to it is not waited for.
            if let Some(progress) = self.follower(to) {
                progress.resume();
            }
            self.replicate(to, true);
        }
    }

    /// The voter that is furthest ahead, of those heard lately; of equals the smallest id.
    fn best_successor(&self) -> Option<NodeId> {
        let leading = self.role.leading()?;
        let voters = leading.progress.iter().filter(|(id, _)| self.configuration.voters.contains(id));
        let heard = voters
            .filter(|(_, progress)| progress.heard().is_some_and(|heard| self.now.since(heard) <= self.config.election_timeout));
        heard.rev().max_by_key(|(_, progress)| progress.matched()).map(|(&id, _)| id)
    }

    fn drop_transfer(&mut self, reason: DropReason) {
        self.decline(Dropped::Transfer, reason);
    }
}
