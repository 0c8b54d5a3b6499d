//! Puts and deletes.

use crate::kit::{Machine, all, bytes, delete, put, range};
use keyspace::{Answer, Command, DeleteRangeRequest, KeyspaceError, PutRequest};

#[test]
fn the_empty_store_is_at_revision_one_and_each_write_makes_the_next() {
    let mut machine = Machine::default();
    assert_eq!(machine.range(all()).unwrap().revision, 1);
    assert_eq!(machine.put(put("a", "1")).unwrap().revision, 2);
    assert_eq!(machine.put(put("a", "2")).unwrap().revision, 3);
    assert_eq!(machine.delete(delete("a", "")).revision, 4);
    assert_eq!(machine.keyspace.revision(), 4);
}

#[test]
fn a_delete_of_nothing_makes_no_revision() {
    let mut machine = Machine::default();
    machine.put(put("a", "1")).unwrap();
    let answer = machine.delete(DeleteRangeRequest { prev_kv: true, ..delete("b", "\0") });
    assert_eq!((answer.revision, answer.deleted, answer.prev_kvs.len()), (2, 0, 0));
    assert_eq!(machine.keyspace.revision(), 2);
}

#[test]
fn a_range_is_deleted_at_one_revision() {
    let mut machine = Machine::default();
    for key in ["a", "b", "c", "d"] {
        machine.put(put(key, key)).unwrap();
    }
    let answer = machine.delete(DeleteRangeRequest { prev_kv: true, ..delete("b", "d") });
    assert_eq!((answer.revision, answer.deleted), (6, 2));
    let previous: Vec<_> = answer.prev_kvs.iter().map(|kv| (kv.key.clone(), kv.value.clone(), kv.mod_revision)).collect();
    assert_eq!(previous, [(bytes("b"), bytes("b"), 3), (bytes("c"), bytes("c"), 4)]);
    assert_eq!(machine.keys(all()), "a d");
}

#[test]
fn prev_kv_is_what_was_there_before() {
    let mut machine = Machine::default();
    let request = |value| PutRequest { prev_kv: true, ..put("a", value) };
    assert_eq!(machine.put(request("1")).unwrap().prev_kv, None);
    let before = machine.put(request("2")).unwrap().prev_kv.unwrap();
    assert_eq!((before.value, before.mod_revision, before.version), (bytes("1"), 2, 1));
    machine.delete(delete("a", ""));
    assert_eq!(machine.put(request("3")).unwrap().prev_kv, None);
}

#[test]
fn what_is_to_be_kept_must_be_there() {
    let mut machine = Machine::default();
    machine.grant(7, 60).unwrap();
    let keep_value = PutRequest { ignore_value: true, lease: 7, ..put("a", "") };
    let keep_lease = PutRequest { ignore_lease: true, ..put("a", "new") };
    assert_eq!(machine.put(keep_value.clone()), Err(KeyspaceError::KeyNotFound));
    assert_eq!(machine.put(keep_lease.clone()), Err(KeyspaceError::KeyNotFound));
    assert_eq!(machine.keyspace.revision(), 1);

    machine.put(put("a", "old")).unwrap();
    machine.put(keep_value).unwrap();
    machine.put(keep_lease).unwrap();
    let kv = machine.range(range("a", "")).unwrap().kvs[0].clone();
    assert_eq!((kv.value, kv.lease, kv.version), (bytes("new"), 7, 3));
}

#[test]
fn a_missing_lease_is_named_before_a_missing_key() {
    let mut machine = Machine::default();
    let request = PutRequest { ignore_value: true, lease: 7, ..put("a", "") };
    assert_eq!(machine.put(request), Err(KeyspaceError::LeaseNotFound));
}

#[test]
fn a_range_in_the_log_just_reads() {
    let mut machine = Machine::default();
    machine.put(put("a", "1")).unwrap();
    match machine.apply(Command::Range(all())) {
        Ok(Answer::Range(answer)) => assert_eq!((answer.revision, answer.count), (2, 1)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_cannot_be_applied_says_so() {
    let mut machine = Machine::default();
    let refused = machine.apply(Command::Unsupported("auth_enable".into())).unwrap_err();
    assert_eq!(refused.to_string(), "etcdserver: auth_enable is not supported");
}
