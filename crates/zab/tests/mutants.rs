//! The proof of the search: known mistakes, put back one at a time, are found.
#![cfg(feature = "mutants")]

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use support::search::{quick, run};
use zab::{Config, Mutant};

fn found(setup: fn(&mut Config)) {
    let caught = (0..500).find_map(|seed| {
        let result = catch_unwind(AssertUnwindSafe(|| drop(run(seed, setup))));
        result.err().map(|panic| (seed, panic.downcast_ref::<String>().cloned().unwrap_or_default()))
    });
    let (seed, why) = caught.expect("500 seeds do not find it");
    println!("seed {seed}: {why}");
    assert!(why.contains("seed"), "found by a crash and not by an invariant: {why}");
}

#[test]
fn a_vote_for_the_larger_id_is_found() {
    found(|config| {
        quick(config);
        config.mutant = Some(Mutant::VoteComparesIdBeforeZxid);
    });
}

#[test]
fn an_epoch_that_is_entered_before_its_history_is_found() {
    found(|config| {
        quick(config);
        config.mutant = Some(Mutant::CurrentEpochBeforeHistory);
    });
}

#[test]
fn a_newleader_that_is_acknowledged_too_early_is_found() {
    found(|config| {
        quick(config);
        config.mutant = Some(Mutant::NewLeaderAckedBeforeSync);
    });
}

#[test]
fn a_diff_where_trunc_was_due_is_found() {
    found(|config| {
        quick(config);
        config.mutant = Some(Mutant::DiffWhereTruncWasDue);
    });
}
