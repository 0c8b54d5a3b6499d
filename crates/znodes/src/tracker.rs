//! The leader's account of sessions: when they expire, and which server their client talks to.
//!
//! Java: `SessionTrackerImpl` over `ExpiryQueue`. A session expires at the first multiple of tickTime after its time-out: so all that
//! expire together are looked at once. To be heard from only changes a number; the bucket finds out when its time has come.

use crate::ErrorCode;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use consensus::{Instant, NodeId};
use core::time::Duration;

/// What a leader knows about sessions beside what the log says.
#[derive(Debug)]
pub(crate) struct Tracker {
    tick: Duration,
    sessions: BTreeMap<i64, Tracked>,
    /// When to look at which sessions.
    buckets: BTreeMap<Instant, BTreeSet<i64>>,
}

#[derive(Debug)]
struct Tracked {
    timeout: i32,
    expires: Instant,
    /// The bucket that it is in. Never later than `expires`.
    bucket: Instant,
    /// It was decided that it ends.
    closing: bool,
    /// Which server its client talks to, once that is known.
    owner: Option<NodeId>,
}

impl Tracker {
    pub(crate) fn new(tick: Duration) -> Tracker {
        Tracker { tick: tick.max(Duration::from_millis(1)), sessions: BTreeMap::new(), buckets: BTreeMap::new() }
    }

    /// There is such a session, and it was heard from now.
    pub(crate) fn track(&mut self, now: Instant, id: i64, timeout: i32) {
        let (expires, bucket) = (self.expiry(now, timeout), Instant::NEVER);
        self.sessions.entry(id).or_insert(Tracked { timeout, expires, bucket, closing: false, owner: None });
        self.postpone(id, timeout, expires);
    }

    /// It was heard from; false if it does not live.
    pub(crate) fn touch(&mut self, now: Instant, id: i64, timeout: i32) -> bool {
        let lives = self.sessions.get(&id).is_some_and(|session| !session.closing);
        if lives {
            self.postpone(id, timeout, self.expiry(now, timeout));
        }
        lives
    }

    /// Its client talks to `owner` now.
    pub(crate) fn set_owner(&mut self, id: i64, owner: NodeId) -> Result<(), ErrorCode> {
        match self.sessions.get_mut(&id) {
            Some(session) if !session.closing => {
                session.owner = Some(owner);
                Ok(())
            }
            _ => Err(ErrorCode::SessionExpired),
        }
    }

    /// Whether it may ask for something through `from` (Java: `LeaderSessionTracker.checkSession`). Who comes first after an election
    /// owns it.
    pub(crate) fn check(&mut self, id: i64, from: NodeId) -> Result<(), ErrorCode> {
        let session = self.sessions.get_mut(&id).filter(|session| !session.closing).ok_or(ErrorCode::SessionExpired)?;
        if *session.owner.get_or_insert(from) == from { Ok(()) } else { Err(ErrorCode::SessionMoved) }
    }

