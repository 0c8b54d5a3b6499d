//! A connection to one ZooKeeper server, and a session over it.

use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use znodes::{Op, ReadOp, WatchEvent};
use zookeeper::client::{self, Call, ClientRequest, ConnectRequest, ConnectResponse, Incoming, Reply};

/// Replies may be as long as a server likes to make them: nodes of many children.
const ANSWER_BYTES_MAX: usize = 256 << 20;

/// Why there is no answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Trouble {
    /// The server refused, with an error's number: it was heard.
    Refused(i32),
    /// The connection did not come about or was lost: another server may do better. Whether a request was carried out is not known.
    Connection(String),
}

/// A session, by which a client is known to any server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Session {
    pub(crate) id: i64,
    pub(crate) password: [u8; 16],
}

/// A session over one connection. When it is dropped without [`Connection::close`] the session lives on until it expires.
pub(crate) struct Connection {
    stream: TcpStream,
    received: BytesMut,
    next_xid: i32,
    timeout: Duration,
    session: Session,
    events: VecDeque<(WatchEvent, String)>,
    pings: usize,
}

impl Connection {
    /// Begins a session with the server at `address` ("host:port").
    pub(crate) async fn open(address: &str, session_timeout: Duration) -> Result<Connection, Trouble> {
        Connection::resume(address, &Session { id: 0, password: [0; 16] }, session_timeout).await
    }

    /// Goes on with a session, perhaps at another server.
    pub(crate) async fn resume(address: &str, session: &Session, session_timeout: Duration) -> Result<Connection, Trouble> {
        let lost = |error: std::io::Error| Trouble::Connection(format!("{address}: {error}"));
        let stream = TcpStream::connect(address).await.map_err(lost)?;
        stream.set_nodelay(true).map_err(lost)?;
        let mut connection = Connection {
            stream,
            received: BytesMut::new(),
            next_xid: 1,
            timeout: session_timeout,
            session: session.clone(),
            events: VecDeque::new(),
            pings: 0,
        };
        let greeting = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: 0,
            timeout: i32::try_from(session_timeout.as_millis()).unwrap_or(i32::MAX),
            session: session.id,
            password: Bytes::copy_from_slice(&session.password),
            read_only: Some(false),
        };
        let mut out = BytesMut::new();
        greeting.encode(&mut out);
        connection.send(&out).await?;
        let frame = connection.frame().await.map_err(|trouble| match trouble {
            Trouble::Connection(why) => Trouble::Connection(format!("{address}: {why}")),
            refused @ Trouble::Refused(_) => refused,
        })?;
        let response = ConnectResponse::decode(&frame).map_err(|what| Trouble::Connection(format!("{address}: {what}")))?;
        if response.session == 0 {
            return Err(Trouble::Connection(format!("{address}: the server gave no session")));
        }
        connection.session = Session { id: response.session, password: response.password };
        connection.timeout = Duration::from_millis(u64::try_from(response.timeout).unwrap_or(0));
        Ok(connection)
    }

    /// The session.
    pub(crate) fn session(&self) -> Session {
        self.session.clone()
    }

    /// Writes, and waits for the answer.
    pub(crate) async fn write(&mut self, op: Op) -> Result<Reply, Trouble> {
        let call = Call::write(self.xid(), op);
        self.ask(call).await
    }

    /// Reads, and waits for the answer.
    pub(crate) async fn read(&mut self, op: ReadOp, watch: bool) -> Result<Reply, Trouble> {
        let call = Call::read(self.xid(), op, watch);
        self.ask(call).await
    }

    /// Asks for something else, and waits for the answer. The operation's number is `op`.
    pub(crate) async fn request(&mut self, op: i32, request: ClientRequest) -> Result<Reply, Trouble> {
        let call = Call { xid: self.xid(), op, request };
        self.ask(call).await
    }

    /// The next event of a watch; pings go out as long as it takes.
    pub(crate) async fn event(&mut self) -> Result<(WatchEvent, String), Trouble> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(event);
            }
            match tokio::time::timeout(self.timeout / 3, self.frame()).await {
                Ok(frame) => self.take_event_or_ping(&frame?)?,
                Err(_) if self.pings > 1 => return Err(Trouble::Connection("the server does not answer".to_owned())),
                Err(_) => {
                    let ping = Call { xid: client::xid::PING, op: zookeeper::opcode::PING, request: ClientRequest::Ping };
                    let mut out = BytesMut::new();
                    ping.encode(&mut out);
                    self.send(&out).await?;
                    self.pings += 1;
                }
            }
        }
    }

    /// Ends the session.
    pub(crate) async fn close(mut self) {
        // One that cannot be told expires by itself.
        let _ = self.write(Op::CloseSession).await;
    }

    /// Sends what was encoded already.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        self.stream.write_all(bytes).await.map_err(|error| Trouble::Connection(error.to_string()))
    }

    /// The next frame, whole. Cancelled while it waits it loses nothing.
    pub(crate) async fn frame(&mut self) -> Result<Bytes, Trouble> {
        loop {
            if let Some(frame) = self.frame_at_hand()? {
                return Ok(frame);
            }
            self.receive().await?;
        }
    }

    /// A frame that was received already.
    pub(crate) fn frame_at_hand(&mut self) -> Result<Option<Bytes>, Trouble> {
        client::frame(&mut self.received, ANSWER_BYTES_MAX).map_err(|what| Trouble::Connection(what.to_string()))
    }

    /// Waits for more bytes.
    pub(crate) async fn receive(&mut self) -> Result<(), Trouble> {
        match self.stream.read_buf(&mut self.received).await {
            Ok(0) => Err(Trouble::Connection("the server closed the connection".to_owned())),
            Ok(_) => Ok(()),
            Err(error) => Err(Trouble::Connection(error.to_string())),
        }
    }

    fn xid(&mut self) -> i32 {
        let xid = self.next_xid;
        self.next_xid = xid.checked_add(1).unwrap_or(1);
        xid
    }

    async fn ask(&mut self, call: Call) -> Result<Reply, Trouble> {
        let mut out = BytesMut::new();
        call.encode(&mut out);
        self.send(&out).await?;
        loop {
            let frame = self.frame().await?;
            let incoming = client::decode(&frame, |xid| (xid == call.xid).then_some(call.op));
            match incoming.map_err(|what| Trouble::Connection(what.to_string()))? {
                Incoming::Reply { xid, reply, .. } if xid == call.xid => return reply.map_err(Trouble::Refused),
                Incoming::Reply { .. } => self.pings = 0,
                Incoming::Event { event, path, .. } => self.events.push_back((event, path)),
            }
        }
    }

    fn take_event_or_ping(&mut self, frame: &Bytes) -> Result<(), Trouble> {
        match client::decode(frame, |_| None).map_err(|what| Trouble::Connection(what.to_string()))? {
            Incoming::Event { event, path, .. } => self.events.push_back((event, path)),
            Incoming::Reply { .. } => self.pings = 0,
        }
        Ok(())
    }
}
