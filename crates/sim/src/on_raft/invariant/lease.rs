//! 12 and 16: a lease has one leader, and a leader that hears no quorum is none.

use crate::ghost::Ghost;
use crate::invariant::Invariant;
use crate::on_raft::{Raft, Stack};
use crate::world::World;
use consensus::Instant;

impl<S: Stack> Ghost<Raft<S>> {
    /// A member answered a read the moment it was asked.
    pub(crate) fn check_lease_read(&mut self, member: usize) {
        let seen = &self.members[member];
        if self.lore.rules.lease_reads && seen.leads() && self.last_led > seen.term {
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
        if !self.lore.rules.check_quorum || now <= self.members[member].own.heard_until {
            return;
        }
        let timeout = self.lore.rules.election_timeout;
        let seen = &self.members[member];
        let heard = self.configuration.reached(|id| {
            let place = id.0 as usize - 1;
            if place == member { now } else { seen.own.heard[place] }
        });
        let until = heard.unwrap_or(Instant::ZERO) + timeout;
        self.members[member].own.heard_until = until;
        if now > until {
            let what = format!("leader {} last heard a quorum {} ms ago", member + 1, (now.since(until) + timeout).as_millis());
            self.violate(Invariant::LeaderHearsQuorum, what);
        }
    }
}

impl<S: Stack> World<Raft<S>> {
    /// When a leader begins to lead, nobody may hold a read lease of an earlier term, by their own clocks.
    pub(crate) fn check_leases(&mut self, leader: usize, term: u64) {
        for (other, it) in self.members.iter().enumerate().filter(|&(other, _)| other != leader) {
            let Some(process) = &it.process else { continue };
            let raft = process.replica.consensus().core();
            let holds = raft.lease_until().is_some_and(|until| until > it.clock.read(self.now));
            if holds && raft.term() < term && raft.role() == consensus::Role::Leader {
                let what = format!(
                    "member {} leads term {term} while {} holds its lease of term {}",
                    leader + 1,
                    other + 1,
                    raft.term()
                );
                self.ghost.borrow_mut().violate(Invariant::LeaseHasOneLeader, what);
            }
        }
    }
}
