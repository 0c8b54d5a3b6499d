//! When entries reach the state machine, and when clients may be served.
//!
//! Applied is what is known to be committed and is synced here, so that what the machine holds is never cut and a snapshot never
//! holds more than the log. After a restart nothing beyond the snapshot is: the tail of the log is history, not state, until the
//! leader of the next epoch has said what becomes of it (DESIGN 12). Java's servers replay all of it, and reload when they must cut.

use crate::role::Is;
use crate::{Zab, follow};
use alloc::vec::Vec;
use consensus::{Entry, Fetch, Output, Position, Reader, Snapshot};

/// An answer that brings nothing new with so much room has nothing to bring.
pub(crate) const READ_BYTES_LIMIT: usize = 1 << 30;

/// Old entries that are being read for the machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    /// The last of them at most.
    last: Position,
    /// So many bytes at most.
    budget: usize,
    /// A snapshot took the place of that log meanwhile.
    pub(crate) void: bool,
}

impl Zab {
    /// What the machine holds, or will hold before it hears of anything else.
    pub(crate) fn applied_or_applying(&self) -> Position {
        self.applying.map_or(self.applied, |applying| applying.max(self.applied))
    }

    /// Hands the next entries to the machine.
    pub(crate) fn advance_apply(&mut self) {
        let upto = self.committed.min(self.disk.synced());
        if self.applying.is_some() || self.applied >= upto || self.installing.is_some() || self.reading.is_some() {
            return;
        }
        if self.applied < self.history.before() {
            return self.read_for_machine(self.history.before().min(upto), self.config.apply_bytes_max);
        }
        let mut bytes = 0;
        let budget = self.config.apply_bytes_max;
        let entries = self.history.between(self.applied, upto).take_while(|entry| {
            let fits = bytes == 0 || bytes + entry.data.len() <= budget;
            bytes += entry.data.len().max(1);
            fits
        });
        let entries: Vec<Entry> = entries.cloned().collect();
        self.apply(entries, upto);
    }

    fn apply(&mut self, entries: Vec<Entry>, upto: Position) {
        match entries.last() {
            Some(last) => {
                self.applying = Some(last.position);
                self.out.push(Output::Apply { entries });
            }
            // A position that no transaction stands for: an epoch in which nothing was written.
            None => self.applied = upto,
        }
    }

    fn read_for_machine(&mut self, last: Position, budget: usize) {
        self.reading = Some(Reading { last, budget, void: false });
        let (first, last) = (self.applied.zxid(), last.zxid());
        self.out.push(Output::Fetch(Fetch { reader: Reader::Machine, first, last, budget }));
    }

    /// The disk's answer for the machine.
    pub(crate) fn on_fetched_for_machine(&mut self, mut entries: Vec<Entry>) {
        let Some(Reading { last, budget, void: false }) = self.reading.take() else { return };
        let applied = self.applied;
        let reaches_back = entries.first().is_some_and(|entry| entry.position <= applied);
        entries.retain(|entry| entry.position > applied && entry.position <= last);
        // What is applied already may have used the budget up: then what follows needs more.
        if entries.is_empty() && reaches_back && budget < READ_BYTES_LIMIT {
            return self.read_for_machine(last, budget.saturating_mul(16));
        }
        // This server's own log: to skip what it has lost would make this server differ from all others.
        let continues = entries
            .first()
            .map_or(reaches_back || last.index == 0, |entry| reaches_back || applied.precedes_zxid(entry.position));
        assert!(continues, "the log does not hold what follows {applied}");
        self.apply(entries, last);
    }

    pub(crate) fn on_applied(&mut self, position: Position) {
        // A machine that was replaced meanwhile has nothing to say.
        let Some(applying) = self.applying.filter(|&applying| position <= applying && position > self.applied) else { return };
        self.applied = position;
        if position == applying {
            self.applying = None;
        }
    }

    /// Whether clients may be served: in the broadcast phase, with everything applied that came before it.
    pub(crate) fn is_serving(&self) -> bool {
        match &self.is {
            Is::Looking(_) => false,
            Is::Leading(leading) => leading.is_established() && self.applied >= leading.initial,
            Is::Following(following) => following.stage == follow::Stage::Serving && self.applied >= following.serves_from,
        }
    }

    pub(crate) fn on_snapshot_taken(&mut self, snapshot: &Snapshot) {
        // A later one may have been installed meanwhile; an earlier one is not the newest any more.
        if snapshot.position <= self.applied {
            self.snapshot = self.snapshot.max(snapshot.position);
        }
    }

    /// Memory holds the newest entries only. What is not synced here cannot be read back, and a leader's observers get what is
    /// committed from memory.
    pub(crate) fn shrink_history(&mut self) {
        let leads = matches!(self.is, Is::Leading(ref leading) if leading.is_established());
        let upto = if leads { self.disk.synced().min(self.committed) } else { self.disk.synced() };
        self.history.shrink(self.config.history_bytes_max, upto);
    }
}
