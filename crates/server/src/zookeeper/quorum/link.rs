//! A link that stands: packets in, packets out.

use super::super::inbox::{ConnectionId, PeerEvent, Unread};
use super::outbox::{Leaving, Outbox, Written};
use super::{Quorum, arriving};
use bytes::{Bytes, BytesMut};
use consensus::{How, Link as LinkKind, NodeId};
use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::rc::Rc;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tracing::{debug, info, warn};
use zab::{Message, Packet};
use zookeeper::quorum::{Received, decode, decode_from_leader};
use zookeeper::{Malformed, txn};

/// Room for what is read at a time.
const READ_BYTES: usize = 64 << 10;
/// With less room than this, new room is made.
const READ_BYTES_MIN: usize = 4 << 10;

/// One connection to a peer.
pub(crate) struct Link {
    pub(crate) id: ConnectionId,
    stream: TcpStream,
    outbox: RefCell<Outbox>,
    /// The writer waits for the socket or for a snapshot's next piece: whatever is pushed is its business.
    writing: Cell<bool>,
    /// Whether somebody wants to know when the outbox is drained.
    awaited: Cell<bool>,
    /// Wakes the writer.
    wake: Notify,
}

impl Link {
    pub(crate) fn new(id: ConnectionId, stream: TcpStream) -> Link {
        Link { id, stream, outbox: RefCell::default(), writing: Cell::new(false), awaited: Cell::new(false), wake: Notify::new() }
    }

    /// Where the peer is.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.stream.peer_addr().ok()
    }

    pub(crate) fn push(&self, bytes: Bytes) {
        self.outbox.borrow_mut().push(bytes);
    }

    pub(crate) fn push_snapshot(&self, leaving: Leaving) {
        self.outbox.borrow_mut().push_snapshot(leaving);
    }

    /// Whether little waits. If much does, `PeerEvent::Drained` will tell when it has gone.
    pub(crate) fn is_drained(&self) -> bool {
        let drained = self.outbox.borrow().is_drained();
        self.awaited.set(self.awaited.get() || !drained);
        drained
    }

    /// Whether somebody who wants to know when the outbox is drained is to be told so now.
    pub(crate) fn tells_drained(&self) -> bool {
        let tells = self.awaited.get() && self.outbox.borrow().is_drained();
        self.awaited.set(self.awaited.get() && !tells);
        tells
    }

    /// Writes what was pushed, as far as the socket takes it; the writer writes the rest. False if so much waits that the peer
    /// cannot be reading.
    pub(crate) fn flush(&self) -> bool {
        if !self.writing.get() {
            let written = self.outbox.borrow_mut().write(&self.stream);
            match written {
                Ok(Written::All) => {}
                // An error comes up again when the writer tries.
                Ok(Written::Blocked) | Err(_) => self.leave_to_writer(),
                Ok(Written::Snapshot(leaving)) => {
                    self.outbox.borrow_mut().resume(Bytes::new(), leaving);
                    self.leave_to_writer();
                }
            }
        }
        !self.outbox.borrow().is_swamped()
    }

    fn leave_to_writer(&self) {
        self.writing.set(true);
        self.wake.notify_one();
    }
}

/// Reads and writes until the link ends. `unread` was read already, and `first` is what a learner began with; a leader says nothing
/// before it is spoken to.
pub(crate) async fn live(quorum: Rc<Quorum>, peer: NodeId, link: Rc<Link>, unread: BytesMut, first: Option<Message>) {
    let why = tokio::select! {
        why = read(&quorum, peer, &link, unread, first) => why,
        why = write(&quorum, peer, &link) => why,
    };
    if why.kind() == ErrorKind::InvalidData {
        warn!(%peer, %why, "a link is closed");
    } else {
        info!(%peer, %why, "a link has ended");
    }
    quorum.on_end(peer, link.id, How::Lost);
}

async fn write(quorum: &Quorum, peer: NodeId, link: &Link) -> io::Error {
    loop {
        link.writing.set(false);
        link.wake.notified().await;
        link.writing.set(true);
        if let Err(error) = write_all(quorum, peer, link).await {
            return error;
        }
    }
}

/// Writes until nothing waits.
async fn write_all(quorum: &Quorum, peer: NodeId, link: &Link) -> io::Result<()> {
    loop {
        let written = link.outbox.borrow_mut().write(&link.stream)?;
        if link.tells_drained() {
            quorum.inbox.put(PeerEvent::Drained { peer, connection: link.id });
        }
        match written {
            Written::All => return Ok(()),
            Written::Blocked => link.stream.writable().await?,
            Written::Snapshot(mut leaving) => match leaving.pieces.recv().await {
                Some(Ok(piece)) => link.outbox.borrow_mut().resume(piece, leaving),
                ended => {
                    let (to, connection, delivered) = (peer, link.id, ended.is_none());
                    quorum.inbox.put(PeerEvent::SnapshotSent { to, connection, delivered });
                    if let Some(Err(why)) = ended {
                        // The peer waits for the rest of a snapshot that does not come.
                        return Err(io::Error::other(why));
                    }
                }
            },
        }
    }
}

async fn read(quorum: &Quorum, peer: NodeId, link: &Link, mut buffer: BytesMut, first: Option<Message>) -> io::Error {
    let unread = Unread::new();
    let decode = if first.is_some() { decode } else { decode_from_leader };
    let mut messages: Vec<Message> = first.into_iter().collect();
    loop {
        // All packets of one read are handed over together.
        let (had, mut snapshot) = (buffer.len(), None);
        while snapshot.is_none() {
            match decode(&mut buffer, quorum.length_max) {
                Ok(Some(Received { packet: Packet::Snapshot { position }, .. })) => snapshot = Some(position),
                Ok(Some(Received { packet, .. })) => match check(&packet) {
                    Ok(()) => messages.push(Message::Packet(packet)),
                    Err(malformed) => return io::Error::new(ErrorKind::InvalidData, malformed),
                },
                Ok(None) => break,
                Err(malformed) => return io::Error::new(ErrorKind::InvalidData, malformed),
            }
        }
        if !messages.is_empty() {
            let room = unread.room(had - buffer.len()).await;
            let messages = std::mem::take(&mut messages);
            let (link, connection) = (LinkKind::Quorum, link.id);
            quorum.inbox.put(PeerEvent::Said { peer, link, connection, messages, room });
        }
        if let Some(position) = snapshot {
            debug!(%peer, "a snapshot arrives");
            if let Err(error) = arriving::receive(quorum, (peer, link.id), position, &link.stream, &mut buffer).await {
                return error;
            }
            let message = Message::Packet(Packet::Snapshot { position });
            quorum.inbox.put(PeerEvent::SnapshotArrived { peer, connection: link.id, message });
        } else if let Err(error) = fill(&link.stream, &mut buffer).await {
            return error;
        }
    }
}

/// Whether what a leader wants logged could be applied here. A transaction that could not would stop this server for good once it was
/// committed, so it is not even taken into the log.
fn check(packet: &Packet) -> Result<(), Malformed> {
    match packet {
        Packet::Proposal { entry } | Packet::Inform { entry } => txn::decode(&entry.data).map(drop),
        _ => Ok(()),
    }
}

/// Reads more; an error at the end.
pub(crate) async fn fill(stream: &TcpStream, buffer: &mut BytesMut) -> io::Result<()> {
    // Transactions are kept in the memory that they were read into: many share one piece of it, and little of it is lost.
    if buffer.capacity() - buffer.len() < READ_BYTES_MIN {
        buffer.reserve(READ_BYTES);
    }
    loop {
        stream.readable().await?;
        match stream.try_read_buf(buffer) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}
