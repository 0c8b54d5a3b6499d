//! Writes on their way to the leader: the REQUEST packet.
//!
//! ```text
//! │ type 1 │ zxid −1 │ length │ session: long │ cxid: int │ operation: int │ the client's record │ ids of the client │
//! └──────────────────────────── a QuorumPacket, whose data is this ──────────────────────────┘
//! ```

use crate::jute::{Reader, Writer};
use crate::operation::{number_of, read_write, write_write};
use crate::quorum::number;
use crate::{Malformed, opcode};
use bytes::Bytes;
use znodes::{ErrorCode, Op, Request};

/// Session and cxid, as one number: what names a write in the log.
pub fn id(session: i64, cxid: i32) -> u128 {
    u128::from(session as u64) << 32 | u128::from(cxid as u32)
}

/// A write, as the whole packet that takes it to the leader.
pub fn encode(request: &Request) -> Bytes {
    let mut writer = Writer::with_capacity(128);
    writer.int(number::REQUEST);
    writer.long(-1);
    writer.framed(|writer| {
        writer.long(request.session);
        writer.int(request.cxid);
        writer.int(number_of(&request.op));
        write_write(&request.op, writer);
    });
    writer.ids(&request.ids);
    writer.finish()
}

/// The write that a packet asks for. Operations that do not make sense are refused through the log ([`Op::Refused`]), so that whoever
/// asked is answered; an error means that the packet itself is none.
pub fn decode(packet: &Bytes, limit: usize) -> Result<Request, Malformed> {
    let mut reader = Reader::new(packet, packet.len());
    let kind = reader.int()?;
    if kind != number::REQUEST {
        return Err(Malformed::number(0, "a REQUEST", kind.into()));
    }
    reader.long()?;
    let Some(data) = reader.buffer()? else { return reader.refuse("data of a REQUEST") };
    let ids = reader.ids()?;

    let mut reader = Reader::new(&data, limit);
    let (session, cxid, operation) = (reader.long()?, reader.int()?, reader.int()?);
    let record = reader.rest();
    // Java's servers answer what they do not know themselves, and forward nothing of the kind.
    let unknown = Op::Refused { op: operation, error: ErrorCode::Unimplemented };
    let op = read_write(operation, &record, limit).unwrap_or(unknown);
    Ok(Request { session, cxid, ids, op })
}

/// The operation that a REQUEST's data asks for.
pub(crate) fn operation_of(data: &[u8]) -> Option<i32> {
    data.get(12..)?.first_chunk().map(|int| i32::from_be_bytes(*int))
}

/// The packet by which a learner asks when everything proposed so far is committed. No session of its own is needed: the leader
/// answers whoever asked, in order.
pub(crate) fn sync() -> Bytes {
    let mut writer = Writer::with_capacity(64);
    writer.int(number::REQUEST);
    writer.long(-1);
    writer.framed(|writer| {
        writer.long(0);
        writer.int(0);
        writer.int(opcode::SYNC);
        writer.string("/");
    });
    writer.ids(&[]);
    writer.finish()
}
