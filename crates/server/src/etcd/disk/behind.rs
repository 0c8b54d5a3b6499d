//! Writing behind: when what the machine changed goes to the data file, and what may happen once it is there.
//!
//! ```text
//!   machine ── waits long, or is much ──▶ Flush ──▶ data thread ──▶ Flushed ──▶ memory may go
//!                                                                       └──▶ Durable, now and then: the log may be cut
//! ```
//!
//! One flush is on its way at a time; what changes meanwhile gathers for the next. A flush is never in a hurry: until it is durable
//! everything in it is in the log. But memory has a bound. When more waits than [`REFUSING_BYTES`], because the disk does not keep
//! up, clients' writes are refused; when it is more than [`DEAF_BYTES`], because others lead and go on, this member hears nothing
//! from its peers until there is room again.

use super::super::engine::{Machine, Replica};
use super::Flushing;
use consensus::{Instant, Position, Snapshot, StateMachine};
use std::time::Duration;
use storage::{Disk, DurableData};

/// So long the first change waits, at most.
const PATIENCE: Duration = Duration::from_secs(2);
/// As soon as so much waits, it is flushed.
const FLUSH_BYTES: usize = 8 << 20;
/// The log may be cut each time that so much was flushed, if not earlier.
const CUT_BYTES: usize = 64 << 20;
/// With so much not yet durable, clients' writes are refused.
const REFUSING_BYTES: usize = 256 << 20;
/// With so much, peers are not heard.
const DEAF_BYTES: usize = 2 * REFUSING_BYTES;

/// What is known about the data file, beside the replica.
pub(crate) struct Behind {
    /// The replica is to be told of a durable state after so many entries.
    cut_entries: u64,
    /// What the last flush stands for, while it is on its way.
    flushing: Option<Snapshot>,
    /// What the last flush held.
    flushed: Position,
    /// When the change that has waited longest came.
    since: Option<Instant>,
    /// What the replica was last told.
    told: u64,
    /// Bytes flushed since then.
    bytes: usize,
    /// What is durable.
    newest: Option<DurableData>,
    /// A peer's snapshot is about to take the place of everything here. What comes from the old file means nothing any more.
    installing: bool,
    stale: bool,
}

impl Behind {
    /// For a machine that holds what the file holds, up to `applied`.
    pub(crate) fn new(applied: Position, cut_entries: u64) -> Behind {
        Behind {
            cut_entries,
            flushing: None,
            flushed: applied,
            since: None,
            told: applied.index,
            bytes: 0,
            newest: None,
            installing: false,
            stale: false,
        }
    }

    /// What is to be written now, if anything.
    pub(crate) fn next<D: Disk>(&mut self, now: Instant, replica: &mut Replica<D>, hurry: bool) -> Option<Flushing<D>> {
        let machine = replica.machine();
        if self.flushing.is_some() || self.installing || self.is_settled(machine) {
            return None;
        }
        let since = *self.since.get_or_insert(now);
        let waiting = machine.values().waiting_bytes();
        let many = machine.applied().index - self.flushed.index >= self.cut_entries;
        if !hurry && !many && waiting < FLUSH_BYTES && now < since + PATIENCE {
            return None;
        }
        self.since = None;
        self.bytes += waiting;
        self.flushing = Some(replica.standing());
        let machine = replica.machine_mut();
        let flush = machine.flush();
        self.flushed = flush.applied;
        Some(Flushing { file: machine.values().file().clone(), flush })
    }

    /// When [`Behind::next`] has something, if nothing else happens.
    pub(crate) fn deadline(&self) -> Instant {
        match (self.since, &self.flushing) {
            (Some(since), None) if !self.installing => since + PATIENCE,
            _ => Instant::NEVER,
        }
    }

    /// A flush is durable. What the replica is to be told of, if anything.
    pub(crate) fn on_flushed<D: Disk>(&mut self, durable: DurableData, machine: &mut Machine<D>) -> Option<Snapshot> {
        if std::mem::take(&mut self.stale) {
            return None;
        }
        machine.flushed();
        let standing = self.flushing.take().expect("a flush was on its way");
        assert_eq!(standing.position, durable.position(), "what was flushed is durable");
        self.newest = Some(durable);
        let entries = durable.position().index - self.told;
        if self.installing || (entries < self.cut_entries && self.bytes < CUT_BYTES) {
            return None;
        }
        (self.told, self.bytes) = (durable.position().index, 0);
        Some(standing)
    }

    /// Proof for the log that it may be cut.
    pub(crate) fn newest(&self) -> Option<DurableData> {
        self.newest
    }

    /// A peer's snapshot is about to come into force.
    pub(crate) fn on_install(&mut self) {
        self.installing = true;
    }

    /// It is in force.
    pub(crate) fn on_installed(&mut self, applied: Position) {
        let stale = self.stale || self.flushing.is_some();
        *self = Behind { stale, ..Behind::new(applied, self.cut_entries) };
    }

    /// Whether everything that the machine holds is durable.
    pub(crate) fn is_settled<D: Disk>(&self, machine: &Machine<D>) -> bool {
        self.flushing.is_none() && machine.applied() == self.flushed && machine.values().waiting_bytes() == 0
    }
}

/// Whether clients' writes are to be refused, because the disk does not keep up.
pub(crate) fn is_refusing<D: Disk>(machine: &Machine<D>) -> bool {
    machine.values().unwritten_bytes() > REFUSING_BYTES
}

/// Whether peers are not to be heard, because the disk does not keep up.
pub(crate) fn is_deaf<D: Disk>(machine: &Machine<D>) -> bool {
    machine.values().unwritten_bytes() > DEAF_BYTES
}
