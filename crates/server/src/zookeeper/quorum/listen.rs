//! Connections that learners open to the quorum port.

use super::super::address::accept;
use super::link::fill;
use super::{FIRST_PACKET, Quorum, UNKNOWN_MAX};
use bytes::BytesMut;
use consensus::NodeId;
use std::io::{self, ErrorKind};
use std::rc::Rc;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::spawn_local;
use tokio::time::timeout;
use tracing::debug;
use zookeeper::quorum::{Also, PROTOCOL_VERSION, decode};

/// The longest data of a first packet: a LearnerInfo has 20 bytes.
const FIRST_LENGTH_MAX: usize = 1 << 10;

/// Accepts connections for as long as the server runs.
pub(crate) async fn listen(quorum: Rc<Quorum>, listener: TcpListener) {
    let unknown = Arc::new(Semaphore::new(UNKNOWN_MAX));
    loop {
        let Ok(place) = unknown.clone().acquire_owned().await else { return };
        let (stream, from) = accept(&listener).await;
        let quorum = quorum.clone();
        spawn_local(async move {
            let known = timeout(FIRST_PACKET, first_packet(&quorum, stream)).await;
            drop(place);
            if let Err(error) = known.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into())) {
                debug!(%from, %error, "a connection of nobody's");
            }
        });
    }
}

async fn first_packet(quorum: &Rc<Quorum>, stream: TcpStream) -> io::Result<()> {
    let mut unread = BytesMut::new();
    let first = loop {
        match decode(&mut unread, FIRST_LENGTH_MAX) {
            Ok(Some(first)) => break first,
            Ok(None) => fill(&stream, &mut unread).await?,
            Err(malformed) => return Err(io::Error::new(ErrorKind::InvalidData, malformed)),
        }
    };
    match first.also {
        Also::Learner { sid: Some(sid), protocol } if sid >= 0 && protocol >= PROTOCOL_VERSION => {
            quorum.on_learner(NodeId(sid as u64), stream, unread, first.packet);
            Ok(())
        }
        Also::Learner { .. } => Err(io::Error::new(ErrorKind::InvalidData, "a learner of a version before 3.3")),
        _ => Err(io::Error::new(ErrorKind::InvalidData, "a first packet that is not a learner's")),
    }
}
