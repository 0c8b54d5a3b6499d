//! `quorate bench zookeeper`: what ZooKeeper servers can do, and what it costs them.

mod ensemble;
mod load;
mod report;

pub(crate) use ensemble::Ensemble;

use super::usage::Usage;
use crate::cli::ZooKeeperBench;
use crate::processes::listener;
use bytes::Bytes;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use report::{Cost, Measured};
use std::io::IsTerminal;
use std::time::Instant;

/// The tick, in milliseconds, of servers that are started here, and how many of them they may be silent: ZooKeeper's own sample's.
const TICK: u64 = 2000;
const SYNC_LIMIT: u64 = 5;

pub(super) async fn measure(options: &ZooKeeperBench) -> Result<String, String> {
    if !options.servers.is_empty() {
        return with(options, &options.servers).await;
    }
    let ensemble = Ensemble::start(options.peer, options.members, options.dir.as_deref(), TICK, SYNC_LIMIT).await?;
    let measured = with(options, &ensemble.servers()).await;
    ensemble.end().await;
    measured
}

async fn with(options: &ZooKeeperBench, servers: &[String]) -> Result<String, String> {
    let value = Bytes::from(vec![b'x'; options.value_size]);
    let mut clients = load::connect(servers, options.connections).await?;
    load::prepare(&mut clients, &value).await?;
    let pids: Vec<(String, u32)> = servers.iter().filter_map(|server| Some((server.clone(), pid(server)?))).collect();
    let usage = || pids.iter().map(|(_, pid)| Usage::of(*pid).unwrap_or_default()).collect::<Vec<_>>();
    let own = || Usage::of(std::process::id()).unwrap_or_default();

    let bar = progress(options.total);
    let (before, own_before, started) = (usage(), own(), Instant::now());
    let (mut clients, counts) = load::run(clients, options, &value, &bar).await?;
    let (elapsed, own_after, after) = (started.elapsed(), own(), usage());
    bar.finish_and_clear();

    let costs = pids.iter().zip(before.into_iter().zip(after));
    let measured = Measured {
        elapsed,
        latency: counts.latency,
        failed: counts.failed,
        servers: costs.map(|((address, _), (before, after))| Cost::between(address.clone(), before, after)).collect(),
        client_cpu: own_after.cpu.saturating_sub(own_before.cpu),
    };
    if !options.keep
        && let Some(client) = clients.first_mut()
        && load::clean(client, options.window as usize).await.is_err()
    {
        eprintln!("quorate bench: the nodes below {} are left there", load::root());
    }
    for client in clients {
        client.close().await;
    }
    Ok(if options.json { measured.json(options) } else { measured.text(options) })
}

/// The process that listens at an address, if it is one of this machine's.
fn pid(server: &str) -> Option<u32> {
    let (host, port) = server.rsplit_once(':')?;
    let local = matches!(host, "127.0.0.1" | "localhost" | "[::1]");
    local.then(|| listener(port.parse().ok()?)).flatten()
}

fn progress(total: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::hidden());
    }
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len}, {per_sec}, {eta} to go").expect("it is well formed");
    ProgressBar::new(total).with_style(style)
}
