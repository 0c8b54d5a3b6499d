//! What is on its way to the disk, and what waits for it.
//!
//! Votes, answers to appends, and whatever is said in a term that is not yet on disk leave only after the sync that they depend on
//! (Raft thesis §3.8). So a driver may carry out every output at once: the waiting happens here.
//!
//! ```text
//!   step ── Persist(7) ──▶ disk        withheld: (7, Vote to 2), (7, Appended to 2)
//!   step ── Persist(8) ──▶ disk        withheld: (7, ..), (7, ..), (8, Appended to 2)
//!   Persisted(7) ──▶ synced grows, Vote and Appended leave
//! ```
//!
//! A truncation voids older tickets for the positions that it cuts: when entry 12 of term 1 is being written, cut and written anew
//! as entry 12 of term 2, then the first write's confirmation says nothing about the second's entry.

use crate::{Body, Message};
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use consensus::{Append, Instant, NodeId, Persist, Promise, Ticket};
use core::mem;
use core::time::Duration;

/// The member's view of its disk.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    /// The ticket that the next Persist gets.
    next: Ticket,
    confirmed: Ticket,
    open: VecDeque<Open>,
    withheld: Vec<Withheld>,
    /// The log is synced up to here.
    synced: u64,
    /// What this step wants persisted.
    promise_changed: bool,
    append: Option<Append>,
    /// Makes the current term and vote durable.
    promised_by: Ticket,
    /// The commit index that was last written.
    committed: u64,
}

#[derive(Clone, Debug)]
struct Open {
    ticket: Ticket,
    since: Instant,
    /// The log will be synced up to here, unless a truncation voided it.
    upto: Option<u64>,
}

#[derive(Clone, Debug)]
struct Withheld {
    until: Ticket,
    to: NodeId,
    message: Message,
}

impl Withheld {
    /// Whether a newer message to the same peer, free at `until`, says all that this one does.
    fn is_said_by(&self, until: Ticket, newer: &Message) -> bool {
        match (&self.message.body, &newer.body) {
            // Answers to different writes each become free with their own.
            (Body::Appended { upto }, Body::Appended { upto: more }) => self.until == until && upto <= more,
            (Body::Vote { .. } | Body::PreVote { .. }, _) => self.message == *newer,
            (old, newer) => mem::discriminant(old) == mem::discriminant(newer),
        }
    }
}

impl Disk {
    pub(crate) fn new(synced: u64, committed: u64) -> Disk {
        Disk {
            next: Ticket(1),
            confirmed: Ticket(0),
            open: VecDeque::new(),
            withheld: Vec::new(),
            synced,
            promise_changed: false,
            append: None,
            promised_by: Ticket(0),
            committed,
        }
    }

