//! Who waits for which entry, and when it is certain that nothing will come.

use crate::request::weight;
use crate::{Answer, Codec, Effect, Effects, Refusal, Replica, RequestId, Token};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use bytes::Bytes;
use consensus::{Consensus, Instant, StateMachine};

/// Requests that have left for the log and were not applied yet.
#[derive(Default)]
pub(crate) struct Waiting {
    pending: BTreeMap<RequestId, Pending>,
    /// Deadlines, so that the next one is found without looking at all.
    deadlines: alloc::collections::BTreeSet<(Instant, RequestId)>,
    bytes: usize,
    /// The ids in the last forwarded message.
    last_forwarded: Vec<RequestId>,
}

struct Pending {
    token: Option<Token>,
    /// The epoch of the leader that it was handed to.
    epoch: u64,
    forwarded: bool,
    deadline: Instant,
    encoded: Bytes,
}

impl Waiting {
    pub(crate) fn len(&self) -> usize {
        self.pending.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.deadlines.first().map_or(Instant::NEVER, |&(deadline, _)| deadline)
    }

    pub(crate) fn begin_forwarding(&mut self) {
        self.last_forwarded.clear();
    }

    pub(crate) fn insert(
        &mut self,
        id: RequestId,
        token: Option<Token>,
        epoch: u64,
        forwarded: bool,
        deadline: Instant,
        encoded: Bytes,
    ) {
        // Other members' clients are answered there.
        if token.is_none() {
            return;
        }
        if forwarded {
            self.last_forwarded.push(id);
        }
        self.bytes += weight(&encoded);
        self.deadlines.insert((deadline, id));
        let earlier = self.pending.insert(id, Pending { token, epoch, forwarded, deadline, encoded });
        assert!(cfg!(feature = "mutants") || earlier.is_none(), "a request id was used twice: {id:?}");
    }

    fn remove(&mut self, id: RequestId) -> Option<Pending> {
        let pending = self.pending.remove(&id)?;
        self.deadlines.remove(&(pending.deadline, id));
        self.bytes -= weight(&pending.encoded);
        Some(pending)
    }

    /// The link to the leader is gone, and with it perhaps what was forwarded over it.
    pub(crate) fn hurry_forwarded(&mut self, deadline: Instant) {
        for (&id, pending) in self.pending.iter_mut().filter(|(_, pending)| pending.forwarded && pending.deadline > deadline) {
            self.deadlines.remove(&(pending.deadline, id));
            pending.deadline = deadline;
            self.deadlines.insert((deadline, id));
        }
    }

    fn of_epochs_before(&self, epoch: u64) -> Vec<RequestId> {
        self.pending.iter().filter(|(_, pending)| pending.epoch < epoch).map(|(&id, _)| id).collect()
    }
}

impl<C: Consensus, M: StateMachine, K: Codec<Machine = M>> Replica<C, M, K> {
    /// The entry of request `id` was applied.
    pub(crate) fn respond(&mut self, id: RequestId, response: M::Response, effects: &mut Effects<C, M>) {
        if let Some(Pending { token: Some(token), .. }) = self.waiting.remove(id) {
            effects.push(Effect::Answer { token, answer: Answer::Applied(self.machine.applied(), response) });
        }
    }

    /// The first entry of `epoch` was applied. Epochs only grow along the log, so what an earlier leader put there and has not
    /// been applied by now never will be: its clients need not wait any longer.
    ///
    /// It is never handed over a second time: a copy may still be on its way to a leader, and both would be applied.
    pub(crate) fn refuse_before(&mut self, epoch: u64, effects: &mut Effects<C, M>) {
        for id in self.waiting.of_epochs_before(epoch) {
            let pending = self.waiting.remove(id).expect("listed a moment ago");
            #[cfg(feature = "mutants")]
            if self.options.mutant == Some(crate::Mutant::ForwardTwice) && pending.forwarded {
                self.forward_again(id, pending.token, pending.deadline, pending.encoded);
                continue;
            }
            refuse(pending.token, Refusal::LeaderChanged, effects);
        }
    }

    /// This member serves nobody any more: what waits here is refused, whether it was done or not.
    pub(crate) fn refuse_all(&mut self, effects: &mut Effects<C, M>) {
        let ids: Vec<RequestId> = self.waiting.pending.keys().copied().collect();
        for id in ids {
            let pending = self.waiting.remove(id).expect("listed a moment ago");
            refuse(pending.token, Refusal::LeaderChanged, effects);
        }
        while let Some(request) = self.unsent.pop() {
            refuse(request.token, Refusal::LeaderChanged, effects);
        }
        self.refuse_all_reads(effects);
    }

    /// The protocol took none of the last forwarded message.
    pub(crate) fn refuse_last_forwarded(&mut self, effects: &mut Effects<C, M>) {
        for id in core::mem::take(&mut self.waiting.last_forwarded) {
            if let Some(pending) = self.waiting.remove(id) {
                refuse(pending.token, Refusal::TooManyRequests, effects);
            }
        }
    }

    /// Nobody waits for ever.
    pub(crate) fn refuse_overdue(&mut self, effects: &mut Effects<C, M>) {
        while let Some(&(deadline, id)) = self.waiting.deadlines.first() {
            if deadline > self.now {
                break;
            }
            let pending = self.waiting.remove(id).expect("each deadline has its request");
            let linked = self.leader().is_none_or(|leader| leader == self.me || self.linked.contains(&leader));
            let refusal = if pending.forwarded && !linked { Refusal::ConnectionLost } else { Refusal::TimedOut };
            refuse(pending.token, refusal, effects);
        }
        while let Some(request) = self.unsent.pop_overdue(self.now) {
            refuse(request.token, Refusal::TimedOut, effects);
        }
        self.refuse_overdue_reads(effects);
        if self.transfer.as_ref().is_some_and(|transfer| transfer.deadline <= self.now) {
            self.end_transfer(Answer::Refused(Refusal::TimedOut), effects);
        }
    }
}

fn refuse<Message, D, R, E>(token: Option<Token>, refusal: Refusal, effects: &mut Vec<Effect<Message, D, R, E>>) {
    if let Some(token) = token {
        effects.push(Effect::Answer { token, answer: Answer::Refused(refusal) });
    }
}
