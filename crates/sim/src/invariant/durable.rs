//! 2, 3, 7, 8 and 22: what was synced is there after a restart, and nothing that depends on a sync is said before it.

use crate::ghost::{Fact, Ghost};
use crate::invariant::Invariant;
use consensus::{Position, Promise, Role, Ticket};

/// What a member found on its disk when it started.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) promise: Promise,
    pub(crate) base: Position,
    /// (first index, term) of each run of entries after the base.
    pub(crate) terms: Vec<(u64, u64)>,
    pub(crate) last: u64,
    /// What its newest snapshot holds.
    pub(crate) applied: Position,
}

impl Ghost {
    /// The disk confirmed everything up to this ticket.
    pub(crate) fn synced(&mut self, member: usize, ticket: Ticket) {
        let seen = &mut self.members[member];
        while let Some(pending) = seen.pending.front()
            && pending.ticket <= ticket
        {
            let pending = seen.pending.pop_front().expect("looked at a moment ago");
            seen.synced = seen.synced.max(pending.upto);
            if let Some(promise) = pending.promise {
                seen.promise_synced = promise;
                if promise.vote.is_some()
                    && let Some((_, synced)) = self.votes.get_mut(&(promise.epoch, member))
                {
                    *synced = true;
                }
            }
        }
    }

    /// "I have everything up to here" leaves only once it is on the disk, and with it the term in which it is said.
    pub(crate) fn check_append_synced(&mut self, member: usize, term: u64, upto: u64) {
        let seen = &self.members[member];
        if seen.synced < upto || seen.promise_synced.epoch < term {
            let what = format!(
                "member {} acknowledged entries up to {upto} in term {term}; on its disk are {} and term {}",
                member + 1,
                seen.synced,
                seen.promise_synced.epoch
            );
            self.violate(Invariant::SyncedBeforeSaid, what);
        }
    }

    /// A process is gone, and with it what it had in memory.
    pub(crate) fn died(&mut self, member: usize) {
        let seen = &mut self.members[member];
        seen.alive = false;
        seen.role = Role::Follower { leader: None };
    }

    /// A member's disk was replaced by an empty one: it is a stranger from now on, and must stay away.
    pub(crate) fn wiped(&mut self, member: usize) {
        self.members[member].stranger = true;
    }

    /// Some of what a member had synced is damaged. What is left of it counts for nothing until a leader has confirmed what is committed.
    pub(crate) fn damaged(&mut self, member: usize) {
        let seen = &mut self.members[member];
        if !seen.damaged {
            seen.lost = seen.log.clone();
            seen.lost.truncate(seen.synced as usize);
        }
        seen.damaged = true;
        seen.synced = 0;
        seen.promise = Promise::default();
    }

    /// A member that must abstain does, and once it no longer does, it holds what was committed when it started.
    pub(crate) fn check_abstention(&mut self, member: usize, abstains: bool) {
        let seen = &mut self.members[member];
        if abstains {
            return;
        }
        seen.damaged = false;
        seen.lost = Vec::new();
        if seen.synced < seen.owed {
            let what = format!(
                "member {} votes again with {} entries; {} were committed when it started",
                member + 1,
                seen.synced,
                seen.owed
            );
            self.violate(Invariant::StrangersAbstain, what);
        }
    }

    /// A process began, with what it found on its disk.
    pub(crate) fn started(&mut self, member: usize, found: &Found) {
        if self.members[member].stranger {
            let what = format!("member {} lost its disk and takes part again", member + 1);
            return self.violate(Invariant::StrangersAbstain, what);
        }
        if !self.members[member].damaged {
            self.check_promise_kept(member, found.promise);
        }
        self.check_log_kept(member, found);
        let seen = &mut self.members[member];
        if found.applied.index < seen.snapshot {
            let what =
                format!("the snapshot of member {} at {} was durable, now it has {}", member + 1, seen.snapshot, found.applied);
            return self.violate(Invariant::NothingGoesBack, what);
        }
        seen.alive = true;
        seen.life += 1;
        seen.term = found.promise.epoch;
        seen.role = Role::Follower { leader: None };
        seen.applied = found.applied.index;
        seen.snapshot = found.applied.index;
        seen.commit = found.applied.index;
        seen.synced = found.last;
        (seen.promise, seen.promise_synced) = (found.promise, found.promise);
        seen.pending.clear();
        seen.told_to_stand = 0;
        seen.lives.fill(0);
        seen.owed = self.committed.len() as u64;
        seen.asked.fill([(0, Position::ZERO); 2]);
        self.remember_votes(member, found.promise);
    }

