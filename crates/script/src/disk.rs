//! A member's disk: what is written, what is synced, and the gap between the two.

use crate::machine::Machine;
use consensus::{Configuration, Entry, Persist, Position, Promise, Snapshot};
use std::collections::VecDeque;

/// A disk that syncs at once, or only when the script says so.
#[derive(Default)]
pub(crate) struct Disk {
    /// What survives a loss of power.
    pub(crate) synced: Image,
    /// What the core believes to have written: `synced` and everything in `pending`.
    pub(crate) written: Image,
    /// Written, in order, but not synced.
    pub(crate) pending: VecDeque<Persist>,
    /// Whether `pending` waits for the command `sync`.
    pub(crate) manual: bool,
    /// The newest snapshot, always synced.
    pub(crate) snapshot: Option<SavedSnapshot>,
}

/// A snapshot and the bytes that it stands for; ours are the machine itself.
#[derive(Clone)]
pub(crate) struct SavedSnapshot {
    pub(crate) stands_for: Snapshot,
    pub(crate) machine: Machine,
}

impl SavedSnapshot {
    /// Of a state machine to which nothing was applied.
    pub(crate) fn of_nothing(configuration: Configuration) -> SavedSnapshot {
        SavedSnapshot { stands_for: Snapshot { position: Position::ZERO, configuration }, machine: Machine::default() }
    }
}

/// The state of promise and log.
#[derive(Clone, Default)]
pub struct Image {
    /// The last promise.
    pub(crate) promise: Promise,
    /// What the log begins after.
    pub(crate) base: Position,
    /// The log.
    pub(crate) entries: Vec<Entry>,
}

impl Disk {
    /// Takes a write, which `sync` makes durable.
    pub(crate) fn write(&mut self, persist: Persist) {
        self.written.change(&persist);
        self.pending.push_back(persist);
    }

    /// Syncs the `count` oldest writes and returns them.
    pub(crate) fn sync(&mut self, count: usize) -> Vec<Persist> {
        let synced: Vec<Persist> = self.pending.drain(..count.min(self.pending.len())).collect();
        for persist in &synced {
            self.synced.change(persist);
        }
        synced
    }

    /// Power is lost: whatever was not synced is gone.
    pub(crate) fn lose_power(&mut self) {
        self.pending.clear();
        self.written = self.synced.clone();
    }

    /// A snapshot is saved and the log up to and including index `cut` goes.
    pub(crate) fn save(&mut self, snapshot: SavedSnapshot, cut: u64) {
        self.snapshot = Some(snapshot);
        self.synced.cut_head(cut);
        self.written.cut_head(cut);
    }

    /// A peer's snapshot takes the place of the whole log.
    pub(crate) fn install(&mut self, snapshot: SavedSnapshot) {
        self.sync(usize::MAX);
        let base = snapshot.stands_for.position;
        self.snapshot = Some(snapshot);
        self.synced = Image { promise: self.written.promise, base, entries: Vec::new() };
        self.written = self.synced.clone();
    }
}

impl Image {
    /// The position of the last entry.
    pub(crate) fn last(&self) -> Position {
        self.entries.last().map_or(self.base, |entry| entry.position)
    }

    /// Whether the log holds this very position, or once held it. Before an epoch's first entry (Zab's NEWLEADER): whether that epoch's
    /// leader has shaped it.
    pub(crate) fn holds(&self, position: Position) -> bool {
        if position.index == 0 && position.epoch > 0 {
            return self.promise.current >= position.epoch;
        }
        position <= self.base || self.entries.iter().any(|entry| entry.position == position)
    }

    /// How many entries stand at or before `after`, in the order of the log.
    fn kept(&self, after: Position) -> usize {
        self.entries.iter().position(|entry| entry.position == after).map_or(0, |at| at + 1)
    }

    /// What a write with this append would cut off.
    pub(crate) fn cut_by(&self, after: Position) -> &[Entry] {
        &self.entries[self.kept(after)..]
    }

    fn change(&mut self, persist: &Persist) {
        if let Some(promise) = persist.promise {
            self.promise = promise;
        }
        if let Some(append) = &persist.append {
            assert!(append.after == self.base || self.holds(append.after), "a gap before {:?}", append.after);
            self.entries.truncate(self.kept(append.after));
            self.entries.extend(append.entries.iter().cloned());
        }
    }

    fn cut_head(&mut self, cut: u64) {
        if let Some(at) = self.entries.iter().position(|entry| entry.position.index == cut) {
            self.base = self.entries[at].position;
            self.entries.drain(..=at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use consensus::{Append, EntryKind, Ticket};

    fn entry(epoch: u64, index: u64) -> Entry {
        Entry { position: Position::new(epoch, index), kind: EntryKind::Command, data: Bytes::new() }
    }

    fn append(ticket: u64, after: Position, entries: Vec<Entry>) -> Persist {
        Persist { ticket: Ticket(ticket), promise: None, append: Some(Append { after, entries }) }
    }

    #[test]
    fn what_was_not_synced_is_lost_with_the_power() {
        let mut disk = Disk { manual: true, ..Disk::default() };
        disk.write(append(1, Position::ZERO, vec![entry(1, 1), entry(1, 2)]));
        assert_eq!(disk.sync(1).last().map(|persist| persist.ticket), Some(Ticket(1)));
        disk.write(append(2, Position::new(1, 1), vec![entry(2, 2)]));
        assert_eq!(disk.written.last(), Position::new(2, 2));
        disk.lose_power();
        assert_eq!(disk.written.last(), Position::new(1, 2));
        assert!(disk.sync(1).is_empty());
    }
}
