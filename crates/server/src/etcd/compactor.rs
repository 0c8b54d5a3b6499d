//! Auto-compaction: the leader compacts by itself, behind so many revisions or behind so much time.
//!
//! As etcd does it (server/etcdserver/api/v3compactor): every member looks at the revision now and then, so that whoever comes to
//! lead knows what the revision was; the leader alone compacts.
//!
//! ```text
//!   revision  every 5 minutes: at the revision now less the retention
//!   periodic  looks ten times an hour, or ten times a retention that is shorter; from one retention on, every hour (or every
//!             retention that is shorter): at the oldest revision seen, which is that of one retention and one look ago
//! ```

use super::door::{Door, What};
use super::status::Board;
use consensus::Role;
use keyspace::{Command, CompactRequest, KeyspaceError};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;
use tracing::{info, warn};

/// How often history is cut behind a number of revisions.
const REVISION_INTERVAL: Duration = Duration::from_secs(5 * 60);
/// How often history is cut behind a time, at most.
const PERIOD_INTERVAL_MAX: Duration = Duration::from_secs(60 * 60);
/// So many looks at the revision come on each such interval.
const LOOKS: u32 = 10;

/// How much history is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Retention {
    /// So many revisions.
    Revisions(u64),
    /// All of so much time.
    Period(Duration),
}

/// Decides when to compact, and at which revision. Time is an argument.
#[derive(Debug)]
enum Compactor {
    Revision {
        retention: u64,
        /// The revision of the last compaction, so that an idle store is left alone.
        last: i64,
    },
    Periodic {
        period: Duration,
        /// The revision at each look, oldest first.
        looks: VecDeque<i64>,
        /// When it last compacted; at first, when it began.
        last: Duration,
        /// How long after that the next one comes: a whole period at first.
        interval: Duration,
    },
}

impl Compactor {
    /// Begins at `now`, which is measured from any moment, at this revision.
    fn new(retention: Retention, now: Duration, revision: i64) -> Compactor {
        match retention {
            Retention::Revisions(retention) => Compactor::Revision { retention, last: 0 },
            Retention::Period(period) => {
                Compactor::Periodic { period, looks: VecDeque::from([revision]), last: now, interval: period }
            }
        }
    }

    /// How long to wait for the next look.
    fn pause(&self) -> Duration {
        match self {
            Compactor::Revision { .. } => REVISION_INTERVAL,
            Compactor::Periodic { period, .. } => (*period).min(PERIOD_INTERVAL_MAX) / LOOKS,
        }
    }

    /// Whether to compact at this look, and where.
    fn look(&self, now: Duration, leads: bool, revision: i64) -> Option<i64> {
        match self {
            _ if !leads => None,
            Compactor::Revision { retention, last } => {
                let at = revision.checked_sub_unsigned(*retention)?;
                (at > 0 && at != *last).then_some(at)
            }
            Compactor::Periodic { last, interval, .. } if now.saturating_sub(*last) < *interval => None,
            Compactor::Periodic { looks, .. } => looks.front().copied(),
        }
    }

    /// Remembers a compaction that was done at `now`, or had been done already.
    fn compacted(&mut self, now: Duration, at: i64) {
        match self {
            Compactor::Revision { last, .. } => *last = at,
            Compactor::Periodic { last, .. } => *last = now,
        }
    }

    /// Ends a look: remembers the revision.
    fn note(&mut self, tried: bool, revision: i64) {
        let pause = self.pause();
        let Compactor::Periodic { period, looks, interval, .. } = self else { return };
        if tried {
            *interval = (*period).min(PERIOD_INTERVAL_MAX);
        }
        looks.push_back(revision);
        let kept = usize::try_from(period.as_nanos() / pause.as_nanos().max(1)).unwrap_or(usize::MAX).saturating_add(1);
        while looks.len() > kept {
            looks.pop_front();
        }
    }
}

