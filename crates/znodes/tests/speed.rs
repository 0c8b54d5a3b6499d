//! What a large tree costs. Not a test: `cargo test --release -p znodes --test speed -- --ignored --nocapture`.

mod support;

use consensus::{Chance, StateMachine};
use std::hint::black_box;
use std::time::{Duration, Instant};
use support::{Leader, ME, SESSION, create, set};
use znodes::{Answer, Query, ReadOp, Settings, Tree, Watches};

const NODES: u64 = 320_000;
const ROUNDS: u64 = 1_000_000;

fn path(number: u64) -> String {
    format!("/bench/n{number:010}")
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or("VmRSS: 0 kB");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or(0)
}

fn each(what: &str, count: u64, took: Duration) {
    println!("{what:<40} {:>8.0} ns", took.as_nanos() as f64 / count as f64);
}

#[test]
#[ignore = "measures, and claims nothing"]
fn measure() {
    let before = resident();
    let mut leader = Leader::new(Settings { hash_seed: 7, ..Settings::default() });
    leader.ask(create("/bench", "")).unwrap();
    let data = "x".repeat(256);
    let begun = Instant::now();
    for number in 0..NODES {
        leader.ask(create(&path(number), &data)).unwrap();
        leader.log.clear();
        leader.events.clear();
    }
    each("create, prepared and applied", NODES, begun.elapsed());
    println!("{NODES} nodes of 256 bytes: {} MiB", (resident() - before) / 1024);

    let mut chance = Chance::new(1);
    let (mut preparing, mut applying) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..ROUNDS / 1_000 {
        let requests: Vec<_> = (0..1_000)
            .map(|_| {
                let op = set(&path(chance.below(NODES)), &data, -1);
                leader.request(SESSION, &[], op)
            })
            .collect();
        let begun = Instant::now();
        let txns: Vec<_> = requests.into_iter().map(|request| leader.prepare(ME, request)).collect();
        preparing += begun.elapsed();
        leader.log.clear();
        let begun = Instant::now();
        for txn in txns {
            black_box(leader.apply(txn)).unwrap();
        }
        applying += begun.elapsed();
        leader.events.clear();
    }
    each("setData, prepared, 1,000 outstanding", ROUNDS, preparing);
    each("setData, applied", ROUNDS, applying);

    let mut reading = Duration::ZERO;
    for _ in 0..ROUNDS / 1_000 {
        let queries: Vec<_> = (0..1_000)
            .map(|_| Query { session: SESSION, ids: vec![], op: ReadOp::GetData { path: path(chance.below(NODES)) } })
            .collect();
        let begun = Instant::now();
        for query in queries {
            assert!(matches!(black_box(leader.tree.read(query)), Ok(Answer::Data { .. })));
        }
        reading += begun.elapsed();
    }
    each("getData", ROUNDS, reading);
    println!("after reading all of them: {} MiB", (resident() - before) / 1024);

    let begun = Instant::now();
    let children = leader.read(ReadOp::GetChildren { path: "/bench".into() });
    each("getChildren, each child", NODES, begun.elapsed());
    drop(children);

    let mut cursor = leader.tree.begin_snapshot();
    let (mut longest, mut bytes, mut chunks) = (Duration::ZERO, 0, Vec::new());
    let begun = Instant::now();
    loop {
        let piece = Instant::now();
        let Some(chunk) = leader.tree.snapshot_chunk(&mut cursor, 64 << 10) else { break };
        longest = longest.max(piece.elapsed());
        bytes += chunk.len();
        chunks.push(chunk);
    }
    println!("snapshot: {} MiB in {:?}, the longest piece of 64 KiB {longest:?}", bytes >> 20, begun.elapsed());
    leader.tree.end_snapshot(cursor);
    let begun = Instant::now();
    let restored = Tree::restore_with(leader.tree.settings().clone(), &mut chunks.into_iter()).unwrap();
    println!("restore: {:?}", begun.elapsed());
    assert_eq!(restored.digest(), leader.tree.digest());

    let mut watches: Watches<u32> = Watches::new();
    let begun = Instant::now();
    for number in 0..100_000 {
        watches.watch_data(&path(number), (number % 1_000) as u32);
    }
    each("watch, registered", 100_000, begun.elapsed());
}
