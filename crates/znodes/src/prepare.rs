//! How a request becomes a transaction: checked against the tree as it will be, and refused through the log, too (Java:
//! `PrepRequestProcessor`). Only the leader does this.
//!
//! The order of the checks is Java's: a request that is wrong in two ways gets the error that Java gives.

use crate::digest::{self, Numbers};
use crate::outlook::Expected;
use crate::owner::{Owner, TTL_MAX};
use crate::path;
use crate::paths::{self, Paths};
use crate::quota::{self, Usage};
use crate::weight::{ENVELOPE, PART};
use crate::{Acl, Change, CreateMode, ErrorCode, Header, Id, Kind, Op, Permissions, Request, Tree, TreeDigest, Txn};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bytes::Bytes;
use consensus::{NodeId, Position};

/// The most bytes of the paths of a session's ephemeral nodes, where [`crate::Settings::txn_bytes_max`] is not less: far more than
/// anybody has, and little enough for one packet.
const EPHEMERAL_BYTES_MAX: usize = 32 << 20;

/// Who asks, and the place that the transaction will have.
struct Asking {
    session: i64,
    ids: Vec<Id>,
    from: NodeId,
    position: Position,
    zxid: i64,
    time: i64,
}

type Prepared = Result<(Kind, Change), ErrorCode>;

impl Tree {
    pub(crate) fn prepare_txn(&mut self, position: Position, from: NodeId, request: Request) -> Txn {
        let Request { session, cxid, ids, op } = request;
        let asking = Asking { session, ids, from, position, zxid: position.zxid() as i64, time: self.wall };
        let prepared = match op {
            Op::Multi(ops) => self.prepare_multi(&asking, ops),
            // Java has no such transaction outside a multi: its followers could not read the log.
            Op::Check { .. } => Err(ErrorCode::Unimplemented),
            op => self.prepare_op(&asking, op),
        };
        // What is refused still takes its place in the log; it says nothing of the digest.
        let (kind, change, digest) = match prepared {
            Ok((kind, change)) => (kind, change, self.settings.digest.then(|| self.digest_ahead())),
            Err(code) => (Kind::ERROR, Change::Error { code: code.number() }, None),
        };
        let header = Header { session, cxid, position, time: asking.time, kind };
        Txn { header, change, digest: digest.map(|value| TreeDigest { version: TreeDigest::VERSION, value }) }
    }

    fn prepare_op(&mut self, asking: &Asking, op: Op) -> Prepared {
        match op {
            Op::CreateSession { timeout } => self.prepare_create_session(asking, timeout),
            Op::CloseSession => Ok(self.prepare_close_session(asking)),
            Op::Create { path, data, acl, mode, op } => self.prepare_create(asking, path, data, acl, mode, op),
            Op::Delete { path, version } => self.prepare_delete(asking, path, version),
            Op::DeleteContainer { path } => self.prepare_delete_container(asking, path),
            Op::SetData { path, data, version } => self.prepare_set_data(asking, path, data, version),
            Op::SetAcl { path, acl, version } => self.prepare_set_acl(asking, path, acl, version),
            Op::Check { path, version } => self.prepare_check(asking, path, version),
            Op::Multi(_) => Err(ErrorCode::MarshallingError),
            Op::Refused { error, .. } => Err(error),
        }
    }

    /// All or nothing. Like Java the transaction keeps what stood before the operation that failed, though none of it will be done.
    fn prepare_multi(&mut self, asking: &Asking, ops: Vec<Op>) -> Prepared {
        if !ops.iter().all(may_be_in_a_multi) {
            return Err(ErrorCode::MarshallingError);
        }
        let mut failed = false;
        let mut changes = Vec::with_capacity(ops.len());
        let mut bytes = ENVELOPE + Change::Multi(Vec::new()).weight();
        self.outlook.begin();
        for op in ops {
            let prepared = if failed { Err(ErrorCode::RuntimeInconsistency) } else { self.prepare_op(asking, op) };
            let (kind, change) = prepared.unwrap_or_else(|code| {
                self.outlook.undo();
                failed = true;
                (Kind::ERROR, Change::Error { code: code.number() })
            });
            bytes += PART + change.weight();
            if bytes > self.settings.txn_bytes_max {
                // Nothing more is prepared of what nobody could read. Java answers so what it cannot make a record of.
                self.outlook.undo();
                return Err(ErrorCode::MarshallingError);
            }
            changes.push((kind, change));
        }
        self.outlook.keep();
        Ok((Kind::MULTI, Change::Multi(changes)))
    }

