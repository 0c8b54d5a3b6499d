//! What transactions do to the tree (Java: `DataTree.processTxn`).
//!
//! Every rule holds up when it is applied again: a snapshot is made while the tree changes, and the transactions since it was begun
//! are applied to what came out. So versions are set rather than counted, a parent's numbers only grow, and a node that is already
//! there, or already gone, is no fault.

use crate::digest;
use crate::nodes::{Node, Slot};
use crate::owner::Owner;
use crate::path;
use crate::quota::{self, Usage};
use crate::{Acl, Answer, Change, ErrorCode, Event, Header, Kind, NodeEvent, OpAnswer, Response, Stat, Tree, Txn};
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;

/// What a transaction creates.
struct Creation {
    path: String,
    data: Option<Bytes>,
    acl: Vec<Acl>,
    owner: i64,
    parent_cversion: i32,
}

impl Tree {
    pub(crate) fn apply_txn(&mut self, txn: Txn, events: &mut Vec<Event>) -> Response {
        match txn.change {
            Change::Multi(changes) => self.apply_multi(&txn.header, changes, events),
            change => self.apply_change(&txn.header, txn.header.kind, change, events),
        }
    }

    fn apply_change(&mut self, header: &Header, kind: Kind, change: Change, events: &mut Vec<Event>) -> Response {
        match change {
            Change::CreateSession { timeout } => {
                self.sessions.insert(header.session, timeout);
                Ok(Answer::SessionCreated { timeout })
            }
            Change::CloseSession { paths } => {
                self.close_session(header, paths, events);
                Ok(Answer::SessionClosed)
            }
            Change::Create { path, data, acl, ephemeral, parent_cversion, ttl } => {
                let owner = Owner::field(kind, header.session, ephemeral, ttl);
                let stat = self.create(header, Creation { path: path.clone(), data, acl, owner, parent_cversion }, events)?;
                Ok(Answer::Created { path, stat })
            }
            Change::Delete { path } => self.delete(header, &path, events).map(|()| Answer::Deleted),
            Change::SetData { path, data, version } => self.set_data(header, &path, data, version, events).map(Answer::Stat),
            Change::SetAcl { path, acl, version } => self.set_acl(&path, acl, version).map(Answer::Stat),
            // Whether it holds was decided when it was prepared.
            Change::Check { .. } => Ok(Answer::Deleted),
            Change::Error { code } => Err(ErrorCode::from_number(code).unwrap_or(ErrorCode::SystemError)),
            // No multi holds another: the leader refuses it, and so does whoever reads the log.
            Change::Multi(_) => Err(ErrorCode::MarshallingError),
        }
    }

    fn apply_multi(&mut self, header: &Header, changes: Vec<(Kind, Change)>, events: &mut Vec<Event>) -> Response {
        let code = |change: &Change| if let Change::Error { code } = change { Some(*code) } else { None };
        if let Some(failed) = changes.iter().position(|(_, change)| code(change).is_some()) {
            // One failed: none was done, whatever the log says of those before it.
            let outcome = |(at, (_, change)): (usize, &(Kind, Change))| OpAnswer::Failed {
                code: code(change).unwrap_or(if at < failed { 0 } else { ErrorCode::RuntimeInconsistency.number() }),
            };
            let answers: Vec<OpAnswer> = changes.iter().enumerate().map(outcome).collect();
            // That is not the operation's failure but the connection's (Java: `FinalRequestProcessor`).
            let moved = OpAnswer::Failed { code: ErrorCode::SessionMoved.number() };
            return if answers.contains(&moved) { Err(ErrorCode::SessionMoved) } else { Ok(Answer::Multi(answers)) };
        }
        let mut answers = Vec::with_capacity(changes.len());
        for (kind, change) in changes {
            let outcome = self.apply_change(header, kind, change, events);
            answers.push(match outcome {
                Ok(answer) => OpAnswer::Done { kind: result_kind(kind), answer },
                // Only when a transaction is applied once more: nobody waits for the answer.
                Err(code) => OpAnswer::Failed { code: code.number() },
            });
        }
        Ok(Answer::Multi(answers))
    }

