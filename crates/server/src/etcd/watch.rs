//! Watches: between the replica's thread of thought and clients' streams.
//!
//! ```text
//!   listen/watch ── WatchAsk ──▶ desk, beside the replica ── Said ──▶ listen/watch ──▶ HTTP/2
//!    one per client stream        keyspace::Watches                     a queue for each stream, as long as its room
//!         ╰────────────────────── took ◀──────────────────────────────────╯
//! ```
//!
//! Nobody waits for a client: what it does not take stays in its stream's queue up to the stream's room, and beyond that the watcher
//! is left behind with nothing but a cursor, to replay the history when the client reads again.

mod desk;
mod metrics;

pub(crate) use desk::Desk;
pub(crate) use metrics::WatchMetrics;

use etcd::error::Known;
use keyspace::{StreamId, WatchRequest, WatchResponse};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc;

/// What streams tell the desk.
#[derive(Debug)]
pub(crate) enum WatchAsk {
    /// A client opened a stream.
    Open {
        /// Its id.
        stream: StreamId,
        /// Where it is told things.
        said: mpsc::UnboundedSender<Said>,
        /// Whether it is to end when the member has no leader for long.
        requires_leader: bool,
    },
    /// The client asks for something; answered by one [`Said::Answer`].
    Request(StreamId, Request),
    /// The client has taken so many bytes.
    Took(StreamId, usize),
    /// The stream has ended.
    Close(StreamId),
    /// The member stops: streams end.
    Stop,
}

/// What a client asks for on its stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Request {
    Create(WatchRequest),
    Cancel(i64),
    Progress,
}

/// What a stream is told.
#[derive(Debug)]
pub(crate) enum Said {
    /// The answer to a request; some have none.
    Answer(Option<WatchResponse>),
    /// Something that happened.
    News(WatchResponse),
    /// The stream ends.
    End(Known),
}

/// The door to the desk.
#[derive(Clone, Debug)]
pub(crate) struct WatchDoor {
    asks: mpsc::UnboundedSender<WatchAsk>,
    last: Arc<AtomicU64>,
}

impl WatchDoor {
    pub(crate) fn new() -> (WatchDoor, mpsc::UnboundedReceiver<WatchAsk>) {
        let (asks, received) = mpsc::unbounded_channel();
        (WatchDoor { asks, last: Arc::default() }, received)
    }

    /// Opens a stream.
    pub(crate) fn open(&self, requires_leader: bool) -> (StreamId, mpsc::UnboundedReceiver<Said>) {
        let stream = StreamId(self.last.fetch_add(1, Ordering::Relaxed) + 1);
        let (said, hears) = mpsc::unbounded_channel();
        self.tell(WatchAsk::Open { stream, said, requires_leader });
        (stream, hears)
    }

    /// Tells the desk. One that is gone has ended all streams.
    pub(crate) fn tell(&self, ask: WatchAsk) {
        let _ = self.asks.send(ask);
    }
}
