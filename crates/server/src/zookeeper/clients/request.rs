//! What a client asks for once it has a session.

use super::connection::{ConnectionId, Waiting};
use super::desk::{Asked, Desk, Moment};
use bytes::{Bytes, BytesMut};
use tracing::{debug, warn};
use znodes::{ErrorCode, Op, Query, ReadOp, Request};
use zookeeper::client::{Call, ClientRequest, encode_header, encode_sasl};
use zookeeper::jute::length_limit;
use zookeeper::opcode;

/// The zxid of an answer that has seen no transaction: Java's request knows none yet.
const NO_ZXID: i64 = -1;

impl Desk {
    /// Takes a request. False: it is a write that has to wait where it is.
    pub(super) fn request(&mut self, moment: &Moment<'_>, id: ConnectionId, frame: &[u8]) -> bool {
        let Some(connection) = self.get_mut(id) else { return true };
        connection.touched = true;
        // The common reads need no copy of what they ask for.
        if connection.queue.is_empty() && self.read_at_once(moment, id, frame) {
            return true;
        }
        let limit = length_limit(self.settings.frame_bytes_max, self.settings.frame_bytes_max);
        let call = match Call::decode(&Bytes::copy_from_slice(frame), limit) {
            Ok(call) => call,
            Err(why) => {
                let Some(connection) = self.get(id) else { return true };
                warn!(address = %connection.address, %why, "a client's request is none; its connection is closed");
                self.close(id);
                return true;
            }
        };
        let Call { xid, op, request } = call;
        let Some(connection) = self.get(id) else { return true };
        let session = connection.session;
        if connection.is_read_only && !is_read(&request) {
            self.refuse_to_write(moment, id, xid, &request);
            return true;
        }
        if matches!(request, ClientRequest::Write(_)) {
            // A session's reads do not see its own later writes; what was applied cannot be looked behind.
            if connection.queued_reads > 0 {
                return false;
            }
            if self.on_their_way.contains(&(session, xid)) {
                self.held.insert((session, xid), id);
                return false;
            }
        }
        let Some(connection) = self.get_mut(id) else { return true };
        match request {
            ClientRequest::Write(write) => {
                connection.is_deaf |= matches!(write, Op::CloseSession);
                let request = Request { session, cxid: xid, ids: connection.ids.clone(), op: write };
                self.write(moment, id, op, request);
            }
            ClientRequest::Read { op: read @ ReadOp::Sync { .. }, .. } => {
                let query = Query { session, ids: connection.ids.clone(), op: read };
                let token = moment.member.token();
                self.asked.insert(token, Asked { connection: id, name: None });
                self.wait(id, Waiting::Asked { token, xid, op, since: moment.now, outcome: None });
                moment.member.query(token, query);
            }
            ClientRequest::Auth { scheme, auth } => self.authenticate(moment, id, xid, &scheme, &auth),
            // As a Java server does that was not told who vouches for its clients: nothing is said, and nobody is known.
            ClientRequest::Sasl { .. } => self.answer_in_turn(moment, id, false, |out| encode_sasl(xid, None, out)),
            // Java: PrepRequestProcessor, without reconfigEnabled.
            ClientRequest::Reconfig(_) => {
                let error = ErrorCode::ReconfigDisabled.number();
                self.answer_in_turn(moment, id, false, |out| encode_header(xid, moment.zxid, error, out));
            }
            ClientRequest::Refused(error @ ErrorCode::Unimplemented) => {
                // Java: UnimplementedRequestProcessor, which lets the client go.
                debug!(op, "a client asks for what there is not");
                self.answer_in_turn(moment, id, true, |out| encode_header(xid, NO_ZXID, error.number(), out));
            }
            request => {
                let call = Call { xid, op, request };
                if connection.queue.is_empty() {
                    self.answer_here(moment, id, call, moment.now);
                } else {
                    self.wait(id, Waiting::Here { call: Box::new(call), bytes: frame.len(), since: moment.now });
                }
            }
        }
        true
    }

    /// A server without a leader ends the sessions that it has given out itself, and writes nothing else (Java:
    /// `ReadOnlyRequestProcessor`).
    fn refuse_to_write(&mut self, moment: &Moment<'_>, id: ConnectionId, xid: i32, request: &ClientRequest) {
        let ends = matches!(request, ClientRequest::Write(Op::CloseSession));
        let error = if ends { 0 } else { ErrorCode::NotReadOnly.number() };
        self.answer_in_turn(moment, id, ends, |out| encode_header(xid, moment.zxid, error, out));
    }

