//! Links between processes: how each end learns that they stand or are gone.

use crate::fault::Fault;
use crate::network::View;
use crate::topology::Cuts;
use crate::world::{Occasion, World, id};
use consensus::{How, Link};
use replica::Event;
use std::time::Duration;

impl World {
    /// A process that began knows of no links yet, and dials everybody.
    pub(crate) fn begin_links(&mut self, at: usize) {
        for peer in (0..self.members.len()).filter(|&peer| peer != at) {
            let path = self.network.path_mut(peer, at);
            path.view = View::Unknown;
            path.losses += 1;
            self.dial_in(at, peer, 1, 10);
        }
    }

    fn dial_in(&mut self, at: usize, peer: usize, low: u64, high: u64) {
        let life = self.members[at].life;
        let after = self.chance.between(Duration::from_millis(low), Duration::from_millis(high));
        self.after(after, Occasion::Dial { at, peer, life });
    }

    pub(crate) fn on_dial(&mut self, at: usize, peer: usize, life: u64) {
        let view = self.network.path(peer, at).view;
        if !self.lives(at, life) || matches!(view, View::Up(_)) {
            return;
        }
        let there = self.members[peer].process.is_some();
        match (self.network.connects(at, peer), there) {
            (true, true) => {
                let incarnation = self.members[peer].life;
                self.network.path_mut(peer, at).view = View::Up(incarnation);
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
            let View::Up(peer_life) = self.network.path(member, at).view else { continue };
            let slowest = if late { 3_000_000 } else { 10_000 };
            let after = self.chance.between(Duration::from_micros(100), Duration::from_micros(slowest));
            let life = self.members[at].life;
            self.after(after, Occasion::Hangup { at, peer: member, life, peer_life });
        }
    }

    pub(crate) fn on_hangup(&mut self, at: usize, peer: usize, life: u64, peer_life: u64) {
        if !self.lives(at, life) || self.network.path(peer, at).view != View::Up(peer_life) {
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
    fn watch_link(&mut self, at: usize, peer: usize) {
        let life = self.members[at].life;
        let after = self.chance.between(Duration::from_millis(800), Duration::from_secs(5));
        self.after(after, Occasion::LinkTimeout { at, peer, life });
    }

    pub(crate) fn on_link_timeout(&mut self, at: usize, peer: usize, life: u64) {
        let View::Up(peer_life) = self.network.path(peer, at).view else { return };
        let stands = self.network.connects(at, peer) && self.lives(peer, peer_life);
        if self.lives(at, life) && !stands {
            self.lose_link(at, peer, How::Lost);
            self.dial_in(at, peer, 10, 300);
        }
    }

    /// One end of a link is told that it is gone.
    fn lose_link(&mut self, at: usize, peer: usize, how: How) {
        let path = self.network.path_mut(peer, at);
        path.losses += 1;
        path.view = if how == How::Refused { View::Refused } else { View::Lost };
        self.trace
            .note(self.now, (at << 8 | peer << 16 | 13) as u64, || format!("m{}: the link to m{} is {how:?}", at + 1, peer + 1));
        self.feed(at, Event::Disconnected { peer: id(peer), link: Link::Peer, how });
    }

    /// Nothing passes these paths any more.
    pub(crate) fn cut(&mut self, cuts: &Cuts) {
        for &(from, to) in cuts {
            self.network.cut(from, to);
            self.watch_link(from, to);
            self.watch_link(to, from);
        }
    }

    /// A connection is reset: what was on its way is lost, in both directions.
    pub(crate) fn reset_link(&mut self, one: usize, other: usize) {
        for (at, peer) in [(one, other), (other, one)] {
            let up = matches!(self.network.path(peer, at).view, View::Up(_));
            if up && self.members[at].process.is_some() && !self.members[at].paused {
                self.lose_link(at, peer, How::Lost);
                self.dial_in(at, peer, 1, 100);
            }
        }
    }
}
