//! After synchronization a learner's history is a prefix of its leader's, in memory and on disk; what is applied is synced.

use crate::ghost::Ghost;
use crate::history::prefix;
use crate::invariant::Invariant;
use crate::on_zab::{Stack, Zab};
use consensus::{Entry, Position};

impl<S: Stack> Ghost<Zab<S>> {
    /// A learner acknowledges NEWLEADER.
    pub(crate) fn check_synchronized(&mut self, member: usize, leader: usize, epoch: u64) {
        let seen = &self.members[member];
        if seen.promise_synced.current != epoch {
            let what = format!(
                "member {} acknowledged NEWLEADER of epoch {epoch}; on its disk is currentEpoch {}",
                member + 1,
                seen.promise_synced.current
            );
            return self.violate(Invariant::EpochsAreDurable, what);
        }
        if let Some(last) = seen.own.sync.history
            && self.histories.place(last).is_none_or(|place| !self.holds_synced(member, place, last))
        {
            let what = format!("member {} acknowledged NEWLEADER; on its disk is not all up to {last}", member + 1);
            return self.violate(Invariant::SyncedBeforeSaid, what);
        }
        let leads = &self.members[leader];
        let (of, who) = (leads.id, self.members[member].id);
        if self.holds_initial(member, epoch, of, self.members[member].synced) != Some(false) {
            self.lore.acknowledged.insert((epoch, of, who));
        }
        let lasts = leads.leads() && leads.term == epoch && leads.alive;
        let seen = &self.members[member];
        let shared = seen.log.last().is_none_or(|fact| leads.log.get(seen.log.len() - 1) == Some(fact));
        if lasts && !shared {
            let what = format!(
                "member {} acknowledged NEWLEADER of {} with a log up to {}, which is no prefix of its leader's",
                member + 1,
                leader + 1,
                seen.last()
            );
            self.violate(Invariant::HistoryIsPrefix, what);
        }
    }

    /// Whether a member surely keeps what stands at `place`, which is at `position`.
    pub(crate) fn holds_synced(&self, member: usize, place: u64, position: Position) -> bool {
        let seen = &self.members[member];
        place == 0 || seen.synced >= place && seen.log.get(place as usize - 1).is_some_and(|fact| fact.position == position)
    }

    /// A server applies only what its own log has synced.
    pub(crate) fn check_applies_synced(&mut self, member: usize, last: Position) {
        if self.histories.place(last).is_none_or(|place| !self.holds_synced(member, place, last)) {
            let what = format!("member {} applies {last} before its log has synced it", member + 1);
            self.violate(Invariant::SyncedBeforeSaid, what);
        }
    }

    /// A learner is about to put a snapshot and what followed it in place of what it has.
    pub(crate) fn on_merge(&mut self, member: usize, position: Position, entries: &[Entry]) {
        let last = entries.last().map_or(position, |entry| entry.position);
        let sound = entries.iter().all(|entry| {
            let known = self.histories.before(entry.position).zip(self.histories.fact(entry.position));
            known.is_some_and(|(before, fact)| prefix(before, entry) == fact.prefix)
        });
        let Some(log) = self.histories.chain(last).filter(|_| sound) else {
            let what = format!("member {} installs a snapshot of {position} and more up to {last}, which nobody has", member + 1);
            return self.violate(Invariant::SnapshotsAreWhole, what);
        };
        // Until it is in force the disk holds the old log: as far as both agree, it counts.
        let seen = &mut self.members[member];
        let agreed = seen.log.iter().zip(&log).take_while(|(old, new)| old == new).count() as u64;
        seen.truncate(agreed);
        seen.log = log;
    }

    /// They are in force and durable.
    pub(crate) fn merged(&mut self, member: usize, position: Position) {
        self.on_installed(member, position);
        self.members[member].own.sync.named = Some(position);
    }

    /// What a member believes committed. Before its first transaction an epoch's position (epoch, 0) stands for what was before.
    pub(crate) fn check_commit_of(&mut self, member: usize, position: Position) {
        let position = match position.index {
            0 if position != Position::ZERO => {
                let log = &self.members[member].log;
                let before = log.partition_point(|fact| fact.position <= position);
                before.checked_sub(1).map_or(Position::ZERO, |last| log[last].position)
            }
            _ => position,
        };
        self.check_commit(member, position);
    }
}
