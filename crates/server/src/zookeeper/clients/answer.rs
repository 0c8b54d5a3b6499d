//! What the member has to say, and whose turn it is.

use super::super::member::Outcome;
use super::connection::{ConnectionId, Waiting};
use super::desk::{Desk, Moment};
use super::send::OUTPUT_BYTES_HIGH;
use consensus::{Instant, Position};
use replica::{Refusal, Token};
use tracing::debug;
use znodes::{Answer, ErrorCode, OpAnswer, Response};
use zookeeper::client::{encode_answer, encode_header};
use zookeeper::opcode;

impl Desk {
    /// What was asked under `token` has ended. Reads that wait for it are not answered before the turn has settled.
    pub(super) fn answered(&mut self, token: Token, outcome: Outcome, now: Instant) {
        let Some(asked) = self.asked.remove(&token) else { return };
        if let Some(name) = asked.name {
            self.on_their_way.remove(&name);
            if let Some(holder) = self.held.remove(&name) {
                self.mark(holder);
            }
        }
        let id = asked.connection;
        let Some(connection) = self.get_mut(id) else { return };
        let found = connection.queue.iter_mut().find_map(|waiting| match waiting {
            Waiting::Asked { token: other, outcome, .. } if *other == token => Some(outcome),
            _ => None,
        });
        // A connection that was closed meanwhile waits for nothing.
        let Some(place) = found else { return };
        *place = Some(outcome);
        self.answer_from(id, None, now);
        self.mark(id);
    }

    /// Answers requests in their order as far as answers are known.
    pub(super) fn answer_queue(&mut self, moment: Option<&Moment<'_>>, id: ConnectionId) {
        if let Some(moment) = moment {
            self.answer_from(id, Some(moment), moment.now);
        }
    }

    fn answer_from(&mut self, id: ConnectionId, moment: Option<&Moment<'_>>, now: Instant) {
        loop {
            let Some(connection) = self.get_mut(id) else { return };
            let has_room = connection.output.len() <= OUTPUT_BYTES_HIGH;
            let is_next = match connection.queue.front() {
                Some(Waiting::Asked { outcome, .. }) => outcome.is_some(),
                Some(Waiting::Here { .. }) => has_room && moment.is_some_and(|moment| !moment.work.is_enough()),
                Some(Waiting::Known { .. }) => true,
                None => return,
            };
            if !is_next {
                return;
            }
            let Some(next) = connection.next() else { return };
            self.outstanding -= 1;
            match (next, moment) {
                (Waiting::Asked { xid, op, since, outcome: Some(outcome), .. }, _) => {
                    self.conclude(id, xid, op, since, now, outcome)
                }
                (Waiting::Here { call, since, .. }, Some(moment)) => self.answer_here(moment, id, *call, since),
                (Waiting::Known { reply, then_close }, _) => self.say_known(id, &reply, then_close),
                _ => unreachable!("looked at a moment ago"),
            }
        }
    }

    fn say_known(&mut self, id: ConnectionId, reply: &[u8], then_close: bool) {
        let Some(connection) = self.get_mut(id) else { return };
        connection.output.extend_from_slice(reply);
        connection.stats.sent += 1;
        self.totals.sends(reply.len() - 4);
        self.mark(id);
        if then_close {
            self.close(id);
        }
    }

    fn conclude(&mut self, id: ConnectionId, xid: i32, op: i32, since: Instant, now: Instant, outcome: Outcome) {
        match outcome {
            Outcome::Applied(position, response) | Outcome::Read(position, response) => {
                self.applied(id, xid, op, since, now, position, &response);
            }
            // Nothing was done, and the client may try again.
            Outcome::Refused(Refusal::TooManyRequests) if !matches!(op, opcode::CREATE_SESSION | opcode::CLOSE_SESSION) => {
                self.metrics.throttled_ops += 1;
                let error = ErrorCode::ThrottledOp.number();
                let zxid = self.get(id).map_or(0, |connection| connection.stats.last_zxid.max(0));
                self.reply(id, op, xid, zxid, since, now, |out| encode_header(xid, zxid, error, out));
            }
            // It may have been done and it may not: a client learns that from losing its connection.
            Outcome::Refused(refusal) => {
                debug!(?refusal, op, "a request has no answer; its client's connection is closed");
                self.close(id);
            }
            Outcome::Transferred => {}
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a request's header, its answer, and how long it took")]
    fn applied(
        &mut self,
        id: ConnectionId,
        xid: i32,
        op: i32,
        since: Instant,
        now: Instant,
        position: Position,
        response: &Response,
    ) {
        let zxid = position.zxid() as i64;
        if has_moved(response) {
            // The client has gone to another server with its session, and should not be told by this one (ZOOKEEPER-710).
            return self.close(id);
        }
        if op == opcode::CREATE_SESSION {
            return self.session_begun(id, since, now, zxid, response);
        }
        self.reply(id, op, xid, zxid, since, now, |out| encode_answer(xid, zxid, op, response, out));
        if op == opcode::CLOSE_SESSION {
            self.close(id);
        }
    }
}

/// Whether the session is served by another server now.
fn has_moved(response: &Response) -> bool {
    let moved = ErrorCode::SessionMoved;
    match response {
        Err(error) => *error == moved,
        Ok(Answer::Multi(results)) => {
            results.iter().any(|result| matches!(result, OpAnswer::Failed { code } if *code == moved.number()))
        }
        Ok(_) => false,
    }
}
