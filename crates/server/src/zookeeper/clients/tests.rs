//! Bytes in, bytes out: a desk with a tree behind it, and no socket.

mod hostile;
mod requests;
mod sessions;
mod watches;

use super::super::config::Config;
use super::connection::ConnectionId;
use super::desk::{Desk, Member, Moment, Work};
use bytes::{Bytes, BytesMut};
use consensus::{Instant, NodeId, Position, SessionNote, StateMachine, Wall};
use replica::{Answer, Token};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::Duration;
use znodes::{Acl, Event, Id, Op, Permissions, Query, ReadOp, Request, Tree};
use zookeeper::client::{Call, ConnectRequest, ConnectResponse, Incoming, Reply, decode, frame};

const ME: NodeId = NodeId(1);

/// A member that is asked, and does nothing before its turn.
#[derive(Default)]
struct Quiet {
    tokens: Cell<u64>,
    writes: RefCell<Vec<(Token, Request)>>,
    queries: RefCell<Vec<(Token, Query)>>,
    notes: RefCell<Vec<SessionNote>>,
}

impl Member for Quiet {
    fn token(&self) -> Token {
        self.tokens.set(self.tokens.get() + 1);
        Token(self.tokens.get())
    }

    fn write(&self, token: Token, request: Request) {
        self.writes.borrow_mut().push((token, request));
    }

    fn query(&self, token: Token, query: Query) {
        self.queries.borrow_mut().push((token, query));
    }

    fn tell(&self, note: SessionNote) {
        self.notes.borrow_mut().push(note);
    }
}

/// A server that leads, and its clients.
struct World {
    desk: Desk,
    tree: Tree,
    member: Quiet,
    now: Instant,
    serving: bool,
    read_only: bool,
    /// What each client's numbers stand for.
    operations: HashMap<ConnectionId, HashMap<i32, i32>>,
}

impl World {
    fn new() -> World {
        World::with(|_| {})
    }

    fn with(set: impl FnOnce(&mut Config)) -> World {
        let mut config = Config::new("unused");
        config.outstanding_max = 1000;
        set(&mut config);
        let settings = super::super::assemble::settings(&config);
        let mut tree = Tree::new(settings.clone());
        tree.lead(Instant::ZERO);
        World {
            desk: Desk::new(&config, settings),
            tree,
            member: Quiet::default(),
            now: Instant::from_nanos(1),
            serving: true,
            read_only: false,
            operations: HashMap::new(),
        }
    }

