//! Short words for requests, and a machine that counts its own positions.

use bytes::Bytes;
use consensus::{Position, StateMachine};
use keyspace::{
    Answer, Command, CompactRequest, Compare, DeleteRangeAnswer, DeleteRangeRequest, KeyspaceError, LeaseGrantRequest, Op,
    Operand, PutAnswer, PutRequest, Query, RangeAnswer, RangeRequest, Relation, Response, TxnAnswer, TxnRequest,
};

pub(crate) fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

pub(crate) fn put(key: &str, value: &str) -> PutRequest {
    PutRequest { key: bytes(key), value: bytes(value), ..PutRequest::default() }
}

pub(crate) fn delete(key: &str, range_end: &str) -> DeleteRangeRequest {
    DeleteRangeRequest { key: bytes(key), range_end: bytes(range_end), prev_kv: false }
}

pub(crate) fn range(key: &str, range_end: &str) -> RangeRequest {
    RangeRequest { key: bytes(key), range_end: bytes(range_end), ..RangeRequest::default() }
}

/// All keys.
pub(crate) fn all() -> RangeRequest {
    range("\0", "\0")
}

pub(crate) fn compare(key: &str, operand: Operand, relation: Relation) -> Compare {
    Compare { key: bytes(key), range_end: Bytes::new(), relation, operand }
}

pub(crate) fn txn(compare: Vec<Compare>, success: Vec<Op>, failure: Vec<Op>) -> TxnRequest {
    TxnRequest { compare, success, failure }
}

/// A machine under test.
#[derive(Default)]
pub(crate) struct Machine {
    pub(crate) keyspace: keyspace::Keyspace,
}

impl Machine {
    pub(crate) fn apply(&mut self, command: Command) -> Response {
        let Position { epoch, index } = self.keyspace.applied();
        self.keyspace.apply(Position::new(epoch, index + 1), command, &mut Vec::new())
    }

    pub(crate) fn put(&mut self, request: PutRequest) -> Result<PutAnswer, KeyspaceError> {
        match self.apply(Command::Put(request))? {
            Answer::Put(answer) => Ok(answer),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn delete(&mut self, request: DeleteRangeRequest) -> DeleteRangeAnswer {
        match self.apply(Command::DeleteRange(request)) {
            Ok(Answer::DeleteRange(answer)) => answer,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn txn(&mut self, request: TxnRequest) -> Result<TxnAnswer, KeyspaceError> {
        match self.apply(Command::Txn(request))? {
            Answer::Txn(answer) => Ok(answer),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn compact(&mut self, revision: i64) -> Result<i64, KeyspaceError> {
        match self.apply(Command::Compact(CompactRequest { revision, physical: false }))? {
            Answer::Compact { revision } => Ok(revision),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn grant(&mut self, id: i64, ttl: i64) -> Result<i64, KeyspaceError> {
        match self.apply(Command::LeaseGrant(LeaseGrantRequest { id, ttl }))? {
            Answer::LeaseGrant { ttl, .. } => Ok(ttl),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn range(&self, request: RangeRequest) -> Result<RangeAnswer, KeyspaceError> {
        match self.keyspace.read(Query::Range(request))? {
            Answer::Range(answer) => Ok(answer),
            other => panic!("{other:?}"),
        }
    }

    /// The keys that a range finds, in its order.
    pub(crate) fn keys(&self, request: RangeRequest) -> String {
        keys(&self.range(request).unwrap())
    }

    /// The value of a key, as of a revision; 0: now.
    pub(crate) fn value(&self, key: &str, revision: i64) -> Option<String> {
        let answer = self.range(RangeRequest { revision, ..range(key, "") }).unwrap();
        answer.kvs.first().map(|kv| String::from_utf8(kv.value.to_vec()).unwrap())
    }
}

pub(crate) fn keys(answer: &RangeAnswer) -> String {
    let keys: Vec<_> = answer.kvs.iter().map(|kv| str::from_utf8(&kv.key).unwrap()).collect();
    keys.join(" ")
}
