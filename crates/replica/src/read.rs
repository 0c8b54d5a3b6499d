//! Reads: those that arrive together are confirmed by one question to the quorum.

use crate::{Answer, Codec, Effect, Effects, Refusal, Replica, Token};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use consensus::{Consensus, DropReason, Input, Instant, ReadId, StateMachine};

/// The most reads that may wait; above, they are refused.
const READS_MAX: usize = 65_536;

/// Reads that wait for confirmation.
pub(crate) struct Reads<Q> {
    next: u64,
    waiting: usize,
    /// In order of arrival, so the first is the first to be overdue.
    batches: BTreeMap<ReadId, Batch<Q>>,
}

struct Batch<Q> {
    deadline: Instant,
    queries: Vec<(Token, Q)>,
}

impl<Q> Default for Reads<Q> {
    fn default() -> Self {
        Reads { next: 0, waiting: 0, batches: BTreeMap::new() }
    }
}

impl<Q> Reads<Q> {
    pub(crate) fn deadline(&self) -> Instant {
        self.batches.first_key_value().map_or(Instant::NEVER, |(_, batch)| batch.deadline)
    }

    fn remove(&mut self, id: ReadId) -> Vec<(Token, Q)> {
        let queries = self.batches.remove(&id).map_or_else(Vec::new, |batch| batch.queries);
        self.waiting -= queries.len();
        queries
    }
}

impl<C: Consensus, M: StateMachine, K: Codec<Machine = M>> Replica<C, M, K> {
    pub(crate) fn on_queries(&mut self, queries: Vec<(Token, M::Query)>, effects: &mut Effects<C, M>) {
        if self.reads.waiting + queries.len() > READS_MAX {
            for (token, _) in queries {
                effects.push(Effect::Answer { token, answer: Answer::Refused(Refusal::TooManyRequests) });
            }
            return;
        }
        self.reads.next += 1;
        let id = ReadId(self.reads.next);
        self.reads.waiting += queries.len();
        self.reads.batches.insert(id, Batch { deadline: self.now + self.options.request_timeout, queries });
        self.step(Input::Read { id });
    }

    pub(crate) fn on_read_ready(&mut self, id: ReadId, effects: &mut Effects<C, M>) {
        for (token, query) in self.reads.remove(id) {
            self.answer_query(token, query, effects);
        }
    }

    pub(crate) fn answer_query(&mut self, token: Token, query: M::Query, effects: &mut Effects<C, M>) {
        let answer = Answer::Read(self.machine.applied(), self.machine.attend(query));
        effects.push(Effect::Answer { token, answer });
    }

    pub(crate) fn refuse_read(&mut self, id: ReadId, reason: DropReason, effects: &mut Effects<C, M>) {
        let refusal = match reason {
            DropReason::Busy => Refusal::TooManyRequests,
            DropReason::TimedOut => Refusal::TimedOut,
            _ => Refusal::LeaderChanged,
        };
        self.refuse_batch(id, refusal, effects);
    }

    pub(crate) fn refuse_overdue_reads(&mut self, effects: &mut Effects<C, M>) {
        while let Some((&id, batch)) = self.reads.batches.first_key_value() {
            if batch.deadline > self.now {
                return;
            }
            self.refuse_batch(id, Refusal::TimedOut, effects);
        }
    }

    pub(crate) fn refuse_all_reads(&mut self, effects: &mut Effects<C, M>) {
        while let Some((&id, _)) = self.reads.batches.first_key_value() {
            self.refuse_batch(id, Refusal::LeaderChanged, effects);
        }
    }

    fn refuse_batch(&mut self, id: ReadId, refusal: Refusal, effects: &mut Effects<C, M>) {
        for (token, _) in self.reads.remove(id) {
            effects.push(Effect::Answer { token, answer: Answer::Refused(refusal) });
        }
    }
}
