//! Connections, as the server's sockets make them: streams that keep their order and are lost as a whole.
//!
//! Between two servers there is one connection for the election (either end opens it, on demand) and one from a learner to its leader.
//! Each end has its own idea of whether a connection stands; what was sent over one is never delivered once its receiver has heard
//! that it is gone.
//!
//! ```text
//!   send ──▶ inbox of the other end ──▶ pump, at the time of arrival ──▶ Receive
//!            (a cut path: waits, as TCP repeats; a reset: lost)
//! ```

use crate::subject;
use bytes::Bytes;
use consensus::{Instant, Link, Position};
use std::collections::VecDeque;
use zab::Message;

/// All connections that ever were, and what each end takes for standing.
pub(crate) struct Wires {
    members: usize,
    conns: Vec<Conn>,
    /// (at, peer, link): the connection that this end takes for standing.
    slots: Vec<Option<usize>>,
    /// (at, peer): the election's outbox.
    outboxes: Vec<Outbox>,
    /// (at, peer): counts the attempts to reach a leader, so that one which was given up comes to nothing, and whether one is under
    /// way.
    dials: Vec<(u64, bool)>,
}

/// What waits for a connection to a peer's election port: the newest notification only (ZooKeeper's queue has room for one).
#[derive(Clone, Debug, Default)]
pub(super) struct Outbox {
    pub(super) waiting: Option<Message>,
    /// The last that left; sent again over a new connection (`QuorumCnxManager.SendWorker` does so).
    pub(super) last: Option<Message>,
    pub(super) dialing: bool,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Conn {
    pub(super) link: Link,
    /// Who opened it, and who accepted it.
    pub(super) ends: [End; 2],
}

/// One end of a connection.
#[derive(Debug)]
pub(super) struct End {
    pub(super) member: usize,
    pub(super) life: u64,
    pub(super) state: State,
    /// What is on its way to this end, in order, and when it arrives.
    pub(super) inbox: VecDeque<(Instant, Parcel)>,
    /// When the last of it does.
    pub(super) last: Instant,
    /// A pump is on the agenda.
    pub(super) pumping: bool,
    /// A snapshot that came over it is being synced: what follows waits.
    pub(super) settling: bool,
}

/// What an end takes a connection for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// The kernel has it; the process has not heard of it yet.
    Fresh,
    /// It stands.
    Up,
    /// It is gone.
    Gone,
}

/// What travels.
#[derive(Debug)]
pub(super) enum Parcel {
    /// Who is there. The first over an election connection.
    Hello,
    /// A message.
    Message(Message),
    /// A snapshot, with the message that announces it.
    Snapshot { message: Message, position: Position, bytes: Bytes },
}

/// What happens on a connection.
#[derive(Debug)]
pub(crate) enum Happening {
    /// A client of this stack's own kind acts.
    Acts { who: usize },
    /// An attempt to connect has come to something.
    Dialed { at: usize, peer: usize, link: Link, life: u64, attempt: u32, number: u64 },
    /// A server with a smaller number asks one with a larger number for the election's connection.
    Knock { at: usize, peer: usize, life: u64 },
    /// A process hears that the connection is gone which it has closed itself.
    Closed { at: usize, peer: usize, life: u64 },
    /// Something arrives at an end.
    Pump { conn: usize, end: usize, member: usize },
    /// An end hears that the other has closed, or that nothing comes through any more.
    Hangup { conn: usize, end: usize, member: usize, lost: bool },
    /// An end may have sent into the void for too long.
    Timeout { conn: usize, end: usize, member: usize },
    /// A snapshot that arrived is synced.
    Settled { conn: usize, end: usize, member: usize, life: u64, message: Message },
    /// A sender hears what became of the snapshot that it sent.
    Sent { conn: usize, end: usize, member: usize, life: u64, delivered: bool },
}

impl subject::Happening for Happening {
    fn process(&self) -> Option<usize> {
        match self {
            Happening::Acts { .. } => None,
            Happening::Dialed { at, .. } | Happening::Knock { at, .. } | Happening::Closed { at, .. } => Some(*at),
            Happening::Pump { member, .. }
            | Happening::Hangup { member, .. }
            | Happening::Timeout { member, .. }
            | Happening::Settled { member, .. }
            | Happening::Sent { member, .. } => Some(*member),
        }
    }

