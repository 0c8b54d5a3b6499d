//! 11: a linearizable read returns at least what was committed anywhere when it arrived.

use crate::ghost::Ghost;
use crate::invariant::Invariant;
use crate::machine::mix;
use consensus::Position;

impl Ghost {
    /// A read that arrived when `floor` entries were committed was answered from the state at `position`.
    pub(crate) fn check_read(&mut self, member: usize, floor: u64, position: Position) {
        if position.index < floor {
            let what = format!("member {} answered a read from {position}; {floor} was committed when it arrived", member + 1);
            self.violate(Invariant::ReadsAreFresh, what);
        }
    }

    /// A question for the commit index carries a context that was never used before.
    pub(crate) fn check_context(&mut self, member: usize, context: &[u8]) {
        let hash = context.iter().fold(context.len() as u64, |hash, &byte| mix(hash, u64::from(byte)));
        if !self.contexts.insert((member, hash)) {
            let what = format!("member {} asked twice with the context {context:02x?}", member + 1);
            self.violate(Invariant::ReadsAreFresh, what);
        }
    }
}
