//! Linearizable reads (Raft thesis §6.4).
//!
//! ```text
//!   read ──▶ waiting ──▶ asked (one open question at a time) ──▶ confirmed at an index ──▶ applied ──▶ ReadReady
//! ```
//!
//! A leader asks itself: it takes its commit index, and sends a heartbeat with a context that no other attempt has; when a quorum
//! echoes it, nobody else can have led when the read arrived, so the index covers all that was committed then. A leader must have
//! committed an entry of its own term first: before, its commit index may lag behind what earlier leaders committed. While one round
//! is open, later reads wait for the next. A follower asks the leader, and asks again when there is a new one or no answer comes:
//! reads change nothing, so asking twice does no harm.
//!
//! With lease reads the round is spared while a quorum is known to refuse votes: see [`crate::lease`].

use crate::mutant::Mutant;
use crate::{Body, Decision, Raft};
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use bytes::Bytes;
use consensus::{DropReason, Dropped, Instant, NodeId, Output, ReadId};
use core::mem;
use core::time::Duration;

/// The most reads that wait here.
const READS_MAX: usize = 1 << 16;
/// The most questions of followers that wait here.
const QUESTIONS_MAX: usize = 1 << 12;
/// The longest context of such a question. etcd's have 8 bytes.
const CONTEXT_BYTES_MAX: usize = 1 << 10;
/// A question without an answer is asked again after so many heartbeat intervals (etcd: 500 ms).
pub(crate) const HEARTBEATS_TO_ASK_AGAIN: u32 = 5;

/// This member's own reads.
#[derive(Clone, Debug)]
pub(crate) struct Reads {
    /// In nobody's question yet.
    waiting: Vec<ReadId>,
    /// Asked of a leader.
    asked: Option<Asked>,
    /// Until this index is applied.
    confirmed: BTreeMap<u64, Vec<ReadId>>,
    /// How many there are in all, a leader's open round included.
    count: usize,
    /// Counts attempts, from a random start: no context is used twice, not even after a restart.
    attempts: u64,
}

#[derive(Clone, Debug)]
struct Asked {
    leader: NodeId,
    context: Bytes,
    since: Instant,
    reads: Vec<ReadId>,
}

/// A leader's questions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rounds {
    /// Followers' questions that wait for the next round.
    waiting: Vec<(NodeId, Bytes)>,
    open: Option<Round>,
    /// Heartbeats by context, and when each was first sent. Kept for lease reads only.
    beats: VecDeque<(Bytes, Instant)>,
}

/// A question to a quorum: do I still lead?
#[derive(Clone, Debug)]
struct Round {
    context: Bytes,
    index: u64,
    answered: BTreeSet<NodeId>,
    reads: Vec<ReadId>,
    questions: Vec<(NodeId, Bytes)>,
}

impl Reads {
    pub(crate) fn new(attempts: u64) -> Reads {
        Reads { waiting: Vec::new(), asked: None, confirmed: BTreeMap::new(), count: 0, attempts }
    }

    /// When to ask again.
    pub(crate) fn deadline(&self, heartbeat_interval: Duration) -> Instant {
        self.asked.as_ref().map_or(Instant::NEVER, |asked| asked.since + heartbeat_interval * HEARTBEATS_TO_ASK_AGAIN)
    }

    /// What was asked will not be answered: it waits again, before what came later.
    pub(crate) fn withdraw(&mut self) {
        if let Some(mut asked) = self.asked.take() {
            asked.reads.append(&mut self.waiting);
            self.waiting = asked.reads;
        }
    }

    /// The same for the reads of a round.
    fn give_back(&mut self, mut reads: Vec<ReadId>) {
        reads.append(&mut self.waiting);
        self.waiting = reads;
    }

    /// Takes what may be answered now.
    fn ready(&mut self, applied: u64) -> Vec<ReadId> {
        let mut ready = Vec::new();
        while let Some(first) = self.confirmed.first_entry().filter(|first| *first.key() <= applied) {
            ready.extend(first.remove());
        }
        self.count -= ready.len();
        ready
    }

    fn confirm(&mut self, index: u64, reads: Vec<ReadId>) {
        if !reads.is_empty() {
            // Each waits for its own: what a leader says of one read spoils no other.
            self.confirmed.entry(index).or_default().extend(reads);
        }
    }
}

impl Rounds {
    /// What the next heartbeat is to carry.
    pub(crate) fn context(&self) -> Option<&Bytes> {
        self.open.as_ref().map(|round| &round.context)
    }

    /// A heartbeat with this context leaves.
    pub(crate) fn on_beat(&mut self, context: &Bytes, now: Instant, keep: Duration) {
        while self.beats.front().is_some_and(|(_, sent)| now.since(*sent) > keep) {
            self.beats.pop_front();
        }
        // Sent again, it counts from the first time: an answer does not say which sending it answers.
        if self.beats.iter().all(|(known, _)| known != context) {
            self.beats.push_back((context.clone(), now));
        }
    }

    /// When the heartbeat with this context was first sent.
    pub(crate) fn beat_sent(&self, context: &Bytes) -> Option<Instant> {
        self.beats.iter().find(|(known, _)| known == context).map(|&(_, sent)| sent)
    }
}

