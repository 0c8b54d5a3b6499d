//! Links between processes: how each end learns that they stand or are gone.

use crate::fault::Fault;
use crate::on_raft::ship::Shipment;
use crate::on_raft::{Raft, Stack};
use crate::subject;
use crate::world::{Occasion, World, id};
use consensus::{How, Instant, Link};
use raft::Message;
use replica::Event;
use std::time::Duration;

/// Each end's idea of each link.
pub(crate) struct Net {
    members: usize,
    ends: Vec<End>,
}

/// The receiving end of a path.
#[derive(Clone, Debug)]
pub(super) struct End {
    /// When the last message of each stream arrives, so that the next does not overtake it.
    pub(super) last: [Instant; 2],
    /// What it believes of the link: the sender's life, or that it does not stand.
    pub(super) view: View,
    /// Counts how often it was told that the link is gone: what was sent before must not arrive after.
    pub(super) losses: u64,
}

/// What one end believes of a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum View {
    /// Nothing was reported yet.
    Unknown,
    /// It stands, to the peer's process of this life.
    Up(u64),
    /// It was reported lost.
    Lost,
    /// It was reported refused.
    Refused,
}

/// Messages travel by two streams, as between etcd's members: neither waits for the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stream {
    /// Appends.
    Appends,
    /// Everything else.
    Others,
}

/// What happens on a link.
#[derive(Debug)]
pub(crate) enum Happening {
    /// A message arrives.
    Deliver { from: usize, to: usize, from_life: u64, losses: u64, message: Message },
    /// One end of a link tries to connect.
    Dial { at: usize, peer: usize, life: u64 },
    /// One end of a link hears that it was closed by the other.
    Hangup { at: usize, peer: usize, life: u64, peer_life: u64 },
    /// One end of a link may have heard nothing for too long.
    LinkTimeout { at: usize, peer: usize, life: u64 },
    /// A snapshot moves between two members.
    Ship(Box<Shipment>),
    /// One of the company acts, or something happens to one; in a process, if it is said in which.
    Acts { errand: u64, at: Option<usize> },
}

impl subject::Happening for Happening {
    fn process(&self) -> Option<usize> {
        match self {
            Happening::Deliver { to, .. } => Some(*to),
            Happening::Dial { at, .. } | Happening::Hangup { at, .. } | Happening::LinkTimeout { at, .. } => Some(*at),
            Happening::Ship(shipment) => Some(shipment.waits_for()),
            Happening::Acts { at, .. } => *at,
        }
    }

    fn outlives_process(&self) -> bool {
        matches!(self, Happening::Ship(_))
    }
}

impl Net {
    pub(super) fn new(members: usize) -> Net {
        let end = End { last: [Instant::ZERO; 2], view: View::Unknown, losses: 0 };
        Net { members, ends: vec![end; members * members] }
    }

    /// The end at `to` of the link to `from`.
    pub(super) fn end(&self, from: usize, to: usize) -> &End {
        &self.ends[from * self.members + to]
    }

    pub(super) fn end_mut(&mut self, from: usize, to: usize) -> &mut End {
        &mut self.ends[from * self.members + to]
    }
}

impl<S: Stack> World<Raft<S>> {
    /// A process that began knows of no links yet, and dials everybody.
    pub(crate) fn begin_links(&mut self, at: usize) {
        for peer in (0..self.members.len()).filter(|&peer| peer != at) {
            let path = self.net.end_mut(peer, at);
            path.view = View::Unknown;
            path.losses += 1;
            self.dial_in(at, peer, 1, 10);
        }
    }

    fn dial_in(&mut self, at: usize, peer: usize, low: u64, high: u64) {
        let life = self.members[at].life;
        let after = self.chance.between(Duration::from_millis(low), Duration::from_millis(high));
        self.after(after, Occasion::Link(Happening::Dial { at, peer, life }));
    }

