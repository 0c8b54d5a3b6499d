//! raftpb as etcd 3.5 writes it.
//!
//! Fields ascend. Every number is written, even zero; `data` and `context` only if there are any; every message holds a
//! snapshot, if only an empty one. Generated encoders leave zeros out, so this one is by hand. It knows its sizes first and then
//! writes straight through: no message is built in between, and entries are copied once.

use bytes::{BufMut, Bytes};
use consensus::{Configuration, Entry, EntryKind, Position, Snapshot};

/// raftpb.MessageType, as far as members send such messages to each other.
pub(super) mod kind {
    pub(in super::super) const PROP: u32 = 2;
    pub(in super::super) const APP: u32 = 3;
    pub(in super::super) const APP_RESP: u32 = 4;
    pub(in super::super) const VOTE: u32 = 5;
    pub(in super::super) const VOTE_RESP: u32 = 6;
    pub(in super::super) const SNAP: u32 = 7;
    pub(in super::super) const HEARTBEAT: u32 = 8;
    pub(in super::super) const HEARTBEAT_RESP: u32 = 9;
    pub(in super::super) const TRANSFER_LEADER: u32 = 13;
    pub(in super::super) const TIMEOUT_NOW: u32 = 14;
    pub(in super::super) const READ_INDEX: u32 = 15;
    pub(in super::super) const READ_INDEX_RESP: u32 = 16;
    pub(in super::super) const PRE_VOTE: u32 = 17;
    pub(in super::super) const PRE_VOTE_RESP: u32 = 18;
}

/// raftpb.Message, its parts borrowed.
#[derive(Default)]
pub(super) struct Fields<'a> {
    pub(super) kind: u32,
    /// 0 in a link heartbeat, as is `from`.
    pub(super) to: u64,
    pub(super) from: u64,
    pub(super) term: u64,
    pub(super) log_term: u64,
    pub(super) index: u64,
    pub(super) entries: Entries<'a>,
    pub(super) commit: u64,
    pub(super) snapshot: Option<&'a Snapshot>,
    pub(super) reject: bool,
    pub(super) reject_hint: u64,
    pub(super) context: &'a [u8],
}

/// What goes into `entries`.
#[derive(Default)]
pub(super) enum Entries<'a> {
    #[default]
    None,
    /// Entries of the log.
    Log(&'a [Entry]),
    /// Entries that have no place in the log yet.
    Proposals(&'a [(EntryKind, Bytes)]),
    /// The context of a ReadIndex.
    Context(&'a [u8]),
}

impl Entries<'_> {
    fn each(&self, mut visit: impl FnMut(EntryKind, Position, &[u8])) {
        match self {
            Entries::None => {}
            Entries::Log(entries) => entries.iter().for_each(|entry| visit(entry.kind, entry.position, &entry.data)),
            Entries::Proposals(proposals) => {
                proposals.iter().for_each(|(kind, data)| visit(*kind, Position::ZERO, data));
            }
            Entries::Context(context) => visit(EntryKind::Command, Position::ZERO, context),
        }
    }
}

impl Fields<'_> {
    /// How many bytes `write` writes.
    pub(super) fn size(&self) -> usize {
        let mut size = 10 // tags
            + numbers([u64::from(self.kind), self.to, self.from, self.term, self.log_term, self.index])
            + numbers([self.commit, u64::from(self.reject), self.reject_hint]);
        self.entries.each(|kind, position, data| size += 1 + prefixed(entry_size(kind, position, data)));
        size += prefixed(snapshot_size(self.snapshot));
        if !self.context.is_empty() {
            size += 1 + prefixed(self.context.len());
        }
        size
    }

    /// Appends the message.
    pub(super) fn write(&self, out: &mut impl BufMut) {
        field(1, u64::from(self.kind), out);
        field(2, self.to, out);
        field(3, self.from, out);
        field(4, self.term, out);
        field(5, self.log_term, out);
        field(6, self.index, out);
        self.entries.each(|kind, position, data| {
            open(7, entry_size(kind, position, data), out);
            write_entry(kind, position, data, out);
        });
        field(8, self.commit, out);
        open(9, snapshot_size(self.snapshot), out);
        write_snapshot(self.snapshot, out);
        field(10, u64::from(self.reject), out);
        field(11, self.reject_hint, out);
        if !self.context.is_empty() {
            open(12, self.context.len(), out);
            out.put_slice(self.context);
        }
    }
}

