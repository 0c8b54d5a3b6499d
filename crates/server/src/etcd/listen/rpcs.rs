//! The RPCs that metrics count, as etcd's clients call them, and what is counted of each.
//!
//! ```text
//!   call ──▶ started ──▶ request's bytes ──▶ service ──▶ answer's bytes ──▶ handled, with its code
//! ```
//!
//! A call has been handled when its answer's last byte was taken, or nobody takes it any more: a watch may be open for weeks.

use super::super::metrics::{Metrics, RpcName};
use bytes::Bytes;
use hyper::Response;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use prometheus_client::metrics::counter::Counter;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;
use tonic::Status;
use tonic::body::Body;

/// The code of a call that ended well.
const OK: &str = "OK";

const UNARY: &str = "unary";
const SERVER_STREAM: &str = "server_stream";
const BIDI_STREAM: &str = "bidi_stream";

const fn rpc(path: &'static str, grpc_service: &'static str, grpc_method: &'static str) -> (&'static str, RpcName) {
    (path, RpcName { grpc_method, grpc_service, grpc_type: UNARY })
}

const fn stream(
    path: &'static str,
    grpc_service: &'static str,
    grpc_method: &'static str,
    grpc_type: &'static str,
) -> (&'static str, RpcName) {
    (path, RpcName { grpc_method, grpc_service, grpc_type })
}

/// Those of the services that are built.
const RPCS: [(&str, RpcName); 29] = [
    rpc("/etcdserverpb.KV/Range", "etcdserverpb.KV", "Range"),
    rpc("/etcdserverpb.KV/Put", "etcdserverpb.KV", "Put"),
    rpc("/etcdserverpb.KV/DeleteRange", "etcdserverpb.KV", "DeleteRange"),
    rpc("/etcdserverpb.KV/Txn", "etcdserverpb.KV", "Txn"),
    rpc("/etcdserverpb.KV/Compact", "etcdserverpb.KV", "Compact"),
    stream("/etcdserverpb.Watch/Watch", "etcdserverpb.Watch", "Watch", BIDI_STREAM),
    rpc("/etcdserverpb.Lease/LeaseGrant", "etcdserverpb.Lease", "LeaseGrant"),
    rpc("/etcdserverpb.Lease/LeaseRevoke", "etcdserverpb.Lease", "LeaseRevoke"),
    stream("/etcdserverpb.Lease/LeaseKeepAlive", "etcdserverpb.Lease", "LeaseKeepAlive", BIDI_STREAM),
    rpc("/etcdserverpb.Lease/LeaseTimeToLive", "etcdserverpb.Lease", "LeaseTimeToLive"),
    rpc("/etcdserverpb.Lease/LeaseLeases", "etcdserverpb.Lease", "LeaseLeases"),
    rpc("/etcdserverpb.Cluster/MemberList", "etcdserverpb.Cluster", "MemberList"),
    rpc("/etcdserverpb.Maintenance/Status", "etcdserverpb.Maintenance", "Status"),
    rpc("/etcdserverpb.Maintenance/Alarm", "etcdserverpb.Maintenance", "Alarm"),
    rpc("/etcdserverpb.Maintenance/Defragment", "etcdserverpb.Maintenance", "Defragment"),
    rpc("/etcdserverpb.Maintenance/Hash", "etcdserverpb.Maintenance", "Hash"),
    rpc("/etcdserverpb.Maintenance/HashKV", "etcdserverpb.Maintenance", "HashKV"),
    rpc("/etcdserverpb.Maintenance/MoveLeader", "etcdserverpb.Maintenance", "MoveLeader"),
    stream("/etcdserverpb.Maintenance/Snapshot", "etcdserverpb.Maintenance", "Snapshot", SERVER_STREAM),
    rpc("/etcdserverpb.Auth/Authenticate", "etcdserverpb.Auth", "Authenticate"),
    rpc("/v3lockpb.Lock/Lock", "v3lockpb.Lock", "Lock"),
    rpc("/v3lockpb.Lock/Unlock", "v3lockpb.Lock", "Unlock"),
    rpc("/v3electionpb.Election/Campaign", "v3electionpb.Election", "Campaign"),
    rpc("/v3electionpb.Election/Proclaim", "v3electionpb.Election", "Proclaim"),
    rpc("/v3electionpb.Election/Leader", "v3electionpb.Election", "Leader"),
    stream("/v3electionpb.Election/Observe", "v3electionpb.Election", "Observe", SERVER_STREAM),
    rpc("/v3electionpb.Election/Resign", "v3electionpb.Election", "Resign"),
    rpc("/grpc.health.v1.Health/Check", "grpc.health.v1.Health", "Check"),
    stream("/grpc.health.v1.Health/Watch", "grpc.health.v1.Health", "Watch", SERVER_STREAM),
];

