//! etcdserverpb.Watch.
//!
//! A stream is one state machine, driven by HTTP/2: it is asked for its next message only when the client has room for one. Then it
//! looks at what the client wants first, and at what the client is to be told. So a client that does not read is not listened to
//! either, and nothing of it moves.

use super::super::watch::{Request as Wanted, Said, WatchAsk, WatchDoor};
use super::context::{ClientPort, known};
use super::grpc::mend_status;
use etcd::error::Known;
use etcd::pb::etcdserverpb as pb;
use etcd::pb::etcdserverpb::watch_request::RequestUnion;
use etcd::pb::etcdserverpb::watch_server::Watch;
use etcd::watch::{fragments, watch_request, watch_response};
use keyspace::{StreamId, WatchNews, WatchOptions, WatchResponse};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::mpsc;
use tonic::codegen::BoxStream;
use tonic::codegen::tokio_stream::Stream;
use tonic::{Code, Request, Response, Status, Streaming};

/// So many requests of a stream may be on their way before the first answer is taken (etcd's ctrlStreamBufLen).
const UNANSWERED_MAX: usize = 16;
/// What a message may be longer than the largest request: the same for fragments as for what comes in (etcd's grpcOverheadBytes).
const OVERHEAD: usize = 512 << 10;

/// Watches.
#[derive(Clone)]
pub(super) struct WatchService(pub(super) Arc<ClientPort>);

#[tonic::async_trait]
impl Watch for WatchService {
    async fn watch(
        &self,
        request: Request<Streaming<pb::WatchRequest>>,
    ) -> Result<Response<BoxStream<pb::WatchResponse>>, Status> {
        let port = self.0.clone();
        let requires_leader = port.admit_stream(request.metadata())?;
        let (id, hears) = port.watches.open(requires_leader);
        let watching = Watching {
            id,
            wants: Some(request.into_inner()),
            hears,
            unanswered: 0,
            fragments: None,
            untold: 0,
            told_every: WatchOptions::default().room_min / 4,
            ended: false,
            door: port.watches.clone(),
            port,
        };
        Ok(Response::new(Box::pin(watching)))
    }
}

/// A client's stream.
struct Watching {
    id: StreamId,
    /// What the client asks for, until it has nothing more to ask.
    wants: Option<Streaming<pb::WatchRequest>>,
    hears: mpsc::UnboundedReceiver<Said>,
    unanswered: usize,
    /// The rest of a response that is split.
    fragments: Option<Box<dyn Iterator<Item = pb::WatchResponse> + Send>>,
    /// What the client has taken since the desk was told, which it is once it is so much.
    untold: usize,
    told_every: usize,
    /// Whether it was said how it ended.
    ended: bool,
    door: WatchDoor,
    port: Arc<ClientPort>,
}

impl Watching {
    /// Passes on what the client wants, as far as there is room for answers.
    fn listen(&mut self, cx: &mut Context<'_>) -> Result<(), Status> {
        while self.unanswered < UNANSWERED_MAX
            && let Some(wants) = &mut self.wants
        {
            match Pin::new(wants).poll_next(cx) {
                Poll::Pending => return Ok(()),
                // It may go on listening to what it asked for.
                Poll::Ready(None) => self.wants = None,
                Poll::Ready(Some(Err(status))) => return Err(broken(status)),
                Poll::Ready(Some(Ok(request))) => {
                    let Some(wanted) = wanted(request) else { continue };
                    self.unanswered += 1;
                    self.door.tell(WatchAsk::Request(self.id, wanted));
                }
            }
        }
        Ok(())
    }

    /// Makes a response into the first of its messages.
    fn message(&mut self, response: WatchResponse) -> pb::WatchResponse {
        self.untold += response.weight();
        if self.untold >= self.told_every {
            self.door.tell(WatchAsk::Took(self.id, std::mem::take(&mut self.untold)));
        }
        let message = watch_response(self.port.header(), &response);
        let WatchNews::Events { events, fragment, .. } = &response.what else { return message };
        self.port.metrics.watches.sent(events.len());
        if !fragment {
            return message;
        }
        let mut fragments = fragments(message, self.port.config.max_request_bytes.saturating_add(OVERHEAD));
        let first = fragments.next().expect("a response is at least one fragment");
        self.fragments = Some(Box::new(fragments));
        first
    }

    fn end(&mut self, status: Status) -> Poll<Option<Result<pb::WatchResponse, Status>>> {
        self.ended = true;
        Poll::Ready(Some(Err(status)))
    }
}

impl Stream for Watching {
    type Item = Result<pb::WatchResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.ended {
            return Poll::Ready(None);
        }
        if let Some(fragment) = this.fragments.as_mut().and_then(Iterator::next) {
            return Poll::Ready(Some(Ok(fragment)));
        }
        this.fragments = None;
        loop {
            if let Err(status) = this.listen(cx) {
                return this.end(status);
            }
            match this.hears.poll_recv(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Said::News(response))) => return Poll::Ready(Some(Ok(this.message(response)))),
                Poll::Ready(Some(Said::Answer(answer))) => {
                    this.unanswered -= 1;
                    if let Some(response) = answer {
                        return Poll::Ready(Some(Ok(this.message(response))));
                    }
                }
                Poll::Ready(Some(Said::End(why))) => return this.end(known(why)),
                Poll::Ready(None) => return this.end(known(Known::Stopped)),
            }
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.door.tell(WatchAsk::Close(self.id));
        self.hears.close();
        while let Ok(said) = self.hears.try_recv() {
            if let Said::News(WatchResponse { what: WatchNews::Events { events, .. }, .. }) = said {
                self.port.metrics.watches.sent(events.len());
            }
        }
    }
}

/// What a client asks for; `None`: nothing that anybody knows, which is no reason to end the stream.
fn wanted(request: pb::WatchRequest) -> Option<Wanted> {
    match request.request_union? {
        RequestUnion::CreateRequest(create) => Some(Wanted::Create(watch_request(create))),
        RequestUnion::CancelRequest(cancel) => Some(Wanted::Cancel(cancel.watch_id)),
        RequestUnion::ProgressRequest(_) => Some(Wanted::Progress),
    }
}

/// How the stream ends when the client's side of it broke.
fn broken(status: Status) -> Status {
    match status.code() {
        Code::Cancelled => known(Known::WatchCanceled),
        _ => mend_status(&status).unwrap_or(status),
    }
}
