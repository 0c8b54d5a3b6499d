//! Leases' clocks. Only the member that leads keeps them (DESIGN 18); what all members keep is in [`crate::leases`].
//!
//! ```text
//!   granted or renewed ──▶ half of what is left has passed (at most five minutes) ──▶ checkpoint, and so on
//!          ▲                                                          │
//!          │ a sign of life                                           ▼
//!          └───────────────────────────────────────────────── nothing is left ──▶ LeaseRevoke, through the log
//! ```
//!
//! A leader's clocks begin with its term, at what the last checkpoint left of each lease, so that nothing ends early. Thanks to the
//! checkpoints a change of leader gives a silent lease no more than as much again as it had left, and never more than five minutes.
//! (etcd restarts leases whole unless told otherwise; with its checkpoints, those under five minutes: etcd#9888.) A healthy client
//! renews every third of the TTL and costs no checkpoint.
//!
//! What is decided here is a command of this leader in this term: the replica proposes it, or forgets it with the term.

use crate::leases::{Leases, Terms};
use crate::{Command, LeaseCheckpoint};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use consensus::Instant;
use core::time::Duration;

/// Leases that run out together are ended so many at a time …
const ENDED_AT_A_TIME: usize = 100;
/// … with this pause between: a thousand a second, as etcd's leaseRevokeRate, in one entry of the log each.
const PAUSE: Duration = Duration::from_millis(100);
/// After a change of leader no more than three quarters of that run out within a second (etcd's Promote), so that there is time to
/// renew those that were due together.
const ENDING_A_SECOND: usize = 750;
/// So many leases are noted in one checkpoint, as in etcd.
const CHECKPOINTED_AT_A_TIME: usize = 1000;
/// A silent lease is noted at least this often, as in etcd.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(300);
/// What would be less than this from the last one is not worth a checkpoint.
const CHECKPOINT_INTERVAL_MIN: Duration = Duration::from_secs(1);
/// A revocation that was refused (a CORRUPT alarm does) is proposed again after this.
const REFUSED_PAUSE: Duration = Duration::from_secs(3);

/// The place of a checkpoint that will be after all that the log holds.
const DECIDED: u64 = u64::MAX;

/// How a member keeps leases' clocks when it leads: no part of the state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LeaseSettings {
    /// What a leader that has just been elected adds to the life of every lease: an election timeout, as long as clients may have
    /// had nobody to renew with (etcd's Promote).
    pub extension: Duration,
    /// Whether this member as a leader notes in the log how long leases have left. Go members that are not told
    /// `--experimental-enable-lease-checkpoint` never clear such a note: as leaders they would cut every later renewal to it.
    pub checkpoints: bool,
}

impl Default for LeaseSettings {
    /// etcd's, for an election timeout of one second.
    fn default() -> LeaseSettings {
        LeaseSettings { extension: Duration::from_secs(1), checkpoints: true }
    }
}

/// What became of a sign of life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Renewal {
    /// The lease lives for its whole TTL from now on.
    Renewed {
        /// Seconds.
        ttl: i64,
        /// The log holds a checkpoint of the time before. Until one of 0 is applied after it, in this term, the next leader could end the
        /// lease earlier than promised here: the client is not to be answered before.
        checkpointed: bool,
    },
    /// The lease has run out, and its end is on its way through the log. It may still be renewed by another leader, if that comes
    /// first: ask again.
    Expired,
    /// This member does not lead.
    NotLeader,
}

/// What happened to leases here, since this member started.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LeaseTally {
    /// Granted.
    pub granted: u64,
    /// Ended, for whatever reason.
    pub revoked: u64,
    /// Renewed by this member as the leader.
    pub renewed: u64,
    /// Ended because this member, as the leader, found that they had run out.
    pub expired: u64,
    /// How many were granted for up to 1, 2, 4, 8, … seconds, each counted once; the last for longer.
    pub ttls: [u64; TTL_BUCKETS + 1],
    /// The sum of what was granted, in seconds.
    pub ttl_seconds: u64,
}

