//! What the ghost knows of Zab's servers beyond what it knows of any.

use crate::history::Fact;
use consensus::{NodeId, Position};
use std::collections::{HashMap, HashSet};

/// What there is to know of the cluster.
#[derive(Debug, Default)]
pub(crate) struct Lore {
    /// (epoch, who was to lead it): the end of the history that it began with, and its place.
    pub(super) initial: HashMap<(u64, NodeId), (u64, Option<Fact>)>,
    /// (epoch, who was to lead it, who): who acknowledged NEWLEADER, with all that it says on its disk.
    pub(super) acknowledged: HashSet<(u64, NodeId, NodeId)>,
    /// How often the zxids of an epoch were used up.
    pub(super) epochs_full: u64,
}

/// What there is to know of a member.
#[derive(Debug)]
pub(crate) struct Known {
    /// As a leader: what it has said to each member over the present connection.
    pub(super) said: Vec<Said>,
    /// As a learner: what it has heard and said over the present connection.
    pub(super) sync: Sync,
    /// It led when the present step began: what it says in the step in which it stops may come after that.
    pub(super) led: bool,
    /// As a leader: the epoch that it has established.
    pub(super) leads: u64,
}

/// What a leader has said to a learner.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Said {
    pub(super) epoch: bool,
    /// DIFF, TRUNC or SNAP.
    pub(super) chosen: bool,
    pub(super) new_leader: bool,
    pub(super) up_to_date: bool,
    pub(super) proposed: Position,
    pub(super) committed: Position,
}

/// What a learner has heard of its leader, and told it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sync {
    /// The last transaction that the leader has named.
    pub(super) named: Option<Position>,
    /// The same when NEWLEADER came.
    pub(super) history: Option<Position>,
    /// The last that it has acknowledged.
    pub(super) acked: Position,
}

impl Known {
    pub(super) fn new(members: usize) -> Known {
        Known { said: vec![Said::default(); members], sync: Sync::default(), led: false, leads: 0 }
    }
}
