//! Becoming a leader: discovery and the establishment of an epoch (`Leader.lead`; Zab paper, phases 1 and 2).
//!
//! ```text
//!   learner                                leader
//!      │ ── FOLLOWERINFO(acceptedEpoch) ─────▶ │  of a quorum: epoch := the highest + 1, on disk first
//!      │ ◀───────────────── LEADERINFO(epoch) ─│
//!      │ ── ACKEPOCH(currentEpoch, last) ────▶ │  of a quorum, and nobody has fresher data: currentEpoch := epoch
//!      │ ◀── DIFF, TRUNC or SNAP, and history ─│
//!      │ ◀───────────────────────── NEWLEADER ─│
//!      │ ── ACK(epoch, 0) ───────────────────▶ │  of a quorum: established
//!      │ ◀────────────────────────── UPTODATE ─│
//! ```

use crate::learner::{Learner, Stage};
use crate::mutant::Mutant;
use crate::role::Is;
use crate::{Decision, Dismissal, Downfall, EPOCH_LEAP_MAX, EPOCH_MAX, Packet, Step, Zab};
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use consensus::{Instant, NodeId, Position, ReadId, Ticket};

/// A server that was elected to lead.
#[derive(Clone, Debug)]
pub(crate) struct Leading {
    /// When it was elected.
    pub(crate) since: Instant,
    /// `None`: it has its epoch established, and leads.
    pub(crate) step: Option<Step>,
    /// When the step began.
    pub(crate) step_since: Instant,
    /// The new epoch, once a quorum has come.
    pub(crate) epoch: Option<u64>,
    /// The highest epoch that anybody who came has accepted.
    highest: u64,
    /// Voters who came.
    connecting: BTreeSet<NodeId>,
    /// Voters who accept the epoch.
    electing: BTreeSet<NodeId>,
    /// Makes this server's own acceptedEpoch durable, then its currentEpoch.
    own_accepted: Option<Ticket>,
    own_current: Option<Ticket>,
    /// currentEpoch and last transaction at the election: what no follower may exceed.
    pub(crate) summary: (u64, Position),
    /// The end of the history that the epoch begins with.
    pub(crate) initial: Position,
    pub(crate) learners: BTreeMap<NodeId, Learner>,
    /// Voters who look for another leader.
    pub(crate) looking: BTreeSet<NodeId>,
    /// When a quorum was last in contact.
    pub(crate) quorum_at: Instant,
    /// Pings leave at each half tick; at each full one the quorum is checked.
    pub(crate) half_tick_at: Instant,
    pub(crate) full_tick: bool,
    /// When which proposals left, for those who do not acknowledge them.
    pub(crate) proposed: VecDeque<(Position, Instant)>,
    /// Reads, and what must be applied before they are answered.
    pub(crate) reads: VecDeque<(ReadId, Position)>,
}

impl Leading {
    pub(crate) fn is_established(&self) -> bool {
        self.step.is_none()
    }

    pub(crate) fn peers(&self) -> Vec<NodeId> {
        self.learners.keys().copied().collect()
    }

    pub(crate) fn take_reads(&mut self) -> impl Iterator<Item = ReadId> + use<> {
        core::mem::take(&mut self.reads).into_iter().map(|(id, _)| id)
    }

    /// The position that stands for NEWLEADER.
    pub(crate) fn beginning(&self) -> Position {
        Position::new(self.epoch.unwrap_or(0), 0)
    }
}

impl Zab {
    pub(crate) fn become_leader(&mut self) {
        let last = self.history.last();
        self.is = Is::Leading(Leading {
            since: self.now,
            step: Some(Step::Epoch),
            step_since: self.now,
            epoch: None,
            // Its own word, and what it was told in vain when it led before.
            highest: self.accepted.max(self.epoch_floor),
            connecting: BTreeSet::from([self.id()]),
            electing: BTreeSet::new(),
            own_accepted: None,
            own_current: None,
            summary: (self.current, last),
            initial: last,
            learners: BTreeMap::new(),
            looking: BTreeSet::new(),
            quorum_at: self.now,
            half_tick_at: Instant::NEVER,
            full_tick: false,
            proposed: VecDeque::new(),
            reads: VecDeque::new(),
        });
        self.show();
        self.choose_epoch();
        let waiting: Vec<_> = self.early.iter().filter_map(|(&peer, early)| Some((peer, early.info.clone()?))).collect();
        for (peer, info) in waiting {
            self.on_learner_info(peer, info);
        }
    }

