//! Reads: those that arrive together are confirmed by one question to the quorum, and answered in order, so many bytes at a time.
//!
//! ```text
//!   Queries ──▶ batches ──ReadReady──▶ ready ──▶ Answer
//!   LocalQuery ───────────────────────▶
//! ```
//!
//! What is confirmed may be answered later: the machine only gets newer.

use crate::{Answer, Codec, Effect, Effects, Refusal, Replica, Token};
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use consensus::{Consensus, DropReason, Input, Instant, ReadId, StateMachine};

/// The most reads that may wait; above, they are refused.
const READS_MAX: usize = 65_536;

/// After about so many bytes of answers the replica lets the driver look at its other work first: a leader that answers for longer
/// than an election timeout is deposed.
const ANSWER_BYTES_PER_TURN: usize = 4 << 20;

/// About what it takes to keep account of a read, and to give the shortest of answers.
const ACCOUNT: usize = 256;

/// Reads that wait.
pub(crate) struct Reads<Q> {
    next: u64,
    waiting: usize,
    /// What the queries that wait take.
    bytes: usize,
    /// Those that wait for confirmation, in order of arrival, so the first is the first to be overdue.
    batches: BTreeMap<ReadId, Batch<Q>>,
    /// Those that wait for their turn to be answered.
    ready: VecDeque<Read<Q>>,
    /// Bytes that were answered in this turn.
    answered: usize,
    /// The driver holds as many answers as it can.
    shedding: bool,
}

struct Batch<Q> {
    deadline: Instant,
    reads: Vec<Read<Q>>,
}

struct Read<Q> {
    token: Token,
    query: Q,
    bytes: usize,
    deadline: Instant,
}

impl<Q> Default for Reads<Q> {
    fn default() -> Self {
        Reads { next: 0, waiting: 0, bytes: 0, batches: BTreeMap::new(), ready: VecDeque::new(), answered: 0, shedding: false }
    }
}

impl<Q> Reads<Q> {
    pub(crate) fn deadline(&self) -> Instant {
        if !self.ready.is_empty() {
            return Instant::ZERO;
        }
        self.batches.first_key_value().map_or(Instant::NEVER, |(_, batch)| batch.deadline)
    }

    /// From now on, as much is answered as in any turn.
    pub(crate) fn begin_turn(&mut self) {
        self.answered = 0;
    }

    pub(crate) fn shed(&mut self, shedding: bool) {
        self.shedding = shedding;
    }

    fn note_arrival(&mut self, read: &Read<Q>) {
        self.waiting += 1;
        self.bytes += read.bytes;
    }

    fn note_departure(&mut self, read: &Read<Q>) {
        self.waiting -= 1;
        self.bytes -= read.bytes;
    }

    fn remove(&mut self, id: ReadId) -> Vec<Read<Q>> {
        self.batches.remove(&id).map_or_else(Vec::new, |batch| batch.reads)
    }
}

impl<C: Consensus, M: StateMachine, K: Codec<Machine = M>> Replica<C, M, K> {
    pub(crate) fn on_queries(&mut self, queries: Vec<(Token, M::Query)>, effects: &mut Effects<C, M>) {
        let reads: Vec<Read<M::Query>> =
            queries.into_iter().filter_map(|(token, query)| self.admit_read(token, query, effects)).collect();
        if reads.is_empty() {
            return;
        }
        self.reads.next += 1;
        let id = ReadId(self.reads.next);
        self.reads.batches.insert(id, Batch { deadline: self.now + self.options.request_timeout, reads });
        self.step(Input::Read { id });
    }

    /// Nobody has to confirm it.
    pub(crate) fn on_local_query(&mut self, token: Token, query: M::Query, effects: &mut Effects<C, M>) {
        if let Some(read) = self.admit_read(token, query, effects) {
            self.make_ready(read, effects);
            self.answer_ready(effects);
        }
    }

    fn admit_read(&mut self, token: Token, query: M::Query, effects: &mut Effects<C, M>) -> Option<Read<M::Query>> {
        if self.reads.waiting >= READS_MAX || self.reads.bytes > self.options.waiting_bytes_max {
            effects.push(Effect::Answer { token, answer: Answer::Refused(Refusal::TooManyRequests) });
            return None;
        }
        let bytes = M::query_bytes(&query) + ACCOUNT;
        let read = Read { token, query, bytes, deadline: self.now + self.options.request_timeout };
        self.reads.note_arrival(&read);
        Some(read)
    }

    pub(crate) fn on_read_ready(&mut self, id: ReadId, effects: &mut Effects<C, M>) {
        for read in self.reads.remove(id) {
            self.make_ready(read, effects);
        }
        self.answer_ready(effects);
    }

    /// What has a short answer passes those that may have to wait: a sign of life must not come late because others read much.
    fn make_ready(&mut self, read: Read<M::Query>, effects: &mut Effects<C, M>) {
        if M::takes_turns(&read.query) { self.reads.ready.push_back(read) } else { self.answer_read(read, effects) }
    }

    /// Answers as many as this turn allows; the rest goes on with the next.
    pub(crate) fn answer_ready(&mut self, effects: &mut Effects<C, M>) {
        while self.reads.answered < ANSWER_BYTES_PER_TURN {
            let Some(read) = self.reads.ready.pop_front() else { return };
            if read.deadline <= self.now {
                self.refuse_read(read, Refusal::TimedOut, effects);
            } else if self.reads.shedding {
                self.refuse_read(read, Refusal::TooManyRequests, effects);
            } else {
                self.answer_read(read, effects);
            }
        }
    }

    fn answer_read(&mut self, read: Read<M::Query>, effects: &mut Effects<C, M>) {
        self.reads.note_departure(&read);
        let response = self.machine.attend(read.query);
        self.reads.answered += M::response_weight(&response) + ACCOUNT;
        effects.push(Effect::Answer { token: read.token, answer: Answer::Read(self.machine.applied(), response) });
    }

    fn refuse_read(&mut self, read: Read<M::Query>, refusal: Refusal, effects: &mut Effects<C, M>) {
        self.reads.note_departure(&read);
        effects.push(Effect::Answer { token: read.token, answer: Answer::Refused(refusal) });
    }

    pub(crate) fn on_read_dropped(&mut self, id: ReadId, reason: DropReason, effects: &mut Effects<C, M>) {
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

    /// Also what was confirmed: a member that serves nobody may be about to take back what it holds.
    pub(crate) fn refuse_all_reads(&mut self, effects: &mut Effects<C, M>) {
        while let Some(read) = self.reads.ready.pop_front() {
            self.refuse_read(read, Refusal::LeaderChanged, effects);
        }
        while let Some((&id, _)) = self.reads.batches.first_key_value() {
            self.refuse_batch(id, Refusal::LeaderChanged, effects);
        }
    }

    fn refuse_batch(&mut self, id: ReadId, refusal: Refusal, effects: &mut Effects<C, M>) {
        for read in self.reads.remove(id) {
            self.refuse_read(read, refusal, effects);
        }
    }
}
