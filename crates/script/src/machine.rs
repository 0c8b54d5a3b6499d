//! A state machine that remembers what it was given.

use bytes::Bytes;
use consensus::{Entry, Position};

/// Counts the entries applied and keeps the newest command, which is what a read returns.
#[derive(Clone, Default)]
pub(crate) struct Machine {
    /// The last entry applied.
    pub(crate) applied: Position,
    /// How many entries were applied, from the log's beginning.
    pub(crate) count: usize,
    /// The newest command that said something.
    pub(crate) newest: Option<Bytes>,
}

impl Machine {
    /// Applies one entry.
    pub(crate) fn apply(&mut self, entry: &Entry) {
        self.applied = entry.position;
        self.count += 1;
        let reads = entry.data.starts_with(b"read ");
        if !entry.data.is_empty() && !reads {
            self.newest = Some(entry.data.clone());
        }
    }
}
