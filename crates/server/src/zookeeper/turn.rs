//! The loop around the replica: it gathers all that has happened, lets the replica think, and carries out what it wants.
//!
//! Everything that is ready is handled before anything is carried out, so that what goes to one server, and what goes to the log,
//! goes together.

use super::disk::{DataCommand, DiskEvent, LogCommand, Snapshotting};
use super::election::Election;
use super::engine::{Effect, Event};
use super::error::StopError;
use super::inbox::{ConnectionId, PeerEvent};
use super::member::{Asked, Clients, Core, Outcome, Told};
use super::metrics::Tally;
use super::quorum::Quorum;
use crate::clock::wall;
use consensus::{How, Instant, Link, NodeId, Persist, Position, Reader, Snapshot};
use replica::Token;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::task::{Context, Poll};
use std::time::Duration;
use storage::Disk;
use storage::zookeeper::DurableSnapshot;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::{Sleep, sleep};
use tracing::{error, info};
use zab::{Message, Notification, Packet};

/// At most so many of each kind are taken at a time.
const BATCH: usize = 1024;
/// So many notes wait for the journal. What is decided while a disk hangs longer than that stands in the log only.
const NOTES_MAX: usize = 1024;

/// What comes in, beside what clients want.
pub(crate) struct Inputs<D: Disk> {
    pub(crate) peers: mpsc::UnboundedReceiver<PeerEvent>,
    pub(crate) disk: mpsc::UnboundedReceiver<DiskEvent<D>>,
}

/// Where things go.
pub(crate) struct Outputs<D: Disk> {
    pub(crate) clients: Rc<dyn Clients>,
    pub(crate) election: Rc<Election>,
    pub(crate) quorum: Rc<Quorum>,
    pub(crate) log: Sender<LogCommand<D>>,
    pub(crate) data: Sender<DataCommand<D>>,
    pub(crate) snapshotting: Snapshotting<D>,
}

/// The loop.
pub(crate) struct Turns<D: Disk> {
    core: Rc<Core>,
    inputs: Inputs<D>,
    outputs: Outputs<D>,
    /// The newest snapshot of this server.
    newest: Option<DurableSnapshot<D>>,
    /// The connections that are believed in. Nothing is heard of any other.
    connections: BTreeMap<(NodeId, Link), ConnectionId>,
    /// The last connection that there was when the link to a peer was last closed: what is still to be heard of it is void.
    void: BTreeMap<NodeId, ConnectionId>,
    /// What peers want to be read, once they have taken what was read before.
    fetches: BTreeMap<NodeId, consensus::Fetch>,
    handing_over: BTreeMap<Token, oneshot::Sender<Outcome>>,
    notes: Arc<Semaphore>,
    effects: Vec<Effect>,
    /// Where in `effects` clients began to be served, or were served no more.
    serving: Vec<(usize, bool)>,
    was_ready: bool,
    tally: Tally,
    timer: Pin<Box<Sleep>>,
    timer_at: Instant,
}

/// What was gathered in one go.
struct Batch<D: Disk> {
    peers: Vec<PeerEvent>,
    disk: Vec<DiskEvent<D>>,
    asked: Asked,
    timeout: bool,
}

impl<D: Disk> Turns<D> {
    pub(crate) fn new(core: Rc<Core>, inputs: Inputs<D>, outputs: Outputs<D>, newest: Option<DurableSnapshot<D>>) -> Turns<D> {
        Turns {
            core,
            inputs,
            outputs,
            newest,
            connections: BTreeMap::new(),
            void: BTreeMap::new(),
            fetches: BTreeMap::new(),
            handing_over: BTreeMap::new(),
            notes: Arc::new(Semaphore::new(NOTES_MAX)),
            effects: Vec::new(),
            serving: Vec::new(),
            was_ready: false,
            tally: Tally::default(),
            timer: Box::pin(sleep(Duration::ZERO)),
            timer_at: Instant::ZERO,
        }
    }

    /// Runs until the disk fails or the log holds what cannot be understood.
    pub(crate) async fn run(mut self) -> StopError {
        let mut batch = Batch { peers: Vec::new(), disk: Vec::new(), asked: Asked::default(), timeout: false };
        loop {
            self.set_timer();
            poll_fn(|cx| self.poll_gather(&mut batch, cx)).await;
            if let Err(stop) = self.turn(&mut batch) {
                error!(%stop, "stopping");
                return stop;
            }
        }
    }

