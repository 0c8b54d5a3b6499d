//! Bytes to packets.

use super::number;
use crate::jute::Reader;
use crate::{Malformed, opcode, request, txn};
use bytes::{Bytes, BytesMut};
use consensus::{Entry, EntryKind, Position, SessionNote};
use zab::Packet;

/// Bytes before a packet's data: type, zxid, and the data's length.
const HEAD: usize = 16;

/// The longest transaction that is taken from a leader, whatever `jute.maxbuffer` says: what is logged there has to be logged here, too,
/// or leader and learner part for good. Ours keeps to less, but a session's end names all its ephemeral nodes (ZOOKEEPER-4306), and a
/// log may be older than that bound. Half of what a link lets wait; memory is taken as the bytes come.
pub const TXN_MAX: usize = 64 << 20;

/// The most that the ids of a client may take (Java: no bound).
const IDS: usize = 1 << 20;

/// A packet from the other side, and what the protocol's core leaves to whoever wants it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Received {
    /// What it says.
    pub packet: Packet,
    /// What it says beside that.
    pub also: Also,
}

/// What some packets say beside what the core wants to know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Also {
    /// Nothing.
    Nothing,
    /// FOLLOWERINFO, OBSERVERINFO.
    Learner {
        /// Who speaks. `None`: a learner that does not say, which only versions before 3.3 do.
        sid: Option<i64>,
        /// The protocol's version that it speaks. Below [`super::PROTOCOL_VERSION`] it knows neither LEADERINFO nor ACKEPOCH, and cannot be
        /// served.
        protocol: i32,
    },
    /// NEWLEADER: the text of the leader's configuration.
    Configuration(Bytes),
}

/// Takes the next packet off `buffer`, once it is whole; `None` until more bytes come. After an error the connection is to be
/// closed. `limit` is [`crate::jute::length_limit`].
///
/// No more is taken than the packet itself: what follows SNAP is the snapshot.
pub fn decode(buffer: &mut BytesMut, limit: usize) -> Result<Option<Received>, Malformed> {
    take(buffer, limit, limit)
}

/// [`decode`], for a learner: its leader's transactions may be longer, up to [`TXN_MAX`].
pub fn decode_from_leader(buffer: &mut BytesMut, limit: usize) -> Result<Option<Received>, Malformed> {
    take(buffer, limit, limit.max(TXN_MAX))
}

fn take(buffer: &mut BytesMut, limit: usize, txn_limit: usize) -> Result<Option<Received>, Malformed> {
    let limit = match buffer.first_chunk().map(|kind| i32::from_be_bytes(*kind)) {
        Some(number::PROPOSAL | number::INFORM) => txn_limit,
        _ => limit,
    };
    match length(buffer, limit)? {
        Some(length) if length <= buffer.len() => {
            let packet = buffer.split_to(length).freeze();
            packet_of(&packet).map(Some)
        }
        _ => Ok(None),
    }
}

/// How long the packet at the beginning of `buffer` is, as soon as that can be said.
fn length(buffer: &[u8], limit: usize) -> Result<Option<usize>, Malformed> {
    let Some(head) = buffer.first_chunk::<HEAD>() else { return Ok(None) };
    let data = bounded(int(&head[12..]), 12, limit)?;
    let mut end = HEAD + data;
    let Some(count) = buffer.get(end..end + 4) else { return Ok(None) };
    let count = int(count);
    if !(-1..=(IDS / 8) as i32).contains(&count) {
        return Err(Malformed::number(end, "a number of ids", count.into()));
    }
    end += 4;
    let ids = end;
    // Each id is two strings.
    for _ in 0..2 * count.max(0) {
        let Some(length) = buffer.get(end..end + 4) else { return Ok(None) };
        end += 4 + bounded(int(length), end, IDS)?;
        if end - ids > IDS {
            return Err(Malformed::at(end, format!("ids of at most {IDS} bytes")));
        }
    }
    Ok(Some(end))
}

fn bounded(length: i32, offset: usize, limit: usize) -> Result<usize, Malformed> {
    match usize::try_from(length) {
        Ok(length) if length <= limit => Ok(length),
        Err(_) if length == -1 => Ok(0),
        _ => Err(Malformed::number(offset, format!("a length of at most {limit}"), length.into())),
    }
}

fn int(bytes: &[u8]) -> i32 {
    i32::from_be_bytes(*bytes.first_chunk().expect("four bytes"))
}

