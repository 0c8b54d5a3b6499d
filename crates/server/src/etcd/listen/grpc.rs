//! Which gRPC service a request is for.

use super::super::clock::wall;
use super::cluster::ClusterService;
use super::context::ClientPort;
use super::election::ElectionService;
use super::kv::KvService;
use super::lease::LeaseService;
use super::lock::LockService;
use super::maintenance::MaintenanceService;
use super::metered::weigh;
use super::rpcs::{Call, Rpcs};
use super::unbuilt::Unbuilt;
use super::watch::WatchService;
use bytes::Bytes;
use etcd::pb::etcdserverpb::auth_server::AuthServer;
use etcd::pb::etcdserverpb::cluster_server::ClusterServer;
use etcd::pb::etcdserverpb::kv_server::KvServer;
use etcd::pb::etcdserverpb::lease_server::LeaseServer;
use etcd::pb::etcdserverpb::maintenance_server::MaintenanceServer;
use etcd::pb::etcdserverpb::watch_server::WatchServer;
use etcd::pb::v3electionpb::election_server::ElectionServer;
use etcd::pb::v3lockpb::lock_server::LockServer;
use etcd::request_id::RequestIds;
use hyper::body::{Body as HttpBody, Incoming};
use hyper::{Request, Response};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use tonic::body::Body;
use tonic::codegen::StdError;
use tonic::{Code, Status};
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};
use tower::Service;

/// What a message may be longer than the largest request that is taken: then it is refused by us, with etcd's words.
const OVERHEAD: usize = 512 << 10;

/// The longest request about a lease that is read.
const LEASE_BYTES_MAX: usize = 4 << 10;

/// All services.
pub(super) struct Services {
    pub(super) port: Arc<ClientPort>,
    kv: KvServer<KvService>,
    cluster: ClusterServer<ClusterService>,
    maintenance: MaintenanceServer<MaintenanceService>,
    watch: WatchServer<WatchService>,
    lease: LeaseServer<LeaseService>,
    auth: AuthServer<Unbuilt>,
    lock: LockServer<LockService>,
    election: ElectionServer<ElectionService>,
    health: HealthServer<HealthService>,
    rpcs: Rpcs,
}

impl Services {
    pub(super) fn new(port: Arc<ClientPort>) -> Services {
        let ids = Arc::new(Mutex::new(RequestIds::new(port.me, wall().0)));
        let limit = port.config.max_request_bytes.saturating_add(OVERHEAD);
        Services {
            kv: KvServer::new(KvService(port.clone())).max_decoding_message_size(limit).max_encoding_message_size(usize::MAX),
            cluster: ClusterServer::new(ClusterService(port.clone())).max_decoding_message_size(limit),
            maintenance: MaintenanceServer::new(MaintenanceService(port.clone())).max_decoding_message_size(limit),
            watch: WatchServer::new(WatchService(port.clone()))
                .max_decoding_message_size(limit)
                .max_encoding_message_size(usize::MAX),
            // Two numbers are the most that a request about a lease says. Keep-alives are not metered, so they are kept short.
            lease: LeaseServer::new(LeaseService::new(port.clone(), ids.clone())).max_decoding_message_size(LEASE_BYTES_MAX),
            auth: AuthServer::new(Unbuilt),
            lock: LockServer::new(LockService::new(port.clone(), ids.clone())).max_decoding_message_size(limit),
            election: ElectionServer::new(ElectionService::new(port.clone(), ids)).max_decoding_message_size(limit),
            // The empty service name is serving from the first moment on, as in etcd.
            health: HealthServer::new(HealthService::from_health_reporter(HealthReporter::new())),
            rpcs: Rpcs::new(&port.metrics),
            port,
        }
    }

    pub(super) async fn call(&self, request: Request<Incoming>) -> Response<Body> {
        let Some(rpc) = self.rpcs.find(request.uri().path()) else {
            return self.route(request).await;
        };
        let call = Call::begin(rpc.clone(), self.port.config.extensive_metrics);
        let (head, body) = request.into_parts();
        let answer = match self.port.meter.request(body, rpc.is_stream(), self.port.metrics.grpc_received_bytes().clone()) {
            Ok(body) => weigh(mend_size_limit(self.route(Request::from_parts(head, body)).await)).await,
            Err(refused) => refused.into_http(),
        };
        call.follow(answer)
    }

    async fn route<B>(&self, request: Request<B>) -> Response<Body>
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<StdError> + Send,
    {
        let path = request.uri().path();
        let service = path.strip_prefix('/').and_then(|path| path.split_once('/')).map_or(path, |(service, _)| service);
        match service {
            "etcdserverpb.KV" => answered(self.kv.clone().call(request).await),
            "etcdserverpb.Cluster" => answered(self.cluster.clone().call(request).await),
            "etcdserverpb.Maintenance" => answered(self.maintenance.clone().call(request).await),
            "etcdserverpb.Watch" => answered(self.watch.clone().call(request).await),
            "etcdserverpb.Lease" => answered(self.lease.clone().call(request).await),
            "etcdserverpb.Auth" => answered(self.auth.clone().call(request).await),
            "v3lockpb.Lock" => answered(self.lock.clone().call(request).await),
            "v3electionpb.Election" => answered(self.election.clone().call(request).await),
            "grpc.health.v1.Health" => answered(self.health.clone().call(request).await),
            unknown => Status::unimplemented(format!("unknown service {unknown}")).into_http(),
        }
    }
}

fn answered(answer: Result<Response<Body>, Infallible>) -> Response<Body> {
    answer.unwrap_or_else(|never| match never {})
}

/// A message that is too long to be read at all: Go's gRPC has another code for that than ours, and clients ask for codes.
fn mend_size_limit(answer: Response<Body>) -> Response<Body> {
    let Some(status) = Status::from_header_map(answer.headers()) else { return answer };
    mend_status(&status).map_or(answer, Status::into_http)
}

/// The same for a status; `None`: it is about something else.
pub(super) fn mend_status(status: &Status) -> Option<Status> {
    if status.code() != Code::OutOfRange || !status.message().contains("message length too large") {
        return None;
    }
    // "… found 3145739 bytes, the limit is: 2097152 bytes"
    let mut numbers = status.message().split(|letter: char| !letter.is_ascii_digit()).filter(|part| !part.is_empty());
    let (found, limit) = (numbers.next().unwrap_or("?"), numbers.next().unwrap_or("?"));
    Some(Status::resource_exhausted(format!("grpc: received message larger than max ({found} vs. {limit})")))
}
