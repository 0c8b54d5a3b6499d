//! The model's words as etcd's messages, and back.

use crate::chaos::model::{Answer, Call, Guard, Held, Key, Step, Target, Told};
use etcd::pb::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use etcd::pb::etcdserverpb::kv_client::KvClient;
use etcd::pb::etcdserverpb::request_op::Request as Op;
use etcd::pb::etcdserverpb::response_op::Response;
use etcd::pb::etcdserverpb::{
    Compare, DeleteRangeRequest, DeleteRangeResponse, PutRequest, PutResponse, RangeRequest, RangeResponse, RequestOp,
    ResponseHeader, TxnRequest,
};
use etcd::pb::mvccpb::KeyValue;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::mpsc;
use tonic::transport::Channel;

/// Why an operation has no answer.
#[derive(Debug)]
pub enum Failure {
    /// The member said so, or nothing came: what was asked may have happened, or may yet.
    Unanswered,
    /// What it asked for is compacted.
    Compacted,
    /// The answer is no answer to what was asked: a finding in itself.
    Garbled(String),
}

pub fn key_text(key: Key) -> Vec<u8> {
    format!("{key:08}").into_bytes()
}

pub fn key_of(text: &[u8]) -> Result<Key, Failure> {
    let number = std::str::from_utf8(text).ok().filter(|text| text.len() == 8).and_then(|text| text.parse().ok());
    number.ok_or_else(|| Failure::Garbled(format!("a key that nobody wrote: {:?}", String::from_utf8_lossy(text))))
}

/// A value's number, and as many more bytes as it says: a value that was cut or mixed up is recognised.
pub fn value_text(value: u64) -> Vec<u8> {
    let mut text = format!("{value:020}").into_bytes();
    text.extend((0..value % 250).map(|byte| b'a' + ((value + byte) % 26) as u8));
    text
}

pub fn held(kv: &KeyValue) -> Result<(Key, Held), Failure> {
    let value: Option<u64> =
        kv.value.get(..20).and_then(|digits| std::str::from_utf8(digits).ok()).and_then(|text| text.parse().ok());
    let value = value.filter(|value| value_text(*value) == kv.value);
    let value = value.ok_or_else(|| Failure::Garbled(format!("a value that nobody wrote: {kv:?}")))?;
    let held = Held { value, created: kv.create_revision, modified: kv.mod_revision, version: kv.version, lease: kv.lease };
    Ok((key_of(&kv.key)?, held))
}

/// What a client still has to say on a stream.
pub struct Outgoing<T>(pub mpsc::Receiver<T>);

impl<T> futures_core::Stream for Outgoing<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        self.0.poll_recv(context)
    }
}

/// Asks, and waits for as long as it takes.
pub async fn perform(kv: &mut KvClient<Channel>, call: &Call) -> Result<Answer, Failure> {
    if let ([], [step], []) = (&call.guards[..], &call.then[..], &call.otherwise[..]) {
        return Ok(match step {
            Step::Put { key, value, lease } => {
                let answer = kv.put(put(*key, *value, *lease)).await.map_err(refused)?.into_inner();
                plain(answer.header.as_ref(), told_put(&answer)?)?
            }
            Step::Delete { from, to } => {
                let answer = kv.delete_range(delete(*from, *to)).await.map_err(refused)?.into_inner();
                plain(answer.header.as_ref(), told_deleted(&answer)?)?
            }
            Step::Range { from, to } => {
                let request = RangeRequest { revision: call.revision, serializable: call.serializable, ..range(*from, *to) };
                let answer = kv.range(request).await.map_err(refused)?.into_inner();
                plain(answer.header.as_ref(), told_range(&answer)?)?
            }
        });
    }
    let operations = |steps: &[Step]| steps.iter().map(operation).collect();
    let request = TxnRequest {
        compare: call.guards.iter().map(compare).collect(),
        success: operations(&call.then),
        failure: operations(&call.otherwise),
    };
    let answer = kv.txn(request).await.map_err(refused)?.into_inner();
    let told: Result<Vec<Told>, Failure> = answer
        .responses
        .iter()
        .map(|op| match &op.response {
            Some(Response::ResponsePut(answer)) => told_put(answer),
            Some(Response::ResponseDeleteRange(answer)) => told_deleted(answer),
            Some(Response::ResponseRange(answer)) => told_range(answer),
            other => Err(Failure::Garbled(format!("no answer to a step: {other:?}"))),
        })
        .collect();
    Ok(Answer { revision: revision(answer.header.as_ref())?, succeeded: answer.succeeded, told: told? })
}

fn put(key: Key, value: u64, lease: i64) -> PutRequest {
    PutRequest { key: key_text(key).into(), value: value_text(value).into(), lease, prev_kv: true, ..PutRequest::default() }
}

fn delete(from: Key, to: Key) -> DeleteRangeRequest {
    DeleteRangeRequest { key: key_text(from).into(), range_end: key_text(to).into(), prev_kv: true }
}

fn range(from: Key, to: Key) -> RangeRequest {
    RangeRequest { key: key_text(from).into(), range_end: key_text(to).into(), ..RangeRequest::default() }
}

fn operation(step: &Step) -> RequestOp {
    RequestOp {
        request: Some(match *step {
            Step::Put { key, value, lease } => Op::RequestPut(put(key, value, lease)),
            Step::Delete { from, to } => Op::RequestDeleteRange(delete(from, to)),
            Step::Range { from, to } => Op::RequestRange(range(from, to)),
        }),
    }
}

fn compare(guard: &Guard) -> Compare {
    let (target, union) = match guard.target {
        Target::Modified => (CompareTarget::Mod, TargetUnion::ModRevision(guard.equals)),
        Target::Version => (CompareTarget::Version, TargetUnion::Version(guard.equals)),
    };
    Compare {
        result: CompareResult::Equal.into(),
        target: target.into(),
        key: key_text(guard.key).into(),
        target_union: Some(union),
        ..Compare::default()
    }
}

fn plain(header: Option<&ResponseHeader>, told: Told) -> Result<Answer, Failure> {
    Ok(Answer { revision: revision(header)?, succeeded: true, told: vec![told] })
}

fn revision(header: Option<&ResponseHeader>) -> Result<i64, Failure> {
    header.map(|header| header.revision).ok_or_else(|| Failure::Garbled("an answer without a header".to_owned()))
}

fn told_put(answer: &PutResponse) -> Result<Told, Failure> {
    Ok(Told::Put(answer.prev_kv.as_ref().map(held).transpose()?.map(|(_, held)| held)))
}

fn told_deleted(answer: &DeleteRangeResponse) -> Result<Told, Failure> {
    let keys: Vec<(Key, Held)> = answer.prev_kvs.iter().map(held).collect::<Result<_, _>>()?;
    if answer.deleted != keys.len() as i64 {
        return Err(Failure::Garbled(format!("{} deleted, but {} previous values", answer.deleted, keys.len())));
    }
    Ok(Told::Deleted(keys))
}

fn told_range(answer: &RangeResponse) -> Result<Told, Failure> {
    if answer.more || answer.count != answer.kvs.len() as i64 {
        return Err(Failure::Garbled(format!(
            "a range of {} keys, with {} found and more: {}",
            answer.kvs.len(),
            answer.count,
            answer.more
        )));
    }
    Ok(Told::Ranged(answer.kvs.iter().map(held).collect::<Result<_, _>>()?))
}

fn refused(status: tonic::Status) -> Failure {
    if status.message().contains("has been compacted") { Failure::Compacted } else { Failure::Unanswered }
}
