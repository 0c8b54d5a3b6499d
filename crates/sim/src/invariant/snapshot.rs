//! 17: a snapshot never replaces newer state, and is installed whole or not at all.

use crate::ghost::Ghost;
use crate::invariant::Invariant;
use consensus::Position;

impl Ghost {
    /// A member is about to put a snapshot in place of what it has.
    pub(crate) fn on_install(&mut self, member: usize, position: Position) {
        let commit = self.members[member].commit;
        if position.index <= commit {
            let what = format!("member {}, which knows {commit} to be committed, installs a snapshot of {position}", member + 1);
            self.violate(Invariant::SnapshotsAreWhole, what);
        }
        if self.committed.get(position.index as usize - 1).is_none_or(|fact| fact.term != position.epoch) {
            let what = format!("member {} installs a snapshot of {position}, which is not committed", member + 1);
            return self.violate(Invariant::SnapshotsAreWhole, what);
        }
        // Until it is in force the disk holds the old log, or what is still being written of it: as far as that agrees with what is
        // committed, it counts.
        let seen = &mut self.members[member];
        let both = seen.log.len().min(position.index as usize);
        let agreed = (commit as usize..both).take_while(|&at| seen.log[at] == self.committed[at]).count() as u64;
        seen.truncate(commit + agreed);
        seen.log.clear();
        seen.log.extend_from_slice(&self.committed[..position.index as usize]);
    }

    /// The snapshot is in force and durable.
    pub(crate) fn on_installed(&mut self, member: usize, position: Position) {
        let seen = &mut self.members[member];
        seen.synced = seen.synced.max(position.index);
        seen.snapshot = seen.snapshot.max(position.index);
        if seen.applied != position.index {
            let what = format!("member {} installed a snapshot of {position} and holds {}", member + 1, seen.applied);
            self.violate(Invariant::SnapshotsAreWhole, what);
        }
    }

    /// A machine was made from a snapshot.
    pub(crate) fn restored(&mut self, member: usize, position: Position, digest: u64) {
        if self.digest(position.index) != Some(digest) {
            let what = format!("the snapshot of member {} at {position} does not hold what was applied up to there", member + 1);
            self.violate(Invariant::SnapshotsAreWhole, what);
        }
        self.members[member].applied = position.index;
    }

    /// A member was told that its own snapshot is durable.
    pub(crate) fn snapshot_saved(&mut self, member: usize, position: Position) {
        let seen = &mut self.members[member];
        seen.snapshot = seen.snapshot.max(position.index);
    }
}
