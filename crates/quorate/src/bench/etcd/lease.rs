//! Leases: grants, then keep-alives.

use super::connection::Connection;
use super::drive::{Asker, drive};
use super::requests::connect;
use super::servers::{Servers, whose};
use crate::bench::measured::Meter;
use crate::bench::progress;
use crate::cli::etcd::Lease;
use etcd::pb::etcdserverpb::lease_client::LeaseClient;
use etcd::pb::etcdserverpb::{
    LeaseGrantRequest, LeaseKeepAliveRequest, LeaseKeepAliveResponse, LeaseLeasesRequest, LeaseRevokeRequest,
};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::rc::Rc;
use tokio::sync::mpsc;
use tonic::codegen::tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

/// Longer than the bench.
const TTL: i64 = 3600;

pub(super) async fn measure(options: &Lease) -> Result<String, String> {
    let servers = Servers::find(&options.servers, 3, &[]).await?;
    let told = with(options, &servers).await;
    servers.end().await;
    told
}

async fn with(options: &Lease, servers: &Servers) -> Result<String, String> {
    let connections = connect(&servers.urls, options.clients, options.connections).await?;
    let at = |index: usize| client(&connections[index % connections.len()]);
    let granted = Rc::new(RefCell::new(Vec::new()));
    let clients = 0..options.clients as usize;
    let granters: Vec<Granter> =
        clients.clone().map(|index| Granter { client: at(index), granted: Rc::clone(&granted) }).collect();
    let bar = progress(u64::from(options.leases));
    let meter = Meter::start(&servers.processes);
    let counts = drive(granters, u64::from(options.leases), &bar).await?;
    let grants = meter.stop(counts);
    bar.finish_and_clear();

    let leases: Rc<[i64]> = granted.borrow().as_slice().into();
    let mut keepers = Vec::new();
    for index in clients.clone() {
        keepers.push(Keeper::open(at(index), Rc::clone(&leases)).await.map_err(|status| status.message().to_owned())?);
    }
    let bar = progress(options.total);
    let meter = Meter::start(&servers.processes);
    let counts = drive(keepers, options.total, &bar).await?;
    let keep_alives = meter.stop(counts);
    bar.finish_and_clear();

    if servers.cluster.is_none() {
        let revokers = clients.map(|index| Revoker { client: at(index), leases: Rc::clone(&leases) }).collect();
        let revoked = drive(revokers, leases.len() as u64, &indicatif::ProgressBar::hidden()).await;
        if revoked.is_err() || revoked.is_ok_and(|counts| counts.failed > 0) {
            eprintln!("quorate bench: some leases are left there; they end within {TTL} s");
        }
    } else {
        confirm(&connections[0], leases.len()).await?;
    }
    Ok(if options.servers.json {
        let object = json!({
            "load": "lease",
            "peer": whose(&options.servers),
            "clients": options.clients,
            "leases": options.leases,
            "grants": Value::Object(grants.json()),
            "keep_alives": Value::Object(keep_alives.json()),
        });
        format!("{object}\n")
    } else {
        format!(
            "{} clients over {} connections\n\n{} grants\n{}\n{} keep-alives\n{}",
            options.clients,
            connections.len(),
            grants.requests(),
            grants.text("grant", "grants"),
            keep_alives.requests(),
            keep_alives.text("keep-alive", "keep-alives")
        )
    })
}

/// What was measured must have happened.
async fn confirm(connection: &Connection, granted: usize) -> Result<(), String> {
    let listed = client(connection).lease_leases(LeaseLeasesRequest {}).await.map_err(|status| status.message().to_owned())?;
    match listed.get_ref().leases.len() {
        count if count == granted => Ok(()),
        count => Err(format!("{granted} leases were granted, and {count} are there")),
    }
}

fn client(connection: &Connection) -> LeaseClient<Connection> {
    LeaseClient::with_origin(connection.clone(), connection.origin()).max_decoding_message_size(usize::MAX)
}

struct Granter {
    client: LeaseClient<Connection>,
    granted: Rc<RefCell<Vec<i64>>>,
}

impl Asker for Granter {
    async fn ask(&mut self, _: u64) -> Result<(), Status> {
        let answer = self.client.lease_grant(LeaseGrantRequest { ttl: TTL, id: 0 }).await?;
        self.granted.borrow_mut().push(answer.get_ref().id);
        Ok(())
    }
}

struct Keeper {
    requests: mpsc::Sender<LeaseKeepAliveRequest>,
    answers: Streaming<LeaseKeepAliveResponse>,
    leases: Rc<[i64]>,
}

impl Keeper {
    async fn open(mut client: LeaseClient<Connection>, leases: Rc<[i64]>) -> Result<Keeper, Status> {
        let (requests, sent) = mpsc::channel(1);
        // A member may be silent on a stream until it has been asked.
        let first = LeaseKeepAliveRequest { id: leases.first().copied().unwrap_or(0) };
        requests.send(first).await.expect("the other end is here");
        let mut answers = client.lease_keep_alive(ReceiverStream::new(sent)).await?.into_inner();
        answers.message().await?;
        Ok(Keeper { requests, answers, leases })
    }
}

impl Asker for Keeper {
    async fn ask(&mut self, number: u64) -> Result<(), Status> {
        let id = self.leases[usize::try_from(number).unwrap_or(0) % self.leases.len()];
        let ended = || Status::unavailable("the member ended the stream");
        self.requests.send(LeaseKeepAliveRequest { id }).await.map_err(|_| ended())?;
        match self.answers.message().await?.ok_or_else(ended)? {
            answer if answer.ttl > 0 && answer.id == id => Ok(()),
            _ => Err(Status::not_found("the lease was not there")),
        }
    }
}

struct Revoker {
    client: LeaseClient<Connection>,
    leases: Rc<[i64]>,
}

impl Asker for Revoker {
    async fn ask(&mut self, number: u64) -> Result<(), Status> {
        let id = self.leases[usize::try_from(number).expect("it is below their number")];
        self.client.lease_revoke(LeaseRevokeRequest { id }).await.map(drop)
    }
}
