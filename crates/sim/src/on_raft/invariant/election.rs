//! 1, 2, 6 and 15: one leader a term, one vote a term, leaders that hold everything committed, and no needless terms.

use crate::ghost::Ghost;
use crate::invariant::Invariant;
use crate::on_raft::{Raft, Stack};
use consensus::{Instant, NodeId, Position, Promise};

impl<S: Stack> Ghost<Raft<S>> {
    /// A member promised something, which is on its way to the disk.
    pub(crate) fn check_vote(&mut self, member: usize, before: Promise, promise: Promise) {
        if promise.epoch == before.epoch && before.vote.is_some() && promise.vote != before.vote {
            let what = format!(
                "member {} changed its vote in term {} from {:?} to {:?}",
                member + 1,
                promise.epoch,
                before.vote,
                promise.vote
            );
            self.violate(Invariant::OneVoteATerm, what);
        }
        if let Some(candidate) = promise.vote.filter(|_| (promise.epoch, promise.vote) != (before.epoch, before.vote)) {
            self.on_vote(member, promise.epoch, candidate);
        }
    }

    fn on_vote(&mut self, member: usize, term: u64, candidate: NodeId) {
        self.members[member].own.open_votes.push(term);
        let (earlier, _) = *self.lore.votes.entry((term, member)).or_insert((candidate, false));
        if earlier != candidate {
            let what = format!("member {} voted for {earlier} and for {candidate} in term {term}", member + 1);
            self.violate(Invariant::OneVoteATerm, what);
        }
        let Some(candidate) = self.member_of(candidate).filter(|&place| place != member) else { return };
        // A member that lost its vote gives it to who has won without it.
        let won = self.leaders.get(&term).is_some_and(|&(leader, _)| self.member_of(leader) == Some(candidate));
        if self.members[member].damaged && won {
            return;
        }
        // The candidate's log is at least as recent as the voter's (§5.4.1).
        let (asked, last) = self.members[member].own.asked[candidate][0];
        let own = self.members[member].last();
        if asked != term || last < own {
            let what = format!("member {} with a log up to {own} voted for {} with one up to {last}", member + 1, candidate + 1);
            self.violate(Invariant::LeaderCompleteness, what);
        }
    }

    /// A granted vote leaves only once it is on the disk.
    pub(crate) fn check_vote_synced(&mut self, member: usize, term: u64, candidate: usize) {
        match self.lore.votes.get(&(term, member)) {
            Some(&(voted, true)) if self.member_of(voted) == Some(candidate) => {}
            other => {
                let what = format!(
                    "member {} told {} that it votes for it in term {term}, but on its disk is {other:?}",
                    member + 1,
                    candidate + 1
                );
                self.violate(Invariant::OneVoteATerm, what);
            }
        }
    }

    /// A pre-vote is granted by the same log check as a vote. (It may leave later, when the log has grown.)
    pub(crate) fn check_pre_vote(&mut self, member: usize, term: u64, candidate: NodeId) {
        let Some(candidate) = self.member_of(candidate) else { return };
        let (asked, last) = self.members[member].own.asked[candidate][1];
        let own = self.members[member].last();
        if asked == term && last < own {
            let what = format!("member {} with a log up to {own} encouraged {} with one up to {last}", member + 1, candidate + 1);
            self.violate(Invariant::NoNeedlessTerms, what);
        }
    }

    /// A pre-vote was told.
    pub(crate) fn count_pre_vote(&mut self, member: usize, term: u64, candidate: usize) {
        *self.lore.pre_votes.entry((term, candidate)).or_insert(0) |= 1 << member;
    }

    /// Nobody stands whom no quorum encouraged, unless the leader told it to.
    pub(crate) fn check_standing(&mut self, member: usize, term: u64, transfer: bool) {
        let told = self.members[member].own.told_to_stand;
        if transfer && (told == 0 || told >= term) {
            let what = format!("member {} stands in term {term} as if told to, but was last told in {told}", member + 1);
            self.violate(Invariant::NoNeedlessTerms, what);
        }
        if transfer || !self.lore.rules.pre_vote {
            return;
        }
        let encouraged = self.lore.pre_votes.get(&(term, member)).copied().unwrap_or(0) | 1 << member;
        if (encouraged.count_ones() as usize) < self.majority() {
            let what = format!("member {} stands in term {term}, encouraged by too few (bits {encouraged:b})", member + 1);
            self.violate(Invariant::NoNeedlessTerms, what);
        }
    }

    /// A member began to lead its term.
    pub(crate) fn begin_leading(&mut self, member: usize, now: Instant) {
        let timeout = self.lore.rules.election_timeout;
        let seen = &mut self.members[member];
        seen.own.heard.fill(now);
        seen.own.heard_until = now + timeout;
        seen.own.matched.fill(0);
        let (term, id, life, last) = (seen.term, seen.id, seen.life, seen.last());
        self.leader_changes += 1;
        if let Some(&(other, other_life)) = self.leaders.get(&term) {
            let what = format!("{other} (life {other_life}) and {id} (life {life}) both led term {term}");
            self.violate(Invariant::OneLeaderATerm, what);
        }
        self.leaders.insert(term, (id, life));
        self.last_led = self.last_led.max(term);
        let votes = (0..self.members.len()).filter(|&voter| self.lore.votes.get(&(term, voter)) == Some(&(id, true))).count();
        if votes < self.majority() {
            let what = format!("{id} leads term {term} with {votes} votes that are on disk");
            self.violate(Invariant::OneVoteATerm, what);
        }
        self.check_completeness(member, last);
    }

    /// A new leader holds every committed entry.
    fn check_completeness(&mut self, member: usize, last: Position) {
        let Some(&fact) = self.committed.last() else { return };
        let index = self.committed.len();
        if self.members[member].log.get(index - 1) != Some(&fact) {
            let what = format!("leader {} with a log up to {last} lacks the committed entry {}", member + 1, fact.position);
            self.violate(Invariant::LeaderCompleteness, what);
        }
    }

    /// Only who leads a term speaks as its leader.
    pub(crate) fn check_speaks_as_leader(&mut self, member: usize, term: u64) {
        let seen = &self.members[member];
        if !seen.leads() || seen.term != term {
            let what =
                format!("member {} speaks as the leader of term {term}, but is {} in {}", member + 1, seen.role, seen.term);
            self.violate(Invariant::OneLeaderATerm, what);
        }
    }

    /// A vote that was lost before it was synced was never told; one that survived counts as synced.
    pub(crate) fn remember_votes(&mut self, member: usize, found: Promise) {
        for term in std::mem::take(&mut self.members[member].own.open_votes) {
            let survived = found.epoch == term && found.vote.is_some() || found.epoch > term;
            match self.lore.votes.get_mut(&(term, member)) {
                Some((_, synced)) if survived => *synced = true,
                Some((_, false)) => {
                    self.lore.votes.remove(&(term, member));
                }
                _ => {}
            }
        }
    }

    /// A promise is synced, and with it the vote in it.
    pub(crate) fn vote_synced(&mut self, member: usize, promise: Promise) {
        if promise.vote.is_some()
            && let Some((_, synced)) = self.lore.votes.get_mut(&(promise.epoch, member))
        {
            *synced = true;
        }
    }
}
