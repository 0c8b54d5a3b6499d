//! One established leader an epoch, epochs that are durable before anybody relies on them, and leaders that hold what was committed.

use crate::ghost::Ghost;
use crate::invariant::Invariant;
use crate::on_zab::{Stack, Zab};
use consensus::{NodeId, Persist, Promise};

impl<S: Stack> Ghost<Zab<S>> {
    /// A member established its epoch: a quorum has acknowledged its history.
    pub(crate) fn begin_leading(&mut self, member: usize, epoch: u64) {
        let seen = &mut self.members[member];
        seen.own.leads = epoch;
        let (id, life, last) = (seen.id, seen.life, seen.last());
        self.leader_changes += 1;
        if let Some(&(other, other_life)) = self.leaders.get(&epoch) {
            let what = format!("{other} (life {other_life}) and {id} (life {life}) both led epoch {epoch}");
            self.violate(Invariant::OneLeaderATerm, what);
        }
        self.leaders.insert(epoch, (id, life));
        self.last_led = self.last_led.max(epoch);
        let keeps = |voter: &NodeId| self.member_of(*voter).is_some_and(|voter| self.is_of_epoch(voter, epoch, id));
        let keepers = self.configuration.voters.iter().filter(|voter| keeps(voter)).count();
        if keepers < self.majority() {
            let what = format!("{id} leads epoch {epoch}; its history and currentEpoch are on {keepers} disks");
            self.violate(Invariant::SyncedBeforeSaid, what);
        }
        // Where clocks stand still the last acknowledgement may come so late that others have led since.
        let before = self.committed.partition_point(|fact| fact.position.epoch < epoch);
        if let Some(&fact) = self.committed[..before].last()
            && self.members[member].log.get(before - 1) != Some(&fact)
        {
            let what =
                format!("{id} leads epoch {epoch} with a log up to {last}, and lacks {}, which is committed", fact.position);
            self.violate(Invariant::LeaderCompleteness, what);
        }
    }

    /// Whether a member has on its disk that it is of this epoch, and the history that the epoch began with; or had it when it
    /// acknowledged that, and is of a later epoch by now.
    fn is_of_epoch(&self, member: usize, epoch: u64, leader: NodeId) -> bool {
        let seen = &self.members[member];
        // What it acknowledged it has lost since: who counted it did no wrong.
        seen.damaged
            || seen.promise_synced.current == epoch && self.holds_initial(member, epoch, leader, seen.synced) != Some(false)
            || seen.promise_synced.current > epoch && self.lore.acknowledged.contains(&(epoch, leader, seen.id))
    }

    /// Whether the first `upto` entries of a member's log hold the history with which an epoch began. `None` if nobody knows that.
    pub(super) fn holds_initial(&self, member: usize, epoch: u64, leader: NodeId, upto: u64) -> Option<bool> {
        match self.lore.initial.get(&(epoch, leader))? {
            (place, Some(fact)) => Some(upto >= *place && self.members[member].log.get(*place as usize - 1) == Some(fact)),
            (_, None) => Some(true),
        }
    }

    /// A primary proposes only once it has delivered all that its epoch began with, and in its own epoch.
    pub(crate) fn check_primary(&mut self, member: usize, persist: &Persist) {
        let seen = &self.members[member];
        let first = persist.append.as_ref().and_then(|append| append.entries.first());
        let Some(first) = first.filter(|_| seen.leads()) else { return };
        let initial = self.lore.initial.get(&(seen.term, seen.id)).map_or(0, |initial| initial.0);
        if first.position.epoch != seen.own.leads || seen.applied < initial {
            let what = format!(
                "leader {} of epoch {} proposed {} with {} of the {initial} entries applied with which the epoch began",
                member + 1,
                seen.own.leads,
                first.position,
                seen.applied
            );
            self.violate(Invariant::PrimaryIntegrity, what);
        }
    }

    /// Somebody is about to lead: what its log holds now is what its epoch begins with.
    pub(crate) fn remember_initial(&mut self, member: usize, epoch: u64) {
        let seen = &self.members[member];
        let initial = (seen.log.len() as u64, seen.log.last().copied());
        self.lore.initial.entry((epoch, seen.id)).or_insert(initial);
    }

    /// currentEpoch names the epoch whose leader shaped the log: so the log holds the history with which that epoch began.
    pub(crate) fn check_epochs(&mut self, member: usize, before: Promise, promise: Promise) {
        if promise.current > promise.epoch {
            let what = format!("member {} has currentEpoch {} and acceptedEpoch {}", member + 1, promise.current, promise.epoch);
            self.violate(Invariant::EpochsAreDurable, what);
        }
        if promise.current == before.current {
            return;
        }
        if self.members[member].leads() {
            self.remember_initial(member, promise.current);
        }
        let Some(leader) = self.members[member].role.leader(self.members[member].id) else { return };
        let upto = self.members[member].log.len() as u64;
        if self.holds_initial(member, promise.current, leader, upto) == Some(false) {
            let what = format!(
                "member {} takes currentEpoch {} without the history with which {leader} begins it",
                member + 1,
                promise.current
            );
            self.violate(Invariant::EpochsAreDurable, what);
        }
    }
}
