//! The small map's commands as bytes.

use crate::machine::{Bare, Change, Command, Map};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use consensus::{Entry, EntryKind, Position};
use replica::{Codec, Decoded, RequestId, Undecodable};

/// Command ⇄ bytes:
///
/// ```text
/// op: 8 | kind: 1 | key: 2 | old: 8 | new: 8 | length of ballast: 2 | ballast
/// ```
#[derive(Clone, Copy, Debug)]
pub(crate) struct MapCodec;

/// Bytes before the ballast.
const FIXED: usize = 29;

impl MapCodec {
    pub(crate) fn write(command: &Command) -> Bytes {
        let mut bytes = BytesMut::with_capacity(FIXED + usize::from(command.ballast));
        bytes.put_u64(command.op);
        let (kind, old, new) = match command.change {
            Change::Put(new) => (0, 0, new),
            Change::CompareAndSwap { old, new } => (1, old, new),
        };
        bytes.put_u8(kind);
        bytes.put_u16(command.key);
        bytes.put_u64(old);
        bytes.put_u64(new);
        bytes.put_u16(command.ballast);
        bytes.put_bytes(command.op as u8, usize::from(command.ballast));
        bytes.freeze()
    }

    pub(crate) fn read(data: &[u8]) -> Result<Command, Undecodable> {
        let wrong = |why: &str| Undecodable(format!("not a command of the map: {why}"));
        let mut rest = data;
        if rest.len() < FIXED {
            return Err(wrong("too short"));
        }
        let (op, kind, key) = (rest.get_u64(), rest.get_u8(), rest.get_u16());
        let (old, new, ballast) = (rest.get_u64(), rest.get_u64(), rest.get_u16());
        if rest.len() != usize::from(ballast) || rest.iter().any(|&byte| byte != op as u8) {
            return Err(wrong("its ballast shifted"));
        }
        let change = match kind {
            0 => Change::Put(new),
            1 => Change::CompareAndSwap { old, new },
            _ => return Err(wrong("unknown kind")),
        };
        Ok(Command { op, key, change, ballast, at: Position::ZERO })
    }
}

/// The number of the operation that an entry carries; 0 if none.
pub(crate) fn op_of(entry: &Entry) -> u64 {
    match entry.kind {
        EntryKind::Command if entry.data.len() >= FIXED => (&entry.data[..]).get_u64(),
        _ => 0,
    }
}

impl Codec for MapCodec {
    type Machine = Map<Bare>;

    fn id(&mut self, request: &Command) -> RequestId {
        RequestId(u128::from(request.op))
    }

    fn encode_request(&self, _id: RequestId, request: &Command) -> Bytes {
        MapCodec::write(request)
    }

    fn decode_request(&self, data: &Bytes) -> Result<(RequestId, Command), Undecodable> {
        let command = MapCodec::read(data)?;
        Ok((RequestId(u128::from(command.op)), command))
    }

    fn encode(&self, _id: RequestId, _command: &Command, request: Bytes) -> Bytes {
        request
    }

    fn decode(&self, entry: &Entry) -> Result<Decoded<Command>, Undecodable> {
        if entry.kind == EntryKind::Configuration || entry.data.is_empty() {
            return Ok(Decoded { id: None, command: None });
        }
        let command = MapCodec::read(&entry.data)?;
        Ok(Decoded { id: Some(RequestId(u128::from(command.op))), command: Some(command) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_survives_its_bytes() {
        let command =
            Command { op: 300, key: 7, change: Change::CompareAndSwap { old: 1, new: 2 }, ballast: 5, at: Position::ZERO };
        let bytes = MapCodec::write(&command);
        assert_eq!(MapCodec::read(&bytes), Ok(command));
        assert!(MapCodec::read(&bytes.slice(..bytes.len() - 1)).is_err());
    }
}
