//! Messages on their way: lost, late, doubled, or in good order.

use crate::fault::Fault;
use crate::network::Fate;
use crate::on_raft::links::{Happening, Stream};
use crate::on_raft::words::say;
use crate::on_raft::{Raft, Stack};
use crate::world::{Occasion, Phase, World, id};
use raft::{Body, Message};
use replica::Event;
use std::time::Duration;

impl<S: Stack> World<Raft<S>> {
    pub(super) fn send_message(&mut self, from: usize, to: usize, message: Message) {
        let from_life = self.members[from].life;
        let losses = self.net.end(from, to).losses;
        let stream = if matches!(message.body, Body::Append { .. }) { Stream::Appends } else { Stream::Others };
        match self.network.send(self.now, from, to, &mut self.net.end_mut(from, to).last[stream as usize]) {
            Fate::Cut => {}
            Fate::Dropped => self.fault(Fault::Drop, || format!("m{} to m{}: {}", from + 1, to + 1, say(&message))),
            Fate::Arrives { at, again, reordered, delayed } => {
                self.trace.note(self.now, (from << 8 | to << 16 | 1 << 24) as u64 ^ message.term << 32, || {
                    format!("m{} to m{}: {}", from + 1, to + 1, say(&message))
                });
                let at = at + self.held_back(&message);
                if reordered {
                    self.faults.count(Fault::Reorder);
                }
                if delayed {
                    self.faults.count(Fault::Delay);
                }
                // What is forwarded beside the log travels at most once: its stream does not double, and nobody could tell.
                if let Some(again) = again.filter(|_| !matches!(message.body, Body::Propose { .. })) {
                    self.faults.count(Fault::Duplicate);
                    let message = message.clone();
                    self.agenda.put(again, Occasion::Link(Happening::Deliver { from, to, from_life, losses, message }));
                }
                self.agenda.put(at, Occasion::Link(Happening::Deliver { from, to, from_life, losses, message }));
            }
        }
    }

    /// What is forwarded to a leader is now and then so late that leadership has moved on, and perhaps come back.
    fn held_back(&mut self, message: &Message) -> Duration {
        let forwarded = matches!(message.body, Body::Propose { .. });
        let may = forwarded && self.phase == Phase::Chaos && self.plan.is_enabled(Fault::Delay);
        if !may || !self.chance.one_in(1, 20) {
            return Duration::ZERO;
        }
        self.faults.count(Fault::Delay);
        self.chance.between(Duration::ZERO, Duration::from_secs(3))
    }

    pub(crate) fn on_deliver(&mut self, from: usize, to: usize, from_life: u64, losses: u64, message: Message) {
        let losses_now = self.net.end(from, to).losses;
        // What was sent over a link that was reported lost since does not arrive, and nothing passes a cut.
        if self.members[to].process.is_none() || losses_now != losses || !self.network.passes(from, to) {
            return;
        }
        if self.members[from].life != from_life {
            self.faults.count(Fault::Late);
        }
        self.trace.note(self.now, (from << 8 | to << 16 | 2 << 24) as u64 ^ message.term << 32, || {
            format!("m{} hears m{}: {}", to + 1, from + 1, say(&message))
        });
        self.feed(to, Event::Receive { from: id(from), message });
    }
}
