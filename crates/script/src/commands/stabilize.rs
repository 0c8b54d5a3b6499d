//! `stabilize`: delivers everything, and what follows from it.

use crate::protocol::{Outcome, Protocol};
use crate::world::World;

/// Delivers until nothing is under way. Disks that wait for `sync` go on waiting.
pub(super) fn stabilize<P: Protocol>(world: &mut World<P>) -> Outcome {
    world.settle()
}
