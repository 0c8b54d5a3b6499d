//! `cut`, `heal`, `isolate`, `partition`, `links`: which links lose everything. No member is told; but a link that is lost as a whole is
//! found to be gone when its path heals.

use crate::args::{self, Args};
use crate::protocol::{Outcome, Protocol};
use crate::world::World;
use consensus::NodeId;

/// `cut 1-2` both ways, `cut from=1 to=2` one way.
pub(super) fn cut<P: Protocol>(world: &mut World<P>, args: &mut Args<'_>) -> Outcome {
    if let (Some(from), Some(to)) = (args.key_node("from")?, args.key_node("to")?) {
        cut_one(world, from, to)?;
    }
    while let Some(word) = args.word() {
        let (a, b) = args::link(word)?;
        cut_one(world, a, b)?;
        cut_one(world, b, a)?;
    }
    Ok(())
}

/// `heal` everything, `heal 1-2` both ways, `heal from=1 to=2` one way.
pub(super) fn heal<P: Protocol>(world: &mut World<P>, args: &mut Args<'_>) -> Outcome {
    let mut some = false;
    if let (Some(from), Some(to)) = (args.key_node("from")?, args.key_node("to")?) {
        world.heal(from, to)?;
        some = true;
    }
    while let Some(word) = args.word() {
        let (a, b) = args::link(word)?;
        world.heal(a, b)?;
        world.heal(b, a)?;
        some = true;
    }
    if !some {
        for (a, b) in pairs(world) {
            world.heal(a, b)?;
        }
    }
    Ok(())
}

/// `isolate 5`: cut from all others.
pub(super) fn isolate<P: Protocol>(world: &mut World<P>, args: &mut Args<'_>) -> Outcome {
    let alone = args.nodes()?;
    for (a, b) in pairs(world) {
        if alone.contains(&a) || alone.contains(&b) {
            cut_one(world, a, b)?;
        }
    }
    Ok(())
}

/// `partition "1 2" "3 4 5"`: links only within each side.
pub(super) fn partition<P: Protocol>(world: &mut World<P>, args: &mut Args<'_>) -> Outcome {
    let mut sides: Vec<Vec<NodeId>> = Vec::new();
    while let Some(side) = args.word() {
        sides.push(side.split_whitespace().map(args::node).collect::<Result<_, _>>()?);
    }
    for (a, b) in pairs(world) {
        if sides.iter().any(|side| side.contains(&a) && side.contains(&b)) {
            world.heal(a, b)?;
        } else {
            cut_one(world, a, b)?;
        }
    }
    Ok(())
}

/// `links 1-2 2-3`: these and no others.
pub(super) fn links<P: Protocol>(world: &mut World<P>, args: &mut Args<'_>) -> Outcome {
    let mut left = Vec::new();
    while let Some(word) = args.word() {
        left.push(args::link(word)?);
    }
    for (a, b) in pairs(world) {
        if left.contains(&(a, b)) || left.contains(&(b, a)) {
            world.heal(a, b)?;
        } else {
            cut_one(world, a, b)?;
        }
    }
    Ok(())
}

fn pairs<P: Protocol>(world: &World<P>) -> Vec<(NodeId, NodeId)> {
    let ids = world.ids();
    ids.iter().flat_map(|&a| ids.iter().map(move |&b| (a, b))).filter(|(a, b)| a != b).collect()
}

fn cut_one<P: Protocol>(world: &mut World<P>, from: NodeId, to: NodeId) -> Outcome {
    world.member(from)?;
    world.member(to)?;
    world.network.cut(from, to);
    for flight in world.network.take_all(|flight| flight.from == from && flight.to == to) {
        world.lose(flight)?;
    }
    Ok(())
}
