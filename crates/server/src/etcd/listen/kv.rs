//! etcdserverpb.KV.

use super::super::door::What;
use super::super::quota;
use super::context::{ClientPort, Need, known, mixed_up, refused};
use super::metered::{is_large, is_large_txn};
use etcd::error::Known;
use etcd::kv;
use etcd::pb::etcdserverpb as pb;
use etcd::pb::etcdserverpb::kv_server::Kv;
use keyspace::{
    Answer, Command, CompactRequest, DeleteRangeRequest, PutRequest, Query, RangeRequest, TxnRequest, check_delete_range,
    check_put, check_range, check_txn,
};
use prost::Message;
use prost::encoding::encoded_len_varint;
use std::sync::Arc;
use tonic::{Request, Response, Status};

/// Keys and values.
#[derive(Clone)]
pub(super) struct KvService(pub(super) Arc<ClientPort>);

#[tonic::async_trait]
impl Kv for KvService {
    async fn range(&self, request: Request<pb::RangeRequest>) -> Result<Response<pb::RangeResponse>, Status> {
        let port = &self.0;
        let here = request.get_ref().serializable;
        port.admit(request.metadata(), if here { Need::Anyone } else { Need::Voter })?;
        let request = RangeRequest::from(request.into_inner());
        check_range(&request).map_err(refused)?;
        port.metrics.range();
        let large = is_large(&request);
        let turn = port.turn(large, here).await?;
        match port.read_much(Query::Range(request), here || large).await? {
            (Answer::Range(answer), held) => Ok(port.meter.answer(turn, held, kv::range_response(port.header(), answer))),
            (other, _) => Err(mixed_up(&other)),
        }
    }

    async fn put(&self, request: Request<pb::PutRequest>) -> Result<Response<pb::PutResponse>, Status> {
        let port = &self.0;
        port.admit(request.metadata(), Need::Voter)?;
        let size = request.get_ref().encoded_len();
        let request = PutRequest::from(request.into_inner());
        port.afford(quota::of_put(&request)).await?;
        check_put(&request).map_err(refused)?;
        self.check_size(size)?;
        match port.ask(What::Write(Command::Put(request))).await? {
            Answer::Put(answer) => Ok(Response::new(kv::put_response(port.header(), answer))),
            other => Err(mixed_up(&other)),
        }
    }

    async fn delete_range(&self, request: Request<pb::DeleteRangeRequest>) -> Result<Response<pb::DeleteRangeResponse>, Status> {
        let port = &self.0;
        port.admit(request.metadata(), Need::Voter)?;
        let size = request.get_ref().encoded_len();
        let request = DeleteRangeRequest::from(request.into_inner());
        check_delete_range(&request).map_err(refused)?;
        self.check_size(size)?;
        match port.ask(What::Write(Command::DeleteRange(request))).await? {
            Answer::DeleteRange(answer) => Ok(Response::new(kv::delete_range_response(port.header(), answer))),
            other => Err(mixed_up(&other)),
        }
    }

    async fn txn(&self, request: Request<pb::TxnRequest>) -> Result<Response<pb::TxnResponse>, Status> {
        let port = &self.0;
        port.admit(request.metadata(), Need::Voter)?;
        let size = request.get_ref().encoded_len();
        let request = TxnRequest::from(request.into_inner());
        port.afford(quota::of_txn(&request)).await?;
        check_txn(&request, port.config.max_txn_ops).map_err(refused)?;
        // What only reads needs no place in the log.
        let reads = request.is_read_only();
        if !reads {
            self.check_size(size)?;
        }
        let (large, here) = (is_large_txn(&request), reads && request.is_serializable());
        let turn = port.turn(large, here).await?;
        let answer = if reads {
            port.read_much(Query::Txn(request), here || large).await?
        } else {
            port.ask_for_much(What::Write(Command::Txn(request))).await?
        };
        match answer {
            (Answer::Txn(answer), held) => Ok(port.meter.answer(turn, held, kv::txn_response(port.header(), answer))),
            (other, _) => Err(mixed_up(&other)),
        }
    }

    async fn compact(&self, request: Request<pb::CompactionRequest>) -> Result<Response<pb::CompactionResponse>, Status> {
        let port = &self.0;
        port.admit(request.metadata(), Need::Voter)?;
        let request = CompactRequest::from(request.into_inner());
        let physical = request.physical;
        let answer = port.ask(What::Write(Command::Compact(request))).await;
        // As in etcd, also if it had been compacted before: what is left of that is waited for.
        if physical && answer.as_ref().err().is_none_or(|status| status.message() == Known::Compacted.text()) {
            port.door.swept().await;
        }
        match answer? {
            Answer::Compact { revision } => Ok(Response::new(kv::compaction_response(port.header(), revision))),
            other => Err(mixed_up(&other)),
        }
    }
}

impl KvService {
    /// etcd measures a request as it goes into the log: in its envelope, behind a header with the request's id.
    fn check_size(&self, size: usize) -> Result<(), Status> {
        const HEADER: usize = 2 + 1 + 1 + 10;
        let envelope = HEADER + 1 + encoded_len_varint(size as u64) + size;
        if envelope > self.0.config.max_request_bytes { Err(known(Known::RequestTooLarge)) } else { Ok(()) }
    }
}
