//! Services of which nothing is built yet: every method answers Unimplemented, with a sentence (see the etcd crate's build
//! script). COMPATIBILITY.md lists them.

use super::context::known;
use etcd::error::Known;
use etcd::pb::etcdserverpb as pb;
use etcd::pb::etcdserverpb::auth_server::Auth;
use tonic::{Request, Response, Status};

/// Users and roles.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unbuilt;

#[tonic::async_trait]
impl Auth for Unbuilt {
    /// Nobody can enable authentication yet, and clients that bring a name and a password go on without when they hear so.
    async fn authenticate(&self, _: Request<pb::AuthenticateRequest>) -> Result<Response<pb::AuthenticateResponse>, Status> {
        Err(known(Known::AuthNotEnabled))
    }
}
