//! A random search: servers crash, links break, disks lag, and what was committed stays.

mod support;

use consensus::{Consensus as _, NodeId};
use support::{World, millis};
use zab::Config;

fn quick(config: &mut Config) {
    config.tick = millis(200);
    config.history_bytes_max = 6;
    config.fetch_bytes_max = 3;
    config.apply_bytes_max = 3;
    config.observer_election_delay = millis(20);
}

fn act(world: &mut World) {
    let members = world.members();
    let any = |world: &mut World| members[world.chance.below(members.len() as u64) as usize];
    match world.chance.below(1_000) {
        0..=4 => {
            let node = any(world);
            world.crash(node);
        }
        5..=24 => {
            let node = any(world);
            if !world.nodes.contains_key(&node) {
                world.tail = world.chance.below(4) as usize;
                world.start(node);
            }
        }
        25..=29 => {
            let (a, b) = (any(world), any(world));
            if a != b {
                world.cut.insert((a.min(b), a.max(b)));
                world.elections.remove(&(a, b));
                world.elections.remove(&(b, a));
                world.break_links(a, b);
            }
        }
        30..=49 => {
            world.cut.pop_first();
        }
        50..=53 => {
            let node = any(world);
            let cut = world.chance.one_in(1, 2);
            world.snapshot(node, cut);
        }
        54..=84 => {
            let node = any(world);
            world.propose(node);
        }
        85..=104 => world.next_deadline(),
        105..=300 => {
            let node = any(world);
            world.sync(node);
        }
        301..=500 => {
            let node = any(world);
            world.pay(node);
        }
        501..=650 => {
            let pairs: Vec<_> = world.elections.keys().copied().collect();
            if !pairs.is_empty() {
                let (from, to) = pairs[world.chance.below(pairs.len() as u64) as usize];
                world.deliver_election(from, to);
            }
        }
        _ => {
            let pairs: Vec<_> = world.conns.keys().copied().collect();
            if !pairs.is_empty() {
                let (learner, leader) = pairs[world.chance.below(pairs.len() as u64) as usize];
                let to_leader = world.chance.one_in(1, 2);
                world.deliver(learner, leader, to_leader);
            }
        }
    }
}

fn run(seed: u64) -> World {
    let (voters, observers) = [(3, 0), (5, 0), (3, 1), (1, 0), (2, 0), (4, 1), (3, 0)][(seed % 7) as usize];
    let mut world = World::new(voters, observers, seed, quick);
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

#[test]
fn what_is_committed_stays_whatever_happens() {
    let number = |name: &str, default: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (first, count) = (number("FIRST", 0), number("SEEDS", 300));
    let mut syncs = std::collections::BTreeMap::new();
    let (mut committed, mut epochs) = (0, 0);
    for seed in first..first + count {
        let world = run(seed);
        committed += world.ghost.len();
        epochs += world.leaders.len();
        for (name, times) in world.syncs {
            *syncs.entry(name).or_insert(0) += times;
        }
    }
    println!("{committed} committed in {epochs} epochs, {syncs:?}");
    let _ = NodeId(0);
}