    fn at_desk<T>(&mut self, act: impl FnOnce(&mut Desk, &Moment<'_>) -> T) -> T {
        let zxid = self.tree.applied().zxid() as i64;
        let moment = Moment {
            tree: &self.tree,
            zxid,
            now: self.now,
            serving: self.serving,
            read_only: self.read_only,
            member: &self.member,
            work: Work::default(),
        };
        let result = act(&mut self.desk, &moment);
        self.desk.flush();
        result
    }

    /// Somebody connects.
    fn connect(&mut self) -> ConnectionId {
        self.connect_from("127.0.0.1:40000").expect("there is room")
    }

    fn connect_from(&mut self, address: &str) -> Option<ConnectionId> {
        self.desk.connect(address.parse().expect("an address"), None, self.now)
    }

    /// Its task is over, and its socket is closed.
    fn leave(&mut self, id: ConnectionId) {
        let address = self.desk.get(id).expect("it was there").address;
        self.desk.remove(id);
        self.desk.left(address);
    }

    fn send(&mut self, id: ConnectionId, bytes: &[u8]) {
        self.at_desk(|desk, moment| desk.receive(moment, id, bytes));
    }

    /// Asks for something, without waiting for the answer.
    fn call(&mut self, id: ConnectionId, call: &Call) {
        self.operations.entry(id).or_default().insert(call.xid, call.op);
        let mut bytes = BytesMut::new();
        call.encode(&mut bytes);
        self.send(id, &bytes);
    }

    /// The member's turn: what was asked for is done, watchers hear of it, and whoever asked is answered.
    fn turn(&mut self) {
        for note in self.member.notes.take() {
            if let Some(SessionNote::Revalidated { session, valid }) = self.tree.hear(self.now, ME, note) {
                self.desk.revalidated(session, valid);
            }
        }
        for (token, request) in self.member.writes.take() {
            let (position, response) = self.apply(request);
            self.desk.answered(token, Answer::Applied(position, response), self.now);
        }
        for (token, query) in self.member.queries.take() {
            let answer = Answer::Read(self.tree.applied(), self.tree.read(query));
            self.desk.answered(token, answer, self.now);
        }
        self.at_desk(|desk, moment| desk.settle(moment));
    }

    /// Somebody's write is applied, as if it came from another server.
    fn apply(&mut self, request: Request) -> (Position, znodes::Response) {
        let applied = self.tree.applied();
        let position = Position::new(1, applied.index + 1);
        let txn = self.tree.prepare(position, Wall(Duration::from_secs(1)), ME, request);
        let mut events: Vec<Event> = Vec::new();
        let response = self.tree.apply(position, txn, &mut events);
        self.desk.happened(position, &events);
        (position, response)
    }

    fn output(&mut self, id: ConnectionId) -> BytesMut {
        self.desk.get_mut(id).map(|connection| std::mem::take(&mut connection.output)).unwrap_or_default()
    }

    fn frames(&mut self, id: ConnectionId) -> Vec<Bytes> {
        let mut output = self.output(id);
        let frames = std::iter::from_fn(|| frame(&mut output, usize::MAX >> 1).expect("we write frames")).collect();
        assert!(output.is_empty(), "half a frame");
        frames
    }

    /// What a client has been told since it last looked.
    fn hear(&mut self, id: ConnectionId) -> Vec<Incoming> {
        let frames = self.frames(id);
        let operations = self.operations.entry(id).or_default();
        frames.iter().map(|frame| decode(frame, |xid| operations.get(&xid).copied()).expect("a reply")).collect()
    }

    /// Each thing heard, in a word or two.
    fn heard(&mut self, id: ConnectionId) -> Vec<String> {
        self.hear(id).iter().map(describe).collect()
    }

    fn is_closed(&self, id: ConnectionId) -> bool {
        self.desk.get(id).is_none_or(|connection| connection.stage == super::connection::Stage::Closing)
    }

    /// A client with a session of its own.
    fn client(&mut self) -> ConnectionId {
        let id = self.connect();
        self.send(id, &greeting(0, Bytes::from_static(&[0; 16]), 0));
        self.turn();
        let welcome = self.welcome(id);
        assert!(welcome.session != 0 && welcome.timeout > 0, "{welcome:?}");
        id
    }

    fn welcome(&mut self, id: ConnectionId) -> ConnectResponse {
        let frames = self.frames(id);
        assert_eq!(frames.len(), 1, "one answer to a greeting");
        ConnectResponse::decode(&frames[0]).expect("an answer to a greeting")
    }
}

fn greeting(session: i64, password: Bytes, last_zxid_seen: i64) -> BytesMut {
    let mut bytes = BytesMut::new();
    let request =
        ConnectRequest { protocol_version: 0, last_zxid_seen, timeout: 10_000, session, password, read_only: Some(false) };
    request.encode(&mut bytes);
    bytes
}

fn create(path: &str, data: &'static str) -> Op {
    Op::Create {
        path: path.to_owned(),
        data: Some(Bytes::from_static(data.as_bytes())),
        acl: everybody(),
        mode: znodes::CreateMode::Persistent { sequential: false },
        op: zookeeper::opcode::CREATE,
    }
}

fn everybody() -> Vec<Acl> {
    vec![Acl { permissions: Permissions::ALL, id: Id { scheme: "world".to_owned(), id: "anyone".to_owned() } }]
}

fn set(path: &str, data: &'static str) -> Op {
    Op::SetData { path: path.to_owned(), data: Some(Bytes::from_static(data.as_bytes())), version: -1 }
}

fn get(path: &str) -> ReadOp {
    ReadOp::GetData { path: path.to_owned() }
}

fn describe(incoming: &Incoming) -> String {
    match incoming {
        Incoming::Event { event, path, .. } => format!("event {event:?} {path}"),
        Incoming::Reply { xid, reply, .. } => match reply {
            Ok(Reply::Answer(znodes::Answer::Data { data, .. })) => {
                format!("{xid} {}", String::from_utf8_lossy(data.as_deref().unwrap_or_default()))
            }
            Ok(_) => format!("{xid} ok"),
            Err(code) => format!("{xid} error {code}"),
        },
    }
}
