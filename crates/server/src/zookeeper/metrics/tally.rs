//! What the member's half counts, in the course of its turns.

use super::Metrics;
use consensus::{Append, Instant, Persist, Position, Role};
use std::time::Duration;

/// What has to be remembered to count it.
#[derive(Default)]
pub(crate) struct Tally {
    role: Option<Role>,
    looking_since: Option<Instant>,
    unavailable_since: Option<Instant>,
    snapshot_since: Option<Instant>,
    applied: Position,
}

impl Tally {
    /// This server is something else now.
    pub(crate) fn on_role(&mut self, metrics: &mut Metrics, now: Instant, role: Role) {
        let looks = |role: Role| matches!(role, Role::Candidate | Role::PreCandidate);
        if looks(role) && !self.role.is_some_and(looks) {
            metrics.looking_count += 1;
            self.looking_since = Some(now);
        } else if !looks(role)
            && let Some(since) = self.looking_since.take()
        {
            metrics.election_time.add(millis(now.since(since)));
        }
        self.role = Some(role);
    }

    /// Clients are served, or are not any more.
    pub(crate) fn on_serving(&mut self, metrics: &mut Metrics, now: Instant, serving: bool) {
        if !serving {
            self.unavailable_since = Some(now);
        } else if let Some(since) = self.unavailable_since.take() {
            metrics.unavailable_time.add(millis(now.since(since)));
        }
    }

    /// This is to be written.
    pub(crate) fn on_persist(&mut self, metrics: &mut Metrics, persist: &Persist) {
        let Some(Append { entries, .. }) = &persist.append else { return };
        if self.role == Some(Role::Leader) {
            metrics.proposal_count += entries.len() as u64;
            entries.iter().for_each(|entry| metrics.proposal_sizes.add(entry.data.len()));
        } else {
            metrics.learner_proposal_received_count += entries.len() as u64;
        }
    }

    /// The log was synced; `count` writes waited for it.
    pub(crate) fn on_synced(&mut self, metrics: &mut Metrics, took: Duration, count: usize) {
        metrics.fsynctime.add(millis(took));
        metrics.sync_processor_batch_size.add(count as u64);
    }

    /// A snapshot is begun …
    pub(crate) fn on_snapshot(&mut self, now: Instant) {
        self.snapshot_since.get_or_insert(now);
    }

    /// … and durable.
    pub(crate) fn on_saved(&mut self, metrics: &mut Metrics, now: Instant) {
        if let Some(since) = self.snapshot_since.take() {
            metrics.snapshottime.add(millis(now.since(since)));
        }
    }

    /// The tree holds everything up to `applied`.
    pub(crate) fn on_applied(&mut self, metrics: &mut Metrics, applied: Position) {
        let before = std::mem::replace(&mut self.applied, applied);
        let from = if before.epoch == applied.epoch { before.index } else { 0 };
        let count = applied.index.saturating_sub(from);
        match self.role {
            Some(Role::Leader) => metrics.commit_count += count,
            Some(Role::Follower { .. } | Role::Learner { .. }) => metrics.learner_commit_received_count += count,
            _ => {}
        }
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use consensus::NodeId;

    #[test]
    fn an_election_is_as_long_as_this_server_looks() {
        let (mut tally, mut metrics) = (Tally::default(), Metrics::default());
        let at = |millis| Instant::ZERO + Duration::from_millis(millis);
        tally.on_role(&mut metrics, at(0), Role::Candidate);
        tally.on_serving(&mut metrics, at(0), false);
        tally.on_role(&mut metrics, at(30), Role::Candidate);
        tally.on_role(&mut metrics, at(200), Role::Follower { leader: Some(NodeId(1)) });
        tally.on_serving(&mut metrics, at(250), true);
        assert_eq!((metrics.looking_count, metrics.election_time.sum(), metrics.unavailable_time.sum()), (1, 200, 250));
    }

    #[test]
    fn what_is_applied_is_counted_once() {
        let (mut tally, mut metrics) = (Tally::default(), Metrics::default());
        tally.on_role(&mut metrics, Instant::ZERO, Role::Leader);
        for (epoch, index) in [(1, 5), (1, 5), (1, 9), (2, 2)] {
            tally.on_applied(&mut metrics, Position::new(epoch, index));
        }
        assert_eq!(metrics.commit_count, 11);
    }
}
