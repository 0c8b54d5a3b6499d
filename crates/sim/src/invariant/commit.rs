//! 6 to 9 and 21: what is committed is synced on a quorum, is the same for everybody, and is applied once.

use crate::ghost::{Ghost, Seen};
use crate::invariant::Invariant;
use crate::subject::Subject;
use consensus::Position;

impl<P: Subject> Ghost<P> {
    /// A member knows everything up to `position` to be committed.
    pub(crate) fn check_commit(&mut self, member: usize, position: Position) {
        let Some(commit) = self.histories.place(position) else {
            let what = format!("member {} believes {position} committed, which nobody ever appended", member + 1);
            return self.violate(Invariant::StateMachineSafety, what);
        };
        let seen = &mut self.members[member];
        let before = std::mem::replace(&mut seen.commit, commit);
        if commit == before {
            return;
        }
        if commit < before {
            let what = format!("what member {} believes committed went back from place {before} to {position}", member + 1);
            return self.violate(Invariant::NothingGoesBack, what);
        }
        let Some(&fact) = seen.log.get(commit as usize - 1) else {
            let what = format!("member {} believes {position} committed, but its log ends before", member + 1);
            return self.violate(Invariant::StateMachineSafety, what);
        };
        P::committed_more(self, member, fact);
        match self.committed.get(commit as usize - 1) {
            Some(known) if *known == fact => {}
            Some(known) => {
                let what = format!("member {} believes {} committed, others {}", member + 1, fact.position, known.position);
                self.violate(Invariant::StateMachineSafety, what);
            }
            None => self.commit_more(member, commit),
        }
    }

    /// Nobody knew this to be committed before.
    fn commit_more(&mut self, member: usize, commit: u64) {
        let fact = self.members[member].log[commit as usize - 1];
        let voters = &self.configuration.voters;
        let keeps = |seen: &&Seen<P>| voters.contains(&seen.id) && seen.may_have_confirmed(commit, fact);
        let keepers = self.members.iter().filter(keeps).count();
        if keepers < self.majority() {
            let what = format!(
                "member {} believes {} committed, which is on {keepers} disks of {}",
                member + 1,
                fact.position,
                self.configuration.voters.len()
            );
            self.violate(Invariant::SyncedBeforeSaid, what);
        }
        for place in self.committed.len() as u64 + 1..=commit {
            let fact = self.members[member].log[place as usize - 1];
            self.committed.push(fact);
            self.note_operation(fact.op, place);
        }
    }

    fn note_operation(&mut self, op: u64, place: u64) {
        if op == 0 {
            return;
        }
        let at = op as usize;
        if self.operations.len() <= at {
            self.operations.resize(at + 1, 0);
        }
        let earlier = std::mem::replace(&mut self.operations[at], place);
        if earlier > 0 {
            self.violate(Invariant::AppliedOnce, format!("operation {op} is committed at place {earlier} and again at {place}"));
        }
    }

    /// A state machine applied (or skipped) an entry.
    pub(crate) fn machine_applied(&mut self, member: usize, position: Position, op: u64, digest: Option<u64>) {
        let seen = &mut self.members[member];
        seen.applied += 1;
        let place = seen.applied;
        match self.committed.get(place as usize - 1) {
            Some(fact) if fact.position == position && fact.op == op => {}
            fact => {
                let what = format!("member {} applied {position} (operation {op}), where {fact:?} is committed", member + 1);
                return self.violate(Invariant::StateMachineSafety, what);
            }
        }
        if digest.is_some_and(|digest| !self.histories.digest_agrees(position, digest)) {
            let what = format!("the machine of member {} is not what the others are at {position}", member + 1);
            self.violate(Invariant::StateMachineSafety, what);
        }
    }

    /// A client was told that its write was applied there.
    pub(crate) fn check_answer(&mut self, op: u64, position: Position) {
        let fact = self.committed_at(op).and_then(|place| self.committed.get(place as usize - 1));
        if fact.is_none_or(|fact| fact.position != position) {
            let what = format!("operation {op} was answered as applied at {position}; committed is {fact:?}");
            self.violate(Invariant::AnswersSurvive, what);
        }
    }
}
