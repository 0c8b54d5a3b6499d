//! ZooKeeper's own tree above Zab, with ZooKeeper's own bytes, and what must hold of it at every transaction.
//!
//! The registers are nodes of the first level, which every ensemble finds when it begins, with a standing session for each server:
//! its clients write in its name. Sessions that come and go are the business of [`super::visitors`].

use super::form::Tree as Form;
use super::visitors::Visitors;
use super::{Stack, Zab};
use crate::machine::{Change, Command, Cursor, Face, Form as _, InMemory, Told, Witness, mix, wrong};
use crate::subject::ResponseOf;
use crate::world::World;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use consensus::{Entry, Instant, NodeId, Position, Restore, RestoreError, SessionNote, StateMachine, Wall};
use replica::{Answer, Codec, Decoded, RequestId, Undecodable};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;
use znodes::{Answer as Found, Change as Txn, Op, Query, ReadOp, Request, Response, Settings, Tree};
use zookeeper::{Malformed, request, txn};

/// ZooKeeper's tree, as what Zab replicates.
pub(crate) struct ZooKeeper;

impl Stack for ZooKeeper {
    type Machine = Zoo;
    type Codec = ZooCodec;
    type Company = Visitors;

    fn codec() -> ZooCodec {
        ZooCodec
    }

    fn op_of(entry: &Entry) -> u64 {
        txn::origin_of(&entry.data).map_or(0, |(session, cxid)| op_of(session, cxid))
    }

    fn gather(world: &mut World<Zab<ZooKeeper>>) {
        world.gather_visitors();
    }

    fn answer_company(world: &mut World<Zab<ZooKeeper>>, member: usize, token: u64, answer: Answer<ResponseOf<Zab<ZooKeeper>>>) {
        world.answer_visitor(member, token, answer);
    }

    fn heard(world: &mut World<Zab<ZooKeeper>>, member: usize, note: SessionNote) {
        world.tell_visitor(member, note);
    }

    fn act(world: &mut World<Zab<ZooKeeper>>, who: usize) {
        world.on_visitor(who);
    }
}

/// The session in whose name the clients of the registers write at a server.
fn standing(member: usize) -> i64 {
    ((member as i64 + 1) << 56) | 1
}

/// Servers that have one.
const STANDING: usize = 64;
/// Registers that there are.
const REGISTERS: u16 = 64;

/// The number of the operation that a client of the registers gave its request; 0 for all others.
fn op_of(session: i64, cxid: i32) -> u64 {
    if session & 0xff_ffff == 1 { u64::from(cxid as u32) } else { 0 }
}

/// A tree under observation.
pub(crate) struct Zoo {
    tree: Tree,
    /// Before this it was restored from a fuzzy snapshot and is the tree of no one moment.
    settled: Position,
    watcher: Option<(usize, Rc<dyn Witness>)>,
    now: Instant,
    /// While it leads: when each session was last heard from, and its time-out; not of those that it has decided to end.
    heard: BTreeMap<i64, (Instant, Duration)>,
    ending: BTreeSet<i64>,
}

fn settings() -> Settings {
    Settings { tick: Duration::from_millis(500), ..Settings::default() }
}

impl Zoo {
    /// Whether there is such a session.
    pub(super) fn has_session(&self, session: i64) -> bool {
        self.tree.sessions().contains_key(&session)
    }

    fn is_settled(&self) -> bool {
        self.tree.applied() >= self.settled
    }

    /// An ephemeral node is there exactly as long as its session.
    fn check_ephemerals(&self) {
        for (session, paths) in self.tree.ephemerals() {
            let lives = self.tree.sessions().contains_key(session);
            assert!(lives, "{paths:?} outlive their session {session:x} at {}", self.tree.applied());
            for path in paths {
                let owner = self.tree.stat(path).map(|stat| stat.ephemeral_owner);
                assert_eq!(owner, Some(*session), "{path} is session {session:x}'s at {}", self.tree.applied());
            }
        }
    }

    fn hear_from(&mut self, now: Instant, session: i64, timeout: i32) {
        if !self.ending.contains(&session)
            && let Some(heard) = self.heard.get_mut(&session)
        {
            *heard = (now, millis(timeout));
        }
    }
}

fn millis(timeout: i32) -> Duration {
    Duration::from_millis(u64::try_from(timeout).unwrap_or(0))
}

impl Face for Zoo {
    // Who wants to swap in ZooKeeper names a version.
    const SWAPS: bool = false;

