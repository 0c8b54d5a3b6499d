//! The client port.

use super::super::admin;
use super::super::config::Config;
use super::super::error::StartError;
use super::super::member::Core;
use super::{Front, line};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::spawn_local;
use tracing::{info, warn};

/// Files that clients never get: for the log, snapshots, peers and the runtime.
const RESERVED: usize = 150;
/// With less even than that, still some.
const CLIENTS_MIN: usize = 16;
/// More than a process can have files.
const CLIENTS_MAX: usize = 1 << 20;
/// After the operating system refused to hand over a connection.
const PAUSE: Duration = Duration::from_millis(100);

/// How many connections clients may have in all: `wanted`, or as many as this process may open files; 0 wants as many as there can be.
pub(crate) fn open_files(wanted: usize) -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        // What cannot be raised stays as it is.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
    let files = getrlimit(Resource::Nofile).current.and_then(|files| usize::try_from(files).ok()).unwrap_or(CLIENTS_MAX);
    let possible = files.saturating_sub(RESERVED).clamp(CLIENTS_MIN, CLIENTS_MAX);
    if wanted == 0 { possible } else { possible.min(wanted) }
}

/// What is bound before anything else is done: two servers that were told the same ports are told apart early.
pub(crate) struct ClientPorts {
    clients: Option<TcpListener>,
    admin: Option<TcpListener>,
    metrics: Option<TcpListener>,
}

impl ClientPorts {
    /// Binds what the configuration names.
    pub(crate) fn bind(config: &Config) -> Result<ClientPorts, StartError> {
        const WEB_BACKLOG: u32 = 64;
        let bind = |address: Option<SocketAddr>, backlog| address.map(|address| bind(address, backlog)).transpose();
        Ok(ClientPorts {
            clients: bind(config.client_address, config.client_backlog)?,
            admin: bind(config.admin_address, WEB_BACKLOG)?,
            metrics: bind(config.metrics_address, WEB_BACKLOG)?,
        })
    }

    /// Lets clients and operators in. To be called on a [`tokio::task::LocalSet`].
    pub(crate) fn open(self, core: &Rc<Core>) -> Rc<Front> {
        let front = Front::new(core.clone());
        if let Some(listener) = self.clients {
            spawn_local(accept(front.clone(), listener));
        }
        if let Some(listener) = self.admin {
            spawn_local(admin::serve(front.clone(), listener, admin::Offer::Commands));
        }
        if let Some(listener) = self.metrics {
            spawn_local(admin::serve(front.clone(), listener, admin::Offer::Metrics));
        }
        spawn_local(watch_over(front.clone()));
        front
    }
}

fn bind(address: SocketAddr, backlog: u32) -> Result<TcpListener, StartError> {
    let listen = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(backlog)
    };
    listen().map_err(|source| StartError::Listen { address, source })
}

async fn accept(front: Rc<Front>, listener: TcpListener) {
    if let Ok(address) = listener.local_addr() {
        info!(%address, "clients are let in");
    }
    let mut stopping = front.stopping.subscribe();
    loop {
        let accepted = tokio::select! {
            _ = stopping.wait_for(|&stopping| stopping) => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                spawn_local(line::serve(front.clone(), stream));
            }
            Err(error) => {
                warn!(%error, "a client could not be let in");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Twice a tick the leader is told which sessions live, as often as it pings, and connections are closed over which nothing comes.
async fn watch_over(front: Rc<Front>) {
    let mut ticks = tokio::time::interval((front.core.config().tick / 2).max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut stopping = front.stopping.subscribe();
    loop {
        tokio::select! {
            _ = stopping.wait_for(|&stopping| stopping) => return,
            _ = ticks.tick() => front.at_desk(|desk, moment| desk.tick(moment)),
        }
    }
}
