//! etcdserverpb.Lease.

use super::super::door::What;
use super::super::lessor::{Question, Unknown, Word};
use super::super::quota::LEASE_BYTES;
use super::context::{ClientPort, Need, known, mixed_up};
use super::leaderless::led;
use etcd::error::Known;
use etcd::pb::etcdserverpb as pb;
use etcd::pb::etcdserverpb::lease_server::Lease;
use etcd::request_id::RequestIds;
use futures_util::StreamExt;
use keyspace::{Answer, Command, LeaseGrantRequest, Query};
use std::sync::{Arc, Mutex};
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status, Streaming};

/// So many keep-alives of one stream are on their way at a time: one question to the quorum confirms all that wait for it. They are
/// answered in order.
const RENEWED_AT_A_TIME: usize = 256;

/// Leases.
#[derive(Clone)]
pub(super) struct LeaseService {
    port: Arc<ClientPort>,
    ids: Arc<Mutex<RequestIds>>,
}

impl LeaseService {
    /// `ids` gives leases their ids when clients do not.
    pub(super) fn new(port: Arc<ClientPort>, ids: Arc<Mutex<RequestIds>>) -> LeaseService {
        LeaseService { port, ids }
    }

    async fn keep_alive(port: &ClientPort, id: i64) -> Result<pb::LeaseKeepAliveResponse, Status> {
        // The revision is taken before the lease is renewed: a client must not see a renewal at a revision at which the lease had
        // ended already.
        let header = Some(port.header().at(port.board.revision()));
        let ttl = match port.lessor.ask(Question::Renew { id }).await.map_err(unknown)? {
            Word::Renewed(ttl) => ttl,
            _ => 0,
        };
        Ok(pb::LeaseKeepAliveResponse { header, id, ttl })
    }
}

#[tonic::async_trait]
impl Lease for LeaseService {
    async fn lease_grant(&self, request: Request<pb::LeaseGrantRequest>) -> Result<Response<pb::LeaseGrantResponse>, Status> {
        let port = &self.port;
        port.admit(request.metadata(), Need::Voter)?;
        port.afford(LEASE_BYTES).await?;
        let &pb::LeaseGrantRequest { ttl, id } = request.get_ref();
        let id = if id == 0 { self.ids.lock().expect("nobody panics while holding it").next_lease() } else { id };
        match port.ask(What::Write(Command::LeaseGrant(LeaseGrantRequest { id, ttl }))).await? {
            Answer::LeaseGrant { revision, id, ttl } => {
                let header = Some(port.header().at(revision));
                Ok(Response::new(pb::LeaseGrantResponse { header, id, ttl, error: String::new() }))
            }
            other => Err(mixed_up(&other)),
        }
    }

    async fn lease_revoke(&self, request: Request<pb::LeaseRevokeRequest>) -> Result<Response<pb::LeaseRevokeResponse>, Status> {
        let port = &self.port;
        port.admit(request.metadata(), Need::Voter)?;
        let id = request.get_ref().id;
        match port.ask(What::Write(Command::LeaseRevoke { id })).await? {
            Answer::LeaseRevoke { revision } => {
                Ok(Response::new(pb::LeaseRevokeResponse { header: Some(port.header().at(revision)) }))
            }
            other => Err(mixed_up(&other)),
        }
    }

    async fn lease_keep_alive(
        &self,
        request: Request<Streaming<pb::LeaseKeepAliveRequest>>,
    ) -> Result<Response<BoxStream<pb::LeaseKeepAliveResponse>>, Status> {
        let needs_leader = self.port.admit_stream(request.metadata())?;
        let port = self.port.clone();
        let renewals = request.into_inner().map(move |request| {
            let port = port.clone();
            async move { LeaseService::keep_alive(&port, request?.id).await }
        });
        let renewals = renewals.buffered(RENEWED_AT_A_TIME);
        Ok(Response::new(if needs_leader { led(&self.port, renewals) } else { Box::pin(renewals) }))
    }

    async fn lease_time_to_live(
        &self,
        request: Request<pb::LeaseTimeToLiveRequest>,
    ) -> Result<Response<pb::LeaseTimeToLiveResponse>, Status> {
        let port = &self.port;
        port.admit(request.metadata(), Need::Voter)?;
        let &pb::LeaseTimeToLiveRequest { id, keys } = request.get_ref();
        let word = port.lessor.ask(Question::Look { id, keys }).await.map_err(unknown)?;
        let header = Some(port.header().at(port.board.revision()));
        Ok(Response::new(match word {
            Word::Lease(lease) => pb::LeaseTimeToLiveResponse {
                header,
                id,
                ttl: lease.left.unwrap_or_default(),
                granted_ttl: lease.granted_ttl,
                keys: lease.keys,
            },
            _ => pb::LeaseTimeToLiveResponse { header, id, ttl: -1, granted_ttl: 0, keys: Vec::new() },
        }))
    }

    async fn lease_leases(&self, request: Request<pb::LeaseLeasesRequest>) -> Result<Response<pb::LeaseLeasesResponse>, Status> {
        let port = &self.port;
        port.admit(request.metadata(), Need::Voter)?;
        match port.read(Query::Leases, true).await? {
            Answer::Leases { revision, ids } => {
                let leases = ids.into_iter().map(|id| pb::LeaseStatus { id }).collect();
                Ok(Response::new(pb::LeaseLeasesResponse { header: Some(port.header().at(revision)), leases }))
            }
            other => Err(mixed_up(&other)),
        }
    }
}

fn unknown(why: Unknown) -> Status {
    known(match why {
        Unknown::NoLeader => Known::NoLeader,
        Unknown::TimedOut => Known::Timeout,
        Unknown::Stopped => Known::Stopped,
    })
}
