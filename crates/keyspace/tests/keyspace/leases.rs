//! Leases: which keys hang on them, and what their end does.

use crate::kit::{Machine, all, bytes, delete, put, range, txn};
use consensus::StateMachine;
use keyspace::{Answer, Command, KeyspaceError, LeaseCheckpoint, Op, PutRequest, Query, RangeRequest};

fn leased(key: &str, lease: i64) -> PutRequest {
    PutRequest { lease, ..put(key, "") }
}

fn keys_of(machine: &Machine, id: i64) -> Option<Vec<String>> {
    match machine.keyspace.read(Query::Lease { id, keys: true }).unwrap() {
        Answer::Lease { lease, .. } => {
            lease.map(|lease| lease.keys.iter().map(|key| String::from_utf8(key.to_vec()).unwrap()).collect())
        }
        other => panic!("{other:?}"),
    }
}

fn revoke(machine: &mut Machine, id: i64) -> Result<i64, KeyspaceError> {
    match machine.apply(Command::LeaseRevoke { id })? {
        Answer::LeaseRevoke { revision } => Ok(revision),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_lease_is_granted_once_and_not_for_ever() {
    let mut machine = Machine::default();
    assert_eq!(machine.grant(7, 1), Ok(2), "the least that is granted");
    assert_eq!(machine.grant(7, 60), Err(KeyspaceError::LeaseExists));
    assert_eq!(machine.grant(8, 9_000_000_001), Err(KeyspaceError::LeaseTtlTooLarge));
    machine.keyspace.set_min_lease_ttl(10);
    assert_eq!(machine.grant(8, 1), Ok(10));
    assert_eq!(machine.keyspace.revision(), 1, "leases make no revisions");
    match machine.keyspace.read(Query::Leases) {
        Ok(Answer::Leases { ids, .. }) => assert_eq!(ids, [7, 8]),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_put_needs_its_lease() {
    let mut machine = Machine::default();
    assert_eq!(machine.put(leased("a", 7)), Err(KeyspaceError::LeaseNotFound));
    assert_eq!(machine.keyspace.revision(), 1);
}

#[test]
fn a_put_moves_a_key_from_lease_to_lease() {
    let mut machine = Machine::default();
    machine.grant(7, 60).unwrap();
    machine.grant(8, 60).unwrap();
    machine.put(leased("a", 7)).unwrap();
    machine.put(leased("b", 7)).unwrap();
    assert_eq!(keys_of(&machine, 7).unwrap(), ["a", "b"]);
    machine.put(leased("a", 8)).unwrap();
    machine.put(leased("b", 7)).unwrap();
    assert_eq!((keys_of(&machine, 7).unwrap(), keys_of(&machine, 8).unwrap()), (vec!["b".into()], vec!["a".into()]));
    machine.put(put("a", "")).unwrap();
    machine.delete(delete("b", ""));
    assert_eq!((keys_of(&machine, 7).unwrap().len(), keys_of(&machine, 8).unwrap().len()), (0, 0));
}

#[test]
fn the_end_of_a_lease_deletes_its_keys_in_one_revision() {
    let mut machine = Machine::default();
    machine.grant(7, 60).unwrap();
    for key in ["c", "a", "b"] {
        machine.put(leased(key, 7)).unwrap();
    }
    machine.put(put("d", "")).unwrap();
    assert_eq!(revoke(&mut machine, 7), Ok(6));
    assert_eq!(machine.keys(all()), "d");
    assert_eq!(machine.keys(RangeRequest { revision: 5, ..all() }), "a b c d");
    assert_eq!(revoke(&mut machine, 7), Err(KeyspaceError::LeaseNotFound));
    assert_eq!(keys_of(&machine, 7), None);
}

#[test]
fn the_end_of_a_lease_without_keys_makes_no_revision() {
    let mut machine = Machine::default();
    machine.grant(7, 60).unwrap();
    assert_eq!(revoke(&mut machine, 7), Ok(1));
}

#[test]
fn a_new_lease_of_the_same_id_does_not_inherit() {
    let mut machine = Machine::default();
    machine.grant(7, 60).unwrap();
    machine.put(leased("a", 7)).unwrap();
    revoke(&mut machine, 7).unwrap();
    machine.grant(7, 60).unwrap();
    machine.put(put("a", "")).unwrap();
    assert_eq!(keys_of(&machine, 7).unwrap().len(), 0);
    assert_eq!(machine.range(range("a", "")).unwrap().kvs[0].lease, 0);
}

#[test]
fn transactions_attach_and_detach_in_order() {
    let mut machine = Machine::default();
    machine.grant(7, 60).unwrap();
    machine.put(leased("a", 7)).unwrap();
    let ops = vec![Op::DeleteRange(delete("a", "")), Op::Put(leased("b", 7))];
    machine.txn(txn(vec![], ops, vec![])).unwrap();
    assert_eq!(keys_of(&machine, 7).unwrap(), ["b"]);
}

#[test]
fn checkpoints_are_kept() {
    let mut machine = Machine::default();
    machine.grant(7, 60).unwrap();
    let checkpoint = |id| LeaseCheckpoint { id, remaining_ttl: 30 };
    let answer = machine.apply(Command::LeaseCheckpoint(vec![checkpoint(7), checkpoint(8)]));
    assert_eq!(answer, Ok(Answer::LeaseCheckpoint { revision: 1 }));
    match machine.keyspace.read(Query::Lease { id: 7, keys: false }) {
        Ok(Answer::Lease { lease: Some(lease), .. }) => assert_eq!((lease.granted_ttl, lease.remaining_ttl), (60, 30)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_stored_key_does_not_hold_the_message_that_brought_it() {
    let mut machine = Machine::default();
    let message = bytes(&"x".repeat(1000));
    let request = PutRequest { key: message.slice(..1), value: message.slice(1..2), ..PutRequest::default() };
    machine.put(request).unwrap();
    assert!(message.is_unique(), "nobody else holds it");
}
