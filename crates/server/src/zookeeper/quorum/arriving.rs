//! A snapshot that a leader sends: it goes to a file as it comes, and nothing else is read from its link meanwhile.

use super::super::inbox::{ConnectionId, PeerEvent};
use super::Quorum;
use super::link::fill;
use bytes::{Bytes, BytesMut};
use consensus::{NodeId, Position};
use std::io::{self, ErrorKind};
use std::time::Duration;
use storage::zookeeper::Progress;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use zookeeper::quorum::snapshot::signature;

/// So often the member is told that a snapshot comes: its leader says nothing else meanwhile.
const TELL: Duration = Duration::from_secs(1);

/// A snapshot on its way in: each piece is answered with how far the snapshot has come.
#[derive(Debug)]
pub(crate) struct Arriving {
    pub(crate) bytes: mpsc::Sender<Bytes>,
    pub(crate) progress: mpsc::Receiver<Result<Progress, String>>,
}

/// Begins to receive the snapshot of a position from a leader.
pub(crate) type Begin = Box<dyn Fn(NodeId, Position) -> Arriving>;

/// Receives a whole snapshot. What `buffer` holds afterwards is what follows it.
pub(crate) async fn receive(
    quorum: &Quorum,
    (peer, connection): (NodeId, ConnectionId),
    position: Position,
    stream: &TcpStream,
    buffer: &mut BytesMut,
) -> io::Result<()> {
    let mut arriving = (quorum.begin)(peer, position);
    let mut told = Instant::now();
    let mut tell = || {
        if told.elapsed() >= TELL {
            told = Instant::now();
            quorum.inbox.put(PeerEvent::SnapshotComes { peer, connection });
        }
    };
    loop {
        if buffer.is_empty() {
            fill(stream, buffer).await?;
            tell();
        }
        let piece = buffer.split().freeze();
        // Who has gone away has said why, or said that it was whole.
        let _ = arriving.bytes.send(piece.clone()).await;
        // The last piece takes as long as it takes to make a tree of them all.
        let progress = loop {
            match timeout(TELL, arriving.progress.recv()).await {
                Ok(progress) => break progress,
                Err(_) => tell(),
            }
        };
        let progress = progress.unwrap_or_else(|| Err("the disk's thread has gone".to_owned()));
        let Progress { taken, whole } = progress.map_err(|why| io::Error::new(ErrorKind::InvalidData, why))?;
        buffer.extend_from_slice(&piece[taken..]);
        if whole {
            return take_signature(stream, buffer).await;
        }
    }
}

/// The words that end the transfer.
async fn take_signature(stream: &TcpStream, buffer: &mut BytesMut) -> io::Result<()> {
    let signature = signature();
    while buffer.len() < signature.len() {
        fill(stream, buffer).await?;
    }
    if buffer.split_to(signature.len()) == signature {
        Ok(())
    } else {
        Err(io::Error::new(ErrorKind::InvalidData, "a snapshot without its signature"))
    }
}
