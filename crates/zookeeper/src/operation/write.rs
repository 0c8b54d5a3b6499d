//! Writes: the operations that become transactions.

use super::{Read, multi};
use crate::jute::{Reader, Writer};
use crate::opcode;
use bytes::Bytes;
use znodes::{CreateMode, ErrorCode, Op};

/// The write `number` that another server forwards, whose record is `record`. `None` if there is no such write.
///
/// Where the record does not make sense the operation is [`Op::Refused`]: it is answered through the log, as Java does (a transaction
/// of type error is made of it in `PrepRequestProcessor.pRequestHelper`).
pub(crate) fn read_write(number: i32, record: &Bytes, limit: usize) -> Option<Op> {
    let read = try_write(number, record, limit)?;
    Some(read.unwrap_or_else(|_| Op::Refused { op: number, error: refusal(record) }))
}

/// The write `number`, whose record is `record`. `None` if there is no such write.
pub(crate) fn try_write(number: i32, record: &Bytes, limit: usize) -> Option<Read<Op>> {
    let mut reader = Reader::new(record, limit);
    Some(match number {
        opcode::CREATE_SESSION => reader.int().map(|timeout| Op::CreateSession { timeout }),
        opcode::CLOSE_SESSION => Ok(Op::CloseSession),
        opcode::MULTI => multi::read_writes(&mut reader),
        // As a server without reconfigEnabled says it.
        opcode::RECONFIG => Ok(Op::Refused { op: number, error: ErrorCode::ReconfigDisabled }),
        // A check stands in a multi only.
        opcode::CHECK => return None,
        _ => single(number, &mut reader)?,
    })
}

/// An operation that may stand alone and in a multi. `None` if there is no such write.
pub(super) fn single(number: i32, reader: &mut Reader<'_>) -> Option<Read<Op>> {
    Some(match number {
        opcode::CREATE | opcode::CREATE2 | opcode::CREATE_CONTAINER | opcode::CREATE_TTL => create(number, reader),
        opcode::DELETE => delete(reader),
        opcode::DELETE_CONTAINER => reader.text("a path").map(|path| Op::DeleteContainer { path }),
        opcode::SET_DATA => set_data(reader),
        opcode::SET_ACL => set_acl(reader),
        opcode::CHECK => check(reader),
        _ => return None,
    })
}

/// The number of an operation.
pub(crate) fn number_of(op: &Op) -> i32 {
    match op {
        Op::CreateSession { .. } => opcode::CREATE_SESSION,
        Op::CloseSession => opcode::CLOSE_SESSION,
        Op::Create { op, .. } | Op::Refused { op, .. } => *op,
        Op::Delete { .. } => opcode::DELETE,
        Op::DeleteContainer { .. } => opcode::DELETE_CONTAINER,
        Op::SetData { .. } => opcode::SET_DATA,
        Op::SetAcl { .. } => opcode::SET_ACL,
        Op::Check { .. } => opcode::CHECK,
        Op::Multi(_) => opcode::MULTI,
    }
}

/// An operation's record.
pub(crate) fn write_write(op: &Op, writer: &mut Writer) {
    match op {
        Op::CreateSession { timeout } => writer.int(*timeout),
        Op::CloseSession => {}
        Op::Create { path, data, acl, mode, op } => {
            writer.string(path);
            writer.buffer(data.as_deref());
            writer.acl(acl);
            writer.int(flags(*mode));
            if *op == opcode::CREATE_TTL {
                writer.long(if let CreateMode::Ttl { ttl, .. } = mode { *ttl } else { NO_TTL });
            }
        }
        Op::Delete { path, version } | Op::Check { path, version } => {
            writer.string(path);
            writer.int(*version);
        }
        Op::DeleteContainer { path } => writer.string(path),
        Op::SetData { path, data, version } => {
            writer.string(path);
            writer.buffer(data.as_deref());
            writer.int(*version);
        }
        Op::SetAcl { path, acl, version } => {
            writer.string(path);
            writer.acl(acl);
            writer.int(*version);
        }
        Op::Multi(ops) => multi::write_writes(ops, writer),
        // No record of four bytes makes sense to Java, which will say so (MARSHALLINGERROR); we read the reason from them.
        Op::Refused { error, .. } => writer.int(error.number()),
    }
}

/// Why a record that makes no sense is refused: it may be a refusal that was forwarded.
fn refusal(record: &Bytes) -> ErrorCode {
    let forwarded = <[u8; 4]>::try_from(&record[..]).ok().map(i32::from_be_bytes);
    forwarded.and_then(ErrorCode::from_number).unwrap_or(ErrorCode::MarshallingError)
}

/// What stands for no time to live.
const NO_TTL: i64 = -1;

fn create(number: i32, reader: &mut Reader<'_>) -> Read<Op> {
    let path = reader.text("a path")?;
    let data = reader.buffer()?;
    let acl = reader.acl()?;
    let flags = reader.int()?;
    let ttl = if number == opcode::CREATE_TTL { reader.long()? } else { NO_TTL };
    Ok(match mode(flags, ttl) {
        Some(mode) => Op::Create { path, data, acl, mode, op: number },
        // Java: CreateMode.fromFlag.
        None => Op::Refused { op: number, error: ErrorCode::BadArguments },
    })
}

fn delete(reader: &mut Reader<'_>) -> Read<Op> {
    Ok(Op::Delete { path: reader.text("a path")?, version: reader.int()? })
}

fn set_data(reader: &mut Reader<'_>) -> Read<Op> {
    Ok(Op::SetData { path: reader.text("a path")?, data: reader.buffer()?, version: reader.int()? })
}

fn set_acl(reader: &mut Reader<'_>) -> Read<Op> {
    Ok(Op::SetAcl { path: reader.text("a path")?, acl: reader.acl()?, version: reader.int()? })
}

fn check(reader: &mut Reader<'_>) -> Read<Op> {
    Ok(Op::Check { path: reader.text("a path")?, version: reader.int()? })
}

/// The kind of node that `flags` ask for (Java: `CreateMode`).
fn mode(flags: i32, ttl: i64) -> Option<CreateMode> {
    Some(match flags {
        0 => CreateMode::Persistent { sequential: false },
        1 => CreateMode::Ephemeral { sequential: false },
        2 => CreateMode::Persistent { sequential: true },
        3 => CreateMode::Ephemeral { sequential: true },
        4 => CreateMode::Container,
        5 => CreateMode::Ttl { ttl, sequential: false },
        6 => CreateMode::Ttl { ttl, sequential: true },
        _ => return None,
    })
}

fn flags(mode: CreateMode) -> i32 {
    match mode {
        CreateMode::Persistent { sequential: false } => 0,
        CreateMode::Ephemeral { sequential: false } => 1,
        CreateMode::Persistent { sequential: true } => 2,
        CreateMode::Ephemeral { sequential: true } => 3,
        CreateMode::Container => 4,
        CreateMode::Ttl { sequential: false, .. } => 5,
        CreateMode::Ttl { sequential: true, .. } => 6,
    }
}
