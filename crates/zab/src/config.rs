//! How a ZooKeeper server is set up, and what it finds on its disk.

use alloc::vec::Vec;
use consensus::{Configuration, Entry, NodeId, Position, Promise};
use core::time::Duration;

/// Settings.
#[derive(Clone, Debug)]
pub struct Config {
    /// This server.
    pub id: NodeId,
    /// All servers: voters, observers (`learners`), groups and weights.
    pub configuration: Configuration,
    /// The version of the configuration. 0 unless it was ever changed; whoever has a later one is not led.
    pub configuration_version: u64,
    /// The unit of the limits. zoo.cfg: tickTime.
    pub tick: Duration,
    /// How many ticks discovery and synchronization may take. zoo.cfg: initLimit.
    pub init_limit: u32,
    /// How many ticks of silence, or without an acknowledgement, end the bond between a leader and its learner. zoo.cfg: syncLimit.
    pub sync_limit: u32,
    /// How long a server that sees a majority waits for a better vote. ZooKeeper: 200 ms.
    pub finalize_wait: Duration,
    /// Whether that wait ends early once nobody is left who could hold a better vote.
    pub early_finalize: bool,
    /// After so long without news a server that looks for a leader repeats its vote; then after twice as long, and so on.
    /// `zookeeper.fastleader.minNotificationInterval`.
    pub notification_interval_min: Duration,
    /// At most so long. `zookeeper.fastleader.maxNotificationInterval`.
    pub notification_interval_max: Duration,
    /// An observer that lost its leader looks for another one after a random time below this.
    /// `zookeeper.observer.election.DelayMs`.
    pub observer_election_delay: Duration,
    /// How long a learner waits between two attempts to connect to its leader. `zookeeper.leaderConnectDelayDuringRetryMs`.
    pub connect_retry: Duration,
    /// How many attempts it makes. ZooKeeper: 5. So long, too, a learner is kept waiting that takes us for its leader too early.
    pub connect_attempts: u32,
    /// The most bytes of entries kept in memory for learners (Java keeps 500 of them); older ones are fetched from the disk.
    pub history_bytes_max: usize,
    /// About how many bytes of old entries are fetched from the disk at a time.
    pub fetch_bytes_max: usize,
    /// The most bytes that a learner may have left unconfirmed; above, its link is closed, and it comes back for what it lacks in pieces.
    pub inflight_bytes_max: usize,
    /// The most bytes of proposals not yet committed; above, `next()` is `None`.
    pub uncommitted_bytes_max: usize,
    /// The most bytes of entries being applied at once.
    pub apply_bytes_max: usize,
    /// The most transactions of one epoch. The counter of a zxid has 32 bits; the batch that is being proposed when the end comes
    /// near must still fit.
    pub epoch_entries_max: u64,
    /// The mistake to make, for the proof of the prover.
    #[cfg(feature = "mutants")]
    pub mutant: Option<crate::Mutant>,
}

impl Config {
    /// ZooKeeper's settings for server `id`, with the limits of its sample configuration.
    pub fn new(id: NodeId, configuration: Configuration) -> Config {
        Config {
            id,
            configuration,
            configuration_version: 0,
            tick: Duration::from_millis(2000),
            init_limit: 10,
            sync_limit: 5,
            finalize_wait: Duration::from_millis(200),
            early_finalize: true,
            notification_interval_min: Duration::from_millis(200),
            notification_interval_max: Duration::from_secs(60),
            observer_election_delay: Duration::from_millis(200),
            connect_retry: Duration::from_millis(100),
            connect_attempts: 5,
            history_bytes_max: 2 << 20,
            fetch_bytes_max: 1 << 20,
            inflight_bytes_max: 128 << 20,
            uncommitted_bytes_max: 64 << 20,
            apply_bytes_max: 1 << 20,
            epoch_entries_max: 0xffff_ffff - (1 << 18),
            #[cfg(feature = "mutants")]
            mutant: None,
        }
    }

    /// How long discovery and synchronization may take.
    pub(crate) fn init_time(&self) -> Duration {
        self.tick * self.init_limit
    }

    /// How long silence may last.
    pub(crate) fn sync_time(&self) -> Duration {
        self.tick * self.sync_limit
    }

    /// How long somebody who came too early is kept waiting.
    pub(crate) fn patience(&self) -> Duration {
        self.connect_retry * self.connect_attempts
    }
}

/// What a server finds on its disk when it starts: everything in it is synced.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recovered {
    /// acceptedEpoch (`epoch`) and currentEpoch (`current`); the rest is not used.
    pub promise: Promise,
    /// The newest snapshot, and so what the state machine holds. [`Position::ZERO`] without one.
    pub snapshot: Position,
    /// The last transaction of log and snapshot, whichever is later.
    pub last: Position,
    /// The newest entries of the log that are already in memory: a run without gaps that ends at `last`, possibly empty.
    pub tail: Vec<Entry>,
    /// The position before `tail` (of the entry there in the log, or else of a snapshot); `last` if `tail` is empty.
    pub before: Position,
    /// Whether the data can be trusted. An empty database that should not be empty is not: such a server neither votes nor leads
    /// until it was brought up to date (`zookeeper.db.autocreate=false`).
    pub trusted: bool,
}

impl Default for Recovered {
    /// A new server.
    fn default() -> Recovered {
        Recovered {
            promise: Promise::default(),
            snapshot: Position::ZERO,
            last: Position::ZERO,
            tail: Vec::new(),
            before: Position::ZERO,
            trusted: true,
        }
    }
}
