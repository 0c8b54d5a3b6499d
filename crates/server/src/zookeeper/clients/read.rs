//! Reads, answered from the tree.

use super::connection::ConnectionId;
use super::desk::{Desk, Moment};
use bytes::BytesMut;
use consensus::Instant;
use tracing::warn;
use znodes::{Answer, ErrorCode, OpAnswer, ReadOp, Response};
use zookeeper::client::{encode_answer, encode_header, xid as reserved};
use zookeeper::opcode;

/// No reply is longer. Java makes whatever it is asked for, up to two gigabytes; a client's own bound (`jute.maxbuffer`) is a megabyte
/// unless it was raised.
const REPLY_BYTES_MAX: usize = 64 << 20;

impl Desk {
    /// Answers a ping, or one of the reads that come by the thousand, if that is what this frame says. Nothing may wait before it.
    pub(super) fn read_at_once(&mut self, moment: &Moment<'_>, id: ConnectionId, frame: &[u8]) -> bool {
        let Some((header, record)) = frame.split_first_chunk::<8>() else { return false };
        let (xid, op) = header.split_at(4);
        let int = |bytes: &[u8]| bytes.first_chunk().map(|int| i32::from_be_bytes(*int));
        let (Some(xid), Some(op)) = (int(xid), int(op)) else { return false };
        if op == opcode::PING {
            let zxid = moment.zxid;
            self.reply(id, op, xid, zxid, moment.now, moment.now, |out| encode_header(reserved::PING, zxid, 0, out));
            return true;
        }
        if !matches!(op, opcode::GET_DATA | opcode::EXISTS | opcode::GET_CHILDREN | opcode::GET_CHILDREN2) {
            return false;
        }
        // │ length: int │ path │ watch: boolean │
        let Some(length) = int(record).and_then(|length| usize::try_from(length).ok()) else { return false };
        let Some((path, rest)) = record[4..].split_at_checked(length) else { return false };
        let (Ok(path), Some(&watch)) = (std::str::from_utf8(path), rest.first()) else { return false };
        self.read_node(moment, id, xid, op, path, watch != 0, moment.now);
        true
    }

    /// Answers a read.
    #[expect(clippy::too_many_arguments, reason = "a request's header, what it asks for, and when it came")]
    pub(super) fn read(
        &mut self,
        moment: &Moment<'_>,
        id: ConnectionId,
        xid: i32,
        op: i32,
        read: ReadOp,
        watch: bool,
        since: Instant,
    ) {
        match read {
            ReadOp::GetData { path } | ReadOp::Exists { path } | ReadOp::GetChildren { path } => {
                self.read_node(moment, id, xid, op, &path, watch, since);
            }
            ReadOp::MultiRead(ops) => {
                let response = self.read_several(moment, id, ops);
                self.tell(moment, id, xid, op, &response, since);
            }
            read => {
                let response = self.look(moment, id, read);
                self.tell(moment, id, xid, op, &response, since);
            }
        }
    }

    /// Answers a read that may leave a watch.
    #[expect(clippy::too_many_arguments, reason = "a request's header, what it asks for, and when it came")]
    fn read_node(&mut self, moment: &Moment<'_>, id: ConnectionId, xid: i32, op: i32, path: &str, watch: bool, since: Instant) {
        let Some(connection) = self.get(id) else { return };
        let response = match op {
            opcode::GET_DATA => moment.tree.get_data(path, &connection.ids),
            opcode::EXISTS => moment.tree.exists(path, &connection.ids),
            _ => moment.tree.get_children(path, &connection.ids),
        };
        if watch {
            match (op, &response) {
                // A watch on what is not there waits for it to be created.
                (opcode::EXISTS, Ok(_) | Err(ErrorCode::NoNode)) | (opcode::GET_DATA, Ok(_)) => self.watches.watch_data(path, id),
                (opcode::GET_CHILDREN | opcode::GET_CHILDREN2, Ok(_)) => self.watches.watch_children(path, id),
                _ => {}
            }
        }
        self.tell(moment, id, xid, op, &response, since);
    }

    /// Each read for itself: the others do not care if one fails. One after the other, so that what they bring together has a bound.
    fn read_several(&mut self, moment: &Moment<'_>, id: ConnectionId, ops: Vec<ReadOp>) -> Response {
        let mut results = Vec::with_capacity(ops.len());
        let mut bytes = 0;
        for read in ops {
            let kind = if matches!(read, ReadOp::GetData { .. }) { opcode::GET_DATA } else { opcode::GET_CHILDREN };
            let result = match self.look(moment, id, read) {
                Ok(answer) => OpAnswer::Done { kind, answer },
                Err(error) => OpAnswer::Failed { code: error.number() },
            };
            bytes += weight(&result);
            if bytes > REPLY_BYTES_MAX {
                moment.work.add(bytes);
                return self.too_long(id, bytes);
            }
            results.push(result);
        }
        Ok(Answer::Multi(results))
    }

    fn look(&self, moment: &Moment<'_>, id: ConnectionId, op: ReadOp) -> Response {
        let Some(connection) = self.get(id) else { return Err(ErrorCode::ConnectionLoss) };
        moment.tree.look(connection.session, &connection.ids, &op)
    }

    fn tell(&mut self, moment: &Moment<'_>, id: ConnectionId, xid: i32, op: i32, response: &Response, since: Instant) {
        let zxid = moment.zxid;
        let bytes = response.as_ref().map_or(0, answer_weight);
        moment.work.add(bytes);
        let refused = if bytes > REPLY_BYTES_MAX { self.too_long(id, bytes) } else { Ok(Answer::Deleted) };
        let encode = |out: &mut BytesMut| match &refused {
            Err(error) => encode_header(xid, zxid, error.number(), out),
            Ok(_) => encode_answer(xid, zxid, op, response, out),
        };
        self.reply(id, op, xid, zxid, since, moment.now, encode);
    }

    fn too_long(&self, id: ConnectionId, bytes: usize) -> Response {
        let address = self.get(id).map(|connection| connection.address.to_string()).unwrap_or_default();
        warn!(address, bytes, "a reply is longer than {REPLY_BYTES_MAX} bytes: the client is told that it cannot be made");
        Err(ErrorCode::MarshallingError)
    }
}

/// About how many bytes a result takes on the wire.
fn weight(result: &OpAnswer) -> usize {
    const HEADER: usize = 9;
    HEADER
        + match result {
            OpAnswer::Done { answer, .. } => answer_weight(answer),
            OpAnswer::Failed { .. } => 4,
        }
}

fn answer_weight(answer: &Answer) -> usize {
    const STAT: usize = 68;
    let strings = |strings: &[String]| strings.iter().map(|string| string.len() + 4).sum::<usize>();
    STAT + match answer {
        Answer::Data { data, .. } => data.as_ref().map_or(0, bytes::Bytes::len),
        Answer::Children { children, .. } => strings(children),
        Answer::Paths(paths) => strings(paths),
        Answer::Multi(results) => results.iter().map(weight).sum(),
        _ => 0,
    }
}
