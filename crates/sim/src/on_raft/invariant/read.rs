//! 11: the context of a read is unique for each attempt.

use crate::ghost::Ghost;
use crate::invariant::Invariant;
use crate::machine::mix;
use crate::on_raft::{Raft, Stack};

impl<S: Stack> Ghost<Raft<S>> {
    /// A question for the commit index carries a context that was never used before.
    pub(crate) fn check_context(&mut self, member: usize, context: &[u8]) {
        let hash = context.iter().fold(context.len() as u64, |hash, &byte| mix(hash, u64::from(byte)));
        if !self.lore.contexts.insert((member, hash)) {
            let what = format!("member {} asked twice with the context {context:02x?}", member + 1);
            self.violate(Invariant::ReadsAreFresh, what);
        }
    }
}
