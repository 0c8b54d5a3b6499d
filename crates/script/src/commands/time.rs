//! `advance 150ms`, `run 2s`, `expire 1`: time passes.

use crate::args::{Args, BadArgument};
use crate::protocol::{Outcome, Protocol};
use crate::world::World;
use consensus::Instant;

/// Timers end in order; messages stay under way.
pub(super) fn advance<P: Protocol>(world: &mut World<P>, args: &mut Args<'_>) -> Outcome {
    let span = args.span()?;
    world.pass(span, false)
}

/// Timers end in order; messages arrive as they are sent.
pub(super) fn run<P: Protocol>(world: &mut World<P>, args: &mut Args<'_>) -> Outcome {
    let span = args.span()?;
    world.pass(span, true)
}

/// Time passes until a timer of this member ends and it does something that shows.
pub(super) fn expire<P: Protocol>(world: &mut World<P>, args: &mut Args<'_>) -> Outcome {
    let id = args.node()?;
    world.running(id)?;
    while let Some(due) = world.wake(Instant::NEVER - core::time::Duration::from_nanos(1))? {
        let before = world.transcript.len();
        // What others send all the time is not what this is about.
        world.humming = due != id;
        let outcome = world.timeout(due, false);
        world.humming = false;
        outcome?;
        if due == id && world.transcript.len() > before {
            return Ok(());
        }
    }
    Err(BadArgument::boxed(&id.to_string(), "a member that waits for a timer"))
}
