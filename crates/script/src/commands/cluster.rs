//! `cluster 3 [key=value…]`: the members, all followers of nobody.

use crate::args::{self, Args, BadArgument};
use crate::member::Member;
use crate::protocol::{Outcome, Protocol};
use crate::world::World;
use consensus::{Input, NodeId};
use core::time::Duration;
use std::collections::BTreeMap;

/// Makes the members and starts them.
pub(super) fn cluster<P: Protocol>(world: &mut World<P>, args: &mut Args<'_>) -> Outcome {
    let count: u64 = args::number(args.needed("how many members")?)?;
    let mut settings = P::Settings::default();
    let mut timers: BTreeMap<NodeId, Duration> = BTreeMap::new();
    while let Some((key, value)) = args.any_key() {
        if let Ok(id) = args::node(key) {
            timers.insert(id, args::span(value)?);
        } else if !P::set(&mut settings, key, value)? {
            return Err(BadArgument::boxed(key, "one of the settings"));
        }
    }
    *world = World::new();
    world.configuration = P::configuration(&settings, count);
    for id in (1..=count).map(NodeId) {
        // Later members wait longer, so that no two timers end at once unless the script wants them to.
        let patience = P::patience(&settings);
        let timer = timers.remove(&id).unwrap_or(patience + patience * id.0 as u32 / 10);
        world.members.insert(id, Member::new(id, settings.clone(), timer));
    }
    if let Some((id, _)) = timers.first_key_value() {
        return Err(BadArgument::boxed(&id.to_string(), "a member"));
    }
    world.settings = settings;
    for id in world.ids() {
        start(world, id)?;
    }
    for id in world.ids() {
        connect(world, id)?;
    }
    Ok(())
}

/// Starts member `id` from what its disk holds.
pub(super) fn start<P: Protocol>(world: &mut World<P>, id: NodeId) -> Outcome {
    let (now, configuration) = (world.now, world.configuration.clone());
    world.member_mut(id)?.start(now, &configuration);
    Ok(())
}

/// Tells member `id` of its links to those that run and can be reached.
pub(super) fn connect<P: Protocol>(world: &mut World<P>, id: NodeId) -> Outcome {
    for peer in world.ids() {
        if peer != id && world.member(peer)?.core.is_some() && world.network.carries(peer, id) {
            let incarnation = world.member(peer)?.incarnation;
            world.step(id, Input::Connected { peer, link: P::LINK, incarnation })?;
        }
    }
    Ok(())
}
