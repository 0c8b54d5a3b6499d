//! Random histories, against the model.

use crate::kit::{Machine, all, bytes};
use crate::model::Model;
use bytes::Bytes;
use consensus::{Restore, StateMachine};
use keyspace::{
    Answer, Command, CompactRequest, Compare, Cursor, DeleteRangeRequest, Keyspace, LeaseGrantRequest, MAX_TXN_OPS, Op, Operand,
    PutRequest, Query, RangeRequest, Relation, SortOrder, SortTarget, TxnRequest, check_txn,
};
use proptest::prelude::*;

/// What happens in a random history.
#[derive(Clone, Debug)]
enum Step {
    Apply(Command),
    Read(RangeRequest),
    Sweep(usize),
    /// Begins a snapshot, or goes on with the one in progress.
    Snapshot(usize),
}

fn key() -> BoxedStrategy<Bytes> {
    prop_oneof![Just("a"), Just("b"), Just("ba"), Just("c"), Just("d"), Just("\0"), Just("e")].prop_map(bytes).boxed()
}

fn range_end() -> BoxedStrategy<Bytes> {
    prop_oneof![4 => Just("").prop_map(bytes), 1 => Just("\0").prop_map(bytes), 3 => key()].boxed()
}

fn value() -> BoxedStrategy<Bytes> {
    prop_oneof![Just(""), Just("1"), Just("2"), Just("long enough to be seen")].prop_map(bytes).boxed()
}

fn lease() -> BoxedStrategy<i64> {
    prop_oneof![4 => Just(0i64), 3 => 1i64..4].boxed()
}

/// Revisions near the beginning, where the histories are.
fn revision() -> BoxedStrategy<i64> {
    prop_oneof![4 => Just(0i64), 1 => Just(-1i64), 6 => 1i64..20, 2 => 20i64..60].boxed()
}

fn number() -> BoxedStrategy<i64> {
    prop_oneof![3 => Just(0i64), 4 => 1i64..4, 2 => 4i64..30].boxed()
}

fn put() -> BoxedStrategy<PutRequest> {
    (key(), value(), lease(), any::<bool>(), 0..4u8)
        .prop_map(|(key, value, lease, prev_kv, ignore)| PutRequest {
            key,
            value: if ignore & 1 == 1 { Bytes::new() } else { value },
            lease: if ignore & 2 == 2 { 0 } else { lease },
            prev_kv,
            ignore_value: ignore & 1 == 1,
            ignore_lease: ignore & 2 == 2,
        })
        .boxed()
}

fn plain_put() -> BoxedStrategy<PutRequest> {
    (key(), value(), lease()).prop_map(|(key, value, lease)| PutRequest { key, value, lease, ..PutRequest::default() }).boxed()
}

fn delete() -> BoxedStrategy<DeleteRangeRequest> {
    (key(), range_end(), any::<bool>())
        .prop_map(|(key, range_end, prev_kv)| DeleteRangeRequest { key, range_end, prev_kv })
        .boxed()
}

fn range() -> BoxedStrategy<RangeRequest> {
    let order = prop_oneof![Just(SortOrder::None), Just(SortOrder::Ascend), Just(SortOrder::Descend)];
    let target = prop_oneof![
        Just(SortTarget::Key),
        Just(SortTarget::Version),
        Just(SortTarget::Create),
        Just(SortTarget::Mod),
        Just(SortTarget::Value)
    ];
    let bound = || prop_oneof![5 => Just(0i64), 1 => 1i64..20];
    let filters = (bound(), bound(), bound(), bound());
    let limit = prop_oneof![2 => Just(0i64), 2 => 1i64..5, 1 => Just(-1i64)];
    let range_end = prop_oneof![1 => range_end(), 1 => Just(bytes("\0"))];
    (key(), range_end, limit, revision(), order, target, (any::<bool>(), 0..5u8), filters)
        .prop_map(|(key, range_end, limit, revision, sort_order, sort_target, (keys_only, count), filters)| RangeRequest {
            key,
            range_end,
            limit,
            revision,
            sort_order,
            sort_target,
            serializable: false,
            keys_only,
            count_only: count == 0,
            min_mod_revision: filters.0,
            max_mod_revision: filters.1,
            min_create_revision: filters.2,
            max_create_revision: filters.3,
        })
        .boxed()
}

