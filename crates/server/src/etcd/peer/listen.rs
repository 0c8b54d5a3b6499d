//! The peer port.
//!
//! What it answers, and how it refuses, is etcd's to the letter: Go members match the texts, and take 410 on a stream and 403 on
//! a POST for "you were removed", upon which they stop. "Unknown yet" is therefore always 404.

use super::super::budget::Budget;
use super::super::clock::wall;
use super::super::codec;
use super::super::lessor::Lessor;
use super::super::listen::descriptors;
use super::super::status::Board;
use super::super::view::MembershipView;
use super::identity::incarnation;
use super::stream::StreamBody;
use super::watchdog::{Verdict, Watched};
use super::{Transport, body, hash, lease, snapshot};
use bytes::Bytes;
use consensus::NodeId;
use etcd::bootstrap::FIRST_TERM;
use etcd::json::{self, Member, Probe, Versions};
use etcd::peer::http::{
    CLUSTER_ID, HASH_KV, LEASES, LEASES_INTERNAL, MEMBERS, PROBING, PROTOBUF, RAFT, RAFT_TO, Refusal, SNAPSHOT, Stream, TAKEN,
    VERSION,
};
use etcd::peer::{Received, message};
use etcd::version::{SERVER, UNDECIDED};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tracing::{debug, warn};

/// An idle connection is closed after so long, as in etcd.
const IDLE: Duration = Duration::from_secs(5);

/// How long the cluster may take to agree on who is a member. Whoever asks waits a second.
const AGREEING: Duration = Duration::from_millis(900);

/// What the peer port answers with.
type Answer = Response<Either<Full<Bytes>, StreamBody>>;

/// What a request to the peer port may need.
pub(crate) struct PeerPort {
    transport: Arc<Transport>,
    membership: Arc<dyn MembershipView>,
    snapshots: Arc<dyn snapshot::Receiver>,
    board: Board,
    lessor: Lessor,
    unread: Budget,
}

impl PeerPort {
    pub(crate) fn new(
        transport: Arc<Transport>,
        membership: Arc<dyn MembershipView>,
        snapshots: Arc<dyn snapshot::Receiver>,
        board: Board,
        lessor: Lessor,
    ) -> PeerPort {
        PeerPort { transport, membership, snapshots, board, lessor, unread: body::budget() }
    }
}

/// Keeps peers waiting until the member has found out who it is.
#[derive(Default)]
pub(crate) struct Gate {
    port: OnceLock<PeerPort>,
    unborn: AtomicBool,
}

impl Gate {
    /// This member has an empty folder: until it has founded a cluster, it knows no members, and says so to whoever asks.
    pub(crate) fn say_unborn(&self) {
        self.unborn.store(true, Ordering::Relaxed);
    }

    /// From now on peers are served.
    pub(crate) fn open(&self, port: PeerPort) {
        // A second opening would be of the same port.
        let _ = self.port.set(port);
    }
}