    fn outlives_process(&self) -> bool {
        false
    }
}

fn link_number(link: Link) -> usize {
    match link {
        Link::Election => 0,
        Link::Quorum => 1,
        Link::Peer => unreachable!("Raft's"),
    }
}

impl Wires {
    pub(super) fn new(members: usize) -> Wires {
        Wires {
            members,
            conns: Vec::new(),
            slots: vec![None; members * members * 2],
            outboxes: vec![Outbox::default(); members * members],
            dials: vec![(0, false); members * members],
        }
    }

    fn slot_number(&self, at: usize, peer: usize, link: Link) -> usize {
        (at * self.members + peer) * 2 + link_number(link)
    }

    /// The connection that `at` takes for standing, and which of its ends is its own.
    pub(super) fn slot(&self, at: usize, peer: usize, link: Link) -> Option<(usize, usize)> {
        let conn = self.slots[self.slot_number(at, peer, link)]?;
        Some((conn, self.end_of(conn, at)))
    }

    pub(super) fn set_slot(&mut self, at: usize, peer: usize, link: Link, conn: Option<usize>) {
        let number = self.slot_number(at, peer, link);
        self.slots[number] = conn;
    }

    /// The connections of a member that its process knows of, and those that only the kernel has.
    pub(super) fn of(&self, member: usize) -> Vec<(usize, usize)> {
        let live = |(number, conn): (usize, &Conn)| {
            (0..2).find(|&end| conn.ends[end].member == member && conn.ends[end].state != State::Gone).map(|end| (number, end))
        };
        self.conns.iter().enumerate().filter_map(live).collect()
    }

    pub(super) fn open(&mut self, link: Link, from: (usize, u64), to: (usize, u64)) -> usize {
        let end = |(member, life), state| End {
            member,
            life,
            state,
            inbox: VecDeque::new(),
            last: Instant::ZERO,
            pumping: false,
            settling: false,
        };
        self.conns.push(Conn { link, ends: [end(from, State::Up), end(to, State::Fresh)] });
        self.conns.len() - 1
    }

    pub(super) fn conn(&self, number: usize) -> &Conn {
        &self.conns[number]
    }

    pub(super) fn end_of(&self, conn: usize, member: usize) -> usize {
        usize::from(self.conns[conn].ends[0].member != member)
    }

    pub(super) fn end(&self, conn: usize, end: usize) -> &End {
        &self.conns[conn].ends[end]
    }

    pub(super) fn end_mut(&mut self, conn: usize, end: usize) -> &mut End {
        &mut self.conns[conn].ends[end]
    }

    pub(super) fn outbox(&mut self, at: usize, peer: usize) -> &mut Outbox {
        &mut self.outboxes[at * self.members + peer]
    }

    /// The number of the latest attempt to reach a leader.
    pub(super) fn dial_number(&self, at: usize, peer: usize) -> u64 {
        self.dials[at * self.members + peer].0
    }

    pub(super) fn is_dialing(&self, at: usize, peer: usize) -> bool {
        self.dials[at * self.members + peer].1
    }

    /// A new attempt to reach a leader; earlier ones are given up.
    pub(super) fn begin_dial(&mut self, at: usize, peer: usize) {
        let (number, dialing) = &mut self.dials[at * self.members + peer];
        *number += 1;
        *dialing = true;
    }

    pub(super) fn end_dial(&mut self, at: usize, peer: usize) {
        self.dials[at * self.members + peer].1 = false;
    }

    /// A process begins without connections and without anything to send.
    pub(super) fn forget(&mut self, member: usize) {
        for peer in 0..self.members {
            *self.outbox(member, peer) = Outbox::default();
            self.set_slot(member, peer, Link::Election, None);
            self.set_slot(member, peer, Link::Quorum, None);
            self.end_dial(member, peer);
        }
    }

    /// This end has no part in the connection any more.
    pub(super) fn leave(&mut self, conn: usize, end: usize) {
        let peer = self.conns[conn].ends[1 - end].member;
        let link = self.conns[conn].link;
        let it = &mut self.conns[conn].ends[end];
        it.state = State::Gone;
        it.inbox = VecDeque::new();
        let member = it.member;
        let number = self.slot_number(member, peer, link);
        if self.slots[number] == Some(conn) {
            self.slots[number] = None;
        }
    }
}
