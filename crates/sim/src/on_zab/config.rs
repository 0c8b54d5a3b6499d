//! How ZooKeeper's servers are set up.

use crate::fault::Fault;
use crate::options::SimOptions;
use consensus::{Chance, Configuration, NodeId};
use std::time::Duration;
use storage::zookeeper::Options;

/// The settings of all servers.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(super) zab: zab::Config,
    pub(super) storage: Options,
    /// Disks may be replaced by empty ones. Then an empty folder alone makes nobody a new server (`zookeeper.db.autocreate=false`):
    /// such a server does not vote before a leader has filled it. That, and staying away for a while, is what an operator has to do.
    pub(super) wipes: bool,
}

/// Faults that make no sense here. The streams of TCP neither lose, nor double, nor reorder what they carry: a connection is lost as a
/// whole. ZooKeeper's log cannot tell damage at its end from a torn write, and a server has no way to abstain after it (Java's
/// has not either), so damage of what was synced is a matter of the storage's own tests.
const NOT_HERE: [Fault; 4] = [Fault::Drop, Fault::Duplicate, Fault::Reorder, Fault::Rot];

/// Faults that clocks make. A server whose disk was emptied may come back under its id once nobody can still lead who has not noticed
/// that it was gone, which takes clocks that run.
const CLOCK_FAULTS: [Fault; 3] = [Fault::ClockDrift, Fault::ClockJump, Fault::ClockFreeze];

pub(super) fn draw(options: &SimOptions, chance: &mut Chance) -> Config {
    let mut zab = zab::Config::new(NodeId(1), Configuration::default());
    zab.tick = Duration::from_millis([50, 100, 200][chance.below(3) as usize]);
    zab.init_limit = [10, 20][chance.below(2) as usize];
    zab.sync_limit = [4, 8][chance.below(2) as usize];
    zab.notification_interval_max = Duration::from_millis([800, 1_600][chance.below(2) as usize]);
    zab.early_finalize = options.is_on(crate::Mechanism::EarlyFinalize) && chance.one_in(1, 2);
    zab.history_bytes_max = [32 << 20, 16 << 10, 1 << 10][chance.below(3) as usize];
    zab.fetch_bytes_max = [1 << 20, 8 << 10][chance.below(2) as usize];
    zab.inflight_bytes_max = [128 << 20, 256 << 10][chance.below(2) as usize];
    zab.uncommitted_bytes_max = [64 << 20, 32 << 10][chance.below(2) as usize];
    zab.apply_bytes_max = [1 << 20, 16 << 10][chance.below(2) as usize];
    // In some seeds the counter of an epoch's transactions soon runs over.
    zab.epoch_entries_max = [zab.epoch_entries_max, zab.epoch_entries_max, 40, 600][chance.below(4) as usize];
    #[cfg(feature = "mutants")]
    if let Some(crate::Mutant::Zab(mutant)) = options.mutant {
        zab.mutant = Some(mutant);
    }
    let wipes = chance.one_in(1, 3);
    let storage = Options {
        autocreate: !wipes,
        preallocate_bytes: [4 << 10, 64 << 10][chance.below(2) as usize],
        step_bytes: [512, 4 << 10][chance.below(2) as usize],
        batch_bytes: [1 << 10, 64 << 10][chance.below(2) as usize],
        tail_bytes: [0, 1 << 10, 64 << 10][chance.below(3) as usize],
        snapshots_kept: Some(1 + chance.below(2) as usize),
        ..Options::default()
    };
    Config { zab, storage, wipes }
}

pub(super) fn suits(config: &Config, fault: Fault) -> bool {
    match fault {
        Fault::Wipe => config.wipes,
        fault if CLOCK_FAULTS.contains(&fault) => !config.wipes,
        fault => !NOT_HERE.contains(&fault),
    }
}

/// So long a server whose disk was emptied stays away: twice as long as a leader goes on without hearing from a quorum.
pub(super) fn wipe_pause(config: &Config) -> Duration {
    config.zab.tick * (config.zab.sync_limit + 1) * 2
}

/// How long a cluster may take to notice that its leader is gone and to say so to everybody: silence ends a bond after `syncLimit`
/// ticks, and whoever looks for a leader alone repeats its vote after the longest interval between notifications at the latest.
/// Within ten of these spans there is room for several failed attempts, each of which costs `initLimit` ticks.
pub(super) fn election_timeout(config: &Config) -> Duration {
    let zab::Config { tick, sync_limit, notification_interval_max, .. } = &config.zab;
    *tick * *sync_limit + *notification_interval_max
}
