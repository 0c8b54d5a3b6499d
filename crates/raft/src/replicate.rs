//! The leader's side of replication (Raft §5.3).

use crate::progress::Verdict;
use crate::{Body, Decision, Pace, Raft};
use alloc::vec::Vec;
use bytes::Bytes;
use consensus::{Append, DropReason, Dropped, Entry, EntryKind, NodeId, Position, Reader};

impl Raft {
    /// Clients' commands, encoded. They become one change of the log, and one append to each follower that can take it.
    pub(crate) fn on_propose(&mut self, commands: Vec<Bytes>) {
        let refusal = match self.role.leading() {
            None if self.leader().is_none() => Some(DropReason::NoLeader),
            None => Some(DropReason::NotLeader),
            Some(leading) if leading.transfer.is_some() => Some(DropReason::Transferring),
            Some(leading) if leading.uncommitted.bytes() >= self.config.uncommitted_bytes_max => Some(DropReason::Busy),
            Some(_) => None,
        };
        match refusal {
            Some(reason) => self.decline(Dropped::Proposal, reason),
            None if commands.is_empty() => {}
            None => self.append_own(commands),
        }
    }

    /// Appends entries of this leader's term, and sends them before they are synced here: its own disk is only one of the quorum's
    /// (thesis §10.2.1).
    pub(crate) fn append_own(&mut self, commands: Vec<Bytes>) {
        let after = self.history.last();
        let bytes: usize = commands.iter().map(Bytes::len).sum();
        let entry = |(offset, data)| {
            let index = after.index + 1 + offset as u64;
            Entry { position: Position::new(self.term, index), kind: EntryKind::Command, data }
        };
        let entries: Vec<Entry> = commands.into_iter().enumerate().map(entry).collect();
        self.extend_log(after, entries);
        let last = self.history.last().index;
        if let Some(leading) = self.role.leading_mut() {
            leading.uncommitted.on_proposed(last, bytes);
        }
        for peer in self.followers() {
            self.replicate(peer, false);
        }
        self.advance_commit();
    }

    /// Changes the log in memory, and has it made durable.
    pub(crate) fn extend_log(&mut self, after: Position, entries: Vec<Entry>) {
        let cut = after.index < self.history.last().index;
        if cut {
            assert!(after.index >= self.committed, "committed entries are never cut: {after} is before {}", self.committed);
            self.history.truncate(after.index);
            self.cache.truncate(after.index);
        }
        for entry in &entries {
            self.history.push(entry.position);
            self.cache.push(entry.clone());
        }
        self.disk.on_append(Append { after, entries }, cut);
    }

    /// A heartbeat is due.
    pub(crate) fn on_heartbeat_due(&mut self) {
        let next = self.now + self.config.heartbeat_interval;
        if let Some(leading) = self.role.leading_mut() {
            leading.heartbeat_at = next;
        }
        self.send_heartbeats();
    }

    /// Says to all that it leads. Carries the open read round's context, if there is one.
    pub(crate) fn send_heartbeats(&mut self) {
        let open = self.role.leading().and_then(|leading| leading.rounds.context().cloned());
        let context = match open {
            Some(context) => context,
            None if self.config.lease_reads => self.unique_context(),
            None => Bytes::new(),
        };
        let (now, keep, leased) = (self.now, self.config.election_timeout, self.config.lease_reads);
        if let Some(leading) = self.role.leading_mut().filter(|_| leased) {
            leading.rounds.on_beat(&context, now, keep);
        }
        for peer in self.followers() {
            let Some(progress) = self.role.leading_mut().and_then(|leading| leading.progress.get_mut(&peer)) else { continue };
            // Never more than is known to match: what follows may be another leader's (§5.3).
            let commit = self.committed.min(progress.matched());
            progress.on_commit_sent(commit);
            self.send(peer, Body::Heartbeat { commit, context: context.clone() });
        }
    }

    /// A follower answered a heartbeat.
    pub(crate) fn on_heartbeat_ack(&mut self, from: NodeId, context: &Bytes) {
        let last = self.history.last().index;
        let now = self.now;
        let Some(leading) = self.role.leading_mut() else { return };
        let Some(progress) = leading.progress.get_mut(&from) else { return };
        progress.on_heard(now);
        progress.resume();
        if !context.is_empty()
            && let Some(sent) = leading.rounds.beat_sent(context)
        {
            progress.on_beat_answered(sent);
        }
        // It lacks something that may have been lost on the way: send it, or, with a full window, ask where it stands.
        if progress.matched() < last || matches!(progress.pace(), Pace::Probe { .. }) {
            self.replicate(from, true);
        }
        if !context.is_empty() {
            self.on_context_echoed(from, context);
        }
    }

