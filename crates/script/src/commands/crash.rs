//! `crash 1`, `kill 1`, `restart 1`: processes that die and come back.

use super::cluster::{connect, start};
use super::refuse::refused;
use crate::args::{self, Args, BadArgument};
use crate::protocol::{Outcome, Protocol};
use crate::world::World;
use consensus::{Input, NodeId};

/// Power is lost: what was not synced is gone. No member is told.
pub(super) fn crash<P: Protocol>(world: &mut World<P>, args: &mut Args<'_>) -> Outcome {
    for id in args.nodes()? {
        stop(world, id)?;
        world.member_mut(id)?.disk.lose_power();
    }
    Ok(())
}

/// The process dies. What it has written outlives it, and who can reach its address finds nobody there.
pub(super) fn kill<P: Protocol>(world: &mut World<P>, args: &mut Args<'_>) -> Outcome {
    let dead = args.node()?;
    stop(world, dead)?;
    world.sync(dead, usize::MAX)?;
    for id in world.ids() {
        let reaches = world.network.carries(id, dead) && world.network.carries(dead, id);
        if id != dead && reaches && world.member(id)?.runs() {
            refused(world, dead, id)?;
        }
    }
    Ok(())
}

/// Starts members from what their disks hold, with other settings if told so, and tells both sides of their links.
pub(super) fn restart<P: Protocol>(world: &mut World<P>, args: &mut Args<'_>) -> Outcome {
    let timer = args.key("timer").map(args::span).transpose()?;
    let mut changes = Vec::new();
    while let Some(change) = args.any_key() {
        changes.push(change);
    }
    for id in args.nodes()? {
        if world.member(id)?.core.is_some() {
            stop(world, id)?;
        }
        let member = world.member_mut(id)?;
        member.timer = timer.unwrap_or(member.timer);
        for &(key, value) in &changes {
            if !P::set(&mut member.settings, key, value)? {
                return Err(BadArgument::boxed(key, "one of the settings"));
            }
        }
        // Whoever still believes in a link to the process that is gone now hears that it is not.
        world.break_links(id)?;
        start(world, id)?;
        let told = world.member(id)?.tell();
        world.say(format!("{id} starts and {told}"));
        connect(world, id)?;
        let incarnation = world.member(id)?.incarnation;
        for peer in world.ids() {
            if peer != id && world.member(peer)?.runs() && world.network.carries(id, peer) {
                world.step(peer, Input::Connected { peer: id, link: P::LINK, incarnation })?;
            }
        }
    }
    Ok(())
}

fn stop<P: Protocol>(world: &mut World<P>, id: NodeId) -> Outcome {
    let member = world.member_mut(id)?;
    member.core = None;
    member.arrived = None;
    world.clients.lose(id);
    world.say(format!("{id} is down"));
    // What is on its way to a dead process is lost with its connections; what it has sent is not.
    for flight in world.network.take_all(|flight| flight.to == id) {
        world.lose(flight)?;
    }
    Ok(())
}
