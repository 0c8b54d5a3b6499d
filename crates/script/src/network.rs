//! Messages under way, and which links are cut.

use crate::disk::SavedSnapshot;
use consensus::NodeId;
use std::collections::{BTreeSet, VecDeque};

/// The network between the members: nothing arrives unless the script lets it.
pub(crate) struct Network<M> {
    /// What is under way, oldest first.
    flights: VecDeque<Flight<M>>,
    /// Directed links that lose everything.
    cut: BTreeSet<(NodeId, NodeId)>,
}

/// A message under way.
#[derive(Clone)]
pub(crate) struct Flight<M> {
    pub(crate) from: NodeId,
    pub(crate) to: NodeId,
    pub(crate) message: M,
    /// A snapshot's bytes, if the message announces one.
    pub(crate) snapshot: Option<SavedSnapshot>,
}

impl<M> Network<M> {
    /// A network without cuts.
    pub(crate) fn new() -> Network<M> {
        Network { flights: VecDeque::new(), cut: BTreeSet::new() }
    }

    /// Whether what `from` sends can reach `to`.
    pub(crate) fn carries(&self, from: NodeId, to: NodeId) -> bool {
        !self.cut.contains(&(from, to))
    }

    /// Puts a message under way. The caller has asked `carries`.
    pub(crate) fn send(&mut self, flight: Flight<M>) {
        self.flights.push_back(flight);
    }

    /// Takes the oldest message that `wanted` wants.
    pub(crate) fn take(&mut self, wanted: impl Fn(&Flight<M>) -> bool) -> Option<Flight<M>> {
        let at = self.flights.iter().position(wanted)?;
        self.flights.remove(at)
    }

    /// Takes every message that `wanted` wants, oldest first.
    pub(crate) fn take_all(&mut self, wanted: impl Fn(&Flight<M>) -> bool) -> Vec<Flight<M>> {
        let mut taken = Vec::new();
        while let Some(flight) = self.take(&wanted) {
            taken.push(flight);
        }
        taken
    }

    /// What is under way, oldest first.
    pub(crate) fn flights(&self) -> impl Iterator<Item = &Flight<M>> {
        self.flights.iter()
    }

    /// From now on nothing gets from `from` to `to`. What was under way there is still taken out by the caller.
    pub(crate) fn cut(&mut self, from: NodeId, to: NodeId) {
        self.cut.insert((from, to));
    }

    /// The link from `from` to `to` works again.
    pub(crate) fn heal(&mut self, from: NodeId, to: NodeId) {
        self.cut.remove(&(from, to));
    }
}
