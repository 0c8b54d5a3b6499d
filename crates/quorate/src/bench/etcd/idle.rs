//! Members that have nothing to do, alone and with watchers who are told nothing.

use super::connection::Connection;
use super::keys::key;
use super::servers::{Servers, whose};
use super::streams::{Stream, dealt};
use crate::bench::measured::line;
use crate::bench::usage::Usage;
use crate::cli::etcd::Idle;
use bytes::Bytes;
use serde_json::{Value, json};
use std::time::Duration;

/// After a start or new watchers, until it is quiet.
const SETTLE: Duration = Duration::from_secs(2);

/// What a member costs while nothing happens.
struct Rest {
    server: String,
    /// In bytes.
    memory: u64,
    /// Processor time a second.
    cpu: Duration,
}

pub(super) async fn measure(options: &Idle) -> Result<String, String> {
    let servers = Servers::find(&options.servers, 3, &[]).await?;
    let measured = with(options, &servers).await;
    servers.end().await;
    let (alone, watched) = measured?;
    Ok(if options.servers.json { told_json(options, &alone, &watched) } else { told(options, &alone, &watched) })
}

async fn with(options: &Idle, servers: &Servers) -> Result<(Vec<Rest>, Vec<Rest>), String> {
    if servers.processes.is_empty() {
        return Err("none of the members runs on this machine, so what they cost cannot be seen".to_owned());
    }
    let alone = look(options, servers).await;
    if options.watchers == 0 {
        return Ok((alone, Vec::new()));
    }
    let connections = Connection::many(&servers.urls, options.connections.min(options.streams) as usize).await?;
    let mut streams = Vec::new();
    for (index, watchers) in dealt(options.watchers, options.streams).into_iter().enumerate() {
        let watched = watchers.iter().map(|watcher| (key(u64::from(*watcher), 24), Bytes::new()));
        streams.push(Stream::open(&connections[index % connections.len()], watched.collect()).await?);
    }
    let watched = look(options, servers).await;
    drop(streams);
    Ok((alone, watched))
}

async fn look(options: &Idle, servers: &Servers) -> Vec<Rest> {
    let usage = || servers.processes.iter().map(|(_, pid)| Usage::of(*pid).unwrap_or_default()).collect::<Vec<_>>();
    tokio::time::sleep(SETTLE).await;
    let before = usage();
    tokio::time::sleep(Duration::from_secs(options.seconds)).await;
    let rest = |((server, _), (before, after)): (&(String, u32), (Usage, Usage))| Rest {
        server: server.clone(),
        memory: after.memory,
        cpu: after.cpu.saturating_sub(before.cpu) / u32::try_from(options.seconds.max(1)).unwrap_or(u32::MAX),
    };
    servers.processes.iter().zip(before.into_iter().zip(usage())).map(rest).collect()
}

/// What one watcher costs all members together, in bytes.
fn each(options: &Idle, alone: &[Rest], watched: &[Rest]) -> Option<f64> {
    let sum = |rests: &[Rest]| rests.iter().map(|rest| rest.memory as f64).sum::<f64>();
    (!watched.is_empty()).then(|| (sum(watched) - sum(alone)) / f64::from(options.watchers))
}

fn told(options: &Idle, alone: &[Rest], watched: &[Rest]) -> String {
    let mut text = format!("{} s of nothing\n\n", options.seconds);
    let mut lines = |what: &str, rests: &[Rest]| {
        for Rest { server, memory, cpu } in rests {
            line(&mut text, &format!("memory of {server}{what}, MB"), format!("{:.1}", *memory as f64 / 1e6));
            line(&mut text, &format!("CPU of {server}{what}, ms/s"), format!("{:.1}", cpu.as_secs_f64() * 1e3));
        }
    };
    lines("", alone);
    lines(" watched", watched);
    if let Some(bytes) = each(options, alone, watched) {
        line(&mut text, "bytes a watcher, all members together", format!("{bytes:.0}"));
    }
    text
}

fn told_json(options: &Idle, alone: &[Rest], watched: &[Rest]) -> String {
    let told = |rests: &[Rest]| -> Value {
        let rest =
            |rest: &Rest| json!({"server": rest.server, "bytes": rest.memory, "cpu_ms_per_second": rest.cpu.as_secs_f64() * 1e3});
        rests.iter().map(rest).collect::<Vec<Value>>().into()
    };
    let object = json!({
        "load": "idle",
        "peer": whose(&options.servers),
        "seconds": options.seconds,
        "server_memory": told(alone),
        "server_cpu_ms_per_second": alone.iter().map(|rest| rest.cpu.as_secs_f64() * 1e3).sum::<f64>(),
        "watchers": options.watchers,
        "streams": options.streams.min(options.watchers),
        "server_memory_watched": told(watched),
        "bytes_per_watcher": each(options, alone, watched),
    });
    format!("{object}\n")
}