    /// A learner's first word (`LearnerHandler.run`, `Leader.getEpochToPropose`).
    pub(crate) fn on_learner_info(&mut self, from: NodeId, info: Packet) {
        let Packet::LearnerInfo { accepted, observer, config_version } = info else { return };
        self.early.remove(&from);
        if !self.config.configuration.contains(from) {
            return self.dismiss(from, Dismissal::Nonsense { what: "it is no member" });
        }
        // A single lie must not use up the epochs.
        if accepted >= EPOCH_MAX || accepted > self.accepted + EPOCH_LEAP_MAX {
            return self.dismiss(from, Dismissal::Nonsense { what: "its epoch is beyond all counting" });
        }
        if config_version > self.config.configuration_version {
            return self.dismiss(from, Dismissal::Nonsense { what: "it has a later configuration" });
        }
        let counts = self.is_voter(from) && !observer;
        let Is::Leading(leading) = &mut self.is else { return };
        // Whoever has accepted a later epoch refuses this one, however often it comes. Java's server stays out until the next
        // election; this one begins an epoch beyond.
        if leading.epoch.is_some_and(|epoch| accepted > epoch) {
            self.epoch_floor = self.epoch_floor.max(accepted);
            return self.stop_leading(Downfall::PromisedElsewhere { peer: from, accepted });
        }
        leading.looking.remove(&from);
        self.connections += 1;
        leading.learners.insert(from, Learner::new(self.now, self.connections, counts));
        match leading.epoch {
            None => {
                leading.highest = leading.highest.max(accepted);
                if counts {
                    leading.connecting.insert(from);
                }
                self.choose_epoch();
            }
            Some(epoch) => self.say_epoch(from, epoch),
        }
    }

    /// Once a quorum has come: an epoch that none of them has accepted (`getEpochToPropose`; Zab paper, step l.1.1). Any later
    /// leader's quorum shares a server with this one.
    fn choose_epoch(&mut self) {
        let Is::Leading(leading) = &mut self.is else { return };
        if leading.epoch.is_some() || !self.config.configuration.is_quorum(|id| leading.connecting.contains(&id)) {
            return;
        }
        let epoch = leading.highest + 1;
        // No zxid can hold it. Nothing is left to try but another leader.
        if epoch > EPOCH_MAX {
            return;
        }
        leading.epoch = Some(epoch);
        leading.step = Some(Step::AckEpoch);
        leading.step_since = self.now;
        // It must not be forgotten before anybody else hears of it (`QuorumPeer.setAcceptedEpoch`).
        self.accepted = epoch;
        leading.own_accepted = Some(self.disk.on_promise());
        for peer in leading.peers() {
            self.say_epoch(peer, epoch);
        }
    }

    fn say_epoch(&mut self, to: NodeId, epoch: u64) {
        let Is::Leading(leading) = &mut self.is else { return };
        let (Some(learner), Some(until)) = (leading.learners.get_mut(&to), leading.own_accepted) else { return };
        learner.stage = Stage::AckEpoch;
        learner.heard = self.now;
        self.send_after(until, to, Packet::LeaderInfo { epoch });
    }