    fn check_promise_kept(&mut self, member: usize, found: Promise) {
        let seen = &self.members[member];
        let synced = seen.promise_synced;
        let same = |promise: Promise| (promise.epoch, promise.vote) == (found.epoch, found.vote);
        let kept =
            found.epoch > synced.epoch || found.epoch == synced.epoch && (synced.vote.is_none() || found.vote == synced.vote);
        let made = same(synced) || seen.pending.iter().filter_map(|pending| pending.promise).any(same);
        // The commit index is a hint that a snapshot may raise, too.
        let kept = kept && (synced.committed..=self.committed.len() as u64).contains(&found.committed);
        if !kept || !made {
            let what = format!("member {} had synced {synced:?} and found {found:?}", member + 1);
            self.violate(Invariant::NothingGoesBack, what);
        }
    }

    /// A vote that was lost before it was synced was never told; one that survived counts as synced.
    fn remember_votes(&mut self, member: usize, found: Promise) {
        for term in std::mem::take(&mut self.members[member].open_votes) {
            let survived = found.epoch == term && found.vote.is_some() || found.epoch > term;
            match self.votes.get_mut(&(term, member)) {
                Some((_, synced)) if survived => *synced = true,
                Some((_, false)) => {
                    self.votes.remove(&(term, member));
                }
                _ => {}
            }
        }
    }

    fn check_log_kept(&mut self, member: usize, found: &Found) {
        let Found { base, terms, last, .. } = found;
        let committed = |index: u64| self.committed.get(index as usize - 1).copied();
        if base.index > 0 && committed(base.index).is_none_or(|fact| fact.term != base.epoch) {
            let what = format!("the log of member {} begins after {base}, which is not committed", member + 1);
            return self.violate(Invariant::SnapshotsAreWhole, what);
        }
        let mut log: Vec<Fact> = self.committed[..base.index as usize].to_vec();
        let mut runs = terms.iter().peekable();
        let mut term = 0;
        for index in base.index + 1..=*last {
            while let Some(&&(first, run)) = runs.peek()
                && first <= index
            {
                term = run;
                runs.next();
            }
            let known = self.prefixes.get(index as usize - 1).and_then(|at| at.iter().find(|(known, _)| *known == term));
            let Some(&(_, prefix)) = known else {
                let what = format!("member {} found ({term}, {index}) in its log, which nobody ever wrote", member + 1);
                return self.violate(Invariant::LogMatching, what);
            };
            // The operation is not read again: who wrote the same prefix knows it.
            let op = self.op_at(index, term, prefix);
            log.push(Fact { term, prefix, op });
        }
        let seen = &self.members[member];
        let synced = seen.synced as usize;
        if log.len() < synced || synced > 0 && log[synced - 1] != seen.log[synced - 1] {
            let what = format!("member {} had synced its log up to {synced}, and found one up to {last}", member + 1);
            return self.violate(Invariant::SyncedBeforeSaid, what);
        }
        self.members[member].log = log;
    }

    fn op_at(&self, index: u64, term: u64, prefix: u64) -> u64 {
        let at = index as usize - 1;
        let same = |fact: &&Fact| fact.term == term && fact.prefix == prefix;
        let committed = self.committed.get(at).filter(same);
        committed.or_else(|| self.members.iter().find_map(|seen| seen.log.get(at).filter(same))).map_or(0, |fact| fact.op)
    }
}
