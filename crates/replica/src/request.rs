//! The way of a write into the log: on the leader it is prepared and proposed, elsewhere it is forwarded.

use crate::{Answer, Codec, Effect, Effects, Refusal, Replica, RequestId, Token};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use bytes::Bytes;
use consensus::{Consensus, EntryKind, Input, Instant, NodeId, Note, Position, Role, SessionNote, StateMachine};

/// Requests that have not left yet: nobody leads, the link to the leader is down, or the log takes no more for now. Since nothing
/// was done for them, they may wait for whoever leads next.
pub(crate) struct Unsent<R> {
    queue: VecDeque<Request<R>>,
    bytes: usize,
}

/// The memory that a waiting request takes: its bytes, and about what it costs to keep account of it.
pub(crate) fn weight(encoded: &Bytes) -> usize {
    const ACCOUNT: usize = 256;
    encoded.len() + ACCOUNT
}

/// A write on its way.
pub(crate) struct Request<R> {
    pub(crate) id: RequestId,
    /// Whom to answer; `None` if another member's client asks, or time itself.
    pub(crate) token: Option<Token>,
    /// The member whose client asks.
    pub(crate) from: NodeId,
    pub(crate) deadline: Instant,
    /// Encoded once, as it would be forwarded; also how much room it takes.
    pub(crate) encoded: Bytes,
    pub(crate) request: R,
}

impl<R> Default for Unsent<R> {
    fn default() -> Self {
        Unsent { queue: VecDeque::new(), bytes: 0 }
    }
}

impl<R> Unsent<R> {
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Of the oldest: all have the same patience.
    pub(crate) fn deadline(&self) -> Instant {
        self.queue.front().map_or(Instant::NEVER, |request| request.deadline)
    }

    pub(crate) fn push(&mut self, request: Request<R>) {
        self.bytes += weight(&request.encoded);
        self.queue.push_back(request);
    }

    pub(crate) fn pop(&mut self) -> Option<Request<R>> {
        let request = self.queue.pop_front()?;
        self.bytes -= weight(&request.encoded);
        Some(request)
    }

    pub(crate) fn pop_overdue(&mut self, now: Instant) -> Option<Request<R>> {
        if self.deadline() <= now { self.pop() } else { None }
    }

    /// What other members forwarded to us as their leader is not ours to forward again: they watch over it themselves.
    fn forget_foreign(&mut self) {
        self.queue.retain(|request| request.token.is_some());
        self.bytes = self.queue.iter().map(|request| weight(&request.encoded)).sum();
    }
}

impl<C: Consensus, M: StateMachine, K: Codec<Machine = M>> Replica<C, M, K> {
    pub(crate) fn on_requests(&mut self, requests: Vec<(Token, M::Request)>, effects: &mut Effects<C, M>) {
        for (token, request) in requests {
            if self.waiting.bytes() + self.unsent.bytes() > self.options.waiting_bytes_max {
                effects.push(Effect::Answer { token, answer: Answer::Refused(Refusal::TooManyRequests) });
                continue;
            }
            let request = self.begin_request(Some(token), request);
            self.unsent.push(request);
        }
    }

    /// A member forwarded its clients' writes to us, its leader.
    pub(crate) fn on_told(&mut self, from: NodeId, note: Note, effects: &mut Effects<C, M>) {
        let proposals = match note {
            Note::Request(proposals) => proposals,
            Note::Sessions(note) => return self.hear_of_sessions(from, note, effects),
        };
        for (kind, data) in proposals {
            match kind {
                EntryKind::Configuration => self.step(Input::Reconfigure { change: data }),
                EntryKind::Command => {
                    // What cannot be understood is refused by silence: its sender's own deadline answers the client.
                    let Ok((id, request)) = self.codec.decode_request(&data) else { continue };
                    // So is what finds no room, whoever sent so much.
                    if self.unsent.bytes() > self.options.waiting_bytes_max {
                        continue;
                    }
                    let deadline = self.now + self.options.request_timeout;
                    self.unsent.push(Request { id, token: None, from, deadline, encoded: data, request });
                }
            }
        }
    }

    /// Clients of this member were heard from, or one came with a session: the leader is to know.
    pub(crate) fn tell_of_sessions(&mut self, note: SessionNote, effects: &mut Effects<C, M>) {
        match self.leader() {
            Some(leader) if leader == self.me => self.hear_of_sessions(self.me, note, effects),
            Some(leader) => self.step(Input::Tell { to: leader, note: Note::Sessions(note) }),
            None => {}
        }
    }