    fn poll_gather(&mut self, batch: &mut Batch<D>, cx: &mut Context<'_>) -> Poll<()> {
        // A queue whose other ends are all gone is always ready, with nothing.
        let took = |poll: Poll<usize>| matches!(poll, Poll::Ready(count) if count > 0);
        let peers = took(self.inputs.peers.poll_recv_many(cx, &mut batch.peers, BATCH));
        let disk = took(self.inputs.disk.poll_recv_many(cx, &mut batch.disk, BATCH));
        let asked = match self.core.poll_asked(cx) {
            Poll::Ready(asked) => {
                batch.asked = asked;
                true
            }
            Poll::Pending => false,
        };
        batch.timeout = self.timer_at != Instant::NEVER && self.timer.as_mut().poll(cx).is_ready();
        if peers || disk || asked || batch.timeout { Poll::Ready(()) } else { Poll::Pending }
    }

    fn set_timer(&mut self) {
        let deadline = self.core.replica.borrow().deadline();
        if deadline == self.timer_at {
            return;
        }
        self.timer_at = deadline;
        if let Some(at) = self.core.clock().timer(deadline) {
            self.timer.as_mut().reset(at);
        }
    }

    fn turn(&mut self, batch: &mut Batch<D>) -> Result<(), StopError> {
        // What the disk says first: it releases what was withheld. What other servers say before what clients want: it may decide
        // where that goes.
        for event in batch.disk.drain(..) {
            self.on_disk(event)?;
        }
        for event in batch.peers.drain(..) {
            self.on_peer(event);
        }
        self.on_asked(std::mem::take(&mut batch.asked));
        if batch.timeout {
            // The timer rings once; whatever the deadline is then, it is set anew.
            self.timer_at = Instant::ZERO;
            let due = self.core.replica.borrow().deadline() <= self.core.clock().now();
            if due {
                self.handle(Event::Timeout);
            }
        }
        while !self.effects.is_empty() || !self.serving.is_empty() {
            self.carry_out()?;
        }
        self.outputs.quorum.flush();
        self.tally.on_applied(&mut self.core.metrics.borrow_mut(), self.core.status().applied);
        self.outputs.clients.on_settled();
        Ok(())
    }

    fn handle(&mut self, event: Event) {
        let mut replica = self.core.replica.borrow_mut();
        let before = replica.serving();
        replica.handle(self.core.clock().now(), wall(), event, &mut self.effects);
        let serving = replica.serving();
        if serving != before {
            self.serving.push((self.effects.len(), serving));
        }
    }

    fn on_disk(&mut self, event: DiskEvent<D>) -> Result<(), StopError> {
        match event {
            DiskEvent::Persisted { ticket, took, count } => {
                self.tally.on_synced(&mut self.core.metrics.borrow_mut(), took, count);
                self.handle(Event::Persisted(ticket));
            }
            DiskEvent::Fetched { reader, entries } => self.handle(Event::Fetched { reader, entries }),
            DiskEvent::ChunkWritten => self.handle(Event::SnapshotChunkWritten),
            DiskEvent::Saved(durable) => {
                self.tally.on_saved(&mut self.core.metrics.borrow_mut(), self.core.clock().now());
                let snapshot = self.snapshot(durable.position());
                self.newest = Some(durable);
                self.handle(Event::SnapshotSaved(snapshot));
            }
            DiskEvent::Installed { position, tree } => {
                info!(zxid = format_args!("{:x}", position.zxid()), "the leader's snapshot is in force");
                let snapshot = self.snapshot(position);
                self.handle(Event::Installed { snapshot, machine: *tree });
            }
            DiskEvent::Failed(stop) => return Err(stop),
        }
        Ok(())
    }

    fn snapshot(&self, position: Position) -> Snapshot {
        Snapshot { position, configuration: self.core.protocol().configuration().clone() }
    }

