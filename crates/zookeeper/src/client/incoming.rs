//! What a client hears: replies and events, from bytes.

use super::xid;
use crate::jute::Reader;
use crate::operation::MultiHeader;
use crate::{Malformed, opcode};
use bytes::Bytes;
use znodes::{Answer, ClientInfo, OpAnswer, Stat, WatchEvent};

/// A frame from the server, after its first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Incoming {
    /// A watch's.
    Event {
        /// The transaction; −1 from servers before 3.9.
        zxid: i64,
        /// What happened.
        event: WatchEvent,
        /// To which node.
        path: String,
    },
    /// A request's.
    Reply {
        /// The request.
        xid: i32,
        /// The last transaction that the server had applied.
        zxid: i64,
        /// The reply, or an error's number.
        reply: Result<Reply, i32>,
    },
}

/// What a reply says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// That it was done: pings, setWatches, removeWatches, delete, closeSession, …
    Done,
    /// What was done or found. Where the server does not tell a Stat (create, getChildren), it is all zeros.
    Answer(Answer),
    /// The server's step of SASL.
    Sasl(Option<Bytes>),
}

/// What a frame says. `operation` is asked for the number of the operation that a xid belongs to: the frame does not tell.
pub fn decode(frame: &Bytes, operation: impl FnOnce(i32) -> Option<i32>) -> Result<Incoming, Malformed> {
    let mut reader = Reader::new(frame, frame.len());
    let (xid, zxid, err) = (reader.int()?, reader.long()?, reader.int()?);
    if xid == xid::EVENT {
        return event(zxid, &mut reader);
    }
    let op = match xid {
        xid::PING => Some(opcode::PING),
        xid::AUTH => Some(opcode::AUTH),
        xid::SET_WATCHES => Some(opcode::SET_WATCHES2),
        _ => operation(xid),
    };
    let Some(op) = op else { return Err(Malformed::number(0, "the xid of a request", xid.into())) };
    let reply = if err == 0 { Ok(reply(op, &mut reader)?) } else { Err(err) };
    Ok(Incoming::Reply { xid, zxid, reply })
}

fn event(zxid: i64, reader: &mut Reader<'_>) -> Result<Incoming, Malformed> {
    let event = match reader.int()? {
        1 => WatchEvent::Created,
        2 => WatchEvent::Deleted,
        3 => WatchEvent::DataChanged,
        4 => WatchEvent::ChildrenChanged,
        _ => return reader.refuse("a kind of event, 1 to 4, before this"),
    };
    let _state = reader.int()?;
    Ok(Incoming::Event { zxid, event, path: reader.text("a path")? })
}

fn reply(op: i32, reader: &mut Reader<'_>) -> Result<Reply, Malformed> {
    match op {
        opcode::SASL => Ok(Reply::Sasl(reader.buffer()?)),
        opcode::CLOSE_SESSION => Ok(Reply::Answer(Answer::SessionClosed)),
        _ => Ok(answer(op, reader)?.map_or(Reply::Done, Reply::Answer)),
    }
}

/// `None`: the operation has no record in its reply.
fn answer(op: i32, reader: &mut Reader<'_>) -> Result<Option<Answer>, Malformed> {
    Ok(Some(match op {
        opcode::CREATE => Answer::Created { path: reader.text("a path")?, stat: Stat::default() },
        opcode::CREATE2 | opcode::CREATE_CONTAINER | opcode::CREATE_TTL => {
            Answer::Created { path: reader.text("a path")?, stat: reader.stat()? }
        }
        opcode::DELETE | opcode::DELETE_CONTAINER => Answer::Deleted,
        opcode::SET_DATA | opcode::SET_ACL | opcode::EXISTS => Answer::Stat(reader.stat()?),
        opcode::GET_DATA | opcode::RECONFIG => Answer::Data { data: reader.buffer()?, stat: reader.stat()? },
        opcode::GET_ACL => Answer::Acl { acl: reader.acl()?, stat: reader.stat()? },
        opcode::GET_CHILDREN => Answer::Children { children: reader.texts("a name")?, stat: Stat::default() },
        opcode::GET_CHILDREN2 => Answer::Children { children: reader.texts("a name")?, stat: reader.stat()? },
        opcode::GET_ALL_CHILDREN_NUMBER => Answer::Count(reader.int()?),
        opcode::GET_EPHEMERALS => Answer::Paths(reader.texts("a path")?),
        opcode::WHO_AM_I => Answer::Who(reader.vector(client_info)?.unwrap_or_default()),
        opcode::SYNC => Answer::Synced { path: reader.text("a path")? },
        opcode::MULTI | opcode::MULTI_READ => Answer::Multi(multi(reader)?),
        _ => return Ok(None),
    }))
}

fn client_info(reader: &mut Reader<'_>) -> Result<ClientInfo, Malformed> {
    Ok(ClientInfo { scheme: reader.text("a scheme")?, user: reader.text("a user")? })
}

fn multi(reader: &mut Reader<'_>) -> Result<Vec<OpAnswer>, Malformed> {
    let mut results = Vec::new();
    loop {
        let offset = reader.offset();
        let header = MultiHeader::read(reader)?;
        if header.done {
            return Ok(results);
        }
        results.push(match header.kind {
            opcode::ERROR => OpAnswer::Failed { code: reader.int()? },
            opcode::CHECK => OpAnswer::Done { kind: opcode::CHECK, answer: Answer::Deleted },
            opcode::MULTI | opcode::MULTI_READ => return Err(Malformed::at(offset, "no multi within a multi")),
            kind => match answer(kind, reader)? {
                Some(answer) => OpAnswer::Done { kind, answer },
                None => return Err(Malformed::number(offset, "the result of an operation", kind.into())),
            },
        });
    }
}
