//! What it costs to make entries durable: on a disk in memory, which shows the log's own work, and on a real one, which shows the
//! sync that a batch shares.

#[path = "../tests/memory/mod.rs"]
mod memory;

use bytes::Bytes;
use consensus::{Append, Entry, EntryKind, NodeId, Persist, Position, Promise, Ticket};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use memory::MemoryDisk;
use storage::{Disk, Identity, Log, LogOptions, RealDisk};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Bytes of an entry: a put of 256 bytes.
const ENTRY_BYTES: usize = 300;

/// A log that grows; it begins anew before it fills the machine.
struct Writer<D: Disk> {
    log: Log<D>,
    last: u64,
    data: Bytes,
}

impl<D: Disk> Writer<D> {
    fn new(disk: &D) -> Writer<D> {
        disk.create_dir("").expect("a folder");
        let identity = Identity::of(1, NodeId(1));
        let log = Log::create(disk, LogOptions::default(), identity, Position::ZERO, Promise::default()).expect("a log");
        Writer { log, last: 0, data: Bytes::from(vec![7; ENTRY_BYTES]) }
    }

    /// Writes a batch and makes it durable.
    fn write(&mut self, count: u64) {
        let entry = |index| Entry { position: Position::new(1, index), kind: EntryKind::Command, data: self.data.clone() };
        let after = Position::new(u64::from(self.last > 0), self.last);
        let entries = (self.last + 1..=self.last + count).map(entry).collect();
        let persist = Persist { ticket: Ticket(1), promise: None, append: Some(Append { after, entries }) };
        self.log.write(&[persist]).expect("a sound disk");
        self.log.sync().expect("a sound disk");
        self.last += count;
    }
}

fn log(criterion: &mut Criterion) {
    for size in [1_u64, 10, 100, 1000] {
        let mut group = criterion.benchmark_group("log");
        group.throughput(Throughput::Elements(size));
        group.bench_function(BenchmarkId::new("batch in memory", size), |bencher| {
            let mut writer = Writer::new(&MemoryDisk::new());
            bencher.iter(|| {
                if writer.last > 300_000 {
                    writer = Writer::new(&MemoryDisk::new());
                }
                writer.write(size);
            });
        });
        group.bench_function(BenchmarkId::new("batch on disk", size), |bencher| {
            let folder = tempfile::tempdir().expect("a folder");
            let mut writer = Writer::new(&RealDisk::new(folder.path()));
            bencher.iter(|| writer.write(size));
        });
        group.finish();
    }
}

criterion_group!(benches, log);
criterion_main!(benches);
