//! The rules of §5 of the Raft paper (Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm", extended version),
//! one test each, named by what must hold. Pre-Vote, Check Quorum and leases are off here: the paper does not have them.

mod support;

use bytes::Bytes;
use consensus::{Append, Configuration, Consensus as _, Input, Instant, Output, Position, Role};
use raft::{Body, Config, Message, Raft};
use std::collections::BTreeSet;
use support::{Cluster, Disk, Out, Single, at, entry, id, millis};

/// The paper's Raft.
fn plain(config: &mut Config) {
    config.pre_vote = false;
    config.check_quorum = false;
    config.vote_lease = false;
    config.early_election = false;
}

/// Member 1 of `members`, whose log has these terms.
fn member(members: u64, terms: &[u64]) -> Single {
    let mut config = Config::new(id(1));
    plain(&mut config);
    Single::new(config, Disk::with_terms(terms).recovered(Configuration::of((1..=members).map(id))))
}

/// The same, leading its next term. Its first entry is synced here and nowhere else.
fn leader(members: u64, terms: &[u64]) -> Single {
    let mut member = member(members, terms);
    member.elect();
    member.sync();
    member
}

fn append(previous: Position, entries: &[(u64, u64)], commit: u64) -> Body {
    Body::Append { previous, entries: entries.iter().map(|&(term, index)| entry(term, index, "")).collect(), commit }
}

fn applied(out: &[Out]) -> Vec<u64> {
    let apply = |out: &Out| if let Output::Apply { entries } = out { Some(entries.clone()) } else { None };
    out.iter().filter_map(apply).flatten().map(|entry| entry.position.index).collect()
}

// §5.1: "Current terms are exchanged whenever servers communicate"
#[test]
fn a_smaller_term_gives_way_to_a_greater_one() {
    let greater = [
        Body::RequestVote { last: at(9, 9), transfer: false },
        Body::Vote { granted: false },
        append(Position::ZERO, &[], 0),
        Body::Appended { upto: 0 },
        Body::Refused { previous: 0, hint: Position::ZERO },
        Body::Heartbeat { commit: 0, context: Bytes::new() },
        Body::HeartbeatAck { context: Bytes::new() },
    ];
    for body in greater {
        let mut follower = member(3, &[1]);
        follower.receive(2, 9, body.clone());
        assert_eq!(follower.raft.term(), 9, "{body:?}");
    }
}

// §5.1: "it immediately reverts to follower state"
#[test]
fn a_leader_or_candidate_of_an_old_term_becomes_follower() {
    let mut leader = leader(3, &[]);
    leader.receive(2, 7, Body::Appended { upto: 0 });
    assert_eq!((leader.raft.role(), leader.raft.term()), (Role::Follower { leader: None }, 7));

    let mut candidate = member(3, &[]);
    candidate.time_out();
    assert_eq!(candidate.raft.role(), Role::Candidate);
    candidate.receive(2, 7, Body::Heartbeat { commit: 0, context: Bytes::new() });
    assert_eq!((candidate.raft.role(), candidate.raft.term()), (Role::Follower { leader: Some(id(2)) }, 7));
}

// §5.1: "a request with a stale term number, it rejects the request"
#[test]
fn a_request_of_an_old_term_is_refused() {
    let mut follower = member(3, &[4]);
    follower.receive(2, 3, Body::RequestVote { last: at(9, 9), transfer: false });
    assert_eq!(follower.sent(), [(2, 4, Body::Vote { granted: false })]);
    follower.receive(2, 3, append(at(4, 1), &[(4, 2)], 0));
    assert_eq!((follower.raft.last(), follower.raft.leader()), (at(4, 1), None));
}

// §5.2: "When servers start up, they begin as followers."
#[test]
fn members_start_as_followers() {
    assert_eq!(member(3, &[1, 2]).raft.role(), Role::Follower { leader: None });
}

// §5.2: "remains in follower state as long as it receives valid RPCs"
#[test]
fn a_follower_that_hears_its_leader_stays_one() {
    let mut follower = member(3, &[]);
    for _ in 0..100 {
        follower.now = follower.now + millis(900);
        follower.receive(2, 1, Body::Heartbeat { commit: 0, context: Bytes::new() });
    }
    assert_eq!((follower.raft.role(), follower.raft.term()), (Role::Follower { leader: Some(id(2)) }, 1));
}

