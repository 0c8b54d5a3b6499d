//! Between etcd's KV messages and what [`keyspace`] understands. Keys and values are moved or shared, never copied.
//!
//! From the log everything is taken as etcd takes it: a number that the protocol does not define means what it means to Go's
//! code. What clients send is checked first, by [`keyspace::check_put`] and its siblings and by [`check_sort`] here.

use crate::error::{ClientError, Known};
use crate::pb::etcdserverpb as pb;
use crate::pb::mvccpb;
use keyspace::{
    CompactRequest, Compare, DeleteRangeAnswer, DeleteRangeRequest, KeyValue, Op, OpAnswer, Operand, PutAnswer, PutRequest,
    RangeAnswer, RangeRequest, Relation, SortOrder, SortTarget, TxnAnswer, TxnRequest,
};
use pb::compare::{CompareResult, CompareTarget, TargetUnion};
use pb::range_request;
use pb::request_op::Request;
use pb::response_op::Response;

/// What stands in every answer's header beside the revision.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Header {
    /// The cluster.
    pub cluster_id: u64,
    /// The member that answers.
    pub member_id: u64,
    /// The term that it takes part in.
    pub raft_term: u64,
}

impl Header {
    /// The header of an answer as of `revision`.
    pub fn at(self, revision: i64) -> pb::ResponseHeader {
        let Header { cluster_id, member_id, raft_term } = self;
        pb::ResponseHeader { cluster_id, member_id, revision, raft_term }
    }
}

/// Whether a client's order of sorting is one. The machine takes any other for none.
pub fn check_sort(request: &pb::RangeRequest) -> Result<(), ClientError> {
    let order = range_request::SortOrder::try_from(request.sort_order);
    let target = range_request::SortTarget::try_from(request.sort_target);
    if order.is_err() || target.is_err() { Err(Known::InvalidSortOption.into()) } else { Ok(()) }
}

/// [`check_sort`] for all ranges of a transaction.
pub fn check_txn_sort(request: &pb::TxnRequest) -> Result<(), ClientError> {
    request.success.iter().chain(&request.failure).try_for_each(|op| match &op.request {
        Some(Request::RequestRange(range)) => check_sort(range),
        Some(Request::RequestTxn(txn)) => check_txn_sort(txn),
        _ => Ok(()),
    })
}

/// The answer to a range.
pub fn range_response(header: Header, answer: RangeAnswer) -> pb::RangeResponse {
    range_answer(header.at(answer.revision), answer)
}

/// The answer to a put.
pub fn put_response(header: Header, answer: PutAnswer) -> pb::PutResponse {
    put_answer(header.at(answer.revision), answer)
}

/// The answer to a delete.
pub fn delete_range_response(header: Header, answer: DeleteRangeAnswer) -> pb::DeleteRangeResponse {
    delete_range_answer(header.at(answer.revision), answer)
}

/// The answer to a transaction.
pub fn txn_response(header: Header, answer: TxnAnswer) -> pb::TxnResponse {
    txn_answer(header.at(answer.revision), answer)
}

/// The answer to a compaction.
pub fn compaction_response(header: Header, revision: i64) -> pb::CompactionResponse {
    pb::CompactionResponse { header: Some(header.at(revision)) }
}

/// The header within a transaction's answer: of all that a header says, only the revision.
fn inner(revision: i64) -> pb::ResponseHeader {
    pb::ResponseHeader { revision, ..pb::ResponseHeader::default() }
}

fn range_answer(header: pb::ResponseHeader, answer: RangeAnswer) -> pb::RangeResponse {
    let kvs = answer.kvs.into_iter().map(Into::into).collect();
    pb::RangeResponse { header: Some(header), kvs, more: answer.more, count: answer.count }
}

fn put_answer(header: pb::ResponseHeader, answer: PutAnswer) -> pb::PutResponse {
    pb::PutResponse { header: Some(header), prev_kv: answer.prev_kv.map(Into::into) }
}

fn delete_range_answer(header: pb::ResponseHeader, answer: DeleteRangeAnswer) -> pb::DeleteRangeResponse {
    let prev_kvs = answer.prev_kvs.into_iter().map(Into::into).collect();
    pb::DeleteRangeResponse { header: Some(header), deleted: answer.deleted, prev_kvs }
}

fn txn_answer(header: pb::ResponseHeader, answer: TxnAnswer) -> pb::TxnResponse {
    let responses = answer.responses.into_iter().map(op_answer).collect();
    pb::TxnResponse { header: Some(header), succeeded: answer.succeeded, responses }
}

fn op_answer(answer: OpAnswer) -> pb::ResponseOp {
    let response = match answer {
        OpAnswer::Range(range) => Some(Response::ResponseRange(range_answer(inner(range.revision), range))),
        OpAnswer::Put(put) => Some(Response::ResponsePut(put_answer(inner(put.revision), put))),
        OpAnswer::DeleteRange(delete) => Some(Response::ResponseDeleteRange(delete_range_answer(inner(delete.revision), delete))),
        OpAnswer::Txn(txn) => Some(Response::ResponseTxn(txn_answer(inner(txn.revision), txn))),
        OpAnswer::Empty => None,
    };
    pb::ResponseOp { response }
}

