//! Connections that other servers open to the election port.

use super::super::address::accept;
use super::{Election, UNGREETED_MAX};
use bytes::BytesMut;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::spawn_local;
use tokio::time::timeout;
use tracing::{debug, warn};
use zookeeper::config::HostPort;
use zookeeper::election::Greeting;

/// The observers' common id (`QuorumPeer.OBSERVER_ID`): the receiver gives each a number of its own.
const NOBODY: i64 = -1;

/// Accepts connections for as long as the server runs.
pub(crate) async fn listen(election: Rc<Election>, listener: TcpListener) {
    let ungreeted = Arc::new(Semaphore::new(UNGREETED_MAX));
    loop {
        let Ok(place) = ungreeted.clone().acquire_owned().await else { return };
        let (stream, from) = accept(&listener).await;
        let election = election.clone();
        spawn_local(async move {
            let greeted = timeout(election.greeting_timeout, greet(&election, stream, from)).await;
            drop(place);
            match greeted.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into())) {
                Ok(()) => {}
                Err(error) => debug!(%from, %error, "a connection for elections without a greeting"),
            }
        });
    }
}

async fn greet(election: &Rc<Election>, mut stream: TcpStream, from: SocketAddr) -> io::Result<()> {
    let mut unread = BytesMut::new();
    let greeting = loop {
        match Greeting::decode(&mut unread) {
            Ok(Some(greeting)) => break greeting,
            Ok(None) if stream.read_buf(&mut unread).await? == 0 => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(None) => {}
            Err(malformed) => return Err(io::Error::new(ErrorKind::InvalidData, malformed)),
        }
    };
    let sid = if greeting.sid == NOBODY { election.private_id() } else { greeting.sid };
    if sid == election.me {
        warn!(%from, "another server has this server's id, {sid}");
    } else if sid < election.me && greeting.sid != NOBODY {
        drop(stream);
        // Strangers are called back where they came from, at the port that they name, and nowhere else.
        let place = greeting.addresses.first().map(|address| HostPort { host: from.ip().to_string(), port: address.port });
        election.on_called(sid, place);
    } else if election.admits(sid) {
        election.on_connection(sid, stream, unread);
    }
    Ok(())
}
