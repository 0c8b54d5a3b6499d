//! 17: a snapshot never replaces newer state, and is installed whole or not at all.

use crate::ghost::Ghost;
use crate::invariant::Invariant;
use crate::subject::Subject;
use consensus::Position;

impl<P: Subject> Ghost<P> {
    /// A member is about to put a snapshot in place of what it has.
    pub(crate) fn on_install(&mut self, member: usize, position: Position) {
        let commit = self.members[member].commit;
        let committed = self
            .histories
            .place(position)
            .filter(|&place| self.committed.get((place as usize).wrapping_sub(1)).is_some_and(|fact| fact.position == position));
        let Some(place) = committed else {
            let what = format!("member {} installs a snapshot of {position}, which is not committed", member + 1);
            return self.violate(Invariant::SnapshotsAreWhole, what);
        };
        if place <= commit {
            let what = format!("member {}, which knows more to be committed, installs a snapshot of {position}", member + 1);
            self.violate(Invariant::SnapshotsAreWhole, what);
        }
        // Until it is in force the disk holds the old log, or what is still being written of it: as far as that agrees with what is
        // committed, it counts.
        let seen = &mut self.members[member];
        let both = seen.log.len().min(place as usize);
        let agreed = (commit as usize..both).take_while(|&at| seen.log[at] == self.committed[at]).count() as u64;
        seen.truncate(commit + agreed);
        seen.log.clear();
        seen.log.extend_from_slice(&self.committed[..place as usize]);
    }

    /// The snapshot is in force and durable.
    pub(crate) fn on_installed(&mut self, member: usize, position: Position) {
        let place = self.histories.place(position);
        let seen = &mut self.members[member];
        if place == Some(seen.applied) {
            seen.synced = seen.synced.max(seen.applied);
            seen.snapshot = seen.snapshot.max(seen.applied);
        } else {
            let what = format!("member {} installed a snapshot of {position}, and its machine holds another place", member + 1);
            self.violate(Invariant::SnapshotsAreWhole, what);
        }
    }

    /// A machine was made from a snapshot.
    pub(crate) fn restored(&mut self, member: usize, position: Position, digest: Option<u64>) {
        let place = self.histories.place(position);
        if digest.is_some_and(|digest| !self.histories.digest_agrees(position, digest)) {
            let what = format!("the snapshot of member {} at {position} does not hold what was applied up to there", member + 1);
            self.violate(Invariant::SnapshotsAreWhole, what);
        }
        self.members[member].applied = place.unwrap_or(0);
    }

    /// A member was told that its own snapshot is durable.
    pub(crate) fn snapshot_saved(&mut self, member: usize, position: Position) {
        let place = self.histories.place(position).unwrap_or(0);
        let seen = &mut self.members[member];
        seen.snapshot = seen.snapshot.max(place);
    }
}
