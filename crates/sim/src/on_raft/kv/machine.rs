//! etcd's keyspace above Raft, under observation.

use super::audit::Audit;
use super::chronicle::{Chronicle, SharedChronicle};
use crate::disk::SimDisk;
use crate::machine::{Change, Command as Wish, Face, Told, Witness, mix};
use bytes::{BufMut, Bytes, BytesMut};
use consensus::{Instant, NodeId, Position, StateMachine, Wall};
use etcd::request_id::RequestIds;
use keyspace::{
    Answer, Command, Compare, Op, Operand, PutRequest, Query, RangeRequest, Relation, Response, Revision, TxnRequest, Values,
};
use std::convert::Infallible;
use std::rc::Rc;

/// A command, and the id of the request that it came from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Ask {
    pub(crate) id: u64,
    pub(crate) command: Command,
}

/// Whoever compares digests at every entry does nothing else.
const DIGEST_EVERY: u64 = 32;

/// The keyspace of a member.
pub(crate) struct Keys {
    pub(super) inner: storage::Machine<SimDisk>,
    member: usize,
    witness: Option<Rc<dyn Witness>>,
    chronicle: SharedChronicle,
    now: Instant,
    /// For what time brings about.
    ids: Option<RequestIds>,
    audit: Audit,
}

impl Keys {
    pub(super) fn new(inner: storage::Machine<SimDisk>) -> Keys {
        Keys {
            inner,
            member: 0,
            witness: None,
            chronicle: SharedChronicle::default(),
            now: Instant::ZERO,
            ids: None,
            audit: Audit::default(),
        }
    }

    /// From now on the chronicle hears of everything that is applied, too.
    pub(super) fn tell(&mut self, chronicle: SharedChronicle) {
        self.chronicle = chronicle;
    }

    /// Whether what it says counts: not once its file could not be read.
    fn is_whole(&self) -> bool {
        self.inner.values().fault().is_none()
    }

    fn with_chronicle(&self, look: impl FnOnce(&mut Chronicle)) {
        if self.is_whole() {
            look(&mut self.chronicle.borrow_mut());
        }
    }

    fn term(&self) -> u64 {
        self.witness.as_ref().map_or(0, |witness| witness.epoch(self.member))
    }

    fn time(&self) -> Instant {
        self.witness.as_ref().map_or(Instant::ZERO, |witness| witness.time())
    }

    fn full_digest(&self) -> u64 {
        let status = self.inner.status();
        let mut digest = mix(mix(1, status.revision as u64), status.compacted as u64);
        digest = mix(digest, status.keys);
        if let Ok(Answer::HashKv(hash)) = self.inner.read(Query::HashKv { revision: 0 }) {
            digest = mix(mix(digest, u64::from(hash.hash)), hash.hash_revision as u64);
        }
        if let Ok(Answer::Leases { mut ids, .. }) = self.inner.read(Query::Leases) {
            // A leader names first what ends first.
            ids.sort_unstable();
            for id in ids {
                let Ok(Answer::Lease { lease: Some(lease), .. }) = self.inner.read(Query::Lease { id, keys: true }) else {
                    continue;
                };
                digest = mix(mix(mix(digest, id as u64), lease.granted_ttl as u64), lease.remaining_ttl as u64);
                let bytes = lease.keys.iter().flat_map(|key| key.iter());
                digest = bytes.fold(digest, |digest, &byte| mix(digest, u64::from(byte)));
            }
        }
        digest
    }
}

/// Operations of the clients of registers have numbers below this; what others ask, ids above.
const OPERATIONS: u64 = 1 << 40;

/// The number of the operation that a request's id is; 0 if it is none.
pub(super) fn op_of(id: u64) -> u64 {
    if id < OPERATIONS { id } else { 0 }
}

impl Face for Keys {
    const SWAPS: bool = true;

    fn watch(&mut self, member: usize, witness: Rc<dyn Witness>) {
        self.member = member;
        self.witness = Some(witness);
    }

    fn digest(&self) -> Option<u64> {
        if self.inner.applied() == Position::ZERO {
            return Some(0);
        }
        let digest = self.full_digest();
        self.is_whole().then_some(digest)
    }

    /// A register is a key. Ballast, if there is any, lies under another key, so that values can be compared; both are written in one
    /// transaction.
    fn request(_member: usize, wish: Wish) -> Ask {
        let key = register(wish.key);
        let read = || Op::Range(RangeRequest { key: key.clone(), ..RangeRequest::default() });
        let put = |value: u64| PutRequest { key: key.clone(), value: number(value), prev_kv: true, ..PutRequest::default() };
        let mut ballast = BytesMut::new();
        ballast.put_bytes(wish.op as u8, usize::from(wish.ballast));
        let beside = Op::Put(PutRequest { key: beside(wish.key), value: ballast.freeze(), ..PutRequest::default() });
        let command = match wish.change {
            Change::Put(new) if wish.ballast == 0 => Command::Put(put(new)),
            Change::Put(new) => {
                let success = vec![read(), Op::Put(put(new)), beside];
                Command::Txn(TxnRequest { success, ..TxnRequest::default() })
            }
            Change::CompareAndSwap { old, new } => Command::Txn(TxnRequest {
                compare: vec![Compare {
                    key: key.clone(),
                    range_end: Bytes::new(),
                    relation: Relation::Equal,
                    // What was never written holds 0, and no value compares with what does not exist.
                    operand: if old == 0 { Operand::Create(0) } else { Operand::Value(number(old)) },
                }],
                success: vec![read(), Op::Put(put(new)), beside],
                failure: vec![read()],
            }),
        };
        Ask { id: wish.op, command }
    }

