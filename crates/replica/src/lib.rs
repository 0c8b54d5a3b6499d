//! One member of a cluster: events in, effects out.
//!
//! A [`Replica`] joins a [`Consensus`] protocol with a [`StateMachine`] and keeps the account of who waits for what. It has no
//! clock, no socket, no file and no thread: a driver (the server, the simulator) feeds it [`Event`]s and carries out its
//! [`Effect`]s, in order, each as soon as it likes.
//!
//! ```text
//!   request ──▶ request.rs ──▶ Consensus ──▶ Persist, Send ──▶ driver
//!                (prepare)         │
//!                                  ▼ Apply
//!   answer ◀── respond.rs ◀── apply.rs ──▶ StateMachine
//! ```
//!
//! What each file does for a write: `request` hands it to the leader or puts it into the log, `apply` turns the committed entry
//! into a response, `respond` knows whose it is, and refuses what will never be answered. `read` does the same for reads.
//! `due` keeps what clocks have brought about for the leader of this very term. `snapshot` takes snapshots piece by piece between other work.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod apply;
mod codec;
mod due;
mod event;
mod read;
mod request;
mod respond;
mod snapshot;
mod transfer;

pub use codec::{Codec, Decoded, RequestId, Undecodable};
pub use event::{Answer, Effect, Event, Refusal, Token};

use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec::Vec;
use consensus::{
    Configuration, Consensus, Dropped, Input, Instant, Link, NodeId, Output, Position, Role, Snapshot, StateMachine, Wall,
};
use core::time::Duration;
use due::Due;
use read::Reads;
use request::Unsent;
use respond::Waiting;
use snapshot::Taking;
use transfer::Transfer;

/// Settings of a replica.
#[derive(Clone, Debug)]
pub struct Options {
    /// A request or query without an answer for this long is refused. etcd: 5 s plus two election timeouts.
    pub request_timeout: Duration,
    /// What was forwarded over a link that was lost is refused after this long. An election timeout.
    pub lost_link_timeout: Duration,
    /// Bytes of requests that may wait for an answer; above, they are refused.
    pub waiting_bytes_max: usize,
    /// Bytes of commands that go into one proposal or one forwarded message.
    pub batch_bytes_max: usize,
    /// A snapshot is taken after this many entries …
    pub snapshot_entries: u64,
    /// … or after this many bytes of entries, whichever comes first.
    pub snapshot_bytes: u64,
    /// About how many bytes of a snapshot are made at a time, between other work.
    pub snapshot_chunk_bytes: usize,
    /// Entries before a snapshot that stay in the log for followers that lag.
    pub entries_kept: u64,
    /// Whether to put a known bug back.
    #[cfg(feature = "mutants")]
    pub mutant: Option<Mutant>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            request_timeout: Duration::from_secs(7),
            lost_link_timeout: Duration::from_secs(1),
            waiting_bytes_max: 64 << 20,
            batch_bytes_max: 1 << 20,
            snapshot_entries: 100_000,
            snapshot_bytes: 256 << 20,
            snapshot_chunk_bytes: 64 << 10,
            entries_kept: 5_000,
            #[cfg(feature = "mutants")]
            mutant: None,
        }
    }
}

/// A known bug that the simulator must find.
#[cfg(feature = "mutants")]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mutant {
    /// What was forwarded to a leader that died is forwarded to the next one as well.
    ForwardTwice,
    /// What time has brought about waits like what clients want, for whoever leads.
    ForwardDue,
}

/// What a replica knows about itself, for status pages and metrics.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Status {
    /// The epoch that it takes part in.
    pub epoch: u64,
    /// Its role.
    pub role: Role,
    /// Who leads, as far as it knows.
    pub leader: Option<NodeId>,
    /// The last position known to be committed.
    pub committed: Position,
    /// The last position applied.
    pub applied: Position,
    /// Requests that wait for an answer.
    pub pending: usize,
}

/// The effects of a replica over protocol `C` and machine `M`.
pub type Effects<C, M> =
    Vec<Effect<<C as Consensus>::Message, <C as Consensus>::Decision, <M as StateMachine>::Response, <M as StateMachine>::Event>>;

/// One member.
pub struct Replica<C: Consensus, M: StateMachine, K: Codec<Machine = M>> {
    me: NodeId,
    options: Options,
    consensus: C,
    machine: M,
    codec: K,

    now: Instant,
    wall: Wall,
    epoch: u64,
    role: Role,
    /// Whether the machine was told that this member leads.
    leading: bool,
    /// Whether clients could be served when last looked.
    served: bool,
    /// Members to whom a link stands that carries requests.
    linked: BTreeSet<NodeId>,
    configuration: Configuration,

