//! Puts, ranges and transactions.

use super::connection::Connection;
use super::drive::{Asker, drive};
use super::fill::fill;
use super::keys::{self, clean, key};
use super::servers::{Servers, whose};
use crate::bench::measured::{Measured, Meter};
use crate::bench::progress;
use crate::cli::etcd::{Clients, Consistency, Requests};
use bytes::Bytes;
use etcd::pb::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use etcd::pb::etcdserverpb::kv_client::KvClient;
use etcd::pb::etcdserverpb::{Compare, PutRequest, RangeRequest, RequestOp, TxnRequest, request_op};
use serde_json::{Value, json};
use tonic::Status;

/// Connections that clients share, if they are not told how many.
const CONNECTIONS_MAX: u32 = 100;
/// How many keys a transaction has with which the keys are made that are read; etcd takes 128.
const BATCH: u16 = 100;

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Put,
    Range(Consistency),
    Txn,
}

impl Kind {
    fn name(&self) -> &'static str {
        match self {
            Kind::Put => "put",
            Kind::Range(Consistency::Linearizable) => "linearizable range",
            Kind::Range(Consistency::Serializable) => "serializable range",
            Kind::Txn => "txn",
        }
    }
}

pub(super) async fn measure(kind: &Kind, options: &Requests) -> Result<String, String> {
    let servers = Servers::find(&options.servers, 3, &[]).await?;
    let measured = with(kind, options, &servers).await;
    servers.end().await;
    let measured = measured?;
    Ok(if options.servers.json { told_json(kind, options, &measured) } else { told(kind, options, &measured) })
}

async fn with(kind: &Kind, options: &Requests, servers: &Servers) -> Result<Measured, String> {
    let clients = &options.clients;
    let connections = connect(&servers.urls, clients.clients, clients.connections).await?;
    let value = Bytes::from(vec![b'x'; clients.value_size]);
    if matches!(kind, Kind::Range(_)) {
        fill(&connections, options.keys, clients.key_size, &value, BATCH, &progress(options.keys)).await?;
    }
    let askers = (0..clients.clients as usize).map(|index| One {
        kind: kind.clone(),
        client: keys::client(&connections[index % connections.len()]),
        keys: options.keys,
        key_size: clients.key_size,
        value: value.clone(),
        own: key(index as u64, clients.key_size),
        written: 0,
    });
    let askers: Vec<One> = askers.collect();
    let bar = progress(options.total);
    let meter = Meter::start(&servers.processes);
    let counts = drive(askers, options.total, &bar).await?;
    let measured = meter.stop(counts);
    bar.finish_and_clear();
    if !clients.keep && servers.cluster.is_none() {
        clean(&connections[0]).await;
    }
    Ok(measured)
}

/// One connection a client, or as many as were asked for; each has answered before it is measured.
pub(super) async fn connect(urls: &[String], clients: u32, connections: Option<u32>) -> Result<Vec<Connection>, String> {
    let count = connections.unwrap_or(clients.min(CONNECTIONS_MAX)).min(clients);
    let connections = Connection::many(urls, count as usize).await?;
    for connection in &connections {
        let any = RangeRequest { key: "quorate-bench".into(), serializable: true, ..Default::default() };
        keys::client(connection).range(any).await.map_err(|status| format!("{}: {}", connection.address(), status.message()))?;
    }
    Ok(connections)
}

/// One client.
struct One {
    kind: Kind,
    client: KvClient<Connection>,
    keys: u64,
    key_size: u16,
    value: Bytes,
    /// The key that nobody else writes, for transactions.
    own: Bytes,
    /// The revision at which it was written last.
    written: i64,
}

impl Asker for One {
    async fn ask(&mut self, number: u64) -> Result<(), Status> {
        match self.kind {
            Kind::Put => {
                let put =
                    PutRequest { key: key(number % self.keys, self.key_size), value: self.value.clone(), ..Default::default() };
                self.client.put(put).await.map(drop)
            }
            Kind::Range(consistency) => {
                // Any order will do that does not follow the keys': this is Knuth's multiplicative hash.
                let number = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
                let range = RangeRequest {
                    key: key(number % self.keys, self.key_size),
                    serializable: consistency == Consistency::Serializable,
                    ..Default::default()
                };
                let answer = self.client.range(range).await?;
                if answer.get_ref().kvs.len() == 1 { Ok(()) } else { Err(Status::not_found("the key was not found")) }
            }
            Kind::Txn => self.compare_and_set().await,
        }
    }
}

impl One {
    /// As Kubernetes writes: only if nobody else has written since.
    async fn compare_and_set(&mut self) -> Result<(), Status> {
        let compare = Compare {
            result: CompareResult::Equal.into(),
            target: CompareTarget::Mod.into(),
            key: self.own.clone(),
            target_union: Some(TargetUnion::ModRevision(self.written)),
            ..Default::default()
        };
        let put = PutRequest { key: self.own.clone(), value: self.value.clone(), ..Default::default() };
        let get = RangeRequest { key: self.own.clone(), ..Default::default() };
        let request = TxnRequest {
            compare: vec![compare],
            success: vec![RequestOp { request: Some(request_op::Request::RequestPut(put)) }],
            failure: vec![RequestOp { request: Some(request_op::Request::RequestRange(get)) }],
        };
        let answer = self.client.txn(request).await?.into_inner();
        if answer.succeeded {
            self.written = answer.header.map_or(0, |header| header.revision);
            return Ok(());
        }
        // It was there from an earlier run: the next attempt knows.
        self.written = answer.responses.iter().find_map(found).unwrap_or(0);
        Err(Status::aborted("somebody else has written the key"))
    }
}

fn found(response: &etcd::pb::etcdserverpb::ResponseOp) -> Option<i64> {
    match response.response.as_ref()? {
        etcd::pb::etcdserverpb::response_op::Response::ResponseRange(range) => Some(range.kvs.first()?.mod_revision),
        _ => None,
    }
}

fn told(kind: &Kind, options: &Requests, measured: &Measured) -> String {
    let clients = &options.clients;
    format!(
        "{} x {}: {}, {} bytes a value\n\n{}",
        measured.requests(),
        kind.name(),
        told_clients(clients),
        clients.value_size,
        measured.text("request", "requests")
    )
}

/// "100 clients over 10 connections"
pub(super) fn told_clients(clients: &Clients) -> String {
    let connections = clients.connections.unwrap_or(clients.clients.min(CONNECTIONS_MAX)).min(clients.clients);
    let plural = |count: u32, what: &str| if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") };
    format!("{} over {}", plural(clients.clients, "client"), plural(connections, "connection"))
}

fn told_json(kind: &Kind, options: &Requests, measured: &Measured) -> String {
    let mut object = measured.json();
    let clients = &options.clients;
    for (what, value) in [
        ("load", json!(kind.name())),
        ("peer", json!(whose(&options.servers))),
        ("clients", json!(clients.clients)),
        ("connections", json!(clients.connections.unwrap_or(clients.clients.min(CONNECTIONS_MAX)).min(clients.clients))),
        ("value_size", json!(clients.value_size)),
        ("key_size", json!(clients.key_size)),
        ("keys", json!(options.keys)),
    ] {
        object.insert(what.to_owned(), value);
    }
    format!("{}\n", Value::Object(object))
}