impl From<KeyValue> for mvccpb::KeyValue {
    fn from(kv: KeyValue) -> Self {
        let KeyValue { key, create_revision, mod_revision, version, value, lease } = kv;
        mvccpb::KeyValue { key, create_revision, mod_revision, version, value, lease }
    }
}

impl From<pb::RangeRequest> for RangeRequest {
    fn from(request: pb::RangeRequest) -> Self {
        RangeRequest {
            sort_order: sort_order(request.sort_order),
            sort_target: sort_target(request.sort_target),
            key: request.key,
            range_end: request.range_end,
            limit: request.limit,
            revision: request.revision,
            serializable: request.serializable,
            keys_only: request.keys_only,
            count_only: request.count_only,
            min_mod_revision: request.min_mod_revision,
            max_mod_revision: request.max_mod_revision,
            min_create_revision: request.min_create_revision,
            max_create_revision: request.max_create_revision,
        }
    }
}

impl From<&RangeRequest> for pb::RangeRequest {
    fn from(request: &RangeRequest) -> Self {
        pb::RangeRequest {
            key: request.key.clone(),
            range_end: request.range_end.clone(),
            limit: request.limit,
            revision: request.revision,
            sort_order: match request.sort_order {
                SortOrder::None => range_request::SortOrder::None,
                SortOrder::Ascend => range_request::SortOrder::Ascend,
                SortOrder::Descend => range_request::SortOrder::Descend,
            }
            .into(),
            sort_target: match request.sort_target {
                SortTarget::Key => range_request::SortTarget::Key,
                SortTarget::Version => range_request::SortTarget::Version,
                SortTarget::Create => range_request::SortTarget::Create,
                SortTarget::Mod => range_request::SortTarget::Mod,
                SortTarget::Value => range_request::SortTarget::Value,
            }
            .into(),
            serializable: request.serializable,
            keys_only: request.keys_only,
            count_only: request.count_only,
            min_mod_revision: request.min_mod_revision,
            max_mod_revision: request.max_mod_revision,
            min_create_revision: request.min_create_revision,
            max_create_revision: request.max_create_revision,
        }
    }
}

fn sort_order(number: i32) -> SortOrder {
    match range_request::SortOrder::try_from(number) {
        Ok(range_request::SortOrder::None) | Err(_) => SortOrder::None,
        Ok(range_request::SortOrder::Ascend) => SortOrder::Ascend,
        Ok(range_request::SortOrder::Descend) => SortOrder::Descend,
    }
}

fn sort_target(number: i32) -> SortTarget {
    match range_request::SortTarget::try_from(number) {
        Ok(range_request::SortTarget::Key) | Err(_) => SortTarget::Key,
        Ok(range_request::SortTarget::Version) => SortTarget::Version,
        Ok(range_request::SortTarget::Create) => SortTarget::Create,
        Ok(range_request::SortTarget::Mod) => SortTarget::Mod,
        Ok(range_request::SortTarget::Value) => SortTarget::Value,
    }
}

impl From<pb::PutRequest> for PutRequest {
    fn from(request: pb::PutRequest) -> Self {
        let pb::PutRequest { key, value, lease, prev_kv, ignore_value, ignore_lease } = request;
        PutRequest { key, value, lease, prev_kv, ignore_value, ignore_lease }
    }
}

impl From<&PutRequest> for pb::PutRequest {
    fn from(request: &PutRequest) -> Self {
        let PutRequest { key, value, lease, prev_kv, ignore_value, ignore_lease } = request.clone();
        pb::PutRequest { key, value, lease, prev_kv, ignore_value, ignore_lease }
    }
}

impl From<pb::DeleteRangeRequest> for DeleteRangeRequest {
    fn from(request: pb::DeleteRangeRequest) -> Self {
        let pb::DeleteRangeRequest { key, range_end, prev_kv } = request;
        DeleteRangeRequest { key, range_end, prev_kv }
    }
}

impl From<&DeleteRangeRequest> for pb::DeleteRangeRequest {
    fn from(request: &DeleteRangeRequest) -> Self {
        let DeleteRangeRequest { key, range_end, prev_kv } = request.clone();
        pb::DeleteRangeRequest { key, range_end, prev_kv }
    }
}

impl From<pb::CompactionRequest> for CompactRequest {
    fn from(request: pb::CompactionRequest) -> Self {
        CompactRequest { revision: request.revision, physical: request.physical }
    }
}

impl From<&CompactRequest> for pb::CompactionRequest {
    fn from(request: &CompactRequest) -> Self {
        pb::CompactionRequest { revision: request.revision, physical: request.physical }
    }
}

