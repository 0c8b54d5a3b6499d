//! Answers as clients see them, and what is odd in their requests.

use bytes::Bytes;
use etcd::error::Known;
use etcd::kv::{self, Header};
use etcd::pb::etcdserverpb::{self as pb, compare, request_op, response_op};
use keyspace::{Compare, DeleteRangeAnswer, KeyValue, OpAnswer, Operand, PutAnswer, RangeAnswer, Relation, TxnAnswer};

const HEADER: Header = Header { cluster_id: 1, member_id: 2, raft_term: 3 };

fn kv(key: &'static [u8]) -> KeyValue {
    KeyValue {
        key: Bytes::from_static(key),
        create_revision: 2,
        mod_revision: 4,
        version: 3,
        value: Bytes::from_static(b"v"),
        lease: 9,
    }
}

#[test]
fn every_answer_has_its_header() {
    let full = |revision| Some(pb::ResponseHeader { cluster_id: 1, member_id: 2, revision, raft_term: 3 });
    let range = kv::range_response(HEADER, RangeAnswer { revision: 7, kvs: vec![kv(b"a")], more: true, count: 5 });
    assert_eq!((range.header, range.more, range.count), (full(7), true, 5));
    assert_eq!(range.kvs[0].key, "a");
    assert_eq!((range.kvs[0].create_revision, range.kvs[0].mod_revision, range.kvs[0].version, range.kvs[0].lease), (2, 4, 3, 9));

    let put = kv::put_response(HEADER, PutAnswer { revision: 8, prev_kv: Some(kv(b"a")) });
    assert_eq!(put.header, full(8));
    assert_eq!(put.prev_kv.unwrap().value, "v");

    let delete = kv::delete_range_response(HEADER, DeleteRangeAnswer { revision: 9, deleted: 1, prev_kvs: vec![kv(b"a")] });
    assert_eq!((delete.header, delete.deleted, delete.prev_kvs.len()), (full(9), 1, 1));

    assert_eq!(kv::compaction_response(HEADER, 9).header, full(9));
}

#[test]
fn within_a_transaction_headers_say_the_revision_alone() {
    let nested = TxnAnswer { revision: 0, succeeded: true, responses: vec![OpAnswer::Empty] };
    let responses = vec![OpAnswer::Put(PutAnswer { revision: 8, prev_kv: None }), OpAnswer::Txn(nested)];
    let txn = kv::txn_response(HEADER, TxnAnswer { revision: 8, succeeded: true, responses });
    assert_eq!(txn.header, Some(pb::ResponseHeader { cluster_id: 1, member_id: 2, revision: 8, raft_term: 3 }));
    match &txn.responses[0].response {
        Some(response_op::Response::ResponsePut(put)) => {
            assert_eq!(put.header, Some(pb::ResponseHeader { revision: 8, ..pb::ResponseHeader::default() }));
        }
        other => panic!("not a put: {other:?}"),
    }
    match &txn.responses[1].response {
        Some(response_op::Response::ResponseTxn(txn)) => {
            assert_eq!(txn.header, Some(pb::ResponseHeader::default()));
            assert_eq!(txn.responses[0].response, None);
        }
        other => panic!("not a transaction: {other:?}"),
    }
}

#[test]
fn the_target_decides_what_is_compared() {
    let read = |target, union| {
        let compare = pb::Compare { result: 2, target, target_union: union, ..pb::Compare::default() };
        let Compare { relation, operand, .. } = compare.into();
        assert_eq!(relation, Relation::Less);
        operand
    };
    assert_eq!(read(0, Some(compare::TargetUnion::Version(5))), Operand::Version(5));
    assert_eq!(read(0, Some(compare::TargetUnion::Lease(5))), Operand::Version(0), "another target's operand");
    assert_eq!(read(3, None), Operand::Value(Bytes::new()));
    assert_eq!(read(4, None), Operand::Lease(0));
    assert_eq!(read(5, None), Operand::Undefined(5));
    let odd = pb::Compare { result: -1, ..pb::Compare::default() };
    assert_eq!(Compare::from(odd).relation, Relation::Undefined(-1));
}

#[test]
fn an_order_that_is_none_is_refused_at_the_door() {
    let odd = pb::RangeRequest { sort_target: 9, ..pb::RangeRequest::default() };
    assert_eq!(kv::check_sort(&odd), Err(Known::InvalidSortOption.into()));
    assert_eq!(kv::check_sort(&pb::RangeRequest { sort_order: 2, sort_target: 4, ..odd.clone() }), Ok(()));
    let of = |request| pb::TxnRequest { failure: vec![pb::RequestOp { request: Some(request) }], ..pb::TxnRequest::default() };
    let nested = of(request_op::Request::RequestTxn(of(request_op::Request::RequestRange(odd))));
    assert_eq!(kv::check_txn_sort(&nested), Err(Known::InvalidSortOption.into()));
    assert_eq!(kv::check_txn_sort(&pb::TxnRequest::default()), Ok(()));
}
