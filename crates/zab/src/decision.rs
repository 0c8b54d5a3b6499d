//! Why this server did what it did: data first, plain sentences through `Display`.

use crate::Vote;
use crate::reason::{Believed, Dismissal, Downfall, Leaving, Sync, Zxid};
use consensus::{NodeId, Position};
use core::fmt;

/// A decision and its reason. What the log, the journal and `quorate dev` tell people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Decision {
    /// It began to look for a leader.
    Looks {
        /// Its logical clock.
        round: i64,
        /// Its own vote.
        vote: Vote,
    },
    /// It has no database that it could trust: it votes for nobody and waits to be told who leads.
    LooksUntrusted {
        /// Its logical clock.
        round: i64,
    },
    /// It heard of a later round and joined it.
    JoinedRound {
        /// Which.
        round: i64,
        /// It was in this one.
        left: i64,
        /// From whom.
        from: NodeId,
    },
    /// It found a better vote and votes so as well.
    Prefers {
        /// The better vote.
        vote: Vote,
        /// Its vote so far.
        over: Vote,
    },
    /// Time has passed, and still no quorum votes as it does.
    NotEnough {
        /// So many do, itself included.
        agree: usize,
        /// Of so many voters.
        of: usize,
    },
    /// A quorum votes as it does: it believes that.
    Elected {
        /// Whom.
        leader: NodeId,
        /// In which round.
        round: i64,
        /// So many agree.
        agree: usize,
        /// Of so many voters.
        of: usize,
        /// What ended the wait for a better vote.
        because: Believed,
    },
    /// A quorum already follows somebody, who says that it leads.
    Joins {
        /// Whom.
        leader: NodeId,
        /// The round in which it was elected.
        round: i64,
    },
    /// It leads: a quorum has its history.
    Leads {
        /// The epoch.
        epoch: u64,
        /// What its history ends with.
        last: Position,
        /// So many have it, itself included.
        have: usize,
        /// Of so many voters.
        of: usize,
    },
    /// It follows, and its leader has told it to serve.
    Serves {
        /// The leader.
        leader: NodeId,
        /// The epoch.
        epoch: u64,
    },
    /// It brings a learner up to date.
    BringsUpToDate {
        /// Whom.
        learner: NodeId,
        /// The last transaction that the learner has; `None`: none that it trusts.
        from: Option<Position>,
        /// How.
        sync: Sync,
    },
    /// Its leader brings it up to date.
    IsBroughtUpToDate {
        /// By whom.
        leader: NodeId,
        /// The last transaction that it had.
        from: Position,
        /// How.
        sync: Sync,
    },
    /// It asks for a snapshot, because it cannot cut its history where the leader says.
    WantsSnapshot {
        /// The leader.
        leader: NodeId,
        /// After which transaction it should cut.
        cut: Position,
        /// What its state holds.
        applied: Position,
    },
    /// It turned its back on a leader.
    Left {
        /// Whom.
        leader: NodeId,
        /// Why.
        because: Leaving,
    },
    /// It stopped leading.
    StoppedLeading {
        /// The epoch, if it had one.
        epoch: Option<u64>,
        /// Why.
        because: Downfall,
    },
    /// It closed a learner's link.
    Dismissed {
        /// Whom.
        learner: NodeId,
        /// Why.
        because: Dismissal,
    },
    /// A message made no sense, and was ignored or cost its sender the link.
    Nonsense {
        /// Whose.
        from: NodeId,
        /// What is wrong with it.
        what: &'static str,
    },
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Decision::Looks { round, vote } if vote.leader < 0 => write!(f, "looks for a leader in round {round}"),
            Decision::Looks { round, vote } => write!(f, "looks for a leader in round {round}: votes for {}", Full(*vote)),
            Decision::LooksUntrusted { round } => {
                write!(f, "looks for a leader in round {round}, without a vote: does not trust its empty database")
            }
            Decision::JoinedRound { round, left, from: NodeId(from) } => {
                write!(f, "left round {left} for {from}'s round {round}")
            }
            Decision::Prefers { vote, over } => better(f, *vote, *over),
            Decision::NotEnough { agree, of } => write!(f, "not enough: {agree} of {of} vote as I do"),
            Decision::Elected { leader: NodeId(leader), round, agree, of, because } => {
                write!(f, "{leader} is elected in round {round}: {agree} of {of} vote as I do, and {because}")
            }
            Decision::Joins { leader: NodeId(leader), round } => {
                write!(f, "joins {leader}: it leads since round {round}, and a quorum follows it")
            }
            Decision::Leads { epoch, last, have, of } => {
                write!(f, "leads epoch {epoch}: {have} of {of} have its history up to {}", Zxid(*last))
            }
            Decision::Serves { leader: NodeId(leader), epoch } => write!(f, "follows {leader} in epoch {epoch} and serves"),
            Decision::BringsUpToDate { learner: NodeId(learner), from: Some(from), sync } => {
                write!(f, "brings {learner} up to date from {}: {sync}", Zxid(*from))
            }
            Decision::BringsUpToDate { learner: NodeId(learner), from: None, sync } => {
                write!(f, "brings {learner} up to date, which has nothing that it trusts: {sync}")
            }
            Decision::IsBroughtUpToDate { leader: NodeId(leader), from, sync } => {
                write!(f, "is brought up to date by {leader} from {}: {sync}", Zxid(*from))
            }
            Decision::WantsSnapshot { leader: NodeId(leader), cut, applied } => {
                let (cut, applied) = (Zxid(*cut), Zxid(*applied));
                write!(f, "asks {leader} for a snapshot: it cannot cut its history after {cut}, its state holds {applied}")
            }
            Decision::Left { leader: NodeId(leader), because } => write!(f, "left {leader}: {because}"),
            Decision::StoppedLeading { epoch: Some(epoch), because } => write!(f, "stopped leading epoch {epoch}: {because}"),
            Decision::StoppedLeading { epoch: None, because } => write!(f, "stopped leading: {because}"),
            Decision::Dismissed { learner: NodeId(learner), because } => write!(f, "closed the link of {learner}: {because}"),
            Decision::Nonsense { from: NodeId(from), what } => write!(f, "ignored {from}: {what}"),
        }
    }
}

