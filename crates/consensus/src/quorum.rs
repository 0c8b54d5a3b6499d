//! Who is a member, and how many of them make a decision.

use crate::NodeId;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// The members of a cluster.
///
/// Everything that counts members asks here, so that joint configurations and ZooKeeper's weights and groups change this file
/// and no other.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Configuration {
    /// Those whose votes and acknowledgements count.
    pub voters: BTreeSet<NodeId>,
    /// Those who receive the log but are never counted (etcd: learners, ZooKeeper: observers).
    pub learners: BTreeSet<NodeId>,
    /// How voters are weighed. `None`: all alike, and a majority decides.
    pub hierarchy: Option<Hierarchy>,
}

/// ZooKeeper's hierarchical quorums: a majority of the groups decides, and in each of them more than half of its weight
/// (`QuorumHierarchical`).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Hierarchy {
    /// The group of each voter. Who has none is never counted.
    pub groups: BTreeMap<NodeId, u64>,
    /// The weight of each voter in its group; 1 where nothing is said. Who weighs nothing is never elected, and a group that
    /// weighs nothing is no group.
    pub weights: BTreeMap<NodeId, u64>,
}

/// How a ballot stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tally {
    /// A quorum said yes.
    Won,
    /// So many said no that no quorum can say yes any more.
    Lost,
    /// Neither yet.
    Open,
}

impl Configuration {
    /// A configuration of these voters and no learners.
    pub fn of(voters: impl IntoIterator<Item = NodeId>) -> Configuration {
        Configuration { voters: voters.into_iter().collect(), ..Configuration::default() }
    }

    /// How many voters make a majority, if all weigh the same. 4 voters tolerate no more failures than 3.
    pub fn majority(&self) -> usize {
        self.voters.len() / 2 + 1
    }

    /// Whether those for whom `holds` is true make a quorum. Nobody is a quorum of nobody.
    pub fn is_quorum(&self, holds: impl Fn(NodeId) -> bool) -> bool {
        match &self.hierarchy {
            None => !self.voters.is_empty() && self.voters.iter().filter(|&&id| holds(id)).count() >= self.majority(),
            Some(_) => self.is_quorum_of_groups(holds),
        }
    }

    /// What a voter's word weighs. Others weigh nothing.
    pub fn weight(&self, id: NodeId) -> u64 {
        match &self.hierarchy {
            _ if !self.voters.contains(&id) => 0,
            None => 1,
            Some(hierarchy) if hierarchy.groups.contains_key(&id) => hierarchy.weights.get(&id).copied().unwrap_or(1),
            Some(_) => 0,
        }
    }

    /// `QuorumHierarchical.containsQuorum`: in more than half of the groups that weigh anything, more than half of the weight.
    fn is_quorum_of_groups(&self, holds: impl Fn(NodeId) -> bool) -> bool {
        let groups = self.hierarchy.iter().flat_map(|hierarchy| &hierarchy.groups);
        let mut sums: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
        for (&id, &group) in groups.filter(|(id, _)| self.voters.contains(id)) {
            let (all, yes) = sums.entry(group).or_default();
            let weight = self.weight(id);
            *all = all.saturating_add(weight);
            *yes = yes.saturating_add(if holds(id) { weight } else { 0 });
        }
        sums.retain(|_, (all, _)| *all > 0);
        sums.values().filter(|(all, yes)| *yes > all / 2).count() > sums.len() / 2
    }

    /// How a ballot stands. Answers of non-voters are not counted.
    pub fn tally(&self, answers: &BTreeMap<NodeId, bool>) -> Tally {
        if self.is_quorum(|id| answers.get(&id) == Some(&true)) {
            Tally::Won
        } else if !self.is_quorum(|id| answers.get(&id) != Some(&false)) {
            Tally::Lost
        } else {
            Tally::Open
        }
    }

    /// The greatest value that a quorum has reached: the commit index from match indexes (Raft §5.3), the moment until which a
    /// quorum was heard from moments. `None` without voters.
    pub fn reached<T: Ord>(&self, value: impl Fn(NodeId) -> T) -> Option<T> {
        let mut values: Vec<T> = self.voters.iter().map(|&id| value(id)).collect();
        values.sort_unstable();
        if self.hierarchy.is_some() {
            // Whoever is above one value is above every smaller one: the greatest that makes a quorum is found from the top.
            return values.into_iter().rev().find(|reached| self.is_quorum(|id| value(id) >= *reached));
        }
        let behind = values.len().checked_sub(self.majority())?;
        values.into_iter().nth(behind)
    }

