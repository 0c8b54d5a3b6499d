//! `quorate bench zookeeper`: what ZooKeeper servers can do, and what it costs them.

mod ensemble;
mod load;
mod report;

pub(crate) use ensemble::Ensemble;

use super::measured::Meter;
use super::progress;
use super::usage::processes;
use crate::cli::ZooKeeperBench;
use bytes::Bytes;

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
    let processes = processes(servers);
    let bar = progress(options.total);
    let meter = Meter::start(&processes);
    let (mut clients, counts) = load::run(clients, options, &value, &bar).await?;
    let measured = meter.stop(counts);
    bar.finish_and_clear();
    if !options.keep
        && let Some(client) = clients.first_mut()
        && load::clean(client, options.window as usize).await.is_err()
    {
        eprintln!("quorate bench: the nodes below {} are left there", load::root());
    }
    for client in clients {
        client.close().await;
    }
    Ok(if options.json { report::json(&measured, options) } else { report::text(&measured, options) })
}
