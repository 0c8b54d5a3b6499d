//! Snapshots are taken piece by piece between other work, and arrive whole.

use crate::{Codec, Effect, Effects, Replica};
use alloc::vec::Vec;
use consensus::{Consensus, Entry, Input, Snapshot, StateMachine};

/// What was applied since the last snapshot began.
#[derive(Default)]
pub(crate) struct Since {
    entries: u64,
    bytes: u64,
}

impl Since {
    pub(crate) fn add(&mut self, entry: &Entry) {
        self.entries += 1;
        self.bytes += entry.data.len() as u64;
    }
}

/// A snapshot in progress.
pub(crate) struct Taking<Cursor> {
    snapshot: Snapshot,
    /// `None` once all pieces were given.
    cursor: Option<Cursor>,
}

impl<C: Consensus, M: StateMachine, K: Codec<Machine = M>> Replica<C, M, K> {
    /// Begins a snapshot if enough has happened since the last one.
    pub(crate) fn consider_snapshot(&mut self, effects: &mut Effects<C, M>) {
        let Since { entries, bytes } = self.since_snapshot;
        let due = entries >= self.options.snapshot_entries || bytes >= self.options.snapshot_bytes;
        if !due || self.taking.is_some() {
            return;
        }
        self.since_snapshot = Since::default();
        let snapshot = self.standing();
        let cursor = Some(self.machine.begin_snapshot());
        self.taking = Some(Taking { snapshot, cursor });
        self.continue_snapshot(effects);
    }

    /// Makes the next piece. One piece is on its way to the disk at a time, so a slow disk slows the snapshot and nothing else.
    pub(crate) fn continue_snapshot(&mut self, effects: &mut Effects<C, M>) {
        let Some(taking) = &mut self.taking else { return };
        let Some(mut cursor) = taking.cursor.take() else { return };
        let snapshot = taking.snapshot.clone();
        match self.machine.snapshot_chunk(&mut cursor, self.options.snapshot_chunk_bytes) {
            Some(chunk) => {
                taking.cursor = Some(cursor);
                effects.push(Effect::WriteSnapshot { snapshot, chunk });
            }
            None => {
                self.machine.end_snapshot(cursor);
                effects.push(Effect::FinishSnapshot(snapshot));
            }
        }
    }

    /// The log before the snapshot may go, but for what followers that lag a little still need.
    pub(crate) fn on_snapshot_saved(&mut self, snapshot: Snapshot, effects: &mut Effects<C, M>) {
        if self.taking.as_ref().is_none_or(|taking| taking.snapshot != snapshot) {
            return;
        }
        self.taking = None;
        self.cut_log(snapshot, effects);
    }

    /// The machine is durable up to `snapshot`. What the protocol holds back goes with a later cut.
    pub(crate) fn cut_log(&mut self, snapshot: Snapshot, effects: &mut Effects<C, M>) {
        let cut = snapshot.position.index.saturating_sub(self.options.entries_kept).min(self.consensus.log_held_after());
        self.step(Input::SnapshotTaken { snapshot, cut });
        effects.push(Effect::CutLog { upto: cut });
    }

    /// The leader's snapshot takes the place of everything here, also of a snapshot in progress.
    pub(crate) fn on_install(&mut self, snapshot: Snapshot, entries: Vec<Entry>, effects: &mut Effects<C, M>) {
        if let Some(cursor) = self.taking.take().and_then(|taking| taking.cursor) {
            self.machine.end_snapshot(cursor);
        }
        effects.push(Effect::InstallSnapshot { snapshot, entries });
    }

    pub(crate) fn on_installed(&mut self, snapshot: Snapshot, machine: M, effects: &mut Effects<C, M>) {
        assert_eq!(machine.applied(), snapshot.position, "a snapshot holds something else than it says");
        self.machine = machine;
        self.configuration = snapshot.configuration.clone();
        self.since_snapshot = Since::default();
        // What earlier leaders were given is in it or will never be; which of the two, nobody here will see.
        self.refuse_before(snapshot.position.epoch, effects);
        self.step(Input::Installed { snapshot });
    }
}