fn packet_of(bytes: &Bytes) -> Result<Received, Malformed> {
    let mut reader = Reader::new(bytes, bytes.len());
    let (kind, zxid, data) = (reader.int()?, reader.long()?, reader.buffer()?.unwrap_or_default());
    let packet = match kind {
        number::FOLLOWER_INFO | number::OBSERVER_INFO => return learner_info(kind, zxid, &data),
        number::NEW_LEADER => {
            let packet = Packet::NewLeader { epoch: position(zxid)?.epoch };
            return Ok(Received { packet, also: Also::Configuration(data) });
        }
        number::LEADER_INFO => Packet::LeaderInfo { epoch: position(zxid)?.epoch },
        number::ACK_EPOCH => ack_epoch(zxid, &data)?,
        number::DIFF => Packet::Diff { upto: position(zxid)? },
        number::TRUNC => Packet::Truncate { to: position(zxid)? },
        number::SNAP => Packet::Snapshot { position: position(zxid)? },
        number::UP_TO_DATE => Packet::UpToDate,
        number::ACK => Packet::Ack { position: position(zxid)? },
        number::PROPOSAL => Packet::Proposal { entry: entry(zxid, data)? },
        number::COMMIT => Packet::Commit { position: position(zxid)? },
        number::INFORM => Packet::Inform { entry: entry(zxid, data)? },
        number::PING => Packet::Ping { last: position(zxid)?, touched: touched(&data)? },
        number::REVALIDATE => Packet::Revalidate(revalidate(&data)?),
        number::REQUEST => match request::operation_of(&data) {
            Some(opcode::SYNC) => Packet::SyncRequest,
            Some(_) => Packet::Request(bytes.clone()),
            None => return Err(Malformed::at(HEAD, "session, cxid and operation of a request")),
        },
        number::SYNC => Packet::Sync,
        number::COMMIT_AND_ACTIVATE | number::INFORM_AND_ACTIVATE => Packet::Activate { position: position(zxid)? },
        _ => return Err(Malformed::number(0, "the number of a packet", kind.into())),
    };
    Ok(Received { packet, also: Also::Nothing })
}

/// Where a zxid points. Negative ones stand for nothing where a position is needed.
fn position(zxid: i64) -> Result<Position, Malformed> {
    u64::try_from(zxid).map(Position::from_zxid).map_err(|_| Malformed::number(4, "a zxid", zxid))
}

/// A transaction, whose own header must agree with its packet's.
fn entry(zxid: i64, data: Bytes) -> Result<Entry, Malformed> {
    let position = position(zxid)?;
    if txn::position_of(&data) != Some(position) {
        return Err(Malformed::number(HEAD, "a transaction with the zxid of its packet", zxid));
    }
    Ok(Entry { position, kind: EntryKind::Command, data })
}

/// A learner's first word. Older learners say less (Java: `LearnerHandler.run`).
fn learner_info(kind: i32, zxid: i64, data: &Bytes) -> Result<Received, Malformed> {
    let mut reader = Reader::new(data, data.len());
    let sid = if reader.remaining() >= 8 { Some(reader.long()?) } else { None };
    let protocol = if reader.remaining() >= 4 { reader.int()? } else { 0 };
    let config_version = if reader.remaining() >= 8 { reader.long()? } else { 0 };
    let Ok(config_version) = u64::try_from(config_version) else {
        return Err(Malformed::number(HEAD + 12, "the version of a configuration", config_version));
    };
    let observer = kind == number::OBSERVER_INFO;
    let packet = Packet::LearnerInfo { accepted: position(zxid)?.epoch, observer, config_version };
    Ok(Received { packet, also: Also::Learner { sid, protocol } })
}

fn ack_epoch(zxid: i64, data: &Bytes) -> Result<Packet, Malformed> {
    let current = match Reader::new(data, data.len()).int()? {
        -1 => None,
        epoch => Some(u64::try_from(epoch).map_err(|_| Malformed::number(HEAD, "an epoch or -1", epoch.into()))?),
    };
    let last = if zxid == -1 { None } else { Some(position(zxid)?) };
    Ok(Packet::AckEpoch { current, last })
}

fn touched(data: &Bytes) -> Result<Vec<(i64, i32)>, Malformed> {
    let mut reader = Reader::new(data, data.len());
    let mut touched = Vec::with_capacity(data.len() / 12);
    while reader.remaining() > 0 {
        touched.push((reader.long()?, reader.int()?));
    }
    Ok(touched)
}

/// A question is 12 bytes, an answer 9.
fn revalidate(data: &Bytes) -> Result<SessionNote, Malformed> {
    let mut reader = Reader::new(data, data.len());
    let session = reader.long()?;
    Ok(if reader.remaining() >= 4 {
        SessionNote::Revalidate { session, timeout: reader.int()? }
    } else {
        SessionNote::Revalidated { session, valid: reader.bool()? }
    })
}
