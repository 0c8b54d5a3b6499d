//! ZooKeeper's Fast Leader Election and Zab, as a pure function of messages and time.
//!
//! This follows Flavio Junqueira, Benjamin Reed and Marco Serafini, "Zab: High-performance broadcast for primary-backup systems"
//! (2011; cited as Zab paper), as ZooKeeper's servers practise it since 3.4 ("Zab 1.0", cited by class and method), so that a
//! server can serve beside Java's.
//!
//! ```text
//!   phase 0   election          who has the best history?            3888, notifications
//!   phase 1   discovery         a quorum promises the next epoch     2888, FOLLOWERINFO … ACKEPOCH
//!   phase 2   synchronization   a quorum takes the leader's history  2888, DIFF | TRUNC | SNAP … NEWLEADER, UPTODATE
//!   phase 3   broadcast         PROPOSAL, ACK, COMMIT                2888
//! ```
//!
//! One door in and one out: [`Consensus::step`]. Every step looks at the time first, then at its input, and then settles what
//! follows: at most one write, the messages that need not wait for it, entries to apply, reads to answer. What must wait for a sync
//! waits in `disk`; so a driver carries out each output at once.
//!
//! What a driver should know beyond `consensus`: after `Output::Disconnect` it need not report the link's end. A link to the leader
//! that could not be made is reported like one that was lost. `Fetch` for a peer is answered when that peer's link has taken
//! what was sent before: this is what keeps a learner that lags from filling the memory.
//!
//! | file | idea |
//! |---|---|
//! | `role` | what a server is, and how it becomes something else |
//! | `election`, `vote` | Fast Leader Election |
//! | `lead`, `watch` | the leader: discovery and establishment; limits and pings |
//! | `learner`, `sync` | what it knows of a learner; how it brings one up to date |
//! | `broadcast` | its proposals and commits |
//! | `follow`, `catch_up` | the learner: discovery; synchronization and broadcast |
//! | `apply`, `tell` | what reaches the state machine; what is asked beside the log |
//! | `history`, `disk` | the log's newest part; what is being written, and what waits for it |
//! | `decision`, `reason` | why it did what it did |
//! | `invariant` | what is always true of one server |

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod apply;
mod broadcast;
mod catch_up;
mod config;
mod decision;
mod disk;
mod election;
mod follow;
mod history;
mod invariant;
mod lead;
mod learner;
mod message;
mod mutant;
mod reason;
mod role;
mod status;
mod sync;
mod tell;
mod vote;
mod watch;

pub use config::{Config, Recovered};
pub use decision::Decision;
pub use message::{Message, Notification, Packet, State};
#[cfg(feature = "mutants")]
pub use mutant::Mutant;
pub use reason::{Believed, Dismissal, Downfall, Leaving, Step, Sync};
pub use status::LearnerStatus;
pub use vote::Vote;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use apply::Reading;
use broadcast::packet_to;
use consensus::{
    Chance, Consensus, DropReason, Dropped, Input, Instant, Link, NodeId, Note, Output, Position, Promise, Reader, Ticket,
};
use core::mem;
use disk::Disk;
use election::Looking;
use history::History;
use role::{Early, Is};
use sync::Asked;

type Out = Output<Message, Decision>;

/// Epochs are the high halves of zxids, which Java's servers compare as signed numbers.
const EPOCH_MAX: u64 = i32::MAX as u64;
/// Each election moves the epoch on by little. Whoever is so far ahead is not believed.
const EPOCH_LEAP_MAX: u64 = 1 << 24;

/// One thing leads to another within a step, but limits of no time at all would lead on without end.
const SETTLE_MAX: usize = 16;

/// One server's part in the election and in Zab.
#[derive(Clone, Debug)]
pub struct Zab {
    config: Config,
    chance: Chance,
    /// The moment of the last step.
    now: Instant,

    // What must not be forgotten: see `disk`.
    /// acceptedEpoch: the last epoch promised.
    accepted: u64,
    /// currentEpoch: the epoch whose leader shaped this server's history.
    current: u64,
    history: History,
    disk: Disk,
    /// Whether its data can be trusted.
    trusted: bool,
    /// The newest durable snapshot.
    snapshot: Position,

