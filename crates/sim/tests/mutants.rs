//! The proof of the prover: known mistakes, put back one at a time, are found by an invariant within a hundred seeds.
//!
//! `cargo test -p sim --features mutants --profile proof --test mutants`
#![cfg(feature = "mutants")]

use sim::{Invariant, Mutant, SimOptions, Violation, run};

/// The first seed that shows the mistake, and what it was caught by.
fn hunt(mutant: Mutant, members: usize) -> Option<Violation> {
    (1..=100).find_map(|seed| {
        let outcome = run(&SimOptions { mutant: Some(mutant), members, seconds: 60, ..SimOptions::new(seed) });
        outcome.violation
    })
}

fn is_found(mutant: Mutant) {
    let violation = hunt(mutant, 5).unwrap_or_else(|| panic!("{mutant:?} was not found in 100 seeds"));
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
    is_found(Mutant::Raft(raft::Mutant::VoteComparesIndexBeforeTerm));
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
