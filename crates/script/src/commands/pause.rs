//! `pause 1`, `resume 1`: a stopped process takes no step, and learns the true time with its first one.

use crate::args::Args;
use crate::protocol::{Outcome, Protocol};
use crate::world::World;

/// Stops processes, as SIGSTOP would.
pub(super) fn pause<P: Protocol>(world: &mut World<P>, args: &mut Args<'_>) -> Outcome {
    for id in args.nodes()? {
        world.running(id)?;
        world.member_mut(id)?.paused = true;
    }
    Ok(())
}

/// Lets them go on. What was sent to them still waits to be delivered.
pub(super) fn resume<P: Protocol>(world: &mut World<P>, args: &mut Args<'_>) -> Outcome {
    for id in args.nodes()? {
        world.member_mut(id)?.paused = false;
    }
    Ok(())
}
