//! What a member knows about itself, for whoever looks.

use consensus::NodeId;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::watch;

pub(crate) use replica::Status;

/// How many decisions are kept in memory; the journal on the disk has more.
const DECISIONS_KEPT: usize = 64;

/// A blackboard: the replica writes, everybody else reads.
#[derive(Clone, Debug)]
pub(crate) struct Board {
    inner: Arc<Mutex<Inner>>,
    leadership: watch::Sender<Leadership>,
}

/// Who leads, in which term, and whether the leader has had an entry of its term applied here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Leadership {
    pub(crate) term: u64,
    pub(crate) leader: Option<NodeId>,
    pub(crate) settled: bool,
}

impl Leadership {
    fn of(status: &Status) -> Leadership {
        let settled = status.leader.is_some() && status.applied.epoch == status.epoch;
        Leadership { term: status.epoch, leader: status.leader, settled }
    }
}

#[derive(Debug)]
struct Inner {
    status: Status,
    revision: i64,
    decisions: VecDeque<Told>,
}

/// A decision, as people read it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Told {
    /// Milliseconds since 1970.
    pub(crate) wall_ms: u64,
    pub(crate) text: String,
}

impl Board {
    pub(crate) fn new(status: Status, revision: i64) -> Board {
        let (leadership, _) = watch::channel(Leadership::of(&status));
        let inner = Inner { status, revision, decisions: VecDeque::new() };
        Board { inner: Arc::new(Mutex::new(inner)), leadership }
    }

    /// Notes where the replica stands; true if the leader is another than before.
    pub(crate) fn note(&self, status: Status, revision: i64) -> bool {
        let mut inner = self.inner();
        let changed = inner.status.leader != status.leader;
        inner.status = status;
        inner.revision = revision;
        drop(inner);
        self.leadership.send_if_modified(|known| {
            let now = Leadership::of(&status);
            let modified = *known != now;
            *known = now;
            modified
        });
        changed
    }

    pub(crate) fn note_decision(&self, wall: Duration, text: String) {
        let mut inner = self.inner();
        if inner.decisions.len() == DECISIONS_KEPT {
            inner.decisions.pop_front();
        }
        let wall_ms = u64::try_from(wall.as_millis()).unwrap_or(u64::MAX);
        inner.decisions.push_back(Told { wall_ms, text });
    }

    /// Tells of every change of leadership.
    pub(crate) fn leadership(&self) -> watch::Receiver<Leadership> {
        self.leadership.subscribe()
    }

    pub(crate) fn status(&self) -> Status {
        self.inner().status
    }

    /// The revision now, for the headers of answers that have none of their own.
    pub(crate) fn revision(&self) -> i64 {
        self.inner().revision
    }

    /// The latest decisions, oldest first.
    pub(crate) fn decisions(&self) -> Vec<Told> {
        self.inner().decisions.iter().cloned().collect()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("nobody panics while holding it")
    }
}