    /// A learner has accepted the epoch, and says what it has (`Leader.waitForEpochAck`).
    pub(crate) fn on_ack_epoch(&mut self, from: NodeId, current: Option<u64>, last: Option<Position>) {
        let voter = self.is_voter(from) && self.config.configuration.weight(from) > 0;
        let Is::Leading(leading) = &mut self.is else { return };
        let mine = leading.summary;
        let Some(epoch) = leading.epoch else { return };
        let Some(learner) = leading.learners.get_mut(&from).filter(|learner| learner.stage == Stage::AckEpoch) else {
            return self.dismiss(from, Dismissal::Nonsense { what: "ACKEPOCH out of turn" });
        };
        if current.is_some_and(|current| current > epoch) || last.is_some_and(|last| last.epoch > epoch) {
            return self.dismiss(from, Dismissal::Nonsense { what: "its data come from a later epoch than it has accepted" });
        }
        learner.stage = Stage::Elected { last };
        if leading.step != Some(Step::AckEpoch) {
            return self.begin_sync(from);
        }
        // -1 says that the epoch was accepted before, which does not count as accepting it.
        if let Some(current) = current {
            let theirs = (current, last.unwrap_or(Position::ZERO));
            if is_ahead(theirs, mine) && !self.config.is_bent(Mutant::VoteComparesIdBeforeZxid) {
                // Whoever has fresher data should lead. Java only closes its link and waits for others; if that one is needed for the
                // quorum, it waits in vain.
                if voter {
                    return self.stop_leading(Downfall::FollowerAhead { follower: from, theirs, mine });
                }
                return self.dismiss(from, Dismissal::Ahead { theirs });
            }
            // An empty database that is not trusted may have held what was committed.
            if last.is_some() && learner.counts {
                leading.electing.insert(from);
            }
        }
        self.count_epoch_acks();
    }

    /// Once a quorum has accepted the epoch, this server's history is the epoch's (Zab paper, step l.1.2).
    fn count_epoch_acks(&mut self) {
        let me = self.id();
        let Is::Leading(leading) = &mut self.is else { return };
        let Some(epoch) = leading.epoch.filter(|_| leading.step == Some(Step::AckEpoch)) else { return };
        if leading.own_accepted.is_some_and(|ticket| self.disk.is_synced(ticket)) {
            leading.electing.insert(me);
        }
        let electing = &leading.electing;
        if !electing.contains(&me) || !self.config.configuration.is_quorum(|id| electing.contains(&id)) {
            return;
        }
        leading.step = Some(Step::NewLeader);
        leading.step_since = self.now;
        // What this server still writes of its history is written before (ZOOKEEPER-4643).
        self.current = epoch;
        leading.own_current = Some(self.disk.on_promise());
        for peer in leading.peers() {
            self.begin_sync(peer);
        }
    }

    /// Something of this server's own is durable.
    pub(crate) fn lead_on_persisted(&mut self) {
        self.count_epoch_acks();
        self.establish();
        self.advance_commit();
    }

    /// What this server has acknowledged to itself: nothing before NEWLEADER's part is durable, then its log.
    pub(crate) fn own_ack(&self, leading: &Leading) -> Position {
        if leading.own_current.is_some_and(|ticket| self.disk.is_synced(ticket)) {
            leading.beginning().max(self.disk.synced())
        } else {
            Position::ZERO
        }
    }

    /// Once a quorum has acknowledged NEWLEADER, its history is committed and the epoch is this server's for good
    /// (`waitForNewLeaderAck`; Zab paper, step l.2.2).
    pub(crate) fn establish(&mut self) {
        let (me, of) = (self.id(), self.voters());
        let Is::Leading(leading) = &self.is else { return };
        if leading.step != Some(Step::NewLeader) {
            return;
        }
        let (beginning, own) = (leading.beginning(), self.own_ack(leading));
        let has = |id: NodeId| if id == me { own >= beginning } else { leading.has_acked(id, beginning) };
        if own < beginning || !self.config.configuration.is_quorum(has) {
            return;
        }
        let have = self.config.configuration.voters.iter().filter(|&&id| has(id)).count();
        let (epoch, last) = (beginning.epoch, leading.initial);
        self.explain(Decision::Leads { epoch, last, have, of });
        let Is::Leading(leading) = &mut self.is else { return };
        leading.step = None;
        leading.quorum_at = self.now;
        leading.half_tick_at = self.now + self.config.tick / 2;
        self.committed = self.committed.max(last);
        self.trusted = true;
        // All who are asked from now on must name the same epoch (ZOOKEEPER-1732).
        self.vote.epoch = epoch as i64;
    }
}

/// Whether a follower's data are fresher than the leader's (`StateSummary.isMoreRecentThan`): by currentEpoch, then by zxid. Java's
/// servers call themselves (epoch, 0) when they have led or joined an epoch in which nothing was written; that is no data.
fn is_ahead(theirs: (u64, Position), mine: (u64, Position)) -> bool {
    let no_data = theirs.1.index == 0 && theirs.1.epoch == mine.0;
    theirs.0 > mine.0 || theirs.0 == mine.0 && theirs.1 > mine.1 && !no_data
}
