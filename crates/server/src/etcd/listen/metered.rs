//! What a client's request and its answer may hold in memory while the client takes its time.
//!
//! A request counts from its first byte to its last, an answer until the client's window took its last byte: one that sends half
//! a message on each of ten thousand streams, or asks for everything and reads nothing, is refused more instead of being buffered
//! without end.

use super::super::budget::{Budget, Share, shared};
use super::super::unsent::{Held, Unsent};
use super::context::known;
use bytes::Bytes;
use etcd::error::Known;
use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use keyspace::{Op, RangeRequest, TxnRequest};
use prometheus_client::metrics::counter::Counter;
use prost::Message;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::Status;
use tonic::body::Body;

/// The most bytes of requests that have begun to arrive.
const UNREAD_BYTES_MAX: usize = 128 << 20;
/// The most streams of requests that are open. A member that all agents of a large fleet come to at once has a hundred thousand of them,
/// and they leave the other requests their room.
const STREAMS_MAX: usize = 1 << 18;
/// About what an open request takes beside its message.
const REQUEST_BYTES: usize = 4 << 10;
/// What is smaller is not counted once it is on its way to the connection.
const ANSWER_BYTES: usize = 16 << 10;
/// About so many mebibytes of large answers are made at a time: nothing else happens meanwhile. How large one is, is known only
/// afterwards, so it is taken to be about as large as those before it.
const LARGE_MIB: u32 = 32;
/// As large is the first one taken to be.
const FIRST_BYTES: usize = 8 << 20;
/// So many requests may wait for their turn to be answered largely.
const TURNS_MAX: usize = 1024;

/// The client port's budgets.
#[derive(Debug)]
pub(super) struct Meter {
    unread: Budget,
    streams: Budget,
    unsent: Unsent,
    large: Arc<Semaphore>,
    /// Places to wait for one of these.
    places: Semaphore,
    /// How large large answers have been lately.
    expected: AtomicUsize,
}

/// The right to make an answer.
#[derive(Clone)]
pub(super) struct Turn(Option<Arc<OwnedSemaphorePermit>>);

/// What an answer takes; travels with it as an extension until its body is there.
#[derive(Clone)]
struct Weight(Arc<Share>);

impl Meter {
    pub(super) fn new(unsent: Unsent) -> Meter {
        Meter {
            unread: Budget::new(UNREAD_BYTES_MAX),
            streams: Budget::new(STREAMS_MAX * REQUEST_BYTES),
            unsent,
            large: Arc::new(Semaphore::new(LARGE_MIB as usize)),
            places: Semaphore::new(TURNS_MAX),
            expected: AtomicUsize::new(FIRST_BYTES),
        }
    }

    /// A request's body that counts from now on; its bytes are added to `received`.
    pub(super) fn request(&self, body: Incoming, stream: bool, received: Counter) -> Result<Metered, Status> {
        Ok(Metered { body, share: self.place(stream)?, stream, received })
    }

    /// Of a stream of requests only the place counts: each of them is small, and read when it comes.
    fn place(&self, stream: bool) -> Result<Share, Status> {
        let budget = if stream { &self.streams } else { &self.unread };
        budget.take(REQUEST_BYTES).ok_or_else(too_many)
    }

    /// Whether another answer may be made: a large one, which waits for its turn, not while clients leave too much unread. Whoever has
    /// the turn keeps the others waiting, and should wait for nothing itself but the machine here, or the log if it writes.
    pub(super) async fn turn(&self, large: bool) -> Result<Turn, Status> {
        let permit = if large {
            let _place = self.places.try_acquire().map_err(|_| too_many())?;
            let mebibytes = u32::try_from(self.expected.load(Ordering::Relaxed) >> 20).unwrap_or(u32::MAX);
            let permit = self.large.clone().acquire_many_owned(mebibytes.clamp(1, LARGE_MIB)).await.expect("never closed");
            Some(Arc::new(permit))
        } else {
            None
        };
        let room = if large { self.unsent.has_room() } else { !self.unsent.is_full() };
        if room { Ok(Turn(permit)) } else { Err(too_many()) }
    }

    /// An answer, which counts, as it has since it was made, until the client has taken it.
    pub(super) fn answer<T: Message>(&self, turn: Turn, held: Held, message: T) -> tonic::Response<T> {
        let bytes = message.encoded_len();
        if turn.0.is_some() {
            // One that is larger counts at once, smaller ones by and by.
            let before = self.expected.load(Ordering::Relaxed);
            self.expected.store(bytes.max(before - before / 64), Ordering::Relaxed);
        }
        let mut answer = tonic::Response::new(message);
        if bytes >= ANSWER_BYTES {
            answer.extensions_mut().insert(Weight(Arc::new(self.unsent.hold(bytes))));
            answer.extensions_mut().insert(turn);
        }
        drop(held);
        answer
    }
}

