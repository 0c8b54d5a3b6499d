//! What a member is, and what it must know to be that.

use crate::read::Rounds;
use crate::transfer::Transfer;
use crate::{Progress, Why};
use alloc::collections::{BTreeMap, VecDeque};
use consensus::{Instant, NodeId, Position, Ticket};

/// A role with its state: what is not in the variant cannot be used in it.
#[derive(Clone, Debug)]
pub(crate) enum Role {
    /// Follows a leader, or waits for one.
    Follower(Following),
    /// Asks whether it could win (thesis §9.6).
    PreCandidate(PreCandidacy),
    /// Asks for votes.
    Candidate(Candidacy),
    /// Leads.
    Leader(Leading),
    /// Receives the log but is never counted, and never stands.
    Learner(Following),
}

/// What followers and learners know.
#[derive(Clone, Debug)]
pub(crate) struct Following {
    pub(crate) leader: Option<NodeId>,
    /// When a leader was last heard; before the first, since when this member follows.
    pub(crate) heard: Instant,
    /// When to stand.
    pub(crate) election_at: Instant,
    /// What to say then about why, if more is known than silence.
    pub(crate) why: Option<Why>,
    /// Pre-vote requests that wait for the leader's lease to end, or for its link to be refused.
    pub(crate) kept: BTreeMap<NodeId, Kept>,
}

/// A pre-vote request that is not answered yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept {
    pub(crate) term: u64,
    pub(crate) last: Position,
    pub(crate) since: Instant,
}

/// What a pre-candidate knows. It follows nobody, so it holds no lease against others.
#[derive(Clone, Debug)]
pub(crate) struct PreCandidacy {
    pub(crate) since: Instant,
    pub(crate) answers: BTreeMap<NodeId, bool>,
    /// When to try again.
    pub(crate) election_at: Instant,
}

/// What a candidate knows.
#[derive(Clone, Debug)]
pub(crate) struct Candidacy {
    pub(crate) answers: BTreeMap<NodeId, bool>,
    /// Its own vote counts once this is synced.
    pub(crate) own_vote: Ticket,
    /// The leader told it to stand.
    pub(crate) transfer: bool,
    /// When to try again.
    pub(crate) election_at: Instant,
}

/// What a leader knows.
#[derive(Clone, Debug)]
pub(crate) struct Leading {
    pub(crate) since: Instant,
    /// When the next heartbeat is due.
    pub(crate) heartbeat_at: Instant,
    /// All members but itself.
    pub(crate) progress: BTreeMap<NodeId, Progress>,
    pub(crate) rounds: Rounds,
    pub(crate) transfer: Option<Transfer>,
    /// It told somebody to stand at once. That may come to pass at any time in this term, so there is no lease any more.
    pub(crate) lease_forgone: bool,
    pub(crate) uncommitted: Uncommitted,
}

/// Proposals that are not committed yet, in bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Uncommitted {
    /// (last index of a proposal, its bytes).
    proposals: VecDeque<(u64, usize)>,
    bytes: usize,
}

impl Uncommitted {
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn on_proposed(&mut self, last: u64, bytes: usize) {
        self.proposals.push_back((last, bytes));
        self.bytes += bytes;
    }

    pub(crate) fn on_committed(&mut self, committed: u64) {
        while let Some(&(last, bytes)) = self.proposals.front() {
            if last > committed {
                break;
            }
            self.proposals.pop_front();
            self.bytes -= bytes;
        }
    }
}

impl Role {
    /// What others may know of it.
    pub(crate) fn public(&self) -> consensus::Role {
        match self {
            Role::Follower(following) => consensus::Role::Follower { leader: following.leader },
            Role::Learner(following) => consensus::Role::Learner { leader: following.leader },
            Role::PreCandidate(_) => consensus::Role::PreCandidate,
            Role::Candidate(_) => consensus::Role::Candidate,
            Role::Leader(_) => consensus::Role::Leader,
        }
    }

    /// The state of who follows, in either way.
    pub(crate) fn following(&self) -> Option<&Following> {
        match self {
            Role::Follower(following) | Role::Learner(following) => Some(following),
            Role::PreCandidate(_) | Role::Candidate(_) | Role::Leader(_) => None,
        }
    }

    /// The same, to change.
    pub(crate) fn following_mut(&mut self) -> Option<&mut Following> {
        match self {
            Role::Follower(following) | Role::Learner(following) => Some(following),
            Role::PreCandidate(_) | Role::Candidate(_) | Role::Leader(_) => None,
        }
    }

    /// The state of a leader.
    pub(crate) fn leading(&self) -> Option<&Leading> {
        match self {
            Role::Leader(leading) => Some(leading),
            _ => None,
        }
    }

    /// The same, to change.
    pub(crate) fn leading_mut(&mut self) -> Option<&mut Leading> {
        match self {
            Role::Leader(leading) => Some(leading),
            _ => None,
        }
    }
}
