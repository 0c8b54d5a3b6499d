//! Replies and events to bytes, as frames appended to what a connection has yet to send.

use super::xid;
use crate::jute::Writer;
use crate::opcode;
use crate::operation::MultiHeader;
use bytes::BytesMut;
use znodes::{Answer, OpAnswer, Response, WatchEvent};

/// The state of a connection that events name: SyncConnected (Java: `KeeperState`).
const CONNECTED: i32 = 3;

/// A reply that says no more than its header: pings, setWatches, removeWatches, errors. `err` is 0 or an error's number.
pub fn encode_header(xid: i32, zxid: i64, err: i32, out: &mut BytesMut) {
    reply(xid, zxid, err, out, |_| {});
}

/// The answer to a write or read. `op` is the number of the operation that was asked for: it decides what is told.
pub fn encode_answer(xid: i32, zxid: i64, op: i32, response: &Response, out: &mut BytesMut) {
    match response {
        Ok(answer) => reply(xid, zxid, 0, out, |writer| record(op, answer, writer)),
        Err(error) => encode_header(xid, zxid, error.number(), out),
    }
}

/// The answer to addWatch, which alone repeats in its record that nothing went wrong.
pub fn encode_added_watch(xid: i32, zxid: i64, out: &mut BytesMut) {
    reply(xid, zxid, 0, out, |writer| writer.int(0));
}

/// The answer to a step of SASL. Its zxid is 0 (Java: `ZooKeeperServer.processSasl`).
pub fn encode_sasl(xid: i32, token: Option<&[u8]>, out: &mut BytesMut) {
    reply(xid, 0, 0, out, |writer| writer.buffer(token));
}

/// A watch event. `zxid` is the transaction's (before 3.9: −1).
pub fn encode_event(zxid: i64, event: WatchEvent, path: &str, out: &mut BytesMut) {
    reply(xid::EVENT, zxid, 0, out, |writer| {
        writer.int(event.number());
        writer.int(CONNECTED);
        writer.string(path);
    });
}

fn reply(xid: i32, zxid: i64, err: i32, out: &mut BytesMut, record: impl FnOnce(&mut Writer)) {
    Writer::append(out, |writer| {
        writer.framed(|writer| {
            writer.int(xid);
            writer.long(zxid);
            writer.int(err);
            record(writer);
        });
    });
}

fn record(op: i32, answer: &Answer, writer: &mut Writer) {
    match answer {
        Answer::SessionCreated { .. } | Answer::SessionClosed | Answer::Deleted => {}
        Answer::Created { path, stat } => {
            writer.string(path);
            if op != opcode::CREATE {
                writer.stat(stat);
            }
        }
        Answer::Stat(stat) => writer.stat(stat),
        Answer::Data { data, stat } => {
            writer.buffer(data.as_deref());
            writer.stat(stat);
        }
        Answer::Acl { acl, stat } => {
            writer.acl(acl);
            writer.stat(stat);
        }
        Answer::Children { children, stat } => {
            writer.strings(children);
            if op == opcode::GET_CHILDREN2 {
                writer.stat(stat);
            }
        }
        Answer::Count(count) => writer.int(*count),
        Answer::Paths(paths) => writer.strings(paths),
        Answer::Who(who) => writer.vector(who, |writer, one| {
            writer.string(&one.scheme);
            writer.string(&one.user);
        }),
        Answer::Synced { path } => writer.string(path),
        Answer::Multi(results) => multi(results, writer),
    }
}

/// Each result behind a header of its own (Java: `MultiResponse`).
fn multi(results: &[OpAnswer], writer: &mut Writer) {
    for result in results {
        match result {
            OpAnswer::Done { kind, answer } => {
                // Whatever told a Stat of a new node is answered as create2, deleteContainer as delete.
                let kind = match *kind {
                    opcode::CREATE_CONTAINER | opcode::CREATE_TTL => opcode::CREATE2,
                    opcode::DELETE_CONTAINER => opcode::DELETE,
                    kind => kind,
                };
                MultiHeader { kind, done: false, err: 0 }.write(writer);
                record(kind, answer, writer);
            }
            OpAnswer::Failed { code } => {
                MultiHeader { kind: opcode::ERROR, done: false, err: *code }.write(writer);
                writer.int(*code);
            }
        }
    }
    MultiHeader::END.write(writer);
}
