//! Keys that are written and watched: how soon the watchers are told, and how many of them.

use super::connection::Connection;
use super::drive::{Asker, drive};
use super::keys::{self, clean, key};
use super::requests::{connect, told_clients};
use super::servers::{Servers, whose};
use super::streams::{Stream, dealt};
use crate::bench::measured::{Counts, Measured, Meter};
use crate::bench::progress;
use crate::cli::etcd::Watch;
use bytes::{BufMut, Bytes, BytesMut};
use etcd::pb::etcdserverpb::PutRequest;
use etcd::pb::etcdserverpb::kv_client::KvClient;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tonic::Status;

/// How long nothing has to come before what is missing is said to be lost.
const SILENCE: Duration = Duration::from_secs(10);
/// How many connections the streams share at most.
const CONNECTIONS_MAX: usize = 100;

pub(super) async fn measure(options: &Watch) -> Result<String, String> {
    let servers = Servers::find(&options.servers, 3, &[]).await?;
    let told = with(options, &servers).await;
    servers.end().await;
    told
}

async fn with(options: &Watch, servers: &Servers) -> Result<String, String> {
    let clients = &options.clients;
    let watching = Connection::many(&servers.urls, (options.streams as usize).min(CONNECTIONS_MAX)).await?;
    let begin = Instant::now();
    let seen = Rc::new(Seen { counts: RefCell::new(Counts::new()), news: Notify::new() });
    let mut readers = Vec::new();
    for (index, watchers) in dealt(options.watchers, options.streams).into_iter().enumerate() {
        let watched = watchers.iter().map(|watcher| (key(u64::from(*watcher) % options.keys, clients.key_size), Bytes::new()));
        let stream = Stream::open(&watching[index % watching.len()], watched.collect()).await?;
        readers.push(tokio::task::spawn_local(read(stream, begin, Rc::clone(&seen))));
    }
    let connections = connect(&servers.urls, clients.clients, clients.connections).await?;
    let writer = |index: usize| Writer {
        client: keys::client(&connections[index % connections.len()]),
        keys: options.keys,
        key_size: clients.key_size,
        value_size: clients.value_size,
        begin,
    };
    let writers: Vec<Writer> = (0..clients.clients as usize).map(writer).collect();
    let bar = progress(options.total);
    let (put_meter, event_meter) = (Meter::start(&servers.processes), Meter::start(&servers.processes));
    let puts = put_meter.stop(drive(writers, options.total, &bar).await?);
    let expected = expected(options);
    while seen.received() < expected {
        let before = seen.received();
        // Whatever comes in between is seen by the next look.
        let _ = tokio::time::timeout(SILENCE, seen.wait(expected)).await;
        if seen.received() == before {
            break;
        }
    }
    let events = event_meter.stop(seen.counts.borrow().clone());
    bar.finish_and_clear();
    readers.iter().for_each(tokio::task::JoinHandle::abort);
    if !clients.keep && servers.cluster.is_none() {
        clean(&connections[0]).await;
    }
    // A put that failed may have been done or not.
    let missing = if puts.counts.failed == 0 { expected.saturating_sub(events.requests()) } else { 0 };
    Ok(if options.servers.json { told_json(options, &puts, &events, missing) } else { told(options, &puts, &events, missing) })
}

/// How many events the watchers are to be told.
fn expected(options: &Watch) -> u64 {
    let (watchers, total) = (u64::from(options.watchers), options.total);
    let share = |count: u64, key: u64| count / options.keys + u64::from(key < count % options.keys);
    (0..options.keys.min(watchers)).map(|key| share(watchers, key) * share(total, key)).sum()
}

/// What all watchers have been told.
struct Seen {
    counts: RefCell<Counts>,
    news: Notify,
}

impl Seen {
    fn received(&self) -> u64 {
        self.counts.borrow().latency.len()
    }

    async fn wait(&self, expected: u64) {
        while self.received() < expected {
            self.news.notified().await;
        }
    }
}

/// Reads until it is aborted; each value says when it was sent.
async fn read(mut stream: Stream, begin: Instant, seen: Rc<Seen>) {
    while let Ok(Some(response)) = stream.responses.message().await {
        let now = begin.elapsed();
        let mut counts = seen.counts.borrow_mut();
        for event in &response.events {
            let sent = event.kv.as_ref().and_then(|kv| kv.value.first_chunk()).map(|bytes| u64::from_be_bytes(*bytes));
            counts.took(now.saturating_sub(Duration::from_nanos(sent.unwrap_or(0))));
        }
        drop(counts);
        seen.news.notify_one();
    }
}

struct Writer {
    client: KvClient<Connection>,
    keys: u64,
    key_size: u16,
    value_size: usize,
    begin: Instant,
}

impl Asker for Writer {
    async fn ask(&mut self, number: u64) -> Result<(), Status> {
        let mut value = BytesMut::with_capacity(self.value_size.max(8));
        value.put_u64(u64::try_from(self.begin.elapsed().as_nanos()).unwrap_or(u64::MAX));
        value.put_bytes(b'x', self.value_size.saturating_sub(8));
        let put = PutRequest { key: key(number % self.keys, self.key_size), value: value.freeze(), ..Default::default() };
        self.client.put(put).await.map(drop)
    }
}

fn told(options: &Watch, puts: &Measured, events: &Measured, missing: u64) -> String {
    let mut text = format!(
        "{} watchers on {} streams, {} keys; {} puts by {}\n\nputs\n{}\nevents, from the put's sending to the watcher\n{}",
        options.watchers,
        options.streams.min(options.watchers),
        options.keys,
        options.total,
        told_clients(&options.clients),
        puts.text("put", "puts"),
        events.text("event", "events")
    );
    if missing > 0 {
        text += &format!("\n{missing} events never came\n");
    }
    text
}

fn told_json(options: &Watch, puts: &Measured, events: &Measured, missing: u64) -> String {
    let object = json!({
        "load": "watch",
        "peer": whose(&options.servers),
        "watchers": options.watchers,
        "streams": options.streams.min(options.watchers),
        "keys": options.keys,
        "clients": options.clients.clients,
        "puts": Value::Object(puts.json()),
        "events": Value::Object(events.json()),
        "missing": missing,
    });
    format!("{object}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{self, Cli, Command};
    use clap::Parser;

    #[test]
    fn as_many_events_are_expected_as_watchers_are_told() {
        for (line, count) in [
            ("--watchers 10 --keys 10 --total 100", 100),
            ("--watchers 10 --keys 1 --total 7", 70),
            ("--watchers 3 --keys 10 --total 25", 9),
            ("--watchers 5 --keys 3 --total 4", 2 * 2 + 2 + 1),
        ] {
            let words = format!("quorate bench etcd watch {line}");
            let Command::Bench { action: cli::Bench::Etcd { load: cli::etcd::Load::Watch(options) } } =
                Cli::parse_from(words.split(' ')).command
            else {
                panic!("{line} is a watch");
            };
            assert_eq!(expected(&options), count, "{line}");
        }
    }
}