/// etcd's buckets for TTLs: 2^0 to 2^23 seconds, which is three months.
pub const TTL_BUCKETS: usize = 24;

impl LeaseTally {
    fn grant(&mut self, ttl: i64) {
        let ttl = ttl.max(0).unsigned_abs();
        let bucket = ttl.next_power_of_two().trailing_zeros() as usize;
        self.ttls[bucket.min(TTL_BUCKETS)] += 1;
        self.ttl_seconds = self.ttl_seconds.saturating_add(ttl);
        self.granted += 1;
    }
}

/// The clocks, and what goes with them.
#[derive(Debug, Default)]
pub(crate) struct Expiry {
    pub(crate) settings: LeaseSettings,
    pub(crate) tally: LeaseTally,
    now: Instant,
    leading: Option<Clocks>,
    #[cfg(feature = "mutants")]
    pub(crate) begins_whole: bool,
}

/// A leader's clocks: one for each lease.
#[derive(Debug, Default)]
struct Clocks {
    clocks: BTreeMap<i64, Clock>,
    /// When to look at which lease again: once for each whose end has not been decided.
    agenda: BTreeSet<(Instant, i64)>,
    /// Leases whose end this leader has put into the log, whoever wanted it, and where.
    ending: BTreeMap<i64, u64>,
    /// Not before this.
    rest: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Clock {
    ends: Instant,
    /// Its place in the agenda; `None` if its end is on its way.
    look: Option<Instant>,
    /// The last entry of this term that notes how long it has left; [`DECIDED`] if that is decided and not in the log yet.
    noted: u64,
    /// Its end was decided here.
    expired: bool,
}

impl Expiry {
    pub(crate) fn tell_time(&mut self, now: Instant) {
        self.now = now;
    }

    /// This member leads: every lease lives for what the last checkpoint left of it, and a little longer.
    pub(crate) fn lead(&mut self, now: Instant, leases: &Leases) {
        self.now = now;
        let settings = self.settings;
        let left = |terms: Terms| if self.begins_whole() { terms.ttl } else { terms.left() };
        let mut ends: Vec<(Instant, i64)> =
            leases.terms().map(|(id, terms)| (now + seconds(left(terms).max(1)) + settings.extension, id)).collect();
        ends.sort_unstable();
        for later in ENDING_A_SECOND..ends.len() {
            ends[later].0 = ends[later].0.max(ends[later - ENDING_A_SECOND].0 + Duration::from_secs(1));
        }
        let mut clocks = Clocks::default();
        for (ends, id) in ends {
            clocks.set(id, ends, now, settings.checkpoints);
        }
        self.leading = Some(clocks);
    }

    /// A known mistake: each leader lets every lease begin anew.
    fn begins_whole(&self) -> bool {
        #[cfg(feature = "mutants")]
        return self.begins_whole;
        #[cfg(not(feature = "mutants"))]
        false
    }

    /// Leadership is lost, and with it every clock.
    pub(crate) fn abandon(&mut self) {
        self.leading = None;
    }

    pub(crate) fn granted(&mut self, id: i64, ttl: i64) {
        self.tally.grant(ttl);
        let Some(clocks) = &mut self.leading else { return };
        clocks.set(id, self.now + seconds(ttl), self.now, self.settings.checkpoints);
        // Somebody did not wait for the grant to revoke it.
        if clocks.ending.contains_key(&id) {
            clocks.look_no_more(id);
        }
    }

    /// The entry at `index` ends a lease, or fails to.
    pub(crate) fn ending(&mut self, id: i64, index: u64) {
        if let Some(clocks) = &mut self.leading
            && clocks.ending.get(&id).is_some_and(|&last| last <= index)
        {
            clocks.ending.remove(&id);
        }
    }