    fn on_peer(&mut self, event: PeerEvent) {
        match event {
            PeerEvent::Connected { peer, link: Link::Quorum, connection } if self.is_void(peer, connection) => {}
            PeerEvent::Connected { peer, link, connection } => {
                self.forget(peer, link, How::Lost);
                info!(%peer, ?link, "connected");
                self.connections.insert((peer, link), connection);
                self.handle(Event::Connected { peer, link, incarnation: 0 });
            }
            PeerEvent::Ended { peer, link, connection, how } => {
                if self.believes(peer, link, connection) {
                    info!(%peer, ?link, ?how, "disconnected");
                    self.forget(peer, link, how);
                }
            }
            // By now another attempt may be on its way.
            PeerEvent::Unreachable { peer, link: Link::Quorum, .. } if self.outputs.quorum.is_dialing(peer) => {}
            PeerEvent::Unreachable { peer, link, how } => self.handle(Event::Disconnected { peer, link, how }),
            PeerEvent::Said { peer, link, connection, messages, room } => {
                drop(room);
                for message in messages {
                    // What it has said may have been its last word.
                    if self.believes(peer, link, connection) {
                        self.handle(Event::Receive { from: peer, message });
                    }
                }
            }
            PeerEvent::SnapshotComes { peer, connection } => {
                // It may take longer than silence may last. A PING, which nobody answers at that stage, says that its leader lives.
                if self.believes(peer, Link::Quorum, connection) {
                    let alive = Packet::Ping { last: Position::ZERO, touched: Vec::new() };
                    self.handle(Event::Receive { from: peer, message: Message::Packet(alive) });
                }
            }
            PeerEvent::SnapshotArrived { peer, connection, message } => {
                if self.believes(peer, Link::Quorum, connection) {
                    self.handle(Event::SnapshotArrived { from: peer, message });
                }
            }
            PeerEvent::SnapshotSent { to, connection, delivered } => {
                if self.believes(to, Link::Quorum, connection) {
                    self.handle(Event::SnapshotSent { to, delivered });
                }
            }
            PeerEvent::Drained { peer, connection } => {
                if self.believes(peer, Link::Quorum, connection)
                    && let Some(fetch) = self.fetches.remove(&peer)
                {
                    self.tell_data(DataCommand::Fetch(fetch));
                }
            }
            PeerEvent::Stranger { sid, room } => {
                drop(room);
                let notification = {
                    let protocol = self.core.protocol();
                    Notification { state: protocol.state(), vote: protocol.vote(), round: protocol.round() }
                };
                self.outputs.election.send(sid, &notification);
            }
        }
    }

    /// Whether a link was closed before this server heard of it.
    fn is_void(&self, peer: NodeId, connection: ConnectionId) -> bool {
        self.void.get(&peer).is_some_and(|&void| connection <= void)
    }

    fn believes(&self, peer: NodeId, link: Link, connection: ConnectionId) -> bool {
        self.connections.get(&(peer, link)) == Some(&connection)
    }

    /// A connection is believed in no more.
    fn forget(&mut self, peer: NodeId, link: Link, how: How) {
        if self.connections.remove(&(peer, link)).is_some() {
            let fetch = if link == Link::Quorum { self.fetches.remove(&peer) } else { None };
            self.handle(Event::Disconnected { peer, link, how });
            // What was not read yet is answered all the same: until then nothing more is asked for this peer, come back or not.
            if let Some(consensus::Fetch { reader, .. }) = fetch {
                self.handle(Event::Fetched { reader, entries: Vec::new() });
            }
        }
    }

    /// Writes that were asked for together are proposed together, questions are confirmed together.
    fn on_asked(&mut self, asked: Asked) {
        let Asked { writes, queries, notes, hand_over } = asked;
        for note in notes {
            self.handle(Event::TellOfSessions(note));
        }
        if !writes.is_empty() {
            self.handle(Event::Requests(writes));
        }
        if !queries.is_empty() {
            self.handle(Event::Queries(queries));
        }
        for (token, tell) in hand_over {
            self.handing_over.insert(token, tell);
            self.handle(Event::TransferLeadership { token, to: None });
        }
    }

    fn carry_out(&mut self) -> Result<(), StopError> {
        let mut persists = Vec::new();
        let mut effects = std::mem::take(&mut self.effects);
        let mut serving = std::mem::take(&mut self.serving).into_iter().peekable();
        for (index, effect) in effects.drain(..).enumerate() {
            while let Some((_, serving)) = serving.next_if(|&(at, _)| at <= index) {
                self.serve(serving);
            }
            self.carry_out_one(effect, &mut persists)?;
        }
        for (_, serving) in serving {
            self.serve(serving);
        }
        if self.effects.is_empty() {
            self.effects = effects;
        }
        self.persist(&mut persists);
        Ok(())
    }

