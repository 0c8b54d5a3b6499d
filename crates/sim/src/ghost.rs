//! What an all-seeing observer knows: kept outside the members, never lost in a crash.
//!
//! The ghost hears of everything that a member's protocol says ([`crate::watch`]), of every sync that the disk confirmed, of every
//! recovery, and of everything that a state machine applies. The invariants compare what they see with what it knows, and each does so
//! in constant time: a log is remembered as a hash of each of its prefixes.

use crate::history::{Fact, Histories};
use crate::invariant::{Invariant, Violation};
use crate::machine::Witness;
use crate::plan::Plan;
use crate::subject::Subject;
use crate::world::id;
use consensus::{Configuration, Instant, NodeId, Position, Promise, Role, Ticket};
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

/// The one ghost of a run.
pub(crate) type SharedGhost<P> = Rc<RefCell<Ghost<P>>>;

/// What there is to know.
pub(crate) struct Ghost<P: Subject> {
    pub(crate) seed: u64,
    /// The world's time.
    pub(crate) now: Instant,
    /// Steps of all members together.
    pub(crate) steps: u64,
    pub(crate) configuration: Configuration,
    pub(crate) members: Vec<Seen<P>>,
    /// Everything that was ever appended.
    pub(crate) histories: Histories,
    /// Every committed entry, from place 1.
    pub(crate) committed: Vec<Fact>,
    /// Who led an epoch (Raft: a term), in which of its lives.
    pub(crate) leaders: BTreeMap<u64, (NodeId, u64)>,
    /// The latest epoch that had a leader.
    pub(crate) last_led: u64,
    /// How often a leader began to lead.
    pub(crate) leader_changes: u64,
    /// For each operation: the place at which it was committed; 0 if it was not.
    pub(crate) operations: Vec<u64>,
    pub(crate) violation: Option<Violation>,
    /// What there is to know of this protocol only.
    pub(crate) lore: P::Lore,
}

/// What is known of a member.
pub(crate) struct Seen<P: Subject> {
    pub(crate) id: NodeId,
    /// Counts its lives.
    pub(crate) life: u64,
    pub(crate) alive: bool,
    pub(crate) term: u64,
    pub(crate) role: Role,
    /// The last place that it knows to be committed.
    pub(crate) commit: u64,
    /// The last place that its state machine holds.
    pub(crate) applied: u64,
    /// Its log, from place 1, as it asked for it to be persisted.
    pub(crate) log: Vec<Fact>,
    /// How much of that log is surely on its disk.
    pub(crate) synced: u64,
    pub(crate) promise: Promise,
    pub(crate) promise_synced: Promise,
    pub(crate) pending: VecDeque<Pending>,
    /// The last snapshot that it was told is durable.
    pub(crate) snapshot: u64,
    /// It lost what it had synced, all of it.
    pub(crate) stranger: bool,
    /// Some of what it had synced was damaged, and it has not been mended yet: it must abstain.
    pub(crate) damaged: bool,
    /// What it had synced then, and may have confirmed: a leader that does not know of the loss yet counts it, and does no wrong.
    pub(crate) lost: Vec<Fact>,
    /// What was committed when it started after that.
    pub(crate) owed: u64,
    /// What there is to know of a member of this protocol only.
    pub(crate) own: P::Known,
}

/// Something that a member asked to have persisted, not yet synced.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) ticket: Ticket,
    pub(crate) promise: Option<Promise>,
    /// The end of its log after that, or less, if it was truncated since.
    pub(crate) upto: u64,
}

impl<P: Subject> Seen<P> {
    fn new(id: NodeId, members: usize) -> Seen<P> {
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
            snapshot: 0,
            stranger: false,
            damaged: false,
            lost: Vec::new(),
            owed: 0,
            own: P::known(members),
        }
    }

    pub(crate) fn leads(&self) -> bool {
        self.role == Role::Leader
    }

    /// The end of its log.
    pub(crate) fn last(&self) -> Position {
        self.log.last().map_or(Position::ZERO, |fact| fact.position)
    }

    /// Whether it surely keeps the entry `fact` at `place`, and everything before it.
    pub(crate) fn keeps(&self, place: u64, fact: Fact) -> bool {
        self.synced >= place && self.log.get(place as usize - 1) == Some(&fact)
    }

    /// Whether it may have confirmed that entry: it keeps it, or kept it until its disk was damaged.
    pub(crate) fn may_have_confirmed(&self, place: u64, fact: Fact) -> bool {
        if self.damaged { self.lost.get(place as usize - 1) == Some(&fact) } else { self.keeps(place, fact) }
    }
}

impl<P: Subject> Ghost<P> {
    pub(crate) fn new(seed: u64, plan: &Plan<P>) -> Ghost<P> {
        let members = plan.members;
        Ghost {
            seed,
            now: Instant::ZERO,
            steps: 0,
            configuration: plan.configuration(),
            members: (0..members).map(|member| Seen::new(id(member), members)).collect(),
            histories: Histories::default(),
            committed: Vec::new(),
            leaders: BTreeMap::new(),
            last_led: 0,
            leader_changes: 0,
            operations: Vec::new(),
            violation: None,
            lore: P::lore(plan),
        }
    }

    /// A member stepped, and said so many things.
    pub(crate) fn count_step(&mut self, member: usize, outputs: usize) {
        self.steps += 1;
        if outputs > P::OUTPUTS_MAX {
            self.violate(Invariant::NoCrash, format!("member {} said {outputs} things in one step", member + 1));
        }
    }

    /// An invariant does not hold. The first violation counts: what follows may be its consequence.
    pub(crate) fn violate(&mut self, invariant: Invariant, what: impl Into<String>) {
        if self.violation.is_none() {
            let (seed, step, time) = (self.seed, self.steps, self.now);
            self.violation = Some(Violation { invariant, what: what.into(), seed, step, time });
        }
    }

    /// Which member of the cluster this is, in the order of ids; `None` for a stranger.
    pub(crate) fn member_of(&self, id: NodeId) -> Option<usize> {
        (id.0 >= 1 && id.0 <= self.members.len() as u64).then(|| id.0 as usize - 1)
    }

    pub(crate) fn majority(&self) -> usize {
        self.configuration.majority()
    }

    /// The place at which an operation was committed, if it was.
    pub(crate) fn committed_at(&self, op: u64) -> Option<u64> {
        self.operations.get(op as usize).copied().filter(|&place| place > 0)
    }
}

impl<P: Subject> Witness for RefCell<Ghost<P>> {
    fn applied(&self, member: usize, position: Position, op: u64, digest: Option<u64>) {
        self.borrow_mut().machine_applied(member, position, op, digest);
    }

    fn epoch(&self, member: usize) -> u64 {
        self.borrow().members[member].term
    }

    fn time(&self) -> Instant {
        self.borrow().now
    }
}
