//! What is refused before it goes anywhere: the same fault as etcd names.

use crate::kit::{bytes, compare, delete, put, range, txn};
use keyspace::{
    KeyspaceError, MAX_TXN_OPS, Op, Operand, PutRequest, Relation, TxnRequest, check_delete_range, check_put, check_range,
    check_txn,
};

fn refused(request: &TxnRequest) -> Option<KeyspaceError> {
    check_txn(request, MAX_TXN_OPS).err()
}

fn then(ops: Vec<Op>) -> TxnRequest {
    txn(vec![], ops, vec![])
}

fn puts(keys: &[&str]) -> Vec<Op> {
    keys.iter().map(|key| Op::Put(put(key, ""))).collect()
}

fn del(key: &str, end: &str) -> Op {
    Op::DeleteRange(delete(key, end))
}

#[test]
fn a_request_needs_a_key() {
    assert_eq!(check_range(&range("", "x")), Err(KeyspaceError::EmptyKey));
    assert_eq!(check_delete_range(&delete("", "")), Err(KeyspaceError::EmptyKey));
    assert_eq!(check_put(&PutRequest { ignore_value: true, ..put("", "v") }), Err(KeyspaceError::EmptyKey));
    assert_eq!(check_range(&range("a", "")), Ok(()));
}

#[test]
fn what_is_to_be_kept_must_not_be_sent() {
    let both = PutRequest { ignore_value: true, ignore_lease: true, lease: 1, ..put("a", "v") };
    assert_eq!(check_put(&both), Err(KeyspaceError::ValueProvided));
    assert_eq!(check_put(&PutRequest { value: bytes(""), ..both }), Err(KeyspaceError::LeaseProvided));
}

#[test]
fn a_transaction_has_at_most_so_many_operations_and_its_levels_share_them() {
    let ranges = |count| (0..count).map(|_| Op::Range(range("a", ""))).collect::<Vec<_>>();
    let compares = |count| vec![compare("a", Operand::Version(0), Relation::Equal); count];
    assert_eq!(refused(&txn(compares(128), ranges(128), ranges(128))), None);
    for request in [txn(compares(129), vec![], vec![]), then(ranges(129)), txn(vec![], vec![], ranges(129))] {
        assert_eq!(refused(&request), Some(KeyspaceError::TooManyOps));
    }
    // One operation for the nested transaction leaves 127 for what is in it.
    assert_eq!(refused(&then(vec![Op::Txn(then(ranges(127)))])), None);
    assert_eq!(refused(&then(vec![Op::Txn(then(ranges(128)))])), Some(KeyspaceError::TooManyOps));
    assert_eq!(refused(&then(vec![Op::Txn(then(ranges(100))), Op::Txn(then(ranges(100)))])), None);
}

#[test]
fn the_first_fault_is_named() {
    let no_key = compare("", Operand::Version(0), Relation::Equal);
    let too_many = then(vec![Op::Empty; 129]);
    assert_eq!(refused(&too_many), Some(KeyspaceError::TooManyOps), "the number before what they are");
    assert_eq!(refused(&txn(vec![no_key], vec![Op::Empty], vec![])), Some(KeyspaceError::EmptyKey));
    assert_eq!(refused(&txn(vec![], vec![Op::Empty], puts(&[""]))), Some(KeyspaceError::KeyNotFound));
    let twice_and_keyless = txn(vec![], puts(&["a", "a"]), puts(&[""]));
    assert_eq!(refused(&twice_and_keyless), Some(KeyspaceError::EmptyKey), "each by itself before all together");
}

#[test]
fn a_key_changes_once() {
    let duplicate = Some(KeyspaceError::DuplicateKey);
    assert_eq!(refused(&then(puts(&["a", "b"]))), None);
    assert_eq!(refused(&then(puts(&["a", "b", "a"]))), duplicate);
    assert_eq!(refused(&txn(vec![], puts(&["a"]), puts(&["a"]))), None, "only one branch is done");
    for (key, end, expected) in [
        ("b", "", duplicate.clone()),
        ("a", "c", duplicate.clone()),
        ("b", "c", duplicate.clone()),
        ("a", "b", None),
        ("c", "", None),
        ("c", "a", None),
        // etcd's check does not know that this end means all that follow.
        ("a", "\0", None),
    ] {
        let request = then(vec![Op::Put(put("b", "")), del(key, end)]);
        assert_eq!(refused(&request), expected, "delete [{key:?}, {end:?})");
    }
    assert_eq!(refused(&then(vec![del("a", "c"), del("b", "d"), del("b", "")])), None, "deletes may overlap");
}

#[test]
fn deletes_that_touch_cover_what_each_covers() {
    let spans = [("m", "p"), ("a", "c"), ("o", "r"), ("c", "e"), ("b", "d"), ("x", "y")];
    for key in ["a", "b", "c", "d", "e", "l", "m", "o", "q", "r", "w", "x", "y"] {
        let mut ops: Vec<_> = spans.iter().map(|(first, end)| del(first, end)).collect();
        ops.push(Op::Put(put(key, "")));
        let covered = spans.iter().any(|&(first, end)| first <= key && key < end);
        assert_eq!(refused(&then(ops)).is_some(), covered, "{key}");
    }
}

#[test]
fn a_key_changes_once_across_levels() {
    let duplicate = Some(KeyspaceError::DuplicateKey);
    let nested = |success, failure| Op::Txn(txn(vec![], success, failure));
    let put_in = |key| nested(puts(&[key]), vec![]);
    let del_in = |key| nested(vec![del(key, "")], vec![]);
    let outer = |ops: Vec<Op>| refused(&then(ops));
    assert_eq!(outer(vec![nested(puts(&["a"]), puts(&["a"]))]), None, "then and else of one child");
    assert_eq!(outer(vec![put_in("a"), put_in("a")]), duplicate);
    assert_eq!(outer(vec![put_in("a"), Op::Put(put("a", ""))]), duplicate);
    assert_eq!(outer(vec![nested(vec![], puts(&["a"])), put_in("a")]), duplicate);
    assert_eq!(outer(vec![put_in("a"), del("a", "b")]), duplicate);
    assert_eq!(outer(vec![del_in("a"), put_in("a")]), duplicate);
    assert_eq!(outer(vec![Op::Put(put("a", "")), del_in("a")]), duplicate);
    assert_eq!(outer(vec![put_in("a"), del_in("a")]), None, "etcd looks at a put before the later children's deletes");
    assert_eq!(outer(vec![Op::Txn(then(vec![put_in("a")])), put_in("a")]), duplicate, "two levels down");
}

#[test]
fn a_large_transaction_is_checked_in_good_time() {
    // Four levels of branching below the limit of 128: some 200,000 operations, as many as a request may have bytes for.
    fn level(depth: usize, number: &mut usize) -> TxnRequest {
        let mut ops = |count: usize| -> Vec<Op> {
            (0..count)
                .map(|_| {
                    *number += 1;
                    let key = format!("{:08}", number);
                    match depth {
                        0 if number.is_multiple_of(2) => Op::Put(put(&format!("x{key}"), "")),
                        0 => del(&key, &format!("{key}~")),
                        _ => Op::Txn(level(depth - 1, number)),
                    }
                })
                .collect()
        };
        then(ops(24))
    }
    assert_eq!(refused(&level(3, &mut 0)), None);
}
