//! The election port (3888): servers tell each other whom they vote for (`QuorumCnxManager`).
//!
//! Two servers share one connection, which the one with the larger id opens:
//!
//! ```text
//!   1 has something to say to 3:   1 ── greeting ──▶ 3, closed     1 ◀── greeting ── 3 opens its own     1 ◀─── votes ───▶ 3
//!   3 has something to say to 1:   3 ── greeting ──▶ 1             1 ◀─── votes ───▶ 3
//! ```
//!
//! For each other server the newest notification waits, and no older one. When a connection stands and nothing waits, what was said last is
//! said again: it may have been lost with the connection before.

mod alive;
mod connection;
mod dial;
mod listen;
#[cfg(test)]
mod tests;

use super::config::Config;
use super::inbox::{ConnectionId, Inbox, PeerEvent};
use bytes::{Bytes, BytesMut};
use consensus::{How, Link, NodeId};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{AbortHandle, spawn_local};
use tokio::time::sleep;
use tracing::debug;
use zab::Notification;
use zookeeper::config::{Address, HostPort, Server};

/// So many servers that nobody has configured may have a say at a time.
const STRANGERS_MAX: usize = 32;
/// Who closes a connection sooner than this is not called again at once, but soon.
const STOOD_FOR_A_WHILE: Duration = Duration::from_millis(100);
/// A server that is just starting is found soon if it is called again after this, then after twice as long …
const CALL_AGAIN: Duration = Duration::from_millis(25);
/// … and so on, so often.
const CALLS: u32 = 8;
/// So many connections may be without a greeting at a time.
const UNGREETED_MAX: usize = 64;

/// The election port, and the connections to all others.
pub(crate) struct Election {
    me: i64,
    /// Where this server is found, as its greeting says.
    address: Option<HostPort>,
    /// The configuration as text, which goes with each notification.
    configuration: Bytes,
    connect_timeout: Duration,
    greeting_timeout: Duration,
    inbox: Inbox,
    peers: RefCell<BTreeMap<i64, Peer>>,
}

/// Another server.
#[derive(Default)]
struct Peer {
    /// Where it is found. Empty if nobody has configured it and it has not said so.
    places: Vec<HostPort>,
    configured: bool,
    /// What is to be said next.
    waiting: Option<Bytes>,
    /// What was said last.
    last: Option<Bytes>,
    connection: Option<Connection>,
    dialing: bool,
    /// How often it was called in vain since there was something new to say.
    called: u32,
    /// It will be called again by itself.
    to_be_called: bool,
    /// Wakes the connection when something waits.
    wake: Rc<Notify>,
}

struct Connection {
    id: ConnectionId,
    since: Instant,
    task: AbortHandle,
}

impl Election {
    pub(crate) fn new(config: &Config, configuration: Bytes, inbox: Inbox) -> Rc<Election> {
        let places = |server: &Server| server.addresses.iter().map(Address::election).collect::<Vec<_>>();
        let servers = &config.ensemble.servers;
        let others = servers.iter().filter(|&(&id, _)| id != config.me());
        // Ids are checked when they are configured: they are Java's longs.
        let peers =
            others.map(|(&id, server)| (id.0 as i64, Peer { places: places(server), configured: true, ..Peer::default() }));
        Rc::new(Election {
            me: config.id as i64,
            address: servers.get(&config.me()).and_then(|server| places(server).into_iter().next()),
            configuration,
            connect_timeout: config.election_connect_timeout,
            greeting_timeout: config.sync_timeout(),
            inbox,
            peers: RefCell::new(peers.collect()),
        })
    }

    /// Lets others connect.
    pub(crate) fn open(self: &Rc<Election>, listeners: Vec<TcpListener>) {
        for listener in listeners {
            spawn_local(listen::listen(self.clone(), listener));
        }
    }

    /// Tells a server whom this one votes for.
    pub(crate) fn send(self: &Rc<Election>, to: i64, notification: &Notification) {
        let bytes = zookeeper::election::encode(notification, &self.configuration);
        let mut peers = self.peers.borrow_mut();
        let Some(peer) = peers.get_mut(&to) else { return };
        peer.waiting = Some(bytes);
        peer.called = 0;
        if peer.connection.is_some() {
            peer.wake.notify_one();
        } else {
            drop(peers);
            self.dial(to);
        }
    }

    /// Opens a connection, unless one is on its way to be opened.
    fn dial(self: &Rc<Election>, to: i64) {
        let mut peers = self.peers.borrow_mut();
        let Some(peer) = peers.get_mut(&to).filter(|peer| !peer.dialing && !peer.places.is_empty()) else { return };
        peer.dialing = true;
        let places = peer.places.clone();
        drop(peers);
        spawn_local(dial::dial(self.clone(), to, places));
    }

    /// A connection could not be opened. What was refused is tried again soon: whoever is taken for dead because it was refused is not
    /// waited for in the election, and it may only have been starting.
    fn on_unreachable(self: &Rc<Election>, sid: i64, how: How) {
        let mut peers = self.peers.borrow_mut();
        let Some(peer) = peers.get_mut(&sid) else { return };
        peer.dialing = false;
        // While this server tried, the other one may have succeeded.
        if peer.connection.is_some() {
            return;
        }
        if !peer.configured {
            peers.remove(&sid);
            return;
        }
        self.inbox.put(PeerEvent::Unreachable { peer: node(sid), link: Link::Election, how });
        if how == How::Refused {
            self.call_soon(sid, peer);
        }
    }

