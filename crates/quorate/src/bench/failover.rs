//! What clients of the survivors notice when the leader dies.
//!
//! ```text
//!   writes to each survivor, one every few milliseconds, none waiting for another
//!   ──┬──┬──┬──┬──┬──╂──┬──┬──┬──┬──┬──┬──┬──┬──┬──┬──┬── …
//!                    ┃ kill                ▲ first of those sent since that is acknowledged
//!                    ├──── first ack ──────┤
//!   the longest wait is that of the write, sent around or after the kill, that waited longest for any answer
//! ```

use super::figures::{Measured, Round, Timing};
use super::target::Target;
use crate::cli::{self, Whose};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// One write so often, to each survivor.
pub(super) const WRITE_EVERY: Duration = Duration::from_millis(5);
/// For how long writes are sent before the kill.
const BEFORE: Duration = Duration::from_millis(500);
/// For how long they are sent after it, and longer only while nobody leads.
const AFTER: Duration = Duration::from_millis(2500);
/// When a cluster without a leader is given up.
const LEADER_WITHIN: Duration = Duration::from_secs(60);
/// When a put is given up. Go etcd's own limit is 7 s.
pub(super) const GIVE_UP: Duration = Duration::from_secs(15);
/// A write that is sent so soon after the signal might still meet a process that has not noticed that it is dead.
const DYING: Duration = Duration::from_millis(2);
/// How long the whole cluster is left in peace between kills.
const PEACE: Duration = Duration::from_secs(1);

/// A write's fate.
pub(super) struct Fate {
    pub(super) sent: Instant,
    pub(super) answered: Instant,
    /// What was wrong, if it was not acknowledged.
    pub(super) error: Option<String>,
}

pub(super) async fn measure(options: &cli::Failover) -> Result<Measured, String> {
    let mut cluster = Target::start(options).await?;
    let measured = rounds(options, &mut cluster).await;
    cluster.end().await;
    Ok(Measured {
        peer: match options.peer {
            Whose::Quorate => "quorate",
            Whose::Etcd => "etcd",
            Whose::QuorateZookeeper => "quorate-zookeeper",
            Whose::Zookeeper => "zookeeper",
        },
        hang: options.hang,
        members: options.members,
        timing: match options.peer {
            Whose::Quorate | Whose::Etcd => {
                Timing::Etcd { heartbeat_interval: options.heartbeat_interval, election_timeout: options.election_timeout }
            }
            Whose::QuorateZookeeper | Whose::Zookeeper => {
                Timing::ZooKeeper { tick_time: options.tick_time, sync_limit: options.sync_limit }
            }
        },
        rounds: measured?,
    })
}

async fn rounds(options: &cli::Failover, cluster: &mut Target) -> Result<Vec<Round>, String> {
    let mut rounds = Vec::new();
    for number in 1..=options.kills {
        tokio::time::sleep(PEACE).await;
        let leader = cluster.healthy().await?;
        let round = round(cluster, leader, options.hang).await?;
        eprintln!("{number} of {}: {round}", options.kills);
        rounds.push(round);
        if options.hang {
            cluster.signal(leader, Signal::CONT);
        } else {
            cluster.reap(leader).await;
            cluster.spawn(leader)?;
        }
    }
    Ok(rounds)
}

async fn round(cluster: &Target, leader: usize, hang: bool) -> Result<Round, String> {
    let (fates, mut told) = mpsc::unbounded_channel();
    let load = cluster.write_to_survivors(leader, &fates).await?;
    drop(fates);
    tokio::time::sleep(BEFORE).await;
    let killed = Instant::now();
    cluster.signal(leader, if hang { Signal::STOP } else { Signal::KILL });
    let mut all = Vec::new();
    loop {
        let led = all.iter().any(|fate: &Fate| is_since(fate, killed));
        let until = killed + if led { AFTER } else { LEADER_WITHIN };
        match tokio::time::timeout_at(until.into(), told.recv()).await {
            Ok(Some(fate)) => all.push(fate),
            Ok(None) | Err(_) => break,
        }
    }
    // The writes that are still under way are waited for: how long they wait is what is asked.
    load.iter().for_each(tokio::task::JoinHandle::abort);
    while let Some(fate) = told.recv().await {
        all.push(fate);
    }
    judge(&all, killed)
}

/// Whether a write was acknowledged by a later leader than the dead one.
fn is_since(fate: &Fate, killed: Instant) -> bool {
    fate.error.is_none() && fate.sent >= killed + DYING
}

fn judge(fates: &[Fate], killed: Instant) -> Result<Round, String> {
    let since = |at: Instant| at.saturating_duration_since(killed);
    let acknowledged = fates.iter().filter(|fate| fate.error.is_none());
    if acknowledged.clone().all(|fate| fate.answered >= killed) {
        return Err("no write was acknowledged before the leader was killed".to_owned());
    }
    let after = acknowledged.filter(|fate| is_since(fate, killed)).map(|fate| since(fate.answered)).min();
    // Those that were under way count, too.
    let concerned = || fates.iter().filter(|fate| fate.answered >= killed);
    let mut errors = BTreeMap::new();
    for error in concerned().filter_map(|fate| fate.error.clone()) {
        *errors.entry(error).or_insert(0) += 1;
    }
    Ok(Round {
        first_ack: after.ok_or("no write was acknowledged after the leader was killed")?,
        longest_wait: concerned().map(|fate| fate.answered - fate.sent).max().unwrap_or_default(),
        writes: concerned().count(),
        errors,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_put_that_was_sent_since_counts_as_the_first_and_those_under_way_as_waiting() {
        let killed = Instant::now() + Duration::from_secs(10);
        let ms = |offset: i64| {
            let span = Duration::from_millis(offset.unsigned_abs());
            if offset < 0 { killed - span } else { killed + span }
        };
        let fate = |sent, answered, error: Option<&str>| Fate {
            sent: ms(sent),
            answered: ms(answered),
            error: error.map(str::to_owned),
        };
        let fates = [
            fate(-100, -99, None),          // before
            fate(-1, 1, None),              // in the last moment of the old leader
            fate(-2, 900, Some("changed")), // under way, refused late
            fate(5, 60, None),
            fate(10, 55, None),
        ];
        let round = judge(&fates, killed).expect("there was an answer");
        assert_eq!((round.first_ack.as_millis(), round.longest_wait.as_millis(), round.writes), (55, 902, 4));
        assert_eq!(round.errors.values().sum::<usize>(), 1);
        assert!(judge(&fates[..3], killed).is_err(), "nothing was acknowledged after");
    }
}
