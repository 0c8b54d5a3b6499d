//! A random search: servers crash, links break, disks lag, and what was committed stays.

mod support;

use std::collections::BTreeMap;
use support::search::{narrow, quick, run};

#[test]
fn what_is_committed_stays_whatever_happens() {
    let number = |name: &str, default: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (first, count) = (number("FIRST", 0), number("SEEDS", 300));
    let mut syncs = BTreeMap::new();
    let (mut committed, mut epochs) = (0, 0);
    for seed in first..first + count {
        let world = run(seed, if seed % 3 == 0 { narrow } else { quick });
        committed += world.ghost.len();
        epochs += world.leaders.len();
        for (name, times) in world.syncs {
            *syncs.entry(name).or_insert(0) += times;
        }
    }
    println!("{committed} committed in {epochs} epochs, {syncs:?}");
    // The search is worth something only if it comes everywhere.
    assert!(["diff", "trunc", "snap", "wants"].iter().all(|way| syncs.contains_key(way)) || count < 300, "{syncs:?}");
}
