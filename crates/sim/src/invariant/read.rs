//! 11: a linearizable read returns at least what was committed anywhere when it arrived.

use crate::ghost::Ghost;
use crate::invariant::Invariant;
use crate::subject::Subject;
use consensus::Position;

impl<P: Subject> Ghost<P> {
    /// A read that arrived when `floor` entries were committed was answered from the state at `position`.
    pub(crate) fn check_read(&mut self, member: usize, floor: u64, position: Position) {
        if self.histories.place(position).is_none_or(|place| place < floor) {
            let what = format!("member {} answered a read from {position}; {floor} were committed when it arrived", member + 1);
            self.violate(Invariant::ReadsAreFresh, what);
        }
    }
}
