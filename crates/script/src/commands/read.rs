//! `read 1 [mode=index|log|local]`: a client reads.

use crate::args::{Args, BadArgument};
use crate::protocol::{Outcome, Protocol};
use crate::world::World;

/// Reads through the protocol, through the log, or from what the member has.
pub(super) fn read<P: Protocol>(world: &mut World<P>, args: &mut Args<'_>) -> Outcome {
    let id = args.node()?;
    match args.key("mode").unwrap_or("index") {
        "index" => world.read(id),
        "log" => world.read_through_the_log(id),
        "local" => world.read_locally(id),
        other => Err(BadArgument::boxed(other, "index, log or local")),
    }
}
