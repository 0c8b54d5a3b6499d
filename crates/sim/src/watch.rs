//! A protocol under observation: what goes in and what comes out is shown to the ghost.

use crate::ghost::SharedGhost;
use consensus::{Consensus, Input, Instant, NodeId, Output, Position, ReadId};
use raft::{Body, Message, Raft};

/// A Raft member whose every step the ghost sees. To the replica it is a protocol like any other.
pub(crate) struct Watched {
    inner: Raft,
    member: usize,
    ghost: SharedGhost,
}

/// What the ghost remembers of an input, which the step consumes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cue {
    /// From a member of the cluster, in a term.
    Received {
        /// Its place.
        from: usize,
        /// The term of the message.
        term: u64,
        /// What matters of it.
        said: Said,
    },
    /// A link stands.
    Connected {
        /// To whom.
        peer: usize,
        /// Which of the peer's lives.
        incarnation: u64,
    },
    /// A read arrived.
    Read(ReadId),
    /// A snapshot is in force.
    Installed(Position),
    /// Anything else.
    Other,
}

/// What matters of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Said {
    /// A candidate (or pre-candidate) told the end of its log.
    LogEnds {
        /// It only asks whether it could win.
        pre: bool,
        /// The end of its log.
        last: Position,
    },
    /// The leader told the receiver to stand.
    TimeoutNow,
    /// Anything else.
    Other,
}

impl Watched {
    pub(crate) fn new(inner: Raft, member: usize, ghost: SharedGhost) -> Watched {
        Watched { inner, member, ghost }
    }

    /// The protocol itself.
    pub(crate) fn raft(&self) -> &Raft {
        &self.inner
    }
}

fn cue(input: &Input<Message>) -> Cue {
    match input {
        Input::Receive { from, message } => Cue::Received {
            from: place(*from),
            term: message.term,
            said: match &message.body {
                Body::RequestPreVote { last } => Said::LogEnds { pre: true, last: *last },
                Body::RequestVote { last, .. } => Said::LogEnds { pre: false, last: *last },
                Body::TimeoutNow => Said::TimeoutNow,
                _ => Said::Other,
            },
        },
        Input::Connected { peer, incarnation, .. } => Cue::Connected { peer: place(*peer), incarnation: *incarnation },
        Input::Read { id } => Cue::Read(*id),
        Input::Installed { snapshot } => Cue::Installed(snapshot.position),
        _ => Cue::Other,
    }
}

fn place(id: NodeId) -> usize {
    id.0 as usize - 1
}

impl Consensus for Watched {
    type Message = Message;
    type Decision = <Raft as Consensus>::Decision;

    fn step(&mut self, now: Instant, input: Input<Message>, out: &mut Vec<Output<Message, Self::Decision>>) {
        let cue = cue(&input);
        let before = out.len();
        self.inner.step(now, input, out);
        self.ghost.borrow_mut().stepped(self.member, now, cue, &out[before..], &self.inner);
    }

    fn deadline(&self) -> Instant {
        self.inner.deadline()
    }

    fn next(&self) -> Option<Position> {
        self.inner.next()
    }

    fn epoch(&self) -> u64 {
        self.inner.epoch()
    }

    fn committed(&self) -> Position {
        self.inner.committed()
    }
}
