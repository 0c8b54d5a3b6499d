//! What a machine hands over to the disk: everything that changed since it last did, as one.
//!
//! ```text
//!   flush() ──▶ Flush ──▶ written behind the machine, in one transaction ──▶ flushed()
//! ```
//!
//! What was flushed stands for one moment of the machine: its applied position comes with it. So a data file that holds whole
//! flushes holds the machine of some position, and the log says what came after it. The next flush waits until the last one is
//! durable.

use crate::{Change, Keyspace, Revision, Unwritten, Values};
use alloc::vec::Vec;
use bytes::Bytes;
use consensus::Position;

/// What changed since the last flush.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Flush {
    /// The last entry whose effect it holds.
    pub applied: Position,
    /// Everything small, whole: the beginning of a snapshot.
    pub head: Bytes,
    /// Leases that were made or changed, as rows, or ended.
    pub leases: Vec<(i64, Option<Bytes>)>,
    /// Changes that were made and not swept up since, in order.
    pub changes: Vec<(Revision, Change)>,
    /// Changes of earlier flushes that were swept up, in order.
    pub removed: Vec<Revision>,
}

impl<V: Values> Keyspace<V> {
    /// What changed since this was last called. [`Keyspace::flushed`] is to follow before the next call.
    ///
    /// Of machines whose values write behind it, alone: what has no place to be kept has no account of what is new.
    pub fn flush(&mut self) -> Flush {
        let Unwritten { changes, removed } = self.values.take_unwritten();
        Flush { applied: self.applied, head: self.head().into(), leases: self.leases.take_touched(), changes, removed }
    }

    /// What was last flushed is durable.
    pub fn flushed(&mut self) {
        self.values.written();
    }
}
