//! 19: what a leader knows of its followers is sound.

use crate::ghost::Ghost;
use crate::invariant::Invariant;
use crate::on_raft::{Raft, Stack};

impl<S: Stack> Ghost<Raft<S>> {
    pub(crate) fn check_progress(&mut self, member: usize, raft: &raft::Raft) {
        let last = raft.last().index;
        let mut wrong = None;
        let seen = &mut self.members[member];
        for (id, progress) in raft.progress() {
            let place = id.0 as usize - 1;
            let (matched, next) = (progress.matched(), progress.next());
            if matched >= next || matched > last || matched < seen.own.matched[place] {
                wrong = Some((id, matched, next, seen.own.matched[place]));
            }
            seen.own.matched[place] = matched;
        }
        if let Some((id, matched, next, before)) = wrong {
            let what = format!(
                "leader {} with a log up to {last} believes {id} to match up to {matched} (before: {before}), next {next}",
                member + 1
            );
            self.violate(Invariant::ProgressIsSound, what);
        }
    }
}
