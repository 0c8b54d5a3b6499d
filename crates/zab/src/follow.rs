//! A learner on its way to its leader: connecting and discovery (`Learner.connectToLeader`, `Learner.registerWithLeader`; Zab paper,
//! steps f.1.1 and f.1.2).

use crate::mutant::Mutant;
use crate::role::Is;
use crate::{Decision, EPOCH_LEAP_MAX, EPOCH_MAX, Leaving, Packet, Zab};
use alloc::collections::VecDeque;
use consensus::{Entry, How, Instant, Link, NodeId, Output, Position, ReadId, Ticket};

/// A server that was told by an election whom to follow.
#[derive(Clone, Debug)]
pub(crate) struct Following {
    pub(crate) leader: NodeId,
    pub(crate) since: Instant,
    /// When the leader was last heard.
    pub(crate) heard: Instant,
    pub(crate) stage: Stage,
    /// Attempts to connect that failed.
    attempts: u32,
    /// It cannot cut its history where the leader wants, and asks for a snapshot.
    pub(crate) wants_snapshot: bool,
    /// The leader's epoch.
    pub(crate) epoch: u64,
    /// The snapshot that arrived and is not in force yet, and the entries that came after it.
    pub(crate) snapshot: Option<Position>,
    pub(crate) pending: VecDeque<Entry>,
    /// Proposals that came over this link and are not committed.
    pub(crate) open: VecDeque<Position>,
    /// What the snapshot held; its COMMITs may still come.
    pub(crate) skip_upto: Position,
    /// The last COMMIT.
    pub(crate) told_committed: Position,
    /// Proposals to acknowledge once they are on disk.
    pub(crate) to_ack: VecDeque<Position>,
    /// What must be applied before clients are served.
    pub(crate) serves_from: Position,
    /// Reads that wait for their SYNC; then, what must be applied before they are answered.
    pub(crate) reads: VecDeque<ReadId>,
    pub(crate) ready: VecDeque<(ReadId, Position)>,
}

/// How far a learner has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stage {
    /// It connects, or waits until it tries again.
    Connecting {
        /// Then.
        retry_at: Option<Instant>,
    },
    /// It has introduced itself and waits for LEADERINFO.
    Discovery,
    /// It has accepted the epoch and waits for DIFF, TRUNC or SNAP.
    Sync,
    /// It is sent the history that it lacks.
    CatchingUp,
    /// A snapshot is being put into force.
    Installing,
    /// The leader's history is being made durable.
    Persisting {
        /// By this write.
        until: Ticket,
    },
    /// It has acknowledged NEWLEADER.
    Acked,
    /// It was told to serve.
    Serving,
}

impl Following {
    pub(crate) fn take_reads(&mut self) -> impl Iterator<Item = ReadId> + use<> {
        let ready = core::mem::take(&mut self.ready).into_iter().map(|(id, _)| id);
        core::mem::take(&mut self.reads).into_iter().chain(ready)
    }

    /// A new link knows nothing of what came over the old one.
    fn start_over(&mut self, stage: Stage) {
        self.stage = stage;
        self.snapshot = None;
        self.pending.clear();
        self.open.clear();
        self.to_ack.clear();
        self.skip_upto = Position::ZERO;
        self.told_committed = Position::ZERO;
    }
}

impl Zab {
    pub(crate) fn become_learner(&mut self, leader: NodeId) {
        self.is = Is::Following(Following {
            leader,
            since: self.now,
            heard: self.now,
            stage: Stage::Connecting { retry_at: None },
            attempts: 0,
            wants_snapshot: false,
            epoch: 0,
            snapshot: None,
            pending: VecDeque::new(),
            open: VecDeque::new(),
            skip_upto: Position::ZERO,
            told_committed: Position::ZERO,
            to_ack: VecDeque::new(),
            serves_from: Position::ZERO,
            reads: VecDeque::new(),
            ready: VecDeque::new(),
        });
        self.connect(leader);
    }

    fn connect(&mut self, leader: NodeId) {
        self.outbox.push(Output::Connect { peer: leader, link: Link::Quorum });
    }

    /// When a learner has something to do.
    pub(crate) fn following_deadline(&self, following: &Following) -> Instant {
        match following.stage {
            Stage::Connecting { retry_at } => retry_at.unwrap_or(Instant::NEVER).min(following.since + self.config.init_time()),
            // The leader waits for this server.
            Stage::Installing | Stage::Persisting { .. } => Instant::NEVER,
            Stage::Serving => {
                let stuck = self.disk.open_since().map_or(Instant::NEVER, |since| since + self.config.sync_time());
                stuck.min(following.heard + self.silence_limit(Stage::Serving))
            }
            stage => following.heard + self.silence_limit(stage),
        }
    }

    /// initLimit until the leader says UPTODATE, then syncLimit.
    fn silence_limit(&self, stage: Stage) -> core::time::Duration {
        if stage == Stage::Serving { self.config.sync_time() } else { self.config.init_time() }
    }

