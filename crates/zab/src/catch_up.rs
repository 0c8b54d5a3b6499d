//! A learner whose leader brings it up to date, and then feeds it (`Learner.syncWithLeader`, `Follower.processPacket`,
//! `Observer.processPacket`; Zab paper, steps f.2.1 to f.3.2).
//!
//! ```text
//!   DIFF   the log goes on where it ends
//!   TRUNC  the log is cut, then goes on
//!   SNAP   what follows is kept in memory until NEWLEADER; then the snapshot and what is committed of it come into force as one,
//!          so that a crash never leaves less than was acknowledged before (DESIGN 13)
//! ```
//!
//! The order at NEWLEADER is what ZOOKEEPER-3911, 4643, 4646 and 4785 were about: the transactions are synced, then currentEpoch is,
//! then the acknowledgement leaves. Nothing is applied before UPTODATE says that a quorum has that history: until then it can be cut
//! again. (A snapshot can not: see `ask_for_snapshot`.)

use crate::broadcast::packet_to;
use crate::follow::Stage;
use crate::mutant::Mutant;
use crate::role::Is;
use crate::{Decision, Leaving, Message, Packet, Sync, Zab};
use alloc::vec::Vec;
use consensus::{DropReason, Dropped, Entry, NodeId, Output, Position, Snapshot};

impl Zab {
    /// DIFF: what follows continues the log.
    pub(crate) fn on_diff(&mut self, upto: Position) {
        let last = self.history.last();
        if let Some(leader) = self.begin_catching_up(last) {
            self.explain(Decision::IsBroughtUpToDate { leader, from: last, sync: Sync::Diff { upto } });
        }
    }

    /// TRUNC: the log holds what the leader has never seen.
    pub(crate) fn on_truncate(&mut self, to: Position) {
        let last = self.history.last();
        let Some(leader) = self.begin_catching_up(to) else { return };
        if to > last {
            return self.leave(Leaving::Nonsense { what: "TRUNC beyond this server's history" });
        }
        // Only what is in memory is known to be there; and what is applied cannot be undone. It can have been applied without being
        // committed: a snapshot from a leader that was never established, or one that Java's server took.
        if to < self.applied_or_applying() || to < self.committed || !self.history.holds(to) {
            return self.ask_for_snapshot(to);
        }
        self.explain(Decision::IsBroughtUpToDate { leader, from: last, sync: Sync::Truncate { to } });
        if to < last {
            self.history.truncate(to);
            self.disk.on_cut(to);
        }
    }

    /// SNAP, whole: kept until NEWLEADER.
    pub(crate) fn on_snapshot_arrived(&mut self, from: NodeId, message: Message) {
        let Message::Packet(Packet::Snapshot { position }) = message else {
            return self.refuse_snapshot();
        };
        let sane = position.epoch <= self.accepted && position.index <= u64::from(u32::MAX);
        let expected = matches!(&self.is, Is::Following(following) if following.leader == from && following.stage == Stage::Sync);
        if !expected || !sane {
            self.refuse_snapshot();
            if self.leader() == Some(from) {
                self.leave(Leaving::Nonsense { what: "SNAP out of turn" });
            }
            return;
        }
        let last = self.history.last();
        let Some(leader) = self.begin_catching_up(position) else { return };
        self.explain(Decision::IsBroughtUpToDate { leader, from: last, sync: Sync::Snapshot { position } });
        let Is::Following(following) = &mut self.is else { return };
        following.snapshot = Some(position);
        following.skip_upto = position;
    }

    fn refuse_snapshot(&mut self) {
        self.out.push(Output::Drop { what: Dropped::Snapshot, reason: DropReason::Stale });
    }

    fn begin_catching_up(&mut self, from: Position) -> Option<NodeId> {
        let Is::Following(following) = &mut self.is else { return None };
        if following.stage != Stage::Sync {
            self.leave(Leaving::Nonsense { what: "DIFF or TRUNC out of turn" });
            return None;
        }
        following.stage = Stage::CatchingUp;
        following.told_committed = from;
        Some(following.leader)
    }

