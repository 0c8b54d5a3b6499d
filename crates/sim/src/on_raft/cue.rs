//! What of an input the ghost remembers.

use crate::world::place;
use consensus::{Input, Position, ReadId};
use raft::{Body, Message};

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

pub(super) fn cue(input: &Input<Message>) -> Cue {
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
