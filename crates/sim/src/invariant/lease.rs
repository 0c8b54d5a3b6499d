//! 12 and 16: a lease has one leader, and a leader that hears no quorum is none.

use crate::ghost::Ghost;
use crate::invariant::Invariant;
use consensus::Instant;

impl Ghost {
    /// A member answered a read the moment it was asked.
    pub(crate) fn check_lease_read(&mut self, member: usize) {
        let seen = &self.members[member];
        if self.rules.lease_reads && seen.leads() && self.last_led > seen.term {
            let what = format!(
                "member {} served a read from its lease of term {}, but term {} has a leader",
                member + 1,
                seen.term,
                self.last_led
            );
            self.violate(Invariant::LeaseHasOneLeader, what);
        }
    }

    /// A leader is led by a quorum that it hears.
    pub(crate) fn check_quorum_heard(&mut self, member: usize, now: Instant) {
        if !self.rules.check_quorum || now <= self.members[member].heard_until {
            return;
        }
        let timeout = self.rules.election_timeout;
        let seen = &self.members[member];
        let heard = self.configuration.reached(|id| {
            let place = id.0 as usize - 1;
            if place == member { now } else { seen.heard[place] }
        });
        let until = heard.unwrap_or(Instant::ZERO) + timeout;
        self.members[member].heard_until = until;
        if now > until {
            let what = format!("leader {} last heard a quorum {} ms ago", member + 1, (now.since(until) + timeout).as_millis());
            self.violate(Invariant::LeaderHearsQuorum, what);
        }
    }
}
