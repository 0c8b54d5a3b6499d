//! What the ghost knows of Raft's members beyond what it knows of any.

use crate::on_raft::{Raft, Stack};
use crate::plan::Plan;
use consensus::{Instant, NodeId, Position};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// What there is to know of the cluster.
#[derive(Debug)]
pub(crate) struct Lore {
    pub(super) rules: Rules,
    /// (term, member): whom it voted for, and whether that is synced.
    pub(super) votes: HashMap<(u64, usize), (NodeId, bool)>,
    /// (term, candidate): who granted it a pre-vote for that term.
    pub(super) pre_votes: HashMap<(u64, usize), u64>,
    /// Contexts of read-index requests that were used.
    pub(super) contexts: HashSet<(usize, u64)>,
}

/// Which rules the cluster plays by.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(super) pre_vote: bool,
    pub(super) check_quorum: bool,
    pub(super) lease_reads: bool,
    pub(super) election_timeout: Duration,
}

/// What there is to know of a member.
#[derive(Debug)]
pub(crate) struct Known {
    /// Terms in which it voted, not yet synced.
    pub(super) open_votes: Vec<u64>,
    /// As a leader: when it last heard each member in this term, by its own clock.
    pub(super) heard: Vec<Instant>,
    /// As a leader: until when it surely need not step down.
    pub(super) heard_until: Instant,
    /// As a leader: the match index of each member.
    pub(super) matched: Vec<u64>,
    /// To which life of each member its link stands.
    pub(super) lives: Vec<u64>,
    /// The last term in which a leader told it to stand.
    pub(super) told_to_stand: u64,
    /// For each member: the term and the end of its log when it last asked for a vote here, and for a pre-vote.
    pub(super) asked: Vec<[(u64, Position); 2]>,
}

impl Lore {
    pub(super) fn new<S: Stack>(plan: &Plan<Raft<S>>) -> Lore {
        let raft::Config { pre_vote, check_quorum, lease_reads, election_timeout, .. } = plan.config;
        Lore {
            rules: Rules { pre_vote, check_quorum, lease_reads, election_timeout },
            votes: HashMap::new(),
            pre_votes: HashMap::new(),
            contexts: HashSet::new(),
        }
    }
}

impl Known {
    pub(super) fn new(members: usize) -> Known {
        Known {
            open_votes: Vec::new(),
            heard: vec![Instant::ZERO; members],
            heard_until: Instant::ZERO,
            matched: vec![0; members],
            lives: vec![0; members],
            told_to_stand: 0,
            asked: vec![[(0, Position::ZERO); 2]; members],
        }
    }
}
