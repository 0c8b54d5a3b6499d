//! The follower's side of replication (Raft §5.3).

use crate::mutant::Mutant;
use crate::{Body, Decision, Raft};
use alloc::vec::Vec;
use bytes::Bytes;
use consensus::{Entry, NodeId, Position, Ticket};

impl Raft {
    /// The leader of this term sends entries that follow `previous`.
    pub(crate) fn on_append(&mut self, leader: NodeId, previous: Position, entries: Vec<Entry>, commit: u64) {
        self.follow(leader);
        if self.installing.is_some() {
            // The log is about to be replaced. The leader sends again.
            return;
        }
        if let Err(what) = check_run(previous, &entries, self.term) {
            self.explain(Decision::Nonsense { from: leader, what });
            return;
        }
        if previous.index < self.committed {
            // Old news; but up to the commit index all logs are the same.
            self.answer_append(leader, self.committed);
            return;
        }
        if !self.history.holds(previous) {
            self.refuse_append(leader, previous);
            return;
        }
        let upto = previous.index + entries.len() as u64;
        let known = entries.iter().take_while(|entry| self.history.holds(entry.position)).count();
        // What is there already stays: this append may be an old one, and what follows it may be newer (§5.3).
        let known =
            if self.config.is_bent(Mutant::TruncateOnAnyAppend) && previous.index + 1 > self.committed { 0 } else { known };
        if let Some(first) = entries.get(known) {
            if first.position.index <= self.committed {
                let (entry, committed) = (first.position, self.committed);
                self.explain(Decision::ContradictsCommitted { from: leader, entry, committed });
                return;
            }
            let after = if known == 0 { previous } else { entries[known - 1].position };
            let rest = entries.into_iter().skip(known).collect();
            self.extend_log(after, rest);
        } else if self.config.is_bent(Mutant::TruncateOnAnyAppend) && upto < self.history.last().index {
            self.extend_log(Position::new(self.history.term_at(upto).unwrap_or(0), upto), Vec::new());
        }
        // Beyond `upto` our log may not be the leader's.
        self.commit_to(commit.min(upto));
        self.answer_append(leader, upto);
    }

    /// The leader of this term says that it leads.
    pub(crate) fn on_heartbeat(&mut self, leader: NodeId, commit: u64, context: Bytes) {
        self.follow(leader);
        if commit > self.history.last().index {
            self.explain(Decision::Nonsense { from: leader, what: "it counts on entries that are not here" });
        } else if self.installing.is_none() {
            self.commit_to(commit);
        }
        // Who forgot what it promised is counted by no leader.
        let context = if self.abstains() { Bytes::new() } else { context };
        self.send(leader, Body::HeartbeatAck { context });
    }

    /// A leader of a lower term: it is told ours. Otherwise a member that raised its term while it was cut off could neither win
    /// (the others are in lease) nor follow (it ignores the leader). This one disturbance frees it (etcd PR #5468).
    pub(crate) fn on_late_leader(&mut self, leader: NodeId, theirs: u64) {
        if self.config.frees_stuck_candidates() {
            self.explain(Decision::ToldOfTerm { leader, theirs, mine: self.term });
            self.send(leader, Body::Appended { upto: 0 });
        }
    }

    /// Says that the log holds everything up to `upto`, as soon as that is on disk.
    pub(crate) fn answer_append(&mut self, leader: NodeId, upto: u64) {
        // Who forgot what it promised confirms only what is committed without it.
        let upto = if self.abstains() { upto.min(self.committed) } else { upto };
        let until = if self.config.is_bent(Mutant::AppendAnsweredBeforeSync) { Ticket(0) } else { self.disk.synced_by(upto) };
        self.send_at(self.term, leader, Body::Appended { upto }, until.max(self.disk.promised_by()));
    }

    fn refuse_append(&mut self, leader: NodeId, previous: Position) {
        // The latest entry that may match: no later than `previous`, and of no higher term (end of §5.3).
        let hint = self.history.agree_by_term(previous.index.min(self.history.last().index), previous.epoch);
        self.explain(Decision::RefusedAppend { leader, previous, hint });
        self.send(leader, Body::Refused { previous: previous.index, hint });
    }
}

/// Whether entries are a run without gaps that may follow `previous` in the log of a leader of `term`.
pub(crate) fn check_run(previous: Position, entries: &[Entry], term: u64) -> Result<(), &'static str> {
    if (previous.index == 0) != (previous.epoch == 0) {
        return Err("an append after a position that cannot be");
    }
    let mut before = previous;
    for entry in entries {
        if before.index.checked_add(1) != Some(entry.position.index) {
            return Err("an append with gaps");
        }
        if entry.position.epoch < before.epoch || entry.position.epoch > term {
            return Err("an append whose terms cannot be");
        }
        before = entry.position;
    }
    if before.epoch > term || before.index == u64::MAX {
        return Err("an append from nowhere");
    }
    Ok(())
}