    fn query(_member: usize, key: u16) -> Query {
        Query::Range(RangeRequest { key: register(key), ..RangeRequest::default() })
    }

    fn told(response: &Response) -> Result<Told, String> {
        let held = match response {
            Ok(Answer::Put(put)) => put.prev_kv.as_ref().map_or(Some(0), |kv| value(&kv.value)),
            Ok(Answer::Range(range)) => range.kvs.first().map_or(Some(0), |kv| value(&kv.value)),
            Ok(Answer::Txn(txn)) => match txn.responses.first() {
                Some(keyspace::OpAnswer::Range(range)) => range.kvs.first().map_or(Some(0), |kv| value(&kv.value)),
                _ => None,
            },
            _ => None,
        };
        held.map(|held| Told { held: Some(held), version: None }).ok_or_else(|| format!("{response:?}"))
    }
}

fn register(key: u16) -> Bytes {
    format!("r/{key:05}").into()
}

fn beside(key: u16) -> Bytes {
    format!("s/{key:05}").into()
}

fn number(value: u64) -> Bytes {
    Bytes::copy_from_slice(&value.to_be_bytes())
}

fn value(bytes: &[u8]) -> Option<u64> {
    bytes.try_into().ok().map(u64::from_be_bytes)
}

impl StateMachine for Keys {
    type Request = Ask;
    type Command = Ask;
    type Query = Query;
    type Response = Response;
    type Event = Infallible;
    type Cursor = keyspace::Cursor;

    fn tell_time(&mut self, now: Instant, wall: Wall) {
        if let Some(what) = self.audit.overdue(self.now) {
            self.with_chronicle(|chronicle| chronicle.violate_time(what));
        }
        self.now = now;
        self.inner.tell_time(now, wall);
    }

    fn prepare(&mut self, next: Position, wall: Wall, from: NodeId, request: Ask) -> Ask {
        if let Command::LeaseRevoke { id } = request.command {
            self.audit.revoking(id);
        }
        let command = self.inner.prepare(next, wall, from, request.command);
        Ask { id: request.id, command }
    }

    fn abandon(&mut self) {
        self.audit.abandon();
        self.inner.abandon();
    }

    fn apply(&mut self, position: Position, Ask { id, command }: Ask, events: &mut Vec<Infallible>) -> Response {
        let before = self.inner.revision();
        let response = self.inner.apply(position, command.clone(), events);
        let after = self.inner.revision();
        let changes = if after > before { self.inner.values().scan(Revision::new(before + 1, 0)).collect() } else { Vec::new() };
        self.audit.applied(self.now, &command, &response);
        let time = self.time();
        self.with_chronicle(|chronicle| chronicle.applied(self.member, time, position, id, &command, &response, &changes));
        if let Some(witness) = &self.witness {
            let digest = if position.index.is_multiple_of(DIGEST_EVERY) { self.digest() } else { None };
            witness.applied(self.member, position, op_of(id), digest);
        }
        response
    }

    fn skip(&mut self, position: Position) {
        self.inner.skip(position);
        self.with_chronicle(|chronicle| chronicle.skipped(position));
        if let Some(witness) = &self.witness {
            witness.applied(self.member, position, 0, None);
        }
    }

    fn applied(&self) -> Position {
        self.inner.applied()
    }

    fn read(&self, query: Query) -> Response {
        self.inner.read(query)
    }

    fn attend(&mut self, query: Query) -> Response {
        let renews = if let Query::LeaseRenew { id } = query { Some(id) } else { None };
        let response = self.inner.attend(query);
        if let (Some(id), Ok(Answer::LeaseRenewal(keyspace::Renewal::Renewed { ttl, .. }))) = (renews, &response) {
            self.audit.renewed(self.now, id, *ttl);
        }
        response
    }

    fn lead(&mut self, now: Instant) {
        self.inner.lead(now);
        if let Some(what) = self.audit.lead(now, &self.inner) {
            self.with_chronicle(|chronicle| chronicle.violate_time(what));
        }
        self.with_chronicle(Chronicle::count_lead);
    }

    fn deadline(&self) -> Instant {
        self.inner.deadline()
    }

    fn due(&mut self, now: Instant) -> Vec<Ask> {
        let due = self.inner.due(now);
        let member = NodeId(self.member as u64 + 1);
        let (term, time) = (self.term(), self.time());
        let mut asks = Vec::new();
        for command in due {
            if let Some(what) = self.audit.decided(now, &command) {
                self.with_chronicle(|chronicle| chronicle.violate_early(what));
            }
            let ids = self.ids.get_or_insert_with(|| RequestIds::new(member, now.since(Instant::ZERO)));
            let id = ids.next_request();
            self.with_chronicle(|chronicle| chronicle.decided(id, term, time));
            asks.push(Ask { id, command });
        }
        asks
    }

    fn begin_snapshot(&mut self) -> keyspace::Cursor {
        self.inner.begin_snapshot()
    }

    fn snapshot_chunk(&self, cursor: &mut keyspace::Cursor, budget: usize) -> Option<Bytes> {
        self.inner.snapshot_chunk(cursor, budget)
    }

    fn end_snapshot(&mut self, cursor: keyspace::Cursor) {
        self.inner.end_snapshot(cursor);
    }
}
