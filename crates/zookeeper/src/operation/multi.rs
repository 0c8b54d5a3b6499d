//! Several operations in one request.
//!
//! ```text
//! │ type: int │ done: false │ err: int −1 │ record │ type │ done │ err │ record │ … │ type −1 │ done: true │ err −1 │
//! ```

use super::{Read, query, write};
use crate::jute::{Reader, Writer};
use crate::{Malformed, opcode};
use znodes::{Op, ReadOp};

/// What stands before each operation, before each result, and at the end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct MultiHeader {
    pub(crate) kind: i32,
    pub(crate) done: bool,
    pub(crate) err: i32,
}

impl MultiHeader {
    /// The end.
    pub(crate) const END: MultiHeader = MultiHeader { kind: -1, done: true, err: -1 };

    /// Before an operation.
    fn of(kind: i32) -> MultiHeader {
        MultiHeader { kind, done: false, err: -1 }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Read<MultiHeader> {
        Ok(MultiHeader { kind: reader.int()?, done: reader.bool()?, err: reader.int()? })
    }

    pub(crate) fn write(self, writer: &mut Writer) {
        writer.int(self.kind);
        writer.bool(self.done);
        writer.int(self.err);
    }
}

/// The operations of a multi. One that is not allowed in it spoils them all (Java: `MultiOperationRecord.deserialize`).
pub(super) fn read_writes(reader: &mut Reader<'_>) -> Read<Op> {
    let ops = each(reader, |kind, reader| match kind {
        opcode::CREATE
        | opcode::CREATE2
        | opcode::CREATE_CONTAINER
        | opcode::CREATE_TTL
        | opcode::DELETE
        | opcode::SET_DATA
        | opcode::CHECK => match write::single(kind, reader) {
            Some(Ok(Op::Refused { .. })) | None => None,
            read => read,
        },
        _ => None,
    })?;
    Ok(Op::Multi(ops))
}

/// The operations of a multiRead.
pub(super) fn read_queries(reader: &mut Reader<'_>) -> Read<ReadOp> {
    let ops = each(reader, |kind, reader| match kind {
        opcode::GET_DATA | opcode::GET_CHILDREN => Some(query::single(kind, reader)?.map(|(op, _watch)| op)),
        _ => None,
    })?;
    Ok(ReadOp::MultiRead(ops))
}

pub(super) fn write_writes(ops: &[Op], writer: &mut Writer) {
    for op in ops {
        MultiHeader::of(write::number_of(op)).write(writer);
        write::write_write(op, writer);
    }
    MultiHeader::END.write(writer);
}

pub(super) fn write_queries(ops: &[ReadOp], writer: &mut Writer) {
    for op in ops {
        // Of getChildren and getChildren2 only the former may stand here.
        MultiHeader::of(query::number_of_query(op, false)).write(writer);
        query::write_query(op, false, writer);
    }
    MultiHeader::END.write(writer);
}

fn each<T>(reader: &mut Reader<'_>, mut one: impl FnMut(i32, &mut Reader<'_>) -> Option<Read<T>>) -> Read<Vec<T>> {
    let mut ops = Vec::new();
    loop {
        let offset = reader.offset();
        let header = MultiHeader::read(reader)?;
        if header.done {
            return Ok(ops);
        }
        match one(header.kind, reader) {
            Some(op) => ops.push(op?),
            None => return Err(Malformed::number(offset, "an operation that may be part of this", header.kind.into())),
        }
    }
}
