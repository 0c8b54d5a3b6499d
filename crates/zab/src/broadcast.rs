//! The leader's side of broadcast: proposals out, acknowledgements in, commits out (`Leader.propose`, `Leader.processAck`,
//! `Leader.tryToCommit`; Zab paper, phase 3).

use crate::learner::Stage;
use crate::role::Is;
use crate::{Dismissal, Packet, Zab};
use alloc::vec::Vec;
use bytes::Bytes;
use consensus::{DropReason, Dropped, Entry, EntryKind, NodeId, Note, Output, Position, SessionNote};

impl Zab {
    /// The position of the next proposal.
    pub(crate) fn next_position(&self) -> Option<Position> {
        let Is::Leading(leading) = &self.is else { return None };
        // What earlier epochs left must be applied before a transaction can be prepared against it.
        if !leading.is_established() || self.applied < leading.initial {
            return None;
        }
        let beginning = leading.beginning();
        let next = Position::new(beginning.epoch, self.history.last().max(beginning).index + 1);
        let uncommitted = self.history.bytes() - self.history.bytes_upto(self.committed);
        let open = uncommitted < self.config.uncommitted_bytes_max as u64 && next.index <= self.config.epoch_entries_max;
        open.then_some(next)
    }

    /// The leader proposes (Zab paper, step l.3.1): to all followers that it has brought up to date, while its own disk writes.
    pub(crate) fn on_propose(&mut self, commands: Vec<Bytes>) {
        let next = self.next_position().filter(|next| next.index + commands.len() as u64 <= u64::from(u32::MAX));
        let Some(mut position) = next else {
            return self.out.push(Output::Drop { what: Dropped::Proposal, reason: DropReason::NotLeader });
        };
        if commands.is_empty() {
            return;
        }
        let Is::Leading(leading) = &mut self.is else { return };
        for data in commands {
            let entry = Entry { position, kind: EntryKind::Command, data };
            self.disk.on_append(self.history.last(), entry.clone());
            self.history.push(entry.clone());
            for (&to, learner) in &leading.learners {
                if learner.counts && learner.stage.is_forwarding() {
                    self.outbox.push(packet_to(to, Packet::Proposal { entry: entry.clone() }));
                }
            }
            position.index += 1;
        }
        leading.proposed.push_back((self.history.last(), self.now));
        self.dismiss_who_lags();
    }

    /// A learner's log holds everything up to here.
    pub(crate) fn on_ack(&mut self, from: NodeId, position: Position) {
        let last = self.history.last();
        let Is::Leading(leading) = &mut self.is else { return };
        let beginning = leading.beginning();
        let Some(learner) = leading.learners.get_mut(&from) else { return };
        match learner.stage {
            Stage::Synchronized if position == beginning => {
                learner.stage = Stage::Acked;
                learner.acked = position.max(learner.acked);
                learner.acked_since = self.now;
                learner.acked_bytes = self.history.bytes_upto(self.committed.max(leading.initial));
                self.establish();
                self.let_serve();
            }
            // It acknowledges UPTODATE as well, which says nothing new; and an observer is not asked.
            Stage::Acked | Stage::Serving if position.index == 0 || !learner.counts => {}
            // Java's followers up to 3.8.4 acknowledge each transaction that they were brought up to date with, also of earlier epochs,
            // and some of it before NEWLEADER (ZOOKEEPER-4646): it is on their disks, and says nothing new of what is committed.
            Stage::Synchronized | Stage::Acked | Stage::Serving if position.index > 0 && learner.counts && position <= last => {
                if position.epoch == beginning.epoch && position > learner.acked {
                    learner.acked = position;
                    learner.acked_bytes = self.history.bytes_upto(position);
                }
            }
            _ => return self.dismiss(from, Dismissal::Nonsense { what: "ACK out of turn" }),
        }
        self.advance_commit();
    }

