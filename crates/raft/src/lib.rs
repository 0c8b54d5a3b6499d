//! Raft, as a pure function of messages and time.
//!
//! This follows Diego Ongaro and John Ousterhout, "In Search of an Understandable Consensus Algorithm" (2014; cited as §), and
//! Ongaro's thesis "Consensus: Bridging Theory and Practice" (cited as thesis §), with the rules that etcd added in practice. It
//! speaks etcd's messages ([`Message`]), so that a member can serve beside etcd's own.
//!
//! ```text
//!                    higher term, leader heard, ballot lost
//!        ┌──────────────────────────────┬─────────────────────┐
//!        ▼                              │                     │
//!    Follower ──silence──▶ PreCandidate ──quorum──▶ Candidate ──quorum──▶ Leader
//!        ▲                                                                  │
//!        └──────────── higher term, quorum not heard, disk stuck ───────────┘
//! ```
//!
//! One door in and one out: [`Consensus::step`]. Every step looks at the time first, then at its input, and then settles what
//! follows: a role change, at most one write, the messages that need not wait for it, entries to apply, reads to answer. What must
//! wait for a sync waits in `disk`; so a driver carries out each output at once.
//!
//! | file | idea |
//! |---|---|
//! | `role` | what a member is, with the state of it |
//! | `election`, `vote` | standing for election; whom to vote for |
//! | `lease` | what voters promise the leader that they heard |
//! | `replicate`, `progress` | the leader's side of replication; what it knows of each follower |
//! | `append` | the follower's side |
//! | `abstain` | a member whose disk lost what it promised |
//! | `commit` | when entries are committed, and how they are applied |
//! | `read` | linearizable reads |
//! | `transfer`, `snapshot` | handing leadership over; members that lag behind the log |
//! | `history`, `cache` | the log: its terms, and its newest entries |
//! | `disk` | what is being written, and what waits for it |
//! | `decision` | why it did what it did |
//! | `invariant` | what is always true of one member |

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod abstain;
mod append;
mod cache;
mod commit;
mod config;
mod decision;
mod disk;
mod election;
mod history;
mod invariant;
mod lease;
mod message;
mod mutant;
mod progress;
mod read;
mod replicate;
mod role;
mod snapshot;
mod status;
mod transfer;
mod vote;

pub use config::{Config, Recovered};
pub use decision::{Ballot, Decision, Downfall, Refusal, Unfit, Why};
pub use message::{Body, Message};
#[cfg(feature = "mutants")]
pub use mutant::Mutant;
pub use progress::{Pace, Progress};

use abstain::Abstention;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use bytes::Bytes;
use cache::Cache;
use consensus::{
    Chance, Configuration, Consensus, DropReason, Dropped, EntryKind, Fetch, Input, Instant, NodeId, Note, Output, Position,
    Promise, Reader, Snapshot, Ticket,
};
use core::mem;
use disk::Disk;
use history::History;
use read::Reads;
use role::{Following, Role};
use snapshot::Hold;
use vote::Request;

type Out = Output<Message, Decision>;

/// Terms and indexes above this come from nobody sane; up to here one can add to them without care.
const NUMBER_MAX: u64 = 1 << 62;
/// Any term up to here is believed. No cluster gets there by elections; one that was lied to stands there and goes on.
const TERM_FREE: u64 = 1 << 61;
/// Above that, a message's term may be so far ahead and no further: a single lie cannot use up the terms that are left.
const LEAP_MAX: u64 = 1 << 32;

/// One member's part in Raft.
#[derive(Clone, Debug)]
pub struct Raft {
    config: Config,
    chance: Chance,
    /// The moment of the last step.
    now: Instant,

    // What must not be forgotten: see `disk`.
    term: u64,
    vote: Option<NodeId>,
    history: History,
    cache: Cache,
    disk: Disk,

    role: Role,
    configuration: Configuration,
    /// Which process answered for each peer when its link last came up.
    incarnations: BTreeMap<NodeId, u64>,
    /// With lease reads: nobody else gets this member's vote before.
    promised_until: Instant,
    abstention: Option<Abstention>,
    /// A transfer that the leader was asked for.
    forwarded_transfer: Option<(NodeId, Instant)>,

    committed: u64,
    applied: u64,
    /// The last entry that the state machine was handed and has not confirmed.
    applying: Option<u64>,
    /// Reads of old entries that are open.
    fetches: BTreeMap<Reader, Fetch>,
    reads: Reads,

    /// The newest snapshot.
    snapshot: Snapshot,
    /// Peers that a snapshot is being sent to.
    sending: BTreeSet<NodeId>,
    /// The log that stays for peers that are, or have just been, sent a snapshot.
    holds: BTreeMap<NodeId, Hold>,
    /// The snapshot that is being put into force.
    installing: Option<Snapshot>,

