//! Snapshots between members: one POST each.
//!
//! ```text
//! │ length: 8 │ raftpb.Message │ "QUORSNAP" │ content length: 8 │ content │ CRC-32C of the content: 4 │
//!  └─ as etcd has it, too ────┘ └─ ours, where etcd sends the file of its bbolt database ────────────┘
//! ```
//!
//! Numbers are big-endian. A Go member's database is no snapshot of ours, nor ours one of its: each side recognises the other
//! before it sends or takes any of it.

use super::super::view::Soon;
use super::http::{self, refusal, whole};
use super::identity::INCARNATION;
use super::{Peer, Transport};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use consensus::{NodeId, Snapshot};
use etcd::peer::http::{OCTET_STREAM, SNAPSHOT};
use etcd::peer::{Envelope, Received, frame};
use http_body_util::BodyExt;
use hyper::body::{Frame, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, StatusCode};
use raft::{Body, Message};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tracing::{info, warn};

const MAGIC: &[u8; 8] = b"QUORSNAP";
/// The longest message before a snapshot. Ours has nothing in it but positions and ids; a Go member's is not read at all.
const MESSAGE_BYTES_MAX: u64 = 1 << 20;
/// A transfer that does not get on for so long is given up.
const PATIENCE: Duration = Duration::from_secs(10);
/// Once all of it has left, the receiver may take so long to make it durable. A slow disk needs its time, and nothing is heard of it
/// meanwhile; a receiver that is gone is noticed by its connection.
const SETTLING: Duration = Duration::from_secs(300);
/// The progress of a sender that has handed everything over.
const HANDED_OVER: u64 = u64::MAX;

/// Takes snapshots to the disk.
pub(crate) trait Receiver: Send + Sync {
    /// Begins to take one; the reason if there cannot be another now.
    fn begin(&self, from: NodeId, snapshot: Snapshot) -> Result<Arriving, String>;
}

/// A snapshot on its way to the disk.
pub(crate) struct Arriving {
    /// Where its pieces go. Dropped before [`Piece::End`]: it is thrown away.
    pub(crate) pieces: mpsc::Sender<Piece>,
    /// What became of it, after [`Piece::End`].
    pub(crate) sealed: oneshot::Receiver<Result<Turn, String>>,
}

/// The turn of a snapshot that arrives: no other one is taken in until the replica has done with this one.
#[derive(Debug)]
pub(crate) struct Turn(#[expect(dead_code, reason = "held, and given back when dropped")] pub(crate) OwnedSemaphorePermit);

/// A piece of a snapshot.
#[derive(Debug)]
pub(crate) enum Piece {
    Content(Bytes),
    End,
}

/// Reads the newest snapshot from the disk.
pub(crate) trait Source: Send + Sync {
    /// Opens it; the reason if there is none that can be read.
    fn open(&self) -> Soon<'static, Result<Leaving, String>>;
}

/// A snapshot on its way from the disk.
pub(crate) struct Leaving {
    pub(crate) snapshot: Snapshot,
    pub(crate) bytes: u64,
    pub(crate) pieces: mpsc::Receiver<Result<Bytes, String>>,
}

/// Why a snapshot was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("wrong raft message type")]
    NoSnapshot,
    #[error("error processing raft message")]
    Stranger,
    #[error("failed to decode raft message ({0})")]
    Malformed(String),
    #[error("Quorate cannot take a snapshot of a Go etcd member yet: let a Quorate member lead while this one catches up")]
    Foreign,
    #[error("the snapshot was damaged on its way")]
    Damaged,
    #[error("the sender stopped in the middle of it")]
    Truncated,
    #[error("failed to save KV snapshot ({0})")]
    Disk(String),
}

