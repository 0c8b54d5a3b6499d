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

use super::super::engine::Machine;
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
/// With so much not yet durable, nothing more is swept up: a compaction of millions of changes is quicker done in memory than on the
/// disk, and must not get clients' writes refused.
const FULL_BYTES: usize = 4 * FLUSH_BYTES;
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
    /// What is durable, and the proof if it became so here.
    durable: Position,
    newest: Option<DurableData>,
    /// A peer's snapshot is about to take the place of everything here.
    installing: bool,
    /// How many flushes of what was there before are still on their way: they mean nothing any more.
    stale: usize,
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
            durable: applied,
            newest: None,
            installing: false,
            stale: 0,
        }
    }

    /// Whether something is to be written now.
    pub(crate) fn is_due<D: Disk>(&mut self, now: Instant, machine: &Machine<D>, hurry: bool) -> bool {
        if self.flushing.is_some() || self.installing || self.is_settled(machine) {
            return false;
        }
        let since = *self.since.get_or_insert(now);
        let many = machine.applied().index - self.flushed.index >= self.cut_entries;
        hurry || many || machine.values().waiting_bytes() >= FLUSH_BYTES || now >= since + PATIENCE
    }

    /// What is to be written. `standing` says what the machine stands for.
    pub(crate) fn begin<D: Disk>(&mut self, standing: Snapshot, machine: &mut Machine<D>) -> Flushing<D> {
        assert!(self.flushing.is_none() && standing.position == machine.applied(), "one flush at a time, of this moment");
        self.since = None;
        self.bytes += machine.values().waiting_bytes();
        self.flushed = standing.position;
        self.flushing = Some(standing);
        let flush = machine.flush();
        Flushing { file: machine.values().file().clone(), flush }
    }

    /// When [`Behind::is_due`] will say so, if nothing else happens.
    pub(crate) fn deadline(&self) -> Instant {
        match (self.since, &self.flushing) {
            (Some(since), None) if !self.installing => since + PATIENCE,
            _ => Instant::NEVER,
        }
    }

    /// A flush is durable. What the replica is to be told of, if anything.
    pub(crate) fn on_flushed<D: Disk>(&mut self, durable: DurableData, machine: &mut Machine<D>) -> Option<Snapshot> {
        if self.stale > 0 {
            self.stale -= 1;
            return None;
        }
        machine.flushed();
        let standing = self.flushing.take().expect("a flush was on its way");
        assert_eq!(standing.position, durable.position(), "what was flushed is durable");
        (self.durable, self.newest) = (durable.position(), Some(durable));
        let entries = durable.position().index - self.told;
        if self.installing || (entries < self.cut_entries && self.bytes < CUT_BYTES) {
            return None;
        }
        (self.told, self.bytes) = (durable.position().index, 0);
        Some(standing)
    }

    /// The last entry whose effect is durable.
    pub(crate) fn durable(&self) -> Position {
        self.durable
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
        let stale = self.stale + usize::from(self.flushing.is_some());
        *self = Behind { stale, ..Behind::new(applied, self.cut_entries) };
    }

    /// Whether everything that the machine holds is durable.
    pub(crate) fn is_settled<D: Disk>(&self, machine: &Machine<D>) -> bool {
        self.flushing.is_none() && machine.applied() == self.flushed && machine.values().waiting_bytes() == 0
    }
}

/// Whether what can wait is to wait, because the disk does not keep up.
pub(crate) fn is_full<D: Disk>(machine: &Machine<D>) -> bool {
    machine.values().unwritten_bytes() > FULL_BYTES
}

/// Whether clients' writes are to be refused, because the disk does not keep up.
pub(crate) fn is_refusing<D: Disk>(machine: &Machine<D>) -> bool {
    machine.values().unwritten_bytes() > REFUSING_BYTES
}