    /// PROPOSAL.
    pub(crate) fn on_proposal(&mut self, entry: Entry) {
        let Is::Following(following) = &self.is else { return };
        // An observer that serves is sent INFORMs only.
        if !self.is_voter(self.id()) && following.stage == Stage::Serving {
            return self.leave(Leaving::Nonsense { what: "PROPOSAL to an observer" });
        }
        self.log(entry);
    }

    /// The leader's next transaction goes to the end of the log.
    fn log(&mut self, entry: Entry) {
        let position = entry.position;
        let (observes, end) = (!self.is_voter(self.id()), self.end_of_history());
        let Is::Following(following) = &mut self.is else { return };
        if matches!(following.stage, Stage::Connecting { .. } | Stage::Discovery | Stage::Sync) {
            return self.leave(Leaving::Nonsense { what: "PROPOSAL out of turn" });
        }
        // Java begins to forward before it writes the snapshot: what that holds already may come once more.
        if position <= following.skip_upto {
            return;
        }
        if position.epoch > following.epoch || position.index > u64::from(u32::MAX) || !end.precedes_zxid(position) {
            return self.leave(Leaving::Nonsense { what: "PROPOSAL with a gap before it" });
        }
        following.open.push_back(position);
        // NEWLEADER's acknowledgement speaks for what came before it and is committed.
        if !observes && following.stage != Stage::CatchingUp {
            following.to_ack.push_back(position);
        }
        if following.snapshot.is_some() {
            following.pending.push_back(entry);
        } else {
            self.append(entry);
        }
    }

    /// The end of the log as it will be.
    fn end_of_history(&self) -> Position {
        let Is::Following(following) = &self.is else { return self.history.last() };
        match following.snapshot {
            Some(position) => following.pending.back().map_or(position, |entry| entry.position),
            None => self.history.last(),
        }
    }

    fn append(&mut self, entry: Entry) {
        self.disk.on_append(self.history.last(), entry.clone());
        self.history.push(entry);
    }

    /// COMMIT: always of the oldest proposal that is open (Java's follower exits if it is not).
    pub(crate) fn on_commit(&mut self, position: Position) {
        let Is::Following(following) = &mut self.is else { return };
        if position <= following.skip_upto {
            return;
        }
        if following.open.front() != Some(&position) {
            return self.leave(Leaving::Nonsense { what: "COMMIT of something else than the oldest proposal" });
        }
        following.open.pop_front();
        following.told_committed = position;
        if following.stage == Stage::Serving {
            self.committed = position;
        }
    }

    /// INFORM: proposal and commit in one, for observers.
    pub(crate) fn on_inform(&mut self, entry: Entry) {
        if self.is_voter(self.id()) {
            return self.leave(Leaving::Nonsense { what: "INFORM to a voter" });
        }
        let position = entry.position;
        self.log(entry);
        self.on_commit(position);
    }

    /// NEWLEADER: all of the leader's history is here.
    pub(crate) fn on_new_leader(&mut self, epoch: u64) {
        let Is::Following(following) = &mut self.is else { return };
        if following.stage != Stage::CatchingUp || epoch != following.epoch {
            return self.leave(Leaving::Nonsense { what: "NEWLEADER out of turn" });
        }
        // What is not committed is acknowledged by itself.
        if self.config.configuration.voters.contains(&self.config.id) {
            following.to_ack = following.open.clone();
        }
        let Some(position) = following.snapshot else { return self.persist_epoch() };
        let committed = following.pending.iter().take_while(|entry| entry.position <= following.told_committed).count();
        let entries: Vec<Entry> = following.pending.drain(..committed).collect();
        following.stage = Stage::Installing;
        self.installing = Some(entries.last().map_or(position, |entry| entry.position));
        let snapshot = Snapshot { position, configuration: self.config.configuration.clone() };
        self.out.push(Output::InstallSnapshot { snapshot, entries });
    }

