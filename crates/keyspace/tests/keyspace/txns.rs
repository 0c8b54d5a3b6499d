//! Transactions.

use crate::kit::{Machine, all, bytes, compare, delete, keys, put, range, txn};
use consensus::StateMachine;
use keyspace::{
    Answer, Compare, KeyspaceError, Op, OpAnswer, Operand, PutRequest, Query, RangeRequest, Relation, TxnAnswer, TxnRequest,
};

/// a at revision 2, written again at 4 under lease 7; b at 3.
fn machine() -> Machine {
    let mut machine = Machine::default();
    machine.grant(7, 60).unwrap();
    machine.put(put("a", "1")).unwrap();
    machine.put(put("b", "2")).unwrap();
    machine.put(PutRequest { lease: 7, ..put("a", "3") }).unwrap();
    machine
}

fn holds(machine: &mut Machine, compare: Compare) -> bool {
    machine.txn(txn(vec![compare], vec![], vec![])).unwrap().succeeded
}

#[test]
fn every_property_compares_in_every_way() {
    let mut machine = machine();
    use Relation::{Equal, Greater, Less, NotEqual};
    type Property = (&'static str, fn(i64) -> Operand, i64);
    let properties: [Property; 4] = [
        ("version", Operand::Version, 2),
        ("create", Operand::Create, 2),
        ("mod", Operand::Mod, 4),
        ("lease", Operand::Lease, 7),
    ];
    for (name, operand, is) in properties {
        for (relation, than_less, than_same, than_more) in [
            (Equal, false, true, false),
            (NotEqual, true, false, true),
            (Greater, true, false, false),
            (Less, false, false, true),
        ] {
            let results = [is - 1, is, is + 1].map(|to| holds(&mut machine, compare("a", operand(to), relation)));
            assert_eq!(results, [than_less, than_same, than_more], "{name} {relation:?}");
        }
    }
    for (relation, expected) in [(Equal, [false, true, false]), (Greater, [true, false, false]), (Less, [false, false, true])] {
        let results = ["2", "3", "30"].map(|to| holds(&mut machine, compare("a", Operand::Value(bytes(to)), relation)));
        assert_eq!(results, expected, "value {relation:?}");
    }
}

#[test]
fn a_key_that_is_not_there_compares_as_zero_but_has_no_value() {
    let mut machine = machine();
    assert!(holds(&mut machine, compare("x", Operand::Create(0), Relation::Equal)));
    assert!(holds(&mut machine, compare("x", Operand::Version(1), Relation::Less)));
    assert!(holds(&mut machine, compare("x", Operand::Lease(7), Relation::NotEqual)));
    for relation in [Relation::Equal, Relation::NotEqual, Relation::Undefined(9)] {
        assert!(!holds(&mut machine, compare("x", Operand::Value(bytes("")), relation)));
    }
}

#[test]
fn a_range_compares_if_all_its_keys_do() {
    let mut machine = machine();
    let over_all = |operand, relation| Compare { range_end: bytes("\0"), ..compare("\0", operand, relation) };
    assert!(holds(&mut machine, over_all(Operand::Mod(2), Relation::Greater)));
    assert!(!holds(&mut machine, over_all(Operand::Mod(3), Relation::Greater)));
    assert!(!holds(&mut machine, over_all(Operand::Value(bytes("3")), Relation::Equal)));
    assert!(holds(&mut machine, Compare { range_end: bytes("z"), ..compare("x", Operand::Create(0), Relation::Equal) }));
}

#[test]
fn numbers_that_the_protocol_does_not_define_compare_as_in_etcd() {
    let mut machine = machine();
    assert!(holds(&mut machine, compare("a", Operand::Version(99), Relation::Undefined(9))));
    assert!(holds(&mut machine, compare("a", Operand::Undefined(9), Relation::Equal)));
    assert!(!holds(&mut machine, compare("a", Operand::Undefined(9), Relation::Less)));
}

#[test]
fn compares_are_anded_and_choose_the_branch() {
    let mut machine = machine();
    let yes = || compare("a", Operand::Version(2), Relation::Equal);
    let no = || compare("a", Operand::Version(3), Relation::Equal);
    for (compares, expected) in
        [(vec![], true), (vec![yes(), yes()], true), (vec![yes(), no()], false), (vec![no(), yes()], false)]
    {
        let branches = txn(compares, vec![Op::Range(range("a", ""))], vec![Op::Range(range("b", "")), Op::Range(all())]);
        let answer = machine.txn(branches).unwrap();
        assert_eq!((answer.succeeded, answer.responses.len()), (expected, if expected { 1 } else { 2 }));
    }
}

#[test]
fn all_writes_of_a_transaction_are_one_revision_and_it_reads_its_own() {
    let mut machine = machine();
    let answer = machine
        .txn(txn(
            vec![],
            vec![
                Op::Range(all()),
                Op::DeleteRange(delete("x", "")),
                Op::Put(put("c", "4")),
                Op::Range(all()),
                Op::DeleteRange(delete("a", "c")),
                Op::Range(all()),
                Op::DeleteRange(delete("a", "c")),
            ],
            vec![],
        ))
        .unwrap();
    assert_eq!(answer.revision, 5);
    let seen: Vec<_> = answer.responses.iter().map(seen).collect();
    // Each step's header has the revision as the step found it: the old one until something has changed.
    assert_eq!(seen, ["4: a b", "4: deleted 0", "5: put", "5: a b c", "5: deleted 2", "5: c", "5: deleted 0"]);
    assert_eq!(machine.keys(all()), "c");
    assert_eq!(machine.keys(RangeRequest { revision: 4, ..all() }), "a b");
    assert_eq!(machine.keyspace.revision(), 5);
}

fn seen(answer: &OpAnswer) -> String {
    match answer {
        OpAnswer::Range(range) => format!("{}: {}", range.revision, keys(range)),
        OpAnswer::Put(put) => format!("{}: put", put.revision),
        OpAnswer::DeleteRange(delete) => format!("{}: deleted {}", delete.revision, delete.deleted),
        OpAnswer::Txn(txn) => {
            format!("{}: {} [{}]", txn.revision, txn.succeeded, txn.responses.iter().map(seen).collect::<Vec<_>>().join(", "))
        }
        OpAnswer::Empty => "nothing".to_string(),
    }
}

#[test]
fn a_transaction_that_changes_nothing_makes_no_revision() {
    let mut machine = machine();
    for request in [
        txn(vec![], vec![], vec![]),
        txn(vec![], vec![Op::Range(all())], vec![]),
        txn(vec![], vec![Op::DeleteRange(delete("x", ""))], vec![Op::Put(put("a", ""))]),
    ] {
        assert_eq!(machine.txn(request).unwrap().revision, 4);
    }
    assert_eq!(machine.keyspace.revision(), 4);
}

#[test]
fn nested_comparisons_see_the_state_before_the_first_step() {
    let mut machine = machine();
    let inner = |key| {
        let absent = compare(key, Operand::Create(0), Relation::Equal);
        Op::Txn(txn(
            vec![absent],
            vec![Op::Put(put(&format!("{key}2"), "absent"))],
            vec![Op::Put(put(&format!("{key}2"), "there"))],
        ))
    };
    let answer = machine.txn(txn(vec![], vec![Op::Put(put("c", "")), inner("c"), inner("a"), Op::Empty], vec![])).unwrap();
    let seen: Vec<_> = answer.responses.iter().map(seen).collect();
    assert_eq!(seen, ["5: put", "0: true [5: put]", "0: false [5: put]", "nothing"]);
    assert_eq!(machine.value("c2", 0).unwrap(), "absent");
    assert_eq!(machine.value("a2", 0).unwrap(), "there");
}

#[test]
fn deep_nesting_follows_its_path() {
    let mut machine = Machine::default();
    let no = || compare("nothing", Operand::Version(1), Relation::Equal);
    let mut request = txn(vec![], vec![Op::Put(put("deep", "")), Op::Range(all())], vec![]);
    for level in 0..50 {
        let decoy = Op::Txn(txn(vec![], vec![Op::Put(put(&format!("decoy{level}"), ""))], vec![]));
        request = txn(vec![no()], vec![decoy.clone()], vec![Op::Txn(request), Op::Txn(txn(vec![no()], vec![decoy], vec![]))]);
    }
    assert_eq!(machine.txn(request).unwrap().revision, 2);
    assert_eq!(machine.keys(all()), "deep");
}

#[test]
fn nothing_is_written_if_any_step_cannot_be() {
    let mut machine = machine();
    machine.compact(3).unwrap();
    let read = |revision| Op::Range(RangeRequest { revision, ..all() });
    let write = || Op::Put(put("new", ""));
    let keep = |lease| Op::Put(PutRequest { ignore_value: true, lease, ..put("x", "") });
    let nested = |op| Op::Txn(txn(vec![], vec![op], vec![]));
    for (ops, expected) in [
        (vec![write(), read(2)], KeyspaceError::Compacted),
        (vec![write(), nested(read(2))], KeyspaceError::Compacted),
        (vec![write(), read(-2)], KeyspaceError::Compacted),
        // The revision that the transaction makes is still the future.
        (vec![write(), read(5)], KeyspaceError::FutureRevision),
        (vec![write(), keep(0)], KeyspaceError::KeyNotFound),
        (vec![write(), nested(keep(0))], KeyspaceError::KeyNotFound),
        (vec![write(), Op::Put(PutRequest { lease: 8, ..put("a", "") })], KeyspaceError::LeaseNotFound),
        // A put by itself would name the lease first.
        (vec![keep(8)], KeyspaceError::KeyNotFound),
        // All puts are looked at before any range, and steps in their order.
        (vec![read(2), keep(0)], KeyspaceError::KeyNotFound),
        (vec![read(5), read(2)], KeyspaceError::FutureRevision),
    ] {
        assert_eq!(machine.txn(txn(vec![], ops, vec![])), Err(expected));
    }
    assert_eq!((machine.keyspace.revision(), machine.keys(all()).as_str()), (4, "a b"));
    // What is not on the path is not looked at.
    assert!(machine.txn(txn(vec![], vec![write()], vec![read(2), keep(8)])).is_ok());
}

#[test]
fn a_key_made_earlier_in_the_transaction_is_not_there_to_be_kept() {
    let mut machine = machine();
    let keep = Op::Put(PutRequest { ignore_value: true, ..put("x", "") });
    let ops = vec![Op::Txn(txn(vec![], vec![Op::Put(put("x", ""))], vec![])), keep];
    assert_eq!(machine.txn(txn(vec![], ops, vec![])), Err(KeyspaceError::KeyNotFound));
}

#[test]
fn a_put_after_a_delete_from_here_on_begins_a_new_life() {
    // etcd's check lets this pass, and its store does this.
    let mut machine = machine();
    machine.txn(txn(vec![], vec![Op::DeleteRange(delete("a", "\0")), Op::Put(put("a", "new"))], vec![])).unwrap();
    let kv = machine.range(range("a", "")).unwrap().kvs[0].clone();
    assert_eq!((kv.create_revision, kv.mod_revision, kv.version, kv.lease), (5, 5, 1, 0));
    assert_eq!(machine.keys(all()), "a");
}

#[test]
fn a_read_only_transaction_can_be_read() {
    let machine = machine();
    let read = |request: TxnRequest| machine.keyspace.read(Query::Txn(request));
    let request = txn(vec![], vec![Op::Range(all())], vec![Op::Range(range("x", ""))]);
    assert!(request.is_read_only());
    match read(request) {
        Ok(Answer::Txn(TxnAnswer { revision, succeeded, responses })) => {
            assert_eq!((revision, succeeded, responses.len()), (4, true, 1));
        }
        other => panic!("{other:?}"),
    }
    let future = Op::Range(RangeRequest { revision: 5, ..all() });
    assert_eq!(read(txn(vec![], vec![future], vec![])), Err(KeyspaceError::FutureRevision));
    assert!(read(txn(vec![], vec![Op::Put(put("a", ""))], vec![])).is_err());
}

#[test]
fn only_ranges_make_a_transaction_read_only_and_all_of_them_make_it_serializable() {
    let local = Op::Range(RangeRequest { serializable: true, ..all() });
    let global = Op::Range(all());
    let nested = Op::Txn(txn(vec![], vec![], vec![]));
    for (success, failure, read_only, serializable) in [
        (vec![], vec![], true, true),
        (vec![local.clone()], vec![local.clone()], true, true),
        (vec![local.clone()], vec![global], true, false),
        (vec![local.clone(), nested], vec![], false, false),
        (vec![], vec![Op::Put(put("a", ""))], false, false),
    ] {
        let request = txn(vec![], success, failure);
        assert_eq!((request.is_read_only(), request.is_serializable()), (read_only, serializable));
    }
}
