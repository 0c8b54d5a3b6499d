//! The loop around the replica: it gathers all that has happened, lets the replica think, and carries out what it wants.
//!
//! Everything that is ready is handled before anything is carried out, so that what goes to one peer, and what goes to the log,
//! goes together.

use super::clock::{Clock, wall};
use super::disk::{Behind, DataCommand, DiskEvent, LogCommand, Snapshotting, is_deaf, is_full, is_refusing};
use super::door::{Ask, Outcome, What, done};
use super::engine::{Effect, Event, Replica};
use super::error::StopError;
use super::kin::Kin;
use super::metrics::Metrics;
use super::peer::Transport;
use super::peer::inbox::PeerEvent;
use super::peer::snapshot::{self, Turn};
use super::quota::Quota;
use super::status::Board;
use super::sweeper::{Sweeper, Wish};
use super::unsent::{Held, Unsent};
use super::watch::Desk;
use consensus::{Instant, Link, NodeId, Snapshot, StateMachine, Wall};
use replica::{Answer, Refusal, Token};
use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::task::{Context, Poll};
use std::time::Duration;
use storage::Disk;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::{Sleep, sleep};
use tracing::{error, info};

/// At most so many of each kind are taken at a time.
const BATCH: usize = 1024;

/// How long a peer that could not be sent a snapshot waits for the next attempt.
const SNAPSHOT_PAUSE: Duration = Duration::from_secs(1);

/// So many notes wait for the journal. What is decided while a disk hangs longer than that stands in the log only.
const NOTES_MAX: usize = 1024;

/// What comes in.
pub(crate) struct Inputs<D: Disk> {
    pub(crate) peers: mpsc::UnboundedReceiver<PeerEvent>,
    pub(crate) disk: mpsc::UnboundedReceiver<DiskEvent<D>>,
    pub(crate) asks: mpsc::UnboundedReceiver<Ask>,
}

/// Where things go.
pub(crate) struct Outputs<D: Disk> {
    pub(crate) me: NodeId,
    pub(crate) transport: Arc<Transport>,
    pub(crate) log: Sender<LogCommand<D>>,
    pub(crate) data: Sender<DataCommand<D>>,
    pub(crate) snapshotting: Arc<Snapshotting<D>>,
    /// For what this task starts itself and hears of later.
    pub(crate) peers: mpsc::UnboundedSender<PeerEvent>,
    pub(crate) board: Board,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) quota: Arc<Quota>,
    pub(crate) unsent: Unsent,
}

/// The task.
pub(crate) struct ReplicaTask<D: Disk> {
    replica: Replica<D>,
    clock: Clock,
    /// When this turn began.
    now: Instant,
    wall: Wall,
    watches: Desk,
    inputs: Inputs<D>,
    outputs: Outputs<D>,
    behind: Behind,
    /// Held until what the protocol says to a snapshot that arrived was carried out.
    arrived: Option<Turn>,
    /// Who waits until everything up to an index is in the data file.
    settling: Vec<(u64, oneshot::Sender<Outcome>)>,
    kin: Kin,
    sweeper: Sweeper,
    waiting: HashMap<Token, Waiting>,
    next_token: u64,
    notes: Arc<Semaphore>,
    effects: Vec<Effect>,
    timer: Pin<Box<Sleep>>,
    timer_at: Instant,
}

struct Waiting {
    answer: oneshot::Sender<Outcome>,
    held: Held,
    way: Way,
}

/// Who has to agree to an answer, as far as failures are counted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The log takes it.
    Log,
    /// The quorum confirms it.
    Quorum,
    /// Nobody else is asked.
    Here,
}

/// What was gathered in one go.
struct Batch<D: Disk> {
    peers: Vec<PeerEvent>,
    disk: Vec<DiskEvent<D>>,
    asks: Vec<Ask>,
    timeout: bool,
}

impl<D: Disk> ReplicaTask<D> {
    pub(crate) fn new(
        mut replica: Replica<D>,
        clock: Clock,
        watches: Desk,
        inputs: Inputs<D>,
        outputs: Outputs<D>,
        snapshot_count: u64,
    ) -> ReplicaTask<D> {
        let sweeper = Sweeper::new(outputs.metrics.clone());
        let configuration = replica.standing().configuration;
        let kin =
            Kin::among(configuration.voters.into_iter().chain(configuration.learners).filter(|&member| member != outputs.me));
        replica.machine_mut().keep_lease_checkpoints(kin.is_alone());
        ReplicaTask {
            behind: Behind::new(replica.machine().applied(), snapshot_count),
            arrived: None,
            settling: Vec::new(),
            replica,
            now: clock.now(),
            wall: wall(),
            clock,
            watches,
            inputs,
            outputs,
            kin,
            sweeper,
            waiting: HashMap::new(),
            next_token: 0,
            notes: Arc::new(Semaphore::new(NOTES_MAX)),
            effects: Vec::new(),
            timer: Box::pin(sleep(Duration::ZERO)),
            timer_at: Instant::ZERO,
        }
    }