    unsent: Unsent<M::Request>,
    due: Due<M::Request>,
    waiting: Waiting,
    reads: Reads<M::Query>,
    transfer: Option<Transfer>,
    taking: Option<Taking<M::Cursor>>,
    /// What was applied since the last snapshot.
    since_snapshot: snapshot::Since,

    /// What the protocol said and was not yet carried out. A queue, so that what a nested step says comes after what was said
    /// before: messages to one peer leave in order.
    outputs: VecDeque<Output<C::Message, C::Decision>>,
    scratch: Vec<Output<C::Message, C::Decision>>,
    /// The machine holds this, but the protocol has not been told yet: catching up goes on with the next event.
    owed: Option<Position>,
    applied_this_event: usize,
    stopped: bool,
}

impl<C: Consensus, M: StateMachine, K: Codec<Machine = M>> Replica<C, M, K> {
    /// A member that starts with what it found on its disk: `machine` holds the newest snapshot (or nothing), and `consensus` knows
    /// the log. `configuration` is the one in force at `machine.applied()`.
    pub fn new(me: NodeId, consensus: C, machine: M, codec: K, configuration: Configuration, options: Options) -> Self {
        Replica {
            me,
            options,
            epoch: consensus.epoch(),
            consensus,
            machine,
            codec,
            now: Instant::ZERO,
            wall: Wall::default(),
            role: Role::Follower { leader: None },
            leading: false,
            served: false,
            linked: BTreeSet::new(),
            configuration,
            unsent: Unsent::default(),
            due: Due::new(),
            waiting: Waiting::default(),
            reads: Reads::default(),
            transfer: None,
            taking: None,
            since_snapshot: snapshot::Since::default(),
            outputs: VecDeque::new(),
            scratch: Vec::new(),
            owed: None,
            applied_this_event: 0,
            stopped: false,
        }
    }

    /// Takes one event and appends what follows from it to `effects`.
    pub fn handle(
        &mut self,
        now: Instant,
        wall: Wall,
        event: Event<C::Message, M, M::Request, M::Query>,
        effects: &mut Effects<C, M>,
    ) {
        if self.stopped {
            return;
        }
        // What a driver has gathered happens at one instant and is one turn, however many events it is.
        if now > self.now || matches!(event, Event::Timeout) {
            self.reads.begin_turn();
        }
        (self.now, self.wall) = (now, wall);
        self.machine.tell_time(now, wall);
        self.applied_this_event = 0;
        self.answer_ready(effects);
        match event {
            Event::Timeout => self.step(Input::Timeout),
            Event::Receive { from, message } => self.step(Input::Receive { from, message }),
            Event::Connected { peer, link, incarnation } => {
                if carries_requests(link) {
                    self.linked.insert(peer);
                }
                self.step(Input::Connected { peer, link, incarnation });
            }
            Event::Disconnected { peer, link, how } => {
                if carries_requests(link) {
                    self.linked.remove(&peer);
                }
                if carries_requests(link) && self.leader() == Some(peer) {
                    self.waiting.hurry_forwarded(now + self.options.lost_link_timeout);
                }
                self.step(Input::Disconnected { peer, link, how });
            }
            Event::Requests(requests) => self.on_requests(requests, effects),
            Event::Queries(queries) => self.on_queries(queries, effects),
            Event::LocalQuery(token, query) => self.on_local_query(token, query, effects),
            Event::Persisted(ticket) => self.step(Input::Persisted { ticket }),
            Event::Fetched { reader, entries } => self.step(Input::Fetched { reader, entries }),
            Event::SnapshotChunkWritten => self.continue_snapshot(effects),
            Event::SnapshotSaved(snapshot) => self.on_snapshot_saved(snapshot, effects),
            Event::Durable(snapshot) => self.cut_log(snapshot, effects),
            Event::SnapshotSent { to, delivered } => self.step(Input::SnapshotSent { to, delivered }),
            Event::SnapshotArrived { from, message } => self.step(Input::SnapshotArrived { from, message }),
            Event::Installed { snapshot, machine } => self.on_installed(snapshot, machine, effects),
            Event::TellOfSessions(note) => self.tell_of_sessions(note, effects),
            Event::TransferLeadership { token, to } => self.on_transfer(token, to, effects),
        }
        if let Some(position) = self.owed.take() {
            self.step(Input::Applied { position });
        }
        self.collect_due();
        self.settle(effects);
        let serving = self.consensus.serving();
        if self.served && !serving {
            self.refuse_all(effects);
        }
        self.served = serving;
        self.refuse_overdue(effects);
    }

