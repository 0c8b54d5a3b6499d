//! Handing leadership over, and telling who asked how it ended.

use crate::{Answer, Codec, Effect, Effects, Refusal, Replica, Token};
use consensus::{Consensus, DropReason, Input, Instant, NodeId, Role, StateMachine};

/// A transfer that somebody waits for.
pub(crate) struct Transfer {
    token: Token,
    to: Option<NodeId>,
    /// The target may have been told to stand, and nobody may ever win: then nothing ends it but time.
    pub(crate) deadline: Instant,
}

impl<C: Consensus, M: StateMachine, K: Codec<Machine = M>> Replica<C, M, K> {
    pub(crate) fn on_transfer(&mut self, token: Token, to: Option<NodeId>, effects: &mut Effects<C, M>) {
        let answer = if self.role != Role::Leader {
            Answer::Refused(Refusal::NotLeader)
        } else if to == Some(self.me) {
            Answer::Transferred
        } else {
            // A later wish replaces an earlier one, as in the protocol.
            self.end_transfer(Answer::Refused(Refusal::TimedOut), effects);
            self.transfer = Some(Transfer { token, to, deadline: self.now + self.options.request_timeout });
            self.step(Input::TransferLeadership { to });
            return;
        };
        effects.push(Effect::Answer { token, answer });
    }

    /// The role changed: the transfer has ended once a leader is known, be it this member again.
    pub(crate) fn note_leader_for_transfer(&mut self, effects: &mut Effects<C, M>) {
        let (Some(transfer), Some(leader)) = (&self.transfer, self.leader()) else { return };
        let wanted = transfer.to.map_or(leader != self.me, |to| to == leader);
        let answer = if wanted { Answer::Transferred } else { Answer::Refused(Refusal::TimedOut) };
        self.end_transfer(answer, effects);
    }

    pub(crate) fn end_transfer(&mut self, answer: Answer<M::Response>, effects: &mut Effects<C, M>) {
        if let Some(Transfer { token, .. }) = self.transfer.take() {
            effects.push(Effect::Answer { token, answer });
        }
    }
}

/// What a dropped transfer means to who asked for it.
pub(crate) fn refusal<R>(reason: DropReason) -> Answer<R> {
    Answer::Refused(match reason {
        DropReason::BadTarget => Refusal::BadTransferee,
        DropReason::NotLeader => Refusal::NotLeader,
        _ => Refusal::TimedOut,
    })
}
