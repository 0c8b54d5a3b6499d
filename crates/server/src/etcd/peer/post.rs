//! Messages to a peer that has opened no stream yet: one POST each.

use super::Shared;
use super::http::{HttpError, full, refusal, request, whole};
use super::urls::Urls;
use bytes::{Bytes, BytesMut};
use consensus::NodeId;
use etcd::peer::http::{PROTOBUF, RAFT};
use etcd::peer::{Envelope, message};
use etcd::url::Url;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, StatusCode};
use raft::Message;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{Mutex, mpsc};
use tracing::debug;

/// How many POSTs may be on their way, and how many messages may wait for one of them, as in etcd.
const WORKERS: usize = 4;
const QUEUE: usize = 64;
/// Once so many bytes wait no more are taken; until then a message of any size is, as in [`super::outbox`].
const BYTES_MAX: usize = 16 << 20;
/// A peer that does not answer holds a worker for so long.
const PATIENCE: Duration = Duration::from_secs(5);

/// The way to one peer while it has no stream.
#[derive(Debug)]
pub(crate) struct Posts {
    queue: mpsc::Sender<Message>,
    waiting: Arc<AtomicUsize>,
}

impl Posts {
    pub(crate) fn start(shared: &Arc<Shared>, peer: NodeId, urls: &Arc<Urls>) -> Posts {
        let (queue, messages) = mpsc::channel(QUEUE);
        let messages = Arc::new(Mutex::new(messages));
        let waiting = Arc::new(AtomicUsize::new(0));
        for _ in 0..WORKERS {
            tokio::spawn(work(shared.clone(), peer, urls.clone(), messages.clone(), waiting.clone()));
        }
        Posts { queue, waiting }
    }

    /// Takes a message; false if too many wait.
    pub(crate) fn push(&self, message: Message) -> bool {
        let size = super::outbox::weight(&message);
        if self.waiting.load(Ordering::Relaxed) >= BYTES_MAX {
            return false;
        }
        // Counted before a worker can take it, and count it off.
        self.waiting.fetch_add(size, Ordering::Relaxed);
        let taken = self.queue.try_send(message).is_ok();
        if !taken {
            self.waiting.fetch_sub(size, Ordering::Relaxed);
        }
        taken
    }
}

async fn work(
    shared: Arc<Shared>,
    peer: NodeId,
    urls: Arc<Urls>,
    messages: Arc<Mutex<mpsc::Receiver<Message>>>,
    waiting: Arc<AtomicUsize>,
) {
    loop {
        let message = messages.lock().await.recv().await;
        let Some(message) = message else { return };
        waiting.fetch_sub(super::outbox::weight(&message), Ordering::Relaxed);
        let Some((picked, url)) = urls.pick() else { return };
        let mut body = BytesMut::new();
        message::encode(&Envelope { from: shared.identity.me, to: peer, message }, &mut body);
        if let Err(error) = post(&shared, url, body.freeze()).await {
            urls.avoid(picked);
            shared.metrics.peer_send_failed(peer, false);
            debug!(%peer, %url, %error, "could not post a message");
        }
    }
}

async fn post(shared: &Shared, url: &Url, body: Bytes) -> Result<(), HttpError> {
    let size = body.len();
    let mut request = request(Method::POST, url, RAFT, full(body))?;
    shared.identity.put_on_request(request.headers_mut());
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROTOBUF));
    let answer = async { whole(shared.client.ask(request).await?).await };
    let (head, body) = tokio::time::timeout(PATIENCE, answer).await.map_err(|_| HttpError::TimedOut(PATIENCE))??;
    match head.status() {
        StatusCode::NO_CONTENT => {
            tracing::trace!(size, "posted a message");
            Ok(())
        }
        status => Err(HttpError::Failed(refusal(status, &body))),
    }
}
