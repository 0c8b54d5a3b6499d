//! How long a large keyspace takes to start, and how much memory: `cargo run --release -p storage --example large_keyspace -- FOLDER KEYS`.
//!
//! The first run fills the folder with so many keys of 256 bytes each, in no order, through the state machine; each later run opens it,
//! reads a little, and says what that took.

use bytes::Bytes;
use consensus::{Chance, Position, Promise, StateMachine};
use keyspace::{Command, PutRequest, Query, RangeRequest};
use std::time::Instant;
use storage::{DataOptions, Identity, LogOptions, Machine, OpenedKeyspace, RealDisk, open_keyspace};

const VALUE_BYTES: usize = 256;
/// A flush is made of so many bytes.
const FLUSH_BYTES: usize = 16 << 20;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("say where, and how many keys")?;
    let keys: u64 = arguments.next().ok_or("say how many keys")?.parse()?;
    let begun = Instant::now();
    match open_keyspace(RealDisk::new(folder), LogOptions::default(), DataOptions::default())? {
        OpenedKeyspace::Blank(blank) => {
            let identity = Identity(*b"large keyspace 1");
            let mut store = blank.create_keyspace(identity, Promise::default(), Vec::new(), DataOptions::default())?;
            fill(&mut store.machine, keys)?;
        }
        OpenedKeyspace::Member(store) => {
            println!("opened {:?} in {:.2?}; processor: {}; {}", store.machine, begun.elapsed(), processor()?, memory()?);
            read(&store.machine, keys)?;
            println!("after that {}", memory()?);
        }
    }
    Ok(())
}

fn key(number: u64, keys: u64) -> Bytes {
    // Every number comes once, in no order.
    let scattered = (number * 7_368_787) % keys;
    Bytes::from(format!("/registry/pods/{scattered:012}"))
}

fn fill(machine: &mut Machine<RealDisk>, keys: u64) -> Result<(), Box<dyn std::error::Error>> {
    let begun = Instant::now();
    let mut flushing = std::time::Duration::ZERO;
    let value = Bytes::from(vec![b'v'; VALUE_BYTES]);
    for number in 0..keys {
        let put = PutRequest { key: key(number, keys), value: value.clone(), ..PutRequest::default() };
        machine.apply(Position::new(1, number + 1), Command::Put(put), &mut Vec::new())?;
        if machine.values().waiting_bytes() > FLUSH_BYTES || number + 1 == keys {
            let begun = Instant::now();
            let flush = machine.flush();
            machine.values().file().write(&flush)?;
            machine.flushed();
            flushing += begun.elapsed();
        }
    }
    println!("filled in {:.2?}, of which {flushing:.2?} in flushes; processor: {}; {}", begun.elapsed(), processor()?, memory()?);
    Ok(())
}

fn read(machine: &Machine<RealDisk>, keys: u64) -> Result<(), Box<dyn std::error::Error>> {
    let mut chance = Chance::new(1);
    let count = 100_000;
    let begun = Instant::now();
    for _ in 0..count {
        let request = RangeRequest { key: key(chance.below(keys), keys), ..RangeRequest::default() };
        machine.read(Query::Range(request))?;
    }
    println!("read {count} keys at random, {:.2?} each", begun.elapsed() / count);
    let begun = Instant::now();
    let all = RangeRequest { key: key(0, keys), range_end: Bytes::from_static(b"\0"), limit: 100_000, ..RangeRequest::default() };
    machine.read(Query::Range(all))?;
    println!("listed the first 100000 in {:.2?}", begun.elapsed());
    let begun = Instant::now();
    machine.read(Query::HashKv { revision: 0 })?;
    println!("hashed everything in {:.2?}", begun.elapsed());
    match machine.values().fault() {
        Some(fault) => Err(fault.to_string().into()),
        None => Ok(()),
    }
}

/// What Linux says of this process.
fn memory() -> std::io::Result<String> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let lines = status.lines().filter(|line| line.starts_with("VmRSS") || line.starts_with("VmHWM"));
    Ok(lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join(", "))
}

fn processor() -> std::io::Result<String> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    Ok(format!("{} + {} ticks", fields[11], fields[12]))
}