    pub(crate) fn ended(&mut self, id: i64) {
        self.tally.revoked += 1;
        if let Some(clock) = self.leading.as_mut().and_then(|clocks| clocks.remove(id)) {
            self.tally.expired += u64::from(clock.expired);
        }
    }

    /// The end of a lease was refused.
    pub(crate) fn not_ended(&mut self, id: i64) {
        if let Some(clocks) = &mut self.leading
            && !clocks.ending.contains_key(&id)
        {
            clocks.look_again(id, self.now + REFUSED_PAUSE);
        }
    }

    /// A command goes into the log at `index`. Whoever wanted it: a lease that is to end is not to be ended a second time, because by
    /// then there might be a new one of the same id.
    pub(crate) fn proposed(&mut self, index: u64, command: &Command) {
        let Some(clocks) = &mut self.leading else { return };
        match command {
            Command::LeaseRevoke { id } => {
                clocks.ending.insert(*id, index);
                clocks.look_no_more(*id);
            }
            Command::LeaseCheckpoint(checkpoints) => {
                for noted in checkpoints.iter().filter(|checkpoint| checkpoint.remaining_ttl > 0) {
                    if let Some(clock) = clocks.clocks.get_mut(&noted.id) {
                        clock.noted = index;
                    }
                }
            }
            _ => {}
        }
    }

    /// A sign of life, to be asked for only once it is certain that this member leads. `applied` is the last entry applied.
    pub(crate) fn renew(&mut self, id: i64, terms: Terms, applied: u64) -> Renewal {
        let Some(clocks) = &mut self.leading else { return Renewal::NotLeader };
        let Some(&clock) = clocks.clocks.get(&id) else { return Renewal::NotLeader };
        // etcd's Renew waits for the end of a lease that has run out, whether that is decided already or about to be.
        if clock.ends <= self.now {
            return Renewal::Expired;
        }
        // A lease that somebody is about to revoke has no more place in the agenda, and gets none.
        clocks.renew(id, self.now + seconds(terms.ttl), self.now, self.settings.checkpoints);
        self.tally.renewed += 1;
        Renewal::Renewed { ttl: terms.ttl, checkpointed: terms.remaining_ttl > 0 || clock.noted > applied }
    }

    /// Whole seconds left, rounded towards zero, and negative for one that should be gone; `None` unless leading.
    pub(crate) fn left(&self, id: i64) -> Option<i64> {
        let clock = self.leading.as_ref()?.clocks.get(&id)?;
        let (left, over) = (clock.ends.since(self.now).as_secs(), self.now.since(clock.ends).as_secs());
        Some(left as i64 - over as i64)
    }

    /// Leases as etcd lists them: on the leader those first that have least left, elsewhere by id.
    pub(crate) fn in_order(&self, ids: impl Iterator<Item = i64>) -> Vec<i64> {
        let mut ids: Vec<i64> = ids.collect();
        if let Some(clocks) = &self.leading {
            ids.sort_by_key(|id| clocks.clocks.get(id).map(|clock| clock.ends));
        }
        ids
    }

    pub(crate) fn deadline(&self) -> Instant {
        let look = self.leading.as_ref().and_then(|clocks| Some((clocks.agenda.first()?.0, clocks.rest)));
        look.map_or(Instant::NEVER, |(look, rest)| look.max(rest))
    }