/// Whether peers are not to be heard, because the disk does not keep up.
pub(crate) fn is_deaf<D: Disk>(machine: &Machine<D>) -> bool {
    machine.values().unwritten_bytes() > DEAF_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use consensus::{Configuration, NodeId, Promise};
    use keyspace::{Command, PutRequest};
    use storage::{DataOptions, Identity, LogOptions, OpenedKeyspace, RealDisk, open_keyspace};

    const NOW: Instant = Instant::ZERO;

    struct Member {
        machine: Machine<RealDisk>,
        behind: Behind,
        _folder: tempfile::TempDir,
    }

    impl Member {
        fn new(cut_entries: u64) -> Member {
            let folder = tempfile::tempdir().unwrap();
            let opened = open_keyspace(RealDisk::new(folder.path()), LogOptions::default(), DataOptions::default());
            let Ok(OpenedKeyspace::Blank(blank)) = opened else { panic!("a blank folder") };
            let identity = Identity::of(1, NodeId(2));
            let store = blank.create_keyspace(identity, Promise::default(), Vec::new(), DataOptions::default()).unwrap();
            Member { behind: Behind::new(Position::ZERO, cut_entries), machine: store.machine, _folder: folder }
        }

        fn put(&mut self, bytes: usize) {
            let put = PutRequest { key: Bytes::from_static(b"key"), value: vec![0; bytes].into(), ..PutRequest::default() };
            let next = Position::new(1, self.machine.applied().index + 1);
            self.machine.apply(next, Command::Put(put), &mut Vec::new()).unwrap();
        }

        fn is_due(&mut self, now: Instant) -> bool {
            self.behind.is_due(now, &self.machine, false)
        }

        fn begin(&mut self) -> Flushing<RealDisk> {
            let configuration = Configuration::of([NodeId(2)]);
            self.behind.begin(Snapshot { position: self.machine.applied(), configuration }, &mut self.machine)
        }

        /// The index of what the replica is told of.
        fn end(&mut self, Flushing { file, flush }: Flushing<RealDisk>) -> Option<u64> {
            let durable = file.write(&flush).unwrap();
            self.behind.on_flushed(durable, &mut self.machine).map(|standing| standing.position.index)
        }
    }

    #[test]
    fn a_little_waits_and_much_does_not() {
        let mut member = Member::new(1_000);
        assert!(!member.is_due(NOW) && member.behind.deadline() == Instant::NEVER, "nothing changed");
        member.put(1);
        assert!(!member.is_due(NOW));
        assert_eq!(member.behind.deadline(), NOW + PATIENCE);
        assert!(member.behind.is_due(NOW, &member.machine, true), "somebody waits for it");
        member.put(1);
        assert!(member.is_due(NOW + PATIENCE));
        let flushing = member.begin();
        member.end(flushing);
        assert!(member.behind.is_settled(&member.machine) && !member.is_due(NOW + 2 * PATIENCE));
        assert_eq!(member.behind.durable().index, 2);
        member.put(FLUSH_BYTES);
        assert!(member.is_due(NOW));
    }

    #[test]
    fn what_comes_during_a_flush_goes_with_the_next() {
        let mut member = Member::new(2);
        member.put(1);
        member.put(1);
        assert!(member.is_due(NOW), "so many entries");
        let flushing = member.begin();
        member.put(FLUSH_BYTES);
        assert!(!member.is_due(NOW + PATIENCE) && member.behind.deadline() == Instant::NEVER, "one at a time");
        assert!(member.machine.values().unwritten_bytes() > FLUSH_BYTES);
        assert_eq!(member.end(flushing), Some(2));
        assert_eq!(member.behind.newest().map(|durable| durable.position().index), Some(2));
        assert!(!member.behind.is_settled(&member.machine) && member.is_due(NOW));
        let flushing = member.begin();
        assert_eq!(member.end(flushing), None, "the log was cut an entry ago");
        assert!(member.behind.is_settled(&member.machine));
        assert_eq!(member.machine.values().unwritten_bytes(), 0);
    }

    #[test]
    fn a_flush_of_what_was_replaced_means_nothing() {
        let (mut member, other) = (Member::new(1), Member::new(1));
        member.put(1);
        assert!(member.is_due(NOW));
        let flushing = member.begin();
        member.behind.on_install();
        member.put(1);
        assert!(!member.is_due(NOW + PATIENCE));
        member.machine = other.machine;
        member.behind.on_installed(Position::ZERO);
        member.put(1);
        assert!(member.is_due(NOW));
        let second = member.begin();
        member.behind.on_install();
        member.machine = Member::new(1).machine;
        member.behind.on_installed(Position::ZERO);
        member.put(1);
        assert!(member.is_due(NOW));
        let next = member.begin();
        assert_eq!(member.end(flushing), None);
        assert_eq!(member.end(second), None);
        assert!(!member.behind.is_settled(&member.machine));
        assert_eq!(member.end(next), Some(1));
    }
}
