//! A snapshot on its way from a leader to its learner, in its place among the packets: whole, or not at all.

use crate::on_zab::wires::{Happening, Parcel, State};
use crate::on_zab::{Stack, Zab};
use crate::world::{Occasion, World, id};
use bytes::{Bytes, BytesMut};
use consensus::{Link, Position};
use replica::Event;
use std::time::Duration;
use storage::zookeeper::SnapshotError;
use zab::{Message, Packet};

impl<S: Stack> World<Zab<S>> {
    /// Sends the snapshot that the message names.
    pub(super) fn ship(&mut self, from: usize, to: usize, message: Message) {
        let Message::Packet(Packet::Snapshot { position }) = message else {
            return self
                .violate(crate::Invariant::MessagesAreLegal, format!("member {} sends no snapshot: {message:?}", from + 1));
        };
        let Some((conn, end)) = self.net.slot(from, to, Link::Quorum) else {
            // Who lost the link was told so already.
            return;
        };
        let life = self.members[from].life;
        let bytes = match self.process(from).store.read_for_sending(position) {
            Ok(bytes) => bytes,
            Err(SnapshotError::NoSuch { .. }) => {
                let sent = Happening::Sent { conn, end, member: from, life, delivered: false };
                return self.after(Duration::from_millis(1), Occasion::Link(sent));
            }
            Err(error) => return self.read_failed(from, &error),
        };
        self.trace.note(self.now, (from << 8 | to << 16 | 14) as u64, || {
            format!("m{} sends m{} a snapshot of {position}, {} bytes", from + 1, to + 1, bytes.len())
        });
        let slow = if self.chance.one_in(1, 5) { 2_000 } else { 50 };
        let extra = self.chance.between(Duration::from_millis(1), Duration::from_millis(slow));
        self.transmit(conn, end, Parcel::Snapshot { message, position, bytes }, extra);
        let arrives = self.last_arrival(conn, 1 - end).max(self.now);
        self.agenda.put(arrives, Occasion::Link(Happening::Sent { conn, end, member: from, life, delivered: true }));
    }

    pub(super) fn on_sent(&mut self, conn: usize, end: usize, member: usize, life: u64, delivered: bool) {
        // Once the link was reported gone, nobody waits for this.
        if self.lives(member, life) && self.net.end(conn, end).state == State::Up {
            let to = self.net.end(conn, 1 - end).member;
            self.feed(member, Event::SnapshotSent { to: id(to), delivered });
        }
    }

    /// The bytes are here: they are written, and synced after a while. What follows on the connection waits.
    pub(super) fn take_snapshot(
        &mut self,
        conn: usize,
        end: usize,
        member: usize,
        message: Message,
        position: Position,
        bytes: &Bytes,
    ) {
        let from = self.net.end(conn, 1 - end).member;
        if let Err(error) = self.process(member).store.receive(id(from), position, bytes) {
            return self.read_failed(member, &error);
        }
        self.net.end_mut(conn, end).settling = true;
        let (latency, life) = (self.sync_latency(member), self.members[member].life);
        self.after(latency, Occasion::Link(Happening::Settled { conn, end, member, life, message }));
    }

    pub(super) fn on_settled(&mut self, conn: usize, end: usize, member: usize, life: u64, message: Message) {
        if !self.lives(member, life) {
            return;
        }
        self.net.end_mut(conn, end).settling = false;
        if self.net.end(conn, end).state != State::Up {
            return;
        }
        let sealed = match self.process(member).store.settle() {
            Ok(sealed) => sealed,
            Err(fault) => return self.disk_failed(member, &fault),
        };
        self.discard_sealed(member);
        if !self.lives(member, life) {
            return;
        }
        self.process(member).arrived = Some(sealed);
        let from = self.net.end(conn, 1 - end).member;
        self.trace
            .note(self.now, (from << 8 | member << 16 | 22) as u64, || format!("m{} has m{}'s snapshot", member + 1, from + 1));
        self.feed(member, Event::SnapshotArrived { from: id(from), message });
        self.pump(conn, end, member);
    }

    /// The process does not want the snapshot that arrived.
    pub(super) fn discard_sealed(&mut self, member: usize) {
        if let Some(sealed) = self.process(member).arrived.take()
            && let Err(fault) = sealed.discard()
        {
            self.disk_failed(member, &fault);
        }
    }

    pub(super) fn read_failed(&mut self, member: usize, error: &SnapshotError) {
        match error {
            SnapshotError::Fault(fault) => self.disk_failed(member, fault),
            other => self.violate(crate::Invariant::SnapshotsAreWhole, format!("member {}: {other}", member + 1)),
        }
    }
}

/// All pieces, as one.
pub(super) fn join(chunks: Vec<Bytes>) -> Bytes {
    let mut whole = BytesMut::new();
    for chunk in chunks {
        whole.extend_from_slice(&chunk);
    }
    whole.freeze()
}