    /// What is to be proposed now.
    pub(crate) fn due(&mut self, now: Instant, leases: &Leases) -> Vec<Command> {
        self.now = now;
        let mut due = Vec::new();
        let mut checkpoints = Vec::new();
        let Some(clocks) = &mut self.leading else { return due };
        if now < clocks.rest {
            return due;
        }
        while due.len() < ENDED_AT_A_TIME
            && checkpoints.len() < CHECKPOINTED_AT_A_TIME
            && let Some(&(look, id)) = clocks.agenda.first()
            && look <= now
        {
            let ends = clocks.clocks[&id].ends;
            if ends <= now {
                clocks.look_no_more(id);
                clocks.expire(id);
                due.push(Command::LeaseRevoke { id });
                continue;
            }
            clocks.look_again(id, next_look(now, ends, self.settings.checkpoints));
            let remaining_ttl = ceil(ends.since(now));
            if self.settings.checkpoints && leases.get(id).is_some_and(|terms| remaining_ttl < terms.left()) {
                checkpoints.push(LeaseCheckpoint { id, remaining_ttl });
                clocks.note_decided(id);
            }
        }
        if !checkpoints.is_empty() {
            due.push(Command::LeaseCheckpoint(checkpoints));
        }
        clocks.rest = now + PAUSE;
        due
    }
}

impl Clocks {
    fn set(&mut self, id: i64, ends: Instant, now: Instant, checkpoints: bool) {
        let look = next_look(now, ends, checkpoints);
        self.clocks.insert(id, Clock { ends, look: Some(look), noted: 0, expired: false });
        self.agenda.insert((look, id));
    }

    fn renew(&mut self, id: i64, ends: Instant, now: Instant, checkpoints: bool) {
        let Some(clock) = self.clocks.get_mut(&id) else { return };
        clock.ends = ends;
        if clock.look.is_some() {
            self.look_again(id, next_look(now, ends, checkpoints));
        }
    }

    fn look_again(&mut self, id: i64, at: Instant) {
        self.look_no_more(id);
        if let Some(clock) = self.clocks.get_mut(&id) {
            clock.look = Some(at);
            self.agenda.insert((at, id));
        }
    }

    fn look_no_more(&mut self, id: i64) {
        if let Some(look) = self.clocks.get_mut(&id).and_then(|clock| clock.look.take()) {
            self.agenda.remove(&(look, id));
        }
    }

    fn expire(&mut self, id: i64) {
        if let Some(clock) = self.clocks.get_mut(&id) {
            clock.expired = true;
        }
    }

    /// A sign of life that comes before the log takes the checkpoint is cut by it all the same.
    fn note_decided(&mut self, id: i64) {
        if let Some(clock) = self.clocks.get_mut(&id) {
            clock.noted = DECIDED;
        }
    }

    fn remove(&mut self, id: i64) -> Option<Clock> {
        self.look_no_more(id);
        self.clocks.remove(&id)
    }
}

/// When half of what is left has passed, or all of it.
fn next_look(now: Instant, ends: Instant, checkpoints: bool) -> Instant {
    let pause = (ends.since(now) / 2).min(CHECKPOINT_INTERVAL);
    if checkpoints && pause >= CHECKPOINT_INTERVAL_MIN { now + pause } else { ends }
}

fn seconds(seconds: i64) -> Duration {
    Duration::from_secs(seconds.max(0).unsigned_abs())
}

/// In whole seconds, rounded up, as a checkpoint has it: what is rounded away must not end a lease early.
fn ceil(span: Duration) -> i64 {
    i64::try_from(span.as_secs()).unwrap_or(i64::MAX).saturating_add(i64::from(span.subsec_nanos() > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_are_counted_by_how_long_they_are() {
        let mut tally = LeaseTally::default();
        for ttl in [1, 2, 3, 4, 1 << 23, (1 << 23) + 1, 9_000_000_000] {
            tally.grant(ttl);
        }
        let mut ttls = [0; TTL_BUCKETS + 1];
        (ttls[0], ttls[1], ttls[2], ttls[23], ttls[24]) = (1, 1, 2, 1, 2);
        assert_eq!((tally.granted, tally.ttls), (7, ttls));
    }

    #[test]
    fn what_is_left_is_rounded_up() {
        assert_eq!(ceil(Duration::from_millis(2001)), 3);
        assert_eq!(ceil(Duration::from_secs(2)), 2);
        assert_eq!(ceil(Duration::ZERO), 0);
    }
}