    fn create(&mut self, header: &Header, creation: Creation, events: &mut Vec<Event>) -> Result<Stat, ErrorCode> {
        let Creation { path, data, acl, owner, parent_cversion } = creation;
        let zxid = header.position.zxid() as i64;
        let parent = self.parent_of(&path).ok_or(ErrorCode::NoNode)?;
        // The child may be gone again from a tree that is replayed, and the parent's numbers then tell more than this transaction
        // does. (Java sees to that for a node that is still there only if it was made by `create`.)
        self.renumber(parent, |parent| {
            let cversion = if parent_cversion == -1 { parent.cversion.wrapping_add(1) } else { parent_cversion };
            if cversion > parent.cversion {
                (parent.cversion, parent.pzxid) = (cversion, zxid);
            }
        });
        if self.nodes.find(&path).is_some() {
            return Err(ErrorCode::NodeExists);
        }
        let acl = self.acls.acquire(acl);
        let bytes: &[u8] = data.as_deref().unwrap_or(&[]);
        let numbers = digest::Numbers::created(zxid, header.time, owner, digest::content(&path, bytes));
        let path: Arc<str> = path.into();
        let slot = self.attach(Node::new(path.clone(), data.as_deref(), numbers, acl), parent);
        if let Some(subject) = quota::limited(&path) {
            self.quotas.insert(subject);
        }
        if let Some(subject) = quota::measured(&path) {
            self.measure(subject);
        }
        self.charge(&path, 1, bytes.len() as i64);
        let acl = self.acls.get(acl).clone();
        let parent_acl = self.acls.get(self.nodes.get(parent).acl).clone();
        events.push(Event::Node { path, what: NodeEvent::Created, acl, parent_acl });
        Ok(self.stat_of(slot))
    }

    fn delete(&mut self, header: &Header, path: &str, events: &mut Vec<Event>) -> Result<(), ErrorCode> {
        if path::is_special(path) {
            // The leader refuses it, too; whoever sent this knows other nodes by these names.
            return Err(ErrorCode::BadArguments);
        }
        let zxid = header.position.zxid() as i64;
        let parent = self.parent_of(path).ok_or(ErrorCode::NoNode)?;
        // The parent's cversion counts creations only. Its pzxid may be that of a later child already.
        self.renumber(parent, |parent| parent.pzxid = parent.pzxid.max(zxid));
        let slot = self.nodes.find(path).ok_or(ErrorCode::NoNode)?;
        let node = self.nodes.get(slot);
        let (path, bytes) = (node.path.clone(), node.data_length() as i64);
        let acl = self.acls.get(node.acl).clone();
        let parent_acl = self.acls.get(self.nodes.get(parent).acl).clone();
        self.detach_all(slot);
        if let Some(subject) = quota::limited(&path) {
            self.quotas.remove(subject);
        }
        self.charge(&path, -1, -bytes);
        events.push(Event::Node { path, what: NodeEvent::Deleted, acl, parent_acl });
        Ok(())
    }

    /// A node that is deleted has children only in a tree that is replayed: they, like the node itself, were made by transactions
    /// that are still to come, and will be made again.
    fn detach_all(&mut self, top: Slot) {
        let mut slot = top;
        loop {
            while let Some(child) = self.nodes.first_child(slot) {
                slot = child;
            }
            if slot == top {
                return self.detach(top);
            }
            let path = self.nodes.get(slot).path.clone();
            self.detach(slot);
            slot = self.parent_of(&path).expect("a node's parent is there");
        }
    }

