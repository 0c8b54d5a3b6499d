//! The proof of the prover: known mistakes, put back one at a time, are found by an invariant within a hundred seeds.
//!
//! `cargo test -p sim --features mutants --profile proof --test mutants`
#![cfg(feature = "mutants")]

use sim::{Invariant, Mutant, Protocol, SimOptions, Violation, run};

/// The first seed that shows the mistake, and what it was caught by.
fn hunt(mutant: Mutant, seeds: u64) -> Option<Violation> {
    (1..=seeds).find_map(|seed| {
        let protocol = match mutant {
            Mutant::Zab(_) => Protocol::Zab,
            Mutant::ForwardDue | Mutant::SweepBeforeWatches | Mutant::LeasesBeginWhole | Mutant::AppliedAheadOfData => {
                Protocol::Etcd
            }
            Mutant::Raft(_) | Mutant::ForwardTwice => Protocol::Raft,
        };
        let outcome = run(&SimOptions { protocol, mutant: Some(mutant), ..SimOptions::new(seed) });
        outcome.violation
    })
}

fn is_found(mutant: Mutant) {
    is_found_within(100, mutant);
}

fn is_found_within(seeds: u64, mutant: Mutant) {
    let violation = hunt(mutant, seeds).unwrap_or_else(|| panic!("{mutant:?} was not found in {seeds} seeds"));
    println!("{mutant:?}: {violation}");
    // By an invariant, not by a crash.
    assert_ne!(violation.invariant, Invariant::NoCrash, "{violation}");
}

#[test]
fn a_vote_answered_before_it_is_on_disk_is_found() {
    is_found(Mutant::Raft(raft::Mutant::VoteBeforeSync));
}

#[test]
fn an_old_terms_entry_committed_by_counting_is_found() {
    is_found(Mutant::Raft(raft::Mutant::CommitOldTermByCounting));
}

#[test]
fn an_append_answered_before_sync_is_found() {
    is_found(Mutant::Raft(raft::Mutant::AppendAnsweredBeforeSync));
}

#[test]
fn a_forwarded_proposal_sent_twice_is_found() {
    is_found(Mutant::ForwardTwice);
}

#[test]
fn a_vote_that_compares_index_before_term_is_found() {
    // Few seeds let a leader that is cut off grow a longer log than its successor, and stand again.
    is_found_within(300, Mutant::Raft(raft::Mutant::VoteComparesIndexBeforeTerm));
}

#[test]
fn a_follower_that_truncates_on_any_append_is_found() {
    is_found(Mutant::Raft(raft::Mutant::TruncateOnAnyAppend));
}

#[test]
fn a_read_index_before_the_first_commit_of_the_term_is_found() {
    is_found(Mutant::Raft(raft::Mutant::ReadIndexBeforeFirstCommit));
}

#[test]
fn a_pre_vote_without_the_log_check_is_found() {
    is_found(Mutant::Raft(raft::Mutant::PreVoteWithoutLogCheck));
}

#[test]
fn a_lease_without_check_quorum_is_found() {
    is_found(Mutant::Raft(raft::Mutant::LeaseWithoutCheckQuorum));
}

#[test]
fn a_vote_that_compares_the_id_before_the_zxid_is_found() {
    is_found_within(500, Mutant::Zab(zab::Mutant::VoteComparesIdBeforeZxid));
}

#[test]
fn a_current_epoch_written_before_the_history_is_found() {
    is_found_within(500, Mutant::Zab(zab::Mutant::CurrentEpochBeforeHistory));
}

#[test]
fn a_new_leader_acknowledged_before_its_history_is_durable_is_found() {
    is_found_within(500, Mutant::Zab(zab::Mutant::NewLeaderAckedBeforeSync));
}

#[test]
fn a_diff_where_a_truncation_was_due_is_found() {
    is_found_within(500, Mutant::Zab(zab::Mutant::DiffWhereTruncWasDue));
}

#[test]
fn a_sweep_before_watchers_have_heard_is_found() {
    is_found(Mutant::SweepBeforeWatches);
}

#[test]
fn leases_that_begin_whole_with_each_leader_are_found() {
    is_found(Mutant::LeasesBeginWhole);
}

#[test]
fn a_deposed_leaders_revocation_that_is_forwarded_is_found() {
    is_found(Mutant::ForwardDue);
}

#[test]
fn an_applied_index_ahead_of_its_data_is_found() {
    is_found(Mutant::AppliedAheadOfData);
}

/// How sure a hundred seeds are: for each mistake, how many of them show it.
#[test]
#[ignore = "a figure for people; takes minutes"]
fn how_many_of_a_hundred_seeds_find_each() {
    let mutants = [
        Mutant::Raft(raft::Mutant::VoteBeforeSync),
        Mutant::Raft(raft::Mutant::CommitOldTermByCounting),
        Mutant::Raft(raft::Mutant::AppendAnsweredBeforeSync),
        Mutant::ForwardTwice,
        Mutant::Raft(raft::Mutant::VoteComparesIndexBeforeTerm),
        Mutant::Raft(raft::Mutant::TruncateOnAnyAppend),
        Mutant::Raft(raft::Mutant::ReadIndexBeforeFirstCommit),
        Mutant::Raft(raft::Mutant::PreVoteWithoutLogCheck),
        Mutant::Raft(raft::Mutant::LeaseWithoutCheckQuorum),
    ];
    for mutant in mutants {
        let summary = sim::search(1..=100, &SimOptions { mutant: Some(mutant), ..SimOptions::new(1) }, 2, |_| true);
        println!("{mutant:?}: {} of 100 seeds", summary.violations.len());
    }
}
