//! Why this member did what it did: data first, plain sentences through `Display`.

use consensus::{NodeId, Position};
use core::fmt;
use core::time::Duration;

/// A decision and its reason. What the log, the journal and `quorate dev` tell people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Decision {
    /// It asked for votes, or for pre-votes.
    Stood {
        /// Asked whether it could win (thesis §9.6), or for the vote itself.
        ballot: Ballot,
        /// The term that it would lead.
        term: u64,
        /// Why.
        why: Why,
    },
    /// It would have stood but must not.
    DidNotStand(Unfit),
    /// It let another pre-candidate go first, so that they do not split the vote.
    StoodBack {
        /// Whom.
        before: NodeId,
        /// The end of that one's log.
        theirs: Position,
        /// The end of our own log.
        mine: Position,
        /// That one asked before we stood at all, and may win. Otherwise it ranks better.
        asked_first: bool,
    },
    /// It won: it leads.
    Won {
        /// The term.
        term: u64,
        /// Votes for it.
        votes: usize,
        /// Of so many voters.
        of: usize,
    },
    /// No quorum can be won any more.
    Lost {
        /// Which ballot.
        ballot: Ballot,
        /// The term that it would have led.
        term: u64,
        /// Votes against it.
        against: usize,
        /// Of so many voters.
        of: usize,
    },
    /// It said yes.
    Voted {
        /// To whom.
        candidate: NodeId,
        /// In which ballot.
        ballot: Ballot,
        /// For which term.
        term: u64,
    },
    /// It said no, or nothing.
    RefusedVote {
        /// To whom.
        candidate: NodeId,
        /// In which ballot.
        ballot: Ballot,
        /// For which term.
        term: u64,
        /// Why.
        because: Refusal,
    },
    /// It keeps a pre-vote request unanswered while it is in lease.
    KeptWaiting {
        /// Whose.
        candidate: NodeId,
        /// The leader whose lease holds.
        leader: NodeId,
        /// How long the lease lasts if nothing more is heard.
        left: Duration,
    },
    /// It learned of a higher term.
    AdoptedTerm {
        /// Which.
        term: u64,
        /// From whom.
        from: NodeId,
    },
    /// It stopped leading.
    SteppedDown {
        /// In which term it led.
        term: u64,
        /// Why.
        because: Downfall,
    },
    /// A leader of an older term was told of ours, which frees a stuck candidate (etcd PR #5468).
    ToldOfTerm {
        /// Whom.
        leader: NodeId,
        /// The term that it leads.
        theirs: u64,
        /// Our term.
        mine: u64,
    },
    /// Its log has no entry that matches what the leader's append builds on.
    RefusedAppend {
        /// The leader.
        leader: NodeId,
        /// What the leader's log holds before the append.
        previous: Position,
        /// The end of what may match.
        hint: Position,
    },
    /// A message was ignored because it makes no sense.
    Nonsense {
        /// Whose.
        from: NodeId,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Somebody's append contradicts what is committed here. It was refused.
    ContradictsCommitted {
        /// Whose.
        from: NodeId,
        /// Its first entry that contradicts.
        entry: Position,
        /// What is committed.
        committed: u64,
    },
    /// A follower no longer has entries that it once confirmed: its log is sent anew.
    FollowerLostEntries {
        /// Who.
        follower: NodeId,
        /// What it had confirmed.
        matched: u64,
    },
    /// A follower needs entries that the log no longer holds.
    SendsSnapshot {
        /// Who.
        to: NodeId,
        /// The first entry that it needs.
        needs: u64,
        /// What the log begins after.
        base: u64,
    },
    /// A snapshot that arrived was not wanted.
    RefusedSnapshot {
        /// Whose.
        from: NodeId,
        /// Up to where it goes.
        index: u64,
        /// What is committed here.
        committed: u64,
    },
    /// Leadership is being handed over.
    Transfers {
        /// To whom.
        to: NodeId,
        /// What it has.
        matched: u64,
        /// The end of our log.
        last: u64,
    },
    /// Leadership was not handed over.
    TransferEnded {
        /// To whom it was to go.
        to: NodeId,
        /// Why not.
        because: &'static str,
    },
    /// Its disk had lost what it promised; now a leader has confirmed what is committed, and it votes again.
    VotesAgain {
        /// The commit index that is on disk.
        committed: u64,
    },
    /// A message for the leader came to a member that does not lead (any more).
    NotLeader {
        /// Whose.
        from: NodeId,
        /// What it wanted.
        what: &'static str,
    },
}

/// Asked whether it could win, or for the vote itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ballot {
    /// Pre-vote (thesis §9.6).
    Pre,
    /// Vote (§5.2).
    Real,
}

