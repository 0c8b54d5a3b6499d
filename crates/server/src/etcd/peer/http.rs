//! Plain HTTP/1.1 requests to other members: messages without a stream, snapshots, and questions.

use super::super::address::authority;
use bytes::Bytes;
use etcd::url::Url;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::time::Duration;

/// What a request carries.
pub(crate) type RequestBody = UnsyncBoxBody<Bytes, std::io::Error>;

/// The largest answer that is read, but for those that may be larger.
const ANSWER_BYTES_MAX: usize = 4 << 20;
/// Idle connections go after this long, which is when etcd's listeners close them.
const IDLE: Duration = Duration::from_secs(5);

/// Sends requests to other members over pooled connections.
#[derive(Clone, Debug)]
pub(crate) struct HttpClient {
    client: Client<HttpConnector, RequestBody>,
}

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    #[error("https is not supported yet: {0}")]
    Secure(String),
    #[error("{0}")]
    Failed(String),
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
}

impl HttpClient {
    pub(crate) fn new(dial_timeout: Duration) -> HttpClient {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(dial_timeout));
        connector.set_keepalive(Some(Duration::from_secs(30)));
        let client = Client::builder(TokioExecutor::new()).pool_idle_timeout(IDLE).pool_timer(TokioTimer::new()).build(connector);
        HttpClient { client }
    }

    /// Asks and waits for the head of the answer.
    pub(crate) async fn ask(&self, request: Request<RequestBody>) -> Result<Response<Incoming>, HttpError> {
        self.client.request(request).await.map_err(|error| HttpError::Failed(with_causes(&error)))
    }

    /// Gets `path` from `url` whole.
    pub(crate) async fn get(&self, url: &Url, path: &str, patience: Duration) -> Result<(Response<()>, Bytes), HttpError> {
        let request = request(Method::GET, url, path, empty())?;
        let answer = async { whole(self.ask(request).await?).await };
        tokio::time::timeout(patience, answer).await.map_err(|_| HttpError::TimedOut(patience))?
    }
}

/// A request to `path` at `url`.
pub(crate) fn request(method: Method, url: &Url, path: &str, body: RequestBody) -> Result<Request<RequestBody>, HttpError> {
    if url.is_secure() {
        return Err(HttpError::Secure(url.to_string()));
    }
    Request::builder()
        .method(method)
        .uri(format!("http://{}{path}", authority(url)))
        .body(body)
        .map_err(|error| HttpError::Failed(error.to_string()))
}

/// An answer with all its bytes.
pub(crate) async fn whole(answer: Response<Incoming>) -> Result<(Response<()>, Bytes), HttpError> {
    whole_up_to(ANSWER_BYTES_MAX, answer).await
}

/// An answer with all its bytes, if they are no more than `most`.
pub(crate) async fn whole_up_to(most: usize, answer: Response<Incoming>) -> Result<(Response<()>, Bytes), HttpError> {
    let (head, body) = answer.into_parts();
    let body = Limited::new(body, most).collect().await.map_err(|error| HttpError::Failed(error.to_string()))?;
    Ok((Response::from_parts(head, ()), body.to_bytes()))
}

/// A body of these bytes.
pub(crate) fn full(bytes: Bytes) -> RequestBody {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

/// No body.
pub(crate) fn empty() -> RequestBody {
    full(Bytes::new())
}

/// What an answer that is not the wanted one says, for the log.
pub(crate) fn refusal(status: StatusCode, body: &[u8]) -> String {
    format!("{status}: {}", String::from_utf8_lossy(body).trim_end())
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
