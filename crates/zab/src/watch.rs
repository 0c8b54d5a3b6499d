//! What time brings to a leader: pings, limits, and the end of its patience (`Leader.lead`'s loop, `LearnerHandler.SyncLimitCheck`).

use crate::broadcast::packet_to;
use crate::lead::Leading;
use crate::learner::Stage;
use crate::role::Is;
use crate::{Dismissal, Downfall, Packet, Step, Zab};
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use consensus::{Instant, NodeId};

impl Zab {
    /// When a leader has something to do.
    pub(crate) fn leading_deadline(&self, leading: &Leading) -> Instant {
        let step = if leading.is_established() { Instant::NEVER } else { leading.step_since + self.config.init_time() };
        let patience = if leading.is_established() || leading.looking.is_empty() || self.is_patience_over(leading) {
            Instant::NEVER
        } else {
            leading.since + self.config.patience()
        };
        let silence = leading.learners.values().filter(|learner| learner.stage.is_awaited());
        let silence = silence.map(|learner| learner.heard + self.limit(learner.stage)).min();
        let stuck = self.disk.open_since().map_or(Instant::NEVER, |since| since + self.config.sync_time());
        step.min(patience).min(silence.unwrap_or(Instant::NEVER)).min(leading.half_tick_at).min(stuck)
    }

    /// How long silence may last: syncLimit for those who were told to serve, and so answer pings; initLimit for all others.
    fn limit(&self, stage: Stage) -> core::time::Duration {
        if stage == Stage::Serving { self.config.sync_time() } else { self.config.init_time() }
    }

    pub(crate) fn lead_on_time(&mut self) {
        self.check_disk();
        self.check_step();
        self.dismiss_silent();
        self.tick();
        self.consider_voters_who_look();
        self.consider_end_of_epoch();
    }

    /// A leader whose log hangs can commit nothing that others have, and cannot know it.
    fn check_disk(&mut self) {
        let lasted = self.disk.open_for(self.now);
        if lasted >= self.config.sync_time() {
            self.stop_leading(Downfall::DiskStuck { lasted });
        }
    }

    /// Each step towards leadership has its time.
    fn check_step(&mut self) {
        let Is::Leading(leading) = &self.is else { return };
        let Some(step) = leading.step else { return };
        let waited = self.now.since(leading.step_since);
        if waited < self.config.init_time() {
            return;
        }
        let came = self.count(|id, me| match step {
            Step::Epoch => me || leading.learners.contains_key(&id),
            Step::AckEpoch => me || leading.learners.get(&id).is_some_and(|learner| learner.stage.has_accepted()),
            Step::NewLeader => me || leading.has_acked(id, leading.beginning()),
        });
        self.stop_leading(Downfall::NotEnoughCame { step, came, of: self.voters(), waited });
    }

    fn count(&self, is: impl Fn(NodeId, bool) -> bool) -> usize {
        let me = self.id();
        self.config.configuration.voters.iter().filter(|&&id| is(id, id == me)).count()
    }

    /// A learner that says nothing although it is its turn.
    fn dismiss_silent(&mut self) {
        let Is::Leading(leading) = &self.is else { return };
        let silent: Vec<NodeId> = leading
            .learners
            .iter()
            .filter(|(_, learner)| learner.stage.is_awaited())
            .filter(|(_, learner)| self.now.since(learner.heard) >= self.limit(learner.stage))
            .map(|(&id, _)| id)
            .collect();
        for id in silent {
            let Is::Leading(leading) = &self.is else { return };
            let lasted = self.now.since(leading.learners[&id].heard);
            self.dismiss(id, Dismissal::Silence { lasted });
        }
    }