    fn hear_of_sessions(&mut self, from: NodeId, note: SessionNote, effects: &mut Effects<C, M>) {
        if !self.leading {
            if matches!(note, SessionNote::Revalidated { .. }) && self.leader() == Some(from) {
                effects.push(Effect::HeardOfSession(note));
            }
            return;
        }
        match self.machine.hear(self.now, from, note) {
            Some(answer) if from == self.me => effects.push(Effect::HeardOfSession(answer)),
            Some(answer) => self.step(Input::Tell { to: from, note: Note::Sessions(answer) }),
            None => {}
        }
    }

    /// Hands over what has not left yet, as far as anybody takes it.
    pub(crate) fn hand_over(&mut self) {
        self.begin_to_lead();
        if self.role != Role::Leader && !self.forwards_due() {
            self.unsent.forget_foreign();
        }
        if self.has_something_to_hand_over() && self.consensus.deadline() <= self.now {
            // A leader that was paused may have to step down first: with its timers looked at, `next()` tells the truth.
            self.step(Input::Timeout);
            if !self.outputs.is_empty() {
                return;
            }
        }
        while self.has_something_to_hand_over() {
            let moved = match (self.consensus.next(), self.leader()) {
                (Some(next), _) => self.propose(next),
                // Only over a link that stands: what was not sent can still be sent to the next leader.
                (None, Some(leader)) if leader != self.me && self.linked.contains(&leader) => self.forward(leader),
                _ => false,
            };
            if !moved {
                return;
            }
        }
    }

    /// A known mistake: what time has brought about is not forgotten with the term.
    fn forwards_due(&self) -> bool {
        #[cfg(feature = "mutants")]
        return self.options.mutant == Some(crate::Mutant::ForwardDue);
        #[cfg(not(feature = "mutants"))]
        false
    }

    pub(crate) fn begin_request(&mut self, token: Option<Token>, request: M::Request) -> Request<M::Request> {
        let id = self.codec.id(&request);
        let encoded = self.codec.encode_request(id, &request);
        let deadline = self.now + self.options.request_timeout;
        Request { id, token, from: self.me, deadline, encoded, request }
    }

    /// The next for the log: what has been due for a while before what clients want.
    fn next_for_log(&mut self) -> Option<Request<M::Request>> {
        self.due.pop_front().or_else(|| self.unsent.pop())
    }

    fn has_something_to_hand_over(&self) -> bool {
        !self.due.is_empty() || self.unsent.len() > 0
    }

    fn propose(&mut self, next: Position) -> bool {
        let mut commands = Vec::new();
        let mut bytes = 0;
        while bytes < self.options.batch_bytes_max {
            let Some(Request { id, token, from, deadline, encoded, request }) = self.next_for_log() else { break };
            let position = Position::new(next.epoch, next.index + commands.len() as u64);
            let command = self.machine.prepare(position, self.wall, from, request);
            let command = self.codec.encode(id, &command, encoded.clone());
            bytes += command.len();
            commands.push(command);
            self.waiting.insert(id, token, next.epoch, false, deadline, encoded);
        }
        self.step(Input::Propose { commands });
        true
    }

    fn forward(&mut self, leader: consensus::NodeId) -> bool {
        let mut proposals = Vec::new();
        let mut bytes = 0;
        self.waiting.begin_forwarding();
        while bytes < self.options.batch_bytes_max {
            let Some(Request { id, token, deadline, encoded, .. }) = self.unsent.pop() else { break };
            bytes += encoded.len();
            proposals.push((EntryKind::Command, encoded.clone()));
            self.waiting.insert(id, token, self.epoch, true, deadline, encoded);
        }
        self.step(Input::Tell { to: leader, note: Note::Request(proposals) });
        // Carry out what the protocol says before telling it more: a refusal concerns this message only.
        false
    }

    /// Forwards once more what was already forwarded to a leader that died: it may be applied twice.
    #[cfg(feature = "mutants")]
    pub(crate) fn forward_again(&mut self, id: RequestId, token: Option<Token>, deadline: Instant, encoded: Bytes) {
        if let Ok((_, request)) = self.codec.decode_request(&encoded) {
            self.unsent.push(Request { id, token, from: self.me, deadline, encoded, request });
        }
    }
}
