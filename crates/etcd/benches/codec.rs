//! What it costs to turn requests into entries and back, and appends into what travels between members.

use bytes::{Bytes, BytesMut};
use consensus::{Entry, EntryKind, NodeId, Position};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use etcd::codec;
use etcd::pb::etcdserverpb as pb;
use etcd::peer::{Envelope, Received, msgapp};
use keyspace::{Command, PutRequest};
use prost::Message as _;
use raft::{Body, Message};
use std::hint::black_box;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Entries in an append.
const BATCH: u64 = 100;

/// The id of a request: as large as they are.
const REQUEST: u64 = 0x1234_5678_9abc_def0;

fn put() -> Command {
    let key = Bytes::from_static(b"/registry/pods/default/000000000001");
    Command::Put(PutRequest { key, value: Bytes::from(vec![7; 256]), ..PutRequest::default() })
}

fn entry(index: u64) -> Entry {
    Entry { position: Position::new(3, index), kind: EntryKind::Command, data: codec::encode(REQUEST + index, &put()) }
}

/// The append that follows the entries up to `after`.
fn append(after: u64) -> Envelope {
    let entries = (after + 1..=after + BATCH).map(entry).collect();
    let body = Body::Append { previous: Position::new(3, after), entries, commit: after };
    Envelope { from: NodeId(1), to: NodeId(2), message: Message { term: 3, body } }
}

fn entries(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("entry");
    group.throughput(Throughput::Elements(1));
    let command = put();
    group.bench_function("encode a put", |bencher| bencher.iter(|| codec::encode(REQUEST, black_box(&command))));
    let entry = entry(1);
    group.bench_function("decode a put", |bencher| {
        bencher.iter(|| codec::decode(black_box(&entry)).expect("it was encoded here"))
    });
    group.finish();
}

fn requests(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("request");
    group.throughput(Throughput::Elements(1));
    let put =
        pb::PutRequest { key: "/registry/pods/default/000000000001".into(), value: vec![7; 256].into(), ..Default::default() };
    let bytes = Bytes::from(put.encode_to_vec());
    group.bench_function("decode a client's put", |bencher| {
        bencher.iter(|| PutRequest::from(pb::PutRequest::decode(bytes.clone()).expect("it was encoded here")));
    });
    group.finish();
}

fn appends(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("append of a hundred entries");
    group.throughput(Throughput::Elements(BATCH));
    let (first, second) = (append(0), append(BATCH));
    // The first append on a stream is a full message; those that follow say only what is new.
    let started = || {
        let mut encoder = msgapp::Encoder::new();
        encoder.encode(&first, &mut BytesMut::new());
        encoder
    };
    group.bench_function("encode", |bencher| {
        bencher.iter_batched(
            started,
            |mut encoder| {
                let mut out = BytesMut::new();
                encoder.encode(black_box(&second), &mut out);
                out
            },
            BatchSize::SmallInput,
        );
    });
    let (mut head, mut bytes) = (BytesMut::new(), BytesMut::new());
    let mut encoder = msgapp::Encoder::new();
    encoder.encode(&first, &mut head);
    encoder.encode(&second, &mut bytes);
    let started = || {
        let mut decoder = msgapp::Decoder::new(NodeId(2), NodeId(1));
        decoder.feed(&head);
        assert!(matches!(decoder.next(), Ok(Some(Received::Message(_)))));
        decoder
    };
    group.bench_function("decode", |bencher| {
        bencher.iter_batched(
            started,
            |mut decoder| {
                decoder.feed(&bytes);
                decoder.next().expect("it was encoded here")
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(benches, entries, requests, appends);
criterion_main!(benches);
