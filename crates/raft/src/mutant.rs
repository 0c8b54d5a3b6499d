//! Known mistakes, to be put back one at a time: the proof that the prover would notice.

use crate::Config;

/// A mistake. Each bends one line, at the place where its rule acts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(not(feature = "mutants"), expect(unreachable_pub, reason = "only the prover makes mistakes"))]
pub enum Mutant {
    /// A vote leaves before it is on disk (against §5.2, thesis §3.8).
    VoteBeforeSync,
    /// An entry of an older term is committed by counting (against §5.4.2).
    CommitOldTermByCounting,
    /// An append is answered before it is on disk, and a leader counts itself before it is (against thesis §3.8).
    AppendAnsweredBeforeSync,
    /// The longer log wins, whatever its terms (against §5.4.1).
    VoteComparesIndexBeforeTerm,
    /// A follower cuts its log at every append, not only where it conflicts (against §5.3).
    TruncateOnAnyAppend,
    /// A leader answers ReadIndex before it committed an entry of its own term (against thesis §6.4).
    ReadIndexBeforeFirstCommit,
    /// A pre-vote is granted without a look at the log (against thesis §9.6).
    PreVoteWithoutLogCheck,
    /// Voters keep the leader's lease, but a leader never checks its quorum.
    LeaseWithoutCheckQuorum,
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
