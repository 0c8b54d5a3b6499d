//! Leases: what a voter promises a leader that it heard, and what a leader may make of it (Raft thesis §4.2.3, §6.4.1).
//!
//! A voter that heard from a leader within the election timeout E votes for nobody else. So a leader whose heartbeat of time t was
//! echoed by a quorum knows that no other can be elected before t + E on the voters' clocks, and may, if told to trust clocks,
//! answer reads alone until then:
//!
//! ```text
//!   leader   ──t──────────────────────────────lease ends
//!               ╲ heartbeat        ╱ echo         ▲  (E shortened by the drift)
//!   voter    ────heard───────────────────────────────────heard + E: may vote
//! ```
//!
//! The lease begins when the heartbeat is *sent*, for the voter's promise begins when it is *heard*, which is later.

use crate::{Config, Raft, Refusal};
use consensus::Instant;
use core::time::Duration;

impl Raft {
    /// Until when a leader may answer reads by itself. `None` without lease reads, before a quorum echoed a heartbeat, and once it
    /// told another to stand at once: such an election does not respect leases, and may come at any time.
    pub fn lease_until(&self) -> Option<Instant> {
        let leading = self.role.leading()?;
        if !self.config.lease_reads || leading.lease_forgone {
            return None;
        }
        let echoed = self.configuration.reached(|id| {
            if id == self.id() { Some(self.now) } else { leading.progress.get(&id).and_then(|progress| progress.beat_answered()) }
        })??;
        Some(echoed + self.config.lease_span())
    }

    /// Why this member must not vote for another leader now: it is bound to one, or to what it may have promised before.
    pub(crate) fn lease(&self) -> Option<Refusal> {
        if self.role.leading().is_some() {
            return (self.config.vote_lease || self.config.lease_reads).then_some(Refusal::Leads);
        }
        let following = self.role.following();
        let heard = following.and_then(|following| Some((following.leader?, following.heard + self.config.election_timeout)));
        // Where reads trust leases, a promise binds whatever this member has learned since, and whatever it forgot in a restart.
        if self.config.lease_reads && self.now < self.promised_until {
            let left = self.promised_until.since(self.now);
            return Some(heard.map_or(Refusal::PromisedBefore { left }, |(leader, _)| Refusal::Lease { leader, left }));
        }
        match heard {
            Some((leader, until)) if self.config.vote_lease && self.now < until => {
                Some(Refusal::Lease { leader, left: until.since(self.now) })
            }
            _ => None,
        }
    }
}

impl Config {
    /// Whether members stand before a timeout when the leader's process is gone (DESIGN: failure is noticed by the link). It needs
    /// Pre-Vote: without it one member that is wrong about the link would raise the term and depose a healthy leader. And it breaks
    /// the promise that lease reads rest on.
    pub(crate) fn stands_early(&self) -> bool {
        self.early_election && self.pre_vote && !self.lease_reads
    }

    /// Whether a leader of a lower term is told ours. The paper's Raft has no need of that: there a candidate of a higher term is heard.
    pub(crate) fn frees_stuck_candidates(&self) -> bool {
        self.pre_vote || self.check_quorum || self.vote_lease || self.lease_reads
    }

    /// How long a lease lasts on the leader's clock. The voter's clock may run fast and the leader's slow, each by the drift d: E on
    /// the voter's is at least E / (1 + d) of true time, which the leader may see as that times (1 - d).
    fn lease_span(&self) -> Duration {
        let drift = self.clock_drift_per_mille.min(1_000);
        self.election_timeout * (1_000 - drift) / (1_000 + drift)
    }
}