impl Refused {
    /// Never 403 or 410, which Go members take for their removal.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Refused::NoSnapshot | Refused::Malformed(_) | Refused::Damaged | Refused::Truncated => StatusCode::BAD_REQUEST,
            Refused::Foreign => StatusCode::NOT_IMPLEMENTED,
            Refused::Stranger | Refused::Disk(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// Sends the newest snapshot to `peer`; true if it has it whole.
pub(crate) async fn send(transport: Arc<Transport>, to: NodeId, message: Message, source: Arc<dyn Source>) -> bool {
    let Some(peer) = transport.peer(to) else { return false };
    match try_send(&transport, peer, message.term, &*source).await {
        Ok(snapshot) => {
            info!(%to, index = snapshot.position.index, "sent a snapshot");
            true
        }
        Err(why) => {
            warn!(%to, why, "could not send a snapshot");
            false
        }
    }
}

async fn try_send(transport: &Transport, peer: &Peer, term: u64, source: &dyn Source) -> Result<Snapshot, String> {
    if peer.link.incarnation() == 0 {
        return Err("it is a Go etcd member, to which Quorate cannot send snapshots yet".to_owned());
    }
    let Leaving { snapshot, bytes, mut pieces } = source.open().await?;
    let (picked, url) = peer.urls.pick().ok_or("it has no URL")?;
    let message = Message { term, body: Body::InstallSnapshot { snapshot: snapshot.clone() } };
    let mut head = BytesMut::new();
    frame::encode(&Envelope { from: transport.shared.identity.me, to: peer.id, message }, &mut head);
    head.put_slice(MAGIC);
    head.put_u64(bytes);

    let progress = Arc::new(AtomicU64::new(0));
    let (feed, fed) = mpsc::channel::<Result<Bytes, std::io::Error>>(1);
    let counter = progress.clone();
    tokio::spawn(async move {
        let mut sum = 0;
        let mut next = Some(Ok(head.freeze()));
        while let Some(piece) = next {
            counter.fetch_add(1, Ordering::Relaxed);
            if feed.send(piece.map_err(std::io::Error::other)).await.is_err() {
                return;
            }
            next = pieces.recv().await;
            if let Some(Ok(piece)) = &next {
                sum = crc32c::crc32c_append(sum, piece);
            }
        }
        if feed.send(Ok(Bytes::copy_from_slice(&sum.to_be_bytes()))).await.is_ok() {
            counter.store(HANDED_OVER, Ordering::Relaxed);
        }
    });
    let unanswered = |why: String| {
        // The next attempt is made at another.
        peer.urls.avoid(picked);
        format!("{url}: {why}")
    };
    let mut request =
        http::request(Method::POST, url, SNAPSHOT, Fed(fed).boxed_unsync()).map_err(|error| unanswered(error.to_string()))?;
    transport.shared.identity.put_on_request(request.headers_mut());
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(OCTET_STREAM));

    let asking = async { whole(transport.shared.client.ask(request).await?).await };
    let (head, body) = tokio::select! {
        answer = asking => answer.map_err(|error| unanswered(error.to_string()))?,
        waited = stalled(&progress, PATIENCE, SETTLING) => {
            return Err(unanswered(format!("nothing was heard of it for {waited:?}")));
        }
    };
    match head.status() {
        StatusCode::NO_CONTENT => Ok(snapshot),
        status => Err(refusal(status, &body)),
    }
}

/// A request body that is fed piece by piece.
struct Fed(mpsc::Receiver<Result<Bytes, std::io::Error>>);

impl hyper::body::Body for Fed {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}

/// Takes the snapshot that a peer sends, and tells the replica that it is here.
pub(crate) async fn receive(request: Request<Incoming>, transport: &Transport, receiver: &dyn Receiver) -> Result<(), Refused> {
    if !request.headers().contains_key(INCARNATION) {
        return Err(Refused::Foreign);
    }
    let mut body = Reading { body: request.into_body(), unread: BytesMut::new() };
    let envelope = body.message().await?;
    let Body::InstallSnapshot { snapshot } = &envelope.message.body else { return Err(Refused::NoSnapshot) };
    let Some(peer) = transport.peer(envelope.from).filter(|_| transport.shared.takes(&envelope)) else {
        return Err(Refused::Stranger);
    };
    if body.take(MAGIC.len()).await? != MAGIC.as_slice() {
        return Err(Refused::Foreign);
    }
    let Arriving { pieces, sealed } = receiver.begin(envelope.from, snapshot.clone()).map_err(Refused::Disk)?;
    let mut left = body.take(8).await?.get_u64();
    let mut sum = 0;
    while left > 0 {
        let piece = body.some(usize::try_from(left).unwrap_or(usize::MAX)).await?;
        left -= piece.len() as u64;
        sum = crc32c::crc32c_append(sum, &piece);
        // The other end goes away only when the disk failed, and says so in `sealed`.
        if pieces.send(Piece::Content(piece)).await.is_err() {
            break;
        }
    }
    if left == 0 {
        if body.take(4).await?.get_u32() != sum {
            return Err(Refused::Damaged);
        }
        let _ = pieces.send(Piece::End).await;
    }
    drop(pieces);
    let turn = match sealed.await {
        Ok(Ok(turn)) => turn,
        Ok(Err(why)) => return Err(Refused::Disk(why)),
        Err(_) => return Err(Refused::Disk("the member is stopping".to_owned())),
    };
    info!(from = %envelope.from, index = snapshot.position.index, "received a snapshot");
    peer.link.snapshot_arrived(envelope, turn);
    Ok(())
}

/// The body of a request, read to measure.
struct Reading {
    body: Incoming,
    unread: BytesMut,
}

impl Reading {
    async fn message(&mut self) -> Result<Envelope, Refused> {
        let mut decoder = frame::Decoder::with_limit(NodeId(0), MESSAGE_BYTES_MAX);
        let received = loop {
            if let Some(received) = decoder.next().map_err(|error| Refused::Malformed(error.to_string()))? {
                break received;
            }
            decoder.feed(&self.some(usize::MAX).await?);
        };
        self.unread = decoder.into_rest();
        match received {
            Received::Message(envelope) => Ok(envelope),
            _ => Err(Refused::NoSnapshot),
        }
    }

