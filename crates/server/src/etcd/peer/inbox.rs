//! The one way by which other members' words reach the replica.

use super::snapshot::Turn;
use consensus::{How, NodeId};
use raft::Message;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// The most bytes of one peer's messages that wait for the replica. A reader that would exceed it stops reading, and TCP tells the
/// sender.
const UNREAD_BYTES_MAX: usize = 16 << 20;

/// What the transport tells the replica.
#[derive(Debug)]
pub(crate) enum PeerEvent {
    Received { from: NodeId, message: Message, room: Room },
    Connected { peer: NodeId, incarnation: u64 },
    Disconnected { peer: NodeId, how: How },
    SnapshotSent { to: NodeId, delivered: bool },
    SnapshotArrived { from: NodeId, message: Message, turn: Turn },
}

/// The room that an unread message takes; given back when dropped.
#[derive(Debug)]
pub(crate) struct Room {
    _permit: OwnedSemaphorePermit,
}

/// Where events of one peer are put. Copies share the bound.
#[derive(Clone, Debug)]
pub(crate) struct Inbox {
    events: mpsc::UnboundedSender<PeerEvent>,
    room: Arc<Semaphore>,
}

impl Inbox {
    /// An inbox of its own bound that ends in `events`.
    pub(crate) fn new(events: mpsc::UnboundedSender<PeerEvent>) -> Inbox {
        Inbox { events, room: Arc::new(Semaphore::new(UNREAD_BYTES_MAX)) }
    }

    /// Waits until `bytes` more may be unread.
    pub(crate) async fn room(&self, bytes: usize) -> Room {
        let bytes = u32::try_from(bytes.min(UNREAD_BYTES_MAX)).expect("the bound fits");
        let permit = self.room.clone().acquire_many_owned(bytes).await.expect("never closed");
        Room { _permit: permit }
    }

    /// Hands an event over. Whether the replica still runs is nothing that a connection could act on.
    pub(crate) fn put(&self, event: PeerEvent) {
        let _ = self.events.send(event);
    }
}