    /// Calls a server again in a while, later each time, as long as there is something to say to it.
    fn call_soon(self: &Rc<Election>, sid: i64, peer: &mut Peer) {
        if peer.waiting.is_none() || peer.called >= CALLS || peer.to_be_called {
            return;
        }
        let pause = CALL_AGAIN * 2_u32.pow(peer.called);
        peer.called += 1;
        peer.to_be_called = true;
        let election = self.clone();
        spawn_local(async move {
            sleep(pause).await;
            election.call_again(sid);
        });
    }

    fn call_again(self: &Rc<Election>, sid: i64) {
        let mut peers = self.peers.borrow_mut();
        let Some(peer) = peers.get_mut(&sid) else { return };
        peer.to_be_called = false;
        if peer.connection.is_none() && peer.waiting.is_some() {
            drop(peers);
            self.dial(sid);
        }
    }

    /// The larger id was greeted, and opens a connection of its own; unless it was about to die and nobody took the call.
    fn on_greeted(self: &Rc<Election>, sid: i64) {
        if let Some(peer) = self.peers.borrow_mut().get_mut(&sid) {
            peer.dialing = false;
            if peer.connection.is_none() && peer.configured {
                self.call_soon(sid, peer);
            }
        }
    }

    /// A connection stands: it takes the place of any other.
    fn on_connection(self: &Rc<Election>, sid: i64, stream: TcpStream, unread: BytesMut) {
        let mut peers = self.peers.borrow_mut();
        let Some(peer) = peers.get_mut(&sid) else { return };
        peer.dialing = false;
        if peer.waiting.is_none() {
            peer.waiting = peer.last.clone();
        }
        alive::watch_over(&stream);
        let id = self.inbox.connection();
        let wake = peer.wake.clone();
        wake.notify_one();
        if peer.configured {
            self.inbox.put(PeerEvent::Connected { peer: node(sid), link: Link::Election, connection: id });
        }
        let stranger = !peer.configured;
        let task = spawn_local(connection::converse(self.clone(), sid, stranger, id, stream, unread, wake)).abort_handle();
        if let Some(earlier) = peer.connection.replace(Connection { id, since: Instant::now(), task }) {
            earlier.task.abort();
        }
    }

    /// A server with a smaller id has asked for a connection: any that this server still believes in is gone, and a new one is for this
    /// server to open. Nobody else's word about where it is found is taken than its own address.
    fn on_called(self: &Rc<Election>, sid: i64, place: Option<HostPort>) {
        let mut peers = self.peers.borrow_mut();
        let strangers = peers.values().filter(|peer| !peer.configured).count();
        if !peers.contains_key(&sid) && (strangers >= STRANGERS_MAX || place.is_none()) {
            return;
        }
        let peer = peers.entry(sid).or_default();
        if let (false, Some(place)) = (peer.configured, place) {
            peer.places = vec![place];
        }
        if let Some(earlier) = peer.connection.take() {
            earlier.task.abort();
            if peer.configured {
                let (peer, link, connection) = (node(sid), Link::Election, earlier.id);
                self.inbox.put(PeerEvent::Ended { peer, link, connection, how: How::Lost });
            }
        }
        drop(peers);
        self.dial(sid);
    }

    /// A server with a larger id has connected; true if it may stay.
    fn admits(&self, sid: i64) -> bool {
        let mut peers = self.peers.borrow_mut();
        let strangers = peers.values().filter(|peer| !peer.configured).count();
        if !peers.contains_key(&sid) && strangers >= STRANGERS_MAX {
            return false;
        }
        peers.entry(sid).or_default();
        true
    }

    /// A number for a server that has none of its own (Java: `observerCounter`).
    fn private_id(&self) -> i64 {
        let peers = self.peers.borrow();
        (1..).map(|number: i64| -number).find(|sid| !peers.contains_key(sid)).expect("there are few strangers")
    }

    /// A connection has ended. If it stood for a while its server is called again at once: a process that died is found out by that
    /// (nobody listens any more), and need not be waited for in the election that may be going on.
    fn on_end(self: &Rc<Election>, sid: i64, connection: ConnectionId, why: &std::io::Error) {
        debug!(sid, %why, "a connection for elections has ended");
        let mut peers = self.peers.borrow_mut();
        let Some(peer) = peers.get_mut(&sid) else { return };
        let Some(ended) = peer.connection.take_if(|current| current.id == connection) else { return };
        if peer.configured {
            self.inbox.put(PeerEvent::Ended { peer: node(sid), link: Link::Election, connection, how: How::Lost });
            // What was said last may not have arrived.
            peer.waiting = peer.waiting.take().or_else(|| peer.last.clone());
            if ended.since.elapsed() >= STOOD_FOR_A_WHILE {
                peer.called = 0;
                drop(peers);
                self.dial(sid);
            } else {
                // A process that is dying may still have let its kernel take this call.
                self.call_soon(sid, peer);
            }
        } else {
            peers.remove(&sid);
        }
    }

    /// What is to be said to `sid` next.
    fn take_waiting(&self, sid: i64) -> Option<Bytes> {
        let mut peers = self.peers.borrow_mut();
        let peer = peers.get_mut(&sid)?;
        let waiting = peer.waiting.take()?;
        peer.last = Some(waiting.clone());
        Some(waiting)
    }
}

/// Configured ids are not negative.
fn node(sid: i64) -> NodeId {
    NodeId(sid as u64)
}
