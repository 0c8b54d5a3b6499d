//! Commands for a keyspace, and all that can be asked of one.

#![allow(dead_code, reason = "each test program uses a part")]

use bytes::Bytes;
use consensus::{Chance, Position, StateMachine};
use keyspace::{
    Answer, Command, CompactRequest, DeleteRangeRequest, Keyspace, LeaseCheckpoint, LeaseGrantRequest, Member, MemberChange, Op,
    PutRequest, Query, RangeRequest, Response, TxnRequest, Values,
};

fn key(chance: &mut Chance) -> Bytes {
    Bytes::from(format!("/registry/{:02}", chance.below(40)))
}

fn put(chance: &mut Chance, number: u64) -> PutRequest {
    let length = if chance.one_in(1, 30) { 9_000 } else { chance.below(200) as usize };
    let mut value = format!("{number:08}").into_bytes();
    value.resize(8 + length, [0, 1, 0xff][chance.below(3) as usize]);
    let lease = if chance.one_in(1, 5) { 1 + chance.below(4) as i64 } else { 0 };
    PutRequest { key: key(chance), value: value.into(), lease, ..PutRequest::default() }
}

/// The `number`-th command of a history. Some of them are refused, which is as good.
pub(crate) fn command(chance: &mut Chance, number: u64, revision: i64) -> Command {
    match chance.below(30) {
        0..=19 => Command::Put(put(chance, number)),
        20..=22 => {
            let (a, b) = (key(chance), key(chance));
            Command::DeleteRange(DeleteRangeRequest { key: a, range_end: b, prev_kv: false })
        }
        23..=24 => {
            let success = (0..1 + chance.below(5)).map(|_| Op::Put(PutRequest { lease: 0, ..put(chance, number) })).collect();
            Command::Txn(TxnRequest { compare: Vec::new(), success, failure: Vec::new() })
        }
        25 => Command::LeaseGrant(LeaseGrantRequest { id: 1 + chance.below(4) as i64, ttl: 60 }),
        26 => Command::LeaseRevoke { id: 1 + chance.below(4) as i64 },
        27 => Command::LeaseCheckpoint(vec![LeaseCheckpoint { id: 1 + chance.below(4) as i64, remaining_ttl: number as i64 }]),
        28 => {
            let revision = revision - chance.below(30) as i64;
            Command::Compact(CompactRequest { revision, physical: false })
        }
        _ => {
            let id = 1 + chance.below(5);
            let urls = vec![format!("http://peer{number}")];
            Command::Member(MemberChange::Add(Member { id, peer_urls: urls, ..Member::default() }))
        }
    }
}

pub(crate) fn apply<V: Values>(machine: &mut Keyspace<V>, command: Command) -> Response {
    let Position { epoch, index } = machine.applied();
    machine.apply(Position::new(epoch.max(1), index + 1), command, &mut Vec::new())
}

/// All that can be asked of a machine.
pub(crate) fn everything<V: Values>(machine: &Keyspace<V>) -> Vec<Response> {
    let ask = |query| machine.read(query);
    let mut answers = vec![ask(Query::Members), ask(Query::Leases)];
    for id in 1..5 {
        answers.push(ask(Query::Lease { id, keys: true }));
    }
    let all = RangeRequest { key: Bytes::from_static(b"\0"), range_end: Bytes::from_static(b"\0"), ..RangeRequest::default() };
    let newest = machine.revision();
    for revision in [newest, newest - 1, newest - 7, newest - 25] {
        let revision = revision.max(1);
        answers.push(ask(Query::Range(RangeRequest { revision, ..all.clone() })));
        answers.push(ask(Query::HashKv { revision }));
    }
    if let Ok(Answer::Status(mut status)) = ask(Query::Status) {
        // An estimate of each member's own.
        (status.db_size, status.db_size_in_use) = (0, 0);
        answers.push(Ok(Answer::Status(status)));
    }
    answers
}
