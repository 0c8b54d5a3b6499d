//! What a server thinks of the election.
//!
//! ```text
//! │ length │ state: int │ leader: long │ zxid: long │ round: long │ epoch: long │ version: int │ length │ configuration │
//!          0            4              12           20            28            36             40       44
//!                                                    before 3.3.3 ┘     before 3.4.6: 40 bytes ┘
//! ```

use super::FRAME_LIMIT;
use crate::Malformed;
use crate::jute::{Reader, Writer};
use bytes::{Buf, Bytes, BytesMut};
use zab::{Notification, State, Vote};

/// The version of notifications that we send: with a configuration.
pub const VERSION: i32 = 2;

/// A notification from another server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Heard {
    /// What it says.
    pub notification: Notification,
    /// The version of its form: 0 (before 3.4.6), 1 (before 3.5), 2.
    pub version: i32,
    /// The text of the sender's configuration, if it has one.
    pub configuration: Option<Bytes>,
}

/// A notification with the sender's configuration, as a frame.
pub fn encode(notification: &Notification, configuration: &[u8]) -> Bytes {
    let mut writer = Writer::with_capacity(48 + configuration.len());
    writer.framed(|writer| {
        writer.int(match notification.state {
            State::Looking => 0,
            State::Following => 1,
            State::Leading => 2,
            State::Observing => 3,
        });
        writer.long(notification.vote.leader);
        writer.long(notification.vote.zxid);
        writer.long(notification.round);
        writer.long(notification.vote.epoch);
        writer.int(VERSION);
        writer.buffer(Some(configuration));
    });
    writer.finish()
}

/// Takes a frame off `buffer`, once it is whole; `None` until more bytes come. After an error the connection is to be closed.
pub fn frame(buffer: &mut BytesMut) -> Result<Option<Bytes>, Malformed> {
    let Some(length) = buffer.first_chunk().map(|length| i32::from_be_bytes(*length)) else { return Ok(None) };
    let Some(within) = usize::try_from(length).ok().filter(|within| (1..=FRAME_LIMIT).contains(within)) else {
        return Err(Malformed::number(0, "the length of a frame, 1 to 524288", length.into()));
    };
    if buffer.len() < 4 + within {
        return Ok(None);
    }
    buffer.advance(4);
    Ok(Some(buffer.split_to(within).freeze()))
}

/// What a frame says. After an error the frame is to be ignored, but the connection stays, as it does in Java.
pub fn notification(frame: &Bytes) -> Result<Heard, Malformed> {
    let mut reader = Reader::new(frame, frame.len());
    let state = match reader.int()? {
        0 => State::Looking,
        1 => State::Following,
        2 => State::Leading,
        3 => State::Observing,
        other => return Err(Malformed::number(0, "a state, 0 to 3", other.into())),
    };
    let (leader, zxid, round) = (reader.long()?, reader.long()?, reader.long()?);
    // Before ZooKeeper 3.3.3 the epoch was not said: it is the one of the zxid.
    let epoch = if frame.len() == 28 { zxid >> 32 } else { reader.long()? };
    // The version came with 3.4.6. Before that there were 40 bytes, of which the last four meant nothing.
    let version = if matches!(frame.len(), 28 | 40) { 0 } else { reader.int()? };
    let configuration = if version > 1 {
        match reader.buffer()? {
            Some(configuration) => Some(configuration),
            None => return reader.refuse("a configuration, not null"),
        }
    } else {
        None
    };
    Ok(Heard { notification: Notification { state, vote: Vote { epoch, zxid, leader }, round }, version, configuration })
}