    /// Runs until the disk fails or the log holds what cannot be understood.
    pub(crate) async fn run(mut self) -> StopError {
        let mut batch = Batch { peers: Vec::new(), disk: Vec::new(), asks: Vec::new(), timeout: false };
        loop {
            self.gather(&mut batch).await;
            if let Err(stop) = self.take(&mut batch) {
                error!(%stop, "stopping");
                return stop;
            }
            if self.replica.deadline() == Instant::ZERO {
                // It goes on at once, but connections take what they were answered first, and bring what peers sent.
                tokio::task::yield_now().await;
            }
        }
    }

    /// Waits until there is something, then takes all there is.
    async fn gather(&mut self, batch: &mut Batch<D>) {
        self.set_timer();
        poll_fn(|cx| self.poll_gather(batch, cx)).await;
    }

    fn poll_gather(&mut self, batch: &mut Batch<D>, cx: &mut Context<'_>) -> Poll<()> {
        // A queue whose other ends are all gone is always ready, with nothing.
        let took = |poll: Poll<usize>| matches!(poll, Poll::Ready(count) if count > 0);
        // What peers send waits outside while the data file lags too far behind: it would end up in memory.
        let peers = !is_deaf(self.replica.machine()) && took(self.inputs.peers.poll_recv_many(cx, &mut batch.peers, BATCH));
        let disk = took(self.inputs.disk.poll_recv_many(cx, &mut batch.disk, BATCH));
        let asks = took(self.inputs.asks.poll_recv_many(cx, &mut batch.asks, BATCH));
        let watches = self.watches.poll(cx);
        batch.timeout = self.timer_at != Instant::NEVER && self.timer.as_mut().poll(cx).is_ready();
        let sweep = self.sweeper.poll(cx);
        if peers || disk || asks || watches || batch.timeout || sweep { Poll::Ready(()) } else { Poll::Pending }
    }

    fn set_timer(&mut self) {
        let deadline = self.replica.deadline().min(self.behind.deadline()).min(self.watches.deadline());
        if deadline == self.timer_at {
            return;
        }
        self.timer_at = deadline;
        if let Some(at) = self.clock.timer(deadline) {
            self.timer.as_mut().reset(at);
        }
    }

    fn take(&mut self, batch: &mut Batch<D>) -> Result<(), StopError> {
        // All that was gathered happens at once.
        (self.now, self.wall) = (self.clock.now(), wall());
        let applied = self.replica.status().applied;
        let asked = !batch.asks.is_empty();
        self.replica.shed_queries(self.outputs.unsent.is_full());
        // What the disk says first: it releases what was withheld. What peers say before what clients want: it may decide where
        // that goes.
        for event in batch.disk.drain(..) {
            self.on_disk(event)?;
        }
        for event in batch.peers.drain(..) {
            self.on_peer(event);
        }
        self.on_asks(&mut batch.asks);
        if batch.timeout {
            // The timer rings once; whatever the deadline is then, it is set anew.
            self.timer_at = Instant::ZERO;
            if self.replica.deadline() <= self.now {
                self.handle(Event::Timeout);
            }
        }
        let busy = asked || self.replica.status().applied != applied;
        if self.replica.status().applied != applied {
            self.outputs.metrics.applied(self.clock.now().since(self.now));
        }
        self.look_for_fault()?;
        self.carry_out()?;
        self.tell_watchers()?;
        let room = !is_full(self.replica.machine());
        self.sweeper.turn(self.replica.machine_mut(), busy, room);
        self.look_for_fault()?;
        self.sweeper.hand_out();
        self.flush();
        self.note_status();
        Ok(())
    }

    /// Lets watchers see what was applied, before anything is swept up.
    fn tell_watchers(&mut self) -> Result<(), StopError> {
        let machine = self.replica.machine();
        if let Some(want) = self.watches.turn(machine, self.replica.status().leader.is_some()) {
            self.tell_data(DataCommand::ReadPage { reader: machine.values().pages(), want });
        }
        self.look_for_fault()?;
        self.watches.hand_out();
        Ok(())
    }

    /// What was answered from a data file that cannot be read must not leave this member.
    fn look_for_fault(&mut self) -> Result<(), StopError> {
        match self.replica.machine_mut().values_mut().take_fault() {
            Some(fault) => Err(fault.into()),
            None => Ok(()),
        }
    }

