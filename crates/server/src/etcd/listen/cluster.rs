//! etcdserverpb.Cluster: who is in the cluster. Changing that is not built yet.

use super::context::{ClientPort, Need, mixed_up};
use etcd::pb::etcdserverpb as pb;
use etcd::pb::etcdserverpb::cluster_server::Cluster;
use keyspace::{Answer, Query};
use std::sync::Arc;
use tonic::{Request, Response, Status};

/// Members.
#[derive(Clone)]
pub(super) struct ClusterService(pub(super) Arc<ClientPort>);

#[tonic::async_trait]
impl Cluster for ClusterService {
    async fn member_list(&self, request: Request<pb::MemberListRequest>) -> Result<Response<pb::MemberListResponse>, Status> {
        let port = &self.0;
        port.admit(request.metadata(), Need::Voter)?;
        let here = !request.get_ref().linearizable;
        let Answer::Members(answer) = port.read(Query::Members, here).await? else {
            return Err(mixed_up(&Answer::Done));
        };
        // This header is the one without a revision.
        let header = Some(port.header().at(0));
        let members = answer.members.into_iter().map(pb::Member::from).collect();
        Ok(Response::new(pb::MemberListResponse { header, members }))
    }
}
