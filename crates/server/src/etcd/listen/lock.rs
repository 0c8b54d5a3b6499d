//! v3lockpb.Lock: see [`super::contest`].

use super::contest::{Contest, Place, delete, found, if_created, lease, one, range, unknown};
use super::context::{ClientPort, Need};
use bytes::Bytes;
use etcd::pb::v3lockpb as pb;
use etcd::pb::v3lockpb::lock_server::Lock;
use etcd::request_id::RequestIds;
use keyspace::{Op, PutRequest};
use std::sync::{Arc, Mutex};
use tonic::{Request, Response, Status};

/// Locks.
#[derive(Clone)]
pub(super) struct LockService {
    port: Arc<ClientPort>,
    ids: Arc<Mutex<RequestIds>>,
}

impl LockService {
    pub(super) fn new(port: Arc<ClientPort>, ids: Arc<Mutex<RequestIds>>) -> LockService {
        LockService { port, ids }
    }
}

#[tonic::async_trait]
impl Lock for LockService {
    async fn lock(&self, request: Request<pb::LockRequest>) -> Result<Response<pb::LockResponse>, Status> {
        let port = &self.port;
        port.admit(request.metadata(), Need::Voter)?;
        let pb::LockRequest { name, lease: given } = request.into_inner();
        let contest = Contest::new(port.clone(), &name);
        let lease = lease(port, &self.ids, given).await?;
        let key = contest.key(lease);

        let put = Op::Put(PutRequest { key: key.clone(), lease, ..PutRequest::default() });
        let oldest = Op::Range(contest.oldest());
        let txn = if_created(port, &key, 0, vec![put, oldest.clone()], vec![Op::Range(one(&key)), oldest]).await?;
        let mine = if txn.succeeded { txn.revision } else { found(&txn, 0).map_or(txn.revision, |kv| kv.create_revision) };
        let locked =
            |revision: i64, key: Bytes| Ok(Response::new(pb::LockResponse { header: Some(port.header().at(revision)), key }));
        // The first to come sees his own key, or none: a lease may be ended between the put and the look.
        if found(&txn, 1).is_none_or(|owner| owner.create_revision == mine) {
            return locked(txn.revision, key);
        }
        let place = Place::taken(port, key.clone(), mine);
        contest.wait_for_older(mine).await?;
        // The lease may have ended meanwhile, and the key with it.
        let held = range(port, one(&key)).await?;
        place.keep();
        if held.kvs.is_empty() {
            return Err(unknown("mutex: session is expired"));
        }
        locked(held.revision, key)
    }

    async fn unlock(&self, request: Request<pb::UnlockRequest>) -> Result<Response<pb::UnlockResponse>, Status> {
        let port = &self.port;
        port.admit(request.metadata(), Need::Voter)?;
        let key = request.into_inner().key;
        if key.is_empty() {
            return Err(unknown(etcd::error::Known::EmptyKey.text()));
        }
        let revision = delete(port, key).await?;
        Ok(Response::new(pb::UnlockResponse { header: Some(port.header().at(revision)) }))
    }
}
