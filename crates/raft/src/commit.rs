//! When entries are committed, and how they reach the state machine (Raft §5.3, §5.4.2).

use crate::Raft;
use crate::mutant::Mutant;
use alloc::vec::Vec;
use consensus::{Entry, Fetch, NodeId, Output, Position, Reader};

impl Raft {
    /// Counts what a quorum holds. This leader counts itself only with what is synced here.
    pub(crate) fn advance_commit(&mut self) {
        let id = self.id();
        let own =
            if self.config.is_bent(Mutant::AppendAnsweredBeforeSync) { self.history.last().index } else { self.disk.synced() };
        let Some(leading) = self.role.leading() else { return };
        let held = |member: NodeId| {
            if member == id { own } else { leading.progress.get(&member).map_or(0, |progress| progress.matched()) }
        };
        let Some(held) = self.configuration.reached(held) else { return };
        if held <= self.committed {
            return;
        }
        // Only an entry of the own term is committed by counting; those before it are then committed with it (§5.4.2, figure 8).
        if self.history.term_at(held) != Some(self.term) && !self.config.is_bent(Mutant::CommitOldTermByCounting) {
            return;
        }
        self.commit_to(held);
        for peer in self.followers() {
            let committed = self.committed;
            if self.follower(peer).is_some_and(|progress| progress.can_learn_commit(committed)) {
                self.replicate(peer, true);
            }
        }
    }

    /// Everything up to `index` is committed.
    pub(crate) fn commit_to(&mut self, index: u64) {
        if index <= self.committed {
            return;
        }
        assert!(index <= self.history.last().index, "committed {index}, which is not in the log");
        self.committed = index;
        if let Some(leading) = self.role.leading_mut() {
            leading.uncommitted.on_committed(index);
        }
    }

    /// Hands the state machine its next entries: committed, and synced here, so that it never holds what this member could forget.
    pub(crate) fn advance_apply(&mut self) {
        let upto = self.committed.min(self.disk.synced());
        if self.applying.is_some() || self.installing.is_some() || self.applied >= upto {
            return;
        }
        let first = self.applied + 1;
        match self.cache.run(first, upto, self.config.apply_bytes_max) {
            Some(entries) => self.apply(entries),
            None => self.fetch(Reader::Machine, first, upto.min(self.cache.first() - 1), self.config.apply_bytes_max),
        }
    }

    /// The state machine holds everything up to `position`.
    pub(crate) fn on_applied(&mut self, position: Position) {
        if position.index <= self.applied {
            // A snapshot was installed meanwhile.
            return;
        }
        assert!(self.applying.is_some_and(|upto| position.index <= upto), "applied {position}, which was not asked for");
        self.applied = position.index;
        self.applying = self.applying.filter(|&upto| upto > position.index);
        self.shrink_cache();
    }

    /// Entries were read from the log on disk.
    pub(crate) fn on_fetched(&mut self, reader: Reader, entries: Vec<Entry>) {
        let Some(fetch) = self.fetches.remove(&reader) else { return };
        // The log may have changed since: only what it still holds, from where it was asked for, counts.
        let fits = |(offset, entry): &(usize, Entry)| {
            entry.position.index == fetch.first + *offset as u64 && self.history.holds(entry.position)
        };
        let entries: Vec<Entry> = entries.into_iter().enumerate().take_while(fits).map(|(_, entry)| entry).collect();
        match reader {
            Reader::Machine => {
                let upto = self.committed.min(self.disk.synced());
                let wanted = self.applying.is_none() && self.installing.is_none() && fetch.first == self.applied + 1;
                let entries: Vec<Entry> = entries.into_iter().take_while(|entry| entry.position.index <= upto).collect();
                if wanted && !entries.is_empty() {
                    self.apply(entries);
                }
            }
            Reader::Peer(peer) => self.on_fetched_for_peer(peer, entries),
        }
    }

    /// Asks for old entries, unless this reader's last question is open.
    pub(crate) fn fetch(&mut self, reader: Reader, first: u64, last: u64, budget: usize) {
        if self.fetches.contains_key(&reader) {
            return;
        }
        let fetch = Fetch { reader, first, last, budget };
        self.fetches.insert(reader, fetch);
        self.out.push(Output::Fetch(fetch));
    }

    /// Drops old entries that take too much memory, if this member is sure to find them on disk and has no use for them.
    pub(crate) fn shrink_cache(&mut self) {
        self.cache.shrink(self.config.cache_bytes_max, self.applied.min(self.disk.synced()));
    }

    fn apply(&mut self, entries: Vec<Entry>) {
        self.applying = entries.last().map(|entry| entry.position.index);
        self.out.push(Output::Apply { entries });
    }
}
