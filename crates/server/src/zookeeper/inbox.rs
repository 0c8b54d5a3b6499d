//! The one way by which other servers' words reach the member.

use consensus::{How, Link, NodeId};
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use zab::Message;

/// The most bytes of one connection's messages that wait for the member. A reader that would exceed it stops reading, and TCP tells
/// the sender.
const UNREAD_BYTES_MAX: usize = 16 << 20;

/// A connection, as none before and none after it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct ConnectionId(u64);

/// What the two ports tell the member. What comes of a connection that is not the last one of its link is not told on.
#[derive(Debug)]
pub(crate) enum PeerEvent {
    /// A connection stands, in place of any earlier one of that link.
    Connected { peer: NodeId, link: Link, connection: ConnectionId },
    /// It has ended.
    Ended { peer: NodeId, link: Link, connection: ConnectionId, how: How },
    /// No connection could be opened.
    Unreachable { peer: NodeId, link: Link, how: How },
    /// Somebody said this.
    Said { peer: NodeId, link: Link, connection: ConnectionId, messages: Vec<Message>, room: Room },
    /// A snapshot is on its way here, and comes on.
    SnapshotComes { peer: NodeId, connection: ConnectionId },
    /// A snapshot is here whole: its file waits to be installed.
    SnapshotArrived { peer: NodeId, connection: ConnectionId, message: Message },
    /// A snapshot has left, or has not.
    SnapshotSent { to: NodeId, connection: ConnectionId, delivered: bool },
    /// Somebody who is in nobody's configuration has voted, and wants to know what this server thinks.
    Stranger { sid: i64, room: Room },
    /// What was to be written to a learner has gone, down to little: more may follow.
    Drained { peer: NodeId, connection: ConnectionId },
}

/// The room that unread messages take; given back when dropped.
#[derive(Debug)]
pub(crate) struct Room {
    _permit: Option<OwnedSemaphorePermit>,
}

/// Where the ports put their events. Copies are the same inbox.
#[derive(Clone, Debug)]
pub(crate) struct Inbox {
    events: mpsc::UnboundedSender<PeerEvent>,
    connections: Rc<Cell<u64>>,
}

impl Inbox {
    pub(crate) fn new(events: mpsc::UnboundedSender<PeerEvent>) -> Inbox {
        Inbox { events, connections: Rc::default() }
    }

    /// Names a new connection.
    pub(crate) fn connection(&self) -> ConnectionId {
        self.connections.set(self.connections.get() + 1);
        ConnectionId(self.connections.get())
    }

    /// The connection that was named last.
    pub(crate) fn newest(&self) -> ConnectionId {
        ConnectionId(self.connections.get())
    }

    /// Hands an event over. Whether the member still runs is nothing that a connection could act on.
    pub(crate) fn put(&self, event: PeerEvent) {
        let _ = self.events.send(event);
    }
}

/// How much of one connection may be unread.
#[derive(Clone, Debug)]
pub(crate) struct Unread(Arc<Semaphore>);

impl Unread {
    pub(crate) fn new() -> Unread {
        Unread(Arc::new(Semaphore::new(UNREAD_BYTES_MAX)))
    }

    /// Waits until `bytes` more may be unread.
    pub(crate) async fn room(&self, bytes: usize) -> Room {
        let bytes = u32::try_from(bytes.min(UNREAD_BYTES_MAX)).expect("the bound fits");
        Room { _permit: self.0.clone().acquire_many_owned(bytes).await.ok() }
    }
}
