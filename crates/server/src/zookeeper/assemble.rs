//! From what was found on the disk to a replica that goes on from there.

use super::codec::ZooKeeperCodec;
use super::config::Config;
use super::disk::Restorer;
use super::engine::{Protocol, Replica, Tree};
use super::error::StopError;
use crate::clock::{Clock, unforeseen};
use consensus::Chance;
use replica::Options;
use std::time::Duration;
use storage::Disk;
use storage::zookeeper::{Recovered, Store};
use znodes::Settings;

/// A leader may not know yet that it leads: Java's listens only then, and its learners knock five times, 100 ms apart
/// (`Learner.connectToLeader`). Knocking more often for as long finds it sooner.
const KNOCK_PAUSE: Duration = Duration::from_millis(20);
const KNOCKS: u32 = 25;

/// How the tree behaves.
pub(crate) fn settings(config: &Config) -> Settings {
    Settings {
        me: config.me(),
        tick: config.tick,
        session_timeout_min: config.min_session_timeout,
        session_timeout_max: config.max_session_timeout,
        enforce_quota: config.enforce_quota,
        skip_acl: config.skip_acl,
        super_digest: config.super_digest.clone(),
        extended_types: config.extended_types,
        digest: config.digest,
        txn_bytes_max: config.length_max(),
        container_check_interval: config.container_check_interval,
        containers_per_minute: config.containers_per_minute,
        container_never_used: config.container_never_used,
        hash_seed: unforeseen(),
        ..Settings::default()
    }
}

/// How the files are laid out and what may be trusted.
pub(crate) fn layout(config: &Config) -> storage::zookeeper::Options {
    storage::zookeeper::Options {
        preallocate_bytes: config.prealloc_bytes,
        snapshots_kept: config.purge_interval.map(|_| config.snapshots_kept),
        autocreate: config.autocreate,
        trust_empty_snapshot: config.trust_empty_snapshot,
        ..storage::zookeeper::Options::default()
    }
}

/// The tree that the newest snapshot holds.
pub(crate) fn tree<D: Disk>(store: &Store<D>, restorer: &Restorer) -> Result<Tree, StopError> {
    match &store.newest {
        Some(newest) => restorer.read(newest.read().map_err(|error| StopError::Data(error.to_string()))?),
        None => Ok(restorer.empty()),
    }
}

/// The replica that goes on from there.
pub(crate) fn replica(config: &Config, recovered: Recovered, tree: Tree, clock: Clock) -> Replica {
    let configuration = config.configuration();
    let settings = zab::Config {
        tick: config.tick,
        init_limit: config.init_limit,
        sync_limit: config.sync_limit,
        notification_interval_min: config.notification_interval_min,
        notification_interval_max: config.notification_interval_max,
        connect_retry: KNOCK_PAUSE,
        connect_attempts: KNOCKS,
        ..zab::Config::new(config.me(), configuration.clone())
    };
    let recovered = zab::Recovered {
        promise: recovered.promise,
        snapshot: recovered.snapshot,
        last: recovered.last,
        tail: recovered.tail,
        before: recovered.before,
        trusted: recovered.trusted,
    };
    // Not all servers are to take their snapshots at the same time (`SyncRequestProcessor.shouldSnapshot`).
    let mut chance = Chance::new(unforeseen());
    let spread = |whole: u64, chance: &mut Chance| whole / 2 + chance.below(whole / 2 + 1);
    let options = Options {
        // A client gives up sooner, with its session; what a follower forwarded to a leader that is gone is answered when this
        // server stops serving.
        request_timeout: config.max_session_timeout,
        lost_link_timeout: config.sync_timeout(),
        snapshot_entries: spread(config.snap_count, &mut chance).max(1),
        snapshot_bytes: spread(config.snap_bytes, &mut chance).max(1),
        ..Options::default()
    };
    let protocol = Protocol::new(settings, recovered, unforeseen(), clock.now());
    Replica::new(config.me(), protocol, tree, ZooKeeperCodec::new(config.length_max()), configuration, options)
}
