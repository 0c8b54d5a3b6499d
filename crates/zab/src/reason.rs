//! The reasons that decisions carry.

use consensus::{NodeId, Position};
use core::fmt;
use core::time::Duration;

/// What ended the wait for a better vote (`finalizeWait`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Believed {
    /// Time.
    Silence {
        /// How long it waited.
        lasted: Duration,
    },
    /// Every voter has voted in this round, or no process listens at its election port.
    NobodyLeft {
        /// So many have voted.
        voted: usize,
        /// So many are not there.
        absent: usize,
    },
}

/// How a learner is brought up to date.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sync {
    /// With what follows its history: DIFF.
    Diff {
        /// The end of what is committed.
        upto: Position,
    },
    /// By cutting what the leader does not have: TRUNC.
    Truncate {
        /// The last position to keep.
        to: Position,
    },
    /// With a snapshot: SNAP.
    Snapshot {
        /// What it stands for.
        position: Position,
    },
}

/// Why a server left its leader.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leaving {
    /// The link to it is gone.
    LinkLost,
    /// No process listens there any more.
    LinkRefused,
    /// It could not be reached.
    Unreachable {
        /// After so many attempts.
        attempts: u32,
    },
    /// Nothing was heard from it.
    Silence {
        /// For how long.
        lasted: Duration,
    },
    /// It leads an epoch that is over.
    OldEpoch {
        /// Its epoch.
        theirs: u64,
        /// What this server has promised.
        accepted: u64,
    },
    /// This server's own disk has not answered.
    DiskStuck {
        /// For how long.
        lasted: Duration,
    },
    /// It said something that it must not say there.
    Nonsense {
        /// What.
        what: &'static str,
    },
}

/// Why a leader stopped leading.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Downfall {
    /// No quorum was in contact with it.
    QuorumLost {
        /// So many were, itself included.
        heard: usize,
        /// Of so many voters.
        of: usize,
        /// For how long.
        lasted: Duration,
    },
    /// No quorum came to it, or was brought up to date, in time.
    NotEnoughCame {
        /// What it waited for.
        step: Step,
        /// So many, itself included.
        came: usize,
        /// Of so many voters.
        of: usize,
        /// For how long.
        waited: Duration,
    },
    /// A voter looks for another leader, and those who are connected are no quorum.
    VoterLooksElsewhere {
        /// Who.
        voter: NodeId,
        /// So many are connected, itself included.
        connected: usize,
        /// Of so many voters.
        of: usize,
    },
    /// A follower has fresher data.
    FollowerAhead {
        /// Who.
        follower: NodeId,
        /// Its currentEpoch and its last transaction.
        theirs: (u64, Position),
        /// The same of this server.
        mine: (u64, Position),
    },
    /// A server has promised a later epoch and can only follow in one beyond it.
    PromisedElsewhere {
        /// Who.
        peer: NodeId,
        /// What it promised.
        accepted: u64,
    },
    /// Its own disk has not answered.
    DiskStuck {
        /// For how long.
        lasted: Duration,
    },
    /// The epoch's zxids are used up.
    EpochFull {
        /// The last one.
        last: Position,
    },
    /// An operator wants somebody else to lead.
    HandsOver {
        /// For whom it will vote, if anybody is fit.
        to: Option<NodeId>,
    },
}

/// The steps of becoming a leader.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Hearing from a quorum which epochs it has accepted.
    Epoch,
    /// Hearing that a quorum accepts the new one.
    AckEpoch,
    /// Hearing that a quorum has its history.
    NewLeader,
}

/// Why a leader closed a learner's link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dismissal {
    /// It does not lead (any more).
    DoesNotLead,
    /// It never came to lead.
    CameTooEarly {
        /// For how long the learner was kept waiting.
        waited: Duration,
    },
    /// It has fresher data, but cannot lead.
    Ahead {
        /// Its currentEpoch and its last transaction.
        theirs: (u64, Position),
    },
    /// Nothing was heard from it.
    Silence {
        /// For how long.
        lasted: Duration,
    },
    /// It did not acknowledge the oldest proposal.
    NoAck {
        /// Which.
        oldest: Position,
        /// For how long.
        lasted: Duration,
    },
    /// It has left too much unconfirmed.
    Lags {
        /// So many bytes.
        bytes: usize,
    },
    /// The log no longer holds what it needs.
    LogTooShort {
        /// What it has.
        after: Position,
    },
    /// The snapshot did not get there.
    SnapshotLost,
    /// It said something that it must not say there.
    Nonsense {
        /// What.
        what: &'static str,
    },
}

