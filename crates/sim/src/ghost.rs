//! What an all-seeing observer knows: kept outside the members, never lost in a crash.
//!
//! The ghost hears of everything that a member's protocol says ([`crate::watch`]), of every sync that the disk confirmed, of every
//! recovery, and of everything that a state machine applies. The invariants compare what they see with what it knows, and each does so
//! in constant time: a log is remembered as a hash of each of its prefixes.

use crate::invariant::{Invariant, Violation};
use crate::machine::mix;
use consensus::{Configuration, Entry, Instant, NodeId, Position, Promise, Role, Ticket};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

/// The one ghost of a run.
pub(crate) type SharedGhost = Rc<RefCell<Ghost>>;

/// What there is to know.
#[derive(Debug)]
pub(crate) struct Ghost {
    pub(crate) seed: u64,
    /// The world's time.
    pub(crate) now: Instant,
    /// Steps of all members together.
    pub(crate) steps: u64,
    pub(crate) rules: Rules,
    pub(crate) configuration: Configuration,
    pub(crate) members: Vec<Seen>,
    /// Every committed entry, from index 1.
    pub(crate) committed: Vec<Fact>,
    /// The digest of a machine that applied everything up to an index, from index 1.
    pub(crate) digests: Vec<u64>,
    /// Who led a term, in which of its lives.
    pub(crate) leaders: BTreeMap<u64, (NodeId, u64)>,
    /// The latest term that had a leader.
    pub(crate) last_led: u64,
    /// How often a leader began to lead.
    pub(crate) leader_changes: u64,
    /// (term, member): whom it voted for, and whether that is synced.
    pub(crate) votes: HashMap<(u64, usize), (NodeId, bool)>,
    /// (term, candidate): who granted it a pre-vote for that term.
    pub(crate) pre_votes: HashMap<(u64, usize), u64>,
    /// For each index: the hash of the prefix that ends there, for each term seen there.
    pub(crate) prefixes: Vec<Vec<(u64, u64)>>,
    /// For each operation: the index at which it was committed; 0 if it was not.
    pub(crate) operations: Vec<u64>,
    /// Contexts of read-index requests that were used.
    pub(crate) contexts: HashSet<(usize, u64)>,
    pub(crate) violation: Option<Violation>,
}

/// Which rules the cluster plays by.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) pre_vote: bool,
    pub(crate) check_quorum: bool,
    pub(crate) lease_reads: bool,
    pub(crate) election_timeout: Duration,
}

/// One entry, as the ghost remembers it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Fact {
    pub(crate) term: u64,
    /// A hash of everything up to and including it.
    pub(crate) prefix: u64,
    /// The operation that it carries; 0 if none.
    pub(crate) op: u64,
}

/// What is known of a member.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) id: NodeId,
    /// Counts its lives.
    pub(crate) life: u64,
    pub(crate) alive: bool,
    pub(crate) term: u64,
    pub(crate) role: Role,
    pub(crate) commit: u64,
    /// The last index that its state machine holds.
    pub(crate) applied: u64,
    /// Its log, from index 1, as it asked for it to be persisted.
    pub(crate) log: Vec<Fact>,
    /// How much of that log is surely on its disk.
    pub(crate) synced: u64,
    pub(crate) promise: Promise,
    pub(crate) promise_synced: Promise,
    pub(crate) pending: VecDeque<Pending>,
    /// Terms in which it voted, not yet synced.
    pub(crate) open_votes: Vec<u64>,
    /// The last snapshot that it was told is durable.
    pub(crate) snapshot: u64,
    /// As a leader: when it last heard each member in this term, by its own clock.
    pub(crate) heard: Vec<Instant>,
    /// As a leader: until when it surely need not step down.
    pub(crate) heard_until: Instant,
    /// As a leader: the match index of each member.
    pub(crate) matched: Vec<u64>,
    /// To which life of each member its link stands.
    pub(crate) lives: Vec<u64>,
    /// The last term in which a leader told it to stand.
    pub(crate) told_to_stand: u64,
    /// For each member: the term and the end of its log when it last asked for a vote here, and for a pre-vote.
    pub(crate) asked: Vec<[(u64, Position); 2]>,
    /// It lost what it had synced, all of it.
    pub(crate) stranger: bool,
    /// Some of what it had synced was damaged, and it has not been mended yet: it must abstain.
    pub(crate) damaged: bool,
    /// What it had synced then, and may have confirmed: a leader that does not know of the loss yet counts it, and does no wrong.
    pub(crate) lost: Vec<Fact>,
    /// What was committed when it started after that.
    pub(crate) owed: u64,
}