    fn carry_out_one(&mut self, effect: Effect, persists: &mut Vec<Persist>) -> Result<(), StopError> {
        match effect {
            Effect::Persist(persist) => {
                self.tally.on_persist(&mut self.core.metrics.borrow_mut(), &persist);
                persists.push(persist);
            }
            Effect::Send { to, message: Message::Notification(notification) } => {
                self.outputs.election.send(to.0 as i64, &notification);
            }
            Effect::Send { to, message: Message::Packet(packet) } => self.outputs.quorum.send(to, &packet),
            Effect::Fetch(fetch) => self.fetch(fetch),
            Effect::Connect { peer, link: Link::Quorum } => {
                // Whatever this peer was before, it is the leader now.
                self.connections.remove(&(peer, Link::Quorum));
                self.void.insert(peer, self.outputs.quorum.newest());
                self.outputs.quorum.connect(peer);
            }
            // The election's connections are opened when there is something to say.
            Effect::Connect { .. } => {}
            Effect::Disconnect { peer, link: Link::Quorum } => {
                self.void.insert(peer, self.outputs.quorum.newest());
                self.outputs.quorum.close(peer);
                self.forget(peer, Link::Quorum, How::Lost);
            }
            Effect::Disconnect { .. } => {}
            Effect::Answer { token, answer } => match self.handing_over.remove(&token) {
                Some(tell) => drop(tell.send(answer)),
                None => self.outputs.clients.on_answer(token, answer),
            },
            Effect::WriteSnapshot { snapshot, chunk } => {
                self.tally.on_snapshot(self.core.clock().now());
                self.tell_data(DataCommand::Write { position: snapshot.position, chunk });
            }
            Effect::FinishSnapshot(snapshot) => self.tell_data(DataCommand::Finish(snapshot.position)),
            Effect::CutLog { .. } => {
                if let Some(covered) = self.newest.clone() {
                    self.persist(persists);
                    self.tell_log(LogCommand::Cut(covered));
                }
            }
            Effect::SendSnapshot { to, message } => {
                self.core.metrics.borrow_mut().snap_count += 1;
                self.send_snapshot(to, &message);
            }
            Effect::InstallSnapshot { snapshot, entries } => {
                self.persist(persists);
                let arrived = self.outputs.snapshotting.take_arrived();
                // The protocol asks once for each that arrived, and a later one arrives only after that.
                let arrived = arrived.filter(|arrived| arrived.sealed.position() == snapshot.position).ok_or_else(|| {
                    StopError::Data(format!("the snapshot of {} that was to be put into force is gone", snapshot.position))
                })?;
                self.tell_data(DataCommand::Merge { arrived, entries });
            }
            Effect::Happened { position, events } => self.outputs.clients.on_happened(position, events),
            Effect::HeardOfSession(note) => self.outputs.clients.on_session(note),
            Effect::DiscardSnapshot => {
                if let Some(arrived) = self.outputs.snapshotting.take_arrived() {
                    arrived.sealed.discard()?;
                }
            }
            Effect::ChangeRole { epoch, role } => {
                let leader = role.leader(self.core.config().me()).map(|NodeId(leader)| leader);
                info!(epoch, %role, leader, "role");
                self.tally.on_role(&mut self.core.metrics.borrow_mut(), self.core.clock().now(), role);
            }
            Effect::Explain(decision) => self.explain(&decision),
            Effect::Stop(why) => return Err(StopError::Data(why)),
        }
        Ok(())
    }

    fn serve(&mut self, serving: bool) {
        self.core.serving.set(serving);
        self.tally.on_serving(&mut self.core.metrics.borrow_mut(), self.core.clock().now(), serving);
        if serving && !self.was_ready {
            self.was_ready = true;
            info!("ready to serve client requests");
        }
        self.outputs.clients.on_serving(serving);
    }

    fn persist(&self, persists: &mut Vec<Persist>) {
        if !persists.is_empty() {
            self.tell_log(LogCommand::Persist(std::mem::take(persists)));
        }
    }

    /// What a learner catches up on is read as fast as the learner takes it.
    fn fetch(&mut self, fetch: consensus::Fetch) {
        match fetch.reader {
            Reader::Peer(peer) if !self.outputs.quorum.is_drained(peer) => {
                self.fetches.insert(peer, fetch);
            }
            _ => self.tell_data(DataCommand::Fetch(fetch)),
        }
    }

    fn send_snapshot(&mut self, to: NodeId, message: &Message) {
        let Message::Packet(packet @ Packet::Snapshot { position }) = message else {
            unreachable!("a snapshot goes with the packet that names it");
        };
        let leaving = self.outputs.snapshotting.send(*position);
        self.outputs.quorum.send_snapshot(to, packet, leaving);
    }

    fn explain(&self, decision: &zab::Decision) {
        let (text, wall) = (decision.to_string(), wall().0);
        info!("{text}");
        let wall_ms = u64::try_from(wall.as_millis()).unwrap_or(u64::MAX);
        self.core.note_decision(Told { wall_ms, text: text.clone() });
        if let Ok(room) = self.notes.clone().try_acquire_owned() {
            self.tell_data(DataCommand::Note { wall_ms, text, room });
        }
    }

    // A disk thread that is gone has said why, or is about to.
    fn tell_log(&self, command: LogCommand<D>) {
        let _ = self.outputs.log.send(command);
    }

    fn tell_data(&self, command: DataCommand<D>) {
        let _ = self.outputs.data.send(command);
    }
}
