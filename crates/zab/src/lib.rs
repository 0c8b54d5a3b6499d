//! ZooKeeper's Fast Leader Election and Zab, as a pure function of messages and time.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod config;
mod decision;
mod message;
mod mutant;
mod status;
mod vote;

pub use config::{Config, Recovered};
pub use decision::{Believed, Decision, Dismissal, Downfall, Leaving, Step, Sync};
pub use message::{Message, Notification, Packet, State};
#[cfg(feature = "mutants")]
pub use mutant::Mutant;
pub use status::Learner;
pub use vote::Vote;

use alloc::vec::Vec;
use consensus::{Chance, Consensus, Input, Instant, NodeId, Output, Position, Role};
use core::mem;

type Out = Output<Message, Decision>;

/// One server's part in the election and in Zab.
#[derive(Clone, Debug)]
pub struct Zab {
    config: Config,
    chance: Chance,
    now: Instant,
    accepted: u64,
    current: u64,
    last: Position,
    applied: Position,
    committed: Position,
    round: i64,
    vote: Vote,
    out: Vec<Out>,
}

impl Zab {
    /// A server that starts at `now` with what it found on its disk. `seed` spreads the elections of observers.
    pub fn new(config: Config, recovered: Recovered, seed: u64, now: Instant) -> Zab {
        Zab {
            config,
            chance: Chance::new(seed),
            now,
            accepted: recovered.promise.epoch,
            current: recovered.promise.current,
            last: recovered.last,
            applied: recovered.snapshot,
            committed: recovered.snapshot,
            round: 0,
            vote: Vote::NOBODY,
            out: Vec::new(),
        }
    }

    pub(crate) fn public_role(&self) -> Role {
        Role::Candidate
    }

    pub(crate) fn public_state(&self) -> State {
        State::Looking
    }

    /// The end of its history, synced or not.
    pub fn last(&self) -> Position {
        self.last
    }

    /// What its state machine holds.
    pub fn applied(&self) -> Position {
        self.applied
    }

    /// What a leader knows of its learners, in order of id. Empty on everybody else.
    pub fn learners(&self) -> impl Iterator<Item = (NodeId, Learner)> + '_ {
        core::iter::empty()
    }

    /// Panics if this server's own state contradicts itself.
    pub fn check(&self) {}
}

impl Consensus for Zab {
    type Message = Message;
    type Decision = Decision;

    fn step(&mut self, now: Instant, _input: Input<Message>, out: &mut Vec<Out>) {
        mem::swap(&mut self.out, out);
        self.now = self.now.max(now);
        let _ = self.chance.draw();
        mem::swap(&mut self.out, out);
    }

    fn deadline(&self) -> Instant {
        Instant::NEVER
    }

    fn next(&self) -> Option<Position> {
        None
    }

    fn epoch(&self) -> u64 {
        self.accepted
    }

    fn committed(&self) -> Position {
        self.committed
    }

    fn serving(&self) -> bool {
        false
    }
}
