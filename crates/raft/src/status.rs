//! What others may look at: scripts, status requests, and the simulator's invariants.

use crate::{Config, Progress, Raft};
use consensus::{Configuration, NodeId, Position, Role};

impl Raft {
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
        self.role.public()
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

    /// The end of its log, synced or not.
    pub fn last(&self) -> Position {
        self.history.last()
    }

    /// The term of the entry at `index`; `None` before the base and after the end.
    pub fn term_at(&self, index: u64) -> Option<u64> {
        self.history.term_at(index)
    }

    /// The last entry known to be committed; see also [`consensus::Consensus::committed`].
    pub fn commit_index(&self) -> u64 {
        self.committed
    }

    /// The last entry that the state machine said it applied.
    pub fn applied(&self) -> u64 {
        self.applied
    }

    /// The members.
    pub fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// What a leader knows about each of the others, in order of id. Empty on everybody else.
    pub fn progress(&self) -> impl Iterator<Item = (NodeId, &Progress)> {
        self.role.leading().into_iter().flat_map(|leading| &leading.progress).map(|(&id, progress)| (id, progress))
    }
}
