//! A member whose disk lost what was synced (DESIGN 11).
//!
//! It may have voted in this very term, and it may have confirmed entries that are committed because of that. So it neither votes nor
//! stands until it holds, on disk, everything that was committed when it started. A leader's commit index is that only once the
//! leader has committed an entry of its own term: until then it may lag behind what earlier leaders committed (§5.4.2, and thesis
//! §6.4 for reads).
//!
//! The leader's part is to forget what this member once confirmed: see [`crate::Progress`] and the incarnation of a link.

use crate::{Decision, Raft};
use consensus::Ticket;

/// Whether this member votes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Abstention {
    /// It remembers what it promised.
    Over,
    /// No leader has confirmed a commit index yet.
    Unconfirmed,
    /// One has, and it is being written.
    Persisting(Ticket),
}

impl Raft {
    /// Whether this member must not vote.
    pub fn abstains(&self) -> bool {
        self.abstention != Abstention::Over
    }

    /// A leader may have confirmed what is committed: then that is written down.
    pub(crate) fn advance_abstention(&mut self) {
        let confirmed = self.role.following().is_some_and(|following| following.leader.is_some())
            && self.history.term_at(self.committed) == Some(self.term)
            && self.committed <= self.disk.synced();
        if self.abstention == Abstention::Unconfirmed && confirmed {
            self.abstention = Abstention::Persisting(self.disk.want_promise());
        }
    }

    /// Something was persisted: perhaps that.
    pub(crate) fn end_abstention(&mut self) {
        match self.abstention {
            Abstention::Persisting(ticket) if self.disk.is_synced(ticket) => {
                self.abstention = Abstention::Over;
                self.explain(Decision::VotesAgain { committed: self.committed });
                self.restart_election_timer();
            }
            _ => {}
        }
    }
}
