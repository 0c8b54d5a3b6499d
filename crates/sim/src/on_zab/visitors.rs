//! Clients with sessions of their own: they come, make nodes, go silent, move to other servers, and say good-bye or do not.

use super::zoo::ZooKeeper;
use super::{Happening, Zab};
use crate::invariant::Invariant;
use crate::subject::COMPANY;
use crate::world::{Occasion, World};
use bytes::Bytes;
use consensus::{Chance, Instant, Position, SessionNote, StateMachine};
use replica::{Answer, Event, Token};
use std::time::Duration;
use znodes::{Acl, Answer as Found, CreateMode, ErrorCode, Id, Op, OpAnswer, Permissions, Query, ReadOp, Request, Response};

/// All of them.
#[derive(Debug)]
pub(crate) struct Visitors {
    visitors: Vec<Visitor>,
    chance: Chance,
    /// Counts sessions, names, and what was asked.
    count: u64,
}

impl Default for Visitors {
    fn default() -> Visitors {
        Visitors { visitors: Vec::new(), chance: Chance::new(0), count: 0 }
    }
}

/// One client.
#[derive(Clone, Debug, Default)]
struct Visitor {
    session: i64,
    timeout: i32,
    /// Its server.
    member: usize,
    doing: Doing,
    /// When it began to wait.
    since: Instant,
    /// The newest that it was told of.
    seen: Position,
    /// Nodes that nobody else changes, what it knows of each version, and whether each is ephemeral.
    nodes: Vec<(String, i32, bool)>,
}

/// What a client is about.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
enum Doing {
    /// It has no session.
    #[default]
    Nothing,
    /// It waits for its new session.
    Coming(u64),
    /// It has come to a server and waits to hear whether its session lives.
    Moving,
    /// It has a session and a server.
    Staying,
    /// It waits for an answer.
    Asking(u64, Wish),
}

/// What it wants.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Wish {
    Create { ephemeral: bool },
    Set(usize),
    Delete(usize),
    Read(usize),
    Both(usize),
    Leave,
}

const PATIENCE: Duration = Duration::from_secs(3);

impl World<Zab<ZooKeeper>> {
    pub(super) fn gather_visitors(&mut self) {
        self.company.chance = self.chance.fork();
        let count = 1 + self.company.chance.below(4) as usize;
        self.company.visitors = vec![Visitor::default(); count];
        (0..count).for_each(|who| self.act_later(who));
    }

    fn act_later(&mut self, who: usize) {
        let pause = self.company.chance.between(Duration::from_millis(5), Duration::from_millis(400));
        self.after(pause, Occasion::Link(Happening::Acts { who }));
    }

    /// Servers let their clients go when they do not serve, and refuse who has seen more than they have applied.
    fn welcomes(&self, member: usize, seen: Position) -> bool {
        let it = &self.members[member];
        !it.paused && it.process.as_ref().is_some_and(|it| it.replica.serving() && it.replica.machine().applied() >= seen)
    }

    pub(super) fn on_visitor(&mut self, who: usize) {
        if self.quiet {
            return;
        }
        self.act_later(who);
        let now = self.now;
        let it = &mut self.company.visitors[who];
        let waits = !matches!(it.doing, Doing::Nothing | Doing::Staying);
        if waits && now.since(it.since) < PATIENCE {
            return;
        }
        match std::mem::take(&mut it.doing) {
            Doing::Nothing => self.come(who),
            // It never learns whether there is such a session: that expires.
            Doing::Coming(_) => self.forget(who),
            Doing::Moving => self.move_on(who),
            Doing::Asking(_, wish) => {
                it.unsure(&wish);
                self.move_on(who);
            }
            Doing::Staying if !self.welcomes(self.company.visitors[who].member, self.company.visitors[who].seen) => {
                self.move_on(who);
            }
            Doing::Staying => self.stay(who),
        }
    }

    fn forget(&mut self, who: usize) {
        let it = &mut self.company.visitors[who];
        *it = Visitor { seen: it.seen, ..Visitor::default() };
    }

    fn come(&mut self, who: usize) {
        let company = &mut self.company;
        let member = company.chance.below(self.members.len() as u64) as usize;
        company.count += 1;
        let (session, timeout) = (((member as i64 + 1) << 56) | (2 + company.count as i64), [1_000, 2_000, 4_000][who % 3]);
        if !self.welcomes(member, self.company.visitors[who].seen) {
            return;
        }
        let it = &mut self.company.visitors[who];
        (it.session, it.timeout, it.member) = (session, timeout, member);
        it.nodes.clear();
        let token = self.next_token();
        let it = &mut self.company.visitors[who];
        (it.doing, it.since) = (Doing::Coming(token), self.now);
        self.request(who, token, Op::CreateSession { timeout });
    }

