//! Which of the other members are Quorate's, as far as they said.

use consensus::NodeId;
use std::collections::BTreeSet;

/// The members that are not, or of which nobody knows yet what they are.
#[derive(Debug)]
pub(crate) struct Kin {
    strangers: BTreeSet<NodeId>,
}

impl Kin {
    /// Among these others, none of which has said anything yet.
    pub(crate) fn among(others: impl IntoIterator<Item = NodeId>) -> Kin {
        Kin { strangers: others.into_iter().collect() }
    }

    /// Whether all are Quorate's.
    pub(crate) fn is_alone(&self) -> bool {
        self.strangers.is_empty()
    }

    /// A link to `peer` stands, which names its process if it is Quorate's.
    pub(crate) fn meet(&mut self, peer: NodeId, incarnation: u64) {
        if incarnation == 0 {
            self.strangers.insert(peer);
        } else {
            self.strangers.remove(&peer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_a_stranger_until_it_says_that_it_is_one_of_ours() {
        let mut kin = Kin::among([NodeId(2), NodeId(3)]);
        kin.meet(NodeId(2), 7);
        assert!(!kin.is_alone(), "3 may be anything");
        kin.meet(NodeId(3), 0);
        assert!(!kin.is_alone());
        kin.meet(NodeId(2), 8);
        assert!(!kin.is_alone());
        kin.meet(NodeId(3), 9);
        assert!(kin.is_alone(), "3 was replaced");
        assert!(Kin::among([]).is_alone());
    }
}
