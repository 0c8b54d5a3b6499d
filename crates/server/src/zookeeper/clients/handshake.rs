//! How a session begins, or is taken up again.

use super::connection::{ConnectionId, Stage, Waiting};
use super::desk::{Asked, Desk, Moment};
use bytes::Bytes;
use consensus::{Instant, SessionNote};
use tracing::{debug, info, warn};
use znodes::{Op, Request};
use zookeeper::client::{ConnectRequest, ConnectResponse};
use zookeeper::{opcode, session};

impl Desk {
    /// A client's first frame (Java: `ZooKeeperServer.processConnectRequest`).
    pub(super) fn greet(&mut self, moment: &Moment<'_>, id: ConnectionId, frame: &[u8]) {
        let Ok(request) = ConnectRequest::decode(&Bytes::copy_from_slice(frame)) else { return self.close(id) };
        self.metrics.connection_request_count += 1;
        let timeout = self.settings.tree.session_timeout(request.timeout);
        let Some(connection) = self.get_mut(id) else { return };
        connection.knows_read_only = request.read_only.is_some();
        let address = connection.address;
        if request.last_zxid_seen > moment.zxid {
            // It would see time go back: it must find a server that is further.
            let (seen, ours) = (request.last_zxid_seen, moment.zxid);
            info!(%address, "Refusing session(0x{:x}): client has seen zxid 0x{seen:x}, our last zxid is 0x{ours:x}", request.session);
            return self.close(id);
        }
        connection.timeout = timeout;
        connection.stage = Stage::Opening;
        if moment.read_only {
            return self.greet_reader(moment, id, &request);
        }
        if request.session == 0 {
            return self.begin_session(moment, id);
        }
        // Java closes the session's other connection before it looks at the password; so anybody could close anybody's.
        if request.password != session::password(request.session)[..] {
            warn!(%address, session = format_args!("0x{:x}", request.session), "Incorrect password");
            return self.refuse_session(id);
        }
        self.resume_session(moment, id, request.session);
    }

    /// A client's first frame, to a server that finds no leader (Java: `ReadOnlyZooKeeperServer`). The session that it gets is known here
    /// only. Java gives it one if localSessionsEnabled is set, too.
    fn greet_reader(&mut self, moment: &Moment<'_>, id: ConnectionId, request: &ConnectRequest) {
        let is_global = moment.tree.session_timeout(request.session).is_some();
        if request.read_only != Some(true) || is_global {
            // It is to look for a server that can write, with its session if it has one.
            return self.close(id);
        }
        if request.session != 0 {
            return self.refuse_session(id);
        }
        let session = self.next_session;
        self.next_session = self.next_session.wrapping_add(1);
        self.by_session.insert(session, id);
        if let Some(connection) = self.get_mut(id) {
            connection.session = session;
            connection.is_read_only = true;
        }
        self.open_session(id);
    }

    fn begin_session(&mut self, moment: &Moment<'_>, id: ConnectionId) {
        let session = self.next_session;
        self.next_session = self.next_session.wrapping_add(1);
        let Some(connection) = self.get_mut(id) else { return };
        connection.session = session;
        let op = Op::CreateSession { timeout: connection.timeout };
        self.by_session.insert(session, id);
        let request = Request { session, cxid: 0, ids: Vec::new(), op };
        self.write(moment, id, opcode::CREATE_SESSION, request);
    }

    fn resume_session(&mut self, moment: &Moment<'_>, id: ConnectionId, session: i64) {
        // The client has come back over another connection: the old one is of no use to anybody.
        if let Some(old) = self.by_session.insert(session, id).filter(|&old| old != id) {
            self.close(old);
        }
        self.metrics.connection_revalidate_count += 1;
        let Some(connection) = self.get_mut(id) else { return };
        connection.session = session;
        moment.member.tell(SessionNote::Revalidate { session, timeout: connection.timeout });
    }

    /// The leader has said whether a session lives.
    pub(super) fn revalidated(&mut self, session: i64, valid: bool) {
        let Some(&id) = self.by_session.get(&session) else { return };
        let waits =
            |connection: &super::connection::Connection| connection.stage == Stage::Opening && connection.queue.is_empty();
        match self.get(id) {
            Some(connection) if waits(connection) && valid => self.open_session(id),
            Some(connection) if waits(connection) => self.refuse_session(id),
            _ => {}
        }
    }

    /// The client has its session.
    pub(super) fn open_session(&mut self, id: ConnectionId) {
        let Some(connection) = self.get_mut(id) else { return };
        connection.stage = Stage::Open;
        connection.touched = true;
        let (timeout, session) = (connection.timeout, connection.session);
        let read_only = connection.knows_read_only.then_some(connection.is_read_only);
        ConnectResponse { timeout, session, password: session::password(session), read_only }.encode(&mut connection.output);
        debug!(address = %connection.address, "Established session 0x{session:x} with negotiated timeout {timeout}");
        self.count_greeting(id);
    }

    /// The client's session is over, or is not its own. It hears so, and is let go.
    pub(super) fn refuse_session(&mut self, id: ConnectionId) {
        let Some(connection) = self.get_mut(id) else { return };
        let read_only = connection.knows_read_only.then_some(false);
        ConnectResponse::refusal(read_only).encode(&mut connection.output);
        info!(address = %connection.address, "Invalid session 0x{:x}, probably expired", connection.session);
        self.count_greeting(id);
        self.close(id);
    }

    fn count_greeting(&mut self, id: ConnectionId) {
        self.totals.sent += 1;
        if let Some(connection) = self.get_mut(id) {
            connection.stats.sent += 1;
        }
        self.mark(id);
    }

    /// Leaves a write with the member; its answer has its turn after those of all that wait already.
    pub(super) fn write(&mut self, moment: &Moment<'_>, id: ConnectionId, op: i32, request: Request) {
        let token = moment.member.token();
        let name = (request.session, request.cxid);
        self.asked.insert(token, Asked { connection: id, name: Some(name) });
        self.on_their_way.insert(name);
        self.wait(id, Waiting::Asked { token, xid: request.cxid, op, since: moment.now, outcome: None });
        moment.member.write(token, request);
    }

    /// Lets a request wait for its turn.
    pub(super) fn wait(&mut self, id: ConnectionId, waiting: Waiting) {
        if let Some(connection) = self.get_mut(id) {
            connection.wait(waiting);
            self.outstanding += 1;
        }
    }

    /// A write that began a session has ended.
    pub(super) fn session_begun(
        &mut self,
        id: ConnectionId,
        since: Instant,
        now: Instant,
        zxid: i64,
        response: &znodes::Response,
    ) {
        match response {
            Ok(_) => {
                self.open_session(id);
                self.account(id, opcode::CREATE_SESSION, 0, zxid, since, now);
            }
            Err(_) => self.refuse_session(id),
        }
    }
}
