//! A connection over which many requests are under way.
//!
//! tonic's own channel passes each request through a queue to a task of its own; the generator shall cost as little as it can, since
//! it shares the processors with the servers that it measures. So requests go straight to hyper's HTTP/2.

use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::codegen::http::{Request, Response, Uri};

/// What HTTP/2 gives a stream if nobody says anything, and what Go's client leaves it at.
const WINDOW: u32 = 65_535;
/// How long a member may take to accept a connection.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection to one member.
#[derive(Clone)]
pub(super) struct Connection {
    sender: SendRequest<Body>,
    origin: Uri,
}

impl Connection {
    /// To the member at a URL.
    pub(super) async fn open(url: &str) -> Result<Connection, String> {
        let failed = |why: String| format!("{url}: {why}");
        let origin: Uri = url.parse().map_err(|_| failed("is no address; expected http://host:port".to_owned()))?;
        let address = origin.authority().ok_or_else(|| failed("names no host".to_owned()))?.as_str().to_owned();
        let opened = async {
            let stream = TcpStream::connect(&address).await.map_err(|error| failed(error.to_string()))?;
            stream.set_nodelay(true).map_err(|error| failed(error.to_string()))?;
            let mut builder = Builder::new(TokioExecutor::new());
            builder.initial_stream_window_size(WINDOW);
            builder.handshake(TokioIo::new(stream)).await.map_err(|error| failed(error.to_string()))
        };
        let opened = tokio::time::timeout(PATIENCE, opened).await;
        let (sender, driver) = opened.map_err(|_| failed("it accepts no connection".to_owned()))??;
        // Whoever has requests under way is told of its end by their failure.
        tokio::spawn(async move { drop(driver.await) });
        Ok(Connection { sender, origin })
    }

    /// So many, spread over the members.
    pub(super) async fn many(urls: &[String], count: usize) -> Result<Vec<Connection>, String> {
        let mut connections = Vec::new();
        for index in 0..count {
            connections.push(Connection::open(&urls[index % urls.len()]).await?);
        }
        Ok(connections)
    }

    /// The member's address, for people.
    pub(super) fn address(&self) -> &str {
        self.origin.authority().map_or("", |authority| authority.as_str())
    }

    /// The member's URL, which generated clients put before the names of their methods.
    pub(super) fn origin(&self) -> Uri {
        self.origin.clone()
    }
}

impl Service<Request<Body>> for Connection {
    type Response = Response<hyper::body::Incoming>;
    type Error = hyper::Error;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Self::Response, hyper::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), hyper::Error>> {
        self.sender.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.sender.send_request(request))
    }
}