    /// The snapshot is in force.
    pub(crate) fn on_installed(&mut self, snapshot: Snapshot) {
        let Some(position) = self.installing.take() else { return };
        assert_eq!(snapshot.position, position, "something else was installed");
        self.history.reset(position);
        self.disk.on_installed(position);
        self.snapshot = position;
        self.applied = position;
        self.applying = None;
        if let Some(reading) = &mut self.reading {
            reading.void = true;
        }
        // Only if it held more than this leader's: what it held beyond was never committed.
        self.committed = self.committed.min(position);
        self.trusted = true;
        let Is::Following(following) = &mut self.is else { return };
        if following.stage != Stage::Installing {
            return;
        }
        following.snapshot = None;
        for entry in core::mem::take(&mut following.pending) {
            self.append(entry);
        }
        self.persist_epoch();
    }

    /// The history is on its way to the disk; currentEpoch goes after it.
    fn persist_epoch(&mut self) {
        let Is::Following(following) = &mut self.is else { return };
        let (leader, epoch) = (following.leader, following.epoch);
        self.current = epoch;
        self.disk.on_promise();
        if self.config.is_bent(Mutant::NewLeaderAckedBeforeSync) {
            following.stage = Stage::Acked;
            self.outbox.push(packet_to(leader, Packet::Ack { position: Position::new(epoch, 0) }));
            return;
        }
        following.stage = Stage::Persisting { until: self.disk.newest() };
    }

    /// Something is on disk: what it acknowledges leaves.
    pub(crate) fn follow_on_persisted(&mut self) {
        let Is::Following(following) = &mut self.is else { return };
        if let Stage::Persisting { until } = following.stage
            && self.disk.is_synced(until)
        {
            following.stage = Stage::Acked;
            following.heard = self.now;
            self.trusted = true;
            let position = Position::new(following.epoch, 0);
            self.outbox.push(packet_to(following.leader, Packet::Ack { position }));
        }
        self.acknowledge();
    }

    /// One ACK for each proposal, in order, as soon as its leader listens to them (`SendAckRequestProcessor`).
    fn acknowledge(&mut self) {
        let Is::Following(following) = &mut self.is else { return };
        if following.stage != Stage::Serving {
            return;
        }
        while let Some(position) = following.to_ack.front().copied().filter(|&position| position <= self.disk.synced()) {
            following.to_ack.pop_front();
            self.outbox.push(packet_to(following.leader, Packet::Ack { position }));
        }
    }

    /// UPTODATE: a quorum has this history, so all of it is committed.
    pub(crate) fn on_up_to_date(&mut self) {
        let Is::Following(following) = &mut self.is else { return };
        if following.stage != Stage::Acked {
            return self.leave(Leaving::Nonsense { what: "UPTODATE out of turn" });
        }
        let (leader, epoch) = (following.leader, following.epoch);
        following.stage = Stage::Serving;
        following.serves_from = following.told_committed;
        self.committed = self.committed.max(following.told_committed);
        // All who are asked from now on must name the same epoch (ZOOKEEPER-1732).
        self.vote.epoch = epoch as i64;
        self.explain(Decision::Serves { leader, epoch });
        self.send(leader, Packet::Ack { position: Position::new(epoch, 0) });
        self.acknowledge();
    }

    /// PING: answered with the sessions that were heard from (`Learner.ping`). Before UPTODATE the leader expects an ACK and
    /// nothing else.
    pub(crate) fn on_ping(&mut self, last: Position) {
        let Is::Following(following) = &self.is else { return };
        if following.stage == Stage::Serving {
            let touched = core::mem::take(&mut self.touched).into_iter().collect();
            self.send(following.leader, Packet::Ping { last, touched });
        }
    }
}