    pub(crate) fn on_dial(&mut self, at: usize, peer: usize, life: u64) {
        let view = self.net.end(peer, at).view;
        if !self.lives(at, life) || matches!(view, View::Up(_)) {
            return;
        }
        let there = self.members[peer].process.is_some();
        match (self.network.connects(at, peer), there) {
            (true, true) => {
                let incarnation = self.members[peer].life;
                self.net.end_mut(peer, at).view = View::Up(incarnation);
                self.trace
                    .note(self.now, (at << 8 | peer << 16 | 12) as u64, || format!("m{} is linked to m{}", at + 1, peer + 1));
                self.feed(at, Event::Connected { peer: id(peer), link: Link::Peer, incarnation });
                return;
            }
            // The process is really not there.
            (true, false) if view == View::Lost => self.lose_link(at, peer, How::Refused),
            _ => {}
        }
        self.dial_in(at, peer, 100, 400);
    }

    /// The process of `member` is gone: the kernel closes its connections.
    pub(crate) fn hang_up(&mut self, member: usize) {
        let late = self.plan.is_enabled(Fault::Late) && self.chance.one_in(1, 2);
        for at in (0..self.members.len()).filter(|&at| at != member) {
            let View::Up(peer_life) = self.net.end(member, at).view else { continue };
            let slowest = if late { 3_000_000 } else { 10_000 };
            let after = self.chance.between(Duration::from_micros(100), Duration::from_micros(slowest));
            let life = self.members[at].life;
            self.after(after, Occasion::Link(Happening::Hangup { at, peer: member, life, peer_life }));
        }
    }

    pub(crate) fn on_hangup(&mut self, at: usize, peer: usize, life: u64, peer_life: u64) {
        if !self.lives(at, life) || self.net.end(peer, at).view != View::Up(peer_life) {
            return;
        }
        if !self.network.connects(at, peer) {
            // The end of the stream does not get through.
            return self.watch_link(at, peer);
        }
        // A fresh connect tells whether the process is really down.
        let how = if self.members[peer].process.is_none() { How::Refused } else { How::Lost };
        self.lose_link(at, peer, how);
        self.dial_in(at, peer, 1, 50);
    }

    /// Nothing comes over a link any more: after a while its end notices.
    pub(super) fn watch_link(&mut self, at: usize, peer: usize) {
        let life = self.members[at].life;
        let after = self.chance.between(Duration::from_millis(800), Duration::from_secs(5));
        self.after(after, Occasion::Link(Happening::LinkTimeout { at, peer, life }));
    }

    pub(crate) fn on_link_timeout(&mut self, at: usize, peer: usize, life: u64) {
        let View::Up(peer_life) = self.net.end(peer, at).view else { return };
        let stands = self.network.connects(at, peer) && self.lives(peer, peer_life);
        if self.lives(at, life) && !stands {
            self.lose_link(at, peer, How::Lost);
            self.dial_in(at, peer, 10, 300);
        }
    }

    /// One end of a link is told that it is gone.
    fn lose_link(&mut self, at: usize, peer: usize, how: How) {
        let path = self.net.end_mut(peer, at);
        path.losses += 1;
        path.view = if how == How::Refused { View::Refused } else { View::Lost };
        self.trace
            .note(self.now, (at << 8 | peer << 16 | 13) as u64, || format!("m{}: the link to m{} is {how:?}", at + 1, peer + 1));
        self.feed(at, Event::Disconnected { peer: id(peer), link: Link::Peer, how });
    }

    /// A connection is reset: what was on its way is lost, in both directions.
    pub(crate) fn reset_link(&mut self, one: usize, other: usize) {
        for (at, peer) in [(one, other), (other, one)] {
            let up = matches!(self.net.end(peer, at).view, View::Up(_));
            if up && self.members[at].process.is_some() && !self.members[at].paused {
                self.lose_link(at, peer, How::Lost);
                self.dial_in(at, peer, 1, 100);
            }
        }
    }
}