    fn set_data(
        &mut self,
        header: &Header,
        path: &str,
        data: Option<Bytes>,
        version: i32,
        events: &mut Vec<Event>,
    ) -> Result<Stat, ErrorCode> {
        let zxid = header.position.zxid() as i64;
        let slot = self.nodes.find(path).ok_or(ErrorCode::NoNode)?;
        let (path, growth) = self.put_data(slot, data.as_deref());
        let content = digest::content(&path, data.as_deref().unwrap_or(&[]));
        self.renumber(slot, |node| {
            (node.mzxid, node.mtime, node.version, node.content) = (zxid, header.time, version, content);
        });
        if growth != 0 {
            self.charge(&path, 0, growth);
        }
        let acl = self.acls.get(self.nodes.get(slot).acl).clone();
        events.push(Event::Node { path, what: NodeEvent::DataChanged, acl, parent_acl: self.acls.empty().clone() });
        Ok(self.stat_of(slot))
    }

    /// Replaces a node's data; by how many bytes it grew.
    pub(crate) fn put_data(&mut self, slot: Slot, data: Option<&[u8]>) -> (Arc<str>, i64) {
        let node = self.nodes.get_mut(slot);
        let before = node.data_length();
        // Its own memory: see `Node::new`.
        node.data = data.map(Bytes::copy_from_slice);
        let after = node.data_length();
        self.data_size = self.data_size - before as u64 + after as u64;
        (node.path.clone(), after as i64 - before as i64)
    }

    fn set_acl(&mut self, path: &str, acl: Vec<Acl>, version: i32) -> Result<Stat, ErrorCode> {
        let slot = self.nodes.find(path).ok_or(ErrorCode::NoNode)?;
        let after = self.acls.acquire(acl);
        let before = core::mem::replace(&mut self.nodes.get_mut(slot).acl, after);
        for walk in &mut self.walks {
            walk.acl_changed(slot, before);
        }
        self.acls.release(before);
        self.renumber(slot, |node| node.aversion = version);
        Ok(self.stat_of(slot))
    }

    /// First what the leader knew of, then whatever else the session owns (Java: `DataTree.killSession`).
    fn close_session(&mut self, header: &Header, paths: Vec<String>, events: &mut Vec<Event>) {
        for path in paths {
            let _already_gone = self.delete(header, &path, events);
        }
        let others = self.ephemerals.remove(&header.session).unwrap_or_default();
        for path in &others {
            let _already_gone = self.delete(header, path, events);
        }
        self.sessions.remove(&header.session);
        if let Some(leading) = &mut self.leading {
            leading.tracker.remove(header.session);
        }
        events.push(Event::SessionClosed(header.session));
    }

    /// Counts what a change at `path` means to the quota above it (Java: `DataTree.updateQuotaStat`). No version changes with it.
    fn charge(&mut self, path: &str, count: i64, bytes: i64) {
        let Some(stats) = self.quotas.of(path).map(quota::stats_of) else { return };
        let Some(slot) = self.nodes.find(&stats) else { return };
        let usage = Usage::parse(self.nodes.get(slot).data.as_deref().unwrap_or(&[])).plus(count, bytes);
        self.put_data(slot, Some(usage.to_string().as_bytes()));
    }

    /// Looks how much is below `subject`, and writes it down (Java: `DataTree.updateQuotaForPath`).
    pub(crate) fn measure(&mut self, subject: &str) {
        let Some(slot) = self.nodes.find(&quota::stats_of(subject)) else { return };
        let (mut count, mut bytes) = (0, 0);
        if let Some(top) = self.nodes.find(subject) {
            for node in self.nodes.below(top) {
                count += 1;
                bytes += node.data_length() as i64;
            }
        }
        self.put_data(slot, Some(Usage::new(count, bytes).to_string().as_bytes()));
    }
}

/// The number by which the result of one operation of a multi is known: whatever creates with a Stat says `create2`, whatever deletes
/// says `delete` (Java: `OpResult`).
fn result_kind(kind: Kind) -> i32 {
    match kind {
        Kind::CREATE2 | Kind::CREATE_CONTAINER | Kind::CREATE_TTL => Kind::CREATE2.0,
        Kind::DELETE | Kind::DELETE_CONTAINER => Kind::DELETE.0,
        other => other.0,
    }
}
