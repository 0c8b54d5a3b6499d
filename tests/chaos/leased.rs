//! Whether a lease outlived every answered renewal, on its client's clock, and ended once there were no more.

use crate::chaos::linear::Log;
use crate::chaos::model::Key;
use std::collections::{HashMap, HashSet};

/// A lease's life, as its client knows it. Times are nanoseconds of the test's clock.
#[derive(Clone, Debug, Default)]
pub struct Leased {
    pub id: i64,
    /// A key that hangs on it, and on which nobody else writes.
    pub key: Key,
    /// When its grant and each answered renewal were *sent*, and for how many seconds they were answered.
    pub renewed: Vec<(u64, i64)>,
    /// When its client asked for its end, whether that was answered or not.
    pub revoked: Option<u64>,
}

impl Leased {
    /// The moment before which it may not expire: a renewal takes effect after it was sent.
    fn alive_until(&self) -> u64 {
        self.renewed.iter().map(|&(sent, ttl)| sent + ttl.max(0) as u64 * 1_000_000_000).max().unwrap_or(0)
    }
}

/// `seen`: by key of the leases, when any client first learned of its end. How many leases expired.
pub fn check(log: &Log, leases: &[Leased], seen: &HashMap<Key, u64>) -> Result<u32, String> {
    let mut living: HashSet<Key> = HashSet::new();
    for (_, change) in log.from(Log::FIRST) {
        match change.now {
            Some(held) if held.lease != 0 => drop(living.insert(change.key)),
            _ => drop(living.remove(&change.key)),
        }
    }
    let mut expired = 0;
    for lease in leases {
        let until = lease.alive_until().min(lease.revoked.unwrap_or(u64::MAX));
        if let Some(&at) = seen.get(&lease.key) {
            if at < until {
                return Err(format!(
                    "lease {:x} was revoked early: its key {:08} was gone at {at} ns, and nobody may end it before {until} ns: {lease:?}",
                    lease.id, lease.key
                ));
            }
            expired += u32::from(lease.revoked.is_none());
        }
        if living.contains(&lease.key) {
            return Err(format!("lease {:x} never ended, though nobody renewed it: {lease:?}", lease.id));
        }
    }
    Ok(expired)
}
