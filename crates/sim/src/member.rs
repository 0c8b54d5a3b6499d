//! One member: its process while it lives, and what outlives it.

use crate::clock::Clock;
use crate::disk::SimDisk;
use crate::subject::{Arrived, Machine, Subject};
use crate::watch::Watched;
use consensus::{Chance, Entry, Instant, Position, Reader, Snapshot, Ticket};
use replica::Replica;
use std::collections::VecDeque;
use std::time::Duration;

/// A member, whether or not its process lives.
pub(crate) struct Member<P: Subject> {
    pub(crate) disk: SimDisk,
    pub(crate) clock: Clock,
    pub(crate) process: Option<Process<P>>,
    /// Counts its processes.
    pub(crate) life: u64,
    pub(crate) fate: Fate,
    /// It was a member once: an empty disk would make it a stranger.
    pub(crate) joined: bool,
    /// Until when its process stands still, and what waits for it meanwhile.
    pub(crate) paused: bool,
    pub(crate) backlog: VecDeque<crate::world::Occasion<P>>,
    /// When it is to be woken next.
    pub(crate) wake_at: Instant,
    /// How long its syncs take now.
    pub(crate) sync: (Duration, Duration),
    /// The next sync takes this long.
    pub(crate) stuck: Duration,
    /// How often it is still going to crash right after its start.
    pub(crate) crash_loop: u32,
    /// The next recovery is interrupted.
    pub(crate) interrupt_recovery: bool,
    pub(crate) chance: Chance,
    /// Its log was damaged, and no leader has confirmed to it what is committed since.
    pub(crate) damaged: bool,
    /// What it keeps beside its log was damaged, which it may notice at any time.
    pub(crate) rotten: bool,
    /// Its disk was replaced by an empty one.
    pub(crate) wiped: bool,
    /// Timeouts that were handled without time going on.
    pub(crate) spins: u32,
}

impl<P: Subject> Member<P> {
    /// Whether it keeps what it synced, and may vote.
    pub(crate) fn is_sound(&self) -> bool {
        !self.wiped && !self.damaged && !self.rotten && self.fate == Fate::Fine
    }
}

/// Whether a member will come back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    /// It runs, or will be started again.
    Fine,
    /// It stays down for good: a stranger, or not wanted any more.
    Gone,
}

/// A process: the replica and the parts of its storage, as the server runs them.
pub(crate) struct Process<P: Subject> {
    pub(crate) replica: Replica<Watched<P>, Machine<P>, P::Codec>,
    pub(crate) store: P::Store,
    /// What the log's thread has not picked up yet.
    pub(crate) jobs: VecDeque<Job<P>>,
    /// What it is about.
    pub(crate) work: Work,
    /// The snapshot that arrived and was not yet decided upon.
    pub(crate) arrived: Option<Arrived<P>>,
}

/// Work for the log's thread, in order.
pub(crate) enum Job<P: Subject> {
    /// Write, and sync with whatever else waits.
    Persist(consensus::Persist),
    /// Put a snapshot that arrived into force, and these entries with it.
    Install(Arrived<P>, Vec<Entry>),
    /// Cut the log up to an index.
    Cut(u64),
}

/// What the log's thread is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Work {
    /// It waits for a job.
    Idle,
    /// It was woken.
    Waking,
    /// It syncs everything up to this ticket.
    Syncing(Ticket),
    /// It puts a snapshot into force.
    Installing,
}

/// What the disk is done with, on its way to the process.
#[derive(Debug)]
pub(crate) enum Done {
    /// The log's thread looks for work.
    Wake,
    /// It has waited for the disk long enough: the sync ends.
    Synced,
    /// Old entries were read.
    Fetched(Reader, Vec<Entry>),
    /// A piece of a snapshot is written.
    ChunkWritten(Position),
    /// All of a snapshot is written; it is to be synced and published.
    Publish(Snapshot),
}
