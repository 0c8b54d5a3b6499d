//! Clients: what they asked for and have not been answered.

use consensus::{NodeId, Position, ReadId};
use std::collections::BTreeMap;

/// What is outstanding.
#[derive(Default)]
pub(crate) struct Clients {
    /// Writes by the member that was asked and the position that they got in the log.
    pub(crate) writes: BTreeMap<(NodeId, Position), String>,
    /// Reads by the member that was asked.
    pub(crate) reads: BTreeMap<(NodeId, ReadId), Pending>,
    /// Reads that went into the log like writes, by the text of their entry.
    pub(crate) log_reads: BTreeMap<String, Pending>,
    /// How many reads there were.
    pub(crate) count: u64,
}

/// A read that waits.
#[derive(Clone, Copy)]
pub(crate) struct Pending {
    /// How many entries were committed when it arrived.
    pub(crate) committed: usize,
}

impl Clients {
    /// The name of a new read.
    pub(crate) fn new_read(&mut self) -> ReadId {
        self.count += 1;
        ReadId(self.count)
    }

    /// `id`'s process is dead, and its clients' connections with it.
    pub(crate) fn lose(&mut self, id: NodeId) {
        self.writes.retain(|&(member, _), _| member != id);
        self.reads.retain(|&(member, _), _| member != id);
    }
}
