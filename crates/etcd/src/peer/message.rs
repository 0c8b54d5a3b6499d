//! Between [`raft::Message`] and raftpb.Message.
//!
//! | # | etcd's name | [`Body`] | fields beyond type, to, from, term |
//! |---|---|---|---|
//! | 2 | Prop | `Propose` | entries without position; term 0 |
//! | 3 | App | `Append` | index and logTerm of what is before, entries, commit |
//! | 4 | AppResp | `Appended`, `Refused` | index; reject, rejectHint and logTerm: where the logs may agree |
//! | 5, 17 | Vote, PreVote | `RequestVote`, `RequestPreVote` | index and logTerm of the last entry; context |
//! | 6, 18 | VoteResp, PreVoteResp | `Vote`, `PreVote` | reject |
//! | 7 | Snap | `InstallSnapshot` | snapshot |
//! | 8, 9 | Heartbeat, HeartbeatResp | `Heartbeat`, `HeartbeatAck` | commit; context |
//! | 13 | TransferLeader | `TransferLeadership` | `from` is whom leadership shall go to |
//! | 14 | TimeoutNow | `TimeoutNow` | – |
//! | 15, 16 | ReadIndex, ReadIndexResp | `ReadIndex`, `ReadIndexReady` | the data of the only entry; index |

use super::raftpb::{Entries, Fields, kind};
use crate::Malformed;
use crate::pb::raftpb as pb;
use bytes::{BufMut, Bytes};
use consensus::{Configuration, Entry, EntryKind, NodeId, Position, Snapshot};
use prost::Message as _;
use prost::encoding::{DecodeContext, decode_key, skip_field};
use raft::{Body, Message};

/// What the context of a vote request says when the leader itself told the sender to stand.
const CAMPAIGN_TRANSFER: &[u8] = b"CampaignTransfer";

/// The most entries in a message. etcd sends at most a mebibyte of them, an entry having at least six bytes. (In memory each takes a
/// hundred.)
pub(super) const ENTRIES_MAX: u64 = 1 << 18;

/// A message between two members.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Envelope {
    /// Who says it. Not always whose connection it came over: a follower passes on what was meant for the leader.
    pub from: NodeId,
    /// To whom.
    pub to: NodeId,
    /// What.
    pub message: Message,
}

/// What came over a connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Received {
    /// Nothing: the peer shows that the connection lives.
    LinkHeartbeat,
    /// Something for the protocol.
    Message(Envelope),
    /// A message of a type that members have no business sending: local ones, and those of a version to come.
    Ignored {
        /// raftpb.MessageType.
        kind: u32,
    },
}

/// How many bytes [`encode`] appends.
pub fn encoded_len(envelope: &Envelope) -> usize {
    fields(envelope).size()
}

/// Appends raftpb.Message as etcd 3.5 writes it.
pub fn encode(envelope: &Envelope, out: &mut impl BufMut) {
    fields(envelope).write(out);
}

/// The message that stands for nothing but a living connection: a heartbeat from nobody to nobody.
pub(super) fn link_heartbeat() -> Fields<'static> {
    Fields { kind: kind::HEARTBEAT, ..Fields::default() }
}

