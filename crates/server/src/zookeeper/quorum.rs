//! The quorum port (2888): a leader and its learners (`Leader`, `LearnerHandler`, `Learner`).
//!
//! The port is always open (DESIGN 15): a learner may know who leads a moment before the leader does. What comes in belongs to a learner once its first
//! packet has said who it is. To every other server there is one link at most, in whichever direction.
//!
//! ```text
//!   turn ── send ──▶ outbox of the link ── flush: one write a turn ──▶ socket
//!                    (bounded in bytes; a snapshot is streamed in its place)
//!   inbox ◀── packets of one read together ◀── socket
//!             (a snapshot goes to a file in its place)
//! ```

mod arriving;
mod dial;
mod link;
mod listen;
mod outbox;
#[cfg(test)]
mod tests;

pub(crate) use arriving::{Arriving, Begin};
pub(crate) use outbox::Leaving;

use super::config::Config;
use super::inbox::{ConnectionId, Inbox, PeerEvent};
use bytes::{Bytes, BytesMut};
use consensus::{How, Link as LinkKind, NodeId, Position};
use link::Link;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, spawn_local};
use tracing::{debug, info};
use zab::{Message, Packet};
use zookeeper::config::{Address, HostPort};
use zookeeper::quorum::Speaker;

/// So many connections may be without a first packet at a time.
const UNKNOWN_MAX: usize = 64;
/// So long may a learner take to say who it is.
const FIRST_PACKET: Duration = Duration::from_secs(10);

/// The quorum port, and the links to all others.
pub(crate) struct Quorum {
    me: NodeId,
    speaker: Speaker,
    places: BTreeMap<NodeId, Vec<HostPort>>,
    connect_timeout: Duration,
    /// The longest buffer that a packet may carry, but for a leader's transactions.
    length_max: usize,
    begin: Begin,
    inbox: Inbox,
    links: RefCell<BTreeMap<NodeId, Standing>>,
    dialing: RefCell<BTreeMap<NodeId, AbortHandle>>,
    /// What was encoded in this turn, for the next learner that it goes to.
    encoded: RefCell<BTreeMap<(u8, Position), Bytes>>,
}

/// A link that stands.
struct Standing {
    link: Rc<Link>,
    task: AbortHandle,
    /// This server opened it: the other one is its leader.
    outgoing: bool,
    /// Something was given to it in this turn.
    dirty: bool,
}

impl Quorum {
    pub(crate) fn new(config: &Config, speaker: Speaker, begin: Begin, inbox: Inbox) -> Rc<Quorum> {
        let others = config.ensemble.servers.iter().filter(|&(&id, _)| id != config.me());
        let places = others.map(|(&id, server)| (id, server.addresses.iter().map(Address::quorum).collect()));
        Rc::new(Quorum {
            me: config.me(),
            speaker,
            places: places.collect(),
            connect_timeout: config.init_timeout(),
            length_max: config.length_max(),
            begin,
            inbox,
            links: RefCell::default(),
            dialing: RefCell::default(),
            encoded: RefCell::default(),
        })
    }

    /// Lets learners connect.
    pub(crate) fn open(self: &Rc<Quorum>, listeners: Vec<TcpListener>) {
        for listener in listeners {
            spawn_local(listen::listen(self.clone(), listener));
        }
    }

    /// Opens a link to the leader.
    pub(crate) fn connect(self: &Rc<Quorum>, peer: NodeId) {
        self.close(peer);
        let Some(places) = self.places.get(&peer) else { return };
        let task = spawn_local(dial::dial(self.clone(), peer, places.clone())).abort_handle();
        self.dialing.borrow_mut().insert(peer, task);
    }

    /// Closes the link to a peer, or stops opening one.
    pub(crate) fn close(&self, peer: NodeId) {
        if let Some(task) = self.dialing.borrow_mut().remove(&peer) {
            task.abort();
        }
        if let Some(standing) = self.links.borrow_mut().remove(&peer) {
            standing.task.abort();
        }
    }

    /// Says something to a peer, at the end of this turn. Without a link nothing is said.
    pub(crate) fn send(&self, to: NodeId, packet: &Packet) {
        let mut links = self.links.borrow_mut();
        let Some(standing) = links.get_mut(&to) else { return };
        standing.dirty = true;
        standing.link.push(self.encode(packet));
    }

