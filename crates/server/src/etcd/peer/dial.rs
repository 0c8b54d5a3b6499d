//! The streams that this member opens to another, to read what the other has to say.

use super::super::address::{authority, connect};
use super::super::codec;
use super::framing::Decoder;
use super::identity::incarnation;
use super::link::{End, Standing};
use super::{Peer, Shared};
use bytes::Bytes;
use consensus::NodeId;
use etcd::Malformed;
use etcd::peer::Received;
use etcd::peer::http::{RAFT_TO, SERVER_VERSION, Stream};
use etcd::url::Url;
use etcd::version::Version;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use replica::Undecodable;
use std::io::ErrorKind;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{debug, info, warn};

/// At most so often is one stream dialled, as in etcd.
const REDIAL: Duration = Duration::from_millis(100);
/// A stream on which nothing arrives for so long is given up: link heartbeats come three times as often.
const SILENCE_MAX: Duration = Duration::from_secs(5);

/// Why a stream does not stand.
#[derive(Debug, thiserror::Error)]
enum DialError {
    #[error("https is not supported yet")]
    Secure,
    #[error("{0}")]
    Connect(std::io::Error),
    #[error("no connection within {0:?}")]
    TimedOut(Duration),
    #[error("{0}")]
    Http(hyper::Error),
    #[error("this member was removed from the cluster")]
    Removed,
    #[error("{status}: {text}")]
    Refused { status: StatusCode, text: String },
    #[error("the peer answers for version {0:?}, whose streams differ")]
    Version(String),
}

/// Keeps one stream to `peer` open, for ever.
pub(crate) async fn keep_reading(shared: Arc<Shared>, peer: Arc<Peer>, kind: Stream) {
    let mut last_error = String::new();
    for url in peer.urls.all().iter().cycle() {
        let next_dial = Instant::now() + REDIAL;
        match read_once(&shared, &peer, kind, url).await {
            Ok(()) => last_error.clear(),
            Err(error) => {
                if matches!(&error, DialError::Connect(error) if error.kind() == ErrorKind::ConnectionRefused) {
                    peer.link.dial_refused();
                }
                if matches!(error, DialError::Removed) {
                    shared.removed.notify_one();
                }
                // Each new reason once: a peer that is down for a day does not fill the log.
                let error = error.to_string();
                if error != last_error {
                    debug!(peer = %peer.id, stream = ?kind, %url, error, "could not open a stream");
                    last_error = error;
                }
            }
        }
        sleep_until(next_dial).await;
    }
}

/// Opens the stream and reads it to its end.
async fn read_once(shared: &Shared, peer: &Arc<Peer>, kind: Stream, url: &Url) -> Result<(), DialError> {
    if url.is_secure() {
        return Err(DialError::Secure);
    }
    let socket = timeout(shared.dial_timeout, connect(url))
        .await
        .map_err(|_| DialError::TimedOut(shared.dial_timeout))?
        .map_err(DialError::Connect)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await.map_err(DialError::Http)?;
    let request = request(shared, peer, kind, url);
    let mut reading = pin!(async move {
        let answer = timeout(SILENCE_MAX, sender.send_request(request))
            .await
            .map_err(|_| DialError::TimedOut(SILENCE_MAX))?
            .map_err(DialError::Http)?;
        let answer = accept(answer).await?;
        read(shared, peer, kind, answer).await;
        Ok(())
    });
    // The connection is driven from here, so that a frame's way from the socket to the replica wakes one task, not two. When it
    // ends, what it has read is still to be taken.
    tokio::select! {
        done = &mut reading => done,
        _ = connection => reading.await,
    }
}

fn request(shared: &Shared, peer: &Peer, kind: Stream, url: &Url) -> Request<Empty<Bytes>> {
    let mut request = Request::new(Empty::new());
    *request.uri_mut() = kind.path(shared.identity.me).parse().expect("hex digits make a path");
    let headers = request.headers_mut();
    shared.identity.put_on_request(headers);
    headers.insert(RAFT_TO, peer.id.to_string().parse().expect("hex digits make a header"));
    if let Ok(host) = authority(url).parse() {
        headers.insert(hyper::header::HOST, host);
    }
    request
}

/// Whether the peer agreed to the stream.
async fn accept(answer: Response<Incoming>) -> Result<Response<Incoming>, DialError> {
    // Before 3.0 streams spoke another way; the version decides even before the status (etcd's streamReader.dial).
    let version = answer.headers().get(SERVER_VERSION).and_then(|value| value.to_str().ok()).unwrap_or("2.0.0");
    if Version::parse(version).is_none_or(|version| version.major < 3) {
        return Err(DialError::Version(version.to_owned()));
    }
    match answer.status() {
        StatusCode::OK => Ok(answer),
        StatusCode::GONE => Err(DialError::Removed),
        status => {
            let text = Limited::new(answer.into_body(), 4096).collect().await.map(|body| body.to_bytes()).unwrap_or_default();
            Err(DialError::Refused { status, text: String::from_utf8_lossy(&text).trim_end().to_owned() })
        }
    }
}

/// Reads frames until the stream ends.
async fn read(shared: &Shared, peer: &Arc<Peer>, kind: Stream, answer: Response<Incoming>) {
    let standing = peer.link.stand(incarnation(answer.headers()));
    info!(peer = %peer.id, stream = ?kind, "reading from peer");
    let received = shared.metrics.peer_received(peer.id);
    let mut body = answer.into_body();
    let mut decoder = Decoder::new(kind, shared.identity.me, peer.id);
    let mut refused = Refusals::default();
    let end = loop {
        let data = match timeout(SILENCE_MAX, body.frame()).await {
            Err(_) => break End::Abandoned,
            Ok(None | Some(Err(_))) => break End::Closed,
            Ok(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
        };
        received.inc_by(data.len() as u64);
        decoder.feed(&data);
        match deliver(shared, &standing, &mut decoder, &mut refused).await {
            Ok(true) => {}
            Ok(false) => break End::Abandoned,
            Err(error) => {
                shared.metrics.peer_receive_failed(peer.id);
                warn!(peer = %peer.id, stream = ?kind, %error, "closing a stream that cannot be understood");
                break End::Abandoned;
            }
        }
    };
    info!(peer = %peer.id, stream = ?kind, ?end, "stream ended");
    standing.end(end);
}

/// Messages of one stream whose entries cannot be applied here.
#[derive(Default)]
struct Refusals {
    last: String,
}

impl Refusals {
    /// Each new reason is logged once: the leader sends the same entry again and again.
    fn note(&mut self, shared: &Shared, from: NodeId, why: &Undecodable) {
        shared.metrics.peer_receive_failed(from);
        if self.last != why.0 {
            warn!(peer = %from, %why, "did not take an entry into the log that could not be applied here");
            self.last.clone_from(&why.0);
        }
    }
}

/// Hands all whole messages over; false if the link was lost meanwhile.
async fn deliver(shared: &Shared, standing: &Standing, decoder: &mut Decoder, refused: &mut Refusals) -> Result<bool, Malformed> {
    while let Some(received) = decoder.next()? {
        match received {
            Received::LinkHeartbeat => {}
            Received::Ignored { kind } => debug!(kind, "ignored a message of a type that members do not send"),
            Received::Message(envelope) => {
                if !shared.takes(&envelope) {
                    continue;
                }
                if let Err(why) = codec::check(&envelope.message) {
                    // The stream stays: heartbeats may come over it.
                    refused.note(shared, envelope.from, &why);
                } else if !standing.deliver(envelope).await {
                    return Ok(false);
                }
            }
        }
    }
    Ok(true)
}