// §5.2: "Leaders send periodic heartbeats … to all followers"
#[test]
fn a_leader_sends_heartbeats_to_all() {
    let mut leader = leader(3, &[]);
    let interval = leader.raft.config().heartbeat_interval;
    for _ in 0..3 {
        let before = leader.now;
        leader.time_out();
        assert!(leader.now.since(before) <= interval);
        let to: Vec<u64> = leader
            .sent()
            .into_iter()
            .filter(|(_, _, body)| matches!(body, Body::Heartbeat { .. }))
            .map(|(to, _, _)| to)
            .collect();
        assert_eq!(to, [2, 3]);
    }
}

// §5.2: "a follower increments its current term and transitions to candidate state"
// §5.2: "votes for itself and issues RequestVote RPCs in parallel"
#[test]
fn a_follower_that_hears_nothing_stands_with_its_own_vote() {
    let mut follower = member(3, &[1, 1]);
    follower.time_out();
    assert_eq!((follower.raft.role(), follower.raft.term(), follower.raft.vote()), (Role::Candidate, 2, Some(id(1))));
    assert_eq!(follower.sent(), [], "nothing leaves before its own vote is on disk");
    let request = Body::RequestVote { last: at(1, 2), transfer: false };
    follower.sync();
    assert_eq!(follower.sent(), [(2, 2, request.clone()), (3, 2, request)]);
}

// §5.2: "wins an election if it receives votes from a majority"
#[test]
fn a_majority_of_votes_elects() {
    // (members, votes of others, refusals, what comes of it)
    let follower = Role::Follower { leader: None };
    let cases = [
        (1, 0, 0, Role::Leader),
        (2, 1, 0, Role::Leader),
        (3, 1, 0, Role::Leader),
        (3, 0, 2, follower),
        (4, 1, 0, Role::Candidate),
        (4, 2, 0, Role::Leader),
        (4, 1, 2, follower),
        (5, 1, 2, Role::Candidate),
        (5, 2, 2, Role::Leader),
        (5, 1, 3, follower),
    ];
    for (members, votes, refusals, expected) in cases {
        let mut candidate = member(members, &[]);
        candidate.time_out();
        candidate.sync();
        for voter in 2..2 + votes + refusals {
            candidate.receive(voter, 1, Body::Vote { granted: voter >= 2 + refusals });
        }
        assert_eq!(candidate.raft.role(), expected, "{votes} for and {refusals} against of {members}");
    }
}

// §5.2: a candidate's own vote, too, is one only once it is stored (thesis §3.8).
#[test]
fn a_candidate_counts_itself_only_once_its_vote_is_on_disk() {
    let mut alone = member(1, &[]);
    alone.time_out();
    assert_eq!(alone.raft.role(), Role::Candidate);
    alone.sync();
    assert_eq!(alone.raft.role(), Role::Leader);
}

// §5.2: "at most one candidate in a given term, on a first-come-first-served basis"
#[test]
fn a_member_votes_once_a_term() {
    let request = Body::RequestVote { last: Position::ZERO, transfer: false };
    let mut voter = member(3, &[]);
    voter.receive(2, 1, request.clone());
    assert_eq!(voter.sent(), [], "a vote leaves only once it is on disk");
    voter.sync();
    assert_eq!(voter.sent(), [(2, 1, Body::Vote { granted: true })]);
    voter.receive(3, 1, request.clone());
    assert_eq!(voter.sent(), [(3, 1, Body::Vote { granted: false })]);
    voter.receive(2, 1, request);
    assert_eq!(voter.sent(), [(2, 1, Body::Vote { granted: true })], "asked again, it says the same");
}

// §5.2: "It then sends heartbeat messages to all of the other servers"
#[test]
fn a_new_leader_makes_itself_known_at_once() {
    let mut leader = member(3, &[]);
    leader.elect();
    let to: BTreeSet<u64> = leader.sent().into_iter().map(|(to, _, _)| to).collect();
    assert_eq!(to, BTreeSet::from([2, 3]));
}

// §5.2: "recognizes the leader as legitimate and returns to follower state"
#[test]
fn a_candidate_yields_to_the_leader_of_its_term() {
    let mut candidate = member(3, &[]);
    candidate.time_out();
    candidate.receive(2, 1, append(Position::ZERO, &[], 0));
    assert_eq!(candidate.raft.role(), Role::Follower { leader: Some(id(2)) });
}

