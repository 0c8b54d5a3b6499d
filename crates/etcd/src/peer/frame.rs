//! The `message` stream, and the head of a snapshot's body: messages, each behind its length.
//!
//! ```text
//! │ length: 8 bytes, big-endian │ raftpb.Message │ length │ raftpb.Message │ …
//! ```

use super::message::{self, Envelope, Received, link_heartbeat};
use crate::Malformed;
use bytes::{Buf, BufMut, BytesMut};
use consensus::NodeId;

/// The longest message that a receiver takes: what Go etcd takes, too. Nothing is set aside on the word of a length; a buffer
/// grows with the bytes that arrive.
pub const LIMIT: u64 = 512 << 20;

/// Bytes of a length.
const HEAD: usize = 8;

/// A buffer that once held a long message is given back when it is empty and larger than this.
const KEEP: usize = 1 << 20;

/// Appends a framed message.
pub fn encode(envelope: &Envelope, out: &mut BytesMut) {
    let length = message::encoded_len(envelope);
    out.reserve(HEAD + length);
    out.put_u64(length as u64);
    let begin = out.len();
    message::encode(envelope, out);
    assert_eq!(out.len() - begin, length, "a message of another length than announced: {envelope:?}");
}

/// Appends what shows that the connection lives.
pub fn encode_link_heartbeat(out: &mut BytesMut) {
    let fields = link_heartbeat();
    out.put_u64(fields.size() as u64);
    fields.write(out);
}

/// Takes bytes as they arrive and gives messages.
#[derive(Debug)]
pub struct Decoder {
    remote: NodeId,
    limit: u64,
    buffer: BytesMut,
}

impl Decoder {
    /// A decoder for a connection to `remote`.
    pub fn new(remote: NodeId) -> Decoder {
        Decoder { remote, limit: LIMIT, buffer: BytesMut::new() }
    }

    /// A decoder that takes no message longer than `limit` bytes.
    pub fn with_limit(remote: NodeId, limit: u64) -> Decoder {
        Decoder { limit, ..Decoder::new(remote) }
    }

    /// Where arriving bytes go. Only append.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Takes bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next message; `None` until more bytes come. After an error the connection is to be closed.
    #[expect(clippy::should_implement_trait, reason = "None is not the end, but a pause")]
    pub fn next(&mut self) -> Result<Option<Received>, Malformed> {
        let Some(frame) = framed(&self.buffer, "message", self.limit)? else { return Ok(None) };
        let length = frame.len();
        let received = message::decode(self.remote, frame)?;
        consume(&mut self.buffer, HEAD + length);
        Ok(Some(received))
    }

    /// What came after the last message: the beginning of a snapshot's own bytes.
    pub fn into_rest(self) -> BytesMut {
        self.buffer
    }
}

/// What is behind the length at the buffer's beginning, once it is whole.
pub(super) fn framed<'a>(buffer: &'a [u8], what: &'static str, limit: u64) -> Result<Option<&'a [u8]>, Malformed> {
    let Some((head, rest)) = buffer.split_first_chunk::<HEAD>() else { return Ok(None) };
    let length = u64::from_be_bytes(*head);
    if length > limit {
        return Err(Malformed::TooLong { what, unit: "bytes", length, limit });
    }
    Ok(usize::try_from(length).ok().and_then(|length| rest.get(..length)))
}

/// Forgets the first `count` bytes.
pub(super) fn consume(buffer: &mut BytesMut, count: usize) {
    buffer.advance(count);
    if buffer.is_empty() && buffer.capacity() > KEEP {
        *buffer = BytesMut::new();
    }
}