    fn watch(&mut self, member: usize, witness: Rc<dyn Witness>) {
        assert_eq!(self.tree.digest_mismatches(), (0, None), "what was restored is what leaders said that it would be");
        self.watcher = Some((member, witness));
    }

    fn settle(&mut self) {
        self.tree.settle();
    }

    fn digest(&self) -> Option<u64> {
        if self.tree.applied() == Position::ZERO {
            return Some(0);
        }
        let mut digest = self.tree.digest();
        for (&session, &timeout) in self.tree.sessions() {
            digest = mix(mix(digest, session as u64), timeout as u64);
        }
        for (&session, paths) in self.tree.ephemerals() {
            digest = mix(digest, session as u64);
            digest = paths.iter().flat_map(|path| path.bytes()).fold(digest, |digest, byte| mix(digest, u64::from(byte)));
        }
        self.is_settled().then_some(digest)
    }

    fn request(member: usize, command: Command) -> Request {
        let Change::Put(value) = command.change else { unreachable!("nothing is swapped") };
        let mut data = BytesMut::new();
        data.put_u64(value);
        data.put_bytes(0, usize::from(command.ballast));
        let op = Op::SetData { path: path(command.key), data: Some(data.freeze()), version: -1 };
        Request { session: standing(member), cxid: command.op as i32, ids: Vec::new(), op }
    }

    fn query(member: usize, key: u16) -> Query {
        Query { session: standing(member), ids: Vec::new(), op: ReadOp::GetData { path: path(key) } }
    }

    fn told(response: &Response) -> Result<Told, String> {
        match response {
            Ok(Found::Stat(stat)) => Ok(Told { held: None, version: Some(stat.version as u64) }),
            Ok(Found::Data { data: Some(data), stat }) if data.len() >= 8 => {
                Ok(Told { held: Some((&data[..]).get_u64()), version: Some(stat.version as u64) })
            }
            other => Err(format!("{other:?}")),
        }
    }
}

impl InMemory for Zoo {
    fn fresh() -> Zoo {
        let mut bytes = BytesMut::new();
        bytes.put_u64(0);
        bytes.put_u32(STANDING as u32);
        for member in 0..STANDING {
            bytes.put_i64(standing(member));
            bytes.put_i32(i32::MAX);
        }
        bytes.put_u32(0);
        let mut nodes = BytesMut::new();
        let cursor = Cursor {
            registers: Rc::new(BTreeMap::new()),
            applied: Position::ZERO,
            digest: 0,
            headed: false,
            next: None,
            ended: false,
        };
        Form::head(&cursor, &mut nodes);
        // Its zxid, and that there are neither sessions nor access lists, was said above.
        nodes.advance(16);
        for key in 0..REGISTERS {
            Form::register(&cursor, key, 0, &mut nodes);
        }
        Form::end(&mut nodes);
        bytes.extend_from_slice(&nodes);
        Zoo::restore(&mut [bytes.freeze()].into_iter()).expect("it is a snapshot like any other")
    }
}

fn path(key: u16) -> String {
    format!("/r{key:05}")
}

impl StateMachine for Zoo {
    type Request = Request;
    type Command = znodes::Txn;
    type Query = Query;
    type Response = Response;
    type Event = znodes::Event;
    type Cursor = znodes::Cursor;

    fn tell_time(&mut self, now: Instant, wall: Wall) {
        self.now = now;
        self.tree.tell_time(now, wall);
    }

    fn prepare(&mut self, next: Position, wall: Wall, from: NodeId, request: Request) -> znodes::Txn {
        match request.op {
            Op::CreateSession { timeout } => drop(self.heard.insert(request.session, (self.now, millis(timeout)))),
            Op::CloseSession => drop(self.ending.insert(request.session)),
            _ => {}
        }
        self.tree.prepare(next, wall, from, request)
    }

    fn abandon(&mut self) {
        self.heard.clear();
        self.ending.clear();
        self.tree.abandon();
    }

    fn apply(&mut self, position: Position, command: znodes::Txn, events: &mut Vec<znodes::Event>) -> Response {
        let (header, ends) = (command.header, matches!(command.change, Txn::CloseSession { .. }));
        let response = self.tree.apply(position, command, events);
        if ends {
            assert!(!self.tree.ephemerals().contains_key(&header.session), "a session leaves nothing at {position}");
            assert!(!self.tree.sessions().contains_key(&header.session), "a session that ended is gone at {position}");
        }
        if let Some((member, witness)) = &self.watcher {
            witness.applied(*member, position, op_of(header.session, header.cxid), self.digest());
            if self.is_settled() {
                self.check_ephemerals();
            }
            assert_eq!(self.tree.digest_mismatches(), (0, None), "the tree is what its leader said that it would be");
        }
        response
    }