// §5.2: "rejects the RPC and continues in candidate state"
#[test]
fn a_candidate_ignores_a_leader_of_an_old_term() {
    let mut candidate = member(3, &[3]);
    candidate.time_out();
    candidate.receive(2, 3, append(at(3, 1), &[(3, 2)], 0));
    assert_eq!((candidate.raft.role(), candidate.raft.last()), (Role::Candidate, at(3, 1)));
}

// §5.2: "each candidate will time out and start a new election"
#[test]
fn a_split_vote_is_followed_by_another_election() {
    let mut candidate = member(4, &[]);
    candidate.time_out();
    candidate.sync();
    candidate.receive(2, 1, Body::Vote { granted: true });
    candidate.time_out();
    assert_eq!((candidate.raft.role(), candidate.raft.term()), (Role::Candidate, 2));
}

// §5.2: "election timeouts are chosen randomly from a fixed interval"
#[test]
fn election_timeouts_are_random_and_drawn_anew() {
    let timeout = Config::new(id(1)).election_timeout;
    let recovered = Disk::default().recovered(Configuration::of((1..=3).map(id)));
    let mut drawn = BTreeSet::new();
    for seed in 0..50 {
        let mut config = Config::new(id(1));
        plain(&mut config);
        let mut raft = Raft::new(config, recovered.clone(), seed, Instant::ZERO);
        for _ in 0..10 {
            let (now, mut out) = (raft.deadline(), Vec::new());
            raft.step(now, Input::Timeout, &mut out);
            let span = raft.deadline().since(now);
            assert!(timeout <= span && span < timeout * 2, "{span:?}");
            drawn.insert(span);
            // Its disk is quick: otherwise it would stop standing.
            let ticket = out.iter().find_map(|out| if let Output::Persist(persist) = out { Some(persist.ticket) } else { None });
            raft.step(now, Input::Persisted { ticket: ticket.unwrap() }, &mut out);
        }
    }
    assert!(drawn.len() > 490, "only {} different ones", drawn.len());
}

// §5.3: "The leader appends the command to its log as a new entry"
// §5.3: "issues AppendEntries RPCs in parallel"
#[test]
fn a_command_is_written_and_sent_at_once() {
    let mut leader = leader(3, &[]);
    for follower in [2, 3] {
        leader.receive(follower, 1, Body::Appended { upto: 1 });
    }
    leader.step(Input::Propose { commands: vec![Bytes::from_static(b"x")] });
    let append = Append { after: at(1, 1), entries: vec![entry(1, 2, "x")] };
    let written: Vec<_> = leader
        .out
        .iter()
        .filter_map(|out| if let Output::Persist(persist) = out { persist.append.clone() } else { None })
        .collect();
    assert_eq!(written, [append]);
    let body = Body::Append { previous: at(1, 1), entries: vec![entry(1, 2, "x")], commit: 1 };
    assert_eq!(leader.sent(), [(2, 1, body.clone()), (3, 1, body)]);
}

// §5.3: "committed once the leader … has replicated it on a majority"
#[test]
fn an_entry_is_committed_at_a_majority_of_those_who_synced_it() {
    // (members, others who hold it, whether the leader synced it, committed)
    let cases = [
        (1, 0, true, true),
        (1, 0, false, false),
        (3, 0, true, false),
        (3, 1, true, true),
        (3, 1, false, false),
        (3, 2, false, true),
        (4, 1, true, false),
        (4, 2, true, true),
        (5, 1, true, false),
        (5, 2, true, true),
        (5, 2, false, false),
        (5, 3, false, true),
    ];
    for (members, holders, synced, committed) in cases {
        let mut leader = leader(members, &[]);
        for follower in 2..=members {
            leader.receive(follower, 1, Body::Appended { upto: 1 });
        }
        leader.step(Input::Propose { commands: vec![Bytes::from_static(b"x")] });
        if synced {
            leader.sync();
        }
        for follower in 2..2 + holders {
            leader.receive(follower, 1, Body::Appended { upto: 2 });
        }
        assert_eq!(leader.raft.commit_index() == 2, committed, "{holders} others of {members}, synced here: {synced}");
    }
}

