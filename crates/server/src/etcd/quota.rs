//! The space quota: how much a member may hold before it refuses to store more.
//!
//! As in etcd the member that a client asks refuses, before anything reaches the log, and raises the alarm NOSPACE through the log,
//! upon which all members refuse. Otherwise than in etcd it counts the bytes of the history that is held, not those of a file that
//! never shrinks: a compaction makes room by itself, and when it has, the member clears the alarm that it raised.

use super::door::{Door, What};
use consensus::NodeId;
use keyspace::{Alarm, AlarmAction, AlarmKind, AlarmRequest, Command, Op, PutRequest, TxnRequest};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tracing::{info, warn};

/// What a lease counts as (etcd: leaseOverhead).
pub(crate) const LEASE_BYTES: u64 = 64;
/// What a key counts beside its own bytes (etcd: kvOverhead).
const KEY_BYTES: u64 = 256;
/// The alarm is cleared when more than this part of the quota is free, so that it does not go up and down with every put.
const ROOMY_PART: u64 = 10;
/// How often a member looks whether its alarm is still right.
const LOOK: Duration = Duration::from_secs(1);

/// How much may be held, and how much is.
#[derive(Debug)]
pub(crate) struct Quota {
    most: Option<u64>,
    held: AtomicU64,
    /// The alarm of this member is raised, or about to be, or must not be touched.
    raised: AtomicBool,
}

impl Quota {
    /// `most` bytes; `None`: any number.
    pub(crate) fn new(most: Option<u64>) -> Quota {
        Quota { most, held: AtomicU64::new(0), raised: AtomicBool::new(false) }
    }

    /// Notes how much is held now.
    pub(crate) fn note(&self, bytes: u64) {
        self.held.store(bytes, Ordering::Relaxed);
    }

    /// Whether so many bytes more may be stored. Nothing always may.
    pub(crate) fn affords(&self, bytes: u64) -> bool {
        bytes == 0 || self.most.is_none_or(|most| self.held().saturating_add(bytes) < most)
    }

    /// What is to become of this member's own alarm, if anything.
    fn wanted(&self, raised: bool) -> Option<AlarmAction> {
        let most = self.most?;
        if raised {
            (self.held() < most - most / ROOMY_PART).then_some(AlarmAction::Deactivate)
        } else {
            (self.held() >= most).then_some(AlarmAction::Activate)
        }
    }

    fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }
}

/// What a put would take.
pub(crate) fn of_put(put: &PutRequest) -> u64 {
    KEY_BYTES + (put.key.len() + put.value.len()) as u64
}

/// What the costlier branch of a transaction would take. As in etcd a transaction within it costs nothing.
pub(crate) fn of_txn(txn: &TxnRequest) -> u64 {
    let branch = |ops: &[Op]| {
        ops.iter()
            .map(|op| match op {
                Op::Put(put) => of_put(put),
                _ => 0,
            })
            .sum::<u64>()
    };
    branch(&txn.success).max(branch(&txn.failure))
}

/// Raises the alarm of member `me`, unless it is raised already: whoever goes on asking for room costs no entries of the log.
pub(crate) async fn raise(door: &Door, quota: &Quota, me: NodeId) {
    if quota.raised.swap(true, Ordering::Relaxed) {
        return;
    }
    warn!("the quota is used up: raising the alarm NOSPACE");
    change(door, me, AlarmAction::Activate).await;
}

async fn change(door: &Door, me: NodeId, action: AlarmAction) {
    let request = AlarmRequest { action, member: me.0, alarm: AlarmKind::NoSpace };
    if let Err(why) = door.ask(What::Write(Command::Alarm(request))).await {
        warn!(?why, "could not change the alarm NOSPACE");
    }
}

/// Keeps the alarm of member `me` right, as long as it lives: other members' clients fill it, too, and compactions make room.
pub(crate) async fn keep_alarm(door: Door, quota: Arc<Quota>, me: NodeId) {
    if quota.most.is_none() {
        return;
    }
    loop {
        tokio::time::sleep(LOOK).await;
        let Some(status) = door.machine_status().await else { return };
        let raised = status.alarms.contains(&Alarm { alarm: AlarmKind::NoSpace, member: me.0 });
        // Whatever changes this alarm lifts what CORRUPT forbids, as in etcd (keyspace's `Alarms::apply`). That is for people to do.
        let corrupt = status.alarms.iter().any(|alarm| alarm.alarm == AlarmKind::Corrupt);
        quota.raised.store(raised || corrupt, Ordering::Relaxed);
        if corrupt {
            continue;
        }
        match quota.wanted(raised) {
            Some(AlarmAction::Activate) => raise(&door, &quota, me).await,
            Some(action) => {
                info!("there is room again: clearing the alarm NOSPACE");
                change(&door, me, action).await;
            }
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_goes_up_when_the_quota_is_used_up_and_down_when_there_is_room_again() {
        let quota = Quota::new(Some(1000));
        for (held, when_down, when_up) in [
            (0, None, Some(AlarmAction::Deactivate)),
            (899, None, Some(AlarmAction::Deactivate)),
            (900, None, None),
            (999, None, None),
            (1000, Some(AlarmAction::Activate), None),
        ] {
            quota.note(held);
            assert_eq!((quota.wanted(false), quota.wanted(true)), (when_down, when_up), "{held} of 1000");
        }
        let tiny = Quota::new(Some(5));
        tiny.note(4);
        assert_eq!(tiny.wanted(true), Some(AlarmAction::Deactivate));
        quota.note(900);
        assert!(quota.affords(99) && !quota.affords(100));
        quota.note(2000);
        assert!(quota.affords(0), "deleting needs no room");
    }

    #[test]
    fn without_a_quota_everything_fits() {
        let quota = Quota::new(None);
        quota.note(u64::MAX);
        assert!(quota.affords(u64::MAX));
        assert_eq!((quota.wanted(true), quota.wanted(false)), (None, None));
    }

    #[test]
    fn a_transaction_costs_as_its_costlier_branch() {
        let put = |value: &'static str| Op::Put(PutRequest { key: "k".into(), value: value.into(), ..PutRequest::default() });
        let txn = TxnRequest { success: vec![put("1"), put("2")], failure: vec![put("123")], ..TxnRequest::default() };
        assert_eq!(of_txn(&txn), 2 * 258);
        assert_eq!(of_txn(&TxnRequest { success: vec![Op::Txn(txn)], ..TxnRequest::default() }), 0);
    }
}
