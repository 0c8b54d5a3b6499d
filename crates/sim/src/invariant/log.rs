//! 4 and 5: logs that agree at one place agree before it; a leader only appends.

use crate::ghost::{Ghost, Pending};
use crate::history::{Fact, prefix};
use crate::invariant::Invariant;
use crate::subject::Subject;
use consensus::{Append, Entry, Persist, Position};

impl<P: Subject> Ghost<P> {
    pub(crate) fn on_persist(&mut self, member: usize, persist: &Persist) {
        let upto = persist.append.as_ref().map_or(0, |append| self.on_append(member, append));
        if let Some(promise) = persist.promise {
            self.on_promise(member, promise);
        }
        self.members[member].pending.push_back(Pending { ticket: persist.ticket, promise: persist.promise, upto });
    }

    /// The end of the log after the append.
    fn on_append(&mut self, member: usize, append: &Append) -> u64 {
        let Append { after, entries } = append;
        let seen = &mut self.members[member];
        let end = seen.log.len() as u64;
        let (leads, commit) = (seen.leads(), seen.commit);
        let held = self
            .histories
            .place(*after)
            .filter(|&place| place <= end && (place == 0 || self.members[member].log[place as usize - 1].position == *after));
        let mut last = *after;
        let chained = entries.iter().all(|entry| P::follows(std::mem::replace(&mut last, entry.position), entry.position));
        let Some(place) = held.filter(|_| chained) else {
            let what = format!("member {} put entries after {after}, which it does not hold", member + 1);
            self.violate(Invariant::LogMatching, what);
            return end;
        };
        if place < end {
            if leads {
                let what = format!("leader {} cut its log of {end} entries after {after}", member + 1);
                self.violate(Invariant::LeaderAppendOnly, what);
            }
            if place < commit {
                let what = format!("member {} cut its log after {after}, but knows more to be committed", member + 1);
                self.violate(Invariant::StateMachineSafety, what);
            }
            self.members[member].truncate(place);
        }
        let mut before = self.members[member].log.last().map_or((Position::ZERO, 0), |fact| (fact.position, fact.prefix));
        for entry in entries {
            let fact = Fact { position: entry.position, prefix: prefix(before.1, entry), op: P::op_of(entry) };
            let place = self.members[member].log.len() as u64 + 1;
            if self.histories.remember(place, before, fact).is_err() {
                let what =
                    format!("the log of member {} up to {} is not what another's was up to there", member + 1, entry.position);
                self.violate(Invariant::LogMatching, what);
            }
            before = (fact.position, fact.prefix);
            self.members[member].log.push(fact);
        }
        self.members[member].log.len() as u64
    }

    /// Entries that a member read back from its disk are those that were put there.
    pub(crate) fn check_fetched(&mut self, member: usize, entries: &[Entry]) {
        let wrong = entries.iter().find(|entry| {
            let known = self.histories.before(entry.position).zip(self.histories.fact(entry.position));
            known.is_none_or(|(before, fact)| prefix(before, entry) != fact.prefix)
        });
        if let Some(entry) = wrong {
            let what = format!("member {} read {} from its log, and it is not what was written", member + 1, entry.position);
            self.violate(Invariant::LogMatching, what);
        }
    }
}

impl<P: Subject> crate::ghost::Seen<P> {
    /// Its log ends at `place` from now on, and what was on its way to the disk behind that is void.
    pub(crate) fn truncate(&mut self, place: u64) {
        self.log.truncate(place as usize);
        self.synced = self.synced.min(place);
        for pending in &mut self.pending {
            pending.upto = pending.upto.min(place);
        }
    }
}