    /// It ends: nothing more is to come of it.
    pub(crate) fn close(&mut self, id: i64) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.closing = true;
        }
    }

    /// It is gone.
    pub(crate) fn remove(&mut self, id: i64) {
        if let Some(session) = self.sessions.remove(&id) {
            self.leave_bucket(id, session.bucket);
        }
    }

    /// When to look again.
    pub(crate) fn deadline(&self) -> Instant {
        self.buckets.keys().next().copied().unwrap_or(Instant::NEVER)
    }

    /// Those that have expired. Who is not gone after another time-out is named again: the first attempt was lost.
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<i64> {
        let mut expired = Vec::new();
        while self.deadline() <= now {
            let (due, ids) = self.buckets.pop_first().expect("a bucket is due");
            for id in ids {
                let session = self.sessions.get_mut(&id).expect("a bucket holds sessions that there are");
                session.bucket = Instant::NEVER;
                let timeout = session.timeout;
                let mut expires = session.expires;
                if expires <= due {
                    session.closing = true;
                    expired.push(id);
                    expires = self.expiry(now, timeout);
                }
                self.postpone(id, timeout, expires);
            }
        }
        expired
    }

    /// When which sessions would expire: what `dump` shows of a leader.
    pub(crate) fn expiries(&self) -> BTreeMap<Instant, Vec<i64>> {
        let mut expiries: BTreeMap<Instant, Vec<i64>> = BTreeMap::new();
        for (&id, session) in &self.sessions {
            expiries.entry(session.expires).or_default().push(id);
        }
        expiries
    }

    fn postpone(&mut self, id: i64, timeout: i32, expires: Instant) {
        let session = self.sessions.get_mut(&id).expect("a session that is tracked");
        (session.timeout, session.expires) = (timeout, expires);
        if expires < session.bucket {
            let bucket = core::mem::replace(&mut session.bucket, expires);
            self.leave_bucket(id, bucket);
            self.buckets.entry(expires).or_default().insert(id);
        }
    }

    fn leave_bucket(&mut self, id: i64, bucket: Instant) {
        if let Some(ids) = self.buckets.get_mut(&bucket) {
            ids.remove(&id);
            if ids.is_empty() {
                self.buckets.remove(&bucket);
            }
        }
    }

    /// Java: `ExpiryQueue.roundToNextInterval`.
    fn expiry(&self, now: Instant, timeout: i32) -> Instant {
        let timeout = Duration::from_millis(u64::try_from(timeout).unwrap_or(0));
        let tick = u64::try_from(self.tick.as_nanos()).unwrap_or(u64::MAX);
        let over = (now + timeout).as_nanos();
        Instant::from_nanos((over / tick + 1).saturating_mul(tick).min(u64::MAX - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    const TICK: Duration = Duration::from_millis(1_000);
    const ME: NodeId = NodeId(1);

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(millis * 1_000_000)
    }

    #[test]
    fn a_session_expires_at_the_tick_after_its_time_out() {
        let mut tracker = Tracker::new(TICK);
        tracker.track(at(100), 7, 4_000);
        assert_eq!(tracker.deadline(), at(5_000));
        assert!(tracker.touch(at(3_000), 7, 4_000));
        assert_eq!(tracker.expire(at(7_999)), vec![]);
        assert_eq!(tracker.deadline(), at(8_000));
        assert_eq!(tracker.expire(at(8_000)), vec![7]);
        assert!(!tracker.touch(at(8_000), 7, 4_000), "what has expired does not come back");
        assert_eq!(tracker.check(7, ME), Err(ErrorCode::SessionExpired));
    }

    #[test]
    fn who_is_not_gone_after_another_time_out_is_named_again() {
        let mut tracker = Tracker::new(TICK);
        tracker.track(at(0), 7, 1_000);
        assert_eq!(tracker.expire(at(2_000)), vec![7]);
        assert_eq!(tracker.expire(at(3_000)), vec![]);
        assert_eq!(tracker.expire(at(4_000)), vec![7]);
        tracker.remove(7);
        assert_eq!(tracker.deadline(), Instant::NEVER);
    }

    #[test]
    fn a_shorter_time_out_counts_at_once() {
        let mut tracker = Tracker::new(TICK);
        tracker.track(at(0), 7, 40_000);
        tracker.touch(at(0), 7, 4_000);
        assert_eq!(tracker.expire(at(5_000)), vec![7]);
    }

    #[test]
    fn a_session_belongs_to_the_server_that_its_client_came_to_last() {
        let mut tracker = Tracker::new(TICK);
        assert_eq!(tracker.check(7, ME), Err(ErrorCode::SessionExpired));
        tracker.track(at(0), 7, 4_000);
        assert_eq!(tracker.check(7, ME), Ok(()));
        assert_eq!(tracker.check(7, NodeId(2)), Err(ErrorCode::SessionMoved));
        assert_eq!(tracker.set_owner(7, NodeId(2)), Ok(()));
        assert_eq!(tracker.check(7, ME), Err(ErrorCode::SessionMoved));
        assert_eq!(tracker.check(7, NodeId(2)), Ok(()));
    }
}
