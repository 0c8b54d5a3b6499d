//! HashKV, against what etcd 3.5.16 answered to the same commands (its peer port, /members/hashkv).

use crate::kit::{Machine, delete, put, txn};
use consensus::StateMachine;
use keyspace::{Answer, Command, HashKv, KeyspaceError, Op, PutRequest, Query, Response};

fn hash(machine: &Machine, revision: i64) -> Result<HashKv, KeyspaceError> {
    match machine.keyspace.read(Query::HashKv { revision })? {
        Answer::HashKv(hash) => Ok(hash),
        other => panic!("{other:?}"),
    }
}

/// Revision now, hash, and last compaction.
fn seen(machine: &Machine, revision: i64) -> (i64, u32, i64) {
    let hash = hash(machine, revision).unwrap();
    (hash.revision, hash.hash, hash.compact_revision)
}

fn revoke(machine: &mut Machine, id: i64) -> Response {
    machine.apply(Command::LeaseRevoke { id })
}

#[test]
fn the_same_history_has_etcds_hash() {
    let leased = |key, value| PutRequest { lease: 7, ..put(key, value) };
    let mut machine = Machine::default();
    assert_eq!(seen(&machine, 0), (1, 1_084_519_789, -1));
    machine.grant(7, 60).unwrap();
    machine.put(put("a", "1")).unwrap();
    machine.put(leased("b", "2")).unwrap();
    machine.put(put("a", "3")).unwrap();
    machine.delete(delete("a", ""));
    machine.txn(txn(vec![], vec![Op::Put(leased("c", "4")), Op::Put(put("d", ""))], vec![])).unwrap();
    assert_eq!(seen(&machine, 0), (6, 1_043_219_220, -1));
    assert_eq!(seen(&machine, 4), (6, 2_719_140_733, -1));

    machine.compact(5).unwrap();
    assert_eq!(seen(&machine, 0), (6, 2_432_639_649, 5));
    revoke(&mut machine, 7).unwrap();
    assert_eq!(seen(&machine, 0), (7, 2_512_937_193, 5));
    assert_eq!(seen(&machine, 6), (7, 2_432_639_649, 5));
    // Without any key left nothing is held against what a compaction kept.
    machine.delete(delete("\0", "\0"));
    assert_eq!(seen(&machine, 0), (8, 3_805_806_486, 5));
}

#[test]
fn only_what_can_be_read_can_be_hashed() {
    let mut machine = Machine::default();
    machine.put(put("a", "")).unwrap();
    machine.put(put("a", "")).unwrap();
    machine.compact(3).unwrap();
    assert_eq!(hash(&machine, 2), Err(KeyspaceError::Compacted));
    assert_eq!(hash(&machine, 4), Err(KeyspaceError::FutureRevision));
    assert_eq!(hash(&machine, 3).unwrap().hash_revision, 3);
}