    /// Hands over what the machine changed, when it is time.
    fn flush(&mut self) {
        let hurry = !self.settling.is_empty() || self.sweeper.is_hurried();
        if self.behind.is_due(self.clock.now(), self.replica.machine(), hurry) {
            let standing = self.replica.standing();
            let flushing = self.behind.begin(standing, self.replica.machine_mut());
            self.tell_data(DataCommand::Flush(flushing));
        }
        if !hurry {
            return;
        }
        let settled = self.behind.is_settled(self.replica.machine());
        let applied = self.replica.machine().applied();
        self.sweeper.tell(settled, applied);
        let durable = self.behind.durable().index;
        for (_, answer) in self.settling.extract_if(.., |(index, _)| *index <= durable) {
            // Whoever has gone away needs no answer.
            let _ = answer.send(done(applied));
        }
    }

    fn handle(&mut self, event: Event<D>) {
        self.replica.handle(self.now, self.wall, event, &mut self.effects);
    }

    fn on_disk(&mut self, event: DiskEvent<D>) -> Result<(), StopError> {
        match event {
            DiskEvent::Persisted(ticket) => self.handle(Event::Persisted(ticket)),
            DiskEvent::Fetched { reader, entries } => self.handle(Event::Fetched { reader, entries }),
            DiskEvent::Flushed(durable) => {
                self.sweeper.on_flushed();
                if let Some(standing) = self.behind.on_flushed(durable, self.replica.machine_mut()) {
                    self.handle(Event::Durable(standing));
                }
            }
            DiskEvent::Page(page) => self.watches.supply(page),
            DiskEvent::Installed { snapshot, mut machine } => {
                // The machine that goes may have answered something in this very turn.
                self.look_for_fault()?;
                info!(index = snapshot.position.index, "a peer's snapshot is in force");
                self.behind.on_installed(snapshot.position);
                self.outputs.snapshotting.set_file(machine.values().file().clone());
                machine.succeed(self.replica.machine());
                self.handle(Event::Installed { snapshot, machine: *machine });
                self.sweeper.begin_anew();
            }
            DiskEvent::Failed(stop) => return Err(stop),
        }
        Ok(())
    }

    fn on_peer(&mut self, event: PeerEvent) {
        let me = self.outputs.me;
        match event {
            PeerEvent::Received { from, message, room } => {
                drop(room);
                self.handle(Event::Receive { from, message });
            }
            PeerEvent::Connected { peer, incarnation } => {
                info!(%peer, "connected");
                self.outputs.metrics.peer_connected(me, peer);
                self.kin.meet(peer, incarnation);
                self.replica.machine_mut().keep_lease_checkpoints(self.kin.is_alone());
                self.handle(Event::Connected { peer, link: Link::Peer, incarnation });
            }
            PeerEvent::Disconnected { peer, how } => {
                info!(%peer, ?how, "disconnected");
                self.outputs.metrics.peer_disconnected(me, peer);
                self.handle(Event::Disconnected { peer, link: Link::Peer, how });
            }
            PeerEvent::SnapshotSent { to, delivered } => {
                self.outputs.metrics.snapshot_sent(to, delivered);
                self.handle(Event::SnapshotSent { to, delivered });
            }
            PeerEvent::SnapshotArrived { from, message, turn } => {
                self.arrived = Some(turn);
                self.handle(Event::SnapshotArrived { from, message });
            }
        }
    }

    /// Writes that arrived together are proposed together, reads are confirmed together.
    fn on_asks(&mut self, asks: &mut Vec<Ask>) {
        let (mut writes, mut reads) = (Vec::new(), Vec::new());
        let refusing = is_refusing(self.replica.machine());
        for Ask { what, answer, held } in asks.drain(..) {
            match what {
                What::Write(_) if refusing => {
                    let token = self.wait(answer, held, Way::Log);
                    self.answer(token, Answer::Refused(Refusal::TooManyRequests));
                }
                What::Write(command) => writes.push((self.wait(answer, held, Way::Log), command)),
                What::Read(query) => reads.push((self.wait(answer, held, Way::Quorum), query)),
                What::ReadHere(query) => {
                    let token = self.wait(answer, held, Way::Here);
                    self.handle(Event::LocalQuery(token, query));
                }
                What::Transfer(to) => {
                    let token = self.wait(answer, held, Way::Log);
                    self.handle(Event::TransferLeadership { token, to });
                }
                What::Settle => self.settling.push((self.replica.machine().applied().index, answer)),
                What::Swept => self.sweeper.tell_when_swept(answer),
                What::HashAll => self.sweeper.hash(Wish::Everything, answer),
                What::Hash(revision) => self.sweeper.hash(Wish::History(revision), answer),
            }
        }
        if !writes.is_empty() {
            self.handle(Event::Requests(writes));
        }
        if !reads.is_empty() {
            self.handle(Event::Queries(reads));
        }
    }

    fn wait(&mut self, answer: oneshot::Sender<Outcome>, held: Held, way: Way) -> Token {
        self.next_token += 1;
        let token = Token(self.next_token);
        self.waiting.insert(token, Waiting { answer, held, way });
        token
    }

