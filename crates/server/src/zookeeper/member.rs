//! Where the member and its clients meet.
//!
//! A server has one thread for everything that is not the disk: the replica, the links to other servers, and the clients. So the two
//! halves share a [`Core`] in an `Rc`, without a lock. Between two *turns* the clients' half may look at everything; whatever it
//! wants done it leaves here, and the next turn takes it:
//!
//! ```text
//!   clients:  write, query, tell, hand_over ──▶ Core (queues) ──▶ turn: replica, effects in order
//!             tree, status, learners …      ◀── Core (looks)         │
//!             on_happened, on_answer … on_settled ◀──────────────────┘   (Clients)
//! ```
//!
//! What was left during one go of the runtime makes one turn: its writes are proposed together, its questions confirmed together.

use super::config::Config;
use super::engine::{Protocol, Replica, Tree};
use super::metrics::Metrics;
use super::quorum::Quorum;
use crate::clock::Clock;
use consensus::{NodeId, Position, Role, SessionNote};
use replica::Token;
use std::cell::{Cell, OnceCell, Ref, RefCell};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use tokio::sync::oneshot;

/// How a client's request ended.
pub(crate) type Outcome = replica::Answer<znodes::Response>;

/// The clients' half, as the member sees it. All of this is called in the course of a turn, one after the other, in the order in which it
/// came about.
///
/// When these are called the tree may already be further than what they tell of: nothing is to be read before `on_settled`, or a client
/// could see a change before its watch has told it. They may leave work in [`Core`]; the next turn takes it.
pub(crate) trait Clients {
    /// A transaction was applied, and this is what watchers want to hear of it: nodes that changed, and sessions that ended. It comes
    /// before the answer to whoever asked for it. Empty `events` are not told.
    fn on_happened(&self, position: Position, events: Vec<znodes::Event>);

    /// What was asked under `token` ended so. Each write and each question is answered once.
    fn on_answer(&self, token: Token, outcome: Outcome);

    /// The leader has answered [`SessionNote::Revalidate`] with [`SessionNote::Revalidated`].
    fn on_session(&self, note: SessionNote);

    /// Clients may be served from now on, or not any more. When they may not, everything that waited was refused before, and all clients
    /// are to be let go (Java shuts its server down and begins anew).
    fn on_serving(&self, serving: bool);

    /// Everything that this turn brought about was told: what waits for it may be read from the tree now.
    fn on_settled(&self);

    /// The server is about to end: nobody new is let in, and what is answered may still leave, for a short while.
    fn on_stopping(&self);

    /// Whether every connection of a client has ended.
    fn is_drained(&self) -> bool;
}

/// What both halves share.
pub(crate) struct Core {
    config: Rc<Config>,
    clock: Clock,
    pub(super) replica: RefCell<Replica>,
    asked: RefCell<Asked>,
    waker: Cell<Option<Waker>>,
    next_token: Cell<u64>,
    pub(super) serving: Cell<bool>,
    /// What the member's half counts.
    pub(crate) metrics: RefCell<Metrics>,
    quorum: OnceCell<Rc<Quorum>>,
    decisions: RefCell<VecDeque<Told>>,
}

/// How many decisions are kept in memory; the journal on the disk has more.
const DECISIONS_KEPT: usize = 64;

/// A decision, as people read it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Told {
    /// Milliseconds since 1970.
    pub(crate) wall_ms: u64,
    pub(crate) text: String,
}

/// What the clients' half wants done.
#[derive(Default)]
pub(crate) struct Asked {
    pub(crate) writes: Vec<(Token, znodes::Request)>,
    pub(crate) queries: Vec<(Token, znodes::Query)>,
    pub(crate) notes: Vec<SessionNote>,
    pub(crate) hand_over: Vec<(Token, oneshot::Sender<Outcome>)>,
}

impl Asked {
    fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.queries.is_empty() && self.notes.is_empty() && self.hand_over.is_empty()
    }
}

/// What a server is, in the words that `srvr` uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    /// It looks for a leader, or for its way to one: it serves nobody.
    Looking,
    /// It leads.
    Leader,
    /// It follows.
    Follower,
    /// It follows and is never counted.
    Observer,
    /// It is alone.
    Standalone,
}

/// A learner that is connected to this leader.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Learner {
    /// Who.
    pub(crate) id: NodeId,
    /// From where.
    pub(crate) address: SocketAddr,
    /// It is an observer.
    pub(crate) observer: bool,
    /// It has this leader's history, and was heard from within the limit.
    pub(crate) synced: bool,
}

