//! What the machine does beside commands: it sweeps up after compactions, and takes checksums that somebody asked for.
//!
//! Both read or free much, so they go on in turns that are bounded in time, and between two turns there is a pause in which
//! clients are served. Nobody else waits for them, but whoever asked.
//!
//! ```text
//!   clients   ████░██░░███████░░░██████
//!   sweeper       ▓     ▓     ▓      ▓      half a millisecond at a time while anybody is served, and longer else
//! ```

use super::door::{Outcome, done};
use super::metrics::Metrics;
use consensus::{Position, StateMachine};
use etcd::buckets::{before_keys, behind_keys};
use keyspace::{Answer, Hashing, Keyspace, KeyspaceError, Query, Response, Values};
use replica::Refusal;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio::time::{Sleep, sleep};

/// How long a turn takes while clients and peers are served: so much longer may an answer take.
const TURN: Duration = Duration::from_micros(500);
/// How long it takes while nobody asks for anything.
const IDLE_TURN: Duration = Duration::from_millis(4);
/// The pause between two turns, in which sockets are looked at.
const PAUSE: Duration = Duration::from_millis(1);
/// The pause while a snapshot, a checksum or a slow disk holds the sweep back.
const HELD: Duration = Duration::from_millis(50);
/// So many keys or rows are looked at between two looks at the clock.
const STEP: usize = 64;
/// So many steps are taken for each flush even while the disk does not keep up: it may not keep up for hours.
const SHARE: u32 = 256;
/// More checksums than this do not wait in a row.
const HASHES_MAX: usize = 64;

/// The sweeper.
pub(crate) struct Sweeper {
    timer: Pin<Box<Sleep>>,
    /// It is the pause between two turns.
    pausing: bool,
    /// Somebody was served since the last turn.
    busy: bool,
    /// Who waits until nothing is left of compactions.
    physical: Vec<oneshot::Sender<Outcome>>,
    /// Who waits until that is durable, too: until so many flushes have been.
    swept: Vec<(u64, oneshot::Sender<Outcome>)>,
    /// How many flushes have become durable.
    flushes: u64,
    /// Steps that may be taken although the disk does not keep up.
    share: u32,
    /// Who waits for a checksum; the first is being taken.
    hashes: VecDeque<Wanted>,
    /// Checksums that were taken, until it is known that they were taken of what was written.
    taken: Vec<(oneshot::Sender<Outcome>, Outcome)>,
    metrics: Arc<Metrics>,
}

/// What a checksum is wanted of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wish {
    /// The history up to a revision; 0: now.
    History(i64),
    /// Everything that etcd has in its file.
    Everything,
}

/// A checksum that somebody waits for.
struct Wanted {
    wish: Wish,
    hashing: Option<Hashing>,
    began: Option<Instant>,
    answer: oneshot::Sender<Outcome>,
}

impl Sweeper {
    pub(crate) fn new(metrics: Arc<Metrics>) -> Sweeper {
        let timer = Box::pin(sleep(Duration::ZERO));
        Sweeper {
            timer,
            pausing: false,
            busy: false,
            physical: Vec::new(),
            swept: Vec::new(),
            flushes: 0,
            share: 0,
            hashes: VecDeque::new(),
            taken: Vec::new(),
            metrics,
        }
    }

    /// Answers, with nothing, once nothing is left of compactions and that is durable.
    pub(crate) fn tell_when_swept(&mut self, answer: oneshot::Sender<Outcome>) {
        self.physical.push(answer);
    }

    /// Answers with a checksum.
    pub(crate) fn hash(&mut self, wish: Wish, answer: oneshot::Sender<Outcome>) {
        if self.hashes.len() >= HASHES_MAX {
            let _ = answer.send(Outcome::Refused(Refusal::TooManyRequests));
            return;
        }
        self.hashes.push_back(Wanted { wish, hashing: None, began: None, answer });
    }

    /// Gives the checksums that were taken to whoever asked. They were read from the disk: one of a file that cannot be read would
    /// look like another history, so this comes after the look for a fault.
    pub(crate) fn hand_out(&mut self) {
        for (answer, outcome) in self.taken.drain(..) {
            // Whoever has gone away needs no answer.
            let _ = answer.send(outcome);
        }
    }

    /// Another machine took the place of the one before: what was begun there is begun anew.
    pub(crate) fn begin_anew(&mut self) {
        self.hashes.iter_mut().for_each(|wanted| wanted.hashing = None);
    }

