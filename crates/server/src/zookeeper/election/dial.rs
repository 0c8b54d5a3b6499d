//! Opening a connection to another server's election port.

use super::super::address::connect;
use super::Election;
use bytes::BytesMut;
use consensus::How;
use std::rc::Rc;
use tokio::io::AsyncWriteExt;
use zookeeper::config::HostPort;
use zookeeper::election::Greeting;

/// Greets a server. The connection stays if this server has the larger id; else the other one opens its own.
pub(crate) async fn dial(election: Rc<Election>, sid: i64, places: Vec<HostPort>) {
    let mut stream = match connect(&places, election.connect_timeout).await {
        Ok(stream) => stream,
        Err(how) => return election.on_unreachable(sid, how),
    };
    let greeting = Greeting { sid: election.me, addresses: election.address.iter().cloned().collect() };
    // In one piece: Java reads it before it accepts anybody else's connection.
    if stream.write_all(&greeting.encode()).await.is_err() {
        return election.on_unreachable(sid, How::Lost);
    }
    if election.me > sid {
        election.on_connection(sid, stream, BytesMut::new());
    } else {
        let _ = stream.shutdown().await;
        election.on_greeted(sid);
    }
}