    /// Term and role as they were last shown.
    shown: (u64, consensus::Role),
    /// What this step says to peers.
    outbox: Vec<(NodeId, Message)>,
    /// What this step asks for.
    out: Vec<Out>,
}

impl Raft {
    /// A member that starts at `now` with what it found on its disk. `seed` spreads its election timeouts and names its reads; it
    /// must differ between members and between starts.
    pub fn new(config: Config, recovered: Recovered, seed: u64, now: Instant) -> Raft {
        let Recovered { promise, base, terms, last, applied, configuration } = recovered;
        assert!(
            base.index <= applied.index && applied.index <= last,
            "log {base}..={last} does not reach what is applied: {applied}"
        );
        let mut chance = Chance::new(seed);
        let reads = Reads::new(chance.draw());
        let committed = promise.committed.max(applied.index).min(last);
        let waiting = Following { leader: None, heard: now, election_at: Instant::NEVER, why: None, kept: BTreeMap::new() };
        let mut raft = Raft {
            // Who promised a lease before this start has forgotten it: wait it out. A member without a term promised nothing.
            promised_until: if promise.epoch > 0 || config.abstains { now + config.election_timeout } else { now },
            chance,
            now,
            term: promise.epoch,
            vote: promise.vote,
            history: History::new(base, terms, last),
            cache: Cache::new(last),
            disk: Disk::new(last, promise.committed),
            role: Role::Follower(waiting),
            snapshot: Snapshot { position: applied, configuration: configuration.clone() },
            configuration,
            incarnations: BTreeMap::new(),
            abstention: config.abstains.then(|| Abstention::new(now)),
            config,
            forwarded_transfer: None,
            committed,
            applied: applied.index,
            applying: None,
            fetches: BTreeMap::new(),
            reads,
            sending: BTreeSet::new(),
            holds: BTreeMap::new(),
            installing: None,
            shown: (promise.epoch, consensus::Role::Follower { leader: None }),
            outbox: Vec::new(),
            out: Vec::new(),
        };
        raft.become_follower(None);
        if raft.is_alone() {
            // There is nobody to wait for, and with the lease nobody to whom it was promised.
            raft.restart_election_timer_now();
        }
        raft.shown = (raft.term, raft.role.public());
        raft
    }
}

impl Consensus for Raft {
    type Message = Message;
    type Decision = Decision;

    fn step(&mut self, now: Instant, input: Input<Message>, out: &mut Vec<Out>) {
        mem::swap(&mut self.out, out);
        self.now = self.now.max(now);
        self.on_time();
        match input {
            Input::Timeout => {}
            Input::Receive { from, message } => self.receive(from, message),
            Input::Connected { peer, incarnation, .. } => {
                self.on_follower_connected(peer, incarnation);
                self.ask_again(peer);
            }
            Input::Disconnected { peer, how, .. } => {
                self.on_follower_disconnected(peer);
                self.on_leader_link_lost(peer, how);
            }
            Input::Propose { commands } => self.on_propose(commands),
            Input::Read { id } => self.on_read(id),
            Input::Persisted { ticket } => self.on_persisted(ticket),
            Input::Applied { position } => self.on_applied(position),
            Input::Fetched { reader, entries } => self.on_fetched(reader, entries),
            Input::SnapshotTaken { snapshot, cut } => self.on_snapshot_taken(snapshot, cut),
            Input::SnapshotSent { to, delivered } => self.on_snapshot_sent(to, delivered),
            Input::SnapshotArrived { from, message } => self.snapshot_arrived(from, message),
            Input::Installed { snapshot } => self.on_installed(snapshot),
            Input::Tell { to, note } => self.on_tell(to, note),
            Input::Reconfigure { .. } => self.decline(Dropped::Reconfiguration, DropReason::Unsupported),
            Input::TransferLeadership { to } => self.on_transfer_wanted(to),
        }
        self.settle();
        mem::swap(&mut self.out, out);
        if cfg!(debug_assertions) {
            self.check();
        }
    }

    fn deadline(&self) -> Instant {
        let transfer = self.forwarded_transfer.map_or(Instant::NEVER, |(_, until)| until);
        let reads = self.reads.deadline(self.config.heartbeat_interval);
        self.role_deadline().min(transfer).min(reads)
    }

    fn next(&self) -> Option<Position> {
        let leading = self.role.leading()?;
        let open = leading.transfer.is_none() && leading.uncommitted.bytes() < self.config.uncommitted_bytes_max;
        open.then(|| Position::new(self.term, self.history.last().index + 1))
    }

    fn epoch(&self) -> u64 {
        self.term
    }

    fn committed(&self) -> Position {
        self.history.position(self.committed).unwrap_or(self.history.base())
    }

