//! A member whose disk lost what was synced (DESIGN 11).
//!
//! It may have voted in this very term or in a later one, and it may have confirmed entries that are committed because of that. Until
//! it knows better it is no part of any quorum: it neither votes nor stands, it confirms entries only once they are committed
//! without it, and it does not echo the contexts by which a leader counts who follows it.
//!
//! ```text
//!   start ──▶ asks the leader for a read index ──▶ holds that index, synced ──▶ writes it down ──▶ votes again
//! ```
//!
//! The leader's answer is the word of a quorum *of others*, given after this start: what was committed before is below that index, and
//! nobody else leads. Two election timeouts must have passed as well, so that no candidacy is left which this member might have
//! voted for; and its vote in this term goes to the leader, who has won that term already.
//!
//! The leader's part is to forget what this member once confirmed: see [`crate::Progress`] and the incarnation of a link.

use crate::read::HEARTBEATS_TO_ASK_AGAIN;
use crate::{Body, Decision, Raft};
use bytes::Bytes;
use consensus::{Instant, NodeId, Ticket};

/// Why this member does not vote yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Abstention {
    since: Instant,
    stage: Stage,
}

/// How far it has come.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Stage {
    /// No leader is known.
    Alone,
    /// A leader was asked.
    Asked { leader: NodeId, context: Bytes, since: Instant },
    /// It answered, as leader of `term`: once `index` is here, all that is committed is.
    Answered { leader: NodeId, term: u64, index: u64 },
    /// It is, and is being written down.
    Persisting(Ticket),
}

impl Abstention {
    pub(crate) fn new(now: Instant) -> Abstention {
        Abstention { since: now, stage: Stage::Alone }
    }
}

impl Raft {
    /// Whether this member must not vote.
    pub fn abstains(&self) -> bool {
        self.abstention.is_some()
    }

    /// Does what can be done now to vote again.
    pub(crate) fn advance_abstention(&mut self) {
        let Some(abstention) = &self.abstention else { return };
        let leader = self.leader();
        let patience = self.config.heartbeat_interval * HEARTBEATS_TO_ASK_AGAIN;
        match &abstention.stage {
            Stage::Persisting(_) => {}
            Stage::Answered { leader, term, index } if *term == self.term => {
                let grown_old = self.now.since(abstention.since) >= self.config.election_timeout * 2;
                if grown_old && *index <= self.committed.min(self.disk.synced()) {
                    self.vote = self.vote.or(Some(*leader));
                    self.disk.on_promise(self.term);
                    self.set_stage(Stage::Persisting(self.disk.promised_by()));
                }
            }
            Stage::Asked { leader: asked, since, .. } if leader == Some(*asked) && self.now.since(*since) < patience => {}
            Stage::Alone | Stage::Asked { .. } | Stage::Answered { .. } => {
                let Some(leader) = leader else { return self.set_stage(Stage::Alone) };
                let context = self.unique_context();
                self.set_stage(Stage::Asked { leader, context: context.clone(), since: self.now });
                self.send_beside_terms(leader, Body::ReadIndex { context });
            }
        }
    }

    /// The leader confirmed a read index: perhaps the one that this member waits for.
    pub(crate) fn on_commit_confirmed(&mut self, confirmed: &Bytes, index: u64) {
        let Some(Abstention { stage: Stage::Asked { leader, context, .. }, .. }) = &self.abstention else { return };
        if context == confirmed {
            let stage = Stage::Answered { leader: *leader, term: self.term, index };
            self.set_stage(stage);
        }
    }

    /// Something was persisted: perhaps that.
    pub(crate) fn end_abstention(&mut self) {
        match &self.abstention {
            Some(Abstention { stage: Stage::Persisting(ticket), .. }) if self.disk.is_synced(*ticket) => {
                self.abstention = None;
                self.explain(Decision::VotesAgain { committed: self.committed });
                self.restart_election_timer();
            }
            _ => {}
        }
    }

    fn set_stage(&mut self, stage: Stage) {
        if let Some(abstention) = &mut self.abstention {
            abstention.stage = stage;
        }
    }
}
