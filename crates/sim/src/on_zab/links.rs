//! How connections begin, carry and end.

use crate::fault::Fault;
use crate::on_zab::wires::{Happening, Parcel, State};
use crate::on_zab::words::say;
use crate::on_zab::{Stack, Zab};
use crate::world::{Occasion, Phase, World, id};
use consensus::{How, Instant, Link};
use replica::Event;
use std::time::Duration;
use zab::Message;

/// A connection request is repeated so often, a second apart, before it fails.
const ATTEMPTS_MAX: u32 = 3;

impl<S: Stack> World<Zab<S>> {
    // ---- beginning ----

    /// A notification leaves by the election's connection, which is opened on demand. A packet leaves by the quorum's, or nowhere.
    pub(super) fn post(&mut self, from: usize, to: usize, message: Message) {
        let slot = self.net.slot(from, to, message.link());
        self.trace.note(self.now, (from << 8 | to << 16 | 1 << 24) as u64, || {
            format!("m{} to m{}: {}{}", from + 1, to + 1, say(&message), if slot.is_none() { " (no link)" } else { "" })
        });
        match (message.link(), slot) {
            (Link::Election, Some((conn, end))) => {
                self.net.outbox(from, to).last = Some(message.clone());
                self.transmit(conn, end, Parcel::Message(message), Duration::ZERO);
            }
            (Link::Election, None) => {
                let outbox = self.net.outbox(from, to);
                outbox.waiting = Some(message);
                if !std::mem::replace(&mut outbox.dialing, true) {
                    self.dial(from, to, Link::Election);
                }
            }
            (_, Some((conn, end))) => self.transmit(conn, end, Parcel::Message(message), Duration::ZERO),
            (_, None) => {}
        }
    }

    pub(super) fn dial(&mut self, at: usize, peer: usize, link: Link) {
        let (life, number) = (self.members[at].life, self.net.dial_number(at, peer));
        let after = self.network.delay(at, peer) + self.network.delay(peer, at);
        self.after(after, Occasion::Link(Happening::Dialed { at, peer, link, life, attempt: 0, number }));
    }

    pub(super) fn on_dialed(&mut self, at: usize, peer: usize, link: Link, life: u64, attempt: u32, number: u64) {
        let given_up = link == Link::Quorum && !(self.net.is_dialing(at, peer) && self.net.dial_number(at, peer) == number);
        if !self.lives(at, life) || given_up {
            return;
        }
        if !self.network.connects(at, peer) {
            if attempt < ATTEMPTS_MAX {
                let again = Happening::Dialed { at, peer, link, life, attempt: attempt + 1, number };
                return self.after(Duration::from_secs(1), Occasion::Link(again));
            }
            return self.dial_failed(at, peer, link, How::Lost);
        }
        if self.members[peer].process.is_none() {
            return self.dial_failed(at, peer, link, How::Refused);
        }
        match link {
            Link::Election if at < peer => {
                self.net.outbox(at, peer).dialing = false;
                let after = self.network.delay(at, peer);
                let life = self.members[peer].life;
                self.after(after, Occasion::Link(Happening::Knock { at: peer, peer: at, life }));
            }
            Link::Election if self.net.slot(at, peer, link).is_some() => self.net.outbox(at, peer).dialing = false,
            _ => self.connected(at, peer, link),
        }
    }

    fn dial_failed(&mut self, at: usize, peer: usize, link: Link, how: How) {
        if link == Link::Quorum {
            self.net.end_dial(at, peer);
        } else {
            self.net.outbox(at, peer).dialing = false;
            // While this server tried, the other one may have succeeded.
            if self.net.slot(at, peer, link).is_some() {
                return;
            }
        }
        self.trace.note(self.now, (at << 8 | peer << 16 | 13) as u64, || {
            format!("m{} cannot reach m{}'s {link:?} port: {how:?}", at + 1, peer + 1)
        });
        self.feed(at, Event::Disconnected { peer: id(peer), link, how });
    }

