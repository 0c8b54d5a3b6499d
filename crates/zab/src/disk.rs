//! What is on its way to the disk, and what waits for it.
//!
//! LEADERINFO, ACKEPOCH and every ACK leave only after the sync that they depend on: Java's servers write and sync in place
//! (`QuorumPeer.setAcceptedEpoch`, ZOOKEEPER-3911, ZOOKEEPER-4646). So a driver may carry out every output at once: the waiting
//! happens here. Writes take effect in order, and of one write the log comes before the promise.

use crate::Packet;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use consensus::{Append, Entry, Instant, NodeId, Persist, Position, Promise, Ticket};
use core::mem;
use core::time::Duration;

/// The server's view of its disk.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    /// The ticket that the next Persist gets.
    next: Ticket,
    confirmed: Ticket,
    open: VecDeque<Open>,
    withheld: Vec<Withheld>,
    /// The log is synced up to here.
    synced: Position,
    /// What this step wants persisted.
    promise_changed: bool,
    append: Option<Append>,
}

#[derive(Clone, Debug)]
struct Open {
    ticket: Ticket,
    since: Instant,
    /// The log will be synced up to here, unless it was cut meanwhile.
    upto: Option<Position>,
}

#[derive(Clone, Debug)]
struct Withheld {
    until: Ticket,
    to: NodeId,
    packet: Packet,
}

impl Disk {
    pub(crate) fn new(synced: Position) -> Disk {
        Disk {
            next: Ticket(1),
            confirmed: Ticket(0),
            open: VecDeque::new(),
            withheld: Vec::new(),
            synced,
            promise_changed: false,
            append: None,
        }
    }

    /// The log is synced up to here.
    pub(crate) fn synced(&self) -> Position {
        self.synced
    }

    /// When the oldest write that is still open began.
    pub(crate) fn open_since(&self) -> Option<Instant> {
        self.open.front().map(|open| open.since)
    }

    /// For how long the oldest write has been open.
    pub(crate) fn open_for(&self, now: Instant) -> Duration {
        self.open_since().map_or(Duration::ZERO, |since| now.since(since))
    }

    /// An epoch changed: this step's Persist makes it durable, with everything before it.
    pub(crate) fn on_promise(&mut self) -> Ticket {
        self.promise_changed = true;
        self.next
    }

    /// The log was continued after `after`: this step's Persist makes it durable.
    pub(crate) fn on_append(&mut self, after: Position, entry: Entry) {
        match &mut self.append {
            Some(append) => append.entries.push(entry),
            None => self.append = Some(Append { after, entries: Vec::from([entry]) }),
        }
    }

    /// The log was cut after `after`: this step's Persist makes it durable. What is being written beyond it is void.
    pub(crate) fn on_cut(&mut self, after: Position) {
        assert!(self.append.is_none(), "a step cuts before it appends");
        self.synced = self.synced.min(after);
        for open in &mut self.open {
            open.upto = open.upto.map(|upto| upto.min(after));
        }
        self.append = Some(Append { after, entries: Vec::new() });
    }

    /// A snapshot took the place of the log, durably.
    pub(crate) fn on_installed(&mut self, position: Position) {
        self.synced = position;
        for open in &mut self.open {
            open.upto = None;
        }
    }

    /// The ticket that makes everything durable that was asked for so far.
    pub(crate) fn newest(&self) -> Ticket {
        let nothing_new = !self.promise_changed && self.append.is_none();
        if nothing_new { Ticket(self.next.0 - 1) } else { self.next }
    }

    /// Whether this ticket was confirmed.
    pub(crate) fn is_synced(&self, ticket: Ticket) -> bool {
        ticket <= self.confirmed
    }

    /// Keeps a packet until `until` is confirmed.
    pub(crate) fn withhold(&mut self, until: Ticket, to: NodeId, packet: Packet) {
        self.withheld.push(Withheld { until, to, packet });
    }

    /// The link to `to` is gone, and with it what was to be said over it.
    pub(crate) fn forget(&mut self, to: NodeId) {
        self.withheld.retain(|withheld| withheld.to != to);
    }

    /// What this step wants persisted, as one.
    pub(crate) fn flush(&mut self, now: Instant, promise: Promise) -> Option<Persist> {
        if !self.promise_changed && self.append.is_none() {
            return None;
        }
        let promise = self.promise_changed.then_some(promise);
        self.promise_changed = false;
        let ticket = self.next;
        self.next = Ticket(ticket.0 + 1);
        let append = self.append.take();
        let upto = append.as_ref().map(|append| append.entries.last().map_or(append.after, |entry| entry.position));
        self.open.push_back(Open { ticket, since: now, upto });
        Some(Persist { ticket, promise, append })
    }

    /// Everything up to `ticket` is synced: the packets that waited for it, in order.
    pub(crate) fn on_persisted(&mut self, ticket: Ticket) -> Vec<(NodeId, Packet)> {
        assert!(ticket < self.next, "{ticket:?} was never given out");
        self.confirmed = self.confirmed.max(ticket);
        while let Some(open) = self.open.front() {
            if open.ticket > ticket {
                break;
            }
            self.synced = self.synced.max(open.upto.unwrap_or(Position::ZERO));
            self.open.pop_front();
        }
        let (free, kept) = mem::take(&mut self.withheld).into_iter().partition::<Vec<_>, _>(|withheld| withheld.until <= ticket);
        self.withheld = kept;
        free.into_iter().map(|withheld| (withheld.to, withheld.packet)).collect()
    }

    /// Whether what waits waits for a write that is open.
    pub(crate) fn is_consistent(&self) -> bool {
        self.confirmed < self.next
            && self.withheld.iter().all(|withheld| withheld.until > self.confirmed && withheld.until < self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use consensus::EntryKind;

    fn append(disk: &mut Disk, after: Position, position: Position) -> Ticket {
        let entry = Entry { position, kind: EntryKind::Command, data: Bytes::new() };
        disk.on_append(after, entry);
        disk.flush(Instant::ZERO, Promise::default()).unwrap().ticket
    }

    #[test]
    fn what_was_cut_is_not_synced_by_an_older_write() {
        let at = Position::new;
        let mut disk = Disk::new(at(1, 1));
        let first = append(&mut disk, at(1, 1), at(1, 2));
        disk.on_cut(at(1, 1));
        let cut = disk.flush(Instant::ZERO, Promise::default()).unwrap().ticket;
        let second = append(&mut disk, at(1, 1), at(2, 1));
        disk.on_persisted(first);
        assert_eq!(disk.synced(), at(1, 1));
        disk.on_persisted(cut);
        assert_eq!(disk.synced(), at(1, 1));
        disk.on_persisted(second);
        assert_eq!(disk.synced(), at(2, 1));
    }

    #[test]
    fn a_packet_leaves_with_the_sync_that_it_waits_for() {
        let mut disk = Disk::new(Position::ZERO);
        let until = disk.on_promise();
        disk.withhold(until, NodeId(2), Packet::LeaderInfo { epoch: 3 });
        assert_eq!(disk.newest(), until);
        let persist = disk.flush(Instant::ZERO, Promise { epoch: 3, ..Promise::default() }).unwrap();
        assert_eq!((persist.ticket, persist.promise.unwrap().epoch), (until, 3));
        assert!(disk.flush(Instant::ZERO, Promise::default()).is_none());
        assert_eq!(disk.on_persisted(until), [(NodeId(2), Packet::LeaderInfo { epoch: 3 })]);
        assert!(disk.is_synced(until));
    }
}