/// All of them, each with the counters that every call of it turns: they are looked up once.
pub(super) struct Rpcs {
    counted: [Arc<Counted>; RPCS.len()],
}

/// An RPC, and what is counted of it.
pub(super) struct Counted {
    metrics: Arc<Metrics>,
    name: RpcName,
    started: Counter,
    /// How often it ended well.
    done: Counter,
}

impl Rpcs {
    pub(super) fn new(metrics: &Arc<Metrics>) -> Rpcs {
        let counted = |(_, name)| {
            let (started, done) = metrics.rpc(name);
            Arc::new(Counted { metrics: metrics.clone(), name, started, done })
        };
        Rpcs { counted: RPCS.map(counted) }
    }

    /// The RPC at a path.
    pub(super) fn find(&self, path: &str) -> Option<&Arc<Counted>> {
        let at = RPCS.iter().position(|(known, _)| *known == path)?;
        Some(&self.counted[at])
    }
}

impl Counted {
    /// Whether requests or answers come as a stream.
    pub(super) fn is_stream(&self) -> bool {
        self.name.is_stream()
    }
}

/// A call, from its beginning to its end: counted when dropped.
pub(super) struct Call {
    rpc: Arc<Counted>,
    /// When it began; for the histogram, if that is wanted.
    began: Option<Instant>,
    code: &'static str,
}

impl Call {
    pub(super) fn begin(rpc: Arc<Counted>, timed: bool) -> Call {
        rpc.started.inc();
        // Whoever gives up before the end cancels.
        Call { rpc, began: timed.then(Instant::now), code: "Canceled" }
    }

    /// Follows an answer to its end.
    pub(super) fn follow(mut self, answer: Response<Body>) -> Response<Body> {
        if let Some(status) = answer.headers().get("grpc-status") {
            self.code = code(status.as_bytes());
            return answer;
        }
        let sent = self.rpc.metrics.grpc_sent_bytes().clone();
        answer.map(|body| Body::new(Followed { body, call: self, sent }))
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let Call { rpc, began, code } = self;
        match *code {
            OK => drop(rpc.done.inc()),
            code => rpc.metrics.rpc_failed(rpc.name, code),
        }
        if let Some(began) = began {
            rpc.metrics.rpc_took(rpc.name, began.elapsed());
        }
    }
}

/// The body of an answer, which ends with a code.
struct Followed {
    body: Body,
    call: Call,
    sent: Counter,
}

impl HttpBody for Followed {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    self.sent.inc_by(data.len() as u64);
                } else if let Some(status) = frame.trailers_ref().and_then(|trailers| trailers.get("grpc-status")) {
                    self.call.code = code(status.as_bytes());
                }
            }
            Some(Err(_)) => self.call.code = "Unknown",
            None => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The name of a code.
fn code(number: &[u8]) -> &'static str {
    match number {
        b"0" => OK,
        b"1" => "Canceled",
        b"3" => "InvalidArgument",
        b"4" => "DeadlineExceeded",
        b"5" => "NotFound",
        b"6" => "AlreadyExists",
        b"7" => "PermissionDenied",
        b"8" => "ResourceExhausted",
        b"9" => "FailedPrecondition",
        b"10" => "Aborted",
        b"11" => "OutOfRange",
        b"12" => "Unimplemented",
        b"13" => "Internal",
        b"14" => "Unavailable",
        b"15" => "DataLoss",
        b"16" => "Unauthenticated",
        _ => "Unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_its_service_and_its_method() {
        for (path, name) in RPCS {
            assert_eq!(path, format!("/{}/{}", name.grpc_service, name.grpc_method));
        }
    }
}
