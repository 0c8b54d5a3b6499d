//! Other members: etcd's peer protocol over HTTP/1.1 (rafthttp).
//!
//! For each other member this one *dials* two streams, from which it only reads (`dial`), and *serves* the two that the other
//! dials, into which it writes (`listen`, `stream`). What has no stream goes by POST (`post`); snapshots go by a POST of their
//! own (`snapshot`). What a connection's beginning and end say about the other member's process is judged in `link`.
//!
//! ```text
//!   replica ──▶ Transport::send ──▶ outbox ──▶ stream ──▶ socket that the peer opened
//!                          └──────▶ post   ──▶ socket that we open, while there is no stream
//!   replica ◀── inbox ◀── dial ◀── socket that we opened
//!                 └────── listen ◀── POST
//! ```

mod body;
mod dial;
mod framing;
pub(crate) mod hash;
pub(crate) mod http;
pub(crate) mod identity;
pub(crate) mod inbox;
pub(crate) mod lease;
mod link;
mod listen;
mod outbox;
mod post;
mod probe;
pub(crate) mod snapshot;
mod stream;
mod urls;
mod watchdog;

pub(crate) use listen::{Gate, PeerPort, serve};

use super::metrics::Metrics;
use consensus::NodeId;
use etcd::peer::http::Stream;
use etcd::peer::{Envelope, msgapp};
use etcd::url::Url;
use http::HttpClient;
use identity::Identity;
use inbox::{Inbox, PeerEvent};
use link::Link;
use outbox::{Outbox, Push};
use post::Posts;
use raft::{Body, Message};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use urls::Urls;

/// What every part of the transport knows.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) identity: Identity,
    pub(crate) dial_timeout: Duration,
    pub(crate) client: HttpClient,
    pub(crate) metrics: Arc<Metrics>,
    /// Notified when a peer says that this member was removed.
    pub(crate) removed: Notify,
}

impl Shared {
    /// Whether a message is for this member and from another.
    fn takes(&self, envelope: &Envelope) -> bool {
        envelope.to == self.identity.me && envelope.from != self.identity.me
    }
}

/// Another member, as the transport sees it.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) id: NodeId,
    pub(crate) urls: Arc<Urls>,
    pub(crate) link: Arc<Link>,
    appends: Arc<Outbox>,
    messages: Arc<Outbox>,
    posts: Posts,
}

impl Peer {
    fn outbox(&self, kind: Stream) -> &Arc<Outbox> {
        match kind {
            Stream::MsgApp => &self.appends,
            Stream::Message => &self.messages,
        }
    }
}

/// All other members.
#[derive(Debug)]
pub(crate) struct Transport {
    pub(crate) shared: Arc<Shared>,
    peers: BTreeMap<NodeId, Arc<Peer>>,
}

impl Transport {
    /// Starts to dial `peers`; what they say goes into `events`.
    pub(crate) fn start(
        shared: Arc<Shared>,
        peers: impl IntoIterator<Item = (NodeId, Vec<Url>)>,
        events: &mpsc::UnboundedSender<PeerEvent>,
    ) -> Arc<Transport> {
        let peers = peers.into_iter().map(|(id, urls)| (id, start_peer(&shared, id, urls, events))).collect();
        Arc::new(Transport { shared, peers })
    }

    /// The peer of that id.
    pub(crate) fn peer(&self, id: NodeId) -> Option<&Arc<Peer>> {
        self.peers.get(&id)
    }

    /// Sends a message by the best way there is. It may be lost, as anything on a network may.
    pub(crate) fn send(&self, to: NodeId, message: Message) {
        let Some(peer) = self.peers.get(&to) else { return };
        let heartbeat = matches!(message.body, Body::Heartbeat { .. });
        // Appends go over their own stream, everything else, and appends without one, over the other; what finds no stream is
        // posted (etcd's peer.pick).
        let mut rest = Push::Detached(message);
        if let Push::Detached(message) = rest {
            rest = if msgapp::carries(&message) { peer.appends.push(message) } else { Push::Detached(message) };
        }
        if let Push::Detached(message) = rest {
            rest = peer.messages.push(message);
        }
        let lost = match rest {
            Push::Queued => false,
            Push::Full => true,
            Push::Detached(message) => !peer.posts.push(message),
        };
        if lost {
            self.shared.metrics.peer_send_failed(to, heartbeat);
        }
    }
}

fn start_peer(shared: &Arc<Shared>, id: NodeId, urls: Vec<Url>, events: &mpsc::UnboundedSender<PeerEvent>) -> Arc<Peer> {
    let link = Link::new(id, urls.clone(), shared.dial_timeout, Inbox::new(events.clone()));
    shared.metrics.know_peer(id);
    tokio::spawn(probe::keep_probing(shared.clone(), id, urls.clone()));
    let urls = Arc::new(Urls::new(urls));
    let posts = Posts::start(shared, id, &urls);
    let peer = Arc::new(Peer { id, urls, link, appends: Arc::default(), messages: Arc::default(), posts });
    for kind in Stream::ALL {
        tokio::spawn(dial::keep_reading(shared.clone(), peer.clone(), kind));
    }
    peer
}
