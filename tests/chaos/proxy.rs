//! A network that can be cut: every connection between members, and between clients and members, goes through here.
//!
//! ```text
//!   members dial each other's advertised peer address ──▶ a listener of ours ──▶ the real one
//!   clients dial a member's advertised address        ──▶ a listener of ours ──▶ the real one
//! ```
//!
//! What flows is decided for each ordered pair of nodes, as a network would: who blocks 1 → 2 blocks what 1 says on connections that
//! 2 opened, too, and 2 → 1 goes on.

use crate::chaos::engine::Engine;
use crate::chaos::sockets;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub const MEMBERS: usize = 3;
/// All clients are one node of the network.
pub const CLIENTS: usize = MEMBERS;
const NODES: usize = MEMBERS + 1;
/// A piece that is delayed as a whole.
const PIECE: usize = 64 << 10;

/// What happens to bytes from one node to another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flow {
    Open,
    /// Each piece waits for so long.
    Slow(Duration),
    /// They are kept and arrive once the pair is open again, as TCP brings them after a partition that was short.
    Held,
    /// Connections end, and new ones end at once.
    Cut,
}

/// From whom to whom.
pub type Flows = [[Flow; NODES]; NODES];

pub const OPEN: Flows = [[Flow::Open; NODES]; NODES];

/// The network; whoever holds it decides what flows.
pub struct Network {
    flows: watch::Sender<Flows>,
    carried: Arc<AtomicU64>,
    _engine: Engine,
}

/// A listener of ours, and where it leads.
pub struct Door {
    /// The port that others know.
    pub listener: std::net::TcpListener,
    /// The port of the member.
    pub port: u16,
    pub member: usize,
    /// Whether members come through it, and not clients.
    pub of_peers: bool,
}

impl Network {
    /// Opens `doors`; `pids` are the members' processes, which change when they are started again.
    pub fn open(doors: Vec<Door>, pids: &Arc<[AtomicU32; MEMBERS]>) -> Network {
        let engine = Engine::start("network");
        let (flows, _) = watch::channel(OPEN);
        let carried = Arc::new(AtomicU64::new(0));
        for door in doors {
            door.listener.set_nonblocking(true).expect("a listener that waits for nobody");
            engine.handle().spawn(accept(door, flows.subscribe(), pids.clone(), carried.clone()));
        }
        Network { flows, carried, _engine: engine }
    }

    pub fn set(&self, flows: Flows) {
        self.flows.send_replace(flows);
    }

    /// How many bytes have gone through.
    pub fn carried(&self) -> u64 {
        self.carried.load(Ordering::Relaxed)
    }
}

async fn accept(door: Door, flows: watch::Receiver<Flows>, pids: Arc<[AtomicU32; MEMBERS]>, carried: Arc<AtomicU64>) {
    let known = door.listener.local_addr().expect("a bound address").port();
    let listener = TcpListener::from_std(door.listener).expect("a listener");
    loop {
        let Ok((near, from)) = listener.accept().await else { continue };
        let dialer = if door.of_peers { sockets::owner(from.port(), known, &pids[..]) } else { Some(CLIENTS) };
        // Whoever dialled and died meanwhile has nothing to say.
        let Some(dialer) = dialer else { continue };
        tokio::spawn(carry(near, dialer, door.member, door.port, flows.clone(), carried.clone()));
    }
}

/// Both directions of a connection, until either end closes it or the network does.
async fn carry(near: TcpStream, dialer: usize, member: usize, port: u16, flows: watch::Receiver<Flows>, carried: Arc<AtomicU64>) {
    let cut = |flows: &Flows| flows[dialer][member] == Flow::Cut || flows[member][dialer] == Flow::Cut;
    if cut(&flows.borrow()) {
        return;
    }
    let Ok(far) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    let _ = near.set_nodelay(true);
    let _ = far.set_nodelay(true);
    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
    let there = pump(near_in, far_out, (dialer, member), flows.clone(), &carried);
    let back = pump(far_in, near_out, (member, dialer), flows.clone(), &carried);
    let mut ends = flows.clone();
    tokio::select! {
        () = there => {}
        () = back => {}
        _ = ends.wait_for(cut) => {}
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    (source, target): (usize, usize),
    mut flows: watch::Receiver<Flows>,
    carried: &AtomicU64,
) {
    let mut piece = vec![0; PIECE];
    while let Ok(size) = from.read(&mut piece).await {
        if size == 0 {
            break;
        }
        let Ok(flow) = flows.wait_for(|flows| flows[source][target] != Flow::Held).await.map(|flows| flows[source][target])
        else {
            break;
        };
        if let Flow::Slow(delay) = flow {
            tokio::time::sleep(delay).await;
        }
        if to.write_all(&piece[..size]).await.is_err() {
            break;
        }
        carried.fetch_add(size as u64, Ordering::Relaxed);
    }
}