// §5.3: "also commits all preceding entries in the leader's log"
#[test]
fn what_precedes_a_committed_entry_is_committed_with_it() {
    for terms in [&[][..], &[2], &[1, 2], &[1]] {
        let mut leader = leader(3, terms);
        let last = leader.raft.last().index;
        let term = leader.raft.term();
        let mut seen = applied(leader.receive(2, term, Body::Appended { upto: last }));
        while let Some(&last) = seen.last() {
            // Entries from before the start come from the disk.
            let position = at(leader.raft.term_at(last).unwrap(), last);
            let more = applied(leader.step(Input::Applied { position }));
            if more.is_empty() {
                break;
            }
            seen.extend(more);
        }
        assert_eq!(leader.raft.commit_index(), last, "log {terms:?}");
    }
}

// §5.3: "it includes that index in future AppendEntries RPCs"
// §5.3: "applies the entry to its local state machine (in log order)"
#[test]
fn followers_learn_what_is_committed_and_apply_it_in_order() {
    let mut follower = member(3, &[]);
    follower.receive(2, 1, append(Position::ZERO, &[(1, 1), (1, 2)], 1));
    assert_eq!(applied(&follower.out), [] as [u64; 0], "nothing is applied that this member could forget");
    follower.sync();
    assert_eq!(applied(&follower.out), [1]);
    follower.step(Input::Applied { position: at(1, 1) });
    follower.receive(2, 1, Body::Heartbeat { commit: 2, context: Bytes::new() });
    assert_eq!(applied(&follower.out), [2]);
}

// §5.3: "the leader retries AppendEntries RPCs indefinitely"
#[test]
fn a_follower_that_is_down_is_sent_entries_until_it_answers() {
    let mut cluster = Cluster::with(3, plain);
    let leader = cluster.elect();
    let lost = leader % 3 + 1;
    cluster.isolate(lost);
    cluster.propose(leader, "a");
    cluster.run(millis(500));
    assert_eq!(cluster.data(leader), ["a"], "clients are not held up");
    // Without Pre-Vote it raised its term meanwhile, and disturbs once.
    cluster.heal();
    cluster.run(millis(5_000));
    assert_eq!(cluster.data(lost), ["a"]);
}

// §5.3: "then it refuses the new entries"
#[test]
fn an_append_that_does_not_fit_is_refused() {
    // (previous, whether the log 1 1 2 holds it)
    let cases = [(at(1, 2), true), (at(2, 3), true), (at(0, 0), true), (at(1, 3), false), (at(2, 4), false), (at(3, 2), false)];
    for (previous, fits) in cases {
        let mut follower = member(3, &[1, 1, 2]);
        follower.receive(2, 4, append(previous, &[], 0));
        follower.sync();
        let refused = follower.sent().iter().any(|(_, _, body)| matches!(body, Body::Refused { .. }));
        assert_eq!(refused, !fits, "{previous}");
    }
}

// §5.3: "conflicting entries in follower logs will be overwritten"
#[test]
fn a_conflicting_tail_is_overwritten_and_nothing_else() {
    // (previous, entries, what the log 1 1 2 becomes)
    let cases = [
        (at(2, 3), vec![(3, 4)], vec![1, 1, 2, 3]),
        (at(1, 1), vec![(3, 2)], vec![1, 3]),
        (at(0, 0), vec![(3, 1), (3, 2)], vec![3, 3]),
        // Old news: what follows may be newer than this append.
        (at(0, 0), vec![(1, 1)], vec![1, 1, 2]),
        (at(1, 1), vec![(1, 2), (2, 3)], vec![1, 1, 2]),
        (at(1, 1), vec![], vec![1, 1, 2]),
    ];
    for (previous, entries, expected) in cases {
        let mut follower = member(3, &[1, 1, 2]);
        follower.receive(2, 3, append(previous, &entries, 0));
        let last = follower.raft.last().index;
        let terms: Vec<u64> = (1..=last).map(|index| follower.raft.term_at(index).unwrap()).collect();
        assert_eq!(terms, expected, "{entries:?} after {previous}");
    }
}