/// Why a member stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    /// Nothing came from the leader.
    Silence {
        /// The leader that it last followed.
        leader: NodeId,
        /// For how long.
        lasted: Duration,
    },
    /// It knows no leader.
    NoLeader {
        /// For how long.
        lasted: Duration,
    },
    /// The last election had no result.
    Undecided,
    /// No process listens at the leader's addresses any more.
    LinkRefused {
        /// The leader.
        leader: NodeId,
    },
    /// A quorum said that it would vote for it.
    PreVoteWon {
        /// How many.
        votes: usize,
        /// Of so many voters.
        of: usize,
    },
    /// The leader told it to (thesis §3.10).
    Transfer {
        /// The leader.
        leader: NodeId,
    },
    /// It is the only voter.
    Alone,
}

/// Why a member must not stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unfit {
    /// It is no voter of its own configuration.
    NotAVoter,
    /// A write to its own log has been open for too long: it could not even vote for itself.
    DiskStuck {
        /// For how long.
        lasted: Duration,
    },
    /// A snapshot is being put into force.
    Installing,
}

/// Why a vote or pre-vote was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// A leader was heard within the election timeout (thesis §4.2.3).
    Lease {
        /// Whom.
        leader: NodeId,
        /// How long the lease lasts if nothing more is heard.
        left: Duration,
    },
    /// It leads.
    Leads,
    /// With lease reads a voter that does not know what it promised before waits out an election timeout.
    PromisedBefore {
        /// How long yet.
        left: Duration,
    },
    /// The candidate's log is older (§5.4.1).
    LogBehind {
        /// The end of the candidate's log.
        theirs: Position,
        /// The end of our log.
        mine: Position,
    },
    /// It voted for another in this term.
    AlreadyVoted {
        /// For whom.
        candidate: NodeId,
    },
    /// There is a leader in this term.
    LeaderKnown {
        /// Who.
        leader: NodeId,
    },
    /// The candidate's term is over.
    LowerTerm {
        /// Our term.
        mine: u64,
    },
    /// It stands itself, with an equal log and the greater id.
    StandsItself,
    /// Its disk lost what it may have promised, and no leader has confirmed a commit index to it yet.
    Abstains,
}

/// Why a leader stopped leading.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Downfall {
    /// It did not hear from a quorum for longer than an election timeout.
    QuorumLost {
        /// So many voters were heard, itself included.
        heard: usize,
        /// Of so many.
        of: usize,
        /// For how long.
        lasted: Duration,
    },
    /// Its own log write has been open for longer than an election timeout.
    DiskStuck {
        /// For how long.
        lasted: Duration,
    },
    /// A higher term exists.
    HigherTerm {
        /// Which.
        term: u64,
        /// Who said so.
        from: NodeId,
    },
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Decision::Stood { ballot: Ballot::Pre, term, why } => write!(f, "stood for pre-vote of term {term}: {why}"),
            Decision::Stood { ballot: Ballot::Real, term, why } => write!(f, "stood for election in term {term}: {why}"),
            Decision::DidNotStand(unfit) => write!(f, "did not stand: {unfit}"),
            Decision::StoodBack { before, asked_first: true, .. } => write!(f, "stood back for {before}, which asked first"),
            Decision::StoodBack { before, theirs, mine, asked_first: false } => {
                write!(f, "stood back for {before}: its log ends {theirs}, mine {mine}")?;
                if theirs == mine { f.write_str(", and its id is greater") } else { Ok(()) }
            }
            Decision::Won { term, votes, of } => write!(f, "won the election of term {term}: {votes} of {of} votes"),
            Decision::Lost { ballot, term, against, of } => {
                write!(f, "lost the {ballot} of term {term}: {against} of {of} said no")
            }
            Decision::Voted { candidate, ballot: Ballot::Pre, term } => write!(f, "would vote for {candidate} in term {term}"),
            Decision::Voted { candidate, ballot: Ballot::Real, term } => write!(f, "voted for {candidate} in term {term}"),
            Decision::RefusedVote { candidate, ballot, term, because } => {
                write!(f, "refused {candidate} the {ballot} of term {term}: {because}")
            }
            Decision::KeptWaiting { candidate, leader, left } => {
                write!(f, "keeps {candidate} waiting: lease of {leader} has {} left", Span(*left))
            }
            Decision::AdoptedTerm { term, from } => write!(f, "adopted term {term} from {from}"),
            Decision::SteppedDown { term, because } => write!(f, "stepped down in term {term}: {because}"),
            Decision::ToldOfTerm { leader, theirs, mine } => {
                write!(f, "told {leader}, who leads term {theirs}, of term {mine}")
            }
            Decision::RefusedAppend { leader, previous, hint } => {
                write!(f, "refused an append of {leader}: has no {previous}, may agree up to {hint}")
            }
            Decision::Nonsense { from, what } => write!(f, "ignored a message of {from}: {what}"),
            Decision::ContradictsCommitted { from, entry, committed } => {
                write!(f, "refused an append of {from}: its entry {entry} contradicts what is committed (up to {committed})")
            }
            Decision::FollowerLostEntries { follower, matched } => {
                write!(f, "{follower} lost entries that it had confirmed up to {matched}: its log is sent anew")
            }
            Decision::SendsSnapshot { to, needs, base } => {
                write!(f, "sends {to} a snapshot: it needs entry {needs}, the log begins after {base}")
            }
            Decision::RefusedSnapshot { from, index, committed } => {
                write!(f, "refused a snapshot of {from} up to {index}: {committed} is committed here")
            }
            Decision::Transfers { to, matched, last } => {
                write!(f, "hands leadership to {to}, which has {matched} of {last}")
            }
            Decision::TransferEnded { to, because } => write!(f, "did not hand leadership to {to}: {because}"),
            Decision::VotesAgain { committed } => {
                write!(f, "votes again: all that is committed, up to {committed}, is on its disk")
            }
            Decision::NotLeader { from, what } => write!(f, "dropped a {what} of {from}: does not lead"),
        }
    }
}

