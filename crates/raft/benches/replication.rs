//! How many entries a second three members take from proposal to application, all in one thread, without wire and disk.
//!
//! Everything that a driver does beside the protocol is left out: messages are handed over as they are, and a write is synced as soon
//! as it is asked for. What remains is what the protocol itself costs a cluster. Memory comes from the product's allocator.

use bytes::Bytes;
use consensus::{Configuration, Consensus, Input, Instant, NodeId, Output, Position, Promise, Role};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use raft::{Config, Decision, Message, Raft, Recovered};
use std::collections::VecDeque;
use std::hint::black_box;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Bytes of an entry: a put of 256 bytes.
const ENTRY_BYTES: usize = 300;

/// Entries between two snapshots, as in the product; the log before them goes.
const SNAPSHOT_ENTRIES: u64 = 100_000;

struct Member {
    raft: Raft,
    applied: u64,
    since_snapshot: u64,
}

/// Members that hear each other at once.
struct Cluster {
    members: Vec<Member>,
    wire: VecDeque<(NodeId, NodeId, Message)>,
    now: Instant,
    out: Vec<Output<Message, Decision>>,
}

impl Cluster {
    /// Three, of whom the first leads.
    fn new() -> Cluster {
        let ids = [NodeId(1), NodeId(2), NodeId(3)];
        let member = |id: NodeId| {
            let recovered = Recovered {
                promise: Promise::default(),
                base: Position::ZERO,
                terms: Vec::new(),
                last: 0,
                applied: Position::ZERO,
                configuration: Configuration::of(ids),
            };
            let raft = Raft::new(Config::new(id), recovered, id.0, Instant::ZERO);
            Member { raft, applied: 0, since_snapshot: 0 }
        };
        let members = ids.map(member).into();
        let mut cluster = Cluster { members, wire: VecDeque::new(), now: Instant::ZERO, out: Vec::new() };
        cluster.now = cluster.members[0].raft.deadline();
        cluster.step(0, Input::Timeout);
        cluster.settle();
        assert_eq!(cluster.members[0].raft.role(), Role::Leader);
        cluster
    }

    /// Gives one member an input, and carries out what it asks for.
    fn step(&mut self, at: usize, input: Input<Message>) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let mut out = std::mem::take(&mut self.out);
            let (now, member) = (self.now, &mut self.members[at]);
            member.raft.step(now, input, &mut out);
            for output in out.drain(..) {
                match output {
                    Output::Send { to, message } => self.wire.push_back((member.raft.id(), to, message)),
                    Output::Persist(persist) => {
                        inputs.push_back(Input::Persisted { ticket: persist.ticket });
                        black_box(persist);
                    }
                    Output::Apply { entries } => {
                        let position = entries.last().expect("there is something to apply").position;
                        member.applied = position.index;
                        member.since_snapshot += entries.len() as u64;
                        black_box(entries);
                        inputs.push_back(Input::Applied { position });
                    }
                    _ => {}
                }
            }
            self.out = out;
        }
    }

    /// Delivers until nobody has anything left to say.
    fn settle(&mut self) {
        while let Some((from, to, message)) = self.wire.pop_front() {
            self.step(to.0 as usize - 1, Input::Receive { from, message });
        }
    }

    /// Proposes a batch, and sees it applied everywhere.
    fn replicate(&mut self, commands: Vec<Bytes>) {
        let upto = self.members[0].applied + commands.len() as u64;
        // Each batch takes its time; once in a while a heartbeat is due.
        self.now = self.now + Duration::from_micros(50);
        self.step(0, Input::Propose { commands });
        self.settle();
        // The followers hear of the last commit with what comes next, at the latest with a heartbeat.
        assert!(self.members.iter().all(|member| member.applied >= upto), "a batch was not applied by all");
        for member in &mut self.members {
            if member.since_snapshot >= SNAPSHOT_ENTRIES {
                member.since_snapshot = 0;
                let position = member.raft.committed();
                let snapshot = consensus::Snapshot { position, configuration: member.raft.configuration().clone() };
                let input = Input::SnapshotTaken { snapshot, cut: position.index.saturating_sub(5_000) };
                member.raft.step(self.now, input, &mut self.out);
                self.out.clear();
            }
        }
    }
}

fn replication(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("three members");
    let data = [7; ENTRY_BYTES];
    for size in [1_u64, 10, 100, 1000] {
        group.throughput(Throughput::Elements(size));
        group.bench_function(BenchmarkId::new("entries in batches of", size), |bencher| {
            let mut cluster = Cluster::new();
            // Clients' requests are encoded before the protocol sees them: that is not its cost, but letting go of them is.
            let batch = || (0..size).map(|_| Bytes::copy_from_slice(&data)).collect::<Vec<_>>();
            bencher.iter_batched(batch, |commands| cluster.replicate(commands), criterion::BatchSize::SmallInput);
        });
    }
    group.finish();
}

criterion_group!(benches, replication);
criterion_main!(benches);