    /// The log is synced up to here.
    pub(crate) fn synced(&self) -> u64 {
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

    /// The term or the vote changed: this step's Persist makes it durable.
    pub(crate) fn on_promise(&mut self, term: u64) {
        self.promise_changed = true;
        self.promised_by = self.next;
        // What was to be said in an older term is of no use to anybody now.
        self.withheld.retain(|withheld| withheld.message.term >= term);
    }

    /// The log changed: this step's Persist makes that durable. `cut` says that entries were dropped first.
    pub(crate) fn on_append(&mut self, append: Append, cut: bool) {
        assert!(self.append.is_none(), "a step changes the log once");
        let after = append.after.index;
        if cut {
            self.synced = self.synced.min(after);
            for open in &mut self.open {
                open.upto = open.upto.map(|upto| upto.min(after));
            }
            self.withheld.retain(|withheld| !matches!(withheld.message.body, Body::Appended { upto } if upto > after));
        }
        self.append = Some(append);
    }

    /// A snapshot took the place of the log, durably.
    pub(crate) fn on_installed(&mut self, index: u64) {
        self.synced = index;
        self.committed = index;
        for open in &mut self.open {
            open.upto = None;
        }
        self.withheld.retain(|withheld| !matches!(withheld.message.body, Body::Appended { .. }));
    }

    /// What makes the current term and vote durable.
    pub(crate) fn promised_by(&self) -> Ticket {
        self.promised_by
    }

    /// What makes the log durable up to `index`.
    pub(crate) fn synced_by(&self, index: u64) -> Ticket {
        if index <= self.synced {
            return Ticket(0);
        }
        let open = self.open.iter().find(|open| open.upto.is_some_and(|upto| upto >= index));
        open.map_or(self.next, |open| open.ticket)
    }

    /// Whether this ticket was confirmed.
    pub(crate) fn is_synced(&self, ticket: Ticket) -> bool {
        ticket <= self.confirmed
    }

    /// Keeps a message until `until` is confirmed. However long the disk hangs, few messages wait: what a newer one says as well is
    /// dropped.
    pub(crate) fn withhold(&mut self, until: Ticket, to: NodeId, message: Message) {
        self.withheld.retain(|old| old.to != to || !old.is_said_by(until, &message));
        self.withheld.push(Withheld { until, to, message });
    }

    /// What this step wants persisted, as one. The commit index rides along: it is a hint, not worth a sync of its own.
    pub(crate) fn flush(&mut self, now: Instant, promise: Promise) -> Option<Persist> {
        if !self.promise_changed && self.append.is_none() {
            return None;
        }
        let changed = self.promise_changed || promise.committed > self.committed;
        self.promise_changed = false;
        self.committed = promise.committed;
        let ticket = self.next;
        self.next = Ticket(ticket.0 + 1);
        let append = self.append.take();
        let upto = append.as_ref().map(|append| append.entries.last().map_or(append.after, |entry| entry.position).index);
        self.open.push_back(Open { ticket, since: now, upto });
        Some(Persist { ticket, promise: changed.then_some(promise), append })
    }

    /// Everything up to `ticket` is synced: the messages that waited for it, in the order in which they were withheld.
    pub(crate) fn on_persisted(&mut self, ticket: Ticket) -> Vec<(NodeId, Message)> {
        assert!(ticket < self.next, "{ticket:?} was never given out");
        self.confirmed = self.confirmed.max(ticket);
        while let Some(open) = self.open.front() {
            if open.ticket > ticket {
                break;
            }
            self.synced = self.synced.max(open.upto.unwrap_or(0));
            self.open.pop_front();
        }
        let confirmed = self.confirmed;
        let mut free: Vec<(NodeId, Message)> =
            self.withheld.extract_if(.., |withheld| withheld.until <= confirmed).map(|free| (free.to, free.message)).collect();
        drop_overtaken(&mut free);
        free
    }

    /// Whether all that was to leave has left or waits for an open write.
    pub(crate) fn is_consistent(&self) -> bool {
        self.confirmed < self.next
            && self.withheld.iter().all(|withheld| withheld.until > self.confirmed && withheld.until < self.next)
            && self.open.iter().all(|open| open.ticket > self.confirmed)
    }
}

/// Of several answers to appends that become free at once, the last says it all.
fn drop_overtaken(free: &mut Vec<(NodeId, Message)>) {
    let mut said: BTreeMap<(NodeId, u64), u64> = BTreeMap::new();
    free.reverse();
    free.retain(|(to, message)| {
        let Body::Appended { upto } = message.body else { return true };
        let said = said.entry((*to, message.term)).or_insert(0);
        let news = upto > *said || upto == 0;
        *said = upto.max(*said);
        news
    });
    free.reverse();
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use bytes::Bytes;
    use consensus::{Entry, EntryKind, Position};

    fn append(after: u64, terms: &[u64]) -> Append {
        let entry = |(offset, &term)| Entry {
            position: Position::new(term, after + 1 + offset as u64),
            kind: EntryKind::Command,
            data: Bytes::new(),
        };
        Append { after: Position::new(1, after), entries: terms.iter().enumerate().map(entry).collect() }
    }

    fn appended(upto: u64) -> Message {
        Message { term: 2, body: Body::Appended { upto } }
    }

    fn flush(disk: &mut Disk) -> Ticket {
        disk.flush(Instant::ZERO, Promise::default()).unwrap().ticket
    }

    #[test]
    fn a_rewritten_entry_is_synced_by_its_second_write_only() {
        // Entry 12 of term 1 is being written, then cut, then written anew with term 2. The first write's end says nothing about it.
        let mut disk = Disk::new(11, 0);
        disk.on_append(append(11, &[1]), false);
        let first = flush(&mut disk);
        disk.withhold(disk.synced_by(12), NodeId(2), appended(12));
        disk.on_append(append(11, &[2]), true);
        let second = flush(&mut disk);
        disk.withhold(disk.synced_by(12), NodeId(3), appended(12));
        assert_eq!(disk.on_persisted(first), vec![]);
        assert_eq!(disk.synced(), 11);
        assert_eq!(disk.on_persisted(second), vec![(NodeId(3), appended(12))]);
        assert_eq!(disk.synced(), 12);
    }

    #[test]
    fn one_confirmation_stands_for_all_before_it() {
        let mut disk = Disk::new(0, 0);
        let mut tickets = vec![];
        for index in 0..3 {
            disk.on_append(append(index, &[1]), false);
            tickets.push(flush(&mut disk));
            disk.withhold(disk.synced_by(index + 1), NodeId(2), appended(index + 1));
        }
        assert_eq!(disk.on_persisted(tickets[1]), vec![(NodeId(2), appended(2))], "the last answer says it all");
        assert_eq!(disk.synced(), 2);
        assert_eq!(disk.on_persisted(tickets[2]), vec![(NodeId(2), appended(3))]);
    }

    #[test]
    fn a_message_waits_only_for_what_it_depends_on() {
        let mut disk = Disk::new(5, 0);
        disk.on_append(append(5, &[1]), false);
        let log = flush(&mut disk);
        assert_eq!(disk.synced_by(5), Ticket(0));
        assert_eq!(disk.synced_by(6), log);
        assert_eq!(disk.promised_by(), Ticket(0), "neither term nor vote changed");
        disk.on_promise(2);
        let promise = flush(&mut disk);
        assert_eq!(disk.promised_by(), promise);
        disk.withhold(promise, NodeId(2), appended(0));
        disk.on_promise(3);
        let newer = flush(&mut disk);
        assert_eq!(disk.on_persisted(newer), vec![], "an older term's answers are of no use");
    }

    #[test]
    fn few_messages_wait_however_long_the_disk_hangs() {
        let mut disk = Disk::new(0, 0);
        disk.on_append(append(0, &[1, 1]), false);
        let log = flush(&mut disk);
        for _ in 0..100 {
            for peer in [2, 3] {
                for body in
                    [Body::HeartbeatAck { context: Bytes::new() }, Body::Appended { upto: 2 }, Body::Vote { granted: false }]
                {
                    disk.withhold(log, NodeId(peer), Message { term: 2, body });
                }
            }
        }
        assert_eq!(disk.withheld.len(), 6);
    }

    #[test]
    fn the_commit_index_rides_along() {
        let mut disk = Disk::new(5, 3);
        let promise = |committed| Promise { epoch: 1, committed, ..Promise::default() };
        assert_eq!(disk.flush(Instant::ZERO, promise(4)), None, "not worth a sync of its own");
        disk.on_append(append(5, &[1]), false);
        assert_eq!(disk.flush(Instant::ZERO, promise(4)).unwrap().promise, Some(promise(4)));
        disk.on_append(append(6, &[1]), false);
        assert_eq!(disk.flush(Instant::ZERO, promise(4)).unwrap().promise, None);
    }
}