    /// Of two servers the one with the larger number opens the election's connection. The other only knocks; then any connection that
    /// this one still believes in is gone.
    pub(super) fn on_knock(&mut self, at: usize, peer: usize, life: u64) {
        if !self.lives(at, life) {
            return;
        }
        if let Some((conn, end)) = self.net.slot(at, peer, Link::Election) {
            self.close(conn, end);
            self.feed(at, Event::Disconnected { peer: id(peer), link: Link::Election, how: How::Lost });
        }
        let missing = self.lives(at, life) && self.net.slot(at, peer, Link::Election).is_none();
        if missing && !std::mem::replace(&mut self.net.outbox(at, peer).dialing, true) {
            self.dial(at, peer, Link::Election);
        }
    }

    fn connected(&mut self, at: usize, peer: usize, link: Link) {
        if link == Link::Quorum {
            self.net.end_dial(at, peer);
        }
        let conn = self.net.open(link, (at, self.members[at].life), (peer, self.members[peer].life));
        self.drop_silently(at, peer, link);
        self.net.set_slot(at, peer, link, Some(conn));
        self.trace.note(self.now, (at << 8 | peer << 16 | 12) as u64, || {
            format!("m{} is connected to m{} ({link:?})", at + 1, peer + 1)
        });
        if link == Link::Election {
            self.transmit(conn, 0, Parcel::Hello, Duration::ZERO);
            self.flush(at, peer, conn, 0);
        }
        self.feed(at, Event::Connected { peer: id(peer), link, incarnation: 0 });
    }

    /// What waited for an election connection leaves; if nothing did, the last that left does so once more.
    fn flush(&mut self, at: usize, peer: usize, conn: usize, end: usize) {
        let outbox = self.net.outbox(at, peer);
        outbox.dialing = false;
        if let Some(waiting) = outbox.waiting.take() {
            outbox.last = Some(waiting);
        }
        if let Some(last) = outbox.last.clone() {
            self.transmit(conn, end, Parcel::Message(last), Duration::ZERO);
        }
    }

    /// The other end has opened a connection: it takes the place of an earlier one.
    fn accept(&mut self, conn: usize, end: usize) {
        let (at, peer) = (self.net.end(conn, end).member, self.net.end(conn, 1 - end).member);
        let link = self.net.conn(conn).link;
        if link == Link::Quorum && self.follows(at, peer) {
            // Neither can be the other's leader. This one's mind is made up.
            return self.close(conn, end);
        }
        let replaced = self.net.slot(at, peer, link).is_some();
        self.drop_silently(at, peer, link);
        self.net.end_mut(conn, end).state = State::Up;
        self.net.set_slot(at, peer, link, Some(conn));
        self.trace
            .note(self.now, (at << 8 | peer << 16 | 21) as u64, || format!("m{} takes m{}'s call ({link:?})", at + 1, peer + 1));
        if link == Link::Election {
            self.flush(at, peer, conn, end);
        }
        let life = self.members[at].life;
        if replaced {
            self.feed(at, Event::Disconnected { peer: id(peer), link, how: How::Lost });
        }
        if self.lives(at, life) {
            self.feed(at, Event::Connected { peer: id(peer), link, incarnation: 0 });
        }
    }

    /// A learner has opened, or is opening, a connection to its leader.
    fn follows(&self, at: usize, peer: usize) -> bool {
        let outgoing = self.net.slot(at, peer, Link::Quorum).is_some_and(|(_, end)| end == 0);
        outgoing || self.net.is_dialing(at, peer)
    }

    /// A process wants a connection to its leader.
    pub(super) fn connect_to_leader(&mut self, at: usize, peer: usize) {
        self.drop_silently(at, peer, Link::Quorum);
        self.net.begin_dial(at, peer);
        self.dial(at, peer, Link::Quorum);
    }

    /// A process is done with a connection, or with opening one.
    pub(super) fn disconnect_from(&mut self, at: usize, peer: usize) {
        self.net.end_dial(at, peer);
        let Some((conn, end)) = self.net.slot(at, peer, Link::Quorum) else { return };
        self.close(conn, end);
        let life = self.members[at].life;
        self.after(Duration::ZERO, Occasion::Link(Happening::Closed { at, peer, life }));
    }

    pub(super) fn on_closed(&mut self, at: usize, peer: usize, life: u64) {
        if self.lives(at, life) {
            self.feed(at, Event::Disconnected { peer: id(peer), link: Link::Quorum, how: How::Lost });
        }
    }

    // ---- carrying ----