    /// Whether a pause is over, and the replica's loop is to turn although nothing else happened.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.pausing || self.timer.as_mut().poll(cx) == Poll::Pending {
            return false;
        }
        self.pausing = false;
        true
    }

    /// Takes a turn, if there is something to do and it is no pause. `busy`: somebody has just been served. `room`: the disk keeps up
    /// with what was swept up so far.
    pub(crate) fn turn<V: Values>(&mut self, machine: &mut Keyspace<V>, busy: bool, room: bool) {
        self.busy |= busy;
        if self.pausing {
            return;
        }
        let turn = if std::mem::take(&mut self.busy) { TURN } else { IDLE_TURN };
        let began = Instant::now();
        while self.step(machine, room) {
            if began.elapsed() >= turn {
                return self.pause(PAUSE);
            }
        }
        if machine.sweep(0) {
            return self.pause(HELD);
        }
        // One flush may be on its way without it; the one after that holds it.
        let needed = self.flushes + 2;
        self.swept.extend(self.physical.drain(..).map(|answer| (needed, answer)));
    }

    /// A flush is durable.
    pub(crate) fn on_flushed(&mut self) {
        self.flushes += 1;
        self.share = SHARE;
    }

    /// Whether somebody waits for a flush.
    pub(crate) fn is_hurried(&self) -> bool {
        !self.swept.is_empty()
    }

    /// Answers those whose compaction is swept up and durable; `settled`: all is that the machine holds.
    pub(crate) fn tell(&mut self, settled: bool, applied: Position) {
        for (needed, answer) in std::mem::take(&mut self.swept) {
            if settled || needed <= self.flushes {
                // A client that has gone away needs no answer.
                let _ = answer.send(done(applied));
            } else {
                self.swept.push((needed, answer));
            }
        }
    }

    fn pause(&mut self, pause: Duration) {
        self.timer.as_mut().reset(tokio::time::Instant::now() + pause);
        self.pausing = true;
    }

    /// Does a little of each; false if nothing can be done now.
    fn step<V: Values>(&mut self, machine: &mut Keyspace<V>, room: bool) -> bool {
        let may = room || self.share > 0;
        let swept = may && !machine.is_sweep_held() && machine.sweep(STEP);
        self.share = self.share.saturating_sub((swept && !room).into());
        self.hash_on(machine) || swept
    }

    fn hash_on<V: Values>(&mut self, machine: &mut Keyspace<V>) -> bool {
        let Some(wanted) = self.hashes.front_mut() else { return false };
        if let Some(response) = wanted.step(machine) {
            let Wanted { hashing, began, answer, .. } = self.hashes.pop_front().expect("it was there a moment ago");
            if let Some(hashing) = hashing {
                machine.end_hash(hashing);
            }
            if let Some(began) = began {
                self.metrics.hashed(began.elapsed());
            }
            self.taken.push((answer, Outcome::Read(machine.applied(), response)));
        }
        !self.hashes.is_empty()
    }
}

impl Wanted {
    /// Goes on; returns the answer when it is there, or when nobody waits for it any more.
    fn step<V: Values>(&mut self, machine: &mut Keyspace<V>) -> Option<Response> {
        if self.answer.is_closed() {
            return Some(Ok(Answer::Done));
        }
        if self.hashing.is_none() {
            let begun = match self.wish {
                Wish::History(revision) => machine.begin_hash(revision),
                Wish::Everything => everything(machine),
            };
            match begun {
                Ok(hashing) => self.hashing = Some(hashing),
                Err(error) => return Some(Err(error)),
            }
            self.began = Some(Instant::now());
        }
        let hashing = self.hashing.as_mut()?;
        machine.hash_step(hashing, STEP).map(|hash| Ok(Answer::HashKv(hash)))
    }
}

/// Begins the checksum of what etcd would have in its file.
fn everything<V: Values>(machine: &mut Keyspace<V>) -> Result<Hashing, KeyspaceError> {
    let Answer::Members(members) = machine.read(Query::Members)? else { unreachable!("an answer of the query's kind") };
    let status = machine.status();
    let before = before_keys(&status.alarms, status.cluster_version.as_deref());
    let behind = behind_keys(machine.leases(), &members, status.compacted);
    Ok(machine.begin_whole_hash(&before, behind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use consensus::{NodeId, Position};
    use keyspace::{Command, CompactRequest, MemoryValues, PutRequest};

    #[tokio::test]
    async fn a_checksum_is_given_when_it_is_handed_out_and_not_before() {
        let mut machine: Keyspace<MemoryValues> = Keyspace::new();
        let mut sweeper = Sweeper::new(Arc::new(Metrics::new(NodeId(1))));
        for wish in [Wish::History(0), Wish::Everything, Wish::History(7)] {
            let (answer, mut outcome) = oneshot::channel();
            sweeper.hash(wish, answer);
            sweeper.turn(&mut machine, false, true);
            assert!(outcome.try_recv().is_err(), "{wish:?}: what it was read from may be damaged");
            sweeper.hand_out();
            assert!(matches!(outcome.try_recv(), Ok(Outcome::Read(..))), "{wish:?}");
        }
    }

    #[tokio::test]
    async fn little_is_swept_up_while_the_disk_does_not_keep_up() {
        let mut machine: Keyspace<MemoryValues> = Keyspace::new();
        let puts = (0..1000).map(|number: u32| {
            let key = Bytes::copy_from_slice(&(number / 2).to_be_bytes());
            Command::Put(PutRequest { key, ..PutRequest::default() })
        });
        let compact = Command::Compact(CompactRequest { revision: 1001, physical: false });
        for (index, command) in (1..).zip(puts.chain([compact])) {
            machine.apply(Position::new(1, index), command, &mut Vec::new()).unwrap();
        }
        let mut turn = |sweeper: &mut Sweeper, room| {
            sweeper.pausing = false;
            sweeper.turn(&mut machine, false, room);
            assert!(sweeper.pausing || !machine.sweep(0), "it looks again after a while");
            machine.sweep(0)
        };
        let mut sweeper = Sweeper::new(Arc::new(Metrics::new(NodeId(1))));
        assert!(turn(&mut sweeper, false), "nothing before a flush");
        sweeper.on_flushed();
        sweeper.share = 1;
        assert!(turn(&mut sweeper, false) && sweeper.share == 0, "its share after a flush");
        assert!(turn(&mut sweeper, false), "and no more");
        // A turn is some time long, and a machine that is busy gets little done in it.
        while turn(&mut sweeper, true) {}
    }
}