/// Why one vote beats another, by the first of the three numbers that differs.
fn better(f: &mut fmt::Formatter<'_>, vote: Vote, over: Vote) -> fmt::Result {
    if over.leader < 0 {
        return write!(f, "{} is better than nobody", vote.leader);
    }
    write!(f, "{} is better than my {}: ", vote.leader, over.leader)?;
    if vote.epoch != over.epoch {
        write!(f, "later epoch, {} > {}", vote.epoch, over.epoch)
    } else if vote.zxid != over.zxid {
        write!(f, "fresher data, zxid {:#x} > {:#x}", vote.zxid, over.zxid)
    } else {
        f.write_str("same data, larger id")
    }
}

/// A vote with all of its reasons.
struct Full(Vote);

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, epoch {} zxid {:#x}", self.0.leader, self.0.epoch, self.0.zxid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use core::time::Duration;

    #[test]
    fn decisions_read_as_sentences() {
        let vote = |leader, zxid| Vote { epoch: 2, zxid, leader };
        let prefers = Decision::Prefers { vote: vote(2, 0x2_0000_0005), over: vote(3, 0x2_0000_0003) };
        assert_eq!(prefers.to_string(), "2 is better than my 3: fresher data, zxid 0x200000005 > 0x200000003");
        assert_eq!(Decision::NotEnough { agree: 2, of: 5 }.to_string(), "not enough: 2 of 5 vote as I do");
        let left = Decision::Left { leader: NodeId(3), because: Leaving::LinkLost };
        assert_eq!(left.to_string(), "left 3: its quorum link is gone");
        let because = Downfall::QuorumLost { heard: 1, of: 3, lasted: Duration::from_millis(4_000) };
        let stopped = Decision::StoppedLeading { epoch: Some(7), because };
        assert_eq!(stopped.to_string(), "stopped leading epoch 7: heard from 1 of 3 for 4.0 s");
    }
}