impl Core {
    pub(crate) fn new(config: Rc<Config>, clock: Clock, replica: Replica) -> Rc<Core> {
        Rc::new(Core {
            config,
            clock,
            replica: RefCell::new(replica),
            asked: RefCell::default(),
            waker: Cell::default(),
            next_token: Cell::new(0),
            serving: Cell::new(false),
            metrics: RefCell::default(),
            quorum: OnceCell::new(),
            decisions: RefCell::default(),
        })
    }

    /// Why the protocol did what it did last, oldest first.
    pub(crate) fn decisions(&self) -> Ref<'_, VecDeque<Told>> {
        self.decisions.borrow()
    }

    pub(super) fn note_decision(&self, told: Told) {
        let mut decisions = self.decisions.borrow_mut();
        if decisions.len() == DECISIONS_KEPT {
            decisions.pop_front();
        }
        decisions.push_back(told);
    }

    /// The quorum port, once there is one.
    pub(crate) fn know(&self, quorum: Rc<Quorum>) {
        assert!(self.quorum.set(quorum).is_ok(), "there is one quorum port");
    }

    /// What the server was told before it started.
    pub(crate) fn config(&self) -> &Rc<Config> {
        &self.config
    }

    /// This server's clock, which the replica goes by.
    pub(crate) fn clock(&self) -> Clock {
        self.clock
    }

    /// A token that nobody has used.
    pub(crate) fn token(&self) -> Token {
        self.next_token.set(self.next_token.get() + 1);
        Token(self.next_token.get())
    }

    /// The tree as it was when the last turn had settled. Not to be held across an `await`.
    pub(crate) fn tree(&self) -> Ref<'_, Tree> {
        Ref::map(self.replica.borrow(), Replica::machine)
    }

    /// Wants this written. Two writes of the same session and cxid must not be on their way at once: the second waits, where it came
    /// from, for the first one's answer.
    pub(crate) fn write(&self, token: Token, request: znodes::Request) {
        self.asked.borrow_mut().writes.push((token, request));
        self.wake();
    }

    /// Wants this answered from a state that holds everything committed before: `sync`.
    pub(crate) fn query(&self, token: Token, query: znodes::Query) {
        self.asked.borrow_mut().queries.push((token, query));
        self.wake();
    }

    /// Has something to say to the leader about sessions, be it this very server. Lost if nobody leads.
    pub(crate) fn tell(&self, note: SessionNote) {
        self.asked.borrow_mut().notes.push(note);
        self.wake();
    }

    /// Wants leadership handed to whoever is furthest ahead.
    pub(crate) fn hand_over(&self) -> oneshot::Receiver<Outcome> {
        let (tell, told) = oneshot::channel();
        let token = self.token();
        self.asked.borrow_mut().hand_over.push((token, tell));
        self.wake();
        told
    }

    /// Whether clients may be served: what [`Clients::on_serving`] was last told.
    pub(crate) fn serving(&self) -> bool {
        self.serving.get()
    }

    /// Role, epoch, leader, and how far log and tree are (`applied.zxid()` is the zxid that clients are told).
    pub(crate) fn status(&self) -> replica::Status {
        self.replica.borrow().status()
    }

    /// What this server is.
    pub(crate) fn mode(&self) -> Mode {
        match self.status().role {
            _ if !self.serving() => Mode::Looking,
            _ if self.config.is_standalone() => Mode::Standalone,
            Role::Leader => Mode::Leader,
            Role::Follower { .. } => Mode::Follower,
            Role::Learner { .. } => Mode::Observer,
            Role::PreCandidate | Role::Candidate => Mode::Looking,
        }
    }

    /// Who is connected to this leader. Nobody unless it leads.
    pub(crate) fn learners(&self) -> Vec<Learner> {
        let protocol = self.protocol();
        let learners = protocol.learners().filter_map(|(id, learner)| {
            let address = self.quorum.get()?.address(id)?;
            Some(Learner { id, address, observer: learner.observer, synced: learner.synced })
        });
        learners.collect()
    }

    /// The protocol, to look at.
    pub(crate) fn protocol(&self) -> Ref<'_, Protocol> {
        Ref::map(self.replica.borrow(), Replica::consensus)
    }

    /// What was asked for since the last turn.
    pub(crate) fn poll_asked(&self, cx: &mut Context<'_>) -> Poll<Asked> {
        let asked = self.asked.take();
        if !asked.is_empty() {
            return Poll::Ready(asked);
        }
        self.waker.set(Some(cx.waker().clone()));
        Poll::Pending
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}
