//! What the machine does beside commands: it sweeps up after compactions, and takes checksums that somebody asked for.
//!
//! Both read or free much, so they go on in turns that are bounded in time, and between two turns there is a pause in which
//! clients are served. Nobody else waits for them, but whoever asked.
//!
//! ```text
//!   clients   ████░██░░███████░░░██████
//!   sweeper       ▓     ▓     ▓      ▓      a turn of a millisecond, then a pause
//! ```

use super::door::Outcome;
use super::metrics::Metrics;
use consensus::StateMachine;
use keyspace::{Answer, Hashing, Keyspace, Response, Values};
use replica::Refusal;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio::time::{Sleep, sleep};

/// How long a turn takes.
const TURN: Duration = Duration::from_millis(1);
/// The pause between two turns: the sweeper has a quarter of the thread at most.
const PAUSE: Duration = Duration::from_millis(3);
/// The pause while a snapshot or a checksum holds the sweep back.
const HELD: Duration = Duration::from_millis(50);
/// So many keys or rows are looked at between two looks at the clock.
const STEP: usize = 64;
/// More checksums than this do not wait in a row.
const HASHES_MAX: usize = 64;

/// The sweeper.
pub(crate) struct Sweeper {
    timer: Pin<Box<Sleep>>,
    /// It is the pause between two turns.
    pausing: bool,
    /// Who waits until nothing is left of compactions.
    physical: Vec<oneshot::Sender<Outcome>>,
    /// Who waits for a checksum; the first is being taken.
    hashes: VecDeque<Wanted>,
    metrics: Arc<Metrics>,
}

/// A checksum that somebody waits for.
struct Wanted {
    revision: i64,
    hashing: Option<Hashing>,
    began: Option<Instant>,
    answer: oneshot::Sender<Outcome>,
}

impl Sweeper {
    pub(crate) fn new(metrics: Arc<Metrics>) -> Sweeper {
        let timer = Box::pin(sleep(Duration::ZERO));
        Sweeper { timer, pausing: false, physical: Vec::new(), hashes: VecDeque::new(), metrics }
    }

    /// Answers once nothing is left of compactions.
    pub(crate) fn tell_when_swept(&mut self, answer: oneshot::Sender<Outcome>) {
        self.physical.push(answer);
    }

    /// Answers with the checksum up to `revision`.
    pub(crate) fn hash(&mut self, revision: i64, answer: oneshot::Sender<Outcome>) {
        if self.hashes.len() >= HASHES_MAX {
            let _ = answer.send(Outcome::Refused(Refusal::TooManyRequests));
            return;
        }
        self.hashes.push_back(Wanted { revision, hashing: None, began: None, answer });
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

    /// Takes a turn, if there is something to do and it is no pause.
    pub(crate) fn turn<V: Values>(&mut self, machine: &mut Keyspace<V>) {
        if self.pausing {
            return;
        }
        let began = Instant::now();
        while self.step(machine) {
            if began.elapsed() >= TURN {
                return self.pause(PAUSE);
            }
        }
        if machine.sweep(0) {
            return self.pause(HELD);
        }
        for answer in self.physical.drain(..) {
            // A client that has gone away needs no answer.
            let _ = answer.send(Outcome::Read(machine.applied(), Ok(Answer::Done)));
        }
    }

    fn pause(&mut self, pause: Duration) {
        self.timer.as_mut().reset(tokio::time::Instant::now() + pause);
        self.pausing = true;
    }

    /// Does a little of each; false if nothing can be done now.
    fn step<V: Values>(&mut self, machine: &mut Keyspace<V>) -> bool {
        let swept = !machine.is_sweep_held() && machine.sweep(STEP);
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
            let _ = answer.send(Outcome::Read(machine.applied(), response));
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
            match machine.begin_hash(self.revision) {
                Ok(hashing) => self.hashing = Some(hashing),
                Err(error) => return Some(Err(error)),
            }
            self.began = Some(Instant::now());
        }
        let hashing = self.hashing.as_mut()?;
        machine.hash_step(hashing, STEP).map(|hash| Ok(Answer::HashKv(hash)))
    }
}
