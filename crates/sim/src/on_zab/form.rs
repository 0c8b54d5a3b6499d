//! The map in ZooKeeper's clothes: snapshots and transactions that ZooKeeper's own files can hold.

use crate::codec::MapCodec;
use crate::machine::Command;
use crate::machine::{Content, Cursor, Form, Map, wrong};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use consensus::{Entry, Position, RestoreError};
use replica::{Codec, Decoded, RequestId, Undecodable};
use std::collections::BTreeMap;

/// A snapshot as ZooKeeper's files keep it: no sessions, no ACLs, and a tree of one level.
///
/// ```text
/// zxid: 8 | sessions: 4 (none) | ACLs: 4 (none)
/// node ""        data: the digest
/// node "/rNNNNN" data: the value        for each register
/// "/"                                   the end
/// ```
#[derive(Debug)]
pub(crate) struct Tree;

/// Bytes of a node's ACL and of its counters.
const STAT: usize = 8 + 60;
/// Bytes of a register's path.
const PATH: usize = 7;

fn node(path: &[u8], data: u64, chunk: &mut BytesMut) {
    chunk.put_u32(path.len() as u32);
    chunk.put_slice(path);
    chunk.put_u32(8);
    chunk.put_u64(data);
    chunk.put_i64(-1);
    chunk.put_bytes(0, STAT - 8);
}

impl Form for Tree {
    const REGISTER: usize = 4 + PATH + 4 + 8 + STAT;

    fn head(cursor: &Cursor, chunk: &mut BytesMut) {
        chunk.put_u64(cursor.applied.zxid());
        chunk.put_u32(0);
        chunk.put_u32(0);
        node(b"", cursor.digest, chunk);
    }

    fn register(_cursor: &Cursor, key: u16, value: u64, chunk: &mut BytesMut) {
        node(format!("/r{key:05}").as_bytes(), value, chunk);
    }

    fn end(chunk: &mut BytesMut) {
        chunk.put_u32(1);
        chunk.put_u8(b'/');
    }

    fn read(whole: Bytes) -> Result<Content, RestoreError> {
        let length = whole.len();
        let mut rest = whole;
        if rest.len() < 16 {
            return Err(wrong(length, "a zxid, sessions and ACLs"));
        }
        let applied = Position::from_zxid(rest.get_u64());
        if (rest.get_u32(), rest.get_u32()) != (0, 0) {
            return Err(wrong(8, "neither sessions nor ACLs"));
        }
        let (mut digest, mut registers) = (0, BTreeMap::new());
        loop {
            let at = length - rest.len();
            let path = buffer(&mut rest).ok_or_else(|| wrong(at, "a path"))?;
            if path == b"/"[..] {
                return Ok(Content { applied, digest, registers });
            }
            let data = buffer(&mut rest).filter(|data| data.len() == 8 && rest.len() >= STAT);
            let value = data.ok_or_else(|| wrong(at, "a node with eight bytes of data"))?.get_u64();
            rest.advance(STAT);
            match path.strip_prefix(b"/r").and_then(|key| std::str::from_utf8(key).ok()?.parse().ok()) {
                Some(key) => drop(registers.insert(key, value)),
                None => digest = value,
            }
        }
    }
}

fn buffer(rest: &mut Bytes) -> Option<Bytes> {
    let length = (rest.len() >= 4).then(|| rest.get_u32() as usize)?;
    (rest.len() >= length).then(|| rest.split_to(length))
}

/// Commands as transactions: the header that ZooKeeper's log looks into, then the map's own bytes.
///
/// ```text
/// session: 8 | cxid: 4 | zxid: 8 | time: 8 | type: 4 | command
/// ```
#[derive(Clone, Copy, Debug)]
pub(crate) struct TxnCodec;

/// Bytes of a transaction's header.
const HEADER: usize = 32;
/// setData.
const TYPE: u32 = 5;

impl TxnCodec {
    fn read(data: &Bytes) -> Result<(Position, Command), Undecodable> {
        if data.len() < HEADER {
            return Err(Undecodable("no transaction: too short".into()));
        }
        let zxid = (&data[12..20]).get_u64();
        Ok((Position::from_zxid(zxid), MapCodec::read(&data[HEADER..])?))
    }
}

/// The number of the operation that an entry carries; 0 if none.
pub(super) fn op_of(entry: &Entry) -> u64 {
    entry.data.first_chunk().map_or(0, |session| u64::from_be_bytes(*session))
}

impl Codec for TxnCodec {
    type Machine = Map<Tree>;

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

    fn encode(&self, _id: RequestId, command: &Command, request: Bytes) -> Bytes {
        let mut bytes = BytesMut::with_capacity(HEADER + request.len());
        bytes.put_u64(command.op);
        bytes.put_u32(0);
        bytes.put_u64(command.at.zxid());
        bytes.put_u64(0);
        bytes.put_u32(TYPE);
        bytes.extend_from_slice(&request);
        bytes.freeze()
    }

    fn decode(&self, entry: &Entry) -> Result<Decoded<Command>, Undecodable> {
        let (position, command) = TxnCodec::read(&entry.data)?;
        if position != entry.position {
            return Err(Undecodable(format!("the transaction at {} says that it stands at {position}", entry.position)));
        }
        Ok(Decoded { id: Some(RequestId(u128::from(command.op))), command: Some(command) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Change, Face};
    use consensus::{Restore, StateMachine};

    #[test]
    fn a_map_survives_zookeepers_clothes() {
        let mut map = Map::<Tree>::new();
        for op in 1..=30 {
            let command = Command { op, key: op as u16, change: Change::Put(op * 7), ballast: 0, at: Position::new(3, op) };
            map.apply(command.at, command, &mut Vec::new());
        }
        let mut cursor = map.begin_snapshot();
        let chunks: Vec<Bytes> = std::iter::from_fn(|| map.snapshot_chunk(&mut cursor, 300)).collect();
        assert!(chunks.len() > 5);
        let restored = Map::<Tree>::restore(&mut chunks.into_iter()).unwrap();
        assert_eq!((restored.applied(), restored.digest(), restored.read(4)), (map.applied(), map.digest(), map.read(4)));
    }

    #[test]
    fn a_transaction_says_where_it_stands() {
        let command = Command { op: 9, key: 1, change: Change::Put(5), ballast: 3, at: Position::new(2, 7) };
        let request = TxnCodec.encode_request(RequestId(9), &command);
        let entry = |position| Entry {
            position,
            kind: consensus::EntryKind::Command,
            data: TxnCodec.encode(RequestId(9), &command, request.clone()),
        };
        assert!(TxnCodec.decode(&entry(Position::new(2, 7))).is_ok());
        assert!(TxnCodec.decode(&entry(Position::new(2, 8))).is_err());
        assert_eq!(op_of(&entry(Position::new(2, 7))), 9);
    }
}