    fn prepare_create_session(&mut self, asking: &Asking, timeout: i32) -> Prepared {
        let now = self.now;
        let tracker = &mut self.leading().tracker;
        tracker.track(now, asking.session, timeout);
        tracker.set_owner(asking.session, asking.from)?;
        Ok((Kind::CREATE_SESSION, Change::CreateSession { timeout }))
    }

    /// Whose session it is does not matter: time itself may ask.
    fn prepare_close_session(&mut self, asking: &Asking) -> (Kind, Change) {
        let mut paths = self.ephemerals.get(&asking.session).cloned().unwrap_or_default().into_set();
        // What is outstanding knows better, and be it that a node will be somebody else's by then.
        paths.retain(|path| self.outlook.get(path).is_none());
        paths.extend(self.outlook.owned_by(asking.session).cloned());
        for path in &paths {
            let (Ok(node), Some(parent)) = (self.expected(path), self.expected_parent(path)) else { continue };
            self.expect_deleted(asking, node, parent);
        }
        self.leading().tracker.close(asking.session);
        let paths = paths.iter().map(|path| path.to_string()).collect();
        (Kind::CLOSE_SESSION, Change::CloseSession { paths })
    }

    fn prepare_create(
        &mut self,
        asking: &Asking,
        path: String,
        data: Option<Bytes>,
        acl: Vec<Acl>,
        mode: CreateMode,
        op: i32,
    ) -> Prepared {
        let kind = match Kind(op) {
            kind @ (Kind::CREATE2 | Kind::CREATE_CONTAINER | Kind::CREATE_TTL) => kind,
            _ => Kind::CREATE,
        };
        let (sequential, ephemeral, ttl) = match mode {
            CreateMode::Persistent { sequential } => (sequential, false, None),
            CreateMode::Ephemeral { sequential } => (sequential, true, None),
            CreateMode::Container => (false, false, None),
            CreateMode::Ttl { ttl, sequential } => (sequential, false, Some(ttl)),
        };
        if ttl.is_some() && !self.settings.extended_types {
            return Err(ErrorCode::Unimplemented);
        }
        // A time to live without createTTL, or the reverse, or one that does not fit into the owner's field.
        if ttl.is_some() != (kind == Kind::CREATE_TTL) || ttl.is_some_and(|ttl| !(1..=TTL_MAX).contains(&ttl)) {
            return Err(ErrorCode::BadArguments);
        }
        self.check_session(asking)?;
        if path.contains('\0') || !path.contains('/') {
            return Err(ErrorCode::BadArguments);
        }
        let acl = self.settings.fix(acl, &asking.ids)?;
        let mut parent = self.expected_parent(&path).ok_or(ErrorCode::NoNode)?;
        self.settings.permit(&parent.acl, Permissions::CREATE, &asking.ids)?;
        // The counter is the number of children created before: the next node gets it even if this one was deleted.
        let path = if sequential { format!("{path}{:010}", parent.numbers.cversion) } else { path };
        if !path::is_valid(&path) {
            return Err(ErrorCode::BadArguments);
        }
        if self.expected(&path).is_ok() {
            return Err(ErrorCode::NodeExists);
        }
        if matches!(self.owner(&parent.numbers), Owner::Session(_)) {
            return Err(ErrorCode::NoChildrenForEphemerals);
        }
        let bytes: &[u8] = data.as_deref().unwrap_or(&[]);
        self.check_quota(&path, 1, bytes.len() as i64)?;
        if ephemeral {
            self.check_ephemerals(asking.session, &path)?;
        }

        let before = parent.numbers;
        let parent_cversion = before.cversion.wrapping_add(1);
        (parent.numbers.cversion, parent.numbers.pzxid) = (parent_cversion, asking.zxid);
        parent.children += 1;
        let owner = Owner::field(kind, asking.session, ephemeral, ttl);
        let node = Expected {
            path: path.as_str().into(),
            numbers: Numbers::created(asking.zxid, asking.time, owner, digest::content(&path, bytes)),
            children: 0,
            acl: acl.as_slice().into(),
            data_length: bytes.len(),
        };
        let change = Change::Create { path, data, acl, ephemeral, parent_cversion, ttl };
        self.check_size(&change)?;
        self.expect(asking, Some(before), parent);
        self.expect(asking, None, node);
        Ok((kind, change))
    }