// §5.3, figure 7: a new leader makes every log equal to its own.
#[test]
fn a_leader_brings_every_follower_to_its_own_log() {
    let own = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];
    let others: [&[u64]; 6] = [
        &[1, 1, 1, 4, 4, 5, 5, 6, 6],
        &[1, 1, 1, 4],
        &[1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
        &[1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
        &[1, 1, 1, 4, 4, 4, 4],
        &[1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
    ];
    let mut disks = vec![Disk::with_terms(&own)];
    disks.extend(others.iter().map(|terms| Disk::with_terms(terms)));
    disks[0].promise.epoch = 7;
    let mut cluster = Cluster::with_disks(disks, plain);
    cluster.time_out(1);
    cluster.settle();
    assert_eq!((cluster.leader(), cluster.raft(1).term()), (Some(1), 8));
    cluster.run(millis(300));
    for member in 2..=7 {
        assert_eq!(cluster.log(member), cluster.log(1), "member {member}");
    }
}

// §5.3: "one AppendEntries RPC will be required for each term with conflicting entries"
#[test]
fn backtracking_takes_one_probe_for_each_divergent_term() {
    let mut own = vec![1; 10];
    own.extend([2; 10]);
    own.extend([6; 10]);
    let mut other = vec![1; 10];
    other.extend([3; 20]);
    other.extend([4; 20]);
    other.extend([5; 20]);
    let mut disks = vec![Disk::with_terms(&own), Disk::with_terms(&other), Disk::with_terms(&own)];
    disks[0].promise.epoch = 6;
    let mut cluster = Cluster::with_disks(disks, plain);
    cluster.time_out(1);
    cluster.settle();
    assert_eq!(cluster.log(2), cluster.log(1));
    let refused = cluster.members[&id(2)].seen.iter();
    let refused =
        refused.filter(|out| matches!(out, Output::Send { message: Message { body: Body::Refused { .. }, .. }, .. })).count();
    assert!(refused <= 3, "{refused} probes were refused");
}

// §5.3: "A leader never overwrites or deletes entries in its own log"
#[test]
fn a_leader_only_appends() {
    let mut leader = leader(3, &[1, 1]);
    let before = leader.raft.last();
    leader.receive(2, leader.raft.term(), append(at(1, 1), &[(2, 2)], 0));
    assert_eq!(leader.raft.last(), before);
}

// §5.3: "nextIndex … the index just after the last one in its log"
#[test]
fn a_new_leader_guesses_that_all_logs_equal_its_own() {
    let mut leader = member(3, &[1, 1, 2]);
    leader.elect();
    for (_, progress) in leader.raft.progress() {
        assert_eq!((progress.matched(), progress.next()), (0, 4));
    }
}

// §5.4.1: "denies its vote if its own log is more up-to-date"
#[test]
fn only_a_log_as_recent_gets_the_vote() {
    // The voter's log ends at (2, 3): (candidate's last, vote)
    let cases = [
        (at(2, 3), true),
        (at(2, 4), true),
        (at(3, 1), true),
        (at(3, 9), true),
        (at(2, 2), false),
        (at(1, 9), false),
        (at(1, 3), false),
        (at(0, 0), false),
    ];
    for (last, expected) in cases {
        let mut voter = member(3, &[1, 2, 2]);
        voter.receive(2, 5, Body::RequestVote { last, transfer: false });
        voter.sync();
        assert_eq!(voter.sent(), [(2, 5, Body::Vote { granted: expected })], "{last}");
    }
}

// §5.4.2: "Only log entries from the leader's current term are committed by counting replicas"
#[test]
fn an_old_terms_entry_commits_only_with_a_new_one() {
    // Figure 8: entry 2 of term 2 is on a majority, and must not be counted by the leader of term 4.
    let mut leader = leader(5, &[1, 2]);
    let term = leader.raft.term();
    for follower in [2, 3] {
        leader.receive(follower, term, Body::Appended { upto: 2 });
    }
    assert_eq!(leader.raft.commit_index(), 0);
    for follower in [2, 3] {
        leader.receive(follower, term, Body::Appended { upto: 3 });
    }
    assert_eq!(leader.raft.commit_index(), 3, "with its own entry, all before it");
}

// §5.5: "Raft RPCs are idempotent, so this causes no harm."
#[test]
fn messages_may_come_twice() {
    let mut follower = member(3, &[]);
    for _ in 0..3 {
        follower.receive(2, 1, append(Position::ZERO, &[(1, 1), (1, 2)], 2));
        follower.sync();
    }
    assert_eq!((follower.raft.last(), follower.raft.commit_index()), (at(1, 2), 2));
    let mut leader = leader(3, &[]);
    for _ in 0..3 {
        leader.receive(2, 1, Body::Appended { upto: 1 });
    }
    assert_eq!(leader.raft.commit_index(), 1);
    assert_eq!(leader.raft.progress().next().unwrap().1.matched(), 1);
}