/// Whether an answer may hold more than some hundred keys.
pub(super) fn is_large(request: &RangeRequest) -> bool {
    const FEW: i64 = 1000;
    !request.range_end.is_empty() && !request.count_only && !(1..=FEW).contains(&request.limit)
}

/// The same for any range within.
pub(super) fn is_large_txn(request: &TxnRequest) -> bool {
    request.success.iter().chain(&request.failure).any(|op| match op {
        Op::Range(range) => is_large(range),
        Op::Txn(txn) => is_large_txn(txn),
        _ => false,
    })
}

fn too_many() -> Status {
    known(Known::TooManyRequests)
}

/// A request's body.
pub(super) struct Metered {
    body: Incoming,
    share: Share,
    stream: bool,
    received: Counter,
}

impl HttpBody for Metered {
    type Data = Bytes;
    type Error = tonic::codegen::StdError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(cx)?) else { return Poll::Ready(None) };
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        self.received.inc_by(bytes as u64);
        Poll::Ready(Some(if self.stream || self.share.grow(bytes) { Ok(frame) } else { Err(too_many().into()) }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Lets the bytes of an answer carry its weight. One that counts is encoded here, while it is its turn, and not when its client has room
/// for it: many clients may at once.
pub(super) async fn weigh(answer: Response<Body>) -> Response<Body> {
    let (mut head, mut body) = answer.into_parts();
    let turn = head.extensions.remove::<Turn>();
    let Some(Weight(share)) = head.extensions.remove::<Weight>() else { return Response::from_parts(head, body) };
    let first = body.frame().await;
    drop(turn);
    // What waits goes first: it may be the replica.
    tokio::task::yield_now().await;
    Response::from_parts(head, Body::new(Weighed { first, body, share }))
}

struct Weighed {
    first: Option<Result<Frame<Bytes>, Status>>,
    body: Body,
    share: Arc<Share>,
}

impl HttpBody for Weighed {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = match self.first.take() {
            Some(first) => Some(first),
            None => ready!(Pin::new(&mut self.body).poll_frame(cx)),
        };
        let share = &self.share;
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(|bytes| shared(bytes, share.clone())))))
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.body.is_end_stream()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;
    use std::pin::pin;
    use std::task::Waker;

    fn is_too_many(result: Result<Turn, Status>) -> bool {
        result.is_err_and(|status| status.message() == "etcdserver: too many requests")
    }

    #[tokio::test]
    async fn so_many_wait_for_their_turn_and_no_more() {
        let meter = Meter::new(Unsent::new(1 << 30));
        let mut running = Vec::new();
        for _ in 0..LARGE_MIB as usize * (1 << 20) / FIRST_BYTES {
            running.push(meter.turn(true).await.expect("it is their turn"));
        }
        let mut cx = Context::from_waker(Waker::noop());
        let mut waiting: Vec<_> = (0..TURNS_MAX).map(|_| Box::pin(meter.turn(true))).collect();
        assert!(waiting.iter_mut().all(|turn| turn.as_mut().poll(&mut cx).is_pending()));
        assert!(is_too_many(meter.turn(true).await));
        assert!(meter.turn(false).await.is_ok(), "small ones wait for nobody");
        // One who goes away leaves its place to another.
        waiting.pop();
        let mut last = pin!(meter.turn(true));
        assert!(last.as_mut().poll(&mut cx).is_pending());
        drop((running, waiting));
        assert!(last.await.is_ok());
    }

    #[test]
    fn open_streams_leave_the_other_requests_their_room() {
        let meter = Meter::new(Unsent::new(1 << 30));
        let streams: Vec<Share> = std::iter::from_fn(|| meter.place(true).ok()).collect();
        assert_eq!(streams.len(), STREAMS_MAX);
        assert!(meter.place(false).is_ok());
    }

    #[tokio::test]
    async fn what_was_made_counts_before_it_is_sent() {
        let unsent = Unsent::new(100);
        let meter = Meter::new(unsent.clone());
        let made = Held::default();
        made.count(&unsent, 150);
        assert!(is_too_many(meter.turn(true).await) && meter.turn(false).await.is_ok());
        let more = Held::default();
        more.count(&unsent, 50);
        assert!(is_too_many(meter.turn(false).await));
        drop((made, more));
        assert!(meter.turn(true).await.is_ok());
    }
}
