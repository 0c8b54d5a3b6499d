//! What others may look at: status requests, scripts, and the simulator's invariants.

use crate::role::Is;
use crate::{Config, State, Vote, Zab};
use consensus::{Configuration, NodeId, Position, Role};

/// What a leader knows of one of its learners, for status pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LearnerStatus {
    /// It is an observer.
    pub observer: bool,
    /// It has acknowledged NEWLEADER, and so has the leader's history.
    pub synced: bool,
    /// The last position that it has acknowledged (observers: that it is known to have received).
    pub acked: Position,
    /// Its SYNCs that wait for a commit.
    pub pending_syncs: usize,
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

    /// Whether its data can be trusted: an empty database may have lost what it acknowledged, until a leader has filled it.
    pub fn is_trusted(&self) -> bool {
        self.trusted
    }

    /// The epoch that it has accepted.
    pub fn accepted_epoch(&self) -> u64 {
        self.accepted
    }

    /// The epoch whose leader shaped its history.
    pub fn current_epoch(&self) -> u64 {
        self.current
    }

    /// The end of its history, synced or not.
    pub fn last(&self) -> Position {
        self.history.last()
    }

    /// What its log is synced up to.
    pub fn synced(&self) -> Position {
        self.disk.synced()
    }

    /// What its state machine holds.
    pub fn applied(&self) -> Position {
        self.applied
    }

    /// The epoch that this server leads and that a quorum has acknowledged; `None` on everybody else.
    pub fn established(&self) -> Option<u64> {
        match &self.is {
            Is::Leading(leading) if leading.is_established() => leading.epoch,
            _ => None,
        }
    }

    /// What a leader knows of its learners, in order of id. Empty on everybody else.
    pub fn learners(&self) -> impl Iterator<Item = (NodeId, LearnerStatus)> + '_ {
        self.learners_seen()
    }

    /// How many proposals are not committed yet. 0 unless this server leads.
    pub fn outstanding(&self) -> usize {
        match &self.is {
            Is::Leading(leading) if leading.is_established() => self.history.between(self.committed, self.history.last()).count(),
            _ => 0,
        }
    }
}