    fn log_held_after(&self) -> u64 {
        let held = self.holds.values().filter(|hold| hold.until > self.now).map(|hold| hold.after);
        held.min().unwrap_or(u64::MAX)
    }
}

impl Raft {
    /// A message from a peer: first the rules that terms impose on all alike (§5.1), then the handler.
    fn receive(&mut self, from: NodeId, message: Message) {
        let Message { term, body } = message;
        if from == self.id() {
            return;
        }
        if !self.believes(term) {
            self.explain(Decision::Nonsense { from, what: "its term is beyond all counting" });
            // One that was lied to may be a little above, and must be met.
            if self.term < TERM_FREE && term <= NUMBER_MAX {
                self.adopt_term(TERM_FREE, from);
            }
            return;
        }
        match body {
            // These speak beside the terms.
            Body::Propose { proposals } => return self.on_forwarded(from, proposals),
            Body::ReadIndex { context } => return self.on_read_index(from, context),
            Body::TransferLeadership { to } if term <= self.term => return self.on_transfer_leadership(from, to),
            // Bytes that belong to a snapshot come through `SnapshotArrived`.
            Body::InstallSnapshot { .. } => {
                return self.explain(Decision::Nonsense { from, what: "a snapshot without its bytes" });
            }
            _ if term == 0 => return self.explain(Decision::Nonsense { from, what: "it has no term" }),
            _ => {}
        }
        if let Some(request) = request(from, term, &body) {
            let passes = matches!(body, Body::RequestVote { transfer: true, .. });
            return self.receive_request(request, passes);
        }
        let granted_pre_vote = matches!(body, Body::PreVote { granted: true });
        if granted_pre_vote {
            // Echoes the term that we asked for, which nobody has entered yet.
            if term == self.term + 1 {
                self.on_answer(from, Ballot::Pre, true);
            }
            return;
        }
        if term > self.term {
            self.adopt_term(term, from);
        } else if term < self.term {
            if matches!(body, Body::Append { .. } | Body::Heartbeat { .. }) {
                self.on_late_leader(from, term);
            }
            return;
        }
        self.dispatch(from, body);
    }

    /// A message of this very term.
    fn dispatch(&mut self, from: NodeId, body: Body) {
        let leads = self.role.leading().is_some();
        match body {
            Body::Append { .. } | Body::Heartbeat { .. } if !self.may_lead(from) => {
                self.explain(Decision::Nonsense { from, what: "it leads a term that has another leader" });
            }
            Body::Append { previous, entries, commit } => self.on_append(from, previous, entries, commit),
            Body::Heartbeat { commit, context } => self.on_heartbeat(from, commit, context),
            Body::Appended { upto } if leads => self.on_appended(from, upto),
            Body::Refused { previous, hint } if leads => self.on_refused(from, previous, hint),
            Body::HeartbeatAck { context } if leads => self.on_heartbeat_ack(from, &context),
            // Late answers to a role that was left.
            Body::Appended { .. } | Body::Refused { .. } | Body::HeartbeatAck { .. } => {}
            Body::PreVote { granted } => self.on_answer(from, Ballot::Pre, granted),
            Body::Vote { granted } => self.on_answer(from, Ballot::Real, granted),
            Body::ReadIndexReady { context, index } => {
                self.on_commit_confirmed(&context, index);
                self.on_read_index_ready(&context, index);
            }
            Body::TransferLeadership { to } => self.on_transfer_leadership(from, to),
            Body::TimeoutNow => self.on_timeout_now(from),
            // Handled before terms were compared.
            Body::RequestPreVote { .. }
            | Body::RequestVote { .. }
            | Body::InstallSnapshot { .. }
            | Body::Propose { .. }
            | Body::ReadIndex { .. } => {}
        }
    }

    fn receive_request(&mut self, request: Request, passes_leases: bool) {
        if request.term < self.term {
            return self.on_late_request(request);
        }
        if self.abstains() {
            let Request { candidate, term, ballot, .. } = request;
            return self.explain(Decision::RefusedVote { candidate, ballot, term, because: Refusal::Abstains });
        }
        if request.term > self.term {
            if let Some(because) = self.lease().filter(|_| !passes_leases) {
                return self.on_request_in_lease(request, because);
            }
            if request.ballot == Ballot::Real {
                self.adopt_term(request.term, request.candidate);
            }
        }
        if request.ballot == Ballot::Pre {
            self.yield_to_better(request);
        }
        self.on_request(request);
    }