    fn move_on(&mut self, who: usize) {
        let member = self.company.chance.below(self.members.len() as u64) as usize;
        let seen = self.company.visitors[who].seen;
        let welcome = self.welcomes(member, seen);
        let it = &mut self.company.visitors[who];
        (it.doing, it.since, it.member) = (Doing::Moving, self.now, member);
        if welcome {
            let note = SessionNote::Revalidate { session: it.session, timeout: it.timeout };
            self.feed(member, Event::TellOfSessions(note));
        } else {
            // It tries the next one when it acts again.
            it.since = Instant::ZERO;
        }
    }

    /// A number for what is asked.
    fn next_token(&mut self) -> u64 {
        self.company.count += 1;
        COMPANY + self.company.count
    }

    fn request(&mut self, who: usize, token: u64, op: Op) {
        let Visitor { session, member, .. } = self.company.visitors[who];
        self.trace.note(self.now, token << 8 | 16, || format!("m{} is asked in session {session:x}: {op:?}", member + 1));
        let request = Request { session, cxid: (token - COMPANY) as i32, ids: Vec::new(), op };
        self.feed(member, Event::Requests(vec![(Token(token), request)]));
    }

    fn stay(&mut self, who: usize) {
        let Visitor { session, timeout, member, .. } = self.company.visitors[who];
        let dice = self.company.chance.below(100);
        if dice < 3 {
            // It is never heard of again.
            return self.forget(who);
        }
        self.company.visitors[who].doing = Doing::Staying;
        if dice < 8 {
            return self.move_on(who);
        }
        self.feed(member, Event::TellOfSessions(SessionNote::Touched(vec![(session, timeout)])));
        if dice < 30 || !self.welcomes(member, self.company.visitors[who].seen) {
            return;
        }
        let nodes = self.company.visitors[who].nodes.len();
        let which = self.company.chance.below(nodes.max(1) as u64) as usize;
        let wish = match dice {
            30..33 => Wish::Leave,
            33..50 => Wish::Create { ephemeral: dice < 44 },
            _ if nodes == 0 => Wish::Create { ephemeral: true },
            50..65 => Wish::Set(which),
            65..72 => Wish::Both(which),
            72..80 => Wish::Delete(which),
            _ => Wish::Read(which),
        };
        let token = self.next_token();
        self.wish(who, token, wish);
    }

    fn wish(&mut self, who: usize, token: u64, wish: Wish) {
        let it = &mut self.company.visitors[who];
        let node = |which: usize| it.nodes[which].0.clone();
        let data = Some(Bytes::copy_from_slice(&token.to_be_bytes()));
        let set = |which: usize| Op::SetData { path: node(which), data: data.clone(), version: it.nodes[which].1 };
        let op = match wish {
            Wish::Create { ephemeral } => {
                let sequential = token.is_multiple_of(2);
                let mode = if ephemeral { CreateMode::Ephemeral { sequential } } else { CreateMode::Persistent { sequential } };
                Op::Create { path: format!("/v{token:x}-"), data, acl: vec![open()], mode, op: 15 }
            }
            Wish::Set(which) => set(which),
            Wish::Delete(which) => Op::Delete { path: node(which), version: it.nodes[which].1 },
            Wish::Both(which) => Op::Multi(vec![Op::Check { path: node(which), version: it.nodes[which].1 }, set(which)]),
            Wish::Leave => Op::CloseSession,
            Wish::Read(which) => {
                let query = Query { session: it.session, ids: Vec::new(), op: ReadOp::GetData { path: node(which) } };
                let member = it.member;
                (it.doing, it.since) = (Doing::Asking(token, wish), self.now);
                return self.feed(member, Event::LocalQuery(Token(token), query));
            }
        };
        (it.doing, it.since) = (Doing::Asking(token, wish), self.now);
        self.request(who, token, op);
    }

    pub(super) fn tell_visitor(&mut self, member: usize, note: SessionNote) {
        let SessionNote::Revalidated { session, valid } = note else { return };
        let visitors = &self.company.visitors;
        let moving = |it: &Visitor| it.session == session && it.member == member && it.doing == Doing::Moving;
        let Some(who) = visitors.iter().position(moving) else { return };
        if valid {
            self.company.visitors[who].doing = Doing::Staying;
        } else {
            self.forget(who);
        }
    }