    /// Something leaves by one end of a connection.
    pub(super) fn transmit(&mut self, conn: usize, end: usize, parcel: Parcel, extra: Duration) {
        let (from, to) = (self.net.end(conn, end).member, self.net.end(conn, 1 - end).member);
        if self.net.end(conn, 1 - end).state == State::Gone {
            // The other end's kernel knows nothing of this connection.
            let after = self.network.delay(from, to) * 2;
            return self.after(after, Occasion::Link(Happening::Hangup { conn, end, member: from, lost: false }));
        }
        let delay = self.network.delay(from, to);
        let tail = self.network.tail(from, to);
        if tail > Duration::ZERO {
            self.faults.count(Fault::Delay);
        }
        let arrives = self.now + delay + tail + extra;
        let it = self.net.end_mut(conn, 1 - end);
        it.last = it.last.max(arrives);
        let arrives = it.last;
        it.inbox.push_back((arrives, parcel));
        if !it.pumping && !it.settling {
            it.pumping = true;
            self.agenda.put(arrives, Occasion::Link(Happening::Pump { conn, end: 1 - end, member: to }));
        }
    }

    /// What has arrived at an end is given to its process, in order.
    pub(super) fn pump(&mut self, conn: usize, end: usize, member: usize) {
        self.net.end_mut(conn, end).pumping = false;
        let peer = self.net.end(conn, 1 - end).member;
        loop {
            let it = self.net.end(conn, end);
            let (life, state, settling) = (it.life, it.state, it.settling);
            if !self.lives(member, life) || state == State::Gone || settling {
                return;
            }
            let Some(&(arrives, _)) = it.inbox.front() else { return };
            let passes = self.network.passes(peer, member);
            if arrives > self.now || !passes {
                // Over a cut path TCP repeats what it sent until it gets through, or somebody gives up.
                let again = if passes { arrives } else { self.now + self.chance.between(RETRY.0, RETRY.1) };
                self.net.end_mut(conn, end).pumping = true;
                return self.agenda.put(again, Occasion::Link(Happening::Pump { conn, end, member }));
            }
            if self.members[peer].life != self.net.end(conn, 1 - end).life {
                self.faults.count(Fault::Late);
            }
            let (_, parcel) = self.net.end_mut(conn, end).inbox.pop_front().expect("looked at a moment ago");
            self.deliver(conn, end, member, peer, parcel);
        }
    }

    fn deliver(&mut self, conn: usize, end: usize, member: usize, peer: usize, parcel: Parcel) {
        let life = self.members[member].life;
        if self.net.end(conn, end).state == State::Fresh {
            self.accept(conn, end);
            if !self.lives(member, life) || self.net.end(conn, end).state != State::Up {
                return;
            }
        }
        match parcel {
            Parcel::Hello => {}
            Parcel::Message(message) => {
                self.trace.note(self.now, (peer << 8 | member << 16 | 2 << 24) as u64, || {
                    format!("m{} hears m{}: {}", member + 1, peer + 1, say(&message))
                });
                self.feed(member, Event::Receive { from: id(peer), message });
            }
            Parcel::Snapshot { message, position, bytes } => self.take_snapshot(conn, end, member, message, position, &bytes),
        }
    }

    // ---- ending ----

    /// This end leaves a connection without a word to its process; the other end hears of it.
    fn drop_silently(&mut self, at: usize, peer: usize, link: Link) {
        if let Some((conn, end)) = self.net.slot(at, peer, link) {
            self.close(conn, end);
        }
    }

    /// A process closes a connection.
    pub(super) fn close(&mut self, conn: usize, end: usize) {
        self.net.leave(conn, end);
        let clean = self.chance.one_in(1, 2);
        let (from, to) = (self.net.end(conn, end).member, self.net.end(conn, 1 - end).member);
        let delay = self.network.delay(from, to);
        let now = self.now;
        let other = self.net.end_mut(conn, 1 - end);
        if other.state == State::Gone {
            return;
        }
        if !clean {
            // It had not read everything: the kernel resets the connection, and what is on its way is lost.
            other.inbox.clear();
        }
        let at = other.last.max(now + delay);
        let at = if clean { at } else { now + delay };
        self.agenda.put(at, Occasion::Link(Happening::Hangup { conn, end: 1 - end, member: to, lost: false }));
    }

