//! How a leader brings a learner's history up to its own (`LearnerHandler.syncFollower`; Zab paper, step l.2.1).
//!
//! H is the leader's history, P the learner's last transaction.
//!
//! ```text
//!   P in what is committed of H         DIFF    everything of H after P
//!   else, Q the last before it that is:
//!     Q in the epoch of P               TRUNC(Q), then everything of H after Q
//!     Q the end of H                    TRUNC(Q): P's epoch began with all of H, or its leader would have proposed nothing
//!     otherwise                         SNAP    (the learner may not hold Q)
//!   P = (epoch, 0)                      DIFF    the learner joined an epoch and got nothing of it: no history of its own
//!   P before everything in the log      SNAP, then everything of H after the snapshot
//! ```
//!
//! What is committed goes as PROPOSAL and COMMIT. Before the epoch is established that is all of H: its leader has not committed
//! everything in it, but whoever acknowledges NEWLEADER makes it so.

use crate::apply::READ_BYTES_LIMIT;
use crate::learner::Stage;
use crate::mutant::Mutant;
use crate::role::Is;
use crate::{Decision, Dismissal, Message, Packet, Sync, Zab};
use alloc::vec::Vec;
use consensus::{Entry, Fetch, NodeId, Output, Position, Reader};

/// What is asked of the log on disk for a learner.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    /// Of which connection.
    pub(crate) connection: u64,
    pub(crate) last: Position,
    /// So many bytes at most.
    budget: usize,
}

impl Zab {
    /// Begins to bring a learner up to date that has accepted the epoch.
    pub(crate) fn begin_sync(&mut self, to: NodeId) {
        let Is::Leading(leading) = &self.is else { return };
        let Some(Stage::Elected { last }) = leading.learners.get(&to).map(|learner| learner.stage) else { return };
        let Some(last) = last else { return self.begin_snapshot(to, None) };
        if last < self.history.before() {
            self.set_stage(to, Stage::Choosing { last });
            return self.feed(to);
        }
        self.choose_from(to, last, self.history.floor(last), None);
    }

    /// The end of what goes as committed.
    fn committed_end(&self) -> Position {
        let Is::Leading(leading) = &self.is else { return self.committed };
        if leading.is_established() { self.committed } else { self.history.last() }
    }

    /// Chooses, once it is known which transaction of the history is the last at or before the learner's (`floor`). From the
    /// disk: `after` is the first transaction that it holds after the learner's.
    fn choose_from(&mut self, to: NodeId, last: Position, floor: Option<Position>, after: Option<Position>) {
        let upto = self.committed_end();
        let held = floor == Some(last);
        let continued = floor.is_none() && after.is_some_and(|after| after.epoch == last.epoch && last.precedes_zxid(after));
        let sync = if continued || last.index == 0 && floor.is_some() || held && last <= upto {
            Sync::Diff { upto }
        } else {
            // Also of what the leader has, but has not committed: the learner's log has it as well, but a Java learner would take
            // its COMMIT for one out of turn. It is cut and sent again.
            match floor.map(|floor| floor.min(upto)) {
                Some(keep) if keep.epoch == last.epoch => Sync::Truncate { to: keep },
                // After a snapshot of less than it has logged a Java learner would apply the rest of its log at its next start.
                Some(keep) if keep == self.history.last() && keep.index > 0 => Sync::Truncate { to: keep },
                _ => return self.begin_snapshot(to, Some(last)),
            }
        };
        let (packet, sent) = match sync {
            Sync::Truncate { to } if !self.config.is_bent(Mutant::DiffWhereTruncWasDue) => (Packet::Truncate { to }, to),
            Sync::Truncate { to } => (Packet::Diff { upto }, to),
            _ => (Packet::Diff { upto }, last),
        };
        self.explain(Decision::BringsUpToDate { learner: to, from: Some(last), sync });
        self.send(to, packet);
        self.set_stage(to, Stage::Feeding { sent });
        self.feed(to);
    }

    fn begin_snapshot(&mut self, to: NodeId, from: Option<Position>) {
        let position = self.snapshot;
        self.explain(Decision::BringsUpToDate { learner: to, from, sync: Sync::Snapshot { position } });
        self.set_stage(to, Stage::Snapshot { position, sent: false });
        self.send_snapshot(to);
    }

    /// One transfer to a peer at a time: one to an earlier connection may not have ended yet.
    fn send_snapshot(&mut self, to: NodeId) {
        let position = self.snapshot;
        if self.sending.contains(&to) {
            return;
        }
        self.sending.insert(to);
        self.set_stage(to, Stage::Snapshot { position, sent: true });
        let message = Message::Packet(Packet::Snapshot { position });
        self.outbox.push(Output::SendSnapshot { to, message });
    }