    /// Twice a tick everybody is asked for a sign of life; once a tick it is counted who gave one. A leader that was paused has
    /// heard nobody for long, and finds that out here before it does anything else.
    fn tick(&mut self) {
        let Is::Leading(leading) = &mut self.is else { return };
        if leading.half_tick_at > self.now {
            return;
        }
        let half = (self.config.tick / 2).max(core::time::Duration::from_millis(1));
        leading.half_tick_at = self.now + half;
        leading.full_tick = !leading.full_tick;
        let full_tick = !leading.full_tick;
        let (me, now, limit) = (self.config.id, self.now, self.config.sync_time());
        let learners = &leading.learners;
        let contacts = learners
            .iter()
            .filter(|(_, learner)| learner.counts && learner.stage.has_acked() && now.since(learner.heard) < limit);
        let contacts: BTreeSet<NodeId> = contacts.map(|(&id, _)| id).collect();
        let in_contact = |id: NodeId, me: bool| me || contacts.contains(&id);
        if self.config.configuration.is_quorum(|id| in_contact(id, id == me)) {
            let Is::Leading(leading) = &mut self.is else { return };
            leading.quorum_at = self.now;
        } else if full_tick {
            let heard = self.count(in_contact);
            let Is::Leading(leading) = &self.is else { return };
            let lasted = self.now.since(leading.quorum_at);
            return self.stop_leading(Downfall::QuorumLost { heard, of: self.voters(), lasted });
        }
        self.dismiss_who_does_not_ack();
        self.dismiss_who_lags();
        self.ping();
    }

    fn ping(&mut self) {
        let last = self.history.last();
        let Is::Leading(leading) = &self.is else { return };
        let last = last.max(leading.beginning());
        for (&to, _) in leading.learners.iter().filter(|(_, learner)| learner.stage.is_forwarding()) {
            self.outbox.push(packet_to(to, Packet::Ping { last, touched: Vec::new() }));
        }
    }

    /// `LearnerHandler.SyncLimitCheck`: a follower that has not acknowledged the oldest proposal for syncLimit.
    fn dismiss_who_does_not_ack(&mut self) {
        let limit = self.config.sync_time();
        let Is::Leading(leading) = &mut self.is else { return };
        let overdue = leading.proposed.iter().take_while(|(_, at)| self.now.since(*at) >= limit);
        let Some(&(oldest, at)) = overdue.last() else { return };
        leading.proposed.retain(|&(position, _)| position > oldest);
        let lasted = self.now.since(at);
        let late = leading.learners.iter().filter(|(_, learner)| {
            // Who came later was sent it later.
            learner.counts && learner.stage.has_acked() && learner.acked < oldest && learner.acked_since <= at
        });
        for id in late.map(|(&id, _)| id).collect::<Vec<_>>() {
            self.dismiss(id, Dismissal::NoAck { oldest, lasted });
        }
    }

    /// A voter looks for a leader although this one leads.
    pub(crate) fn on_voter_looks(&mut self, voter: NodeId, round: i64) {
        let newer = round > self.vote_round;
        if let Is::Leading(leading) = &mut self.is
            && newer
            && !leading.learners.contains_key(&voter)
        {
            leading.looking.insert(voter);
        }
    }

    fn is_patience_over(&self, leading: &Leading) -> bool {
        self.now.since(leading.since) >= self.config.patience()
    }

    /// A voter that gave up on this leader cannot come back to it while less than a quorum follows; and this one waits for it in vain
    /// (ZOOKEEPER-3109; Java has a limit for this, which is off by default). Who leads no quorum gives way.
    pub(crate) fn consider_voters_who_look(&mut self) {
        let Is::Leading(leading) = &self.is else { return };
        let Some(&voter) = leading.looking.first() else { return };
        if !leading.is_established() && !self.is_patience_over(leading) {
            return;
        }
        let connected = |id: NodeId, me: bool| me || leading.learners.get(&id).is_some_and(|learner| learner.counts);
        let me = self.id();
        if !self.config.configuration.is_quorum(|id| connected(id, id == me)) {
            let connected = self.count(connected);
            self.stop_leading(Downfall::VoterLooksElsewhere { voter, connected, of: self.voters() });
        }
    }

    /// The counter of a zxid has 32 bits. When they are used up a new epoch begins, which takes an election (ZOOKEEPER-1277,
    /// `Leader.XidRolloverException`).
    fn consider_end_of_epoch(&mut self) {
        let Is::Leading(leading) = &self.is else { return };
        let last = self.history.last();
        let is_full = last.epoch == leading.beginning().epoch && last.index >= self.config.epoch_entries_max;
        if leading.is_established() && is_full && self.committed == last {
            self.stop_leading(Downfall::EpochFull { last });
        }
    }
}
