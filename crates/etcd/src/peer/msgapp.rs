//! The `msgapp` stream (etcd calls it msgappv2): appends, of which most say only what is new.
//!
//! ```text
//! 0                                                            the connection lives
//! 1 │ count │ size │ raftpb.Entry │ size │ … │ commit          entries that follow the last, from a leader of the same term
//! 2 │ size │ raftpb.Message                                    any append; what follows it is told from it
//! ```
//!
//! Numbers are 8 bytes, big-endian. Both ends remember a position, (0, 0) on a new connection: the term of the last full message,
//! and the index of the last entry sent. The first append on a connection is therefore a full one.

use super::frame::{LIMIT, consume, framed};
use super::message::{self, ENTRIES_MAX, Envelope, Received, follow};
use super::raftpb::{entry_size, write_entry};
use crate::Malformed;
use crate::pb::raftpb as pb;
use bytes::{BufMut, BytesMut};
use consensus::{Entry, NodeId, Position};
use prost::Message as _;
use raft::{Body, Message};

const LINK_HEARTBEAT: u8 = 0;
const ENTRIES: u8 = 1;
const MESSAGE: u8 = 2;

/// Bytes of a number.
const NUMBER: usize = 8;

/// Whether a message goes over this stream, as long as it stands. All others go over [`super::frame`]'s.
pub fn carries(message: &Message) -> bool {
    matches!(message.body, Body::Append { .. })
}

/// The writing end of one connection.
#[derive(Debug, Default)]
pub struct Encoder {
    told: Position,
}

impl Encoder {
    /// For a new connection.
    pub fn new() -> Encoder {
        Encoder::default()
    }

    /// Appends a message, which must be one that this stream [`carries`].
    pub fn encode(&mut self, envelope: &Envelope, out: &mut BytesMut) {
        let Body::Append { previous, entries, commit } = &envelope.message.body else {
            panic!("not an append: {envelope:?}");
        };
        let term = envelope.message.term;
        // The receiver knows no other term than the last full message's, for the message and for the entry before it alike.
        if self.told == *previous && previous.epoch == term {
            encode_entries(entries, *commit, out);
            self.told.index += entries.len() as u64;
        } else {
            out.put_u8(MESSAGE);
            super::frame::encode(envelope, out);
            self.told = Position::new(term, entries.last().map_or(previous.index, |last| last.position.index));
        }
    }

    /// Appends what shows that the connection lives.
    pub fn encode_link_heartbeat(out: &mut BytesMut) {
        out.put_u8(LINK_HEARTBEAT);
    }
}

fn encode_entries(entries: &[Entry], commit: u64, out: &mut BytesMut) {
    let size = |entry: &Entry| entry_size(entry.kind, entry.position, &entry.data);
    out.reserve(1 + 2 * NUMBER + entries.iter().map(|entry| NUMBER + size(entry)).sum::<usize>());
    out.put_u8(ENTRIES);
    out.put_u64(entries.len() as u64);
    for entry in entries {
        out.put_u64(size(entry) as u64);
        write_entry(entry.kind, entry.position, &entry.data, out);
    }
    out.put_u64(commit);
}

/// The reading end of one connection: takes bytes as they arrive and gives messages.
#[derive(Debug)]
pub struct Decoder {
    local: NodeId,
    remote: NodeId,
    told: Position,
    /// A frame of type 1 that is not whole yet.
    partial: Option<Partial>,
    buffer: BytesMut,
}

/// What has been read of a frame of type 1. It may hold many entries; none is looked at twice.
#[derive(Debug)]
struct Partial {
    previous: Position,
    last: Position,
    missing: u64,
    bytes: u64,
    entries: Vec<Entry>,
}

impl Decoder {
    /// For a new connection from `local` to `remote`.
    pub fn new(local: NodeId, remote: NodeId) -> Decoder {
        Decoder { local, remote, told: Position::ZERO, partial: None, buffer: BytesMut::new() }
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
        if self.partial.is_some() {
            return self.entries();
        }
        match self.buffer.first() {
            None => Ok(None),
            Some(&LINK_HEARTBEAT) => {
                consume(&mut self.buffer, 1);
                Ok(Some(Received::LinkHeartbeat))
            }
            Some(&ENTRIES) => self.begin_entries(),
            Some(&MESSAGE) => self.message(),
            Some(&other) => Err(Malformed::FrameType(other)),
        }
    }

    fn message(&mut self) -> Result<Option<Received>, Malformed> {
        let Some(frame) = framed(&self.buffer[1..], "append", LIMIT)? else { return Ok(None) };
        let length = frame.len();
        let received = message::decode(self.remote, frame)?;
        consume(&mut self.buffer, 1 + NUMBER + length);
        match &received {
            Received::LinkHeartbeat => {}
            Received::Message(Envelope { message: Message { term, body: Body::Append { previous, entries, .. } }, .. }) => {
                let index = entries.last().map_or(previous.index, |last| last.position.index);
                self.told = Position::new(*term, index);
            }
            Received::Message(_) | Received::Ignored { .. } => return Err(Malformed::NotAnAppend),
        }
        Ok(Some(received))
    }

    fn begin_entries(&mut self) -> Result<Option<Received>, Malformed> {
        let Some(count) = number(&self.buffer[1..]) else { return Ok(None) };
        consume(&mut self.buffer, 1 + NUMBER);
        if count > ENTRIES_MAX {
            return Err(Malformed::TooLong { what: "an append's entries", unit: "entries", length: count, limit: ENTRIES_MAX });
        }
        // The count is only believed as entries arrive.
        let (previous, last) = (self.told, self.told);
        self.partial = Some(Partial { previous, last, missing: count, bytes: 0, entries: Vec::new() });
        self.entries()
    }

    fn entries(&mut self) -> Result<Option<Received>, Malformed> {
        let partial = self.partial.as_mut().expect("next() asked");
        while partial.missing > 0 {
            let Some(frame) = framed(&self.buffer, "entry", LIMIT)? else { return Ok(None) };
            let entry = pb::Entry::decode(frame).map_err(|source| Malformed::Protobuf { what: "raftpb.Entry", source })?;
            let length = frame.len();
            partial.bytes += length as u64;
            if partial.bytes > LIMIT {
                return Err(Malformed::TooLong { what: "an append", unit: "bytes", length: partial.bytes, limit: LIMIT });
            }
            let entry = follow(partial.last, self.told.epoch, entry)?;
            partial.last = entry.position;
            partial.missing -= 1;
            partial.entries.push(entry);
            consume(&mut self.buffer, NUMBER + length);
        }
        let Some(commit) = number(&self.buffer) else { return Ok(None) };
        consume(&mut self.buffer, NUMBER);
        let Partial { previous, last, entries, .. } = self.partial.take().expect("it was there above");
        self.told.index = last.index;
        let message = Message { term: self.told.epoch, body: Body::Append { previous, entries, commit } };
        Ok(Some(Received::Message(Envelope { from: self.remote, to: self.local, message })))
    }
}

/// The number at the buffer's beginning, once it is whole.
fn number(buffer: &[u8]) -> Option<u64> {
    buffer.first_chunk::<NUMBER>().map(|bytes| u64::from_be_bytes(*bytes))
}