fn compare() -> BoxedStrategy<Compare> {
    let relation = prop_oneof![Just(Relation::Equal), Just(Relation::NotEqual), Just(Relation::Greater), Just(Relation::Less)];
    let operand = prop_oneof![
        number().prop_map(Operand::Version),
        number().prop_map(Operand::Create),
        number().prop_map(Operand::Mod),
        number().prop_map(Operand::Lease),
        value().prop_map(Operand::Value),
    ];
    (key(), range_end(), relation, operand)
        .prop_map(|(key, range_end, relation, operand)| Compare { key, range_end, relation, operand })
        .boxed()
}

fn txn() -> BoxedStrategy<TxnRequest> {
    let op = prop_oneof![
        3 => plain_put().prop_map(Op::Put),
        1 => put().prop_map(Op::Put),
        2 => delete().prop_map(Op::DeleteRange),
        2 => range().prop_map(|mut range| {
            // Else most transactions would fail here.
            range.revision = if range.revision < 10 { 0 } else { range.revision };
            Op::Range(range)
        }),
    ];
    let ops = |op: BoxedStrategy<Op>| prop::collection::vec(op, 0..4);
    let compares = || prop::collection::vec(compare(), 0..3);
    let flat = (compares(), ops(op.clone().boxed()), ops(op.clone().boxed()))
        .prop_map(|(compare, success, failure)| TxnRequest { compare, success, failure });
    flat.prop_recursive(3, 24, 4, move |inner| {
        let op = prop_oneof![2 => op.clone(), 1 => inner.prop_map(Op::Txn)];
        (compares(), ops(op.clone().boxed()), ops(op.boxed())).prop_map(|(compare, success, failure)| TxnRequest {
            compare,
            success,
            failure,
        })
    })
    .boxed()
}

fn step() -> BoxedStrategy<Step> {
    prop_oneof![
        8 => plain_put().prop_map(|put| Step::Apply(Command::Put(put))),
        4 => put().prop_map(|put| Step::Apply(Command::Put(put))),
        4 => delete().prop_map(|delete| Step::Apply(Command::DeleteRange(delete))),
        8 => txn().prop_map(|txn| Step::Apply(Command::Txn(txn))),
        6 => range().prop_map(Step::Read),
        1 => range().prop_map(|range| Step::Apply(Command::Range(range))),
        2 => (-2i64..40).prop_map(|revision| Step::Apply(Command::Compact(CompactRequest { revision, physical: false }))),
        3 => (1i64..4, 5i64..9).prop_map(|(id, ttl)| Step::Apply(Command::LeaseGrant(LeaseGrantRequest { id, ttl }))),
        2 => (1i64..4).prop_map(|id| Step::Apply(Command::LeaseRevoke { id })),
        1 => (0usize..20).prop_map(Step::Sweep),
        3 => (0usize..300).prop_map(Step::Snapshot),
    ]
    .boxed()
}