impl fmt::Display for Ballot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Ballot::Pre => "pre-vote",
            Ballot::Real => "vote",
        })
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Silence { leader, lasted } => write!(f, "no heartbeat from {leader} for {}", Span(*lasted)),
            Why::NoLeader { lasted } => write!(f, "no leader for {}", Span(*lasted)),
            Why::Undecided => f.write_str("the last election had no result"),
            Why::LinkRefused { leader } => write!(f, "its link to {leader} was refused"),
            Why::PreVoteWon { votes, of } => write!(f, "{votes} of {of} would vote for it"),
            Why::Transfer { leader } => write!(f, "{leader} hands leadership over"),
            Why::Alone => f.write_str("it is the only voter"),
        }
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unfit::NotAVoter => f.write_str("it is no voter"),
            Unfit::DiskStuck { lasted } => write!(f, "its log write has been open for {}", Span(*lasted)),
            Unfit::Installing => f.write_str("a snapshot is being installed"),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Lease { leader, left } => write!(f, "lease of {leader} has {} left", Span(*left)),
            Refusal::Leads => f.write_str("it leads itself"),
            Refusal::PromisedBefore { left } => write!(f, "a lease promised earlier may have {} left", Span(*left)),
            Refusal::LogBehind { theirs, mine } => write!(f, "its log ends {theirs}, mine {mine}"),
            Refusal::AlreadyVoted { candidate } => write!(f, "voted for {candidate} already"),
            Refusal::LeaderKnown { leader } => write!(f, "{leader} leads this term"),
            Refusal::LowerTerm { mine } => write!(f, "my term is {mine}"),
            Refusal::Abstains => f.write_str("its disk lost what it promised, and no leader has brought it up to date yet"),
            Refusal::StandsItself => f.write_str("stands itself, with an equal log and a greater id"),
        }
    }
}

impl fmt::Display for Downfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Downfall::QuorumLost { heard, of, lasted } => write!(f, "heard from {heard} of {of} for {}", Span(*lasted)),
            Downfall::DiskStuck { lasted } => write!(f, "its log write has been open for {}", Span(*lasted)),
            Downfall::HigherTerm { term, from } => write!(f, "{from} has term {term}"),
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn decisions_read_as_sentences() {
        let stood = Decision::Stood {
            ballot: Ballot::Pre,
            term: 5,
            why: Why::Silence { leader: NodeId(3), lasted: Duration::from_millis(1_249) },
        };
        assert_eq!(stood.to_string(), "stood for pre-vote of term 5: no heartbeat from 3 for 1.2 s");
        let refused = Decision::RefusedVote {
            candidate: NodeId(2),
            ballot: Ballot::Real,
            term: 6,
            because: Refusal::LogBehind { theirs: Position::new(4, 17), mine: Position::new(5, 3) },
        };
        assert_eq!(refused.to_string(), "refused 2 the vote of term 6: its log ends (4, 17), mine (5, 3)");
        let down = Decision::SteppedDown {
            term: 5,
            because: Downfall::QuorumLost { heard: 1, of: 3, lasted: Duration::from_millis(1_000) },
        };
        assert_eq!(down.to_string(), "stepped down in term 5: heard from 1 of 3 for 1.0 s");
    }
}
