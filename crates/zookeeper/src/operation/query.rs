//! Reads.

use super::{Read, multi};
use crate::jute::{Reader, Writer};
use crate::opcode;
use znodes::ReadOp;

/// The read `number`, and whether it leaves a watch. `None` if there is no such read.
pub(crate) fn read_query(number: i32, reader: &mut Reader<'_>) -> Option<Read<(ReadOp, bool)>> {
    match number {
        opcode::MULTI_READ => Some(multi::read_queries(reader).map(|op| (op, false))),
        _ => single(number, reader),
    }
}

/// A read that is not several.
pub(super) fn single(number: i32, reader: &mut Reader<'_>) -> Option<Read<(ReadOp, bool)>> {
    Some(match number {
        opcode::EXISTS => watchable(reader, |path| ReadOp::Exists { path }),
        opcode::GET_DATA => watchable(reader, |path| ReadOp::GetData { path }),
        opcode::GET_CHILDREN | opcode::GET_CHILDREN2 => watchable(reader, |path| ReadOp::GetChildren { path }),
        opcode::GET_ACL => plain(reader, |path| ReadOp::GetAcl { path }),
        opcode::GET_ALL_CHILDREN_NUMBER => plain(reader, |path| ReadOp::GetAllChildrenNumber { path }),
        opcode::SYNC => plain(reader, |path| ReadOp::Sync { path }),
        // No prefix is every prefix.
        opcode::GET_EPHEMERALS => {
            reader.string().map(|prefix| (ReadOp::GetEphemerals { prefix: prefix.unwrap_or_default() }, false))
        }
        opcode::WHO_AM_I => Ok((ReadOp::WhoAmI, false)),
        _ => return None,
    })
}

/// The number of a read. `with_stat` chooses getChildren2.
pub(crate) fn number_of_query(op: &ReadOp, with_stat: bool) -> i32 {
    match op {
        ReadOp::Exists { .. } => opcode::EXISTS,
        ReadOp::GetData { .. } => opcode::GET_DATA,
        ReadOp::GetAcl { .. } => opcode::GET_ACL,
        ReadOp::GetChildren { .. } if with_stat => opcode::GET_CHILDREN2,
        ReadOp::GetChildren { .. } => opcode::GET_CHILDREN,
        ReadOp::GetAllChildrenNumber { .. } => opcode::GET_ALL_CHILDREN_NUMBER,
        ReadOp::GetEphemerals { .. } => opcode::GET_EPHEMERALS,
        ReadOp::WhoAmI => opcode::WHO_AM_I,
        ReadOp::Sync { .. } => opcode::SYNC,
        ReadOp::MultiRead(_) => opcode::MULTI_READ,
    }
}

/// A read's record.
pub(crate) fn write_query(op: &ReadOp, watch: bool, writer: &mut Writer) {
    match op {
        ReadOp::Exists { path } | ReadOp::GetData { path } | ReadOp::GetChildren { path } => {
            writer.string(path);
            writer.bool(watch);
        }
        ReadOp::GetAcl { path } | ReadOp::GetAllChildrenNumber { path } | ReadOp::Sync { path } => writer.string(path),
        ReadOp::GetEphemerals { prefix } => writer.string(prefix),
        ReadOp::WhoAmI => {}
        ReadOp::MultiRead(ops) => multi::write_queries(ops, writer),
    }
}

fn watchable(reader: &mut Reader<'_>, op: impl FnOnce(String) -> ReadOp) -> Read<(ReadOp, bool)> {
    Ok((op(reader.text("a path")?), reader.bool()?))
}

fn plain(reader: &mut Reader<'_>, op: impl FnOnce(String) -> ReadOp) -> Read<(ReadOp, bool)> {
    Ok((op(reader.text("a path")?), false))
}
