//! What must always hold: one file an invariant or family, checked after every step against the ghost's record.
//!
//! The numbers are those of the list in docs/VERIFICATION.md.

mod commit;
pub(crate) mod durable;
mod log;
mod read;
mod snapshot;

use consensus::Instant;
use std::fmt;

/// What must always hold.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Invariant {
    /// One leader a term, ever, not only at the same moment (§5.2: Election Safety).
    OneLeaderATerm,
    /// One vote a term, also across restarts; on disk before the answer leaves (§5.2, §5.4.1).
    OneVoteATerm,
    /// Term, commit and applied never go back, nor does a promise after a restart.
    NothingGoesBack,
    /// The same index and term mean the same prefix (§5.3: Log Matching).
    LogMatching,
    /// A leader only appends (§5.3: Leader Append-Only).
    LeaderAppendOnly,
    /// A new leader holds every committed entry (§5.4: Leader Completeness).
    LeaderCompleteness,
    /// The same entry is applied at an index everywhere, once, in order, also across restarts (§5.4.3: State Machine Safety).
    StateMachineSafety,
    /// A committed entry is synced on a quorum; an answer never precedes the sync that it depends on.
    SyncedBeforeSaid,
    /// Only entries of the leader's own term are committed by counting (§5.4.2).
    OwnTermByCounting,
    /// What a client was told survives every legal fault.
    AnswersSurvive,
    /// A linearizable read returns at least what was committed anywhere when it arrived; its context is unique for each attempt.
    ReadsAreFresh,
    /// While anyone serves lease reads in a term, no later term has a leader.
    LeaseHasOneLeader,
    /// A member that cannot reach a quorum, or whose log is behind, raises nobody's term.
    NoNeedlessTerms,
    /// A leader steps down at its first step more than an election timeout after it last heard a quorum.
    LeaderHearsQuorum,
    /// A snapshot never replaces newer state, and is installed whole or not at all.
    SnapshotsAreWhole,
    /// Match is before next and not behind the log; it never goes back in a term.
    ProgressIsSound,
    /// No crash, no queue without bound, no message to oneself or to a stranger.
    NoCrash,
    /// No proposal is applied twice.
    AppliedOnce,
    /// A wiped or damaged member neither votes nor counts until a leader has confirmed a commit index to it.
    StrangersAbstain,
    /// Operations look as if each had happened at one moment between its call and its answer.
    Linearizability,
    /// What a client reads never goes back, whichever server it asks (ZooKeeper: sequential consistency).
    ReadsNeverGoBack,
    /// acceptedEpoch and currentEpoch are synced before anybody relies on them, and currentEpoch never precedes the history with which
    /// its leader began (Zab).
    EpochsAreDurable,
    /// After DIFF, TRUNC or SNAP the learner's history is a prefix of the leader's (Zab).
    HistoryIsPrefix,
    /// Every message is legal in the state in which it leaves; ACK, COMMIT and PROPOSAL come in the order of zxids (Zab).
    MessagesAreLegal,
    /// A primary proposes only once it has applied all that its epoch began with (Zab).
    PrimaryIntegrity,
    /// Watch events come in the order of revisions (etcd: Ordered).
    WatchesAreOrdered,
    /// No event comes twice, also over several streams (etcd: Unique, Resumable).
    WatchesAreUnique,
    /// No event is left out between the first revision wanted and the last one told of, and in the end none at all (etcd: Reliable).
    WatchesAreReliable,
    /// A revision comes whole (etcd: Atomic).
    WatchesAreAtomic,
    /// Whoever is told of a revision has been told of all up to it (etcd: Bookmarkable).
    WatchesAreBookmarked,
    /// A watcher is told of a compaction if and only if it took what the watcher wanted next.
    WatchesHearOfCompaction,
    /// No lease ends before its time to live has passed since its last sign of life that was answered.
    LeasesEndOnTime,
    /// Only a leader ends leases, in its own term.
    LeasesEndInTheirTerm,
    /// All keys of a lease that ends go in one revision.
    LeasesEndWhole,
    /// A new leader begins with what the last checkpoint left of a lease, and ends it when that is over.
    LeasesKeepTheirTime,
    /// After the chaos: a leader, answers, agreement, and calm.
    Liveness,
}

impl Invariant {
    /// Its number in VERIFICATION.md; 0 for the checks that come after the run.
    pub fn number(self) -> u8 {
        match self {
            Invariant::OneLeaderATerm => 1,
            Invariant::OneVoteATerm => 2,
            Invariant::NothingGoesBack => 3,
            Invariant::LogMatching => 4,
            Invariant::LeaderAppendOnly => 5,
            Invariant::LeaderCompleteness => 6,
            Invariant::StateMachineSafety => 7,
            Invariant::SyncedBeforeSaid => 8,
            Invariant::OwnTermByCounting => 9,
            Invariant::AnswersSurvive => 10,
            Invariant::ReadsAreFresh => 11,
            Invariant::LeaseHasOneLeader => 12,
            Invariant::NoNeedlessTerms => 15,
            Invariant::LeaderHearsQuorum => 16,
            Invariant::SnapshotsAreWhole => 17,
            Invariant::ProgressIsSound => 19,
            Invariant::NoCrash => 20,
            Invariant::AppliedOnce => 21,
            Invariant::StrangersAbstain => 22,
            Invariant::Linearizability
            | Invariant::WatchesAreOrdered
            | Invariant::WatchesAreUnique
            | Invariant::WatchesAreReliable
            | Invariant::WatchesAreAtomic
            | Invariant::WatchesAreBookmarked
            | Invariant::WatchesHearOfCompaction
            | Invariant::LeasesEndOnTime
            | Invariant::LeasesEndInTheirTerm
            | Invariant::LeasesEndWhole
            | Invariant::LeasesKeepTheirTime
            | Invariant::Liveness
            | Invariant::ReadsNeverGoBack
            | Invariant::EpochsAreDurable
            | Invariant::HistoryIsPrefix
            | Invariant::MessagesAreLegal
            | Invariant::PrimaryIntegrity => 0,
        }
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number() {
            0 => write!(f, "{self:?}"),
            number => write!(f, "{number} ({self:?})"),
        }
    }
}

/// An invariant that did not hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// What was seen.
    pub what: String,
    /// The seed of the run.
    pub seed: u64,
    /// After how many steps of all members together.
    pub step: u64,
    /// The world's time.
    pub time: Instant,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Violation { invariant, what, seed, step, time } = self;
        write!(f, "seed {seed}: invariant {invariant} violated at step {step}, {time}: {what}")
    }
}
