//! `deliver`, `drop` and `copy [from=1] [to=2] [Name] [count=1]`: the fate of what is under way.

use crate::args::Args;
use crate::network::Flight;
use crate::protocol::{Outcome, Protocol};
use crate::world::World;
use consensus::NodeId;
use std::error::Error;

/// Delivers what is under way now, but not what follows from it. What is sent to a stopped process waits.
pub(super) fn deliver<P: Protocol>(world: &mut World<P>, args: &mut Args<'_>) -> Outcome {
    let mut selection = Selection::of(args)?;
    selection.spared = world.members.values().filter(|member| member.paused).map(|member| member.id).collect();
    for flight in selection.take(world) {
        world.deliver(flight)?;
    }
    Ok(())
}

/// Loses what is under way now.
pub(super) fn drop<P: Protocol>(world: &mut World<P>, args: &mut Args<'_>) -> Outcome {
    let selection = Selection::of(args)?;
    for flight in selection.take(world) {
        world.lose(flight)?;
    }
    Ok(())
}

/// Doubles what is under way now, as networks do: the copies come last.
pub(super) fn copy<P: Protocol>(world: &mut World<P>, args: &mut Args<'_>) -> Outcome {
    let selection = Selection::of(args)?;
    let wanted = world.network.flights().filter(|flight| selection.wants::<P>(flight)).take(selection.count);
    for copy in wanted.cloned().collect::<Vec<_>>() {
        world.network.send(copy);
    }
    Ok(())
}

/// Some of the messages under way.
struct Selection<'a> {
    from: Option<NodeId>,
    to: Option<NodeId>,
    name: Option<&'a str>,
    count: usize,
    /// Whose messages are left alone.
    spared: Vec<NodeId>,
}

impl<'a> Selection<'a> {
    fn of(args: &mut Args<'a>) -> Result<Selection<'a>, Box<dyn Error>> {
        Ok(Selection {
            from: args.key_node("from")?,
            to: args.key_node("to")?,
            name: args.word(),
            count: args.key_number("count")?.unwrap_or(usize::MAX),
            spared: Vec::new(),
        })
    }

    fn wants<P: Protocol>(&self, flight: &Flight<P::Message>) -> bool {
        self.from.is_none_or(|from| flight.from == from)
            && self.to.is_none_or(|to| flight.to == to)
            && self.name.is_none_or(|name| P::name(&flight.message) == name)
            && !self.spared.contains(&flight.to)
    }

    fn take<P: Protocol>(&self, world: &mut World<P>) -> Vec<Flight<P::Message>> {
        core::iter::from_fn(|| world.network.take(|flight| self.wants::<P>(flight))).take(self.count).collect()
    }
}