    /// When to handle `Event::Timeout` if nothing else comes first.
    pub fn deadline(&self) -> Instant {
        if self.stopped {
            return Instant::NEVER;
        }
        if self.owed.is_some() {
            return Instant::ZERO;
        }
        let transfer = self.transfer.as_ref().map_or(Instant::NEVER, |transfer| transfer.deadline);
        let clients = self.waiting.deadline().min(self.unsent.deadline()).min(self.reads.deadline()).min(transfer);
        self.consensus.deadline().min(self.due_deadline()).min(clients)
    }

    /// Whether queries that take turns ([`StateMachine::takes_turns`]) are to be refused for now, when it is theirs: the driver holds
    /// as much of answers as it can, and nobody takes them.
    pub fn shed_queries(&mut self, shedding: bool) {
        self.reads.shed(shedding);
    }

    /// What this member knows about itself.
    pub fn status(&self) -> Status {
        Status {
            epoch: self.epoch,
            role: self.role,
            leader: self.leader(),
            committed: self.consensus.committed(),
            applied: self.machine.applied(),
            pending: self.waiting.len() + self.unsent.len(),
        }
    }

    /// Whether clients may be served: see [`Consensus::serving`].
    pub fn serving(&self) -> bool {
        self.served
    }

    /// The protocol, to look at.
    pub fn consensus(&self) -> &C {
        &self.consensus
    }

    /// The state machine, to look at.
    pub fn machine(&self) -> &M {
        &self.machine
    }

    /// The state machine, for housekeeping that no command and no client could tell: what is replicated is changed by
    /// [`StateMachine::apply`] alone.
    pub fn machine_mut(&mut self) -> &mut M {
        &mut self.machine
    }

    /// What a snapshot of this moment would stand for.
    pub fn standing(&self) -> Snapshot {
        Snapshot { position: self.machine.applied(), configuration: self.configuration.clone() }
    }

    fn leader(&self) -> Option<NodeId> {
        self.role.leader(self.me)
    }

    fn step(&mut self, input: Input<C::Message>) {
        self.consensus.step(self.now, input, &mut self.scratch);
        self.outputs.extend(self.scratch.drain(..));
    }

    /// Carries out what the protocol said, hands over what can be handed over, until there is nothing left to do.
    fn settle(&mut self, effects: &mut Effects<C, M>) {
        loop {
            while let Some(output) = self.outputs.pop_front() {
                self.carry_out(output, effects);
            }
            self.hand_over();
            if self.outputs.is_empty() || self.stopped {
                return;
            }
        }
    }

    fn carry_out(&mut self, output: Output<C::Message, C::Decision>, effects: &mut Effects<C, M>) {
        match output {
            Output::Persist(persist) => effects.push(Effect::Persist(persist)),
            Output::Send { to, message } => effects.push(Effect::Send { to, message }),
            Output::Apply { entries } => self.on_apply(entries, effects),
            Output::ReadReady { id } => self.on_read_ready(id, effects),
            Output::Drop { what, reason } => match what {
                Dropped::Read(id) => self.on_read_dropped(id, reason, effects),
                Dropped::Transfer => self.end_transfer(transfer::refusal(reason), effects),
                Dropped::Note => self.refuse_last_forwarded(effects),
                Dropped::Snapshot => effects.push(Effect::DiscardSnapshot),
                // `hand_over` proposes only where `next()` is `Some`, which promises acceptance.
                Dropped::Proposal => unreachable!("a proposal was dropped although next() was Some: {reason:?}"),
                Dropped::Reconfiguration => {}
            },
            Output::Fetch(fetch) => effects.push(Effect::Fetch(fetch)),
            Output::Connect { peer, link } => effects.push(Effect::Connect { peer, link }),
            Output::Disconnect { peer, link, .. } => effects.push(Effect::Disconnect { peer, link }),
            Output::SendSnapshot { to, message } => effects.push(Effect::SendSnapshot { to, message }),
            Output::InstallSnapshot { snapshot, entries } => self.on_install(snapshot, entries, effects),
            Output::Told { from, note } => self.on_told(from, note, effects),
            Output::ChangeRole { epoch, role } => self.on_role(epoch, role, effects),
            Output::Explain(decision) => effects.push(Effect::Explain(decision)),
        }
    }

    fn on_role(&mut self, epoch: u64, role: Role, effects: &mut Effects<C, M>) {
        let term_ended = role != Role::Leader || epoch != self.epoch;
        (self.epoch, self.role) = (epoch, role);
        if term_ended {
            self.due.clear();
        }
        if self.leading && term_ended {
            self.leading = false;
            self.machine.abandon();
        }
        self.note_leader_for_transfer(effects);
        effects.push(Effect::ChangeRole { epoch, role });
    }
}

/// Whether clients' writes are forwarded over it: ZooKeeper's servers speak of nothing but elections over the other.
fn carries_requests(link: Link) -> bool {
    link != Link::Election
}
