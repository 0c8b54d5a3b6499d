//! gRPC by hand, so that it can be wrong.

use etcd::pb::etcdserverpb::compare::{CompareResult, CompareTarget};
use etcd::pb::etcdserverpb::{Compare, PutRequest, RangeRequest, RequestOp, TxnRequest, request_op::Request as Op};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::client::conn::http2::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;
use tokio::net::TcpStream;

pub type Body = BoxBody<Bytes, Infallible>;
/// A connection on which many requests may be open.
pub type Client = SendRequest<Body>;

/// A connection; its driver goes on by itself until the connection ends.
pub async fn connect(url: &str) -> Client {
    let socket = TcpStream::connect(url.strip_prefix("http://").expect("a plain URL")).await.expect("a member that listens");
    let (client, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(socket)).await.expect("HTTP/2");
    tokio::spawn(connection);
    client
}

pub fn request(path: &str, body: Body) -> Request<Body> {
    let request =
        Request::post(format!("http://member{path}")).header("content-type", "application/grpc").header("te", "trailers");
    request.body(body).expect("a request")
}

/// A whole body.
pub fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).boxed()
}

/// A body that begins so and never ends.
pub fn endless(bytes: &Bytes) -> Body {
    let mut first = Some(bytes.clone());
    let frames = Pieces(Box::new(move || first.take()));
    StreamBody::new(frames).boxed()
}

struct Pieces(Box<dyn FnMut() -> Option<Bytes> + Send + Sync>);

impl futures_core::Stream for Pieces {
    type Item = Result<Frame<Bytes>, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut std::task::Context<'_>) -> Poll<Option<Self::Item>> {
        // Nobody wakes whoever waits for the rest.
        (self.0)().map_or(Poll::Pending, |bytes| Poll::Ready(Some(Ok(Frame::data(bytes)))))
    }
}

/// A message as gRPC frames it.
pub fn framed(message: &[u8]) -> Vec<u8> {
    [&[0][..], &(message.len() as u32).to_be_bytes(), message].concat()
}

/// The code with which a call ended; `None` if it broke off.
pub async fn call(url: &str, path: &str, body: Vec<u8>) -> Option<String> {
    let mut client = connect(url).await;
    let answer = tokio::time::timeout(Duration::from_secs(30), async {
        let answer = client.send_request(request(path, whole(body))).await.ok()?;
        code(answer).await
    });
    answer.await.expect("an answer within half a minute")
}

pub async fn code(answer: Response<Incoming>) -> Option<String> {
    let said = |value: &hyper::header::HeaderValue| value.to_str().unwrap_or("?").to_owned();
    if let Some(status) = answer.headers().get("grpc-status") {
        return Some(said(status));
    }
    let body = answer.into_body().collect().await.ok()?;
    body.trailers()?.get("grpc-status").map(said)
}

/// Lets a connection get as far as it can.
pub async fn ready(client: &mut Client) -> bool {
    poll_fn(|cx| client.poll_ready(cx)).await.is_ok()
}

pub fn put(key: &str) -> RequestOp {
    RequestOp { request: Some(Op::RequestPut(PutRequest { key: key.to_owned().into(), ..PutRequest::default() })) }
}

/// So many puts in one transaction.
pub fn wide(count: usize) -> TxnRequest {
    TxnRequest { success: (0..count).map(|n| put(&format!("wide/{n}"))).collect(), ..TxnRequest::default() }
}

/// So many comparisons.
pub fn compares(count: usize) -> TxnRequest {
    let compare = Compare {
        result: CompareResult::Equal.into(),
        target: CompareTarget::Version.into(),
        key: "x".into(),
        ..Compare::default()
    };
    TxnRequest { compare: vec![compare; count], ..TxnRequest::default() }
}

/// A transaction within a transaction, so many levels deep, as bytes: its message would be too deep for the stack.
pub fn deep(levels: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..levels {
        // TxnRequest.success = 2, RequestOp.request_txn = 4
        let op = field(4, &bytes);
        bytes = field(2, &op);
    }
    bytes
}

fn field(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag << 3 | 2];
    let mut length = content.len();
    while length >= 0x80 {
        bytes.push(length as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend_from_slice(content);
    bytes
}

/// A range over all there is.
pub fn everything() -> Vec<u8> {
    let all = RangeRequest { key: vec![0].into(), range_end: vec![0].into(), serializable: true, ..RangeRequest::default() };
    framed(&all.encode_to_vec())
}