/// Something that a member asked to have persisted, not yet synced.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) ticket: Ticket,
    pub(crate) promise: Option<Promise>,
    /// The end of its log after that, or less, if it was truncated since.
    pub(crate) upto: u64,
}

impl Seen {
    fn new(id: NodeId, members: usize) -> Seen {
        Seen {
            id,
            life: 0,
            alive: false,
            term: 0,
            role: Role::Follower { leader: None },
            commit: 0,
            applied: 0,
            log: Vec::new(),
            synced: 0,
            promise: Promise::default(),
            promise_synced: Promise::default(),
            pending: VecDeque::new(),
            open_votes: Vec::new(),
            snapshot: 0,
            heard: vec![Instant::ZERO; members],
            heard_until: Instant::ZERO,
            matched: vec![0; members],
            lives: vec![0; members],
            told_to_stand: 0,
            asked: vec![[(0, Position::ZERO); 2]; members],
            stranger: false,
            damaged: false,
            lost: Vec::new(),
            owed: 0,
        }
    }

    pub(crate) fn leads(&self) -> bool {
        self.role == Role::Leader
    }

    /// The end of its log.
    pub(crate) fn last(&self) -> Position {
        self.log.last().map_or(Position::ZERO, |fact| Position::new(fact.term, self.log.len() as u64))
    }

    /// Whether it surely keeps the entry `fact` at `index`, and everything before it.
    pub(crate) fn keeps(&self, index: u64, fact: Fact) -> bool {
        self.synced >= index && self.log.get(index as usize - 1) == Some(&fact)
    }

    /// Whether it may have confirmed that entry: it keeps it, or kept it until its disk was damaged.
    pub(crate) fn may_have_confirmed(&self, index: u64, fact: Fact) -> bool {
        if self.damaged { self.lost.get(index as usize - 1) == Some(&fact) } else { self.keeps(index, fact) }
    }
}

impl Ghost {
    pub(crate) fn new(seed: u64, members: usize, rules: Rules) -> Ghost {
        let id = |index| NodeId(index as u64 + 1);
        Ghost {
            seed,
            now: Instant::ZERO,
            steps: 0,
            rules,
            configuration: Configuration::of((0..members).map(id)),
            members: (0..members).map(|index| Seen::new(id(index), members)).collect(),
            committed: Vec::new(),
            digests: Vec::new(),
            leaders: BTreeMap::new(),
            last_led: 0,
            leader_changes: 0,
            votes: HashMap::new(),
            pre_votes: HashMap::new(),
            prefixes: Vec::new(),
            operations: Vec::new(),
            contexts: HashSet::new(),
            violation: None,
        }
    }

    /// An invariant does not hold. The first violation counts: what follows may be its consequence.
    pub(crate) fn violate(&mut self, invariant: Invariant, what: impl Into<String>) {
        if self.violation.is_none() {
            let (seed, step, time) = (self.seed, self.steps, self.now);
            self.violation = Some(Violation { invariant, what: what.into(), seed, step, time });
        }
    }

    /// A member of the cluster by its place in the order of ids; `None` for a stranger.
    pub(crate) fn place(&self, id: NodeId) -> Option<usize> {
        (id.0 >= 1 && id.0 <= self.members.len() as u64).then(|| id.0 as usize - 1)
    }

    pub(crate) fn majority(&self) -> usize {
        self.configuration.majority()
    }

    /// The index at which an operation was committed, if it was.
    pub(crate) fn committed_at(&self, op: u64) -> Option<u64> {
        self.operations.get(op as usize).copied().filter(|&index| index > 0)
    }

    /// The digest of a machine that holds everything up to `index`, if any machine ever did.
    pub(crate) fn digest(&self, index: u64) -> Option<u64> {
        if index == 0 { Some(0) } else { self.digests.get(index as usize - 1).copied() }
    }
}

/// The hash of a prefix that ends with `entry`, after the prefix `before`.
pub(crate) fn prefix(before: u64, entry: &Entry) -> u64 {
    let mut hash = mix(mix(before, entry.position.epoch), entry.position.index);
    let mut words = entry.data.chunks_exact(8);
    for word in &mut words {
        hash = mix(hash, u64::from_le_bytes(word.try_into().expect("a chunk of eight")));
    }
    for &byte in words.remainder() {
        hash = mix(hash, u64::from(byte));
    }
    mix(hash, entry.data.len() as u64)
}