    pub(crate) fn follow_on_time(&mut self) {
        let Is::Following(following) = &mut self.is else { return };
        let (leader, stage) = (following.leader, following.stage);
        match stage {
            Stage::Connecting { retry_at } => {
                if self.now.since(following.since) >= self.config.init_time() {
                    let attempts = following.attempts + 1;
                    self.disconnect(leader);
                    self.leave(Leaving::Unreachable { attempts });
                } else if retry_at.is_some_and(|at| at <= self.now) {
                    following.stage = Stage::Connecting { retry_at: None };
                    self.connect(leader);
                }
            }
            Stage::Installing | Stage::Persisting { .. } => {}
            _ => {
                let lasted = self.now.since(following.heard);
                let stuck = self.disk.open_for(self.now);
                if lasted >= self.silence_limit(stage) {
                    self.leave(Leaving::Silence { lasted });
                } else if stage == Stage::Serving && stuck >= self.config.sync_time() {
                    // What it shows its clients grows old, and what it is told piles up. Of an observer nobody else would notice.
                    self.leave(Leaving::DiskStuck { lasted: stuck });
                }
            }
        }
    }

    /// The link to the leader stands.
    pub(crate) fn on_leader_link(&mut self) {
        let info = Packet::LearnerInfo {
            accepted: self.accepted,
            observer: !self.is_voter(self.id()),
            config_version: self.config.configuration_version,
        };
        let Is::Following(following) = &mut self.is else { return };
        let leader = following.leader;
        if !matches!(following.stage, Stage::Connecting { .. }) {
            return;
        }
        following.heard = self.now;
        following.start_over(Stage::Discovery);
        self.send(leader, info);
    }

    /// The link to the leader is gone, or could not be made.
    pub(crate) fn on_leader_link_lost(&mut self, how: How) {
        let Is::Following(following) = &mut self.is else { return };
        match following.stage {
            // One that was closed on purpose.
            Stage::Connecting { retry_at: Some(_) } => {}
            // The leader may not listen yet: its election may end a moment later (`Learner.connectToLeader`). Unless its process is
            // not there at all.
            Stage::Connecting { retry_at: None } => {
                following.attempts += 1;
                let attempts = following.attempts;
                if attempts >= self.config.connect_attempts || self.refused.contains(&following.leader) {
                    return self.leave(Leaving::Unreachable { attempts });
                }
                following.stage = Stage::Connecting { retry_at: Some(self.now + self.config.connect_retry) };
            }
            _ => self.leave(if how == How::Refused { Leaving::LinkRefused } else { Leaving::LinkLost }),
        }
    }

    /// Closes the link and opens it anew, to ask for a snapshot.
    pub(crate) fn ask_for_snapshot(&mut self, cut: Position) {
        let applied = self.applied_or_applying();
        let Is::Following(following) = &mut self.is else { return };
        let leader = following.leader;
        if following.wants_snapshot {
            return self.leave(Leaving::Nonsense { what: "it wants to cut an empty history" });
        }
        following.wants_snapshot = true;
        following.since = self.now;
        following.start_over(Stage::Connecting { retry_at: Some(self.now + self.config.connect_retry) });
        self.disk.forget(leader);
        self.explain(Decision::WantsSnapshot { leader, cut, applied });
        self.disconnect(leader);
    }

    /// The leader's epoch: promised, on disk, and then acknowledged (Zab paper, step f.1.1).
    pub(crate) fn on_leader_info(&mut self, epoch: u64) {
        let (accepted, current) = (self.accepted, self.current);
        let last = (self.trusted).then_some(self.history.last());
        let Is::Following(following) = &mut self.is else { return };
        if following.stage != Stage::Discovery {
            return self.leave(Leaving::Nonsense { what: "LEADERINFO out of turn" });
        }
        if epoch > EPOCH_MAX.min(accepted + EPOCH_LEAP_MAX) {
            return self.leave(Leaving::Nonsense { what: "its epoch is beyond all counting" });
        }
        if epoch < accepted {
            return self.leave(Leaving::OldEpoch { theirs: epoch, accepted });
        }
        following.epoch = epoch;
        following.stage = Stage::Sync;
        // A history that cannot be cut is not mentioned: the leader sends a snapshot to whoever has none.
        let last = last.filter(|_| !following.wants_snapshot);
        let leader = following.leader;
        // An epoch is promised once. Whoever promised it before may have done so to another leader.
        let current = (epoch > accepted).then_some(current);
        if epoch > accepted {
            self.accepted = epoch;
            self.disk.on_promise();
            self.show();
        }
        if self.config.is_bent(Mutant::CurrentEpochBeforeHistory) {
            self.current = epoch;
            self.disk.on_promise();
        }
        self.send_after(self.disk.newest(), leader, Packet::AckEpoch { current, last });
    }
}