    /// Commits what a quorum has on disk, this server included once it has (Zab paper, step l.3.2). Each follower is told of each
    /// transaction, in order; observers get them now.
    pub(crate) fn advance_commit(&mut self) {
        let me = self.id();
        let Is::Leading(leading) = &mut self.is else { return };
        if !leading.is_established() {
            return;
        }
        let own = self.disk.synced();
        let reached = self.config.configuration.reached(|id| if id == me { own } else { leading.acked(id) });
        let reached = reached.unwrap_or(Position::ZERO).min(self.history.last());
        if reached <= self.committed {
            return;
        }
        for entry in self.history.between(self.committed, reached) {
            let position = entry.position;
            for (&to, learner) in leading.learners.iter().filter(|(_, learner)| learner.stage.is_forwarding()) {
                let packet = if learner.counts { Packet::Commit { position } } else { Packet::Inform { entry: entry.clone() } };
                self.outbox.push(packet_to(to, packet));
            }
        }
        self.committed = reached;
        // SYNC tells a learner that everything proposed before is committed (`Leader.tryToCommit`).
        for (&to, learner) in &mut leading.learners {
            while learner.syncs.front().is_some_and(|&target| target <= reached) {
                learner.syncs.pop_front();
                self.outbox.push(packet_to(to, Packet::Sync));
            }
        }
    }

    /// Once this leader serves, so may whoever has acknowledged NEWLEADER.
    pub(crate) fn let_serve(&mut self) {
        if !self.is_serving() {
            return;
        }
        let Is::Leading(leading) = &mut self.is else { return };
        for (&to, learner) in leading.learners.iter_mut().filter(|(_, learner)| learner.stage == Stage::Acked) {
            learner.stage = Stage::Serving;
            learner.heard = self.now;
            self.outbox.push(packet_to(to, Packet::UpToDate));
        }
    }

    /// A learner lives, and so do these sessions (`LearnerHandler.run`).
    pub(crate) fn on_ping_answer(&mut self, from: NodeId, last: Position, touched: Vec<(i64, i32)>) {
        let Is::Leading(leading) = &mut self.is else { return };
        let Some(learner) = leading.learners.get_mut(&from).filter(|learner| learner.stage.has_acked()) else {
            return self.dismiss(from, Dismissal::Nonsense { what: "PING out of turn" });
        };
        // An observer acknowledges nothing; but what it answers came after all that was sent before.
        if !learner.counts && last > learner.acked && last <= self.history.last() {
            learner.acked = last;
            learner.acked_bytes = self.history.bytes_upto(last);
        }
        if !touched.is_empty() {
            self.out.push(Output::Told { from, note: Note::Sessions(SessionNote::Touched(touched)) });
        }
    }

    /// A learner's client wants something.
    pub(crate) fn on_learner_note(&mut self, from: NodeId, note: Note) {
        if self.serves(from) {
            self.out.push(Output::Told { from, note });
        }
    }

    /// A learner wants to know when everything proposed so far is committed (`Leader.processSync`).
    pub(crate) fn on_sync_request(&mut self, from: NodeId) {
        if !self.serves(from) {
            return;
        }
        let last = self.history.last();
        let Is::Leading(leading) = &mut self.is else { return };
        let Some(learner) = leading.learners.get_mut(&from) else { return };
        if last <= self.committed {
            self.outbox.push(packet_to(from, Packet::Sync));
        } else {
            learner.syncs.push_back(last);
        }
    }

    fn serves(&mut self, learner: NodeId) -> bool {
        let Is::Leading(leading) = &self.is else { return false };
        let serves = leading.learners.get(&learner).is_some_and(|learner| learner.stage == Stage::Serving);
        if !serves {
            self.dismiss(learner, Dismissal::Nonsense { what: "a client's request before UPTODATE" });
        }
        serves
    }

    /// Whoever leaves too much unconfirmed is let go, and comes back for what it lacks in pieces.
    pub(crate) fn dismiss_who_lags(&mut self) {
        let Is::Leading(leading) = &self.is else { return };
        let bytes = self.history.bytes();
        let lags = |acked_bytes: u64| (bytes - acked_bytes) as usize;
        let lagging: Vec<(NodeId, usize)> = leading
            .learners
            .iter()
            .filter(|(_, learner)| learner.stage.has_acked())
            .map(|(&id, learner)| (id, lags(learner.acked_bytes)))
            .filter(|&(_, bytes)| bytes > self.config.inflight_bytes_max)
            .collect();
        for (learner, bytes) in lagging {
            self.dismiss(learner, Dismissal::Lags { bytes });
        }
    }
}

/// A packet over the quorum link.
pub(crate) fn packet_to(to: NodeId, packet: Packet) -> crate::Out {
    Output::Send { to, message: crate::Message::Packet(packet) }
}