    /// Answers with what is known already, once nothing waits before it.
    pub(super) fn answer_in_turn(
        &mut self,
        moment: &Moment<'_>,
        id: ConnectionId,
        then_close: bool,
        encode: impl FnOnce(&mut BytesMut),
    ) {
        let mut reply = BytesMut::new();
        encode(&mut reply);
        let Some(connection) = self.get_mut(id) else { return };
        connection.is_deaf |= then_close;
        self.wait(id, Waiting::Known { reply: reply.freeze(), then_close });
        self.answer_queue(Some(moment), id);
    }

    /// Answers what is answered here: reads, pings and what concerns watches.
    pub(super) fn answer_here(&mut self, moment: &Moment<'_>, id: ConnectionId, call: Call, since: consensus::Instant) {
        let Call { xid, op, request } = call;
        let failed = |error: ErrorCode, out: &mut BytesMut| encode_header(xid, moment.zxid, error.number(), out);
        match request {
            ClientRequest::Ping => {
                self.reply(id, op, xid, moment.zxid, since, moment.now, |out| encode_header(xid, moment.zxid, 0, out));
            }
            ClientRequest::Read { op: read, watch } => self.read(moment, id, xid, op, read, watch, since),
            ClientRequest::SetWatches(renewal) => self.renew_watches(moment, id, xid, op, &renewal, since),
            ClientRequest::AddWatch { path, mode } => self.add_watch(moment, id, xid, &path, mode, since),
            ClientRequest::RemoveWatches { path, which } => self.remove_watches(moment, id, xid, &path, which, since),
            ClientRequest::CheckWatches { path, which } => self.check_watches(moment, id, xid, &path, which, since),
            ClientRequest::Refused(error) => {
                self.reply(id, op, xid, moment.zxid, since, moment.now, |out| failed(error, out));
            }
            ClientRequest::Write(_) | ClientRequest::Auth { .. } | ClientRequest::Sasl { .. } | ClientRequest::Reconfig(_) => {
                unreachable!("{} is not answered here", op)
            }
        }
    }

    /// Appends a reply and keeps account of it.
    #[expect(clippy::too_many_arguments, reason = "a reply's header, and how long it took")]
    pub(super) fn reply(
        &mut self,
        id: ConnectionId,
        op: i32,
        xid: i32,
        zxid: i64,
        since: consensus::Instant,
        now: consensus::Instant,
        encode: impl FnOnce(&mut BytesMut),
    ) {
        let Some(connection) = self.get_mut(id) else { return };
        let before = connection.output.len();
        encode(&mut connection.output);
        let bytes = connection.output.len() - before - 4;
        connection.stats.sent += 1;
        self.totals.sends(bytes);
        self.metrics.response_bytes += bytes as u64;
        let latency = self.account(id, op, xid, zxid, since, now);
        if matches!(op, opcode::CLOSE_SESSION | opcode::MULTI) || zookeeper_writes(op) {
            self.metrics.updatelatency.add(latency);
        } else {
            self.metrics.readlatency.add(latency);
        }
        self.mark(id);
    }

    /// Keeps account of an answer, and says how many milliseconds it took.
    pub(super) fn account(
        &mut self,
        id: ConnectionId,
        op: i32,
        xid: i32,
        zxid: i64,
        since: consensus::Instant,
        now: consensus::Instant,
    ) -> u64 {
        let Some(connection) = self.get_mut(id) else { return 0 };
        let latency = connection.stats.answered(super::stats::short_name(op), xid, zxid, since, now);
        self.totals.latency.add(latency);
        latency
    }
}

/// Whether this can be answered by a server that can only read.
fn is_read(request: &ClientRequest) -> bool {
    let needs_leader = matches!(request, ClientRequest::Write(_) | ClientRequest::Reconfig(_))
        || matches!(request, ClientRequest::Read { op: ReadOp::Sync { .. }, .. });
    !needs_leader
}

/// Whether an operation writes.
fn zookeeper_writes(op: i32) -> bool {
    matches!(
        op,
        opcode::CREATE
            | opcode::CREATE2
            | opcode::CREATE_TTL
            | opcode::CREATE_CONTAINER
            | opcode::DELETE
            | opcode::SET_DATA
            | opcode::SET_ACL
    )
}
