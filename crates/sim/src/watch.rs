//! A protocol under observation: what goes in and what comes out is shown to the ghost.

use crate::ghost::SharedGhost;
use crate::subject::{Decision, Message, Said, Subject};
use consensus::{Consensus, Input, Instant, Position};

/// A member's protocol whose every step the ghost sees. To the replica it is a protocol like any other.
pub(crate) struct Watched<P: Subject> {
    inner: P::Core,
    member: usize,
    ghost: SharedGhost<P>,
}

impl<P: Subject> Watched<P> {
    pub(crate) fn new(inner: P::Core, member: usize, ghost: SharedGhost<P>) -> Watched<P> {
        Watched { inner, member, ghost }
    }

    /// The protocol itself.
    pub(crate) fn core(&self) -> &P::Core {
        &self.inner
    }
}

impl<P: Subject> Consensus for Watched<P> {
    type Message = Message<P>;
    type Decision = Decision<P>;

    fn step(&mut self, now: Instant, input: Input<Message<P>>, out: &mut Vec<Said<P>>) {
        let cue = P::cue(&input);
        let before = out.len();
        self.inner.step(now, input, out);
        let mut ghost = self.ghost.borrow_mut();
        ghost.count_step(self.member, out.len() - before);
        P::stepped(&mut ghost, self.member, now, cue, &out[before..], &self.inner);
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

    fn log_held_after(&self) -> u64 {
        self.inner.log_held_after()
    }

    fn serving(&self) -> bool {
        self.inner.serving()
    }
}
