//! Many keys: written in big transactions, because what is asked is what it is like when they are there.

use super::connection::Connection;
use super::drive::{Asker, drive};
use super::keys;
use super::requests::connect;
use super::servers::{Servers, whose};
use crate::bench::measured::line;
use crate::bench::progress;
use crate::bench::usage::Usage;
use crate::cli::etcd::Fill;
use bytes::Bytes;
use etcd::pb::etcdserverpb::kv_client::KvClient;
use indicatif::ProgressBar;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tonic::{Code, Status};

/// Transactions as large as the bench makes them, and more data than a member takes by default.
pub(super) const FLAGS: [&str; 2] = ["--max-txn-ops=65535", "--quota-backend-bytes=68719476736"];
/// How many transactions are under way.
const WRITERS: u32 = 8;
/// What was written last is still on its way to the data file for a moment.
const SETTLE: Duration = Duration::from_secs(5);

/// See what memory many keys take.
pub(super) async fn measure(options: &Fill) -> Result<String, String> {
    let servers = started(options).await?;
    let measured = with(options, &servers).await;
    servers.end().await;
    measured
}

/// Only members that were started for it: what else is in others would count, too.
pub(super) async fn started(options: &Fill) -> Result<Servers, String> {
    if !options.servers.endpoints.is_empty() {
        return Err("this is measured only with members that are started for it; leave --endpoints away".to_owned());
    }
    Servers::find(&options.servers, 1, &FLAGS).await
}

/// A member without keys, and with them.
struct Held {
    server: String,
    empty: Usage,
    filled: Usage,
}

async fn with(options: &Fill, servers: &Servers) -> Result<String, String> {
    let usage = || servers.processes.iter().map(|(_, pid)| Usage::of(*pid).unwrap_or_default()).collect::<Vec<_>>();
    let (empty, begin) = (usage(), Instant::now());
    write(options, servers).await?;
    let took = begin.elapsed();
    tokio::time::sleep(SETTLE).await;
    let names = servers.processes.iter().map(|(server, _)| server.clone());
    let held = names.zip(empty).zip(usage()).map(|((server, empty), filled)| Held { server, empty, filled });
    let held: Vec<Held> = held.collect();
    Ok(if options.servers.json { told_json(options, took, &held) } else { told(options, took, &held) })
}

fn told(options: &Fill, took: Duration, held: &[Held]) -> String {
    let mut text = format!(
        "{} keys of {} bytes with values of {}, {} a transaction: {:.0} MB\n\n",
        options.keys,
        options.key_size,
        options.value_size,
        options.batch,
        keyspace_bytes(options) as f64 / 1e6
    );
    line(&mut text, "seconds to write them", format!("{:.1}", took.as_secs_f64()));
    for Held { server, empty, filled } in held {
        let mut memory =
            |what: &str, bytes: u64| line(&mut text, &format!("{server} {what}, MB"), format!("{:.1}", bytes as f64 / 1e6));
        memory("empty", empty.memory);
        memory("with them", filled.memory);
        memory("at its most", filled.peak);
    }
    text
}

fn told_json(options: &Fill, took: Duration, held: &[Held]) -> String {
    let server = |Held { server, empty, filled }: &Held| {
        json!({
            "server": server,
            "bytes_empty": empty.memory,
            "bytes": filled.memory,
            "bytes_most": filled.peak,
            "cpu_seconds": filled.cpu.saturating_sub(empty.cpu).as_secs_f64(),
        })
    };
    let object = json!({
        "load": "memory",
        "peer": whose(&options.servers),
        "keys": options.keys,
        "key_size": options.key_size,
        "value_size": options.value_size,
        "keyspace_bytes": keyspace_bytes(options),
        "seconds": took.as_secs_f64(),
        "server_memory": held.iter().map(server).collect::<Vec<Value>>(),
    });
    format!("{object}\n")
}

/// How much keys and values are, without what a store needs besides.
pub(super) fn keyspace_bytes(options: &Fill) -> u64 {
    options.keys * (u64::from(options.key_size) + options.value_size as u64)
}

/// Writes the keys into members that have none.
pub(super) async fn write(options: &Fill, servers: &Servers) -> Result<(), String> {
    let connections = connect(&servers.urls, WRITERS, None).await?;
    let value = Bytes::from(vec![b'x'; options.value_size]);
    let bar = progress(options.keys);
    let filled = fill(&connections, options.keys, options.key_size, &value, options.batch, &bar).await;
    bar.finish_and_clear();
    filled
}

/// Writes keys with the numbers below `keys`, `batch` in a transaction.
pub(super) async fn fill(
    connections: &[Connection],
    keys: u64,
    key_size: u16,
    value: &Bytes,
    batch: u16,
    bar: &ProgressBar,
) -> Result<(), String> {
    let batch = u64::from(batch);
    let writer = |index: usize| Writer {
        client: keys::client(&connections[index % connections.len()]),
        keys,
        key_size,
        value: value.clone(),
        batch,
        bar: bar.clone(),
    };
    let writers = (0..WRITERS as usize).map(writer).collect();
    let counts = drive(writers, keys.div_ceil(batch), &ProgressBar::hidden()).await?;
    match counts.failure {
        Some(why) => Err(format!("not all keys could be written: {why}")),
        None => Ok(()),
    }
}

/// How a member refuses what it could not keep up with, and how long to wait then.
const TOO_MANY: &str = "etcdserver: too many requests";
const BREATH: Duration = Duration::from_millis(50);

struct Writer {
    client: KvClient<Connection>,
    keys: u64,
    key_size: u16,
    value: Bytes,
    batch: u64,
    bar: ProgressBar,
}

impl Asker for Writer {
    async fn ask(&mut self, number: u64) -> Result<(), Status> {
        let from = number * self.batch;
        let until = (from + self.batch).min(self.keys);
        // A member that takes no more until its disk has caught up says so, and nothing of what it refused was done.
        while let Err(status) = self.client.txn(keys::batch(from..until, self.key_size, &self.value)).await {
            if status.code() != Code::ResourceExhausted || status.message() != TOO_MANY {
                return Err(status);
            }
            tokio::time::sleep(BREATH).await;
        }
        self.bar.inc(until - from);
        Ok(())
    }
}
