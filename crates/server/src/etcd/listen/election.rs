//! v3electionpb.Election: see [`super::contest`].

use super::contest::{Contest, Events, Place, found, if_created, lease, one, range, unknown};
use super::context::{ClientPort, Need};
use super::leaderless::led;
use bytes::Bytes;
use etcd::pb::mvccpb;
use etcd::pb::v3electionpb as pb;
use etcd::pb::v3electionpb::election_server::Election;
use etcd::request_id::RequestIds;
use futures_util::stream;
use keyspace::{Change, DeleteRangeRequest, KeyValue, Op, PutRequest};
use std::sync::{Arc, Mutex};
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status};

/// Elections.
#[derive(Clone)]
pub(super) struct ElectionService {
    port: Arc<ClientPort>,
    ids: Arc<Mutex<RequestIds>>,
}

impl ElectionService {
    pub(super) fn new(port: Arc<ClientPort>, ids: Arc<Mutex<RequestIds>>) -> ElectionService {
        ElectionService { port, ids }
    }

    /// Gives the leader's key another value, if it is still his; returns the revision.
    async fn say(&self, key: &Bytes, created: i64, lease: i64, value: Bytes) -> Result<i64, Status> {
        let put = Op::Put(PutRequest { key: key.clone(), value, lease, ..PutRequest::default() });
        let txn = if_created(&self.port, key, created, vec![put], Vec::new()).await?;
        if txn.succeeded { Ok(txn.revision) } else { Err(unknown("election: not leader")) }
    }

    async fn resigned(&self, key: Bytes, created: i64) -> Result<i64, Status> {
        let delete = Op::DeleteRange(DeleteRangeRequest { key: key.clone(), ..DeleteRangeRequest::default() });
        Ok(if_created(&self.port, &key, created, vec![delete], Vec::new()).await?.revision)
    }

    fn header(&self, revision: i64) -> Option<etcd::pb::etcdserverpb::ResponseHeader> {
        Some(self.port.header().at(revision))
    }
}

#[tonic::async_trait]
impl Election for ElectionService {
    async fn campaign(&self, request: Request<pb::CampaignRequest>) -> Result<Response<pb::CampaignResponse>, Status> {
        let port = &self.port;
        port.admit(request.metadata(), Need::Voter)?;
        let pb::CampaignRequest { name, lease: given, value } = request.into_inner();
        let contest = Contest::new(port.clone(), &name);
        let lease = lease(port, &self.ids, given).await?;
        let key = contest.key(lease);

        let put = Op::Put(PutRequest { key: key.clone(), value: value.clone(), lease, ..PutRequest::default() });
        let txn = if_created(port, &key, 0, vec![put], vec![Op::Range(one(&key))]).await?;
        let before = found(&txn, 0);
        let rev = before.map_or(txn.revision, |before| before.create_revision);
        let place = Place::taken(port, key.clone(), rev);
        if before.is_some_and(|before| before.value != value) {
            self.say(&key, rev, lease, value).await?;
        }
        let waited = contest.wait_for_older(rev).await;
        // Only who goes away gives the key back: it may be that of a leader who campaigns again (Campaign in Go's concurrency).
        place.keep();
        waited?;
        let leader = Some(pb::LeaderKey { name, key, rev, lease });
        Ok(Response::new(pb::CampaignResponse { header: self.header(txn.revision), leader }))
    }

    async fn proclaim(&self, request: Request<pb::ProclaimRequest>) -> Result<Response<pb::ProclaimResponse>, Status> {
        self.port.admit(request.metadata(), Need::Voter)?;
        let pb::ProclaimRequest { leader, value } = request.into_inner();
        let pb::LeaderKey { key, rev, lease: given, .. } = leader.ok_or_else(no_leader_key)?;
        let lease = lease(&self.port, &self.ids, given).await?;
        let revision = self.say(&key, rev, lease, value).await?;
        Ok(Response::new(pb::ProclaimResponse { header: self.header(revision) }))
    }

    async fn leader(&self, request: Request<pb::LeaderRequest>) -> Result<Response<pb::LeaderResponse>, Status> {
        self.port.admit(request.metadata(), Need::Voter)?;
        let contest = Contest::new(self.port.clone(), &request.into_inner().name);
        let answer = range(&self.port, contest.oldest()).await?;
        match answer.kvs.into_iter().next() {
            Some(kv) => Ok(Response::new(pb::LeaderResponse {
                header: self.header(answer.revision),
                kv: Some(mvccpb::KeyValue::from(kv)),
            })),
            None => Err(unknown("election: no leader")),
        }
    }

    async fn observe(&self, request: Request<pb::LeaderRequest>) -> Result<Response<BoxStream<pb::LeaderResponse>>, Status> {
        let needs_leader = self.port.admit_stream(request.metadata())?;
        let contest = Contest::new(self.port.clone(), &request.into_inner().name);
        let observing = Observing { contest, leader: None };
        let service = self.clone();
        let observed = stream::try_unfold(observing, move |mut observing| {
            let service = service.clone();
            async move {
                let (revision, kv) = observing.next().await?;
                let answer = pb::LeaderResponse { header: service.header(revision), kv: Some(kv.into()) };
                Ok(Some((answer, observing)))
            }
        });
        Ok(Response::new(if needs_leader { led(&self.port, observed) } else { Box::pin(observed) }))
    }

    async fn resign(&self, request: Request<pb::ResignRequest>) -> Result<Response<pb::ResignResponse>, Status> {
        self.port.admit(request.metadata(), Need::Voter)?;
        let pb::LeaderKey { key, rev, .. } = request.into_inner().leader.ok_or_else(no_leader_key)?;
        let revision = self.resigned(key, rev).await?;
        Ok(Response::new(pb::ResignResponse { header: self.header(revision) }))
    }
}

fn no_leader_key() -> Status {
    unknown("\"leader\" field must be provided")
}

/// Who leads, and what he says, one after the other; perhaps not each that there was, but always the latest.
struct Observing {
    contest: Contest,
    /// What happens to the key of who leads now.
    leader: Option<Events>,
}

impl Observing {
    async fn next(&mut self) -> Result<(i64, KeyValue), Status> {
        if let Some(events) = &mut self.leader {
            let event = events.next().await?;
            if let Change::Put(kv) = &event.change {
                return Ok((event.revision.main, kv.clone()));
            }
            self.leader = None;
        }
        let port = &self.contest.port;
        let oldest = range(port, self.contest.oldest()).await?;
        let (revision, kv) = match oldest.kvs.into_iter().next() {
            Some(kv) => (oldest.revision, kv),
            None => {
                // Nobody yet: whoever comes first.
                let mut events = self.contest.events(oldest.revision);
                loop {
                    let event = events.next().await?;
                    if let Change::Put(kv) = &event.change {
                        break (event.revision.main, kv.clone());
                    }
                }
            }
        };
        self.leader = Some(Events::of(&port.watches, kv.key.clone(), Bytes::new(), revision + 1));
        Ok((revision, kv))
    }
}