    fn prepare_delete(&mut self, asking: &Asking, path: String, version: i32) -> Prepared {
        self.check_session(asking)?;
        let parent = self.parent_to_delete_from(&path)?;
        self.settings.permit(&parent.acl, Permissions::DELETE, &asking.ids)?;
        let node = self.expected(&path)?;
        check_version(node.numbers.version, version)?;
        if node.children > 0 {
            return Err(ErrorCode::NotEmpty);
        }
        self.expect_deleted(asking, node, parent);
        Ok((Kind::DELETE, Change::Delete { path }))
    }

    /// The leader's own: nobody's permission is asked, but the node must still be what it was when it was found.
    fn prepare_delete_container(&mut self, asking: &Asking, path: String) -> Prepared {
        let parent = self.parent_to_delete_from(&path)?;
        let node = self.expected(&path)?;
        if node.children > 0 {
            return Err(ErrorCode::NotEmpty);
        }
        // Java deletes a plain node here, too, that has taken the container's place meanwhile.
        if matches!(self.owner(&node.numbers), Owner::Session(_) | Owner::Nobody) {
            return Err(ErrorCode::BadVersion);
        }
        self.expect_deleted(asking, node, parent);
        Ok((Kind::DELETE_CONTAINER, Change::Delete { path }))
    }

    fn prepare_set_data(&mut self, asking: &Asking, path: String, data: Option<Bytes>, version: i32) -> Prepared {
        self.check_session(asking)?;
        check_path(&path)?;
        let mut node = self.expected(&path)?;
        self.settings.permit(&node.acl, Permissions::WRITE, &asking.ids)?;
        let bytes: &[u8] = data.as_deref().unwrap_or(&[]);
        self.check_quota(&path, 0, bytes.len() as i64 - node.data_length as i64)?;
        let before = node.numbers;
        let version = check_version(before.version, version)?;
        let content = digest::content(&path, bytes);
        node.numbers = Numbers { version, mtime: asking.time, mzxid: asking.zxid, content, ..before };
        node.data_length = bytes.len();
        let change = Change::SetData { path, data, version };
        self.check_size(&change)?;
        self.expect(asking, Some(before), node);
        Ok((Kind::SET_DATA, change))
    }

    fn prepare_set_acl(&mut self, asking: &Asking, path: String, acl: Vec<Acl>, version: i32) -> Prepared {
        self.check_session(asking)?;
        check_path(&path)?;
        let acl = self.settings.fix(acl, &asking.ids)?;
        let mut node = self.expected(&path)?;
        self.settings.permit(&node.acl, Permissions::ADMIN, &asking.ids)?;
        let before = node.numbers;
        let version = check_version(before.aversion, version)?;
        node.numbers.aversion = version;
        node.acl = acl.as_slice().into();
        let change = Change::SetAcl { path, acl, version };
        self.check_size(&change)?;
        self.expect(asking, Some(before), node);
        Ok((Kind::SET_ACL, change))
    }

    fn prepare_check(&mut self, asking: &Asking, path: String, version: i32) -> Prepared {
        self.check_session(asking)?;
        check_path(&path)?;
        let node = self.expected(&path)?;
        self.settings.permit(&node.acl, Permissions::READ, &asking.ids)?;
        let version = check_version(node.numbers.version, version)?;
        Ok((Kind::CHECK, Change::Check { path, version }))
    }

    fn check_session(&mut self, asking: &Asking) -> Result<(), ErrorCode> {
        self.leading().tracker.check(asking.session, asking.from)
    }

    /// Against what is used now: what is outstanding is not counted yet, as in Java.
    fn check_quota(&self, path: &str, count: i64, bytes: i64) -> Result<(), ErrorCode> {
        if !self.settings.enforce_quota {
            return Ok(());
        }
        let Some(subject) = self.quotas.of(path) else { return Ok(()) };
        let text = |path: String| self.nodes.find(&path).map(|slot| self.nodes.get(slot).data.as_deref().unwrap_or(&[]));
        let (Some(limits), Some(stats)) = (text(quota::limits_of(subject)), text(quota::stats_of(subject))) else {
            return Ok(());
        };
        match Usage::parse(limits).forbids(&Usage::parse(stats), count, bytes) {
            true => Err(ErrorCode::QuotaExceeded),
            false => Ok(()),
        }
    }

