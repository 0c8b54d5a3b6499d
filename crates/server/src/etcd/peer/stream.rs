//! The body of a stream that a peer opened to us: our messages to it, in frames, for as long as the connection lives.

use super::framing::Encoder;
use super::link::{End, Standing};
use super::outbox::Attachment;
use super::watchdog::Verdict;
use super::{Peer, Shared};
use bytes::{Bytes, BytesMut};
use etcd::peer::Envelope;
use etcd::peer::http::Stream;
use hyper::body::{Body, Frame};
use prometheus_client::metrics::counter::Counter;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep};

/// How often a sign of life is written, whatever else is: a third of the silence after which the other side gives up.
const HEARTBEAT: Duration = Duration::from_millis(5_000 / 3);
/// About how much is handed to the socket at a time.
const BATCH_BYTES: usize = 256 << 10;

/// Messages to a peer, framed.
pub(crate) struct StreamBody {
    shared: Arc<Shared>,
    peer: Arc<Peer>,
    attachment: Attachment,
    encoder: Encoder,
    standing: Standing,
    heartbeat: Pin<Box<Sleep>>,
    verdict: Verdict,
    /// Bytes sent to this peer.
    sent: Counter,
}

impl StreamBody {
    /// A stream that `peer`'s process `incarnation` has just opened.
    pub(crate) fn new(shared: Arc<Shared>, peer: Arc<Peer>, kind: Stream, incarnation: u64, verdict: Verdict) -> StreamBody {
        let attachment = peer.outbox(kind).attach();
        let standing = peer.link.stand(incarnation);
        let heartbeat = Box::pin(sleep(HEARTBEAT));
        let sent = shared.metrics.peer_sent(peer.id);
        StreamBody { shared, peer, attachment, encoder: Encoder::new(kind), standing, heartbeat, verdict, sent }
    }
}

impl Body for StreamBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = &mut *self;
        if this.standing.is_void() {
            return Poll::Ready(None);
        }
        let mut batch = BytesMut::new();
        while batch.len() < BATCH_BYTES {
            match this.attachment.poll_next(cx) {
                Poll::Ready(Some(message)) => {
                    let envelope = Envelope { from: this.shared.identity.me, to: this.peer.id, message };
                    this.encoder.encode(&envelope, &mut batch);
                }
                // A newer connection has taken over: that this one ends says nothing about the peer.
                Poll::Ready(None) => {
                    this.standing.set_end(End::Abandoned);
                    return Poll::Ready(None);
                }
                Poll::Pending => break,
            }
        }
        if this.heartbeat.as_mut().poll(cx).is_ready() {
            this.heartbeat.as_mut().reset(Instant::now() + HEARTBEAT);
            let _ = this.heartbeat.as_mut().poll(cx);
            this.encoder.encode_link_heartbeat(&mut batch);
        }
        if batch.is_empty() {
            return Poll::Pending;
        }
        this.sent.inc_by(batch.len() as u64);
        Poll::Ready(Some(Ok(Frame::data(batch.freeze()))))
    }
}

impl Drop for StreamBody {
    fn drop(&mut self) {
        // The peer did not close the connection, it stopped reading.
        if self.verdict.timed_out() {
            self.standing.set_end(End::Abandoned);
        }
    }
}