fn fields(envelope: &Envelope) -> Fields<'_> {
    let Envelope { from, to, message: Message { term, body } } = envelope;
    let plain = Fields { to: to.0, from: from.0, term: *term, ..Fields::default() };
    match body {
        Body::RequestPreVote { last } => Fields { kind: kind::PRE_VOTE, log_term: last.epoch, index: last.index, ..plain },
        Body::PreVote { granted } => Fields { kind: kind::PRE_VOTE_RESP, reject: !granted, ..plain },
        Body::RequestVote { last, transfer } => Fields {
            kind: kind::VOTE,
            log_term: last.epoch,
            index: last.index,
            context: if *transfer { CAMPAIGN_TRANSFER } else { b"" },
            ..plain
        },
        Body::Vote { granted } => Fields { kind: kind::VOTE_RESP, reject: !granted, ..plain },
        Body::Append { previous, entries, commit } => Fields {
            kind: kind::APP,
            log_term: previous.epoch,
            index: previous.index,
            entries: Entries::Log(entries),
            commit: *commit,
            ..plain
        },
        Body::Appended { upto } => Fields { kind: kind::APP_RESP, index: *upto, ..plain },
        Body::Refused { previous, hint } => Fields {
            kind: kind::APP_RESP,
            log_term: hint.epoch,
            index: *previous,
            reject: true,
            reject_hint: hint.index,
            ..plain
        },
        Body::Heartbeat { commit, context } => Fields { kind: kind::HEARTBEAT, commit: *commit, context, ..plain },
        Body::HeartbeatAck { context } => Fields { kind: kind::HEARTBEAT_RESP, context, ..plain },
        Body::InstallSnapshot { snapshot } => Fields { kind: kind::SNAP, snapshot: Some(snapshot), ..plain },
        // Whoever forwards a client's wish speaks beside the terms: Go's receivers take term 0 for "not about terms".
        Body::Propose { proposals } => Fields { kind: kind::PROP, term: 0, entries: Entries::Proposals(proposals), ..plain },
        Body::ReadIndex { context } => Fields { kind: kind::READ_INDEX, term: 0, entries: Entries::Context(context), ..plain },
        Body::ReadIndexReady { context, index } => {
            Fields { kind: kind::READ_INDEX_RESP, index: *index, entries: Entries::Context(context), ..plain }
        }
        // The field that names the sender in every other message names the transferee in this one.
        Body::TransferLeadership { to: transferee } => Fields { kind: kind::TRANSFER_LEADER, from: transferee.0, ..plain },
        Body::TimeoutNow => Fields { kind: kind::TIMEOUT_NOW, ..plain },
    }
}

/// Reads a raftpb.Message as 3.5, 3.6 or 3.7 write it. `remote` is whose connection it came over.
///
/// Everything is copied out of `data`: entries may live long in memory, and would keep the buffer of a whole connection.
pub fn decode(remote: NodeId, data: &[u8]) -> Result<Received, Malformed> {
    count_entries(data)?;
    let message = pb::Message::decode(data).map_err(|source| Malformed::Protobuf { what: "raftpb.Message", source })?;
    let (from, to) = (NodeId(message.from()), NodeId(message.to()));
    if message.r#type() == kind::HEARTBEAT && from.0 == 0 && to.0 == 0 {
        return Ok(Received::LinkHeartbeat);
    }
    // This type names the transferee instead of the sender.
    let sender = if message.r#type() == kind::TRANSFER_LEADER { remote } else { from };
    let kind = message.r#type();
    let term = message.term();
    Ok(match body(message)? {
        Some(body) => Received::Message(Envelope { from: sender, to, message: Message { term, body } }),
        None => Received::Ignored { kind },
    })
}

/// An entry can be two bytes on the wire but is many times that in memory, so they are counted before they are taken. (What does
/// not parse here, the decoder will say better.)
fn count_entries(mut data: &[u8]) -> Result<(), Malformed> {
    const ENTRIES: u32 = 7;
    let mut count = 0;
    while let Ok((field, wire_type)) = decode_key(&mut data) {
        count += u64::from(field == ENTRIES);
        if count > ENTRIES_MAX {
            return Err(Malformed::TooLong { what: "a message's entries", unit: "entries", length: count, limit: ENTRIES_MAX });
        }
        if skip_field(wire_type, field, &mut data, DecodeContext::default()).is_err() {
            break;
        }
    }
    Ok(())
}

