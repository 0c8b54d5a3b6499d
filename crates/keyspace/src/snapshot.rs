//! Snapshots: the machine as one stream of bytes, given in pieces while the machine goes on.
//!
//! ```text
//!   magic    16 bytes   "Quorate keyspace"
//!   version  u32        1
//!   frames, each:       kind u8 │ length u32 │ payload of that length
//!
//!   1 header   applied epoch u64, applied index u64, revision i64, compacted i64, guard u8,
//!              downgrade: enabled u8, version text; cluster version text (empty: none)       exactly one
//!   2 member   id u64, learner u8, name text, peer URLs texts, client URLs texts             by id
//!   3 removed  id u64                                                                        by id
//!   4 alarm    kind u8, member u64                                                           by kind, then member
//!   5 lease    id i64, ttl i64, remaining ttl i64                                            by id
//!   6 put      main i64, sub i64, created i64, version i64, lease i64, key text, value text  ┐
//!   7 deletion main i64, sub i64, key text                                                   ├ by revision
//!   8 reached  main i64, sub i64: nothing before this follows                                ┘
//!   9 end      CRC-32C of everything before this frame, u32
//! ```
//!
//! Numbers are little-endian. A text is its length, u32, and its bytes; texts are their count, u32, and each of them. Frames come
//! in the order above, nothing follows the last. What a compaction has made unreadable may be in it as long as a sweep has it left to
//! do (a snapshot made of a data file's rows holds it, one made by a machine does not); it means nothing.
//!
//! The stream is that of the moment when the snapshot began: changes have revisions and never change, a sweep waits for the
//! snapshot, of leases that change the former terms are remembered, and the rest is small and copied at once.

use crate::checksum::Checksum;
use crate::leases::Terms;
use crate::{AlarmKind, Change, Keyspace, Member, Revision, Values};
use alloc::vec::Vec;
use bytes::Bytes;

pub(crate) const MAGIC: &[u8; 16] = b"Quorate keyspace";
pub(crate) const VERSION: u32 = 1;

/// What a frame holds.
pub(crate) mod kind {
    pub(crate) const HEADER: u8 = 1;
    pub(crate) const MEMBER: u8 = 2;
    pub(crate) const REMOVED: u8 = 3;
    pub(crate) const ALARM: u8 = 4;
    pub(crate) const LEASE: u8 = 5;
    pub(crate) const PUT: u8 = 6;
    pub(crate) const DELETION: u8 = 7;
    pub(crate) const REACHED: u8 = 8;
    pub(crate) const END: u8 = 9;
}

/// Skipping a change that is not needed counts as so many bytes of the budget.
const SKIPPED: usize = 32;

/// A snapshot in progress.
#[derive(Debug)]
pub struct Cursor {
    /// Names it among those in progress.
    pin: u64,
    /// The newest revision when it began.
    revision: i64,
    /// The last compaction when it began.
    compacted: i64,
    stage: Stage,
    checksum: Checksum,
}

/// What comes next.
#[derive(Debug)]
enum Stage {
    /// What was copied when the snapshot began.
    Head(Vec<u8>),
    /// The leases after this one.
    Leases(Option<i64>),
    /// The changes from here on.
    Changes(Revision),
    /// Nothing.
    Ended,
}

impl<V: Values> Keyspace<V> {
    pub(crate) fn begin(&mut self) -> Cursor {
        let pin = self.next_pin;
        self.next_pin += 1;
        self.pins.insert(pin, self.compacted);
        self.leases.pin(pin);
        let stage = Stage::Head(self.head());
        Cursor { pin, revision: self.revision, compacted: self.compacted, stage, checksum: Checksum::new() }
    }

    pub(crate) fn end(&mut self, cursor: Cursor) {
        self.pins.remove(&cursor.pin);
        self.leases.unpin(cursor.pin);
    }

    pub(crate) fn chunk(&self, cursor: &mut Cursor, budget: usize) -> Option<Bytes> {
        assert!(self.pins.contains_key(&cursor.pin), "a snapshot is read from the machine on which it began, until it ends");
        // Every piece gets somewhere.
        let budget = budget.max(1);
        let mut out = Vec::new();
        while out.len() < budget {
            let left = budget - out.len();
            match &mut cursor.stage {
                Stage::Head(head) => {
                    out.append(head);
                    cursor.stage = Stage::Leases(None);
                }
                Stage::Leases(after) => match self.leases.next_pinned(cursor.pin, *after) {
                    Some((id, terms)) => {
                        *after = Some(id);
                        lease_frame(id, terms, &mut out);
                    }
                    None => cursor.stage = Stage::Changes(Revision::default()),
                },
                Stage::Changes(from) => match self.changes(*from, cursor.revision, cursor.compacted, left, &mut out) {
                    Some(next) => *from = next,
                    None => {
                        cursor.stage = Stage::Ended;
                        cursor.checksum.update(&out);
                        frame(kind::END, &mut out, |out| out.extend(cursor.checksum.value().to_le_bytes()));
                        return Some(out.into());
                    }
                },
                Stage::Ended => return None,
            }
        }
        cursor.checksum.update(&out);
        Some(out.into())
    }

