//! A leader that prepares and applies, for tests.

#![allow(dead_code, reason = "each test uses a part of it")]

use consensus::{Instant, NodeId, Position, SessionNote, StateMachine, Wall};
use core::time::Duration;
use znodes::{Acl, Answer, CreateMode, Event, Id, Op, Permissions, Query, ReadOp, Request, Response, Settings, Stat, Tree, Txn};

pub(crate) const ME: NodeId = NodeId(1);
pub(crate) const SESSION: i64 = 0x100;

pub(crate) struct Leader {
    pub(crate) tree: Tree,
    pub(crate) next: Position,
    pub(crate) now: Instant,
    pub(crate) wall: Wall,
    pub(crate) cxid: i32,
    pub(crate) events: Vec<Event>,
    pub(crate) log: Vec<Txn>,
}

impl Leader {
    /// A leader of a fresh tree, with one session.
    pub(crate) fn new(settings: Settings) -> Leader {
        let mut leader = Leader::with(Tree::new(settings));
        leader.begin(SESSION);
        leader
    }

    pub(crate) fn with(tree: Tree) -> Leader {
        let next = Position::new(tree.applied().epoch.max(1), tree.applied().index + 1);
        let mut leader = Leader {
            tree,
            next,
            now: Instant::ZERO,
            wall: Wall(Duration::from_millis(1_700_000_000_000)),
            cxid: 0,
            events: Vec::new(),
            log: Vec::new(),
        };
        leader.tree.lead(leader.now);
        leader
    }

    pub(crate) fn wait(&mut self, millis: u64) {
        let span = Duration::from_millis(millis);
        self.now = self.now + span;
        self.wall = Wall(self.wall.0 + span);
        self.tree.tell_time(self.now, self.wall);
    }

    pub(crate) fn prepare(&mut self, from: NodeId, request: Request) -> Txn {
        self.tree.tell_time(self.now, self.wall);
        let txn = self.tree.prepare(self.next, self.wall, from, request);
        assert_eq!(txn.header.position, self.next);
        self.next = Position::new(self.next.epoch, self.next.index + 1);
        self.log.push(txn.clone());
        txn
    }

    pub(crate) fn apply(&mut self, txn: Txn) -> Response {
        self.tree.apply(txn.header.position, txn, &mut self.events)
    }

    pub(crate) fn request(&mut self, session: i64, ids: &[Id], op: Op) -> Request {
        self.cxid += 1;
        Request { session, cxid: self.cxid, ids: ids.to_vec(), op }
    }

    /// Prepares and applies.
    pub(crate) fn ask_as(&mut self, session: i64, ids: &[Id], op: Op) -> Response {
        let request = self.request(session, ids, op);
        let txn = self.prepare(ME, request);
        self.apply(txn)
    }

    pub(crate) fn ask(&mut self, op: Op) -> Response {
        self.ask_as(SESSION, &[], op)
    }

    pub(crate) fn begin(&mut self, session: i64) {
        assert_eq!(
            self.ask_as(session, &[], Op::CreateSession { timeout: 10_000 }),
            Ok(Answer::SessionCreated { timeout: 10_000 })
        );
    }

    /// What time has brought about: prepared and applied.
    pub(crate) fn time(&mut self) -> Vec<Response> {
        let mut responses = Vec::new();
        while self.tree.deadline() <= self.now {
            for request in self.tree.due(self.now) {
                let txn = self.prepare(ME, request);
                responses.push(self.apply(txn));
            }
        }
        responses
    }

    pub(crate) fn hear(&mut self, from: NodeId, note: SessionNote) -> Option<SessionNote> {
        self.tree.hear(self.now, from, note)
    }

    pub(crate) fn read_as(&self, ids: &[Id], op: ReadOp) -> Response {
        self.tree.read(Query { session: SESSION, ids: ids.to_vec(), op })
    }

    pub(crate) fn read(&self, op: ReadOp) -> Response {
        self.read_as(&[], op)
    }

    pub(crate) fn stat(&self, path: &str) -> Stat {
        self.tree.stat(path).unwrap_or_else(|| panic!("{path} is not there"))
    }

    pub(crate) fn data(&self, path: &str) -> String {
        match self.read_as(&[id("super", "")], ReadOp::GetData { path: path.into() }) {
            Ok(Answer::Data { data, .. }) => String::from_utf8(data.unwrap_or_default().to_vec()).unwrap(),
            other => panic!("{path}: {other:?}"),
        }
    }

    /// The same tree out of a snapshot of it.
    pub(crate) fn reloaded(&mut self) -> Tree {
        let settings = self.tree.settings().clone();
        let chunks = snapshot(&mut self.tree, 100);
        Tree::restore_with(settings, &mut chunks.into_iter()).unwrap()
    }
}

/// A snapshot in pieces of `budget` bytes.
pub(crate) fn snapshot(tree: &mut Tree, budget: usize) -> Vec<bytes::Bytes> {
    let mut cursor = tree.begin_snapshot();
    let mut chunks = Vec::new();
    while let Some(chunk) = tree.snapshot_chunk(&mut cursor, budget) {
        chunks.push(chunk);
    }
    tree.end_snapshot(cursor);
    chunks
}

pub(crate) fn id(scheme: &str, id: &str) -> Id {
    Id { scheme: scheme.into(), id: id.into() }
}

pub(crate) fn entry(permissions: Permissions, scheme: &str, name: &str) -> Acl {
    Acl { permissions, id: id(scheme, name) }
}

pub(crate) fn open() -> Vec<Acl> {
    vec![entry(Permissions::ALL, "world", "anyone")]
}

pub(crate) fn create_as(path: &str, data: &str, mode: CreateMode) -> Op {
    let op = match mode {
        CreateMode::Container => 19,
        CreateMode::Ttl { .. } => 21,
        _ => 15,
    };
    Op::Create { path: path.into(), data: Some(data.to_owned().into()), acl: open(), mode, op }
}

pub(crate) fn create(path: &str, data: &str) -> Op {
    create_as(path, data, CreateMode::Persistent { sequential: false })
}

pub(crate) fn ephemeral(path: &str) -> Op {
    create_as(path, "", CreateMode::Ephemeral { sequential: false })
}

pub(crate) fn sequential(path: &str) -> Op {
    create_as(path, "", CreateMode::Persistent { sequential: true })
}

pub(crate) fn delete(path: &str, version: i32) -> Op {
    Op::Delete { path: path.into(), version }
}

pub(crate) fn set(path: &str, data: &str, version: i32) -> Op {
    Op::SetData { path: path.into(), data: Some(data.to_owned().into()), version }
}

pub(crate) fn set_acl(path: &str, acl: Vec<Acl>, version: i32) -> Op {
    Op::SetAcl { path: path.into(), acl, version }
}

pub(crate) fn check(path: &str, version: i32) -> Op {
    Op::Check { path: path.into(), version }
}

/// The path that was created.
pub(crate) fn created(response: Response) -> String {
    match response {
        Ok(Answer::Created { path, .. }) => path,
        other => panic!("not created: {other:?}"),
    }
}
