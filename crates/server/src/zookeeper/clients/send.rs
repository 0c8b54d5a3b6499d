//! What is on its way to clients, and how much may wait for them.

use super::connection::{Connection, ConnectionId, Stage, Waiting};
use super::desk::{Desk, Moment};
use super::frames::holds_frame;
use super::line::Sent;
use bytes::BytesMut;
use tracing::warn;

/// A client that has so much to read does not get more before it has read some.
pub(super) const OUTPUT_BYTES_HIGH: usize = 256 << 10;
/// Watch events cannot be held back. A client that lets so many bytes of them pile up is let go; it asks for its watches anew when it
/// comes back.
const EVENT_BYTES_MAX: usize = 8 << 20;
/// Bytes of one client's requests that may wait for their turn.
const QUEUE_BYTES_HIGH: usize = 1 << 20;
/// Bytes that are kept for all clients together, theirs and what they are told. Above it, who has more than a little is let go.
const KEPT_BYTES_MAX: usize = 512 << 20;
/// A little.
const KEPT_BYTES_LITTLE: usize = 64 << 10;
/// Memory that a connection keeps between its replies.
const OUTPUT_BYTES_RESERVED: usize = 16 << 10;

impl Desk {
    /// Offers what there is to say to the sockets.
    pub(super) fn flush(&mut self) {
        for id in std::mem::take(&mut self.dirty) {
            if let Some(connection) = self.get_mut(id) {
                connection.is_dirty = false;
            }
            self.send(id);
            self.weigh(id);
        }
    }

    fn send(&mut self, id: ConnectionId) {
        let Some(connection) = self.get(id) else { return };
        if self.is_ending && connection.queue.is_empty() {
            self.close(id);
        }
        let Some(connection) = self.get_mut(id) else { return };
        let Some(line) = connection.line.clone() else { return };
        match line.send(&mut connection.output) {
            Sent::All if connection.stage == Stage::Closing => return line.hang_up(),
            Sent::Broken => return self.lost(id),
            Sent::All => connection.event_bytes = 0,
            Sent::Part if connection.event_bytes > EVENT_BYTES_MAX => {
                return self.let_go(id, "a client does not read what its watches tell it");
            }
            Sent::Part => {}
        }
        if connection.output.is_empty() && connection.output.capacity() > OUTPUT_BYTES_RESERVED {
            connection.output = BytesMut::new();
        }
        line.may_listen();
        if self.has_more(id) {
            line.come_again();
        }
    }

    /// Whether a client could be answered more at once: it was held back since it had so much to read, and has read it, or since others
    /// were to have their turn.
    pub(super) fn has_more(&self, id: ConnectionId) -> bool {
        let Some(connection) = self.get(id).filter(|connection| connection.stage == Stage::Open) else { return false };
        let waits = matches!(connection.queue.front(), Some(Waiting::Here { .. }))
            || (holds_frame(&connection.input) && !connection.is_stuck);
        waits && !self.is_held(connection)
    }

    /// Keeps account of the memory that a connection takes.
    pub(super) fn weigh(&mut self, id: ConnectionId) {
        let Some(connection) = self.get_mut(id) else { return };
        let bytes = connection.input.len() + connection.output.len() + connection.queue_bytes + connection.id_bytes();
        let before = std::mem::replace(&mut connection.kept_bytes, bytes);
        self.kept_bytes = self.kept_bytes - before + bytes;
        if self.kept_bytes > KEPT_BYTES_MAX && bytes > KEPT_BYTES_LITTLE {
            self.let_go(id, "clients let more pile up than this server has memory for");
        }
    }

    /// Closes a connection without a last word.
    fn let_go(&mut self, id: ConnectionId, why: &str) {
        let Some(connection) = self.get_mut(id) else { return };
        let (address, bytes) = (connection.address, connection.output.len());
        warn!(%address, bytes, "{why}: its connection is closed");
        self.lost(id);
    }

    /// The socket has room again.
    pub(super) fn resume(&mut self, moment: &Moment<'_>, id: ConnectionId) {
        self.send(id);
        self.answer_queue(Some(moment), id);
        self.proceed(moment, id);
        self.mark(id);
    }

    /// Whether more is wanted from this client now.
    pub(super) fn is_listening_to(&self, id: ConnectionId) -> bool {
        let Some(connection) = self.get(id) else { return true };
        match connection.stage {
            Stage::Closing => false,
            Stage::Greeting | Stage::Word => true,
            Stage::Opening => connection.input.len() < OUTPUT_BYTES_HIGH,
            Stage::Open => !connection.is_stuck && !self.is_held(connection) && !holds_frame(&connection.input),
        }
    }

    /// Whether a client's next request has to wait until others are answered, or until it has read what it was told.
    ///
    /// Java stops reading a connection that has a request outstanding while there are more than globalOutstandingLimit in all
    /// (`ServerCnxn.incrOutstandingAndCheckThrottle`).
    pub(super) fn is_held(&self, connection: &Connection) -> bool {
        connection.output.len() > OUTPUT_BYTES_HIGH
            || connection.queue_bytes > QUEUE_BYTES_HIGH
            || (self.outstanding > self.settings.outstanding_max && !connection.queue.is_empty())
    }
}