/// What a message says; `None` if it is of a type that we do not take.
fn body(message: pb::Message) -> Result<Option<Body>, Malformed> {
    let last = Position::new(message.log_term(), message.index());
    let granted = !message.reject();
    let context = message.context.clone().unwrap_or_default();
    Ok(Some(match message.r#type() {
        kind::PRE_VOTE => Body::RequestPreVote { last },
        kind::PRE_VOTE_RESP => Body::PreVote { granted },
        kind::VOTE => Body::RequestVote { last, transfer: context == CAMPAIGN_TRANSFER },
        kind::VOTE_RESP => Body::Vote { granted },
        kind::APP => append(message, last)?,
        kind::APP_RESP if message.reject() => {
            Body::Refused { previous: message.index(), hint: Position::new(message.log_term(), message.reject_hint()) }
        }
        kind::APP_RESP => Body::Appended { upto: message.index() },
        kind::HEARTBEAT => Body::Heartbeat { commit: message.commit(), context },
        kind::HEARTBEAT_RESP => Body::HeartbeatAck { context },
        kind::SNAP => Body::InstallSnapshot { snapshot: snapshot(message)? },
        kind::PROP => propose(message)?,
        kind::READ_INDEX => Body::ReadIndex { context: only_entry(message)? },
        kind::READ_INDEX_RESP => Body::ReadIndexReady { index: message.index(), context: only_entry(message)? },
        kind::TRANSFER_LEADER => Body::TransferLeadership { to: NodeId(message.from()) },
        kind::TIMEOUT_NOW => Body::TimeoutNow,
        _ => return Ok(None),
    }))
}

fn append(message: pb::Message, previous: Position) -> Result<Body, Malformed> {
    let (term, commit) = (message.term(), message.commit());
    let mut entries = Vec::with_capacity(message.entries.len());
    let mut before = previous;
    for entry in message.entries {
        let entry = follow(before, term, entry)?;
        before = entry.position;
        entries.push(entry);
    }
    Ok(Body::Append { previous, entries, commit })
}

/// The entry, if it may follow `before` in the log of a leader of `term`: indexes grow by one, terms never fall (Raft §5.3).
pub(super) fn follow(before: Position, term: u64, entry: pb::Entry) -> Result<Entry, Malformed> {
    let position = Position::new(entry.term(), entry.index());
    if before.index.checked_add(1) != Some(position.index) || position.epoch < before.epoch {
        return Err(Malformed::Gap { before, found: position });
    }
    if position.epoch > term {
        return Err(Malformed::FromTheFuture { found: position, term });
    }
    let kind = entry_kind(position, entry.r#type())?;
    Ok(Entry { position, kind, data: entry.data.unwrap_or_default() })
}

fn propose(message: pb::Message) -> Result<Body, Malformed> {
    let mut proposals = Vec::with_capacity(message.entries.len());
    for entry in message.entries {
        let kind = entry_kind(Position::new(entry.term(), entry.index()), entry.r#type())?;
        proposals.push((kind, entry.data.unwrap_or_default()));
    }
    if proposals.is_empty() {
        return Err(Malformed::Lacks { kind: kind::PROP, what: "entries" });
    }
    Ok(Body::Propose { proposals })
}

pub(crate) fn entry_kind(position: Position, kind: u32) -> Result<EntryKind, Malformed> {
    match kind {
        0 => Ok(EntryKind::Command),
        1 => Ok(EntryKind::Configuration),
        _ => Err(Malformed::EntryType { position, kind }),
    }
}

fn only_entry(mut message: pb::Message) -> Result<Bytes, Malformed> {
    let kind = message.r#type();
    match message.entries.pop() {
        Some(entry) if message.entries.is_empty() => Ok(entry.data.unwrap_or_default()),
        _ => Err(Malformed::Lacks { kind, what: "the one entry that names the read" }),
    }
}

fn snapshot(message: pb::Message) -> Result<Snapshot, Malformed> {
    let lacks = Malformed::Lacks { kind: kind::SNAP, what: "a snapshot's index and members" };
    let metadata = message.snapshot.and_then(|snapshot| snapshot.metadata).ok_or_else(|| lacks.clone())?;
    let position = Position::new(metadata.term(), metadata.index());
    let state = metadata.conf_state.unwrap_or_default();
    if !state.voters_outgoing.is_empty() || !state.learners_next.is_empty() {
        return Err(Malformed::JointConfiguration);
    }
    if position.index == 0 || state.voters.is_empty() {
        return Err(lacks);
    }
    let ids = |ids: Vec<u64>| ids.into_iter().map(NodeId).collect();
    let configuration = Configuration { voters: ids(state.voters), learners: ids(state.learners), hierarchy: None };
    Ok(Snapshot { position, configuration })
}
