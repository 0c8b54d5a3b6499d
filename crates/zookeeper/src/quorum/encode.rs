//! Packets to bytes.

use super::{PROTOCOL_VERSION, number};
use crate::jute::Writer;
use crate::request;
use bytes::Bytes;
use consensus::{Position, SessionNote};
use zab::Packet;

/// Who speaks, and what it says of itself in packets that the protocol's core leaves to whoever knows it.
#[derive(Clone, Debug)]
pub struct Speaker {
    /// Its `myid`, for FOLLOWERINFO and OBSERVERINFO.
    pub sid: i64,
    /// The text of its configuration, for NEWLEADER.
    pub configuration: Bytes,
}

impl Speaker {
    /// A packet's bytes. They depend on the packet alone (but for the three that tell who speaks), so one encoding does for
    /// every learner.
    pub fn encode(&self, packet: &Packet) -> Bytes {
        match packet {
            Packet::LearnerInfo { accepted, observer, config_version } => {
                let kind = if *observer { number::OBSERVER_INFO } else { number::FOLLOWER_INFO };
                data_packet(kind, epoch(*accepted), |writer| {
                    writer.long(self.sid);
                    writer.int(PROTOCOL_VERSION);
                    writer.long(*config_version as i64);
                })
            }
            Packet::LeaderInfo { epoch: new } => {
                data_packet(number::LEADER_INFO, epoch(*new), |writer| writer.int(PROTOCOL_VERSION))
            }
            Packet::AckEpoch { current, last } => {
                let current = current.map_or(-1, |epoch| epoch as i32);
                data_packet(number::ACK_EPOCH, last.map_or(-1, zxid), |writer| writer.int(current))
            }
            Packet::Diff { upto } => bare(number::DIFF, zxid(*upto)),
            Packet::Truncate { to } => bare(number::TRUNC, zxid(*to)),
            Packet::Snapshot { position } => bare(number::SNAP, zxid(*position)),
            Packet::NewLeader { epoch: new } => {
                data_packet(number::NEW_LEADER, epoch(*new), |writer| writer.raw(&self.configuration))
            }
            Packet::UpToDate => bare(number::UP_TO_DATE, -1),
            Packet::Ack { position } => bare(number::ACK, zxid(*position)),
            Packet::Proposal { entry } => data_packet(number::PROPOSAL, zxid(entry.position), |writer| writer.raw(&entry.data)),
            Packet::Commit { position } => bare(number::COMMIT, zxid(*position)),
            Packet::Inform { entry } => data_packet(number::INFORM, zxid(entry.position), |writer| writer.raw(&entry.data)),
            // Never null, though a leader's own pings are in Java: a Java leader falls over an answer without data.
            Packet::Ping { last, touched } => data_packet(number::PING, zxid(*last), |writer| write_touched(touched, writer)),
            Packet::Revalidate(note) => revalidate(note),
            Packet::Request(bytes) => bytes.clone(),
            Packet::SyncRequest => request::sync(),
            Packet::Sync => bare(number::SYNC, 0),
            Packet::Activate { position } => {
                data_packet(number::COMMIT_AND_ACTIVATE, zxid(*position), |writer| writer.long(self.sid))
            }
        }
    }
}

fn zxid(position: Position) -> i64 {
    position.zxid() as i64
}

fn epoch(epoch: u64) -> i64 {
    zxid(Position::new(epoch, 0))
}

/// Without data.
fn bare(kind: i32, zxid: i64) -> Bytes {
    let mut writer = Writer::with_capacity(20);
    writer.int(kind);
    writer.long(zxid);
    writer.buffer(None);
    writer.int(-1);
    writer.finish()
}

/// With data.
fn data_packet(kind: i32, zxid: i64, data: impl FnOnce(&mut Writer)) -> Bytes {
    let mut writer = Writer::with_capacity(256);
    writer.int(kind);
    writer.long(zxid);
    writer.framed(data);
    writer.int(-1);
    writer.finish()
}

/// A question is 12 bytes, an answer 9. (Touches travel with the answer to PING. A leader takes one at any time, so that is what
/// becomes of touches that come this way.)
fn revalidate(note: &SessionNote) -> Bytes {
    match note {
        SessionNote::Touched(touched) => data_packet(number::PING, 0, |writer| write_touched(touched, writer)),
        SessionNote::Revalidate { session, timeout } => data_packet(number::REVALIDATE, -1, |writer| {
            writer.long(*session);
            writer.int(*timeout);
        }),
        SessionNote::Revalidated { session, valid } => data_packet(number::REVALIDATE, -1, |writer| {
            writer.long(*session);
            writer.bool(*valid);
        }),
    }
}

fn write_touched(touched: &[(i64, i32)], writer: &mut Writer) {
    for (session, timeout) in touched {
        writer.long(*session);
        writer.int(*timeout);
    }
}
