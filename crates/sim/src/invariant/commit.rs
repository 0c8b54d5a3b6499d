//! 6 to 9 and 21: what is committed is synced on a quorum, is the same for everybody, and is applied once.

use crate::ghost::Ghost;
use crate::invariant::Invariant;
use consensus::Position;

impl Ghost {
    /// A member knows everything up to `position` to be committed.
    pub(crate) fn check_commit(&mut self, member: usize, position: Position) {
        let seen = &mut self.members[member];
        let (before, commit) = (seen.commit, position.index);
        if commit == before {
            return;
        }
        seen.commit = commit;
        if commit < before {
            let what = format!("the commit index of member {} went back from {before} to {commit}", member + 1);
            return self.violate(Invariant::NothingGoesBack, what);
        }
        let Some(&fact) = self.members[member].log.get(commit as usize - 1) else {
            let what = format!("member {} believes {commit} committed, but its log ends before", member + 1);
            return self.violate(Invariant::StateMachineSafety, what);
        };
        let seen = &self.members[member];
        if seen.leads() && fact.term != seen.term {
            let what = format!("leader {} of term {} committed ({}, {commit}) by counting", member + 1, seen.term, fact.term);
            self.violate(Invariant::OwnTermByCounting, what);
        }
        match self.committed.get(commit as usize - 1) {
            Some(known) if *known == fact => {}
            Some(known) => {
                let what = format!(
                    "member {} believes ({}, {commit}) committed, others ({}, {commit})",
                    member + 1,
                    fact.term,
                    known.term
                );
                self.violate(Invariant::StateMachineSafety, what);
            }
            None => self.commit_more(member, commit),
        }
    }

    /// Nobody knew this to be committed before.
    fn commit_more(&mut self, member: usize, commit: u64) {
        let fact = self.members[member].log[commit as usize - 1];
        let keepers = self.members.iter().filter(|seen| seen.may_have_confirmed(commit, fact)).count();
        if keepers < self.majority() {
            let what = format!(
                "member {} believes ({}, {commit}) committed, which is on {keepers} disks of {}",
                member + 1,
                fact.term,
                self.members.len()
            );
            self.violate(Invariant::SyncedBeforeSaid, what);
        }
        for index in self.committed.len() as u64 + 1..=commit {
            let fact = self.members[member].log[index as usize - 1];
            self.committed.push(fact);
            self.note_operation(fact.op, index);
        }
    }

    fn note_operation(&mut self, op: u64, index: u64) {
        if op == 0 {
            return;
        }
        let at = op as usize;
        if self.operations.len() <= at {
            self.operations.resize(at + 1, 0);
        }
        let earlier = std::mem::replace(&mut self.operations[at], index);
        if earlier > 0 {
            self.violate(Invariant::AppliedOnce, format!("operation {op} is committed at {earlier} and again at {index}"));
        }
    }

    /// A state machine applied (or skipped) an entry.
    pub(crate) fn machine_applied(&mut self, member: usize, position: Position, op: u64, digest: u64) {
        let index = position.index;
        let seen = &mut self.members[member];
        let before = std::mem::replace(&mut seen.applied, index);
        if index != before + 1 {
            let what = format!("member {} applied {index} after {before}", member + 1);
            return self.violate(Invariant::StateMachineSafety, what);
        }
        match self.committed.get(index as usize - 1) {
            Some(fact) if fact.term == position.epoch && fact.op == op => {}
            fact => {
                let what = format!("member {} applied {position} (operation {op}), where {fact:?} is committed", member + 1);
                return self.violate(Invariant::StateMachineSafety, what);
            }
        }
        match self.digests.get(index as usize - 1) {
            Some(&known) if known != digest => {
                let what = format!("the machine of member {} is not what the others are at {index}", member + 1);
                self.violate(Invariant::StateMachineSafety, what);
            }
            Some(_) => {}
            None => self.digests.push(digest),
        }
    }

    /// A client was told that its write was applied there.
    pub(crate) fn check_answer(&mut self, op: u64, position: Position) {
        let fact = self.committed.get((position.index as usize).wrapping_sub(1));
        if fact.is_none_or(|fact| fact.op != op || fact.term != position.epoch) {
            let what = format!("operation {op} was answered as applied at {position}, where {fact:?} is committed");
            self.violate(Invariant::AnswersSurvive, what);
        }
    }
}