impl From<pb::TxnRequest> for TxnRequest {
    fn from(request: pb::TxnRequest) -> Self {
        let ops = |ops: Vec<pb::RequestOp>| ops.into_iter().map(Into::into).collect();
        TxnRequest {
            compare: request.compare.into_iter().map(Into::into).collect(),
            success: ops(request.success),
            failure: ops(request.failure),
        }
    }
}

impl From<&TxnRequest> for pb::TxnRequest {
    fn from(request: &TxnRequest) -> Self {
        let ops = |ops: &[Op]| ops.iter().map(Into::into).collect();
        pb::TxnRequest {
            compare: request.compare.iter().map(Into::into).collect(),
            success: ops(&request.success),
            failure: ops(&request.failure),
        }
    }
}

impl From<pb::RequestOp> for Op {
    fn from(op: pb::RequestOp) -> Self {
        match op.request {
            Some(Request::RequestRange(range)) => Op::Range(range.into()),
            Some(Request::RequestPut(put)) => Op::Put(put.into()),
            Some(Request::RequestDeleteRange(delete)) => Op::DeleteRange(delete.into()),
            Some(Request::RequestTxn(txn)) => Op::Txn(txn.into()),
            None => Op::Empty,
        }
    }
}

impl From<&Op> for pb::RequestOp {
    fn from(op: &Op) -> Self {
        let request = match op {
            Op::Range(range) => Some(Request::RequestRange(range.into())),
            Op::Put(put) => Some(Request::RequestPut(put.into())),
            Op::DeleteRange(delete) => Some(Request::RequestDeleteRange(delete.into())),
            Op::Txn(txn) => Some(Request::RequestTxn(txn.into())),
            Op::Empty => None,
        };
        pb::RequestOp { request }
    }
}

impl From<pb::Compare> for Compare {
    fn from(compare: pb::Compare) -> Self {
        let relation = match CompareResult::try_from(compare.result) {
            Ok(CompareResult::Equal) => Relation::Equal,
            Ok(CompareResult::Greater) => Relation::Greater,
            Ok(CompareResult::Less) => Relation::Less,
            Ok(CompareResult::NotEqual) => Relation::NotEqual,
            Err(_) => Relation::Undefined(compare.result),
        };
        Compare {
            relation,
            operand: operand(compare.target, compare.target_union),
            key: compare.key,
            range_end: compare.range_end,
        }
    }
}

/// What to compare with. The target decides: an operand that belongs to another target counts as absent, hence zero.
fn operand(target: i32, union: Option<TargetUnion>) -> Operand {
    match (CompareTarget::try_from(target), union) {
        (Ok(CompareTarget::Version), Some(TargetUnion::Version(version))) => Operand::Version(version),
        (Ok(CompareTarget::Version), _) => Operand::Version(0),
        (Ok(CompareTarget::Create), Some(TargetUnion::CreateRevision(revision))) => Operand::Create(revision),
        (Ok(CompareTarget::Create), _) => Operand::Create(0),
        (Ok(CompareTarget::Mod), Some(TargetUnion::ModRevision(revision))) => Operand::Mod(revision),
        (Ok(CompareTarget::Mod), _) => Operand::Mod(0),
        (Ok(CompareTarget::Value), Some(TargetUnion::Value(value))) => Operand::Value(value),
        (Ok(CompareTarget::Value), _) => Operand::Value(bytes::Bytes::new()),
        (Ok(CompareTarget::Lease), Some(TargetUnion::Lease(lease))) => Operand::Lease(lease),
        (Ok(CompareTarget::Lease), _) => Operand::Lease(0),
        (Err(_), _) => Operand::Undefined(target),
    }
}

impl From<&Compare> for pb::Compare {
    fn from(compare: &Compare) -> Self {
        let (target, target_union) = match &compare.operand {
            Operand::Version(version) => (CompareTarget::Version.into(), Some(TargetUnion::Version(*version))),
            Operand::Create(revision) => (CompareTarget::Create.into(), Some(TargetUnion::CreateRevision(*revision))),
            Operand::Mod(revision) => (CompareTarget::Mod.into(), Some(TargetUnion::ModRevision(*revision))),
            Operand::Value(value) => (CompareTarget::Value.into(), Some(TargetUnion::Value(value.clone()))),
            Operand::Lease(lease) => (CompareTarget::Lease.into(), Some(TargetUnion::Lease(*lease))),
            Operand::Undefined(number) => (*number, None),
        };
        let result = match compare.relation {
            Relation::Equal => CompareResult::Equal.into(),
            Relation::Greater => CompareResult::Greater.into(),
            Relation::Less => CompareResult::Less.into(),
            Relation::NotEqual => CompareResult::NotEqual.into(),
            Relation::Undefined(number) => number,
        };
        pb::Compare { result, target, key: compare.key.clone(), range_end: compare.range_end.clone(), target_union }
    }
}
