//! 2, 3, 7, 8 and 22: what was synced is there after a restart, and nothing that depends on a sync is said before it.

use crate::ghost::Ghost;
use crate::invariant::Invariant;
use crate::subject::Subject;
use consensus::{Configuration, Position, Promise, Role, Ticket};

/// What a member found on its disk when it started.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) promise: Promise,
    pub(crate) base: Position,
    /// (the first of a run of entries, its length), in order, after the base.
    pub(crate) runs: Vec<(Position, u64)>,
    pub(crate) last: Position,
    /// What its newest snapshot holds.
    pub(crate) applied: Position,
    /// The configuration in force there, if the snapshot says so.
    pub(crate) configuration: Option<Configuration>,
}

impl<P: Subject> Ghost<P> {
    /// A member promised something, which is on its way to the disk.
    pub(crate) fn on_promise(&mut self, member: usize, promise: Promise) {
        let before = std::mem::replace(&mut self.members[member].promise, promise);
        if promise.epoch < before.epoch || promise.current < before.current || promise.committed < before.committed {
            let what = format!("member {} promised {promise:?} after {before:?}", member + 1);
            self.violate(Invariant::NothingGoesBack, what);
        }
        P::promised(self, member, before, promise);
    }

    /// The disk confirmed everything up to this ticket.
    pub(crate) fn synced(&mut self, member: usize, ticket: Ticket) {
        while self.members[member].pending.front().is_some_and(|pending| pending.ticket <= ticket) {
            let seen = &mut self.members[member];
            let pending = seen.pending.pop_front().expect("looked at a moment ago");
            seen.synced = seen.synced.max(pending.upto);
            if let Some(promise) = pending.promise {
                seen.promise_synced = promise;
                P::promise_synced(self, member, promise);
            }
        }
    }

    /// "I have everything up to here" leaves only once it is on the disk, and with it the term in which it is said.
    pub(crate) fn check_append_synced(&mut self, member: usize, term: u64, upto: u64) {
        let seen = &self.members[member];
        if seen.synced < upto || seen.promise_synced.epoch < term {
            let what = format!(
                "member {} acknowledged the first {upto} entries in term {term}; on its disk are {} and term {}",
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

    /// A member's disk was replaced by an empty one, and the member may take part again once a leader has filled it.
    pub(crate) fn emptied(&mut self, member: usize) {
        self.damaged(member);
        let seen = &mut self.members[member];
        seen.snapshot = 0;
        seen.promise_synced = Promise::default();
        seen.pending.clear();
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
            self.check_promise_kept(member, found);
        }
        self.check_log_kept(member, found);
        let applied = self.histories.place(found.applied).unwrap_or(0);
        let owed = self.committed.len() as u64;
        let seen = &mut self.members[member];
        if applied < seen.snapshot {
            let what =
                format!("member {} had a newer snapshot durable than the one of {} that it has now", member + 1, found.applied);
            return self.violate(Invariant::NothingGoesBack, what);
        }
        let synced = seen.log.len() as u64;
        seen.alive = true;
        seen.life += 1;
        seen.term = found.promise.epoch;
        seen.role = Role::Follower { leader: None };
        (seen.applied, seen.snapshot, seen.commit) = (applied, applied, applied);
        seen.synced = synced;
        (seen.promise, seen.promise_synced) = (found.promise, found.promise);
        seen.pending.clear();
        seen.owed = owed;
        P::started(self, member, found);
    }

    fn check_promise_kept(&mut self, member: usize, Found { promise: found, last, .. }: &Found) {
        let seen = &self.members[member];
        let synced = seen.promise_synced;
        let same = |promise: Promise| (promise.epoch, promise.current, promise.vote) == (found.epoch, found.current, found.vote);
        let kept =
            found.epoch > synced.epoch || found.epoch == synced.epoch && (synced.vote.is_none() || found.vote == synced.vote);
        let made = same(synced)
            || P::may_find(synced, *found, *last)
            || seen.pending.iter().filter_map(|pending| pending.promise).any(same);
        // The commit index is a hint that a snapshot may raise, too.
        let kept = kept && found.current >= synced.current;
        let kept = kept && (synced.committed..=self.committed.len() as u64).contains(&found.committed);
        if !kept || !made {
            let what = format!("member {} had synced {synced:?} and found {found:?}", member + 1);
            self.violate(Invariant::NothingGoesBack, what);
        }
    }

    fn check_log_kept(&mut self, member: usize, found: &Found) {
        let Found { base, runs, last, .. } = found;
        let chain = self.histories.chain(*base).filter(|chain| {
            let at = chain.len().checked_sub(1);
            !P::SNAPSHOTS_ARE_COMMITTED || at.is_none_or(|at| self.committed.get(at) == chain.get(at))
        });
        let Some(mut log) = chain else {
            let what = format!("the log of member {} begins after {base}, which is not committed", member + 1);
            return self.violate(Invariant::SnapshotsAreWhole, what);
        };
        for &(first, length) in runs {
            for position in (0..length).map(|after| Position::new(first.epoch, first.index + after)) {
                let known = self.histories.fact(position);
                let here = self.histories.place(position) == Some(log.len() as u64 + 1);
                let Some(fact) = known.filter(|_| here) else {
                    let what = format!("member {} found {position} in its log, which nobody ever wrote there", member + 1);
                    return self.violate(Invariant::LogMatching, what);
                };
                log.push(fact);
            }
        }
        let seen = &self.members[member];
        let synced = seen.synced as usize;
        if log.len() < synced || synced > 0 && log[synced - 1] != seen.log[synced - 1] {
            let what = format!("member {} had synced {synced} entries of its log, and found one up to {last}", member + 1);
            return self.violate(Invariant::SyncedBeforeSaid, what);
        }
        self.members[member].log = log;
    }
}
