//! `refuse 1 at 2 3`: some members find that nobody listens at another's address.

use crate::args::{Args, BadArgument};
use crate::protocol::{Outcome, Protocol};
use crate::world::World;
use consensus::{How, Input, NodeId};

/// Tells members that a peer's link is refused.
pub(super) fn refuse<P: Protocol>(world: &mut World<P>, args: &mut Args<'_>) -> Outcome {
    let peer = args.node()?;
    match args.needed("at")? {
        "at" => {}
        other => return Err(BadArgument::boxed(other, "at")),
    }
    for id in args.nodes()? {
        world.running(id)?;
        refused(world, peer, id)?;
    }
    Ok(())
}

/// Member `id` finds nobody at the address of `peer`.
pub(super) fn refused<P: Protocol>(world: &mut World<P>, peer: NodeId, id: NodeId) -> Outcome {
    world.say(format!("{id} finds its link to {peer} refused"));
    if let Some(link) = world.forget_link(id, peer) {
        world.step(id, Input::Disconnected { peer, link, how: How::Refused })?;
    }
    world.step(id, Input::Disconnected { peer, link: P::LINK, how: How::Refused })
}
