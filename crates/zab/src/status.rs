//! What others may look at: status requests, scripts, and the simulator's invariants.

use crate::{Config, State, Vote, Zab};
use consensus::{Configuration, NodeId, Position, Role};

/// What a leader knows of one of its learners, for status pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Learner {
    /// It is an observer.
    pub observer: bool,
    /// It has acknowledged NEWLEADER, and so has the leader's history.
    pub synced: bool,
    /// The last position that it has acknowledged (observers: that it is known to have received).
    pub acked: Position,
}

impl Zab {
    /// This server.
    pub fn id(&self) -> NodeId {
        self.config.id
    }

    /// How this server is set up.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// All servers.
    pub fn configuration(&self) -> &Configuration {
        &self.config.configuration
    }

    /// What this server is now.
    pub fn role(&self) -> Role {
        self.public_role()
    }

    /// The same in ZooKeeper's words, as notifications say it.
    pub fn state(&self) -> State {
        self.public_state()
    }

    /// Who leads, as far as it knows.
    pub fn leader(&self) -> Option<NodeId> {
        self.role().leader(self.id())
    }

    /// The logical clock of the election.
    pub fn round(&self) -> i64 {
        self.round
    }

    /// For whom this server votes, or voted in the last election. Its epoch follows the leader's.
    pub fn vote(&self) -> Vote {
        self.vote
    }

    /// The epoch that it has accepted.
    pub fn accepted_epoch(&self) -> u64 {
        self.accepted
    }

    /// The epoch whose leader shaped its history.
    pub fn current_epoch(&self) -> u64 {
        self.current
    }
}
