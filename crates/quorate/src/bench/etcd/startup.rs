//! How long a member with many keys takes from its start until it serves them.

use super::connection::Connection;
use super::fill::{keyspace_bytes, started, write};
use super::keys::{self, key};
use super::servers::{Servers, whose};
use crate::bench::measured::line;
use crate::bench::usage::{Usage, processes};
use crate::cli::etcd::Fill;
use etcd::pb::etcdserverpb::RangeRequest;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How often a member that starts is asked.
const ASKED_EVERY: Duration = Duration::from_millis(5);
/// When it is given up.
const SERVES_WITHIN: Duration = Duration::from_secs(600);

/// One start.
struct Start {
    /// How it had ended.
    after: &'static str,
    /// From the start of the process until it reads the last key from what it has.
    reads: Duration,
    /// Until it reads it as of now.
    serves: Duration,
    /// What it then held, in bytes.
    memory: u64,
}

pub(super) async fn measure(options: &Fill) -> Result<String, String> {
    let mut servers = started(options).await?;
    let starts = with(options, &mut servers).await;
    servers.end().await;
    let starts = starts?;
    Ok(if options.servers.json { told_json(options, &starts) } else { told(options, &starts) })
}

async fn with(options: &Fill, servers: &mut Servers) -> Result<Vec<Start>, String> {
    write(options, servers).await?;
    let last = key(options.keys - 1, options.key_size);
    let url = servers.urls[0].clone();
    let cluster = servers.cluster.as_mut().expect("it was started here");
    let mut starts = Vec::new();
    for (after, signal) in [("killed", Signal::KILL), ("stopped", Signal::TERM)] {
        cluster.signal(0, signal);
        cluster.reap(0).await;
        let begin = Instant::now();
        cluster.spawn(0)?;
        let reads = until(&url, &last, true, begin).await?;
        let serves = until(&url, &last, false, begin).await?;
        let pid = processes(std::slice::from_ref(&url)).first().map_or(0, |(_, pid)| *pid);
        starts.push(Start { after, reads, serves, memory: Usage::of(pid).unwrap_or_default().memory });
    }
    Ok(starts)
}

/// How long after `begin` the key can be read.
async fn until(url: &str, last: &bytes::Bytes, serializable: bool, begin: Instant) -> Result<Duration, String> {
    while begin.elapsed() < SERVES_WITHIN {
        let read = RangeRequest { key: last.clone(), serializable, ..Default::default() };
        if let Ok(connection) = Connection::open(url).await
            && let Ok(answer) = keys::client(&connection).range(read).await
            && answer.get_ref().count == 1
        {
            return Ok(begin.elapsed());
        }
        tokio::time::sleep(ASKED_EVERY).await;
    }
    Err(format!("{url} does not serve within {} s", SERVES_WITHIN.as_secs()))
}

fn told(options: &Fill, starts: &[Start]) -> String {
    let mut text = format!("a member with {} keys, {:.0} MB\n\n", options.keys, keyspace_bytes(options) as f64 / 1e6);
    for start in starts {
        let Start { after, reads, serves, memory } = start;
        line(&mut text, &format!("{after}: reads what it has after, s"), format!("{:.2}", reads.as_secs_f64()));
        line(&mut text, &format!("{after}: serves after, s"), format!("{:.2}", serves.as_secs_f64()));
        line(&mut text, &format!("{after}: memory then, MB"), format!("{:.1}", *memory as f64 / 1e6));
    }
    text
}

fn told_json(options: &Fill, starts: &[Start]) -> String {
    let start = |start: &Start| {
        json!({
            "after": start.after,
            "reads_s": start.reads.as_secs_f64(),
            "serves_s": start.serves.as_secs_f64(),
            "bytes": start.memory,
        })
    };
    let object = json!({
        "load": "startup",
        "peer": whose(&options.servers),
        "keys": options.keys,
        "keyspace_bytes": keyspace_bytes(options),
        "server_memory": starts.last().map(|start| json!([{"bytes": start.memory}])),
        "starts": starts.iter().map(start).collect::<Vec<Value>>(),
    });
    format!("{object}\n")
}