    /// A follower holds everything up to `upto`.
    pub(crate) fn on_appended(&mut self, from: NodeId, upto: u64) {
        let (last, base, now) = (self.history.last().index, self.history.base().index, self.now);
        let Some(leading) = self.role.leading_mut() else { return };
        let Some(progress) = leading.progress.get_mut(&from) else { return };
        if upto > last {
            self.explain(Decision::Nonsense { from, what: "it holds more than was ever sent" });
            return;
        }
        progress.on_heard(now);
        progress.on_appended(upto, base);
        self.advance_commit();
        let committed = self.committed;
        let learns = self.follower(from).is_some_and(|progress| progress.can_learn_commit(committed));
        self.replicate(from, learns);
        self.advance_transfer();
    }

    /// A follower's log does not match at `previous`; `hint` is the end of what may match.
    pub(crate) fn on_refused(&mut self, from: NodeId, previous: u64, hint: Position) {
        let now = self.now;
        // Of our own log, what has at most the hint's term: everything after it has a term that the follower's log cannot have
        // there. So a probe skips a whole term on each side (end of §5.3). A hint without a term says only where that log ends.
        let conflict = if hint.epoch > 0 { self.history.agree_by_term(hint.index, hint.epoch).index } else { hint.index };
        let conflict = conflict.min(self.history.last().index);
        let tells = self.incarnations.get(&from).is_some_and(|&known| known != 0);
        let Some(progress) = self.follower(from) else { return };
        let matched = progress.matched();
        progress.on_heard(now);
        match progress.on_refused(previous, conflict, tells) {
            Verdict::Stale => return,
            Verdict::Doubted => {}
            Verdict::Lost => self.explain(Decision::FollowerLostEntries { follower: from, matched }),
            Verdict::Retry => {}
        }
        self.replicate(from, true);
    }

    /// A link to a follower stands (again).
    pub(crate) fn on_follower_connected(&mut self, peer: NodeId, incarnation: u64) {
        // A peer that does not say leaves what was known. One whose process was not known yet may have been another before.
        let other_process = incarnation != 0 && self.incarnations.insert(peer, incarnation) != Some(incarnation);
        let last = self.history.last().index;
        let Some(progress) = self.follower(peer) else { return };
        if other_process {
            progress.forget(last);
        }
        progress.resume();
        self.replicate(peer, true);
    }

    /// The link to a follower is gone.
    pub(crate) fn on_follower_disconnected(&mut self, peer: NodeId) {
        if let Some(progress) = self.follower(peer) {
            progress.on_disconnected();
        }
    }

    /// Sends a follower what it lacks, as far as its window allows; an empty append if there is nothing and one is wanted.
    pub(crate) fn replicate(&mut self, to: NodeId, mut even_if_empty: bool) {
        loop {
            let last = self.history.last().index;
            let (messages_max, bytes_max) = (self.config.inflight_messages_max, self.config.inflight_bytes_max);
            let Some(progress) = self.follower(to) else { return };
            if progress.is_paused() {
                return;
            }
            let next = progress.next();
            let full = progress.is_full(messages_max, bytes_max);
            if self.history.term_at(next - 1).is_none() {
                self.send_snapshot(to);
                return;
            }
            let mut entries = Vec::new();
            if next <= last && !full {
                match self.cache.run(next, last, self.config.message_bytes_max) {
                    Some(run) => entries = run,
                    None => {
                        let upto = last.min(self.cache.first() - 1);
                        self.fetch(Reader::Peer(to), next, upto, self.config.message_bytes_max);
                        return;
                    }
                }
            }
            if entries.is_empty() && !even_if_empty {
                return;
            }
            even_if_empty = false;
            self.send_append(to, entries);
        }
    }

    /// Entries that a follower lacks were read from the log.
    pub(crate) fn on_fetched_for_peer(&mut self, peer: NodeId, entries: Vec<Entry>) {
        let fits = self.follower(peer).is_some_and(|progress| {
            !progress.is_paused() && entries.first().is_some_and(|first| first.position.index == progress.next())
        });
        if fits {
            self.send_append(peer, entries);
            self.replicate(peer, false);
        }
    }

    fn send_append(&mut self, to: NodeId, entries: Vec<Entry>) {
        let commit = self.committed;
        let Some(next) = self.follower(to).map(|progress| progress.next()) else { return };
        // What precedes entries that were fetched may have been cut off since: then nothing is on its way to it.
        let Some(previous) = self.history.position(next - 1) else { return };
        let Some(progress) = self.follower(to) else { return };
        progress.on_sent(entries.len() as u64, entries.iter().map(|entry| entry.data.len()).sum(), commit);
        self.send(to, Body::Append { previous, entries, commit });
    }

    /// What this leader knows of a member.
    pub(crate) fn follower(&mut self, id: NodeId) -> Option<&mut crate::Progress> {
        self.role.leading_mut()?.progress.get_mut(&id)
    }

    /// All whom this leader sends entries, in order of id.
    pub(crate) fn followers(&self) -> Vec<NodeId> {
        self.role.leading().map(|leading| leading.progress.keys().copied().collect()).unwrap_or_default()
    }
}
