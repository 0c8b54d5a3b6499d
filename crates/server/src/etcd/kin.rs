//! Which of the other members are Quorate's, as far as they said.

use consensus::NodeId;
use std::collections::BTreeSet;

/// The members that are not.
#[derive(Debug, Default)]
pub(crate) struct Kin {
    foreign: BTreeSet<NodeId>,
}

impl Kin {
    /// A link to `peer` stands, which names its process if it is Quorate's. True if nobody is known to be of another kind.
    pub(crate) fn met(&mut self, peer: NodeId, incarnation: u64) -> bool {
        if incarnation == 0 {
            self.foreign.insert(peer);
        } else {
            self.foreign.remove(&peer);
        }
        self.foreign.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_that_was_replaced_by_one_of_ours_is_kin() {
        let mut kin = Kin::default();
        assert!(kin.met(NodeId(2), 7));
        assert!(!kin.met(NodeId(3), 0));
        assert!(!kin.met(NodeId(2), 8));
        assert!(kin.met(NodeId(3), 9));
    }
}
