//! Raft.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod config;
mod decision;
mod history;
mod message;
mod mutant;
mod progress;

pub use config::{Config, Recovered};
pub use decision::{Ballot, Decision, Downfall, Refusal, Unfit, Why};
pub use message::{Body, Message};
#[cfg(feature = "mutants")]
pub use mutant::Mutant;
pub use progress::{Pace, Progress};

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use consensus::{Configuration, Consensus, Input, Instant, NodeId, Output, Position, Role};
use history::History;

/// One member's part in Raft.
#[derive(Clone, Debug)]
pub struct Raft {
    config: Config,
    now: Instant,
    term: u64,
    vote: Option<NodeId>,
    role: Role,
    history: History,
    committed: u64,
    applied: u64,
    synced: u64,
    configuration: Configuration,
    progress: BTreeMap<NodeId, Progress>,
}

impl Raft {
    /// A member that starts at `now` with what it found on its disk. `seed` spreads its election timeouts; it should differ
    /// between members and between starts.
    pub fn new(config: Config, recovered: Recovered, _seed: u64, now: Instant) -> Raft {
        let history = History::new(recovered.base, recovered.terms, recovered.last);
        let committed = recovered.promise.committed.max(recovered.applied.index).min(recovered.last);
        Raft {
            config,
            now,
            term: recovered.promise.epoch,
            vote: recovered.promise.vote,
            role: Role::Follower { leader: None },
            history,
            committed,
            applied: recovered.applied.index,
            synced: recovered.last,
            configuration: recovered.configuration,
            progress: BTreeMap::new(),
        }
    }

    /// This member.
    pub fn id(&self) -> NodeId {
        self.config.id
    }

    /// How this member is set up.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What this member is now.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The term that it takes part in.
    pub fn term(&self) -> u64 {
        self.term
    }

    /// For whom it voted in this term.
    pub fn vote(&self) -> Option<NodeId> {
        self.vote
    }

    /// Who leads, as far as it knows.
    pub fn leader(&self) -> Option<NodeId> {
        self.role().leader(self.id())
    }

    /// What its log begins after.
    pub fn base(&self) -> Position {
        self.history.base()
    }

    /// The end of its log.
    pub fn last(&self) -> Position {
        self.history.last()
    }

    /// The term of the entry at `index`; `None` before the base and after the end.
    pub fn term_at(&self, index: u64) -> Option<u64> {
        self.history.term_at(index)
    }

    /// The last entry known to be committed (see also [`Consensus::committed`]).
    pub fn commit_index(&self) -> u64 {
        self.committed
    }

    /// The last entry that the state machine said it applied.
    pub fn applied(&self) -> u64 {
        self.applied
    }

    /// The last entry that is synced here.
    pub fn synced(&self) -> u64 {
        self.synced
    }

    /// The members.
    pub fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// What a leader knows about each of the others, in order of id. Empty on everybody else.
    pub fn progress(&self) -> impl Iterator<Item = (NodeId, &Progress)> {
        self.progress.iter().map(|(&id, progress)| (id, progress))
    }

    /// Until when a leader may answer reads by itself. `None` without lease reads.
    pub fn lease_until(&self) -> Option<Instant> {
        None
    }
}

impl Consensus for Raft {
    type Message = Message;
    type Decision = Decision;

    fn step(&mut self, now: Instant, _input: Input<Message>, _out: &mut Vec<Output<Message, Decision>>) {
        self.now = self.now.max(now);
    }

    fn deadline(&self) -> Instant {
        Instant::NEVER
    }

    fn next(&self) -> Option<Position> {
        None
    }

    fn committed(&self) -> Position {
        self.history.position(self.committed).unwrap_or(self.history.base())
    }
}