    is: Is,
    /// The logical clock.
    round: i64,
    /// The vote that stands, and its round.
    vote: Vote,
    vote_round: i64,
    /// Voters at whose election port no process listens.
    refused: BTreeSet<NodeId>,
    /// For whom it votes next, having handed leadership over.
    hands_over_to: Option<Vote>,
    /// An epoch that somebody has accepted who could not follow: the next one that this server begins lies beyond.
    epoch_floor: u64,
    /// Learners that came before it was known who leads.
    early: BTreeMap<NodeId, Early>,

    committed: Position,
    applied: Position,
    /// The last entry that the state machine was handed and has not confirmed.
    applying: Option<Position>,
    /// What is being read of the log for the machine.
    reading: Option<Reading>,
    /// Counts the connections of learners, so that what was asked for one is not given to the next.
    connections: u64,
    /// What is asked of the log for peers.
    asked: BTreeMap<NodeId, Asked>,
    /// Peers that a snapshot is being sent to.
    sending: BTreeSet<NodeId>,
    /// What the snapshot that is being put into force will hold.
    installing: Option<Position>,
    /// Sessions to tell the leader of with the next answer to a ping, and their time-outs.
    touched: BTreeMap<i64, i32>,

    /// Epoch and role as they were last shown.
    shown: (u64, consensus::Role),
    /// What this step says to peers.
    outbox: Vec<Out>,
    /// What this step asks for.
    out: Vec<Out>,
}

impl Zab {
    /// A server that starts at `now` with what it found on its disk, and looks for a leader. `seed` spreads the elections of
    /// observers.
    pub fn new(config: Config, recovered: Recovered, seed: u64, now: Instant) -> Zab {
        let Recovered { promise, snapshot, last, tail, before, trusted } = recovered;
        let history = History::new(before, tail);
        assert_eq!(history.last(), last, "the tail of the log does not end where the log ends");
        assert!(snapshot <= last, "the snapshot {snapshot} is later than everything: {last}");
        // Data without epochs (Java creates the files from the last zxid), or whose currentEpoch lags behind its log: a crash
        // between the sync of the transactions and that of currentEpoch, which is then still what counts.
        let accepted = promise.epoch.max(promise.current).max(last.epoch);
        Zab {
            config,
            chance: Chance::new(seed),
            now,
            accepted,
            current: promise.current,
            disk: Disk::new(last),
            history,
            trusted,
            snapshot,
            is: Is::Looking(Looking::new(now)),
            round: 0,
            vote: Vote::NOBODY,
            vote_round: 0,
            refused: BTreeSet::new(),
            hands_over_to: None,
            epoch_floor: 0,
            early: BTreeMap::new(),
            committed: snapshot,
            applied: snapshot,
            applying: None,
            reading: None,
            connections: 0,
            asked: BTreeMap::new(),
            sending: BTreeSet::new(),
            installing: None,
            touched: BTreeMap::new(),
            // What a replica believes of a protocol that has said nothing.
            shown: (accepted, consensus::Role::Follower { leader: None }),
            outbox: Vec::new(),
            out: Vec::new(),
        }
    }
}

impl Consensus for Zab {
    type Message = Message;
    type Decision = Decision;

    fn step(&mut self, now: Instant, input: Input<Message>, out: &mut Vec<Out>) {
        mem::swap(&mut self.out, out);
        self.now = self.now.max(now);
        self.on_time();
        match input {
            Input::Timeout => {}
            Input::Receive { from, message } => self.receive(from, message),
            Input::Connected { peer, link, .. } => self.on_connected(peer, link),
            Input::Disconnected { peer, link, how } => self.on_disconnected(peer, link, how),
            Input::Propose { commands } => self.on_propose(commands),
            Input::Read { id } => self.on_read(id),
            Input::Persisted { ticket } => self.on_persisted(ticket),
            Input::Applied { position } => self.on_applied(position),
            Input::Fetched { reader: Reader::Machine, entries } => self.on_fetched_for_machine(entries),
            Input::Fetched { reader: Reader::Peer(peer), entries } => self.on_fetched_for(peer, entries),
            Input::SnapshotTaken { snapshot, .. } => self.on_snapshot_taken(&snapshot),
            Input::SnapshotSent { to, delivered } => self.on_snapshot_sent(to, delivered),
            Input::SnapshotArrived { from, message } => self.on_snapshot_arrived(from, message),
            Input::Installed { snapshot } => self.on_installed(snapshot),
            Input::Tell { to, note } => self.on_tell(to, note),
            Input::Reconfigure { .. } => {
                self.out.push(Output::Drop { what: Dropped::Reconfiguration, reason: DropReason::Unsupported });
            }
            Input::TransferLeadership { to } => self.on_transfer_wanted(to),
        }
        self.settle();
        mem::swap(&mut self.out, out);
        if cfg!(debug_assertions) {
            self.check();
        }
    }