    /// A snapshot's message, with its bytes here: the same rules of terms.
    fn snapshot_arrived(&mut self, from: NodeId, message: Message) {
        let Body::InstallSnapshot { snapshot } = message.body else {
            self.explain(Decision::Nonsense { from, what: "the bytes of a snapshot with another message" });
            return self.decline(Dropped::Snapshot, DropReason::Unsupported);
        };
        let position = snapshot.position;
        if !self.believes(message.term) || position.index > NUMBER_MAX || position.epoch > message.term {
            return self.refuse_snapshot(from, position.index, DropReason::Stale);
        }
        if message.term > self.term {
            self.adopt_term(message.term, from);
        } else if message.term < self.term {
            self.refuse_snapshot(from, snapshot.position.index, DropReason::Stale);
            return self.on_late_leader(from, message.term);
        }
        if !self.may_lead(from) {
            return self.refuse_snapshot(from, snapshot.position.index, DropReason::Stale);
        }
        self.on_snapshot_arrived(from, snapshot);
    }

    /// Whether a cluster can have come to a term.
    fn believes(&self, term: u64) -> bool {
        term <= TERM_FREE.max(self.term.saturating_add(LEAP_MAX)).min(NUMBER_MAX)
    }

    /// Whether `from` can be the leader of this term, as far as this member knows (Election Safety, §5.2).
    fn may_lead(&self, from: NodeId) -> bool {
        self.leader().is_none_or(|leader| leader == from)
    }

    /// A follower's clients want this in the log: the replica prepares and proposes it.
    fn on_forwarded(&mut self, from: NodeId, proposals: Vec<(EntryKind, Bytes)>) {
        if self.role.leading().is_none() {
            return self.explain(Decision::NotLeader { from, what: "proposal" });
        }
        self.out.push(Output::Told { from, note: Note::Request(proposals) });
    }

    /// Clients' writes for the leader, in as few messages as their size allows.
    fn on_tell(&mut self, to: NodeId, note: Note) {
        let Note::Request(requests) = note else { return self.decline(Dropped::Note, DropReason::Unsupported) };
        if to == self.id() {
            return self.decline(Dropped::Note, DropReason::BadTarget);
        }
        let mut proposals = Vec::new();
        let mut bytes = 0;
        for (kind, data) in requests {
            if !proposals.is_empty() && bytes + data.len() > self.config.message_bytes_max {
                self.send_beside_terms(to, Body::Propose { proposals: mem::take(&mut proposals) });
                bytes = 0;
            }
            bytes += data.len();
            proposals.push((kind, data));
        }
        if !proposals.is_empty() {
            self.send_beside_terms(to, Body::Propose { proposals });
        }
    }

    /// Everything up to `ticket` is on disk: what waited for it happens.
    fn on_persisted(&mut self, ticket: Ticket) {
        let free = self.disk.on_persisted(ticket);
        self.outbox.extend(free);
        self.end_abstention();
        self.count_own_vote();
        self.advance_commit();
        self.shrink_cache();
    }

    /// What follows from a step, in the order in which it is shown.
    fn settle(&mut self) {
        self.advance_reads();
        self.advance_abstention();
        let shown = (self.term, self.role.public());
        if shown != self.shown {
            self.shown = shown;
            self.out.push(Output::ChangeRole { epoch: shown.0, role: shown.1 });
        }
        // Only what is synced already: this write might be torn between the promise and the entries that it counts on.
        let committed = self.committed.min(self.disk.synced());
        let promise = Promise { epoch: self.term, current: 0, vote: self.vote, committed };
        if let Some(persist) = self.disk.flush(self.now, promise) {
            self.out.push(Output::Persist(persist));
        }
        for (to, message) in self.outbox.drain(..) {
            self.out.push(Output::Send { to, message });
        }
        self.advance_apply();
        self.release_reads();
    }

    /// Says something in this term, once the term is on disk.
    fn send(&mut self, to: NodeId, body: Body) {
        self.send_at(self.term, to, body, self.disk.promised_by());
    }

    /// Says something once `until` is on disk.
    fn send_at(&mut self, term: u64, to: NodeId, body: Body, until: Ticket) {
        let message = Message { term, body };
        if self.disk.is_synced(until) {
            self.outbox.push((to, message));
        } else {
            self.disk.withhold(until, to, message);
        }
    }

    /// Says something that promises nothing and belongs to no term.
    fn send_beside_terms(&mut self, to: NodeId, body: Body) {
        self.outbox.push((to, Message { term: 0, body }));
    }

    fn explain(&mut self, decision: Decision) {
        self.out.push(Output::Explain(decision));
    }

    /// Says that something asked for will not happen.
    fn decline(&mut self, what: Dropped, reason: DropReason) {
        self.out.push(Output::Drop { what, reason });
    }
}

/// The request for a vote or a pre-vote that a message is, if it is one.
fn request(candidate: NodeId, term: u64, body: &Body) -> Option<Request> {
    let (last, ballot) = match *body {
        Body::RequestPreVote { last } => (last, Ballot::Pre),
        Body::RequestVote { last, .. } => (last, Ballot::Real),
        _ => return None,
    };
    Some(Request { candidate, term, last, ballot })
}