    pub(crate) fn on_snapshot_sent(&mut self, to: NodeId, delivered: bool) {
        self.sending.remove(&to);
        let Is::Leading(leading) = &self.is else { return };
        match leading.learners.get(&to).map(|learner| learner.stage) {
            Some(Stage::Snapshot { sent: false, .. }) => self.send_snapshot(to),
            Some(Stage::Snapshot { .. }) if !delivered => self.dismiss(to, Dismissal::SnapshotLost),
            Some(Stage::Snapshot { position, .. }) => {
                self.set_stage(to, Stage::Feeding { sent: position });
                self.feed(to);
            }
            _ => {}
        }
    }

    fn set_stage(&mut self, to: NodeId, stage: Stage) {
        if let Is::Leading(leading) = &mut self.is
            && let Some(learner) = leading.learners.get_mut(&to)
        {
            learner.stage = stage;
            learner.heard = self.now;
        }
    }

    /// Sends a learner what it lacks: from the disk a piece at a time (the driver answers the next Fetch when the link has
    /// taken the last), from memory the rest, and then NEWLEADER.
    fn feed(&mut self, to: NodeId) {
        self.feed_up_to(to, self.config.fetch_bytes_max);
    }

    fn feed_up_to(&mut self, to: NodeId, budget: usize) {
        let Is::Leading(leading) = &self.is else { return };
        let Some(learner) = leading.learners.get(&to) else { return };
        let first = match learner.stage {
            Stage::Choosing { last } => last,
            Stage::Feeding { sent } if sent < self.history.before() => sent,
            Stage::Feeding { sent } => return self.finish_feeding(to, sent),
            _ => return,
        };
        let (connection, last) = (learner.connection, self.history.before());
        if self.asked.contains_key(&to) {
            return;
        }
        self.asked.insert(to, Asked { connection, last, budget });
        let (first, last) = (first.zxid(), last.zxid());
        self.out.push(Output::Fetch(Fetch { reader: Reader::Peer(to), first, last, budget }));
    }

    /// All that is left is in memory.
    fn finish_feeding(&mut self, to: NodeId, sent: Position) {
        let committed = self.committed_end();
        let Is::Leading(leading) = &self.is else { return };
        let Some(learner) = leading.learners.get(&to) else { return };
        let Some(epoch) = leading.epoch else { return };
        let pairs: Vec<Entry> = self.history.between(sent, committed).cloned().collect();
        // Only voters vote on what is not committed.
        let upto = if learner.counts { self.history.last() } else { committed };
        let open: Vec<Entry> = self.history.between(sent.max(committed), upto).cloned().collect();
        self.send_pairs(to, pairs);
        for entry in open {
            self.send(to, Packet::Proposal { entry });
        }
        self.send(to, Packet::NewLeader { epoch });
        self.set_stage(to, Stage::Synchronized);
    }

    fn send_pairs(&mut self, to: NodeId, entries: Vec<Entry>) {
        for entry in entries {
            let position = entry.position;
            self.send(to, Packet::Proposal { entry });
            self.send(to, Packet::Commit { position });
        }
    }

    /// The disk's answer for a learner.
    pub(crate) fn on_fetched_for(&mut self, to: NodeId, entries: Vec<Entry>) {
        let Some(asked) = self.asked.remove(&to) else { return };
        let Is::Leading(leading) = &self.is else { return };
        let Some(learner) = leading.learners.get(&to) else { return };
        if learner.connection != asked.connection {
            return self.feed(to);
        }
        match learner.stage {
            Stage::Choosing { last } => {
                let floor = entries.first().map(|entry| entry.position).filter(|&first| first <= last);
                let after = entries.iter().map(|entry| entry.position).find(|&position| position > last);
                self.choose_from(to, last, floor, after);
            }
            Stage::Feeding { sent } => self.feed_from(to, sent, asked, entries),
            _ => {}
        }
    }

    fn feed_from(&mut self, to: NodeId, sent: Position, asked: Asked, mut entries: Vec<Entry>) {
        let reaches_back = entries.first().is_some_and(|entry| entry.position <= sent);
        entries.retain(|entry| entry.position > sent && entry.position <= asked.last);
        // What was sent already may have used the budget up: then what follows needs more.
        if entries.is_empty() && reaches_back && asked.budget < READ_BYTES_LIMIT {
            return self.feed_up_to(to, asked.budget.saturating_mul(16));
        }
        // Nothing in that range: the window begins after a snapshot that no transaction stands for.
        let nothing = reaches_back && asked.last.index == 0;
        let continues = entries.first().map_or(nothing, |entry| reaches_back || sent.precedes_zxid(entry.position));
        if !continues {
            return self.dismiss(to, Dismissal::LogTooShort { after: sent });
        }
        let sent = entries.last().map_or(asked.last, |entry| entry.position);
        self.send_pairs(to, entries);
        self.set_stage(to, Stage::Feeding { sent });
        self.feed(to);
    }
}
