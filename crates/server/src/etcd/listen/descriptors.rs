//! How many clients there may be: every connection is an open file, and so are the log's segments and the links to peers.
//!
//! A process that clients keep from opening its own files has to stop, so a part is never theirs (etcd reserves 150, but does not count
//! what comes to its peer port).

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::sync::Arc;
use tokio::sync::Semaphore;
use tracing::debug;

/// For the log, snapshots, links to peers and the runtime, and for what comes to the peer port.
const RESERVED: u64 = 150 + PEERS_MAX as u64;
/// With less even than that, still some.
const CLIENTS_MIN: u64 = 16;
/// More than a process can have files.
const CLIENTS_MAX: u64 = 1 << 20;
/// A member of a large cluster has a few dozen connections from its peers, and a leader one for each question about a lease.
const PEERS_MAX: usize = 384;

/// A place for each connection of a client.
pub(crate) fn for_clients() -> Arc<Semaphore> {
    let clients = raise().saturating_sub(RESERVED).clamp(CLIENTS_MIN, CLIENTS_MAX);
    Arc::new(Semaphore::new(usize::try_from(clients).unwrap_or(usize::MAX)))
}

/// A place for each connection to the peer port.
pub(crate) fn for_peers() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(PEERS_MAX))
}

/// Raises the number of files that this process may open as far as it may be raised (Go does so at every start), and tells it.
fn raise() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum && setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_err() {
        debug!(?current, ?maximum, "the number of open files could not be raised");
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}
