//! What clients and servers say to each other over the client port, for both sides.
//!
//! ```text
//! client → server   │ length │ ConnectRequest │     then  │ length │ xid: int │ operation: int │ record │ …
//! server → client   │ length │ ConnectResponse │    then  │ length │ xid: int │ zxid: long │ err: int │ record, if err is 0 │ …
//! ```
//!
//! Replies come in the order of their requests. Some xids are not the client's: see [`xid`].

mod call;
mod connect;
mod incoming;
mod reply;

pub use call::{Call, ClientRequest, Reconfig};
pub use connect::{ConnectRequest, ConnectResponse};
pub use incoming::{Incoming, Reply, decode};
pub use reply::{encode_added_watch, encode_answer, encode_event, encode_header, encode_sasl};

use crate::Malformed;
use bytes::{Buf, Bytes, BytesMut};

/// Xids that mean something (Java: `ClientCnxn`).
pub mod xid {
    /// A watch event.
    pub const EVENT: i32 = -1;
    /// A ping.
    pub const PING: i32 = -2;
    /// Authentication.
    pub const AUTH: i32 = -4;
    /// Watches that are set again after a reconnect.
    pub const SET_WATCHES: i32 = -8;
}

/// The longest frame that a server takes unless configured otherwise (`jute.maxbuffer`).
pub const FRAME_LIMIT: usize = 0xf_ffff;

/// Takes a frame off `buffer`, once it is whole; `None` until more bytes come. After an error the connection is to be closed, as Java does
/// ("Len error"). A server looks for [`crate::words::Word`] before it looks for the first frame.
pub fn frame(buffer: &mut BytesMut, limit: usize) -> Result<Option<Bytes>, Malformed> {
    let Some(length) = buffer.first_chunk().map(|length| i32::from_be_bytes(*length)) else { return Ok(None) };
    let Some(within) = usize::try_from(length).ok().filter(|&within| within <= limit) else {
        return Err(Malformed::number(0, format!("the length of a frame, at most {limit}"), length.into()));
    };
    if buffer.len() - 4 < within {
        return Ok(None);
    }
    buffer.advance(4);
    Ok(Some(buffer.split_to(within).freeze()))
}