    fn carry_out(&mut self) -> Result<(), StopError> {
        let mut persists = Vec::new();
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain(..) {
            match effect {
                Effect::Persist(persist) => persists.push(persist),
                Effect::Send { to, message } => self.outputs.transport.send(to, message),
                Effect::Fetch(fetch) => self.tell_data(DataCommand::Fetch(fetch)),
                // Raft's links stand by themselves.
                Effect::Connect { .. } | Effect::Disconnect { .. } => {}
                Effect::Answer { token, answer } => self.answer(token, answer),
                Effect::WriteSnapshot { .. } | Effect::FinishSnapshot(_) => {
                    unreachable!("the data file is all the snapshot there is")
                }
                Effect::CutLog { upto } => {
                    if let Some(covered) = self.behind.newest() {
                        self.persist(&mut persists);
                        self.tell_log(LogCommand::Cut { upto, covered });
                    }
                }
                Effect::SendSnapshot { to, message } => self.send_snapshot(to, message),
                Effect::InstallSnapshot { snapshot, .. } => {
                    self.persist(&mut persists);
                    self.install(&snapshot)?;
                }
                Effect::Happened { .. } | Effect::HeardOfSession(_) => unreachable!("the keyspace emits neither"),
                Effect::DiscardSnapshot => {
                    if let Some((_, sealed)) = self.outputs.snapshotting.take_arrived() {
                        sealed.discard()?;
                    }
                }
                Effect::ChangeRole { epoch, role } => {
                    let leader = role.leader(self.outputs.me).map(tracing::field::display);
                    info!(term = epoch, %role, leader, "role");
                }
                Effect::Explain(decision) => self.explain(&decision),
                Effect::Stop(why) => return Err(StopError::Log(why)),
            }
        }
        self.effects = effects;
        self.persist(&mut persists);
        self.arrived = None;
        Ok(())
    }

    fn persist(&self, persists: &mut Vec<consensus::Persist>) {
        if !persists.is_empty() {
            self.tell_log(LogCommand::Persist(std::mem::take(persists)));
        }
    }

    fn answer(&mut self, token: Token, answer: Outcome) {
        let Some(waiting) = self.waiting.remove(&token) else { return };
        if matches!(answer, Answer::Refused(_)) {
            let slow = matches!(answer, Answer::Refused(Refusal::TimedOut | Refusal::ConnectionLost));
            match waiting.way {
                Way::Log => self.outputs.metrics.proposal_failed(),
                Way::Quorum => self.outputs.metrics.read_failed(slow),
                Way::Here => {}
            }
        }
        // It counts before the next ones are made.
        if let Answer::Applied(_, Ok(answer)) | Answer::Read(_, Ok(answer)) = &answer {
            waiting.held.count(&self.outputs.unsent, answer.bytes());
        }
        // A client that has gone away needs no answer.
        let _ = waiting.answer.send(answer);
    }

    fn send_snapshot(&self, to: NodeId, message: raft::Message) {
        let (transport, source) = (self.outputs.transport.clone(), self.outputs.snapshotting.clone());
        let events = self.outputs.peers.clone();
        tokio::spawn(async move {
            let delivered = snapshot::send(transport, to, message, source).await;
            if !delivered {
                // The protocol tries again at once; what failed now will most likely fail then.
                sleep(SNAPSHOT_PAUSE).await;
            }
            let _ = events.send(PeerEvent::SnapshotSent { to, delivered });
        });
    }

    fn install(&mut self, snapshot: &Snapshot) -> Result<(), StopError> {
        match self.outputs.snapshotting.take_arrived() {
            Some((arrived, sealed)) if arrived == *snapshot => {
                self.behind.on_install();
                self.tell_log(LogCommand::Install { snapshot: arrived, sealed: Box::new(sealed) });
                Ok(())
            }
            // The protocol asks at once or never, and until then no other one is taken in.
            _ => {
                Err(StopError::Log(format!("the snapshot of entry {} that was to be put into force is gone", snapshot.position)))
            }
        }
    }

    fn explain(&self, decision: &raft::Decision) {
        let (text, wall) = (decision.to_string(), wall().0);
        info!("{text}");
        let wall_ms = u64::try_from(wall.as_millis()).unwrap_or(u64::MAX);
        self.outputs.board.note_decision(wall, text.clone());
        if let Ok(room) = self.notes.clone().try_acquire_owned() {
            self.tell_data(DataCommand::Note { wall_ms, text, room });
        }
    }

    fn note_status(&self) {
        let revision = self.replica.machine().revision();
        self.outputs.quota.note(self.replica.machine().bytes());
        if self.outputs.board.note(self.replica.status(), revision) {
            self.outputs.metrics.leader_changed();
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
