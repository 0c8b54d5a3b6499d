//! `show [1…]` and `pending`: the logs, and what is under way.

use crate::args::Args;
use crate::protocol::{Outcome, Protocol};
use crate::words;
use crate::world::World;

/// The log of each member.
pub(super) fn show<P: Protocol>(world: &mut World<P>, args: &mut Args<'_>) -> Outcome {
    let asked = args.nodes()?;
    let ids = if asked.is_empty() { world.ids() } else { asked };
    for id in ids {
        let log = &world.member(id)?.disk.written;
        let mut line = format!("{id} holds {}", words::entries(&log.entries));
        if log.base.index > 0 {
            line += &format!(" after its snapshot at {}", log.base);
        }
        world.transcript.state(line);
    }
    Ok(())
}

/// What is under way, oldest first.
pub(super) fn pending<P: Protocol>(world: &mut World<P>) -> Outcome {
    let names = &mut world.names;
    let lines: Vec<String> = world
        .network
        .flights()
        .map(|flight| format!("{} → {} {}, under way", flight.from, flight.to, P::tell(names, &flight.message)))
        .collect();
    for line in lines {
        world.transcript.state(line);
    }
    Ok(())
}