/// How many bytes raftpb.Entry has.
pub(super) fn entry_size(kind: EntryKind, position: Position, data: &[u8]) -> usize {
    let numbers = 3 + numbers([number_of(kind), position.epoch, position.index]);
    numbers + if data.is_empty() { 0 } else { 1 + prefixed(data.len()) }
}

/// Appends raftpb.Entry.
pub(super) fn write_entry(kind: EntryKind, position: Position, data: &[u8], out: &mut impl BufMut) {
    field(1, number_of(kind), out);
    field(2, position.epoch, out);
    field(3, position.index, out);
    if !data.is_empty() {
        open(4, data.len(), out);
        out.put_slice(data);
    }
}

/// raftpb.EntryType.
fn number_of(kind: EntryKind) -> u64 {
    match kind {
        EntryKind::Command => 0,
        EntryKind::Configuration => 1,
    }
}

fn snapshot_size(snapshot: Option<&Snapshot>) -> usize {
    1 + prefixed(metadata_size(snapshot))
}

// raftpb.Snapshot without data, which is etcd's v2 store and which we have none of.
fn write_snapshot(snapshot: Option<&Snapshot>, out: &mut impl BufMut) {
    open(2, metadata_size(snapshot), out);
    let position = position_of(snapshot);
    open(1, conf_state_size(snapshot), out);
    if let Some(Snapshot { configuration, .. }) = snapshot {
        voters(configuration).for_each(|id| field(1, id, out));
        learners(configuration).for_each(|id| field(2, id, out));
    }
    field(5, 0, out); // auto_leave
    field(2, position.index, out);
    field(3, position.epoch, out);
}

fn metadata_size(snapshot: Option<&Snapshot>) -> usize {
    let position = position_of(snapshot);
    1 + prefixed(conf_state_size(snapshot)) + 2 + numbers([position.index, position.epoch])
}

fn conf_state_size(snapshot: Option<&Snapshot>) -> usize {
    let members = snapshot.map_or(0, |Snapshot { configuration, .. }| {
        voters(configuration).chain(learners(configuration)).map(|id| 1 + varint_size(id)).sum()
    });
    members + 2
}

fn position_of(snapshot: Option<&Snapshot>) -> Position {
    snapshot.map_or(Position::ZERO, |snapshot| snapshot.position)
}

fn voters(configuration: &Configuration) -> impl Iterator<Item = u64> {
    configuration.voters.iter().map(|id| id.0)
}

fn learners(configuration: &Configuration) -> impl Iterator<Item = u64> {
    configuration.learners.iter().map(|id| id.0)
}

/// How many bytes these numbers have, their tags apart.
fn numbers<const N: usize>(values: [u64; N]) -> usize {
    values.into_iter().map(varint_size).sum()
}

/// How many bytes a length and what it announces have together, the tag apart.
fn prefixed(length: usize) -> usize {
    varint_size(length as u64) + length
}

/// A number under its tag. All our tags fit one byte.
pub(crate) fn field(tag: u8, value: u64, out: &mut impl BufMut) {
    out.put_u8(tag << 3);
    varint(value, out);
}

/// The tag and length of a field of bytes, which must follow.
pub(crate) fn open(tag: u8, length: usize, out: &mut impl BufMut) {
    out.put_u8(tag << 3 | 2);
    varint(length as u64, out);
}

fn varint(value: u64, out: &mut impl BufMut) {
    prost::encoding::encode_varint(value, out);
}

/// How many bytes a number has.
pub(crate) fn varint_size(value: u64) -> usize {
    prost::encoding::encoded_len_varint(value)
}
