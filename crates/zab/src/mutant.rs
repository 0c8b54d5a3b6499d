//! Known mistakes, to be put back one at a time: the proof that the prover would notice.

use crate::Config;

/// A mistake. Each bends one line, at the place where its rule acts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(not(feature = "mutants"), expect(unreachable_pub, reason = "only the prover makes mistakes"))]
pub enum Mutant {
    /// The larger id wins, whoever has the fresher data, in the election and in discovery (against `totalOrderPredicate` and
    /// `Leader.waitForEpochAck`).
    VoteComparesIdBeforeZxid,
    /// currentEpoch is written when the leader announces it, before its history is (ZOOKEEPER-4643, ZOOKEEPER-4785).
    CurrentEpochBeforeHistory,
    /// NEWLEADER is acknowledged before the transactions before it are durable (ZOOKEEPER-3911, ZOOKEEPER-4646).
    NewLeaderAckedBeforeSync,
    /// A learner that has transactions that the leader lacks is not told to cut them.
    DiffWhereTruncWasDue,
}

impl Config {
    /// Whether this mistake is to be made. Never, in a build without the feature `mutants`.
    pub(crate) fn is_bent(&self, mutant: Mutant) -> bool {
        #[cfg(feature = "mutants")]
        return self.mutant == Some(mutant);
        #[cfg(not(feature = "mutants"))]
        {
            let _ = mutant;
            false
        }
    }
}
