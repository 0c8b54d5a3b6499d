//! A random search through what can happen.

use super::{World, millis};
use consensus::{Consensus as _, Hierarchy, Input, NodeId, ReadId};
use std::collections::BTreeMap;
use zab::Config;

/// Small limits, so that each is met.
pub fn quick(config: &mut Config) {
    config.tick = millis(200);
    config.history_bytes_max = 6 * 129;
    config.fetch_bytes_max = 3;
    config.apply_bytes_max = 3;
    config.observer_election_delay = millis(20);
}

/// Narrower still: epochs are soon full, learners soon too slow, and nobody finalizes early.
pub fn narrow(config: &mut Config) {
    quick(config);
    config.early_finalize = false;
    config.epoch_entries_max = 4;
    config.inflight_bytes_max = 12;
    config.uncommitted_bytes_max = 8;
}

/// One thing that happens.
fn act(world: &mut World) {
    let members = world.members();
    let any = |world: &mut World| members[world.chance.below(members.len() as u64) as usize];
    if world.chance.one_in(1, 400) {
        world.slow_disks = members.iter().copied().filter(|_| world.chance.one_in(1, 3)).collect();
    }
    if world.chance.one_in(1, 800) {
        // The power fails, here and there or everywhere.
        for node in &members {
            if world.chance.one_in(2, 3) {
                world.crash(*node);
            }
        }
    }
    match world.chance.below(1_000) {
        0..=2 => {
            let node = any(world);
            world.crash(node);
        }
        3..=12 => {
            let down: Vec<_> = members.iter().copied().filter(|node| !world.nodes.contains_key(node)).collect();
            if let Some(&node) = pick(world, &down) {
                world.tail = world.chance.below(4) as usize;
                world.start(node);
            }
        }
        13..=15 => {
            let (a, b) = (any(world), any(world));
            if a != b {
                world.cut.insert((a.min(b), a.max(b)));
                world.elections.remove(&(a, b));
                world.elections.remove(&(b, a));
                world.break_links(a, b);
            }
        }
        16..=25 => {
            world.cut.pop_first();
        }
        26..=29 => {
            let node = any(world);
            let cut = world.chance.one_in(1, 2);
            world.snapshot(node, cut);
        }
        30..=69 => {
            let node = any(world);
            world.propose(node);
        }
        70 if world.chance.one_in(1, 4) => {
            let node = any(world);
            let to = world.chance.one_in(1, 2).then(|| any(world));
            world.step(node, Input::TransferLeadership { to });
        }
        71..=72 => {
            let node = any(world);
            let id = ReadId(world.chance.draw());
            world.step(node, Input::Read { id });
        }
        73..=82 => world.next_deadline(),
        83..=279 => {
            // Some disks are slow, each in its own world and hour.
            let slow = world.slow_disks.clone();
            let patient = world.chance.one_in(1, 30);
            let busy = world.nodes.iter().filter(|(node, state)| {
                (!state.writes.is_empty() || state.install.is_some()) && (patient || !slow.contains(node))
            });
            let busy: Vec<_> = busy.map(|(&node, _)| node).collect();
            if let Some(&node) = pick(world, &busy) {
                world.sync(node);
            }
        }
        280..=479 => {
            let owing: Vec<_> = world.nodes.iter().filter(|(_, state)| !state.owed.is_empty()).map(|(&node, _)| node).collect();
            if let Some(&node) = pick(world, &owing) {
                world.pay(node);
            }
        }
        480..=649 => {
            let full: Vec<_> = world.elections.iter().filter(|(_, queue)| !queue.is_empty()).map(|(&pair, _)| pair).collect();
            if let Some(&(from, to)) = pick(world, &full) {
                world.deliver_election(from, to);
            }
        }
        _ => {
            let mut full = Vec::new();
            for (&(learner, leader), conn) in &world.conns {
                full.extend((!conn.to_leader.is_empty()).then_some((learner, leader, true)));
                full.extend((!conn.to_learner.is_empty()).then_some((learner, leader, false)));
            }
            if let Some(&(learner, leader, to_leader)) = pick(world, &full) {
                world.deliver(learner, leader, to_leader);
            }
        }
    }
}

fn pick<'a, T>(world: &mut World, of: &'a [T]) -> Option<&'a T> {
    (!of.is_empty()).then(|| &of[world.chance.below(of.len() as u64) as usize])
}

/// One run: a time of trouble, then peace, in which everybody must come to serve the same.
pub fn run(seed: u64, setup: fn(&mut Config)) -> World {
    let (voters, observers) = [(3, 0), (5, 0), (3, 1), (1, 0), (2, 0), (4, 1), (3, 0)][(seed % 7) as usize];
    let mut world = World::new(voters, observers, seed, setup);
    if voters == 5 && seed.is_multiple_of(2) {
        // 3 decides with 1 or 2, and 5 is never elected.
        let groups = (1..=5).map(|server| (NodeId(server), u64::from(server == 4))).collect();
        let weights = BTreeMap::from([(NodeId(3), 2), (NodeId(5), 0), (NodeId(4), 0)]);
        world.configuration.hierarchy = Some(Hierarchy { groups, weights });
    }
    world.start_all();
    for _ in 0..3_000 {
        act(&mut world);
    }
    // Then peace: everybody comes to serve the same.
    world.cut.clear();
    for member in world.members() {
        if !world.nodes.contains_key(&member) {
            world.start(member);
        }
    }
    world.run_until_all_serve(millis(60_000));
    let leader = world.leader().expect("all serve");
    let before = world.ghost.len();
    assert!(world.propose(leader), "{}: the leader does not propose", world.label);
    world.run();
    assert_eq!(world.ghost.len(), before + 1, "{}: nothing is committed", world.label);
    world.run_for(millis(400));
    world.assert_all_equal();
    assert!(world.nodes.values().all(|node| node.zab.serving()), "{}: somebody gave up", world.label);
    world
}
