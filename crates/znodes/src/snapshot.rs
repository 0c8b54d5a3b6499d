//! A snapshot, made in pieces while the tree goes on changing.
//!
//! ```text
//!   zxid 8                                    when it was begun
//!   count 4   { session 8, time-out 4 }*      ┐
//!   count 4   { list 8, access list }*        │ exactly as in ZooKeeper's snapshot files, between header and seal
//!   { path, data, list 8, numbers 60 }*       │ (Java: `SerializeUtils.serializeSnapshot`); the root's path is ""
//!   "/"                                       ┘
//!   zxid 8   version 4   digest 8             of the tree when it ended, if digests are kept
//! ```
//!
//! It is *fuzzy*: sessions and access lists are those of the beginning, but each node is as it was when the walk came to it. Whoever
//! restores it applies the transactions after the first zxid again, and has at the last zxid a tree with that digest.
//!
//! A node's access list must be among those written: a list that changed since the beginning is written as it was, and a node that was
//! made since is left out.

use crate::acls::AclKey;
use crate::digest::Numbers;
use crate::nodes::{ROOT, Slot};
use crate::{Acl, Tree, TreeDigest};
use alloc::collections::BTreeMap;
use alloc::vec::{self, Vec};
use bytes::{BufMut, Bytes, BytesMut};
use consensus::Position;

/// A snapshot that is under way, as the tree remembers it.
#[derive(Debug)]
pub(crate) struct Walk {
    id: u64,
    zxid: i64,
    /// The last access list that there was.
    last_acl: AclKey,
    /// What lists changed since, and the list before.
    acls_before: BTreeMap<Slot, AclKey>,
}

impl Walk {
    /// The access list of the node in `slot` is no longer `before`.
    pub(crate) fn acl_changed(&mut self, slot: Slot, before: AclKey) {
        self.acls_before.entry(slot).or_insert(before);
    }
}

/// Where a snapshot in progress stands.
#[derive(Debug)]
pub struct Cursor {
    walk: u64,
    stage: Stage,
}

/// What comes next.
#[derive(Debug)]
enum Stage {
    Head { sessions: Vec<(i64, i32)> },
    Sessions { sessions: vec::IntoIter<(i64, i32)> },
    Acls { count: usize, next: AclKey },
    Nodes { slot: Slot },
    End,
    Over,
}

impl Tree {
    pub(crate) fn begin_walk(&mut self) -> Cursor {
        self.walks_begun += 1;
        let walk = self.walks_begun;
        self.nodes.begin_walk();
        self.acls.hold();
        let (zxid, last_acl) = (self.applied.zxid() as i64, self.acls.last());
        self.walks.push(Walk { id: walk, zxid, last_acl, acls_before: BTreeMap::new() });
        // The only part that is copied: 16 bytes a session.
        let sessions = self.sessions.iter().map(|(&id, &timeout)| (id, timeout)).collect();
        Cursor { walk, stage: Stage::Head { sessions } }
    }

    pub(crate) fn end_walk(&mut self, cursor: &Cursor) {
        self.walks.retain(|walk| walk.id != cursor.walk);
        if self.walks.is_empty() {
            self.nodes.end_walks();
            self.acls.let_go();
        }
    }

    pub(crate) fn walk_on(&self, cursor: &mut Cursor, budget: usize) -> Option<Bytes> {
        let walk = self.walks.iter().find(|walk| walk.id == cursor.walk).expect("a snapshot that was begun and has not ended");
        let mut out = BytesMut::with_capacity(budget.clamp(1 << 10, 1 << 20) + (1 << 10));
        while out.len() < budget.max(1) && !matches!(cursor.stage, Stage::Over) {
            self.write_some(walk, &mut cursor.stage, budget, &mut out);
        }
        (!out.is_empty()).then(|| out.freeze())
    }

    fn write_some(&self, walk: &Walk, stage: &mut Stage, budget: usize, out: &mut BytesMut) {
        match stage {
            Stage::Head { sessions } => {
                out.put_i64(walk.zxid);
                out.put_i32(count(sessions.len()));
                *stage = Stage::Sessions { sessions: core::mem::take(sessions).into_iter() };
            }
            Stage::Sessions { sessions } => {
                for (id, timeout) in sessions {
                    out.put_i64(id);
                    out.put_i32(timeout);
                    if out.len() >= budget {
                        return;
                    }
                }
                // Nothing leaves the table while a walk is under way, and what is new has a higher number.
                let count = self.acls.from(AclKey(0)).take_while(|(key, _)| *key <= walk.last_acl).count();
                *stage = Stage::Acls { count, next: AclKey(0) };
            }
            Stage::Acls { count: all, next } => {
                if *next == AclKey(0) {
                    out.put_i32(count(*all));
                }
                for (key, acl) in self.acls.from(*next).take_while(|(key, _)| *key <= walk.last_acl) {
                    if out.len() >= budget {
                        *next = key;
                        return;
                    }
                    out.put_i64(key.number());
                    put_acl(out, acl);
                }
                *stage = Stage::Nodes { slot: ROOT };
            }
            Stage::Nodes { slot } => {
                let wanted = self.write_node(walk, *slot, out);
                *stage = self.nodes.after(*slot, ROOT, wanted).map_or(Stage::End, |slot| Stage::Nodes { slot });
            }
            Stage::End => {
                put_string(out, "/");
                if let Some(TreeDigest { version, value }) = self.tree_digest() {
                    out.put_u64(self.applied.zxid());
                    out.put_i32(version);
                    // Nothing was applied yet: Java says nothing then.
                    out.put_u64(if self.applied == Position::ZERO { 0 } else { value });
                }
                *stage = Stage::Over;
            }
            Stage::Over => {}
        }
    }

    /// False if the node was made since the snapshot was begun: then so was everything below it.
    fn write_node(&self, walk: &Walk, slot: Slot, out: &mut BytesMut) -> bool {
        if self.nodes.is_buried(slot) {
            return false;
        }
        let node = self.nodes.get(slot);
        if node.numbers.czxid > walk.zxid.max(self.horizon) {
            return false;
        }
        let acl = walk.acls_before.get(&slot).copied().unwrap_or(node.acl);
        if acl != AclKey::OPEN && acl > walk.last_acl {
            return false;
        }
        put_string(out, if slot == ROOT { "" } else { &node.path });
        match &node.data {
            Some(data) => put_buffer(out, data),
            None => out.put_i32(-1),
        }
        out.put_i64(acl.number());
        put_numbers(out, &node.numbers);
        true
    }
}

fn put_numbers(out: &mut BytesMut, numbers: &Numbers) {
    for long in [numbers.czxid, numbers.mzxid, numbers.ctime, numbers.mtime] {
        out.put_i64(long);
    }
    for int in [numbers.version, numbers.cversion, numbers.aversion] {
        out.put_i32(int);
    }
    out.put_i64(numbers.owner);
    out.put_i64(numbers.pzxid);
}

fn put_acl(out: &mut BytesMut, acl: &[Acl]) {
    out.put_i32(count(acl.len()));
    for Acl { permissions, id } in acl {
        out.put_i32(permissions.0);
        put_string(out, &id.scheme);
        put_string(out, &id.id);
    }
}

fn put_string(out: &mut BytesMut, string: &str) {
    put_buffer(out, string.as_bytes());
}

fn put_buffer(out: &mut BytesMut, bytes: &[u8]) {
    out.put_i32(count(bytes.len()));
    out.put_slice(bytes);
}

/// What came through the wire or out of a file was counted by 32 bits there, too.
fn count(len: usize) -> i32 {
    i32::try_from(len).expect("what is counted fits into 32 bits")
}
