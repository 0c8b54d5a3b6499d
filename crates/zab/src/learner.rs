//! What a leader knows of each of its learners.

use crate::lead::Leading;
use crate::role::Is;
use crate::{Dismissal, Zab};
use alloc::collections::VecDeque;
use consensus::{Instant, NodeId, Position};

/// A learner whose quorum link stands and who has introduced itself.
#[derive(Clone, Debug)]
pub(crate) struct Learner {
    /// It is a voter: it is sent proposals, and its word counts.
    pub(crate) counts: bool,
    /// Which connection this is.
    pub(crate) connection: u64,
    pub(crate) stage: Stage,
    /// When it was last heard, or when it was its turn to speak.
    pub(crate) heard: Instant,
    /// The last position that it has acknowledged over this connection, and so will keep; an observer: that it is known to have
    /// received. What it acknowledged over an earlier one it may have been told to cut since.
    pub(crate) acked: Position,
    /// When it acknowledged NEWLEADER.
    pub(crate) acked_since: Instant,
    /// The bytes of the history up to there.
    pub(crate) acked_bytes: u64,
    /// What it must be told once it is committed: the SYNCs that it waits for.
    pub(crate) syncs: VecDeque<Position>,
}

/// How far a learner has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stage {
    /// It has introduced itself and waits for the epoch.
    Epoch,
    /// It was told the epoch.
    AckEpoch,
    /// It has accepted the epoch, and waits for a quorum to do so.
    Elected {
        /// What it has.
        last: Option<Position>,
    },
    /// The log on disk is asked whether it holds what the learner has.
    Choosing {
        /// What it has.
        last: Position,
    },
    /// It is sent a snapshot.
    Snapshot {
        /// What that stands for.
        position: Position,
        /// Whether it is on its way already: an earlier one may have to end first.
        sent: bool,
    },
    /// It is sent the history after this.
    Feeding {
        /// The last transaction sent.
        sent: Position,
    },
    /// It was sent all and NEWLEADER: new proposals go to it as they come.
    Synchronized,
    /// It has acknowledged NEWLEADER.
    Acked,
    /// It was told to serve.
    Serving,
}

impl Stage {
    /// New proposals and commits go to this learner.
    pub(crate) fn is_forwarding(self) -> bool {
        matches!(self, Stage::Synchronized | Stage::Acked | Stage::Serving)
    }

    /// It has acknowledged NEWLEADER.
    pub(crate) fn has_acked(self) -> bool {
        matches!(self, Stage::Acked | Stage::Serving)
    }

    /// It has accepted the epoch.
    pub(crate) fn has_accepted(self) -> bool {
        !matches!(self, Stage::Epoch | Stage::AckEpoch)
    }

    /// It is this learner's turn to speak.
    pub(crate) fn is_awaited(self) -> bool {
        matches!(self, Stage::AckEpoch) || self.is_forwarding()
    }
}

impl Learner {
    pub(crate) fn new(now: Instant, connection: u64, counts: bool) -> Learner {
        Learner {
            counts,
            connection,
            stage: Stage::Epoch,
            heard: now,
            acked: Position::ZERO,
            acked_since: Instant::NEVER,
            acked_bytes: 0,
            syncs: VecDeque::new(),
        }
    }
}

impl Leading {
    /// Whether a voter has acknowledged everything up to `position`.
    pub(crate) fn has_acked(&self, id: NodeId, position: Position) -> bool {
        self.acked(id) >= position
    }

    /// What a voter has acknowledged.
    pub(crate) fn acked(&self, id: NodeId) -> Position {
        self.learners.get(&id).filter(|learner| learner.counts).map_or(Position::ZERO, |learner| learner.acked)
    }
}

impl Zab {
    /// Closes a learner's link.
    pub(crate) fn dismiss(&mut self, learner: NodeId, because: Dismissal) {
        if let Is::Leading(leading) = &mut self.is {
            leading.learners.remove(&learner);
        }
        self.disk.forget(learner);
        self.turn_away(learner, because);
    }

    /// What others may know of the learners.
    pub(crate) fn learners_seen(&self) -> impl Iterator<Item = (NodeId, crate::LearnerStatus)> {
        let leading = if let Is::Leading(leading) = &self.is { Some(leading) } else { None };
        leading.into_iter().flat_map(|leading| &leading.learners).map(|(&id, learner)| {
            let status = crate::LearnerStatus {
                observer: !learner.counts,
                synced: learner.stage.has_acked(),
                acked: learner.acked,
                pending_syncs: learner.syncs.len(),
            };
            (id, status)
        })
    }
}
