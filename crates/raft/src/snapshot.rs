//! Snapshots (Raft §7).
//!
//! ```text
//!   leader    needs ≤ base ──▶ SendSnapshot ─ ─ ─ bytes ─ ─ ─▶ SnapshotSent ──▶ probe after it
//!   follower                                   SnapshotArrived ──▶ InstallSnapshot ──▶ Installed ──▶ Appended
//! ```

use crate::{Body, Decision, Message, Raft};
use alloc::vec::Vec;
use consensus::{DropReason, Dropped, Instant, NodeId, Output, Snapshot};

/// A promise that the log goes on where a peer's snapshot ends. Were it cut there while the snapshot travels, the peer would need
/// another one when it has this one, and so on for as long as more is written than is kept.
///
/// The end of the transfer, which is always told, bounds it: at once if it failed, `catching_up` later if not (etcd's inflightSnapshots
/// and releaseDelayAfterSnapshot). A peer that is gone or stands still fails the transfer and holds nothing; one that has not caught up
/// by then is too slow for the log. So the log grows by what is written in that time, and no more.
#[derive(Clone, Debug)]
pub(crate) struct Hold {
    /// At most what the snapshot covers.
    pub(crate) after: u64,
    pub(crate) until: Instant,
}

impl Raft {
    /// A snapshot of our own is durable: the log up to `cut` goes.
    pub(crate) fn on_snapshot_taken(&mut self, snapshot: Snapshot, cut: u64) {
        assert!(cut <= snapshot.position.index, "the log is cut above what the snapshot covers");
        if snapshot.position.index > self.snapshot.position.index {
            self.snapshot = snapshot;
        }
        self.holds.retain(|_, hold| hold.until > self.now);
        let cut = cut.min(self.applied).min(self.disk.synced());
        if cut > self.history.base().index {
            self.history.cut(cut);
            self.cache.cut(cut);
        }
    }

    /// A follower needs entries that the log no longer holds.
    pub(crate) fn send_snapshot(&mut self, to: NodeId) {
        let (now, timeout) = (self.now, self.config.election_timeout);
        let base = self.history.base().index;
        let index = self.snapshot.position.index.max(base);
        let sending = self.sending.contains(&to);
        let Some(progress) = self.follower(to) else { return };
        // To somebody who does not listen it would be sent over and over.
        if sending || progress.heard().is_none_or(|heard| now.since(heard) > timeout) {
            return;
        }
        let needs = progress.next();
        progress.snapshot(index);
        self.sending.insert(to);
        self.holds.insert(to, Hold { after: index, until: Instant::NEVER });
        self.explain(Decision::SendsSnapshot { to, needs, base });
        let message = Message { term: self.term, body: Body::InstallSnapshot { snapshot: self.snapshot.clone() } };
        self.out.push(Output::SendSnapshot { to, message });
    }

    /// The transfer of a snapshot ended.
    pub(crate) fn on_snapshot_sent(&mut self, to: NodeId, delivered: bool) {
        self.sending.remove(&to);
        if let Some(hold) = self.holds.get_mut(&to) {
            hold.until = if delivered { self.now + self.config.catching_up } else { self.now };
        }
        if let Some(progress) = self.follower(to) {
            progress.on_snapshot_sent(delivered);
        }
    }

    /// The leader of this term sent a snapshot, which is here whole.
    pub(crate) fn on_snapshot_arrived(&mut self, leader: NodeId, snapshot: Snapshot) {
        self.follow(leader);
        let position = snapshot.position;
        if self.installing.is_some() {
            self.drop_snapshot(DropReason::Busy);
            return;
        }
        if position.index > self.committed && self.history.holds(position) {
            // The entries are here: what the leader snapshotted is committed, so they are.
            self.commit_to(position.index);
        }
        if position.index <= self.committed {
            self.refuse_snapshot(leader, position.index, DropReason::Stale);
            self.answer_append(leader, self.committed);
            return;
        }
        // In a configuration without this member it could never vote again, nor learn of the one that takes it back.
        if !snapshot.configuration.contains(self.id()) {
            self.refuse_snapshot(leader, position.index, DropReason::BadTarget);
            return;
        }
        self.installing = Some(snapshot.clone());
        self.out.push(Output::InstallSnapshot { snapshot, entries: Vec::new() });
    }

    /// A snapshot that nobody can use here.
    pub(crate) fn refuse_snapshot(&mut self, from: NodeId, index: u64, reason: DropReason) {
        self.explain(Decision::RefusedSnapshot { from, index, committed: self.committed });
        self.drop_snapshot(reason);
    }

    /// A snapshot took the place of state machine and log, durably.
    pub(crate) fn on_installed(&mut self, snapshot: Snapshot) {
        let position = snapshot.position;
        if self.installing.take().is_none() {
            return;
        }
        assert!(position.index > self.committed, "installed {position}, which is older than what is committed");
        // The snapshot's configuration and no other.
        self.configuration = snapshot.configuration.clone();
        self.snapshot = snapshot;
        self.history.reset(position);
        self.holds.clear();
        self.cache = crate::cache::Cache::new(position.index);
        self.disk.on_installed(position.index);
        self.committed = position.index;
        self.applied = position.index;
        self.applying = None;
        // It may have become a voter by this, or a learner, or neither.
        let leader = self.leader();
        let heard = self.role.following().map(|following| following.heard);
        self.become_follower(leader);
        if let (Some(following), Some(heard)) = (self.role.following_mut(), heard) {
            following.heard = heard;
        }
        if let Some(leader) = leader {
            self.answer_append(leader, position.index);
        }
    }

    fn drop_snapshot(&mut self, reason: DropReason) {
        self.decline(Dropped::Snapshot, reason);
    }
}