    fn deadline(&self) -> Instant {
        let role = match &self.is {
            Is::Looking(looking) => self.looking_deadline(looking),
            Is::Leading(leading) => self.leading_deadline(leading),
            Is::Following(following) => self.following_deadline(following),
        };
        role.min(self.early_deadline())
    }

    fn next(&self) -> Option<Position> {
        self.next_position()
    }

    fn epoch(&self) -> u64 {
        self.accepted
    }

    fn committed(&self) -> Position {
        self.committed
    }

    fn serving(&self) -> bool {
        self.is_serving()
    }
}

impl Zab {
    /// What time has brought.
    fn on_time(&mut self) {
        self.look_on_time();
        self.lead_on_time();
        self.follow_on_time();
        self.turn_away_early();
    }

    fn receive(&mut self, from: NodeId, message: Message) {
        if from == self.id() {
            return;
        }
        match message {
            Message::Notification(notification) => self.on_notification(from, notification),
            Message::Packet(packet) => match &mut self.is {
                Is::Leading(leading) if leading.learners.contains_key(&from) => {
                    if let Some(learner) = leading.learners.get_mut(&from) {
                        learner.heard = self.now;
                    }
                    self.on_learner_packet(from, packet);
                }
                Is::Following(following) if following.leader == from => {
                    following.heard = self.now;
                    self.on_leader_packet(from, packet);
                }
                _ => self.on_first_packet(from, packet),
            },
        }
    }

    /// A packet from a learner that this server leads.
    fn on_learner_packet(&mut self, from: NodeId, packet: Packet) {
        match packet {
            Packet::AckEpoch { current, last } => self.on_ack_epoch(from, current, last),
            Packet::Ack { position } => self.on_ack(from, position),
            Packet::Ping { last, touched } => self.on_ping_answer(from, last, touched),
            Packet::Revalidate(note) => self.on_revalidate(from, note),
            Packet::Request(request) => {
                self.on_learner_note(from, Note::Request(Vec::from([(consensus::EntryKind::Command, request)])));
            }
            Packet::SyncRequest => self.on_sync_request(from),
            _ => self.dismiss(from, Dismissal::Nonsense { what: "a packet that only leaders send" }),
        }
    }

    /// A packet from the leader that this server follows.
    fn on_leader_packet(&mut self, from: NodeId, packet: Packet) {
        let Is::Following(following) = &self.is else { return };
        if matches!(following.stage, follow::Stage::Connecting { .. }) {
            return;
        }
        match packet {
            Packet::LeaderInfo { epoch } => self.on_leader_info(epoch),
            Packet::Diff { upto } => self.on_diff(upto),
            Packet::Truncate { to } => self.on_truncate(to),
            Packet::NewLeader { epoch } => self.on_new_leader(epoch),
            Packet::UpToDate => self.on_up_to_date(),
            Packet::Proposal { entry } => self.on_proposal(entry),
            Packet::Commit { position } => self.on_commit(position),
            Packet::Inform { entry } => self.on_inform(entry),
            Packet::Ping { last, .. } => self.on_ping(last),
            Packet::Revalidate(note) => self.on_revalidate(from, note),
            Packet::Sync => self.on_sync(from),
            Packet::Activate { .. } => self.leave(Leaving::Nonsense { what: "it changes the configuration while all run" }),
            Packet::Snapshot { .. } => self.leave(Leaving::Nonsense { what: "a snapshot without its bytes" }),
            Packet::LearnerInfo { .. }
            | Packet::AckEpoch { .. }
            | Packet::Ack { .. }
            | Packet::Request(_)
            | Packet::SyncRequest => self.leave(Leaving::Nonsense { what: "a packet that only learners send" }),
        }
    }

