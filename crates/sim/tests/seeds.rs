//! A few seeds in every test run; `cargo xtask prove` runs thousands.

use sim::{Fault, SimOptions, run, search};

fn short(seed: u64) -> SimOptions {
    SimOptions { seconds: 15, ..SimOptions::new(seed) }
}

#[test]
fn nothing_is_violated() {
    let summary = search(1..=12, &short(1), 2, |_| true);
    println!("{summary}");
    assert_eq!(summary.violations, []);
    assert!(summary.operations > 0 && summary.leader_changes > 0);
}

#[test]
fn clusters_of_any_size_survive() {
    for members in [1, 2, 3, 4, 7] {
        let summary = search(1..=3, &SimOptions { members, ..short(1) }, 2, |_| true);
        assert_eq!(summary.violations, [], "{members} members");
    }
}

#[test]
fn the_same_seed_tells_the_same_story() {
    let options = SimOptions { trace: true, ..short(4) };
    let (one, other) = (run(&options), run(&options));
    assert_eq!(one.hash, other.hash);
    assert!(one.trace == other.trace, "the same events in other words");
    let silent = run(&short(4));
    assert_eq!(silent.hash, one.hash, "whether words are wanted changes nothing");
    assert_ne!(run(&short(5)).hash, one.hash);
}

#[test]
#[ignore = "takes a minute; run it optimized"]
fn seeds_reach_what_they_are_for() {
    let summary = search(1..=200, &SimOptions::new(1), 2, |_| true);
    println!("{summary}");
    assert!(summary.median_faults() >= 50, "the median seed sees {} faults", summary.median_faults());
    for (&seeds, &fault) in summary.seeds_with.iter().zip(Fault::ALL) {
        assert!(seeds * 50 >= summary.seeds, "{fault}: in {seeds} of {} seeds", summary.seeds);
        if fault == Fault::LostWrites {
            assert!(seeds * 10 >= summary.seeds * 3, "unsynced writes were lost in {seeds} of {} seeds only", summary.seeds);
        }
    }
}
