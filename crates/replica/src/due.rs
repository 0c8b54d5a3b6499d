//! What time has brought about (expiries and the like): the leader that notices it proposes it in its own term, or nobody does.
//!
//! Such a request must not wait for whoever leads next, and must not be forwarded: the next leader's clocks start anew, and may have
//! been told of a sign of life that this member has not heard of.

use crate::request::Request;
use crate::{Codec, Replica};
use alloc::collections::VecDeque;
use consensus::{Consensus, Instant, StateMachine};

/// What the machine's clocks have brought about and the log has not taken yet. Empty unless leading.
pub(crate) type Due<R> = VecDeque<Request<R>>;

impl<C: Consensus, M: StateMachine, K: Codec<Machine = M>> Replica<C, M, K> {
    /// When the machine's clocks are to be looked at. Not while the log has yet to take what they brought about before: then it is
    /// the log that is waited for.
    pub(crate) fn due_deadline(&self) -> Instant {
        if self.leading && self.due.is_empty() { self.machine.deadline() } else { Instant::NEVER }
    }

    /// Looks at the clocks.
    pub(crate) fn collect_due(&mut self) {
        if self.due_deadline() > self.now {
            return;
        }
        for request in self.machine.due(self.now) {
            let request = self.begin_request(None, request);
            #[cfg(feature = "mutants")]
            if self.options.mutant == Some(crate::Mutant::ForwardDue) {
                self.unsent.push(request);
                continue;
            }
            self.due.push_back(request);
        }
    }
}
