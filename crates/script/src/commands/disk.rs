//! `disk 1 manual`, `disk 1 instant`, `sync 1 [count=1]`: when writes become durable.

use crate::args::{Args, BadArgument};
use crate::protocol::{Outcome, Protocol};
use crate::world::World;
use consensus::{Input, NodeId};

/// Chooses whether a member's writes wait for `sync`.
pub(super) fn disk<P: Protocol>(world: &mut World<P>, args: &mut Args<'_>) -> Outcome {
    let id = args.node()?;
    let manual = match args.needed("manual or instant")? {
        "manual" => true,
        "instant" => false,
        other => return Err(BadArgument::boxed(other, "manual or instant")),
    };
    world.member_mut(id)?.disk.manual = manual;
    if manual { Ok(()) } else { sync_all(world, id, usize::MAX) }
}

/// Syncs what a member has written.
pub(super) fn sync<P: Protocol>(world: &mut World<P>, args: &mut Args<'_>) -> Outcome {
    let id = args.node()?;
    let count = args.key_number("count")?.unwrap_or(usize::MAX);
    sync_all(world, id, count)
}

fn sync_all<P: Protocol>(world: &mut World<P>, id: NodeId, count: usize) -> Outcome {
    let Some(ticket) = world.sync(id, count)? else { return Ok(()) };
    world.say(format!("{id} has synced write {}", ticket.0));
    if world.member(id)?.runs() { world.step(id, Input::Persisted { ticket }) } else { Ok(()) }
}
