//! 4, 5 and 9: what a leader sends is what its log holds, and it commits only entries of its own term by counting.

use crate::ghost::Ghost;
use crate::history::Fact;
use crate::invariant::Invariant;
use crate::on_raft::{Raft, Stack};
use consensus::{Entry, Position};

impl<S: Stack> Ghost<Raft<S>> {
    /// What the leader sends is what its log holds.
    pub(crate) fn check_append_sent(&mut self, member: usize, term: u64, previous: Position, entries: &[Entry]) {
        self.check_speaks_as_leader(member, term);
        let log = &self.members[member].log;
        let holds = |position: Position| {
            position.index == 0 || log.get(position.index as usize - 1).is_some_and(|fact| fact.position == position)
        };
        let last = entries.last().map_or(previous, |entry| entry.position);
        if !holds(previous) || !holds(last) || last.index != previous.index + entries.len() as u64 {
            let what = format!("leader {} sent {previous}..{last}, which is not in its log", member + 1);
            self.violate(Invariant::LogMatching, what);
        }
    }

    /// Only entries of the leader's own term are committed by counting (§5.4.2).
    pub(crate) fn check_counting(&mut self, member: usize, fact: Fact) {
        let seen = &self.members[member];
        if seen.leads() && fact.position.epoch != seen.term {
            let what = format!("leader {} of term {} committed {} by counting", member + 1, seen.term, fact.position);
            self.violate(Invariant::OwnTermByCounting, what);
        }
    }
}