    fn skip(&mut self, position: Position) {
        self.tree.skip(position);
        if let Some((member, witness)) = &self.watcher {
            witness.applied(*member, position, 0, self.digest());
        }
    }

    fn applied(&self) -> Position {
        self.tree.applied()
    }

    fn read(&self, query: Query) -> Response {
        self.tree.read(query)
    }

    fn lead(&mut self, now: Instant) {
        self.ending.clear();
        self.heard = self.tree.sessions().iter().map(|(&session, &timeout)| (session, (now, millis(timeout)))).collect();
        self.tree.lead(now);
    }

    fn hear(&mut self, now: Instant, from: NodeId, note: SessionNote) -> Option<SessionNote> {
        match &note {
            SessionNote::Touched(sessions) => {
                sessions.iter().for_each(|&(session, timeout)| self.hear_from(now, session, timeout));
            }
            SessionNote::Revalidate { session, timeout } => self.hear_from(now, *session, *timeout),
            SessionNote::Revalidated { .. } => {}
        }
        self.tree.hear(now, from, note)
    }

    fn deadline(&self) -> Instant {
        self.tree.deadline()
    }

    /// A session never expires before its time-out has passed since its leader last heard of it.
    fn due(&mut self, now: Instant) -> Vec<Request> {
        let due = self.tree.due(now);
        for request in due.iter().filter(|request| request.op == Op::CloseSession) {
            if self.ending.insert(request.session) {
                let (heard, timeout) = self.heard[&request.session];
                let silent = now.since(heard);
                assert!(silent >= timeout, "session {:x} expires after {silent:?} of {timeout:?}", request.session);
            }
        }
        due
    }

    fn begin_snapshot(&mut self) -> znodes::Cursor {
        self.tree.begin_snapshot()
    }

    fn snapshot_chunk(&self, cursor: &mut znodes::Cursor, budget: usize) -> Option<Bytes> {
        self.tree.snapshot_chunk(cursor, budget)
    }

    fn end_snapshot(&mut self, cursor: znodes::Cursor) {
        self.tree.end_snapshot(cursor);
    }
}

impl Restore for Zoo {
    /// The end of a snapshot says when it ended. On its way to a learner that is lost; but what a learner is sent after it reaches at
    /// least as far.
    fn restore(chunks: &mut dyn Iterator<Item = Bytes>) -> Result<Zoo, RestoreError> {
        let mut whole = BytesMut::new();
        chunks.for_each(|chunk| whole.extend_from_slice(&chunk));
        let whole = whole.freeze();
        let end = whole.len().checked_sub(TRAILER).ok_or_else(|| wrong(whole.len(), "a tree"))?;
        let marked = whole[..end].ends_with(b"\0\0\0\x01/");
        let settled = if marked { Position::from_zxid((&whole[end..]).get_u64()) } else { Position::ZERO };
        let tree = Tree::restore_with(settings(), &mut [whole].into_iter())?;
        Ok(Zoo { tree, settled, watcher: None, now: Instant::ZERO, heard: BTreeMap::new(), ending: BTreeSet::new() })
    }
}

/// Bytes of the digest after a snapshot.
const TRAILER: usize = 20;

/// ZooKeeper's transactions and requests.
pub(crate) struct ZooCodec;

/// No string and no buffer is longer.
const LENGTH: usize = 1 << 20;

impl Codec for ZooCodec {
    type Machine = Zoo;

    fn id(&mut self, request: &Request) -> RequestId {
        RequestId(request::id(request.session, request.cxid))
    }

    fn encode_request(&self, _: RequestId, request: &Request) -> Bytes {
        request::encode(request)
    }

    fn decode_request(&self, data: &Bytes) -> Result<(RequestId, Request), Undecodable> {
        let request = request::decode(data, LENGTH).map_err(undecodable)?;
        Ok((RequestId(request::id(request.session, request.cxid)), request))
    }

    fn encode(&self, _: RequestId, command: &znodes::Txn, _: Bytes) -> Bytes {
        txn::encode(command)
    }

    fn decode(&self, entry: &Entry) -> Result<Decoded<znodes::Txn>, Undecodable> {
        let txn = txn::decode(&entry.data).map_err(undecodable)?;
        let id = RequestId(request::id(txn.header.session, txn.header.cxid));
        Ok(Decoded { id: Some(id), command: Some(txn) })
    }
}

fn undecodable(malformed: Malformed) -> Undecodable {
    Undecodable(malformed.to_string())
}
