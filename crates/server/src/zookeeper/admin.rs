//! What operators ask over HTTP: the AdminServer's commands, and what Prometheus reads.
//!
//! ```text
//!   GET /commands          a list of all            GET /commands/<name>   JSON (Java: org.apache.zookeeper.server.admin.Commands)
//!   GET /metrics           on a port of its own (metricsProvider.httpPort)
//!   GET /quorate/status    what this server is, and its latest decisions
//! ```
//!
//! Java's AdminServer listens on all addresses unless it is told otherwise. Ours listens on 127.0.0.1: nobody is asked who he is before he
//! is told every session, every watch and every client's address, or resets the statistics.

mod commands;
mod json;
mod page;

use super::clients::Front;
use bytes::Bytes;
use commands::Asked;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tracing::info;

/// Monitors are few.
const CONNECTIONS_MAX: usize = 64;
/// How long one may take to say what it wants.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// After the operating system refused to hand over a connection.
const PAUSE: Duration = Duration::from_millis(100);

/// What a port answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Offer {
    /// The AdminServer's commands.
    Commands,
    /// `/metrics`.
    Metrics,
}

/// Serves a port for as long as the server lives.
pub(crate) async fn serve(front: Rc<Front>, listener: TcpListener, offer: Offer) {
    if let Ok(address) = listener.local_addr() {
        info!(%address, ?offer, "operators are let in");
    }
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let front = front.clone();
        tokio::task::spawn_local(async move {
            converse(front, stream, offer).await;
            drop(place);
        });
    }
}

async fn converse(front: Rc<Front>, stream: TcpStream, offer: Offer) {
    let answer = service_fn(|request| {
        let answer = answer(&front, &request, offer);
        async { Ok::<_, Infallible>(answer) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_PATIENCE);
    // Who breaks off is not missed.
    let _ = http.serve_connection(TokioIo::new(stream), answer).await;
}

fn answer(front: &Front, request: &Request<Incoming>, offer: Offer) -> Response<Full<Bytes>> {
    let path = request.uri().path();
    match offer {
        Offer::Metrics if path == "/metrics" && request.method() == Method::GET => {
            let text = front.seen(|seen| seen.prometheus());
            text_of(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", text)
        }
        Offer::Metrics => not_found(),
        Offer::Commands if path == "/quorate/status" => text_of(StatusCode::OK, "application/json", page::status(front)),
        Offer::Commands => command(front, request),
    }
}

fn command(front: &Front, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let base = front.core().config().admin_path.trim_end_matches('/');
    let Some(rest) = request.uri().path().strip_prefix(base) else { return not_found() };
    let name = match rest.strip_prefix('/') {
        Some(name) => name,
        None if rest.is_empty() => "",
        None => return not_found(),
    };
    if name.is_empty() {
        return text_of(StatusCode::OK, "text/html;charset=utf-8", commands::links(base));
    }
    let asked = match *request.method() {
        Method::GET => Asked::Get,
        Method::POST => Asked::Post,
        _ => return text_of(StatusCode::METHOD_NOT_ALLOWED, "text/plain", "GET or POST\n".to_owned()),
    };
    let said_who = request.headers().contains_key(AUTHORIZATION);
    let (status, text) = commands::run(front, asked, name, request.uri().query().unwrap_or(""), said_who);
    text_of(status, "application/json", text)
}

fn not_found() -> Response<Full<Bytes>> {
    text_of(StatusCode::NOT_FOUND, "text/plain", "there is nothing here\n".to_owned())
}

fn text_of(status: StatusCode, kind: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
