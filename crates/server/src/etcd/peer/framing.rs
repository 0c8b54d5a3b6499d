//! The two kinds of stream, under one door.

use bytes::BytesMut;
use consensus::NodeId;
use etcd::Malformed;
use etcd::peer::http::Stream;
use etcd::peer::{Envelope, Received, frame, msgapp};

/// The writing end of a new connection.
#[derive(Debug)]
pub(crate) enum Encoder {
    MsgApp(msgapp::Encoder),
    Message,
}

impl Encoder {
    pub(crate) fn new(kind: Stream) -> Encoder {
        match kind {
            Stream::MsgApp => Encoder::MsgApp(msgapp::Encoder::new()),
            Stream::Message => Encoder::Message,
        }
    }

    pub(crate) fn encode(&mut self, envelope: &Envelope, out: &mut BytesMut) {
        match self {
            Encoder::MsgApp(encoder) => encoder.encode(envelope, out),
            Encoder::Message => frame::encode(envelope, out),
        }
    }

    pub(crate) fn encode_link_heartbeat(&self, out: &mut BytesMut) {
        match self {
            Encoder::MsgApp(_) => msgapp::Encoder::encode_link_heartbeat(out),
            Encoder::Message => frame::encode_link_heartbeat(out),
        }
    }
}

/// The reading end of a new connection.
#[derive(Debug)]
pub(crate) enum Decoder {
    MsgApp(msgapp::Decoder),
    Message(frame::Decoder),
}

impl Decoder {
    pub(crate) fn new(kind: Stream, me: NodeId, peer: NodeId) -> Decoder {
        match kind {
            Stream::MsgApp => Decoder::MsgApp(msgapp::Decoder::new(me, peer)),
            Stream::Message => Decoder::Message(frame::Decoder::new(peer)),
        }
    }

    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        match self {
            Decoder::MsgApp(decoder) => decoder.feed(bytes),
            Decoder::Message(decoder) => decoder.feed(bytes),
        }
    }

    pub(crate) fn next(&mut self) -> Result<Option<Received>, Malformed> {
        match self {
            Decoder::MsgApp(decoder) => decoder.next(),
            Decoder::Message(decoder) => decoder.next(),
        }
    }
}
