//! Puts beside a watcher that never reads, and without it.
//!
//! Both in turn, several times, so that whatever else happens on the machine happens to both.

use super::connection::Connection;
use super::drive::{Asker, drive};
use super::keys::{self, BEHIND, PREFIX, clean, key};
use super::requests::{connect, told_clients};
use super::servers::{Servers, whose};
use super::streams::Stream;
use crate::bench::measured::{Measured, Meter, line};
use crate::bench::progress;
use crate::cli::etcd::Watch;
use bytes::Bytes;
use etcd::pb::etcdserverpb::PutRequest;
use etcd::pb::etcdserverpb::kv_client::KvClient;
use serde_json::{Value, json};
use tonic::Status;

/// How often each is measured.
const ROUNDS: u64 = 4;

pub(super) async fn measure(options: &Watch) -> Result<String, String> {
    let servers = Servers::find(&options.servers, 3, &[]).await?;
    let measured = with(options, &servers).await;
    servers.end().await;
    let [without, beside] = measured?;
    let ratio = beside.quantile(0.99) / without.quantile(0.99);
    Ok(if options.servers.json {
        let object = json!({
            "load": "watch that is never read",
            "peer": whose(&options.servers),
            "clients": options.clients.clients,
            "without": Value::Object(without.json()),
            "beside": Value::Object(beside.json()),
            "p99_ratio": ratio,
        });
        format!("{object}\n")
    } else {
        let mut text = format!(
            "{} puts by {}\n\nwithout watchers\n{}\nbeside watchers of everything that never read, one at each member\n{}\n",
            options.total,
            told_clients(&options.clients),
            without.text("put", "puts"),
            beside.text("put", "puts")
        );
        line(&mut text, "p99 beside : p99 without", format!("{ratio:.2}"));
        text
    })
}

/// Without and with.
async fn with(options: &Watch, servers: &Servers) -> Result<[Measured; 2], String> {
    let clients = &options.clients;
    let connections = connect(&servers.urls, clients.clients, clients.connections).await?;
    let value = Bytes::from(vec![b'x'; clients.value_size]);
    let share = (options.total / (2 * ROUNDS)).max(1);
    let bar = progress(options.total);
    let (mut without, mut beside) = (Vec::new(), Vec::new());
    for round in 0..2 * ROUNDS {
        let mut streams = Vec::new();
        if round % 2 == 1 {
            for url in &servers.urls {
                let everything = vec![(PREFIX.into(), BEHIND.into())];
                streams.push(Stream::open(&Connection::open(url).await?, everything).await?);
            }
        }
        let writer = |index: usize| Writer {
            client: keys::client(&connections[index % connections.len()]),
            first: round * share,
            keys: options.keys,
            key_size: clients.key_size,
            value: value.clone(),
        };
        let writers: Vec<Writer> = (0..clients.clients as usize).map(writer).collect();
        let meter = Meter::start(&servers.processes);
        let counts = drive(writers, share, &indicatif::ProgressBar::hidden()).await?;
        let measured = meter.stop(counts);
        bar.inc(share);
        if streams.is_empty() { without.push(measured) } else { beside.push(measured) }
    }
    bar.finish_and_clear();
    if !clients.keep && servers.cluster.is_none() {
        clean(&connections[0]).await;
    }
    Ok([together(without), together(beside)])
}

/// Several rounds as one.
fn together(rounds: Vec<Measured>) -> Measured {
    let mut rounds = rounds.into_iter();
    let first = rounds.next().expect("there are rounds");
    rounds.fold(first, Measured::and)
}

struct Writer {
    client: KvClient<Connection>,
    first: u64,
    keys: u64,
    key_size: u16,
    value: Bytes,
}

impl Asker for Writer {
    async fn ask(&mut self, number: u64) -> Result<(), Status> {
        let key = key((self.first + number) % self.keys, self.key_size);
        self.client.put(PutRequest { key, value: self.value.clone(), ..Default::default() }).await.map(drop)
    }
}
