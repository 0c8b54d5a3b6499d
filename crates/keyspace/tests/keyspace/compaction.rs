//! Compaction: at once for readers, little by little for memory.

use crate::kit::{Machine, all, delete, put};
use consensus::StateMachine;
use keyspace::{Answer, KeyspaceError, Query, RangeRequest};

fn at(machine: &Machine, revision: i64) -> Result<String, KeyspaceError> {
    machine.range(RangeRequest { revision, ..all() }).map(|answer| crate::kit::keys(&answer))
}

fn hash(machine: &Machine, revision: i64) -> Result<u32, KeyspaceError> {
    match machine.keyspace.read(Query::HashKv { revision })? {
        Answer::HashKv(hash) => Ok(hash.hash),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_past_is_gone_at_once() {
    let mut machine = Machine::default();
    for key in ["a", "b", "a", "c"] {
        machine.put(put(key, "")).unwrap();
    }
    assert_eq!(machine.compact(6), Err(KeyspaceError::FutureRevision));
    assert_eq!(machine.compact(4), Ok(5), "the answer's revision is the one now");
    assert_eq!(at(&machine, 3), Err(KeyspaceError::Compacted));
    assert_eq!(at(&machine, 4), Ok("a b".to_string()));
    assert_eq!(machine.compact(4), Err(KeyspaceError::Compacted));
    assert_eq!(machine.compact(3), Err(KeyspaceError::Compacted));
    assert_eq!(machine.compact(5), Ok(5));
}

#[test]
fn before_the_first_compaction_even_revision_zero_can_be_compacted() {
    // As in etcd, whose last compaction is at first -1.
    let mut machine = Machine::default();
    assert_eq!(machine.compact(-1), Err(KeyspaceError::Compacted));
    assert_eq!(machine.compact(0), Ok(1));
    assert_eq!(machine.compact(0), Err(KeyspaceError::Compacted));
}

#[test]
fn a_sweep_frees_what_cannot_be_read_and_nothing_else() {
    let mut machine = Machine::default();
    for round in 0..100 {
        for key in 0..100 {
            machine.put(put(&format!("{key:03}"), &format!("{round}"))).unwrap();
        }
    }
    machine.delete(delete("050", "\0"));
    let before = machine.keyspace.status().db_size;
    let revision = machine.keyspace.revision();
    machine.compact(revision - 1).unwrap();
    while machine.keyspace.sweep(100) {}
    let after = machine.keyspace.status().db_size;
    assert!(after * 50 < before, "{before} bytes became {after}");
    assert_eq!(machine.range(RangeRequest { revision: revision - 1, ..all() }).unwrap().count, 100);
    assert_eq!(machine.range(all()).unwrap().count, 50);

    machine.compact(revision).unwrap();
    while machine.keyspace.sweep(100) {}
    machine.put(put("x", "")).unwrap();
    machine.compact(revision + 1).unwrap();
    while machine.keyspace.sweep(100) {}
    assert_eq!(machine.range(all()).unwrap().count, 51);
}

#[test]
fn what_a_compaction_made_unreadable_goes_with_the_sweep_and_not_with_commands() {
    let mut machine = Machine::default();
    for _ in 0..1000 {
        machine.put(put("a", "")).unwrap();
    }
    let before = machine.keyspace.status().db_size;
    machine.compact(1001).unwrap();
    for _ in 0..100 {
        machine.put(put("b", "")).unwrap();
    }
    assert!(machine.keyspace.status().db_size > before);
    while machine.keyspace.sweep(16) {}
    assert!(machine.keyspace.status().db_size * 5 < before);
}

#[test]
fn a_sweep_that_is_overtaken_by_compactions_still_comes_round() {
    let mut machine = Machine::default();
    for round in 0..10 {
        // Backwards, so that the last compactions free what the sweep passed first.
        for key in (0..100).rev() {
            machine.put(put(&format!("{key:03}"), &format!("{round}"))).unwrap();
        }
    }
    for revision in 2..=1001 {
        machine.compact(revision).unwrap();
    }
    while machine.keyspace.sweep(7) {}
    let mut fresh = Machine::default();
    for key in 0..100 {
        fresh.put(put(&format!("{key:03}"), "9")).unwrap();
    }
    assert_eq!(machine.keyspace.status().db_size, fresh.keyspace.status().db_size);
}

#[test]
fn a_deletion_exactly_at_the_compaction_is_kept_but_not_hashed() {
    let mut machine = Machine::default();
    machine.put(put("a", "")).unwrap();
    machine.put(put("b", "")).unwrap();
    machine.delete(delete("a", ""));
    machine.compact(4).unwrap();
    while machine.keyspace.sweep(100) {}
    let mut other = Machine::default();
    other.put(put("x", "")).unwrap();
    other.put(put("b", "")).unwrap();
    other.delete(delete("x", ""));
    other.compact(4).unwrap();
    while other.keyspace.sweep(100) {}
    // The two differ only in the deletion, which has the size of its key.
    assert_eq!(hash(&machine, 0), hash(&other, 0));
    let size = machine.keyspace.status().db_size;
    machine.put(put("b", "")).unwrap();
    machine.compact(5).unwrap();
    while machine.keyspace.sweep(100) {}
    assert!(machine.keyspace.status().db_size < size);
}

#[test]
fn a_hash_does_not_depend_on_how_far_the_sweep_is() {
    let mut machine = Machine::default();
    for round in 0..5 {
        for key in 0..50 {
            machine.put(put(&format!("{key:03}"), &format!("{round}"))).unwrap();
        }
    }
    machine.delete(delete("000", "020"));
    machine.compact(200).unwrap();
    let before = (hash(&machine, 0), hash(&machine, 230), hash(&machine, 200));
    while machine.keyspace.sweep(100) {}
    assert_eq!((hash(&machine, 0), hash(&machine, 230), hash(&machine, 200)), before);
    assert_eq!(hash(&machine, 199), Err(KeyspaceError::Compacted));
    assert_eq!(hash(&machine, 1000), Err(KeyspaceError::FutureRevision));
}
