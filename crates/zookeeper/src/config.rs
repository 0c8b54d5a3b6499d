//! The text that says who is a member and how votes are counted: the lines of the dynamic configuration, what notifications and
//! NEWLEADER carry, and the data of `/zookeeper/config` (Java: `QuorumMaj.toString`, `QuorumHierarchical.toString`).
//!
//! ```text
//! server.1=10.0.0.1:2888:3888:participant;0.0.0.0:2181
//! server.2=10.0.0.2:2888:3888:participant;0.0.0.0:2181
//! server.3=10.0.0.3:2888:3888:observer
//! group.1=1:2
//! weight.1=1
//! version=100000003
//! ```
//!
//! The order of the lines means nothing, so two texts are compared by what they say.

mod address;
mod server;
mod text;

pub use address::HostPort;
pub use server::{Address, Server};

use consensus::{Configuration, Hierarchy, NodeId};
use std::collections::BTreeMap;
use std::fmt;

/// Who is a member, and how votes are counted.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Ensemble {
    /// The servers, by `myid`.
    pub servers: BTreeMap<NodeId, Server>,
    /// Groups of servers, by number, for hierarchical quorums. Empty: majorities of all.
    pub groups: BTreeMap<u64, Vec<NodeId>>,
    /// Weights that were given to servers. Whoever has none given weighs 1.
    pub weights: BTreeMap<NodeId, u64>,
    /// The zxid of the transaction that made it so; 0: it was so from the beginning.
    pub version: u64,
}

/// A line that does not say what it should.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadLine {
    /// Its number, from 1.
    pub line: usize,
    /// What is wrong with it, as a sentence without its end.
    pub why: String,
}

impl Ensemble {
    /// Who votes, how votes are weighed, and who only listens.
    pub fn configuration(&self) -> Configuration {
        let mut configuration = Configuration::default();
        for (&id, server) in &self.servers {
            let side = if server.observer { &mut configuration.learners } else { &mut configuration.voters };
            side.insert(id);
        }
        configuration.hierarchy = self.is_hierarchical().then(|| Hierarchy {
            groups: self.groups.iter().flat_map(|(&group, members)| members.iter().map(move |&id| (id, group))).collect(),
            weights: self.weights.clone(),
        });
        configuration
    }

    /// Whether votes are counted by groups and weights, and not by majority.
    pub fn is_hierarchical(&self) -> bool {
        !self.groups.is_empty() || !self.weights.is_empty()
    }
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

impl std::error::Error for BadLine {}