    /// A packet from somebody who takes this server for its leader.
    fn on_first_packet(&mut self, from: NodeId, packet: Packet) {
        if !matches!(packet, Packet::LearnerInfo { .. }) {
            // Late words over a link that was closed.
            return self.explain(Decision::Nonsense { from, what: "a packet from nobody that it leads or follows" });
        }
        match &self.is {
            Is::Leading(_) => self.on_learner_info(from, packet),
            // Its election may end a moment later than the learner's did.
            Is::Looking(_) if self.is_voter(self.id()) => {
                let early = self.early.entry(from).or_insert(Early { since: self.now, info: None });
                early.info = Some(packet);
            }
            _ => self.turn_away(from, Dismissal::DoesNotLead),
        }
    }

    fn on_connected(&mut self, peer: NodeId, link: Link) {
        match (link, &self.is) {
            (Link::Election, _) => self.on_election_link(peer),
            (Link::Quorum, Is::Following(following)) if following.leader == peer => self.on_leader_link(),
            (Link::Quorum, Is::Following(_)) => self.turn_away(peer, Dismissal::DoesNotLead),
            (Link::Quorum, _) => {
                self.forget_learner(peer);
                self.early.insert(peer, Early { since: self.now, info: None });
            }
            (Link::Peer, _) => {}
        }
    }

    fn on_disconnected(&mut self, peer: NodeId, link: Link, how: consensus::How) {
        if link == Link::Quorum {
            // Nobody tells any more what became of a snapshot that was on its way: nothing of a connection is told after its end.
            self.sending.remove(&peer);
        }
        match (link, &self.is) {
            (Link::Election, _) if how == consensus::How::Refused => self.on_election_refused(peer),
            (Link::Quorum, Is::Following(following)) if following.leader == peer => self.on_leader_link_lost(how),
            (Link::Quorum, _) => {
                self.early.remove(&peer);
                self.forget_learner(peer);
            }
            _ => {}
        }
    }

    /// A learner's link is gone, and what it acknowledged over it counts no more: it may be told to cut it.
    fn forget_learner(&mut self, peer: NodeId) {
        self.disk.forget(peer);
        if let Is::Leading(leading) = &mut self.is {
            leading.learners.remove(&peer);
        }
    }

    fn early_deadline(&self) -> Instant {
        self.early.values().map(|early| early.since + self.config.patience()).min().unwrap_or(Instant::NEVER)
    }

    /// Who came too early is kept waiting for as long as Java's learners try to connect.
    fn turn_away_early(&mut self) {
        let waited = self.config.patience();
        let over = self.early.iter().filter(|(_, early)| self.now.since(early.since) >= waited);
        for peer in over.map(|(&peer, _)| peer).collect::<Vec<_>>() {
            self.turn_away(peer, Dismissal::CameTooEarly { waited });
        }
    }

    /// Everything up to `ticket` is on disk: what waited for it happens.
    fn on_persisted(&mut self, ticket: Ticket) {
        for (to, packet) in self.disk.on_persisted(ticket) {
            self.outbox.push(packet_to(to, packet));
        }
        self.lead_on_persisted();
        self.follow_on_persisted();
    }

    /// What follows from a step, in the order in which it is shown.
    fn settle(&mut self) {
        // What just began may have been due for long: whoever is elected while its disk hangs cannot lead.
        self.consider_voters_who_look();
        for _ in 0..SETTLE_MAX {
            if self.deadline() > self.now {
                break;
            }
            self.on_time();
        }
        self.advance_apply();
        self.let_serve();
        self.release_reads();
        self.show();
        let promise = Promise { epoch: self.accepted, current: self.current, vote: None, committed: 0 };
        if let Some(persist) = self.disk.flush(self.now, promise) {
            self.out.push(Output::Persist(persist));
        }
        self.out.append(&mut self.outbox);
        self.shrink_history();
    }

    fn send(&mut self, to: NodeId, packet: Packet) {
        self.outbox.push(packet_to(to, packet));
    }

    /// Sends a packet once `until` is on disk.
    fn send_after(&mut self, until: Ticket, to: NodeId, packet: Packet) {
        if self.disk.is_synced(until) {
            self.send(to, packet);
        } else {
            self.disk.withhold(until, to, packet);
        }
    }

    fn explain(&mut self, decision: Decision) {
        self.out.push(Output::Explain(decision));
    }
}
