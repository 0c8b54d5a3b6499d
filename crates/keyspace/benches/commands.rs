//! What the state machine does in a second: puts, ranges and transactions over a hundred thousand keys, their changes in memory.

use bytes::Bytes;
use consensus::{Position, StateMachine};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use keyspace::{Command, Compare, Keyspace, MemoryValues, Op, Operand, PutRequest, Query, RangeRequest, Relation, TxnRequest};
use std::hint::black_box;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const KEYS: u64 = 100_000;

/// A keyspace, and the number of the last command.
struct Store {
    machine: Keyspace<MemoryValues>,
    applied: u64,
    value: Bytes,
}

fn key(number: u64) -> Bytes {
    format!("/registry/pods/default/{number:012}").into()
}

/// Numbers that jump about, as clients' keys do.
fn scattered(number: u64) -> u64 {
    number.wrapping_mul(2_654_435_761) % KEYS
}

impl Store {
    fn filled() -> Store {
        let mut store = Store { machine: Keyspace::new(), applied: 0, value: Bytes::from(vec![7; 256]) };
        for number in 0..KEYS {
            store.apply(store.put(key(number)));
        }
        store
    }

    fn put(&self, key: Bytes) -> Command {
        Command::Put(PutRequest { key, value: self.value.clone(), ..PutRequest::default() })
    }

    fn apply(&mut self, command: Command) {
        self.applied += 1;
        let answer = self.machine.apply(Position::new(1, self.applied), command, &mut Vec::new());
        black_box(answer.expect("nothing is refused"));
    }

    fn read(&self, query: Query) {
        black_box(self.machine.read(query).expect("nothing is refused"));
    }
}

fn commands(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("keyspace");
    group.throughput(Throughput::Elements(1));

    let mut store = Store::filled();
    let mut number = 0;
    group.bench_function("put of a key that exists", |bencher| {
        bencher.iter(|| {
            number += 1;
            store.apply(store.put(key(scattered(number))));
        });
    });
    let mut store = Store::filled();
    group.bench_function("put of a new key", |bencher| {
        bencher.iter(|| {
            number += 1;
            store.apply(store.put(key(KEYS + number)));
        });
    });
    let mut store = Store::filled();
    group.bench_function("txn that creates or updates", |bencher| {
        bencher.iter(|| {
            number += 1;
            let key = key(scattered(number));
            let absent =
                Compare { relation: Relation::Equal, operand: Operand::Create(0), key: key.clone(), range_end: Bytes::new() };
            let put = || Op::Put(PutRequest { key: key.clone(), value: store.value.clone(), ..PutRequest::default() });
            let txn = TxnRequest { compare: vec![absent], success: vec![put()], failure: vec![put()] };
            store.apply(Command::Txn(txn));
        });
    });
    let store = Store::filled();
    group.bench_function("range of one key", |bencher| {
        bencher.iter(|| {
            number += 1;
            store.read(Query::Range(RangeRequest { key: key(scattered(number)), ..RangeRequest::default() }));
        });
    });
    group.throughput(Throughput::Elements(100));
    group.bench_function("range of a hundred keys", |bencher| {
        bencher.iter(|| {
            number += 1;
            let from = scattered(number).min(KEYS - 100);
            let request = RangeRequest { key: key(from), range_end: key(from + 100), ..RangeRequest::default() };
            store.read(Query::Range(request));
        });
    });
    group.finish();
}

criterion_group!(benches, commands);
criterion_main!(benches);