    pub(crate) fn head(&self) -> Vec<u8> {
        let mut out = Vec::from(*MAGIC);
        out.extend(VERSION.to_le_bytes());
        frame(kind::HEADER, &mut out, |out| {
            out.extend(self.applied.epoch.to_le_bytes());
            out.extend(self.applied.index.to_le_bytes());
            out.extend(self.revision.to_le_bytes());
            out.extend(self.compacted.to_le_bytes());
            out.push(self.alarms.guard() as u8);
            out.push(u8::from(self.downgrade.enabled));
            text(self.downgrade.version.as_bytes(), out);
            text(self.cluster_version.as_deref().unwrap_or_default().as_bytes(), out);
        });
        for member in self.members.present() {
            member_frame(member, &mut out);
        }
        for id in self.members.removed() {
            frame(kind::REMOVED, &mut out, |out| out.extend(id.to_le_bytes()));
        }
        for raised in self.alarms.raised() {
            frame(kind::ALARM, &mut out, |out| {
                out.push(alarm_number(raised.alarm));
                out.extend(raised.member.to_le_bytes());
            });
        }
        out
    }

    /// Adds changes from `from` up to `revision` until the budget is spent; returns where to go on, if there is more.
    fn changes(&self, from: Revision, revision: i64, compacted: i64, budget: usize, out: &mut Vec<u8>) -> Option<Revision> {
        let begun = out.len();
        let mut skipped = 0;
        for (at, change) in self.values.scan(from) {
            if at.main > revision {
                return None;
            }
            if out.len() - begun + skipped >= budget {
                if out.len() == begun {
                    frame(kind::REACHED, out, |out| revision_bytes(at, out));
                }
                return Some(at);
            }
            let needed =
                at.main > compacted || self.index.history(change.key()).is_some_and(|history| history.needs(at, compacted));
            if needed {
                change_frame(at, &change, out);
            } else {
                skipped += SKIPPED;
            }
        }
        None
    }
}

pub(crate) fn alarm_number(alarm: AlarmKind) -> u8 {
    match alarm {
        AlarmKind::None => 0,
        AlarmKind::NoSpace => 1,
        AlarmKind::Corrupt => 2,
    }
}

fn member_frame(member: &Member, out: &mut Vec<u8>) {
    frame(kind::MEMBER, out, |out| {
        out.extend(member.id.to_le_bytes());
        out.push(u8::from(member.is_learner));
        text(member.name.as_bytes(), out);
        for urls in [&member.peer_urls, &member.client_urls] {
            out.extend(length(urls.len()));
            urls.iter().for_each(|url| text(url.as_bytes(), out));
        }
    });
}

fn lease_frame(id: i64, terms: Terms, out: &mut Vec<u8>) {
    frame(kind::LEASE, out, |out| {
        out.extend(id.to_le_bytes());
        out.extend(terms.ttl.to_le_bytes());
        out.extend(terms.remaining_ttl.to_le_bytes());
    });
}

fn change_frame(at: Revision, change: &Change, out: &mut Vec<u8>) {
    match change {
        Change::Put(kv) => frame(kind::PUT, out, |out| {
            revision_bytes(at, out);
            out.extend(kv.create_revision.to_le_bytes());
            out.extend(kv.version.to_le_bytes());
            out.extend(kv.lease.to_le_bytes());
            text(&kv.key, out);
            text(&kv.value, out);
        }),
        Change::Delete { key } => frame(kind::DELETION, out, |out| {
            revision_bytes(at, out);
            text(key, out);
        }),
    }
}

fn revision_bytes(at: Revision, out: &mut Vec<u8>) {
    out.extend(at.main.to_le_bytes());
    out.extend(at.sub.to_le_bytes());
}

/// Adds a frame whose payload `fill` writes.
pub(crate) fn frame(kind: u8, out: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>)) {
    out.push(kind);
    let at = out.len();
    out.extend([0; 4]);
    fill(out);
    let written = length(out.len() - at - 4);
    out[at..at + 4].copy_from_slice(&written);
}

pub(crate) fn text(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend(length(bytes.len()));
    out.extend(bytes);
}

fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).expect("no request is as large as four gigabytes").to_le_bytes()
}