    /// At least one byte and at most `most`.
    async fn some(&mut self, most: usize) -> Result<Bytes, Refused> {
        while self.unread.is_empty() {
            match tokio::time::timeout(PATIENCE, self.body.frame()).await {
                Ok(Some(Ok(frame))) => self.unread.extend_from_slice(&frame.into_data().unwrap_or_default()),
                _ => return Err(Refused::Truncated),
            }
        }
        let most = most.min(self.unread.len());
        Ok(self.unread.split_to(most).freeze())
    }

    /// Exactly `count` bytes.
    async fn take(&mut self, count: usize) -> Result<Bytes, Refused> {
        let mut taken = BytesMut::with_capacity(count);
        while taken.len() < count {
            let piece = self.some(count - taken.len()).await?;
            taken.extend_from_slice(&piece);
        }
        Ok(taken.freeze())
    }
}

/// Returns when `progress` has stood still for too long, and for how long: `patience` on the way, `settling` at its end.
async fn stalled(progress: &AtomicU64, patience: Duration, settling: Duration) -> Duration {
    let mut seen = progress.load(Ordering::Relaxed);
    loop {
        let span = if seen == HANDED_OVER { settling } else { patience };
        tokio::time::sleep(span).await;
        let now = progress.load(Ordering::Relaxed);
        if now == seen {
            return span;
        }
        seen = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_receiver_that_has_everything_is_given_more_time() {
        let (patience, settling) = (Duration::from_millis(1), Duration::from_millis(2));
        let waited = async |progress| stalled(&AtomicU64::new(progress), patience, settling).await;
        assert_eq!(waited(7).await, patience);
        assert_eq!(waited(HANDED_OVER).await, settling);
    }
}