/// Serves the peer port, for ever.
pub(crate) async fn serve(listener: TcpListener, port: Arc<Gate>) {
    let places = descriptors::for_peers();
    loop {
        let place = places.clone().acquire_owned().await.expect("never closed");
        match listener.accept().await {
            Ok((socket, _)) => {
                let conversation = converse(socket, port.clone());
                tokio::spawn(async move {
                    let _place = place;
                    conversation.await;
                });
            }
            Err(error) => {
                // Out of file descriptors, most likely: they come back.
                warn!(%error, "could not accept a peer's connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn converse(socket: TcpStream, gate: Arc<Gate>) {
    if let Err(error) = socket.set_nodelay(true) {
        debug!(%error, "a peer's connection went as it came");
        return;
    }
    let socket = Watched::new(socket);
    let verdict = socket.verdict();
    let service = service_fn(move |request| {
        let (gate, verdict) = (gate.clone(), verdict.clone());
        async move {
            let unborn = gate.unborn.load(Ordering::Relaxed);
            Ok::<_, Infallible>(match gate.port.get() {
                Some(port) => answer(request, port, verdict).await,
                None if unborn && request.uri().path() == MEMBERS => in_json("[]\n".to_owned()),
                // Members that start together ask each other at once whether they are known: silence would cost them a second.
                None => text(StatusCode::SERVICE_UNAVAILABLE, "this member is starting\n".to_owned()),
            })
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(IDLE);
    if let Err(error) = http.serve_connection(TokioIo::new(socket), service).await {
        debug!(%error, "a peer's connection ended");
    }
}

async fn answer(request: Request<Incoming>, port: &PeerPort, verdict: Verdict) -> Answer {
    let identity = &port.transport.shared.identity;
    let (path, method) = (request.uri().path(), request.method());
    match (path, method) {
        (RAFT, &Method::POST) => identified(port, false, post(request, port).await),
        (SNAPSHOT, &Method::POST) => identified(port, false, snapshot_post(request, port).await),
        (PROBING, _) => in_json(json::to_string(&Probe { ok: true, now: json::rfc3339(wall().0) }) + "\n"),
        (LEASES | LEASES_INTERNAL, &Method::POST) => about_lease(request, port).await,
        (MEMBERS, &Method::GET) => identified(port, false, members(port).await),
        (VERSION, &Method::GET) => in_json(version(port).await),
        (HASH_KV, &Method::GET) => hash_kv(request, port).await,
        (RAFT | SNAPSHOT | LEASES | LEASES_INTERNAL, _) => wrong_method("POST"),
        (MEMBERS | VERSION | HASH_KV, _) => wrong_method("GET"),
        _ if path.starts_with("/raft/stream/") => match *method {
            Method::GET => {
                let answer = stream(&request, port, verdict).await;
                let mut answer = answer.map_or_else(refuse, |body| Response::new(Either::Right(body)));
                identity.put_on_answer(answer.headers_mut(), true);
                answer
            }
            _ => wrong_method("GET"),
        },
        _ => text(StatusCode::NOT_FOUND, "404 page not found\n".to_owned()),
    }
}

fn identified(port: &PeerPort, stream: bool, mut answer: Answer) -> Answer {
    port.transport.shared.identity.put_on_answer(answer.headers_mut(), stream);
    answer
}

/// A message in a request of its own.
async fn post(request: Request<Incoming>, port: &PeerPort) -> Answer {
    if let Err(refusal) = port.transport.shared.identity.check(request.headers()) {
        return refuse(refusal);
    }
    let incarnation = incarnation(request.headers());
    match body::whole(request.into_body(), &port.unread).await {
        None => refuse(Refusal::Unreadable),
        Some(body) => posted(&body, incarnation, port).await.map_or_else(refuse, |()| taken()),
    }
}

async fn posted(body: &[u8], incarnation: u64, port: &PeerPort) -> Result<(), Refusal> {
    // Whose connection it is matters only to a type that does not name its sender, and that one is answered by streams.
    let envelope = match message::decode(NodeId(0), body).map_err(|_| Refusal::Undecodable)? {
        Received::LinkHeartbeat | Received::Ignored { .. } => return Ok(()),
        Received::Message(envelope) => envelope,
    };
    // A stranger, or a message for somebody else. Go means 403 here and, by an accident of its types, answers 500.
    let peer = port.transport.peer(envelope.from).filter(|_| port.transport.shared.takes(&envelope));
    let peer = peer.ok_or(Refusal::NotProcessed)?;
    port.transport.shared.metrics.peer_received(peer.id).inc_by(body.len() as u64);
    if let Err(why) = codec::check(&envelope.message) {
        port.transport.shared.metrics.peer_receive_failed(peer.id);
        debug!(peer = %peer.id, %why, "did not take an entry into the log that could not be applied here");
        return Err(Refusal::Undecodable);
    }
    peer.link.deliver_posted(envelope, incarnation).await;
    Ok(())
}

/// A stream that the peer opens, to read from it.
async fn stream(request: &Request<Incoming>, port: &PeerPort, verdict: Verdict) -> Result<StreamBody, Refusal> {
    let shared = &port.transport.shared;
    shared.identity.check(request.headers())?;
    let (stream, from) = Stream::parse(request.uri().path())?;
    let Some(peer) = port.transport.peer(from) else {
        let removed = port.membership.members().await.is_some_and(|members| members.removed.contains(&from.0));
        return Err(if removed { Refusal::Removed } else { Refusal::SenderNotFound });
    };
    let to = request.headers().get(RAFT_TO).and_then(|to| to.to_str().ok());
    if to != Some(shared.identity.me.to_string().as_str()) {
        return Err(Refusal::ToMismatch);
    }
    debug!(peer = %from, ?stream, "a peer opened a stream");
    Ok(StreamBody::new(shared.clone(), peer.clone(), stream, incarnation(request.headers()), verdict))
}

async fn snapshot_post(request: Request<Incoming>, port: &PeerPort) -> Answer {
    if let Err(refusal) = port.transport.shared.identity.check(request.headers()) {
        return refuse(refusal);
    }
    match snapshot::receive(request, &port.transport, &*port.snapshots).await {
        Ok(()) => taken(),
        Err(refused) => {
            warn!(%refused, "did not take a peer's snapshot");
            text(refused.status(), format!("{refused}\n"))
        }
    }
}

/// A question about a lease, from a member that does not lead.
async fn about_lease(request: Request<Incoming>, port: &PeerPort) -> Answer {
    let internal = request.uri().path() == LEASES_INTERNAL;
    let Some(body) = body::whole(request.into_body(), &port.unread).await else {
        return text(StatusCode::BAD_REQUEST, "error reading body\n".to_owned());
    };
    let said = if internal { lease::looked(body, &port.lessor).await } else { lease::renewed(body, &port.lessor).await };
    match said {
        Ok(body) => {
            let mut answer = Response::new(Either::Left(Full::new(body)));
            answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROTOBUF));
            answer
        }
        Err((status, words)) => text(status, words.to_owned()),
    }
}

/// Who is a member. Until a first leader is elected that is what this member was told; from then on what all agree on. What happens to
/// be applied here would not do: somebody who lost its disk could take the word of a member that has just been restarted, and has yet
/// to apply the end of what it knew, for never having been here.
async fn members(port: &PeerPort) -> Answer {
    let members = if port.board.status().epoch > FIRST_TERM {
        tokio::time::timeout(AGREEING, port.membership.agreed_members()).await.ok().flatten()
    } else {
        port.membership.members().await
    };
    match members {
        Some(members) => {
            let members: Vec<Member> = members.members.into_iter().map(Member::from).collect();
            in_json(json::to_string(&members) + "\n")
        }
        None => text(StatusCode::SERVICE_UNAVAILABLE, "etcdserver: no leader\n".to_owned()),
    }
}

/// The checksum of the history here, by which members compare themselves.
async fn hash_kv(request: Request<Incoming>, port: &PeerPort) -> Answer {
    let identity = &port.transport.shared.identity;
    // Whoever does not say which cluster it means may be anybody: an operator with curl.
    let said = request.headers().get(CLUSTER_ID).map(|id| id.to_str().unwrap_or(""));
    if said.is_some_and(|id| !id.is_empty() && id != format!("{:x}", identity.cluster)) {
        return refuse(Refusal::ClusterIdMismatch);
    }
    let Some(body) = body::whole(request.into_body(), &port.unread).await else {
        return text(StatusCode::BAD_REQUEST, "error reading body\n".to_owned());
    };
    let Some(revision) = hash::asked(&body) else {
        return text(StatusCode::BAD_REQUEST, "error unmarshalling request\n".to_owned());
    };
    match port.membership.hash_kv(revision).await {
        Some(Ok(hash)) => identified(port, false, in_json(hash::answer(&hash))),
        Some(Err(error)) => text(StatusCode::BAD_REQUEST, format!("{}\n", hash::words(&error))),
        None => text(StatusCode::SERVICE_UNAVAILABLE, "etcdserver: too many requests\n".to_owned()),
    }
}

async fn version(port: &PeerPort) -> String {
    let cluster = port.membership.cluster_version().await.unwrap_or_else(|| UNDECIDED.to_owned());
    json::to_string(&Versions { server: SERVER.to_owned(), cluster })
}

fn taken() -> Answer {
    let mut answer = Response::new(Either::Left(Full::default()));
    *answer.status_mut() = StatusCode::from_u16(TAKEN).expect("a status");
    answer
}

fn in_json(text: String) -> Answer {
    let mut answer = Response::new(Either::Left(Full::from(text)));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

fn wrong_method(allowed: &'static str) -> Answer {
    let mut answer = refuse(Refusal::MethodNotAllowed);
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    answer
}

fn refuse(refusal: Refusal) -> Answer {
    text(StatusCode::from_u16(refusal.status()).expect("a status"), refusal.body().to_owned())
}

/// As Go's http.Error writes it.
fn text(status: StatusCode, words: String) -> Answer {
    let mut answer = Response::new(Either::Left(Full::from(words)));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    answer
}