/// Compacts for as long as the member lives.
pub(crate) async fn run(door: Door, board: Board, retention: Retention) {
    let beginning = Instant::now();
    let mut compactor = Compactor::new(retention, Duration::ZERO, board.revision());
    loop {
        tokio::time::sleep(compactor.pause()).await;
        let at = compactor.look(beginning.elapsed(), board.status().role == Role::Leader, board.revision());
        if let Some(at) = at
            && compact(&door, at).await
        {
            compactor.compacted(beginning.elapsed(), at);
        }
        compactor.note(at.is_some(), board.revision());
    }
}

/// Compacts; whether that need not be tried again.
async fn compact(door: &Door, revision: i64) -> bool {
    match door.ask(What::Write(Command::Compact(CompactRequest { revision, ..CompactRequest::default() }))).await {
        Ok(Ok(_)) => {
            info!(revision, "compacted by itself");
            true
        }
        Ok(Err(KeyspaceError::Compacted)) => true,
        Ok(Err(error)) => {
            warn!(%error, revision, "could not compact by itself; trying again later");
            false
        }
        Err(why) => {
            warn!(?why, revision, "could not compact by itself; trying again later");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    /// Looks for as long as told; the store gains one revision a minute. Returns the minutes and revisions of compactions.
    fn compactions(retention: Retention, minutes: u32, leads: impl Fn(u32) -> bool) -> Vec<(u32, i64)> {
        let revision = |now: Duration| 1 + (now.as_secs() / 60) as i64;
        let mut compactor = Compactor::new(retention, Duration::ZERO, 1);
        let (mut now, mut done) = (Duration::ZERO, Vec::new());
        while now + compactor.pause() <= MINUTE * minutes {
            now += compactor.pause();
            let minute = (now.as_secs() / 60) as u32;
            let at = compactor.look(now, leads(minute), revision(now));
            if let Some(at) = at {
                compactor.compacted(now, at);
                done.push((minute, at));
            }
            compactor.note(at.is_some(), revision(now));
        }
        done
    }

    #[test]
    fn behind_an_hour_it_compacts_every_hour_at_the_oldest_revision_seen() {
        assert_eq!(compactions(Retention::Period(60 * MINUTE), 190, |_| true), [(60, 1), (120, 55), (180, 115)]);
    }

    #[test]
    fn behind_ten_minutes_it_compacts_every_ten_minutes() {
        assert_eq!(compactions(Retention::Period(10 * MINUTE), 35, |_| true), [(10, 1), (20, 10), (30, 20)]);
    }

    #[test]
    fn behind_two_hours_it_waits_two_hours_and_then_compacts_every_hour() {
        assert_eq!(compactions(Retention::Period(120 * MINUTE), 250, |_| true), [(120, 1), (180, 55), (240, 115)]);
    }

    #[test]
    fn behind_revisions_it_compacts_every_five_minutes_if_there_is_anything_new() {
        assert_eq!(compactions(Retention::Revisions(10), 20, |_| true), [(10, 1), (15, 6), (20, 11)]);
        let mut compactor = Compactor::new(Retention::Revisions(10), Duration::ZERO, 1);
        assert_eq!(compactor.look(MINUTE, true, 100), Some(90));
        compactor.compacted(MINUTE, 90);
        assert_eq!(compactor.look(MINUTE, true, 100), None);
        assert_eq!(compactor.look(MINUTE, true, 101), Some(91));
    }

    #[test]
    fn who_comes_to_lead_goes_on_where_the_leader_before_would_have() {
        assert_eq!(compactions(Retention::Period(60 * MINUTE), 130, |minute| minute > 100), [(102, 37)]);
        assert_eq!(compactions(Retention::Revisions(10), 20, |minute| minute > 10), [(15, 6), (20, 11)]);
    }

    #[test]
    fn what_failed_is_tried_again_at_the_next_look() {
        let retention = Retention::Period(10 * MINUTE);
        let mut compactor = Compactor::new(retention, Duration::ZERO, 1);
        for minute in 1..=12i64 {
            let at = compactor.look(MINUTE * minute as u32, true, 1 + minute);
            let expected = match minute {
                10 => Some(1),
                11 => Some(1),
                12 => Some(2),
                _ => None,
            };
            assert_eq!(at, expected, "in minute {minute}");
            compactor.note(at.is_some(), 1 + minute);
        }
    }
}
