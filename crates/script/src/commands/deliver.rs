//! `deliver` and `drop [from=1] [to=2] [Name] [count=1]`: the fate of what is under way.

use crate::args::Args;
use crate::network::Flight;
use crate::protocol::{Outcome, Protocol};
use crate::world::World;
use consensus::NodeId;
use std::error::Error;

/// Delivers what is under way now, but not what follows from it. What is sent to a stopped process waits.
pub(super) fn deliver<P: Protocol>(world: &mut World<P>, args: &mut Args<'_>) -> Outcome {
    let paused: Vec<NodeId> = world.members.values().filter(|member| member.paused).map(|member| member.id).collect();
    for flight in chosen(world, args, &paused)? {
        world.deliver(flight)?;
    }
    Ok(())
}

/// Loses what is under way now.
pub(super) fn drop<P: Protocol>(world: &mut World<P>, args: &mut Args<'_>) -> Outcome {
    for flight in chosen(world, args, &[])? {
        world.lose(flight)?;
    }
    Ok(())
}

fn chosen<P: Protocol>(
    world: &mut World<P>,
    args: &mut Args<'_>,
    spared: &[NodeId],
) -> Result<Vec<Flight<P::Message>>, Box<dyn Error>> {
    let (from, to) = (args.key_node("from")?, args.key_node("to")?);
    let count = args.key_number("count")?.unwrap_or(usize::MAX);
    let name = args.word();
    let wanted = |flight: &Flight<P::Message>| {
        from.is_none_or(|from| flight.from == from)
            && to.is_none_or(|to| flight.to == to)
            && name.is_none_or(|name| P::name(&flight.message) == name)
            && !spared.contains(&flight.to)
    };
    Ok(core::iter::from_fn(|| world.network.take(wanted)).take(count).collect())
}