    /// A snapshot takes its place among what is said to a peer. False if there is no link.
    pub(crate) fn send_snapshot(&self, to: NodeId, packet: &Packet, leaving: Leaving) {
        let mut links = self.links.borrow_mut();
        let Some(standing) = links.get_mut(&to) else { return };
        standing.dirty = true;
        standing.link.push(self.speaker.encode(packet));
        standing.link.push_snapshot(leaving);
    }

    /// Writes what was said in this turn.
    pub(crate) fn flush(&self) {
        self.encoded.borrow_mut().clear();
        let mut swamped = Vec::new();
        for (&peer, standing) in self.links.borrow_mut().iter_mut().filter(|(_, standing)| standing.dirty) {
            standing.dirty = false;
            if !standing.link.flush() {
                swamped.push((peer, standing.link.id));
            } else if standing.link.tells_drained() {
                self.inbox.put(PeerEvent::Drained { peer, connection: standing.link.id });
            }
        }
        for (peer, connection) in swamped {
            info!(%peer, "does not read what it is told: its link is closed");
            self.close(peer);
            self.inbox.put(PeerEvent::Ended { peer, link: LinkKind::Quorum, connection, how: How::Lost });
        }
    }

    /// Whether a peer has taken all but little of what it was told. If it has not, `PeerEvent::Drained` says when it has.
    pub(crate) fn is_drained(&self, peer: NodeId) -> bool {
        self.links.borrow().get(&peer).is_none_or(|standing| standing.link.is_drained())
    }

    /// The connection that was opened last, to whomever.
    pub(crate) fn newest(&self) -> ConnectionId {
        self.inbox.newest()
    }

    /// Whether a link to a peer is being opened.
    pub(crate) fn is_dialing(&self, peer: NodeId) -> bool {
        self.dialing.borrow().contains_key(&peer)
    }

    /// Where the peer that has opened this connection is found.
    pub(crate) fn address(&self, peer: NodeId) -> Option<SocketAddr> {
        self.links.borrow().get(&peer).and_then(|standing| standing.link.address())
    }

    /// The packets that go to every learner are encoded once.
    fn encode(&self, packet: &Packet) -> Bytes {
        let key = match packet {
            Packet::Proposal { entry } => (0, entry.position),
            Packet::Inform { entry } => (1, entry.position),
            Packet::Commit { position } => (2, *position),
            _ => return self.speaker.encode(packet),
        };
        self.encoded.borrow_mut().entry(key).or_insert_with(|| self.speaker.encode(packet)).clone()
    }

    fn on_dialed(self: &Rc<Quorum>, peer: NodeId, stream: TcpStream) {
        self.dialing.borrow_mut().remove(&peer);
        self.stand(peer, stream, true, BytesMut::new(), None);
    }

    fn on_unreachable(&self, peer: NodeId, how: How) {
        self.dialing.borrow_mut().remove(&peer);
        self.inbox.put(PeerEvent::Unreachable { peer, link: LinkKind::Quorum, how });
    }

    /// Somebody's first packet has said that it is a learner, and which one.
    fn on_learner(self: &Rc<Quorum>, peer: NodeId, stream: TcpStream, unread: BytesMut, first: Packet) {
        let follows = self.dialing.borrow().contains_key(&peer) || self.links.borrow().get(&peer).is_some_and(|it| it.outgoing);
        if peer == self.me || !self.places.contains_key(&peer) {
            info!(%peer, "would be a learner, and is in nobody's configuration");
        } else if follows {
            // Neither can be the other's leader. This one's mind is made up.
            debug!(%peer, "would be a learner of this server, which would be its learner");
        } else {
            self.stand(peer, stream, false, unread, Some(first));
        }
    }

    fn stand(self: &Rc<Quorum>, peer: NodeId, stream: TcpStream, outgoing: bool, unread: BytesMut, first: Option<Packet>) {
        let id = self.inbox.connection();
        let link = Rc::new(Link::new(id, stream));
        self.inbox.put(PeerEvent::Connected { peer, link: LinkKind::Quorum, connection: id });
        let task = spawn_local(link::live(self.clone(), peer, link.clone(), unread, first.map(Message::Packet))).abort_handle();
        let standing = Standing { link, task, outgoing, dirty: false };
        if let Some(earlier) = self.links.borrow_mut().insert(peer, standing) {
            earlier.task.abort();
        }
    }

    fn on_end(&self, peer: NodeId, connection: ConnectionId, how: How) {
        let mut links = self.links.borrow_mut();
        if links.get(&peer).is_some_and(|standing| standing.link.id == connection) {
            links.remove(&peer);
        }
        self.inbox.put(PeerEvent::Ended { peer, link: LinkKind::Quorum, connection, how });
    }
}
