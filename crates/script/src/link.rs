//! Links that a protocol opens and closes itself, and that are lost as a whole: ZooKeeper's between a leader and its learner.

use crate::protocol::{Outcome, Protocol};
use crate::world::World;
use consensus::{How, Input, Link, NodeId};
use std::collections::{BTreeMap, VecDeque};

/// The links that stand, by who opened them and to whom.
#[derive(Default)]
pub(crate) struct Links(BTreeMap<(NodeId, NodeId), Standing>);

struct Standing {
    link: Link,
    /// Whether the other side knows yet: it does with the first message.
    met: bool,
}

impl<P: Protocol> World<P> {
    /// Whether a message can leave over this link.
    pub(crate) fn link_stands(&self, from: NodeId, to: NodeId, link: Link) -> bool {
        let stands = |one, other| self.links.0.get(&(one, other)).is_some_and(|standing| standing.link == link);
        link == P::LINK || stands(from, to) || stands(to, from)
    }

    /// A member wants a link.
    pub(crate) fn open_link(
        &mut self,
        id: NodeId,
        peer: NodeId,
        link: Link,
        inputs: &mut VecDeque<Input<P::Message>>,
    ) -> Outcome {
        let alive = self.member(peer)?.core.is_some();
        let reaches = self.network.carries(id, peer) && self.network.carries(peer, id);
        if !(alive && reaches) {
            let how = if reaches { How::Refused } else { How::Lost };
            self.say(format!("{id} cannot connect to {peer}: {}", if reaches { "refused" } else { "no answer" }));
            inputs.push_back(Input::Disconnected { peer, link, how });
            return Ok(());
        }
        self.say(format!("{id} connects to {peer}"));
        self.links.0.insert((id, peer), Standing { link, met: false });
        let incarnation = self.member(peer)?.incarnation;
        inputs.push_back(Input::Connected { peer, link, incarnation });
        Ok(())
    }

    /// The first message over a link makes it known to who did not open it.
    pub(crate) fn meet(&mut self, id: NodeId, opener: NodeId, link: Link) -> Outcome {
        let incarnation = self.member(opener)?.incarnation;
        match self.links.0.get_mut(&(opener, id)) {
            Some(standing) if standing.link == link && !standing.met => standing.met = true,
            _ => return Ok(()),
        }
        self.step(id, Input::Connected { peer: opener, link, incarnation })
    }

    /// A member closes its link: what was under way over it is lost, and the other side hears of it.
    pub(crate) fn close_link(&mut self, id: NodeId, peer: NodeId, link: Link) -> Outcome {
        let Some(knows) = self.remove_link(id, peer)? else { return Ok(()) };
        self.say(format!("{id} closes its link to {peer}"));
        // A stopped process hears nothing; it will find out by its own clock.
        if knows && self.member(peer)?.runs() && self.network.carries(id, peer) {
            self.step(peer, Input::Disconnected { peer: id, link, how: How::Lost })?;
        }
        Ok(())
    }

    /// Forgets the link between two members because one of them is gone, and says which it was.
    pub(crate) fn forget_link(&mut self, id: NodeId, gone: NodeId) -> Option<Link> {
        let standing =
            self.links.0.remove(&(id, gone)).or_else(|| self.links.0.remove(&(gone, id)).filter(|standing| standing.met));
        standing.map(|standing| standing.link)
    }

    /// All links of a member turn out to be gone: its process is another one now.
    pub(crate) fn break_links(&mut self, id: NodeId) -> Outcome {
        for peer in self.ids() {
            self.break_link(id, peer)?;
        }
        Ok(())
    }

    /// What is sent from `from` arrives again. A link that stood there has lost something, and so is gone.
    pub(crate) fn heal(&mut self, from: NodeId, to: NodeId) -> Outcome {
        let was_cut = !self.network.carries(from, to);
        self.network.heal(from, to);
        if was_cut { self.break_link(from, to) } else { Ok(()) }
    }

    fn break_link(&mut self, one: NodeId, other: NodeId) -> Outcome {
        let Some(link) = self.standing(one, other) else { return Ok(()) };
        let opened_by_one = self.links.0.contains_key(&(one, other));
        let Some(met) = self.remove_link(one, other)? else { return Ok(()) };
        self.say(format!("the link between {one} and {other} is lost"));
        for (id, peer, opener) in [(one, other, opened_by_one), (other, one, !opened_by_one)] {
            if (met || opener) && self.member(id)?.runs() {
                self.step(id, Input::Disconnected { peer, link, how: How::Lost })?;
            }
        }
        Ok(())
    }

    fn standing(&self, one: NodeId, other: NodeId) -> Option<Link> {
        self.links.0.get(&(one, other)).or_else(|| self.links.0.get(&(other, one))).map(|standing| standing.link)
    }

    /// Takes a link away, with what is under way over it. `Some(true)`: both sides knew of it.
    fn remove_link(&mut self, one: NodeId, other: NodeId) -> Result<Option<bool>, Box<dyn std::error::Error>> {
        let standing = self.links.0.remove(&(one, other)).or_else(|| self.links.0.remove(&(other, one)));
        let Some(standing) = standing else { return Ok(None) };
        let between = |from, to| (from, to) == (one, other) || (from, to) == (other, one);
        for flight in self.network.take_all(|flight| between(flight.from, flight.to) && P::link(&flight.message) == standing.link)
        {
            self.lose(flight)?;
        }
        Ok(Some(standing.met))
    }
}