    /// Once a transaction is in the log every server must read it. Who cannot leaves its leader, and a leader whom all have left can
    /// do nothing, nor can the next, who says the same again (ZOOKEEPER-2101).
    fn check_size(&self, change: &Change) -> Result<(), ErrorCode> {
        if ENVELOPE + change.weight() > self.settings.txn_bytes_max { Err(ErrorCode::MarshallingError) } else { Ok(()) }
    }

    /// The transaction that ends a session names its ephemeral nodes and cannot be refused, so they must not become too many for it
    /// (ZOOKEEPER-4306; Java has no such bound). Outstanding changes of nodes that are there count twice, which errs on the safe side.
    fn check_ephemerals(&self, session: i64, path: &str) -> Result<(), ErrorCode> {
        let end = ENVELOPE + Change::CloseSession { paths: Vec::new() }.weight();
        let applied = self.ephemerals.get(&session).map_or(0, Paths::bytes);
        let bytes = applied + self.outlook.owned_bytes(session) + paths::weight(path);
        let limit = EPHEMERAL_BYTES_MAX.min(self.settings.txn_bytes_max);
        if end + bytes > limit { Err(ErrorCode::MarshallingError) } else { Ok(()) }
    }

    fn parent_to_delete_from(&self, path: &str) -> Result<Expected, ErrorCode> {
        if !path.contains('/') || path.contains('\0') || path::is_special(path) {
            return Err(ErrorCode::BadArguments);
        }
        self.expected_parent(path).ok_or(ErrorCode::NoNode)
    }

    /// The node at `path` as it will be (Java: `getRecordForPath`).
    fn expected(&self, path: &str) -> Result<Expected, ErrorCode> {
        if let Some(expected) = self.outlook.get(path) {
            return expected.cloned().ok_or(ErrorCode::NoNode);
        }
        let node = self.nodes.get(self.nodes.find(path).ok_or(ErrorCode::NoNode)?);
        Ok(Expected {
            path: node.path.clone(),
            numbers: node.numbers,
            children: node.children(),
            acl: self.acls.get(node.acl).clone(),
            data_length: node.data_length(),
        })
    }

    fn expected_parent(&self, path: &str) -> Option<Expected> {
        let slash = path.rfind('/')?;
        self.expected(&path[..slash]).ok()
    }

    fn expect_deleted(&mut self, asking: &Asking, node: Expected, mut parent: Expected) {
        let before = parent.numbers;
        parent.children -= 1;
        parent.numbers.pzxid = asking.zxid;
        self.expect(asking, Some(before), parent);
        let digest = self.digest_ahead();
        self.outlook.expect(asking.position, node.path, Some(&node.numbers), None, digest);
    }

    fn expect(&mut self, asking: &Asking, before: Option<Numbers>, after: Expected) {
        let digest = self.digest_ahead();
        self.outlook.expect(asking.position, after.path.clone(), before.as_ref(), Some(after), digest);
    }

    /// The digest of the tree when everything prepared so far is applied.
    fn digest_ahead(&self) -> u64 {
        self.outlook.digest().unwrap_or(self.digest)
    }
}

/// What Java's `MultiOperationRecord` can hold, and what was refused when it was read.
fn may_be_in_a_multi(op: &Op) -> bool {
    matches!(op, Op::Create { .. } | Op::Delete { .. } | Op::SetData { .. } | Op::Check { .. } | Op::Refused { .. })
}

fn check_path(path: &str) -> Result<(), ErrorCode> {
    if path::is_valid(path) { Ok(()) } else { Err(ErrorCode::BadArguments) }
}

/// The version afterwards (Java: `checkAndIncVersion`).
fn check_version(current: i32, expected: i32) -> Result<i32, ErrorCode> {
    if expected == -1 || expected == current { Ok(current.wrapping_add(1)) } else { Err(ErrorCode::BadVersion) }
}
