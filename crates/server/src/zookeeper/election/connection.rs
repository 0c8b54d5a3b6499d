//! Notifications over a connection that stands.

use super::super::inbox::{ConnectionId, PeerEvent, Unread};
use super::{Election, node};
use bytes::BytesMut;
use consensus::Link;
use std::io::{self, ErrorKind};
use std::rc::Rc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::Notify;
use zab::Message;
use zookeeper::election::{Heard, frame, notification};

/// Reads and writes until the connection ends.
pub(crate) async fn converse(
    election: Rc<Election>,
    sid: i64,
    stranger: bool,
    connection: ConnectionId,
    mut stream: TcpStream,
    unread: BytesMut,
    wake: Rc<Notify>,
) {
    let (reading, writing) = stream.split();
    let why = tokio::select! {
        why = read(&election, sid, stranger, connection, reading, unread) => why,
        why = write(&election, sid, writing, &wake) => why,
    };
    election.on_end(sid, connection, &why);
}

async fn write(election: &Election, sid: i64, mut stream: WriteHalf<'_>, wake: &Notify) -> io::Error {
    loop {
        while let Some(notification) = election.take_waiting(sid) {
            if let Err(error) = stream.write_all(&notification).await {
                return error;
            }
        }
        wake.notified().await;
    }
}

async fn read(
    election: &Election,
    sid: i64,
    stranger: bool,
    connection: ConnectionId,
    mut stream: ReadHalf<'_>,
    mut buffer: BytesMut,
) -> io::Error {
    let unread = Unread::new();
    loop {
        let frame = match frame(&mut buffer) {
            Ok(Some(frame)) => frame,
            Ok(None) => match stream.read_buf(&mut buffer).await {
                Ok(0) => return ErrorKind::UnexpectedEof.into(),
                Ok(_) => continue,
                Err(error) => return error,
            },
            Err(malformed) => return io::Error::new(ErrorKind::InvalidData, malformed),
        };
        let room = unread.room(frame.len()).await;
        if stranger {
            election.inbox.put(PeerEvent::Stranger { sid, room });
            continue;
        }
        // What cannot be understood is passed over, as Java does. So is the sender's configuration: this one cannot be changed.
        let Ok(Heard { notification, .. }) = notification(&frame) else { continue };
        let messages = vec![Message::Notification(notification)];
        election.inbox.put(PeerEvent::Said { peer: node(sid), link: Link::Election, connection, messages, room });
    }
}
