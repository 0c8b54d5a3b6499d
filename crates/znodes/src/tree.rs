//! The state machine itself.

use crate::{ErrorCode, Event, Query, Request, Response, Settings, Stat, Txn};
use alloc::vec::Vec;
use bytes::Bytes;
use consensus::{Instant, NodeId, Position, RestoreError, SessionNote, StateMachine, Wall};

/// ZooKeeper's tree and sessions.
#[derive(Clone, Debug)]
pub struct Tree {
    settings: Settings,
    applied: Position,
}

/// Where a snapshot in progress stands.
#[derive(Clone, Debug)]
pub struct Cursor {}

impl Tree {
    /// A fresh tree, as a server without any data has it.
    pub fn new(settings: Settings) -> Tree {
        Tree { settings, applied: Position::default() }
    }

    /// The machine that a snapshot holds. [`StateMachine::restore`] does the same with default settings.
    pub fn restore_with(_settings: Settings, _chunks: &mut dyn Iterator<Item = Bytes>) -> Result<Tree, RestoreError> {
        Err(RestoreError { offset: 0, expected: "a snapshot".into() })
    }

    /// How it was set up.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// A node's numbers, as clients see them.
    pub fn stat(&self, _path: &str) -> Option<Stat> {
        None
    }
}

impl StateMachine for Tree {
    type Request = Request;
    type Command = Txn;
    type Query = Query;
    type Response = Response;
    type Event = Event;
    type Cursor = Cursor;

    fn prepare(&mut self, next: Position, wall: Wall, _from: NodeId, request: Request) -> Txn {
        let header = crate::Header {
            session: request.session,
            cxid: request.cxid,
            position: next,
            time: i64::try_from(wall.0.as_millis()).unwrap_or(i64::MAX),
            kind: crate::Kind::ERROR,
        };
        Txn { header, change: crate::Change::Error { code: ErrorCode::Unimplemented.number() }, digest: None }
    }

    fn abandon(&mut self) {}

    fn apply(&mut self, position: Position, _command: Txn, _events: &mut Vec<Event>) -> Response {
        self.applied = position;
        Err(ErrorCode::Unimplemented)
    }

    fn skip(&mut self, position: Position) {
        self.applied = position;
    }

    fn applied(&self) -> Position {
        self.applied
    }

    fn read(&self, _query: Query) -> Response {
        Err(ErrorCode::Unimplemented)
    }

    fn lead(&mut self, _now: Instant) {}

    fn hear(&mut self, _now: Instant, _from: NodeId, _note: SessionNote) -> Option<SessionNote> {
        None
    }

    fn deadline(&self) -> Instant {
        Instant::NEVER
    }

    fn due(&mut self, _now: Instant) -> Vec<Request> {
        Vec::new()
    }

    fn begin_snapshot(&mut self) -> Cursor {
        Cursor {}
    }

    fn snapshot_chunk(&self, _cursor: &mut Cursor, _budget: usize) -> Option<Bytes> {
        None
    }

    fn end_snapshot(&mut self, _cursor: Cursor) {}

    fn restore(chunks: &mut dyn Iterator<Item = Bytes>) -> Result<Tree, RestoreError> {
        Tree::restore_with(Settings::default(), chunks)
    }
}