impl Raft {
    /// Somebody here wants to read.
    pub(crate) fn on_read(&mut self, id: ReadId) {
        if self.reads.count >= READS_MAX {
            self.decline(Dropped::Read(id), DropReason::Busy);
            return;
        }
        self.reads.count += 1;
        self.reads.waiting.push(id);
    }

    /// A follower's clients want to read.
    pub(crate) fn on_read_index(&mut self, from: NodeId, context: Bytes) {
        let Some(leading) = self.role.leading_mut() else {
            // It will ask again.
            self.explain(Decision::NotLeader { from, what: "read" });
            return;
        };
        if context.len() > CONTEXT_BYTES_MAX {
            self.explain(Decision::Nonsense { from, what: "its read has too long a context" });
            return;
        }
        if leading.rounds.waiting.len() >= QUESTIONS_MAX {
            self.explain(Decision::Nonsense { from, what: "too many reads wait already" });
            return;
        }
        if !leading.rounds.waiting.contains(&(from, context.clone())) {
            leading.rounds.waiting.push((from, context));
        }
    }

    /// The leader confirmed what this member asked.
    pub(crate) fn on_read_index_ready(&mut self, context: &Bytes, index: u64) {
        match self.reads.asked.take() {
            Some(asked) if asked.context == *context => self.reads.confirm(index, asked.reads),
            // The answer to an earlier attempt: its reads have been asked anew.
            other => self.reads.asked = other,
        }
    }

    /// A member echoed a heartbeat's context.
    pub(crate) fn on_context_echoed(&mut self, from: NodeId, context: &Bytes) {
        let Some(leading) = self.role.leading_mut() else { return };
        let Some(round) = &mut leading.rounds.open else { return };
        if round.context == *context {
            round.answered.insert(from);
            self.close_round();
        }
    }

    /// Moves reads along, as far as they can go now.
    pub(crate) fn advance_reads(&mut self) {
        if self.role.leading().is_some() {
            self.open_round();
        } else {
            self.ask_leader();
        }
    }

    /// Emits what may be answered now.
    pub(crate) fn release_reads(&mut self) {
        for id in self.reads.ready(self.applied) {
            self.out.push(Output::ReadReady { id });
        }
    }

    /// Leadership is lost: this member's own reads wait for the next leader; followers ask again by themselves.
    pub(crate) fn abandon_rounds(&mut self) {
        let Some(leading) = self.role.leading_mut() else { return };
        let rounds = mem::take(&mut leading.rounds);
        if let Some(round) = rounds.open {
            self.reads.give_back(round.reads);
        }
    }

    fn ask_leader(&mut self) {
        let Some(leader) = self.leader() else {
            self.reads.withdraw();
            return;
        };
        let deadline = self.reads.deadline(self.config.heartbeat_interval);
        if self.reads.asked.as_ref().is_some_and(|asked| asked.leader != leader || deadline <= self.now) {
            self.reads.withdraw();
        }
        if self.reads.asked.is_some() || self.reads.waiting.is_empty() {
            return;
        }
        let context = self.unique_context();
        let reads = mem::take(&mut self.reads.waiting);
        self.reads.asked = Some(Asked { leader, context: context.clone(), since: self.now, reads });
        self.send_beside_terms(leader, Body::ReadIndex { context });
    }

    fn open_round(&mut self) {
        let own_term = self.history.term_at(self.committed) == Some(self.term);
        let Some(leading) = self.role.leading_mut() else { return };
        let wanted = !self.reads.waiting.is_empty() || !leading.rounds.waiting.is_empty();
        if leading.rounds.open.is_some() || !wanted {
            return;
        }
        // Only a leader that committed in its own term knows what is committed (thesis §6.4, step 1).
        if !own_term && !self.config.is_bent(Mutant::ReadIndexBeforeFirstCommit) {
            return;
        }
        let context = self.unique_context();
        let Some(leading) = self.role.leading_mut() else { return };
        leading.rounds.open = Some(Round {
            context,
            index: self.committed,
            answered: BTreeSet::new(),
            reads: mem::take(&mut self.reads.waiting),
            questions: mem::take(&mut leading.rounds.waiting),
        });
        if self.close_round() {
            return;
        }
        self.send_heartbeats();
    }

    /// Answers the open round if a quorum has, or if the lease stands in for one. True if no round is open any more.
    fn close_round(&mut self) -> bool {
        let leased = self.lease_until().is_some_and(|until| self.now < until);
        let id = self.id();
        let Some(leading) = self.role.leading_mut() else { return true };
        let Some(round) = leading.rounds.open.take() else { return true };
        if !leased && !self.configuration.is_quorum(|member| member == id || round.answered.contains(&member)) {
            leading.rounds.open = Some(round);
            return false;
        }
        self.reads.confirm(round.index, round.reads);
        for (to, context) in round.questions {
            self.send(to, Body::ReadIndexReady { context, index: round.index });
        }
        true
    }

    /// A context that no member has used or will use: who asks, and the number of the attempt.
    pub(crate) fn unique_context(&mut self) -> Bytes {
        self.reads.attempts = self.reads.attempts.wrapping_add(1);
        let mut context = Vec::with_capacity(16);
        context.extend_from_slice(&self.id().0.to_be_bytes());
        context.extend_from_slice(&self.reads.attempts.to_be_bytes());
        Bytes::from(context)
    }
}
