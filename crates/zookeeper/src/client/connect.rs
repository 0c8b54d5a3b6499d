//! How a session begins, or is taken up again.

use crate::Malformed;
use crate::jute::{Reader, Writer};
use bytes::{Bytes, BytesMut};

/// A client's first frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConnectRequest {
    /// 0.
    pub protocol_version: i32,
    /// The last transaction that the client has seen: a server that is behind must not serve it.
    pub last_zxid_seen: i64,
    /// The time-out that it wants, in milliseconds.
    pub timeout: i32,
    /// The session that it takes up again; 0: a new one.
    pub session: i64,
    /// That session's password.
    pub password: Bytes,
    /// Whether a server without a leader will do. `None`: a client of before 3.4, which does not say, and is not to be told.
    pub read_only: Option<bool>,
}

/// The server's first frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConnectResponse {
    /// The time-out that the client gets, in milliseconds; 0: no session.
    pub timeout: i32,
    /// The session; 0: none.
    pub session: i64,
    /// Its password.
    pub password: [u8; 16],
    /// Whether the server has no leader. `None`: not said, since the client would not understand it.
    pub read_only: Option<bool>,
}

impl ConnectRequest {
    /// What a first frame says. After an error the connection is to be closed.
    pub fn decode(frame: &Bytes) -> Result<ConnectRequest, Malformed> {
        let mut reader = Reader::new(frame, frame.len());
        Ok(ConnectRequest {
            protocol_version: reader.int()?,
            last_zxid_seen: reader.long()?,
            timeout: reader.int()?,
            session: reader.long()?,
            password: reader.buffer()?.unwrap_or_default(),
            read_only: reader.bool().ok(),
        })
    }

    /// Appends it as a frame.
    pub fn encode(&self, out: &mut BytesMut) {
        frame(out, |writer| {
            writer.int(self.protocol_version);
            writer.long(self.last_zxid_seen);
            writer.int(self.timeout);
            writer.long(self.session);
            writer.buffer(Some(&self.password));
            if let Some(read_only) = self.read_only {
                writer.bool(read_only);
            }
        });
    }
}

impl ConnectResponse {
    /// The session is gone, or was never there: the connection is closed after this.
    pub fn refusal(read_only: Option<bool>) -> ConnectResponse {
        ConnectResponse { timeout: 0, session: 0, password: [0; 16], read_only }
    }

    /// What a server's first frame says.
    pub fn decode(frame: &Bytes) -> Result<ConnectResponse, Malformed> {
        let mut reader = Reader::new(frame, frame.len());
        let _protocol_version = reader.int()?;
        let (timeout, session) = (reader.int()?, reader.long()?);
        let password = reader.buffer()?.unwrap_or_default();
        let Ok(password) = <[u8; 16]>::try_from(&password[..]) else { return reader.refuse("a password of 16 bytes") };
        Ok(ConnectResponse { timeout, session, password, read_only: reader.bool().ok() })
    }

    /// Appends it as a frame.
    pub fn encode(&self, out: &mut BytesMut) {
        frame(out, |writer| {
            writer.int(0);
            writer.int(self.timeout);
            writer.long(self.session);
            writer.buffer(Some(&self.password));
            if let Some(read_only) = self.read_only {
                writer.bool(read_only);
            }
        });
    }
}

fn frame(out: &mut BytesMut, contents: impl FnOnce(&mut Writer)) {
    Writer::append(out, |writer| writer.framed(contents));
}
