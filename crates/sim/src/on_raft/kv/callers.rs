//! Clients who send transactions, puts and deletions, compact, and read what was and what is.

use super::turn::Errand;
use super::{Land, Who};
use bytes::{BufMut, Bytes, BytesMut};
use consensus::{Chance, Instant};
use keyspace::{
    Answer, Command, CompactRequest, Compare, DeleteRangeRequest, Op, Operand, PutRequest, Query, RangeRequest, Relation,
    Response, TxnRequest,
};
use std::time::Duration;

/// One of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Caller {
    /// What it waits for, and since when.
    waits: Option<(u64, Instant)>,
    /// The newest revision that it was told of.
    seen: i64,
}

/// It asks for something else after this.
const PATIENCE: Duration = Duration::from_secs(3);
/// So many keys there are to write to.
const KEYS: u64 = 8;

/// What one of them does next.
enum Wish {
    Write(Command),
    Read(RangeRequest),
}

impl Land {
    pub(super) fn on_caller(&mut self, who: usize) {
        self.soon(Errand::Call(who));
        let waits = self.company.callers[who].waits.is_some_and(|(_, since)| self.now.since(since) < PATIENCE);
        if self.quiet || waits {
            return;
        }
        let Some(member) = self.somebody() else { return };
        let seen = self.company.callers[who].seen;
        let leases: Vec<i64> = self.company.chronicle.borrow().model.leases.keys().copied().collect();
        let wish = wish(&mut self.company.chance, seen, &leases);
        let since = self.now;
        // It may be answered at once.
        self.company.callers[who].waits = None;
        let token = match wish {
            Wish::Write(command) => self.ask_for(member, Who::Caller(who), command),
            Wish::Read(range) => {
                let looks = range.serializable;
                self.query(member, Who::Caller(who), Query::Range(range), looks)
            }
        };
        if self.company.asked.contains_key(&token) {
            self.company.callers[who].waits = Some((token, since));
        }
    }

    pub(super) fn tell_caller(&mut self, who: usize, token: u64, answer: &replica::Answer<Response>) {
        let caller = &mut self.company.callers[who];
        if caller.waits.is_some_and(|(waits, _)| waits == token) {
            caller.waits = None;
        }
        if let replica::Answer::Applied(_, Ok(answer)) | replica::Answer::Read(_, Ok(answer)) = answer {
            caller.seen = caller.seen.max(revision(answer));
        }
    }
}

fn revision(answer: &Answer) -> i64 {
    match answer {
        Answer::Put(put) => put.revision,
        Answer::DeleteRange(delete) => delete.revision,
        Answer::Txn(txn) => txn.revision,
        Answer::Range(range) => range.revision,
        Answer::Compact { revision } => *revision,
        _ => 0,
    }
}

fn wish(chance: &mut Chance, seen: i64, leases: &[i64]) -> Wish {
    match chance.below(100) {
        0..35 => Wish::Write(Command::Txn(txn(chance, seen, leases))),
        35..55 => {
            let key = key(chance);
            Wish::Write(Command::Put(put(chance, key, leases)))
        }
        55..63 => {
            let (key, range_end) = span(chance);
            Wish::Write(Command::DeleteRange(DeleteRangeRequest { key, range_end, prev_kv: chance.one_in(1, 2) }))
        }
        63..70 if seen > 1 => {
            let back = [0, 3, 20, 100][chance.below(4) as usize];
            // Others may have written meanwhile: the nearer to the newest, the more there is that watchers have not heard of yet.
            let ahead = [0, 1, 3, 10][chance.below(4) as usize];
            let revision = (seen + chance.below(ahead + 1) as i64 - chance.below(back + 1) as i64).max(1);
            Wish::Write(Command::Compact(CompactRequest { revision, physical: false }))
        }
        _ => Wish::Read(RangeRequest { serializable: chance.one_in(1, 2), ..range(chance, seen) }),
    }
}

pub(super) fn key(chance: &mut Chance) -> Bytes {
    format!("t/{}", chance.below(KEYS)).into()
}

fn span(chance: &mut Chance) -> (Bytes, Bytes) {
    let key = key(chance);
    match chance.below(3) {
        0 => (key, Bytes::new()),
        1 => (key, Bytes::from_static(b"t/6")),
        _ => (key, Bytes::from_static(b"t0")),
    }
}

fn put(chance: &mut Chance, key: Bytes, leases: &[i64]) -> PutRequest {
    let mut value = BytesMut::new();
    value.put_u64(chance.draw());
    let ballast = [0, 40, 400][chance.below(3) as usize];
    value.put_bytes(b'.', ballast);
    let lease = match chance.below(8) {
        0 if !leases.is_empty() => leases[chance.below(leases.len() as u64) as usize],
        // One that there is not.
        1 => 7,
        _ => 0,
    };
    PutRequest { key, value: value.freeze(), lease, prev_kv: chance.one_in(1, 2), ..PutRequest::default() }
}

fn range(chance: &mut Chance, seen: i64) -> RangeRequest {
    let (key, range_end) = if chance.one_in(1, 4) {
        // All registers, and what lies beside them.
        (Bytes::from_static(b"r"), Bytes::from_static(b"t"))
    } else {
        span(chance)
    };
    let revision = match chance.below(4) {
        0 => (seen - chance.below(40) as i64).max(0),
        1 if chance.one_in(1, 4) => seen + chance.below(40) as i64,
        _ => 0,
    };
    RangeRequest {
        key,
        range_end,
        revision,
        limit: if chance.one_in(1, 4) { 1 + chance.below(4) as i64 } else { 0 },
        keys_only: chance.one_in(1, 8),
        count_only: chance.one_in(1, 8),
        ..RangeRequest::default()
    }
}

fn txn(chance: &mut Chance, seen: i64, leases: &[i64]) -> TxnRequest {
    let compare = (0..chance.below(3)).map(|_| compare(chance, seen, leases)).collect();
    TxnRequest { compare, success: steps(chance, seen, leases), failure: steps(chance, seen, leases) }
}

fn compare(chance: &mut Chance, seen: i64, leases: &[i64]) -> Compare {
    let operand = match chance.below(5) {
        0 => Operand::Version(chance.below(4) as i64),
        1 => Operand::Create((seen - chance.below(20) as i64).max(0)),
        2 => Operand::Mod((seen - chance.below(20) as i64).max(0)),
        3 => Operand::Lease(leases.first().copied().unwrap_or(0)),
        _ => Operand::Value(Bytes::from_static(b"m")),
    };
    let relation = [Relation::Equal, Relation::NotEqual, Relation::Less, Relation::Greater][chance.below(4) as usize];
    Compare { key: key(chance), range_end: Bytes::new(), relation, operand }
}

/// Some steps, none of which writes what another does: etcd refuses those before they come to the log.
fn steps(chance: &mut Chance, seen: i64, leases: &[i64]) -> Vec<Op> {
    let first = chance.below(KEYS);
    (0..chance.below(4))
        .map(|step| {
            let key: Bytes = format!("t/{}", (first + step) % KEYS).into();
            match chance.below(4) {
                0 => Op::Range(range(chance, seen)),
                1 => Op::DeleteRange(DeleteRangeRequest { key, range_end: Bytes::new(), prev_kv: chance.one_in(1, 2) }),
                _ => Op::Put(put(chance, key, leases)),
            }
        })
        .collect()
}