    pub(super) fn answer_visitor(&mut self, member: usize, token: u64, answer: Answer<Response>) {
        let asked = |it: &Visitor| match &it.doing {
            Doing::Coming(asked) | Doing::Asking(asked, _) => *asked == token,
            _ => false,
        };
        let Some(who) = self.company.visitors.iter().position(asked) else { return };
        let it = &mut self.company.visitors[who];
        let (position, response) = match answer {
            Answer::Applied(position, response) | Answer::Read(position, response) => (position, response),
            Answer::Refused(_) => {
                // It may have been done and may still be. The client acts as if its connection were lost.
                it.since = Instant::ZERO;
                return;
            }
            Answer::Transferred => unreachable!("nobody asked for that"),
        };
        if position < it.seen {
            let what = format!("session {:x} had seen {}, and was told by m{} of {position}", it.session, it.seen, member + 1);
            return self.violate(Invariant::ReadsNeverGoBack, what);
        }
        it.seen = position;
        match std::mem::replace(&mut it.doing, Doing::Staying) {
            Doing::Coming(_) if response.is_ok() => {}
            Doing::Coming(_) => self.forget(who),
            Doing::Asking(_, wish) => self.learn(who, wish, response),
            _ => unreachable!("it asked"),
        }
    }

    fn learn(&mut self, who: usize, wish: Wish, response: Response) {
        let lives = self.session_lives(who);
        let it = &mut self.company.visitors[who];
        let what = match (wish, response) {
            (Wish::Leave, Ok(Found::SessionClosed)) => return self.forget(who),
            (wish, Err(ErrorCode::SessionExpired | ErrorCode::SessionMoved)) if !matches!(wish, Wish::Read(_)) => {
                return self.forget(who);
            }
            (Wish::Create { ephemeral }, Ok(Found::Created { path, stat })) if stat.version == 0 => {
                return it.nodes.push((path, 0, ephemeral));
            }
            (Wish::Set(which), Ok(Found::Stat(stat))) if stat.version == it.nodes[which].1 + 1 => {
                return it.nodes[which].1 += 1;
            }
            (Wish::Both(which), Ok(Found::Multi(answers))) if answers.iter().all(is_done) => {
                return it.nodes[which].1 += 1;
            }
            (Wish::Both(_), Ok(Found::Multi(answers))) if answers.iter().any(is_sessions_fault) => return self.forget(who),
            (Wish::Delete(which), Ok(Found::Deleted)) => return drop(it.nodes.swap_remove(which)),
            (Wish::Read(which), Ok(Found::Data { stat, .. }))
                if stat.version == it.nodes[which].1 && (stat.ephemeral_owner == it.session) == it.nodes[which].2 =>
            {
                return;
            }
            // Its session has ended, and it has not heard of that yet.
            (Wish::Read(which), Err(ErrorCode::NoNode)) if it.nodes[which].2 && !lives => {
                return self.forget(who);
            }
            (wish, response) => {
                format!("session {:x} knew {:?}, wished {wish:?} and was told {response:?}", it.session, it.nodes)
            }
        };
        self.violate(Invariant::AnswersSurvive, what);
    }

    /// Whether a visitor's session lives in the eyes of its server.
    fn session_lives(&self, who: usize) -> bool {
        let Visitor { session, member, .. } = self.company.visitors[who];
        self.members[member].process.as_ref().is_some_and(|it| it.replica.machine().has_session(session))
    }
}

impl Visitor {
    /// It never learns what became of a wish.
    fn unsure(&mut self, wish: &Wish) {
        if let Wish::Set(which) | Wish::Both(which) | Wish::Delete(which) = wish {
            self.nodes.swap_remove(*which);
        }
    }
}

fn is_done(answer: &OpAnswer) -> bool {
    matches!(answer, OpAnswer::Done { .. })
}

/// Its session has ended, or is another server's.
fn is_sessions_fault(answer: &OpAnswer) -> bool {
    let faults = [ErrorCode::SessionExpired, ErrorCode::SessionMoved].map(ErrorCode::number);
    matches!(answer, OpAnswer::Failed { code } if faults.contains(code))
}

fn open() -> Acl {
    Acl { permissions: Permissions::ALL, id: Id { scheme: "world".into(), id: "anyone".into() } }
}
