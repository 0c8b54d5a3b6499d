//! Links: FIFO, and lost as a whole.

use super::{Item, World};
use consensus::{How, Input, Link, NodeId};
use std::collections::VecDeque;
use zab::{Message, Packet};

impl World {
    /// A connection ends; `left` is the side that hears of it.
    pub fn close(&mut self, learner: NodeId, leader: NodeId, left: NodeId) {
        let Some(mut conn) = self.conns.remove(&(learner, leader)) else { return };
        let queue = if left == leader { &mut conn.to_leader } else { &mut conn.to_learner };
        // What was on the way may arrive, or not.
        let kept = self.chance.below(queue.len() as u64 + 1) as usize;
        let items: Vec<Item> = queue.drain(..kept).collect();
        if left == leader && !conn.known && items.is_empty() {
            return;
        }
        let peer = if left == leader { learner } else { leader };
        if left == leader && !conn.known {
            self.step(left, Input::Connected { peer, link: Link::Quorum, incarnation: 0 });
        }
        for item in items {
            self.deliver_item(peer, left, item);
        }
        let how = if self.nodes.contains_key(&peer) { How::Lost } else { How::Refused };
        self.step(left, Input::Disconnected { peer, link: Link::Quorum, how });
    }

    /// The connection over which `from` speaks to `to`.
    pub fn conn_of(&self, from: NodeId, to: NodeId) -> Option<(NodeId, NodeId)> {
        [(from, to), (to, from)].into_iter().find(|pair| self.conns.contains_key(pair))
    }

    pub fn put(&mut self, from: NodeId, to: NodeId, item: Item) {
        let Some(pair) = self.conn_of(from, to) else { return };
        let conn = self.conns.get_mut(&pair).expect("found a moment ago");
        if pair.0 == from { conn.to_leader.push_back(item) } else { conn.to_learner.push_back(item) }
    }

    /// `node` closes a connection: the other side reads what is on the way, and then its end.
    pub fn drop_conn(&mut self, learner: NodeId, leader: NodeId) {
        if let Some(conn) = self.conns.remove(&(learner, leader)) {
            // Kept under a name that nobody speaks over, until its end has been read.
            for (side, known) in [(leader, conn.known), (learner, true)] {
                let peer = if side == leader { learner } else { leader };
                if known && let Some(node) = self.nodes.get_mut(&side) {
                    node.owed.push_back(Input::Disconnected { peer, link: Link::Quorum, how: How::Lost });
                }
            }
        }
    }

    /// A link breaks on both sides.
    pub fn break_links(&mut self, a: NodeId, b: NodeId) {
        self.drop_conn(a, b);
        self.drop_conn(b, a);
    }

    pub fn deliver_item(&mut self, from: NodeId, to: NodeId, item: Item) {
        match item {
            Item::Packet(packet) => self.step(to, Input::Receive { from, message: Message::Packet(packet) }),
            Item::Snapshot(position, state) => {
                self.node(to).arrived = Some((position, state));
                let message = Message::Packet(Packet::Snapshot { position });
                self.step(to, Input::SnapshotArrived { from, message });
            }
            Item::Close => {}
        }
    }

    /// Delivers one packet over one link.
    pub fn deliver(&mut self, learner: NodeId, leader: NodeId, to_leader: bool) -> bool {
        // Nothing overtakes what a side is owed about this link.
        let (from, to) = if to_leader { (learner, leader) } else { (leader, learner) };
        let about = |input: &Input<Message>| match input {
            Input::Connected { peer, link: Link::Quorum, .. } | Input::Disconnected { peer, link: Link::Quorum, .. } => {
                *peer == from
            }
            _ => false,
        };
        if !self.nodes.contains_key(&to) || self.nodes[&to].owed.iter().any(about) {
            return false;
        }
        let Some(conn) = self.conns.get_mut(&(learner, leader)) else { return false };
        let queue = if to_leader { &mut conn.to_leader } else { &mut conn.to_learner };
        let Some(item) = queue.pop_front() else { return false };
        if to_leader && !conn.known {
            conn.known = true;
            self.step(to, Input::Connected { peer: from, link: Link::Quorum, incarnation: 0 });
        }
        self.deliver_item(from, to, item);
        true
    }

    pub fn deliver_election(&mut self, from: NodeId, to: NodeId) -> bool {
        let Some(message) = self.elections.get_mut(&(from, to)).and_then(VecDeque::pop_front) else { return false };
        self.step(to, Input::Receive { from, message });
        true
    }
}