    /// All members, voters and learners, in order of id.
    pub fn members(&self) -> impl Iterator<Item = NodeId> + '_ {
        let mut members: Vec<NodeId> = self.voters.union(&self.learners).copied().collect();
        members.sort_unstable();
        members.into_iter()
    }

    /// Whether `id` is a voter or a learner.
    pub fn contains(&self, id: NodeId) -> bool {
        self.voters.contains(&id) || self.learners.contains(&id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(count: u64) -> Configuration {
        Configuration::of((1..=count).map(NodeId))
    }

    #[test]
    fn an_even_cluster_tolerates_no_more_failures_than_the_odd_one_below_it() {
        for (members, tolerated) in [(1, 0), (2, 0), (3, 1), (4, 1), (5, 2), (6, 2)] {
            assert_eq!(members - of(members as u64).majority(), tolerated);
        }
    }

    #[test]
    fn nobody_is_no_quorum() {
        assert!(!of(0).is_quorum(|_| true));
        assert_eq!(of(0).reached(|_| 1), None);
    }

    #[test]
    fn a_ballot_is_lost_once_no_quorum_can_say_yes() {
        let four = of(4);
        let mut answers = BTreeMap::from([(NodeId(1), true), (NodeId(2), false)]);
        assert_eq!(four.tally(&answers), Tally::Open);
        answers.insert(NodeId(3), false);
        assert_eq!(four.tally(&answers), Tally::Lost);
        answers.insert(NodeId(3), true);
        answers.insert(NodeId(4), true);
        assert_eq!(four.tally(&answers), Tally::Won);
        // A stranger's yes is not counted.
        let answers = BTreeMap::from([(NodeId(1), true), (NodeId(2), true), (NodeId(9), true)]);
        assert_eq!(four.tally(&answers), Tally::Open);
    }

    /// Three groups of three, as in ZooKeeper's own documentation.
    fn three_groups() -> Configuration {
        let groups = (1..=9).map(|id| (NodeId(id), (id - 1) / 3)).collect();
        Configuration { hierarchy: Some(Hierarchy { groups, weights: BTreeMap::new() }), ..of(9) }
    }

    #[test]
    fn two_of_three_groups_decide_each_by_its_own_majority() {
        let configuration = three_groups();
        let quorum = |ids: &[u64]| configuration.is_quorum(|id| ids.contains(&id.0));
        assert!(quorum(&[1, 2, 4, 5]), "four of nine, if they are the right ones");
        assert!(!quorum(&[1, 2, 3, 4, 7]), "five of nine, if they are the wrong ones");
        assert!(!quorum(&[]));
        let match_index = |id: NodeId| [0, 9, 8, 0, 7, 6, 0, 1, 1, 1][id.0 as usize];
        assert_eq!(configuration.reached(match_index), Some(6));
    }

    #[test]
    fn who_weighs_nothing_decides_nothing() {
        let mut configuration = three_groups();
        let hierarchy = configuration.hierarchy.as_mut().unwrap();
        hierarchy.weights = BTreeMap::from([(NodeId(7), 0), (NodeId(8), 0), (NodeId(9), 0), (NodeId(3), 0), (NodeId(1), 5)]);
        let quorum = |ids: &[u64]| configuration.is_quorum(|id| ids.contains(&id.0));
        // The third group is none: both others are needed. In the first, server 1 decides alone.
        assert!(quorum(&[1, 4, 5]));
        assert!(!quorum(&[2, 3, 4, 5, 6, 7, 8, 9]));
        assert!(!quorum(&[1, 2, 3, 7, 8, 9]));
        assert_eq!(configuration.weight(NodeId(9)), 0);
        assert_eq!(configuration.weight(NodeId(10)), 0);
        assert_eq!(configuration.weight(NodeId(2)), 1);
    }

    #[test]
    fn a_quorum_has_reached_what_its_slowest_member_has() {
        let match_index = |id: NodeId| [0, 9, 4, 7, 2, 5][id.0 as usize];
        assert_eq!(of(1).reached(match_index), Some(9));
        assert_eq!(of(2).reached(match_index), Some(4));
        assert_eq!(of(3).reached(match_index), Some(7));
        assert_eq!(of(4).reached(match_index), Some(4));
        assert_eq!(of(5).reached(match_index), Some(5));
    }
}
