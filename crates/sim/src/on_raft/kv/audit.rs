//! Leases' clocks as they ought to be: kept beside those of each leader, by the rules and not by its code.

use consensus::{Instant, StateMachine};
use keyspace::{Answer, Command, Keyspace, LeaseSettings, Query, Response, Values};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Whoever is due is ended within this: leaders pause between revocations, and after one that was refused.
const GRACE: Duration = Duration::from_secs(10);

/// The clocks of one member, while it leads.
#[derive(Debug, Default)]
pub(super) struct Audit {
    leading: bool,
    /// For each lease: before when it may not be ended, and when it has to be.
    clocks: BTreeMap<i64, (Instant, Instant)>,
    /// Leases whose end is on its way.
    ending: BTreeSet<i64>,
}

fn seconds(seconds: i64) -> Duration {
    Duration::from_secs(seconds.max(0).unsigned_abs())
}

impl Audit {
    pub(super) fn abandon(&mut self) {
        *self = Audit::default();
    }

    /// A leader begins with what the log says is left of each lease: no less, and not more than the extension above it.
    pub(super) fn lead<V: Values>(&mut self, now: Instant, machine: &Keyspace<V>) -> Option<String> {
        let extension = LeaseSettings::default().extension;
        *self = Audit { leading: true, ..Audit::default() };
        let Ok(Answer::Leases { ids, .. }) = machine.read(Query::Leases) else { return None };
        let mut wrong = None;
        for id in ids {
            let Ok(Answer::Lease { lease: Some(lease), .. }) = machine.read(Query::Lease { id, keys: false }) else { continue };
            let left = if lease.remaining_ttl > 0 { lease.remaining_ttl } else { lease.granted_ttl };
            self.clocks.insert(id, (now + seconds(left), now + seconds(left) + extension));
            let starts = lease.left.unwrap_or(i64::MIN);
            if starts < left || starts > left + extension.as_secs() as i64 {
                wrong = Some(format!(
                    "lease {id:x} of {} s begins a term with {starts} s, when the log says {left}",
                    lease.granted_ttl
                ));
            }
        }
        wrong
    }

    pub(super) fn applied(&mut self, now: Instant, command: &Command, response: &Response) {
        match (command, response) {
            (Command::LeaseGrant(_), Ok(Answer::LeaseGrant { id, ttl, .. })) if self.leading => {
                self.clocks.insert(*id, (now + seconds(*ttl), now + seconds(*ttl)));
            }
            (Command::LeaseRevoke { id }, Ok(_)) => {
                self.clocks.remove(id);
                self.ending.remove(id);
            }
            (Command::LeaseRevoke { id }, Err(_)) => drop(self.ending.remove(id)),
            _ => {}
        }
    }

    pub(super) fn renewed(&mut self, now: Instant, id: i64, ttl: i64) {
        self.clocks.insert(id, (now + seconds(ttl), now + seconds(ttl)));
    }

    /// Somebody's wish to end a lease goes into the log.
    pub(super) fn revoking(&mut self, id: i64) {
        self.ending.insert(id);
    }

    /// Time has brought this about. What is wrong with it, if anything.
    pub(super) fn decided(&mut self, now: Instant, command: &Command) -> Option<String> {
        let Command::LeaseRevoke { id } = command else { return None };
        self.ending.insert(*id);
        let (earliest, _) = self.clocks.get(id)?;
        (now < *earliest).then(|| format!("lease {id:x} is ended {:?} before its time", earliest.since(now)))
    }

    /// A lease that should have been ended long before `now`, when it was last looked at.
    pub(super) fn overdue(&self, now: Instant) -> Option<String> {
        let late = |(id, (_, latest)): (&i64, &(Instant, Instant))| now > *latest + GRACE && !self.ending.contains(id);
        let (id, (_, latest)) = self.clocks.iter().find(|&(id, clock)| late((id, clock)))?;
        Some(format!("lease {id:x} ran out {:?} ago, and its leader has not ended it", now.since(*latest)))
    }
}