impl fmt::Display for Believed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Believed::Silence { lasted } => write!(f, "no better vote came for {}", Span(*lasted)),
            Believed::NobodyLeft { voted, absent: 0 } => write!(f, "all {voted} have voted"),
            Believed::NobodyLeft { voted, absent } => {
                write!(f, "nobody is left who could vote better: {voted} have voted, {absent} not running")
            }
        }
    }
}

impl fmt::Display for Sync {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Sync::Diff { upto } => write!(f, "DIFF up to {}", Zxid(*upto)),
            Sync::Truncate { to } => write!(f, "TRUNC to {}", Zxid(*to)),
            Sync::Snapshot { position } => write!(f, "SNAP at {}", Zxid(*position)),
        }
    }
}

impl fmt::Display for Leaving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Leaving::LinkLost => f.write_str("its quorum link is gone"),
            Leaving::LinkRefused => f.write_str("no process listens there any more"),
            Leaving::Unreachable { attempts } => write!(f, "could not connect in {attempts} attempts"),
            Leaving::Silence { lasted } => write!(f, "heard nothing for {}", Span(*lasted)),
            Leaving::DiskStuck { lasted } => write!(f, "its own log write has been open for {}", Span(*lasted)),
            Leaving::OldEpoch { theirs, accepted } => {
                write!(f, "it leads epoch {theirs}, and this server has accepted {accepted}")
            }
            Leaving::Nonsense { what } => f.write_str(what),
        }
    }
}

impl fmt::Display for Downfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Downfall::QuorumLost { heard, of, lasted } => write!(f, "heard from {heard} of {of} for {}", Span(*lasted)),
            Downfall::NotEnoughCame { step, came, of, waited } => {
                write!(f, "{came} of {of} {step} in {}", Span(*waited))
            }
            Downfall::VoterLooksElsewhere { voter: NodeId(voter), connected, of } => {
                write!(f, "{voter} looks for another leader, and only {connected} of {of} are connected")
            }
            Downfall::FollowerAhead { follower: NodeId(follower), theirs, mine } => {
                write!(f, "{follower} has fresher data, epoch {} zxid {}", theirs.0, Zxid(theirs.1))?;
                write!(f, ", mine: epoch {} zxid {}", mine.0, Zxid(mine.1))
            }
            Downfall::PromisedElsewhere { peer: NodeId(peer), accepted } => {
                write!(f, "{peer} has accepted epoch {accepted} and can only follow in a later one")
            }
            Downfall::DiskStuck { lasted } => write!(f, "its log write has been open for {}", Span(*lasted)),
            Downfall::EpochFull { last } => write!(f, "the zxids of its epoch are used up at {}", Zxid(*last)),
            Downfall::HandsOver { to: Some(NodeId(to)) } => write!(f, "hands over, and votes for {to}"),
            Downfall::HandsOver { to: None } => f.write_str("hands over"),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::Epoch => "came",
            Step::AckEpoch => "accepted the epoch",
            Step::NewLeader => "had its history",
        })
    }
}

impl fmt::Display for Dismissal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Dismissal::DoesNotLead => f.write_str("does not lead"),
            Dismissal::CameTooEarly { waited } => write!(f, "did not come to lead within {}", Span(*waited)),
            Dismissal::Ahead { theirs } => {
                write!(f, "it has fresher data, epoch {} zxid {}, and cannot lead", theirs.0, Zxid(theirs.1))
            }
            Dismissal::Silence { lasted } => write!(f, "heard nothing for {}", Span(*lasted)),
            Dismissal::NoAck { oldest, lasted } => {
                write!(f, "it has not acknowledged {} for {}", Zxid(*oldest), Span(*lasted))
            }
            Dismissal::Lags { bytes } => write!(f, "it has left {bytes} bytes unconfirmed"),
            Dismissal::LogTooShort { after } => write!(f, "the log no longer holds what follows {}", Zxid(*after)),
            Dismissal::SnapshotLost => f.write_str("the snapshot did not get there"),
            Dismissal::Nonsense { what } => f.write_str(what),
        }
    }
}

/// A position as ZooKeeper's people read it.
pub(crate) struct Zxid(pub(crate) Position);

impl fmt::Display for Zxid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", (self.0.epoch << 32) | (self.0.index & 0xffff_ffff))
    }
}

/// A span as people say it: milliseconds below a second, then seconds with one decimal.
struct Span(Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_millis() {
            millis @ ..1_000 => write!(f, "{millis} ms"),
            millis => write!(f, "{}.{} s", millis / 1_000, millis / 100 % 10),
        }
    }
}
