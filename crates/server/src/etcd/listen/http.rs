//! The client port's plain HTTP.

use super::super::door::What;
use super::super::view::MembershipView;
use super::context::ClientPort;
use super::health::{Check, LIVE, READY, is_well};
use bytes::Bytes;
use core::time::Duration;
use etcd::health::{self, Checked};
use etcd::json::{self, Versions};
use etcd::version::{SERVER, UNDECIDED};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ACCEPT, ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use keyspace::{Answer, Query};
use serde::Serialize;
use tonic::body::Body;

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
/// What Prometheus asks for; the library writes this dialect.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// What others are given.
const CLASSIC: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Answers a request; `whole`: with everything, not only metrics and health.
pub(super) async fn answer(request: &Request<Incoming>, port: &ClientPort, whole: bool) -> Response<Body> {
    let path = request.uri().path();
    let known = matches!(path, "/metrics" | "/health") || checks(path).is_some();
    let more = whole && matches!(path, "/version" | "/quorate/status");
    if !known && !more {
        return not_found();
    }
    if request.method() != Method::GET {
        let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, TEXT, "Method Not Allowed\n".to_owned());
        answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
        return answer;
    }
    let query = Parameters(request.uri().query().unwrap_or(""));
    match path {
        "/metrics" => {
            let accepted = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or("");
            metrics(port, accepted.contains("application/openmetrics-text")).await
        }
        "/version" => version(port).await,
        "/quorate/status" => text(StatusCode::OK, JSON, status(port)),
        "/health" => {
            let health = is_well(port, &query.all("exclude"), query.first("serializable") == Some("true")).await;
            port.metrics.health(health.health == "true");
            said(health::health(&health))
        }
        _ => run_checks(port, path, &query).await,
    }
}

/// As etcd's router has it.
pub(super) fn not_found() -> Response<Body> {
    text(StatusCode::NOT_FOUND, TEXT, "404 page not found\n".to_owned())
}

/// What `/livez`, `/readyz` and the paths below them check.
fn checks(path: &str) -> Option<(&'static str, Vec<Check>)> {
    let (kind, all, rest) = if let Some(rest) = path.strip_prefix("/livez") {
        ("livez", LIVE.as_slice(), rest)
    } else if let Some(rest) = path.strip_prefix("/readyz") {
        ("readyz", READY.as_slice(), rest)
    } else {
        return None;
    };
    if rest.is_empty() {
        return Some((kind, all.to_vec()));
    }
    let wanted = rest.strip_prefix('/')?;
    all.iter().find(|check| check.name() == wanted).map(|&check| (kind, vec![check]))
}

async fn run_checks(port: &ClientPort, path: &str, query: &Parameters<'_>) -> Response<Body> {
    let Some((kind, checks)) = checks(path) else { return not_found() };
    let excluded = query.all("exclude");
    let mut results = Vec::new();
    for check in checks {
        let name = check.name();
        if excluded.contains(&name) {
            continue;
        }
        let result = check.run(port).await;
        port.metrics.health_check(kind, name, result.is_ok());
        results.push(Checked { name, failure: result.err() });
    }
    said(health::report(&results, query.has("verbose")))
}

async fn metrics(port: &ClientPort, open: bool) -> Response<Body> {
    let kind = if open { OPENMETRICS } else { CLASSIC };
    if let Ok(Ok(Answer::LeaseTally(tally))) = port.door.ask(What::ReadHere(Query::LeaseTally)).await {
        port.metrics.leases.set(*tally);
    }
    match port.door.machine_status().await {
        Some(machine) => text(StatusCode::OK, kind, port.metrics.text(&port.board.status(), &machine, open)),
        None => text(StatusCode::SERVICE_UNAVAILABLE, TEXT, "etcdserver: server stopped\n".to_owned()),
    }
}

async fn version(port: &ClientPort) -> Response<Body> {
    let cluster = port.door.cluster_version().await.unwrap_or_else(|| UNDECIDED.to_owned());
    text(StatusCode::OK, JSON, json::to_string(&Versions { server: SERVER.to_owned(), cluster }))
}

/// What this member knows about itself, for `quorate dev` and for people.
#[derive(Serialize)]
struct StatusJson {
    name: String,
    /// In hex, as etcd prints ids.
    id: String,
    pid: u32,
    version: &'static str,
    role: String,
    term: u64,
    leader: Option<String>,
    commit: u64,
    applied: u64,
    revision: i64,
    pending: usize,
    /// The latest, oldest first.
    decisions: Vec<DecisionJson>,
}

#[derive(Serialize)]
struct DecisionJson {
    time: String,
    wall_ms: u64,
    text: String,
}

fn status(port: &ClientPort) -> String {
    let status = port.board.status();
    let decisions = port.board.decisions().into_iter().map(|told| DecisionJson {
        time: json::rfc3339(Duration::from_millis(told.wall_ms)),
        wall_ms: told.wall_ms,
        text: told.text,
    });
    let status = StatusJson {
        name: port.config.name.clone(),
        id: port.me.to_string(),
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION"),
        role: status.role.to_string(),
        term: status.epoch,
        leader: status.leader.map(|leader| leader.to_string()),
        commit: status.committed.index,
        applied: status.applied.index,
        revision: port.board.revision(),
        pending: status.pending,
        decisions: decisions.collect(),
    };
    json::to_string(&status)
}

fn said(answer: health::Answer) -> Response<Body> {
    text(StatusCode::from_u16(answer.status).expect("a status"), TEXT, answer.body)
}

fn text(status: StatusCode, kind: &'static str, words: String) -> Response<Body> {
    let mut answer = Response::new(Body::new(Full::new(Bytes::from(words))));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if kind == TEXT {
        answer.headers_mut().insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    }
    answer
}

/// The parameters of a query. Their values here are words, so nothing is unescaped.
struct Parameters<'a>(&'a str);

impl<'a> Parameters<'a> {
    fn pairs(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        self.0.split('&').filter(|part| !part.is_empty()).map(|part| part.split_once('=').unwrap_or((part, "")))
    }

    fn first(&self, name: &str) -> Option<&'a str> {
        self.pairs().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    fn all(&self, name: &str) -> Vec<&'a str> {
        self.pairs().filter(|(key, value)| *key == name && !value.is_empty()).map(|(_, value)| value).collect()
    }

    fn has(&self, name: &str) -> bool {
        self.first(name).is_some()
    }
}
