//! 4 and 5: logs that agree at one place agree before it; a leader only appends.

use crate::ghost::{Fact, Ghost, Pending, prefix};
use crate::invariant::Invariant;
use consensus::{Append, Entry, Persist, Position};

impl Ghost {
    pub(crate) fn on_persist(&mut self, member: usize, persist: &Persist) {
        if let Some(promise) = persist.promise {
            self.on_promise(member, promise);
        }
        let upto = persist.append.as_ref().map_or(0, |append| self.on_append(member, append));
        self.members[member].pending.push_back(Pending { ticket: persist.ticket, promise: persist.promise, upto });
    }

    /// The end of the log after the append.
    fn on_append(&mut self, member: usize, append: &Append) -> u64 {
        let Append { after, entries } = append;
        let seen = &mut self.members[member];
        let end = seen.log.len() as u64;
        let (leads, commit) = (seen.leads(), seen.commit);
        let fits = after.index <= end
            && (after.index == 0 || seen.log[after.index as usize - 1].term == after.epoch)
            && entries.iter().zip(after.index + 1..).all(|(entry, index)| entry.position.index == index);
        if !fits {
            self.violate(
                Invariant::LogMatching,
                format!("member {} put entries after {after}, which it does not hold", member + 1),
            );
            return end;
        }
        if after.index < end {
            if leads {
                let what = format!("leader {} cut its log of {end} entries after {}", member + 1, after.index);
                self.violate(Invariant::LeaderAppendOnly, what);
            }
            if after.index < commit {
                let what = format!("member {} cut its log after {}, but knows {commit} to be committed", member + 1, after.index);
                self.violate(Invariant::StateMachineSafety, what);
            }
            self.members[member].truncate(after.index);
        }
        let mut before = self.members[member].log.last().map_or(0, |fact| fact.prefix);
        for entry in entries {
            let fact = Fact { term: entry.position.epoch, prefix: prefix(before, entry), op: crate::codec::op_of(entry) };
            before = fact.prefix;
            self.remember_prefix(member, entry.position, fact.prefix);
            self.members[member].log.push(fact);
        }
        self.members[member].log.len() as u64
    }

    /// Two prefixes that end with the same index and term are the same prefix.
    fn remember_prefix(&mut self, member: usize, position: Position, hash: u64) {
        let at = position.index as usize - 1;
        if self.prefixes.len() <= at {
            self.prefixes.resize_with(at + 1, Vec::new);
        }
        match self.prefixes[at].iter().find(|(term, _)| *term == position.epoch) {
            Some(&(_, known)) if known != hash => {
                let what = format!("the log of member {} up to {position} is not what another's was up to there", member + 1);
                self.violate(Invariant::LogMatching, what);
            }
            Some(_) => {}
            None => self.prefixes[at].push((position.epoch, hash)),
        }
    }

    /// What the leader sends is what its log holds.
    pub(crate) fn check_append_sent(&mut self, member: usize, term: u64, previous: Position, entries: &[Entry]) {
        self.check_speaks_as_leader(member, term);
        let log = &self.members[member].log;
        let holds = |position: Position| {
            position.index == 0 || log.get(position.index as usize - 1).is_some_and(|fact| fact.term == position.epoch)
        };
        let last = entries.last().map_or(previous, |entry| entry.position);
        if !holds(previous) || !holds(last) || last.index != previous.index + entries.len() as u64 {
            let what = format!("leader {} sent {previous}..{last}, which is not in its log", member + 1);
            self.violate(Invariant::LogMatching, what);
        }
    }

    /// Entries that a member read back from its disk are those that it put there.
    pub(crate) fn check_fetched(&mut self, member: usize, entries: &[Entry]) {
        let Some(first) = entries.first() else { return };
        let log = &self.members[member].log;
        let mut before = match first.position.index {
            0 => return self.violate(Invariant::LogMatching, format!("member {} read an entry 0", member + 1)),
            1 => 0,
            index => log.get(index as usize - 2).map_or(0, |fact| fact.prefix),
        };
        for entry in entries {
            before = prefix(before, entry);
            // What was read may have been truncated in the meantime; but then its term differs.
            let at = self.prefixes.get(entry.position.index as usize - 1);
            let known = at.and_then(|at| at.iter().find(|(term, _)| *term == entry.position.epoch));
            if known.is_none_or(|&(_, hash)| hash != before) {
                let own = self.members[member].log.get(entry.position.index as usize - 1);
                if own.is_none_or(|fact| fact.term == entry.position.epoch) {
                    let what =
                        format!("member {} read {} from its log, and it is not what was written", member + 1, entry.position);
                    return self.violate(Invariant::LogMatching, what);
                }
                return;
            }
        }
    }
}

impl crate::ghost::Seen {
    /// Its log ends at `index` from now on, and what was on its way to the disk behind that is void.
    pub(crate) fn truncate(&mut self, index: u64) {
        self.log.truncate(index as usize);
        self.synced = self.synced.min(index);
        for pending in &mut self.pending {
            pending.upto = pending.upto.min(index);
        }
    }
}
