//! Alarms, and what they forbid.

use crate::{Alarm, AlarmAction, AlarmKind, AlarmRequest, Command, KeyspaceError, Op};
use alloc::collections::BTreeSet;
use alloc::vec;
use alloc::vec::Vec;

/// The raised alarms. They go through the log and decide what later commands do, so all members must hold the same.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Alarms {
    raised: BTreeSet<Alarm>,
    guard: Guard,
}

/// What is forbidden.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Guard {
    /// Nothing.
    #[default]
    Open,
    /// To store anything.
    Capped,
    /// To do anything.
    Corrupt,
}

impl Alarms {
    pub(crate) fn from_parts(raised: BTreeSet<Alarm>, guard: Guard) -> Alarms {
        Alarms { raised, guard }
    }

    pub(crate) fn raised(&self) -> impl ExactSizeIterator<Item = &Alarm> {
        self.raised.iter()
    }

    pub(crate) fn guard(&self) -> Guard {
        self.guard
    }

    /// Raises, clears or lists. The guard is etcd's to the letter: the first alarm of a kind puts its guard in force whatever was
    /// in force, and clearing the last of a kind opens it, even while one of the other kind is raised.
    pub(crate) fn apply(&mut self, request: AlarmRequest) -> Vec<Alarm> {
        let AlarmRequest { action, member, alarm } = request;
        let asked = Alarm { alarm, member };
        match action {
            AlarmAction::Get => {
                self.raised.iter().filter(|raised| alarm == AlarmKind::None || raised.alarm == alarm).copied().collect()
            }
            AlarmAction::Activate => {
                let guard = match alarm {
                    AlarmKind::None => return Vec::new(),
                    AlarmKind::NoSpace => Guard::Capped,
                    AlarmKind::Corrupt => Guard::Corrupt,
                };
                if !self.is_raised(alarm) {
                    self.guard = guard;
                }
                self.raised.insert(asked);
                vec![asked]
            }
            AlarmAction::Deactivate => {
                if !self.raised.remove(&asked) {
                    return Vec::new();
                }
                if !self.is_raised(alarm) {
                    self.guard = Guard::Open;
                }
                vec![asked]
            }
        }
    }

    /// Why a command is refused, if it is. A transaction stores something if there is a put in its own branches; etcd does not
    /// look into nested ones.
    pub(crate) fn refuse(&self, command: &Command) -> Option<KeyspaceError> {
        match (self.guard, command) {
            (Guard::Open, _) => None,
            (Guard::Capped, Command::Put(_) | Command::LeaseGrant(_)) => Some(KeyspaceError::NoSpace),
            (Guard::Capped, Command::Txn(txn)) => {
                let puts = txn.success.iter().chain(&txn.failure).any(|op| matches!(op, Op::Put(_)));
                puts.then_some(KeyspaceError::NoSpace)
            }
            (Guard::Capped, _) => None,
            (
                Guard::Corrupt,
                Command::Put(_)
                | Command::Range(_)
                | Command::DeleteRange(_)
                | Command::Txn(_)
                | Command::Compact(_)
                | Command::LeaseGrant(_)
                | Command::LeaseRevoke { .. },
            ) => Some(KeyspaceError::Corrupt),
            (Guard::Corrupt, _) => None,
        }
    }

    fn is_raised(&self, alarm: AlarmKind) -> bool {
        self.raised.iter().any(|raised| raised.alarm == alarm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DeleteRangeRequest, PutRequest};

    fn alarm(action: AlarmAction, member: u64, alarm: AlarmKind) -> AlarmRequest {
        AlarmRequest { action, member, alarm }
    }

    #[test]
    fn without_space_nothing_is_stored_but_deleting_goes_on() {
        let mut alarms = Alarms::default();
        let put = Command::Put(PutRequest::default());
        assert_eq!(alarms.refuse(&put), None);
        alarms.apply(alarm(AlarmAction::Activate, 1, AlarmKind::NoSpace));
        alarms.apply(alarm(AlarmAction::Activate, 2, AlarmKind::NoSpace));
        assert_eq!(alarms.refuse(&put), Some(KeyspaceError::NoSpace));
        assert_eq!(alarms.refuse(&Command::DeleteRange(DeleteRangeRequest::default())), None);
        assert_eq!(alarms.apply(alarm(AlarmAction::Get, 0, AlarmKind::None)).len(), 2);
        alarms.apply(alarm(AlarmAction::Deactivate, 1, AlarmKind::NoSpace));
        assert_eq!(alarms.refuse(&put), Some(KeyspaceError::NoSpace));
        alarms.apply(alarm(AlarmAction::Deactivate, 2, AlarmKind::NoSpace));
        assert_eq!(alarms.refuse(&put), None);
    }
}