/// Compares all that can be read.
fn compare_all(machine: &Machine, model: &Model) -> Result<(), TestCaseError> {
    prop_assert_eq!(machine.keyspace.revision(), model.revision());
    prop_assert_eq!(machine.keyspace.status().compacted, model.compacted());
    prop_assert_eq!(machine.keyspace.status().keys as i64, model.range(&all()).unwrap().count);
    for revision in 1..=model.revision() {
        let request = RangeRequest { revision, ..all() };
        prop_assert_eq!(machine.range(request.clone()), model.range(&request));
    }
    match machine.keyspace.read(Query::Leases) {
        Ok(Answer::Leases { ids, .. }) => prop_assert_eq!(ids, model.leases.keys().copied().collect::<Vec<_>>()),
        other => panic!("{other:?}"),
    }
    for (&id, &ttl) in &model.leases {
        match machine.keyspace.read(Query::Lease { id, keys: true }) {
            Ok(Answer::Lease { lease: Some(lease), .. }) => {
                prop_assert_eq!((lease.granted_ttl, lease.keys), (ttl, model.attached(id)));
            }
            other => panic!("{other:?}"),
        }
    }
    Ok(())
}

/// What a snapshot taken now restores.
fn restored(machine: &mut Machine) -> Machine {
    let mut cursor = machine.keyspace.begin_snapshot();
    let chunks: Vec<_> = std::iter::from_fn(|| machine.keyspace.snapshot_chunk(&mut cursor, 100)).collect();
    machine.keyspace.end_snapshot(cursor);
    Machine { keyspace: Keyspace::restore(&mut chunks.into_iter()).unwrap() }
}

/// A snapshot in progress, with what it must hold.
struct Taking {
    cursor: Cursor,
    chunks: Vec<Bytes>,
    then: Model,
}

fn run(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let (mut machine, mut model) = (Machine::default(), Model::new());
    let mut taking: Option<Taking> = None;
    for step in steps {
        match step {
            Step::Apply(Command::Txn(txn)) if check_txn(&txn, MAX_TXN_OPS).is_err() => {}
            Step::Apply(command) => prop_assert_eq!(machine.apply(command.clone()), model.apply(command)),
            Step::Read(request) => prop_assert_eq!(machine.range(request.clone()), model.range(&request)),
            Step::Sweep(budget) => {
                machine.keyspace.sweep(budget);
            }
            Step::Snapshot(budget) => {
                let mut now = taking.take().unwrap_or_else(|| Taking {
                    cursor: machine.keyspace.begin_snapshot(),
                    chunks: Vec::new(),
                    then: model.clone(),
                });
                match machine.keyspace.snapshot_chunk(&mut now.cursor, budget) {
                    Some(chunk) => {
                        now.chunks.push(chunk);
                        taking = Some(now);
                    }
                    None => {
                        machine.keyspace.end_snapshot(now.cursor);
                        let restored = Keyspace::restore(&mut now.chunks.into_iter()).unwrap();
                        compare_all(&Machine { keyspace: restored }, &now.then)?;
                    }
                }
            }
        }
    }
    if let Some(mut taking) = taking {
        while let Some(chunk) = machine.keyspace.snapshot_chunk(&mut taking.cursor, 100) {
            taking.chunks.push(chunk);
        }
        machine.keyspace.end_snapshot(taking.cursor);
        let restored = Keyspace::restore(&mut taking.chunks.into_iter()).unwrap();
        compare_all(&Machine { keyspace: restored }, &taking.then)?;
    }
    compare_all(&machine, &model)?;
    while machine.keyspace.sweep(3) {}
    compare_all(&machine, &model)?;
    // A snapshot holds only what is needed, and so does a machine that was swept.
    prop_assert_eq!(restored(&mut machine).keyspace.status(), machine.keyspace.status());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn the_machine_does_what_the_model_does(steps in prop::collection::vec(step(), 1..80)) {
        run(steps)?;
    }

    /// A log could hold a transaction that no check has seen; members must still agree on it and stay up.
    #[test]
    fn unchecked_transactions_do_no_harm(txns in prop::collection::vec(txn(), 1..10)) {
        let (mut one, mut other) = (Machine::default(), Machine::default());
        for txn in txns {
            prop_assert_eq!(one.txn(txn.clone()), other.txn(txn));
        }
        prop_assert_eq!(restored(&mut one).range(all()), other.range(all()));
    }
}
