//! Who should lead, and why somebody else would be better.

/// A vote for a leader.
///
/// The derived order *is* the rule of the election (ZooKeeper's `totalOrderPredicate`): the later epoch is better, then the fresher
/// data, then the larger id. Fresh data beats a large id. Whoever has no weight is never better; that rule needs the configuration
/// and is applied where votes are compared.
///
/// The numbers are as on the wire, where they may be negative: an observer votes for nobody, and a server that does not trust its
/// empty database has zxid -1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Vote {
    /// The currentEpoch of the proposed leader ("peerEpoch" on the wire).
    pub epoch: i64,
    /// The last transaction in the proposed leader's log.
    pub zxid: i64,
    /// The proposed leader's `myid`.
    pub leader: i64,
}

impl Vote {
    /// What an observer proposes: smaller than every vote.
    pub const NOBODY: Vote = Vote { epoch: i64::MIN, zxid: i64::MIN, leader: i64::MIN };
}