    pub(super) fn hang_up_all(&mut self, member: usize) {
        let late = self.plan.is_enabled(Fault::Late) && self.chance.one_in(1, 2);
        // A machine that loses its power says nothing.
        let silent = self.phase == Phase::Chaos && self.chance.one_in(1, 6);
        for (conn, end) in self.net.of(member) {
            self.net.leave(conn, end);
            let slowest = if late { 3_000_000 } else { 10_000 };
            let after = self.chance.between(Duration::from_micros(100), Duration::from_micros(slowest));
            let other = self.net.end(conn, 1 - end);
            let (peer, last) = (other.member, other.last);
            if silent {
                self.give_up_later(conn, 1 - end, peer);
            } else {
                let at = last.max(self.now + after);
                self.agenda.put(at, Occasion::Link(Happening::Hangup { conn, end: 1 - end, member: peer, lost: false }));
            }
        }
        self.net.forget(member);
    }

    pub(super) fn on_hangup(&mut self, conn: usize, end: usize, member: usize, lost: bool) {
        let it = self.net.end(conn, end);
        if it.state == State::Gone || !self.lives(member, it.life) {
            return;
        }
        let peer = self.net.end(conn, 1 - end).member;
        if !lost && (!it.inbox.is_empty() || it.settling) {
            // What was sent before the end comes before it.
            return self.after(Duration::from_millis(20), Occasion::Link(Happening::Hangup { conn, end, member, lost }));
        }
        let reachable = self.network.connects(member, peer);
        if !lost && !reachable {
            // The end of the stream does not get through.
            return self.give_up_later(conn, end, member);
        }
        // A connection that stood is never more than lost: only a fresh attempt can tell that nobody listens.
        self.lose(conn, end, How::Lost);
    }

    /// One end of a connection is told that it is gone.
    fn lose(&mut self, conn: usize, end: usize, how: How) {
        let it = self.net.end(conn, end);
        let (at, state) = (it.member, it.state);
        let (peer, link) = (self.net.end(conn, 1 - end).member, self.net.conn(conn).link);
        self.net.leave(conn, end);
        if state != State::Up {
            return;
        }
        self.trace.note(self.now, (at << 8 | peer << 16 | 13) as u64, || {
            format!("m{}: the {link:?} link to m{} is {how:?}", at + 1, peer + 1)
        });
        self.feed(at, Event::Disconnected { peer: id(peer), link, how });
    }

    fn give_up_later(&mut self, conn: usize, end: usize, member: usize) {
        let after = self.chance.between(GIVE_UP.0, GIVE_UP.1);
        self.after(after, Occasion::Link(Happening::Timeout { conn, end, member }));
    }

    pub(super) fn on_timeout(&mut self, conn: usize, end: usize, member: usize) {
        let (it, other) = (self.net.end(conn, end), self.net.end(conn, 1 - end));
        if it.state == State::Gone || !self.lives(member, it.life) {
            return;
        }
        if other.state == State::Gone || !self.network.connects(member, other.member) {
            self.lose(conn, end, How::Lost);
        }
    }

    /// Nothing passes in one direction: after a while somebody gives up.
    pub(super) fn cut_between(&mut self, one: usize, other: usize) {
        for (at, peer) in [(one, other), (other, one)] {
            for link in [Link::Election, Link::Quorum] {
                if let Some((conn, end)) = self.net.slot(at, peer, link) {
                    self.give_up_later(conn, end, at);
                }
            }
        }
    }

    /// What stands between two servers is reset: what was on its way is lost, in both directions.
    pub(super) fn reset_between(&mut self, one: usize, other: usize) {
        for (at, peer) in [(one, other), (other, one)] {
            for link in [Link::Election, Link::Quorum] {
                let Some((conn, end)) = self.net.slot(at, peer, link) else { continue };
                self.net.end_mut(conn, end).inbox.clear();
                let after = self.network.delay(peer, at);
                self.after(after, Occasion::Link(Happening::Hangup { conn, end, member: at, lost: true }));
            }
        }
    }

    /// When what arrives last at an end does so.
    pub(super) fn last_arrival(&self, conn: usize, end: usize) -> Instant {
        self.net.end(conn, end).last
    }
}

/// How long a kernel waits before it repeats what was not confirmed.
const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_millis(800));
/// How long a connection may be dead before its end gives it up.
const GIVE_UP: (Duration, Duration) = (Duration::from_secs(3), Duration::from_secs(15));
