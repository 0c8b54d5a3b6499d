//! The ports of a member, and the client port in particular: gRPC and plain HTTP on one.
//!
//! ```text
//!   socket ──▶ hyper (HTTP/1.1 or HTTP/2, whichever the client speaks)
//!                ├─ application/grpc ──▶ grpc ──▶ kv, watch, lease, cluster, maintenance, unbuilt, health
//!                └─ anything else ────▶ http ──▶ /health, /livez, /readyz, /version, /metrics, /quorate/status
//! ```

mod authority;
mod cluster;
mod contest;
mod context;
pub(crate) mod descriptors;
mod election;
mod grpc;
mod health;
mod http;
mod kv;
mod leaderless;
mod lease;
mod lock;
mod maintenance;
mod metered;
mod rpcs;
mod unbuilt;
mod watch;

pub(crate) use context::{ClientPort, Inside};

use super::address::listen;
use super::config::Config;
use super::error::StartError;
use super::peer::{self, Gate, PeerPort};
use authority::Mended;
use grpc::Services;
use hyper::Request;
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch as signal;
use tokio::sync::{Semaphore, mpsc};
use tracing::{debug, warn};

/// What a client may send on one stream, and on all of a connection, before it has to wait.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;
/// How long a client may take to show which HTTP it speaks. It holds a place that others wait for.
const FIRST_WORD_PATIENCE: Duration = Duration::from_secs(10);
/// How long it may take to send the head of a request.
const HEAD_PATIENCE: Duration = Duration::from_secs(30);

/// What a client port answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Offer {
    Everything,
    GrpcOnly,
    HttpOnly,
    /// `/metrics` and the health checks.
    MetricsOnly,
}

/// All sockets on which a member listens.
pub(crate) struct Listeners {
    gate: Arc<Gate>,
    clients: Mutex<Vec<(TcpListener, Offer)>>,
    closing: signal::Sender<bool>,
    /// Each client's connection holds a copy; the last one gone ends the channel.
    connected: Mutex<Option<mpsc::Sender<Infallible>>>,
    drained: tokio::sync::Mutex<mpsc::Receiver<Infallible>>,
}

impl Listeners {
    /// Listens. Peers are asked to come again later, clients wait, until [`Listeners::open`].
    pub(crate) async fn bind(config: &Config) -> Result<Listeners, StartError> {
        let gate = Arc::new(Gate::default());
        let separate = !config.listen_client_http_urls.is_empty();
        let offers = [
            (&config.listen_client_urls, if separate { Offer::GrpcOnly } else { Offer::Everything }),
            (&config.listen_client_http_urls, Offer::HttpOnly),
            (&config.listen_metrics_urls, Offer::MetricsOnly),
        ];
        let mut peers = Vec::new();
        for url in &config.listen_peer_urls {
            peers.extend(listen(url).await?);
        }
        let mut clients = Vec::new();
        for (urls, offer) in offers {
            for url in urls {
                clients.extend(listen(url).await?.into_iter().map(|listener| (listener, offer)));
            }
        }
        for listener in peers {
            tokio::spawn(peer::serve(listener, gate.clone()));
        }
        let (closing, _) = signal::channel(false);
        let (connected, drained) = mpsc::channel(1);
        Ok(Listeners {
            gate,
            clients: Mutex::new(clients),
            closing,
            connected: Mutex::new(Some(connected)),
            drained: tokio::sync::Mutex::new(drained),
        })
    }

    /// Tells peers that ask who is a member here that nobody is yet.
    pub(crate) fn say_unborn(&self) {
        self.gate.say_unborn();
    }

    /// Serves.
    pub(crate) fn open(&self, peers: PeerPort, clients: ClientPort) {
        self.gate.open(peers);
        let services = Arc::new(Services::new(Arc::new(clients)));
        let places = descriptors::for_clients();
        let listeners = std::mem::take(&mut *self.clients.lock().expect("nobody panics while holding it"));
        let connected = self.connected.lock().expect("nobody panics while holding it").clone();
        for (listener, offer) in listeners {
            let Some(connected) = connected.clone() else { return };
            let accepting = accept(listener, offer, services.clone(), self.closing.subscribe(), connected, places.clone());
            tokio::spawn(accepting);
        }
    }

    /// Takes no more clients, and tells those that are here to go elsewhere once they have their answers. Peers are served to the
    /// end: their connections' end is how they learn that this process is gone.
    pub(crate) fn close(&self) {
        self.closing.send_replace(true);
        *self.connected.lock().expect("nobody panics while holding it") = None;
    }

    /// Returns when, after [`Listeners::close`], the last client has gone.
    pub(crate) async fn drained(&self) {
        let _ = self.drained.lock().await.recv().await;
    }
}

async fn accept(
    listener: TcpListener,
    offer: Offer,
    services: Arc<Services>,
    mut closing: signal::Receiver<bool>,
    connected: mpsc::Sender<Infallible>,
    places: Arc<Semaphore>,
) {
    loop {
        let accepting = async {
            // Who finds no place waits outside: the kernel keeps the queue.
            let place = places.clone().acquire_owned().await.expect("never closed");
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            accepted = accepting => accepted,
            () = closed(&mut closing) => return,
        };
        match accepted {
            Ok((socket, _)) => {
                let conversation = converse(socket, offer, services.clone(), closing.clone(), connected.clone());
                tokio::spawn(async move {
                    let _place = place;
                    conversation.await;
                });
            }
            Err(error) => {
                // Out of file descriptors, most likely: they come back.
                warn!(%error, "could not accept a client's connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn converse(
    socket: TcpStream,
    offer: Offer,
    services: Arc<Services>,
    mut closing: signal::Receiver<bool>,
    connected: mpsc::Sender<Infallible>,
) {
    if let Err(error) = socket.set_nodelay(true) {
        debug!(%error, "a client went as it came");
        return;
    }
    let http = builder(&services.port.config);
    let service = service_fn(move |request: Request<Incoming>| {
        let services = services.clone();
        async move {
            let grpc = is_grpc(&request);
            Ok::<_, Infallible>(match offer {
                Offer::Everything | Offer::GrpcOnly if grpc => services.call(request).await,
                Offer::Everything | Offer::HttpOnly => http::answer(&request, &services.port, true).await,
                Offer::MetricsOnly => http::answer(&request, &services.port, false).await,
                Offer::GrpcOnly => http::not_found(),
            })
        }
    });
    let mut conversation = pin!(http.serve_connection(TokioIo::new(Mended::new(socket, FIRST_WORD_PATIENCE)), service));
    let ended = tokio::select! {
        ended = &mut conversation => ended,
        () = closed(&mut closing) => {
            conversation.as_mut().graceful_shutdown();
            conversation.await
        }
    };
    if let Err(error) = ended {
        debug!(%error, "a client's connection ended");
    }
    drop(connected);
}

async fn closed(closing: &mut signal::Receiver<bool>) {
    // Listeners that are gone take no more clients either.
    let _ = closing.wait_for(|closing| *closing).await;
}

fn builder(config: &Config) -> auto::Builder<TokioExecutor> {
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_PATIENCE);
    http.http2()
        .timer(TokioTimer::new())
        // Go's gRPC sends none either, and it would cost each answer a line in the table of headers.
        .auto_date_header(false)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(config.max_concurrent_streams)
        .keep_alive_interval(config.grpc_keepalive_interval)
        .keep_alive_timeout(config.grpc_keepalive_timeout);
    http
}

fn is_grpc(request: &Request<Incoming>) -> bool {
    request.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}
