//! Pre-votes, leases and early elections: who stands, who votes, who stays silent, and what they say about it.

mod support;

use bytes::Bytes;
use consensus::{Configuration, How, Input, Link, NodeId, Position, Role};
use raft::{Body, Config, Recovered};
use support::{Cluster, Disk, Single, at, id, millis};

const ASK: Body = Body::RequestPreVote { last: Position::new(9, 9) };
const REQUEST: Body = Body::RequestVote { last: Position::new(9, 9), transfer: false };

fn heartbeat() -> Body {
    Body::Heartbeat { commit: 0, context: Bytes::new() }
}

fn with(change: impl Fn(&mut Config), terms: &[u64]) -> Single {
    let mut config = Config::new(id(1));
    change(&mut config);
    Single::new(config, Disk::with_terms(terms).recovered(Configuration::of((1..=3).map(NodeId))))
}

fn refused_link(peer: u64) -> Input<raft::Message> {
    Input::Disconnected { peer: id(peer), link: Link::Peer, how: How::Refused }
}

#[test]
fn a_pre_vote_changes_neither_term_nor_vote() {
    let mut voter = Single::of_three(&[1, 1]);
    for (candidate, term) in [(2, 2), (3, 2), (2, 7)] {
        voter.receive(candidate, term, ASK);
        // Echoes the request's term, to several, and needs no sync.
        assert_eq!(voter.sent(), [(candidate, term, Body::PreVote { granted: true })]);
        assert_eq!((voter.raft.term(), voter.raft.vote()), (1, None));
    }
}

#[test]
fn a_pre_vote_looks_at_the_log_as_a_vote_does() {
    for (last, granted) in [(at(1, 2), true), (at(1, 3), true), (at(2, 1), true), (at(1, 1), false), (at(0, 0), false)] {
        let mut voter = Single::of_three(&[1, 1]);
        voter.receive(2, 2, Body::RequestPreVote { last });
        // A refusal carries the voter's own term.
        let term = if granted { 2 } else { 1 };
        assert_eq!(voter.sent(), [(2, term, Body::PreVote { granted })], "{last}");
    }
}

#[test]
fn a_pre_candidate_raises_its_term_only_when_it_can_win() {
    let mut candidate = Single::of(5, &[1]);
    candidate.time_out();
    assert_eq!((candidate.raft.role(), candidate.raft.term(), candidate.raft.leader()), (Role::PreCandidate, 1, None));
    assert_eq!(candidate.sent().len(), 4);
    assert!(candidate.sent().iter().all(|(_, term, _)| *term == 2));
    candidate.receive(2, 2, Body::PreVote { granted: true });
    candidate.receive(2, 2, Body::PreVote { granted: true });
    assert_eq!(candidate.raft.role(), Role::PreCandidate, "one voter is counted once");
    candidate.receive(3, 2, Body::PreVote { granted: true });
    assert_eq!((candidate.raft.role(), candidate.raft.term()), (Role::Candidate, 2));
    assert_eq!(candidate.sent(), []);
    candidate.sync();
    assert_eq!(candidate.sent().len(), 4, "votes are asked for once the own one is on disk");
}

#[test]
fn a_pre_candidate_that_hears_of_a_higher_term_adopts_it() {
    let mut candidate = Single::of_three(&[1]);
    candidate.time_out();
    candidate.receive(2, 5, Body::PreVote { granted: false });
    assert_eq!((candidate.raft.role(), candidate.raft.term()), (Role::Follower { leader: None }, 5));
}

#[test]
fn a_lower_term_is_told_ours_and_not_ignored() {
    let mut voter = Single::of_three(&[4]);
    voter.receive(2, 3, ASK);
    assert_eq!(voter.sent(), [(2, 4, Body::PreVote { granted: false })]);
    voter.receive(2, 3, REQUEST);
    assert_eq!(voter.sent(), [(2, 4, Body::Vote { granted: false })]);
    // A leader of a lower term: an empty answer to an append frees a stuck candidate.
    voter.receive(2, 3, heartbeat());
    assert_eq!(voter.sent(), [(2, 4, Body::Appended { upto: 0 })]);
    let mut plain = with(|config| (config.pre_vote, config.check_quorum, config.vote_lease) = (false, false, false), &[4]);
    plain.receive(2, 3, heartbeat());
    assert_eq!(plain.sent(), []);
}

#[test]
fn a_voter_in_lease_answers_nobody() {
    let mut voter = Single::of_three(&[1]);
    voter.receive(3, 1, heartbeat());
    voter.now = voter.now + millis(260);
    voter.receive(2, 9, REQUEST);
    assert_eq!(voter.sent(), []);
    assert_eq!(voter.raft.term(), 1);
    assert_eq!(voter.decisions(), ["refused 2 the vote of term 9: lease of 3 has 740 ms left"]);
    // The leader said so itself: leases do not bind.
    voter.receive(2, 9, Body::RequestVote { last: at(9, 9), transfer: true });
    voter.sync();
    assert_eq!(voter.sent(), [(2, 9, Body::Vote { granted: true })]);
}

#[test]
fn without_the_lease_a_voter_elects_whoever_asks() {
    let mut voter = with(|config| config.vote_lease = false, &[1]);
    voter.receive(3, 1, heartbeat());
    voter.receive(2, 2, REQUEST);
    voter.sync();
    assert_eq!(voter.sent(), [(2, 2, Body::Vote { granted: true })]);
}

#[test]
fn a_kept_pre_vote_is_answered_when_the_lease_ends() {
    let mut voter = Single::of_three(&[1]);
    voter.receive(3, 1, heartbeat());
    voter.now = voter.now + millis(600);
    voter.receive(2, 2, ASK);
    assert_eq!(voter.decisions(), ["keeps 2 waiting: lease of 3 has 400 ms left"]);
    voter.time_out();
    assert_eq!(voter.now.as_nanos(), 1_000_000_000);
    assert_eq!(voter.sent(), [(2, 2, Body::PreVote { granted: true })]);
}

#[test]
fn a_kept_pre_vote_is_forgotten_when_the_leader_lives_on() {
    let mut voter = Single::of_three(&[1]);
    voter.receive(2, 1, heartbeat());
    voter.receive(3, 2, ASK);
    for _ in 0..20 {
        voter.now = voter.now + millis(100);
        voter.receive(2, 1, heartbeat());
    }
    voter.time_out();
    assert!(!voter.sent().iter().any(|(_, _, body)| matches!(body, Body::PreVote { .. })));
}

#[test]
fn a_refused_link_starts_an_election_at_once() {
    let mut follower = Single::of_three(&[1]);
    follower.receive(3, 1, heartbeat());
    follower.step(Input::Disconnected { peer: id(3), link: Link::Peer, how: How::Lost });
    assert_eq!(follower.raft.role(), Role::Follower { leader: Some(id(3)) }, "a lost link says nothing");
    follower.step(refused_link(2));
    assert_eq!(follower.raft.role(), Role::Follower { leader: Some(id(3)) }, "not the leader's");
    follower.step(refused_link(3));
    assert_eq!((follower.raft.role(), follower.raft.term()), (Role::PreCandidate, 1));
    assert_eq!(follower.decisions(), ["stood for pre-vote of term 2: its link to 3 was refused"]);
    let off: [fn(&mut Config); 3] = [
        |config| config.early_election = false,
        |config| config.lease_reads = true,
        // Without it one member that is wrong about the link would depose a healthy leader.
        |config| config.pre_vote = false,
    ];
    for change in off {
        let mut follower = with(change, &[1]);
        follower.receive(3, 1, heartbeat());
        follower.step(refused_link(3));
        assert_eq!(follower.raft.role(), Role::Follower { leader: Some(id(3)) });
    }
}

#[test]
fn who_noticed_first_gets_the_word() {
    let mut follower = Single::of_three(&[1]);
    follower.receive(3, 1, heartbeat());
    follower.receive(2, 2, Body::RequestPreVote { last: at(1, 1) });
    assert_eq!(follower.sent(), []);
    follower.step(refused_link(3));
    assert_eq!(follower.sent(), [(2, 2, Body::PreVote { granted: true })]);
    assert_eq!(follower.raft.role(), Role::Follower { leader: None });
    // If nothing comes of it, it stands itself after a heartbeat.
    follower.time_out();
    assert_eq!((follower.now.as_nanos(), follower.raft.role()), (100_000_000, Role::PreCandidate));
}

#[test]
fn of_two_that_notice_at_once_the_better_ranked_goes_first() {
    // (own log, the other's last, whether we stand back)
    let cases = [(&[1, 1][..], at(1, 2), true), (&[1], at(1, 2), true), (&[1, 1], at(1, 1), false)];
    for (terms, last, back) in cases {
        let mut follower = Single::of_three(terms);
        follower.receive(3, 1, heartbeat());
        follower.step(refused_link(3));
        assert_eq!(follower.raft.role(), Role::PreCandidate);
        follower.receive(2, 2, Body::RequestPreVote { last });
        assert_eq!(follower.raft.role() == Role::Follower { leader: None }, back, "{terms:?} and {last}");
        let answers =
            if back { vec![(2, 2, Body::PreVote { granted: true })] } else { vec![(2, 1, Body::PreVote { granted: false })] };
        assert_eq!(follower.sent(), answers);
    }
    // With equal logs the greater id goes first.
    let configuration = Configuration::of((1..=3).map(NodeId));
    let mut follower = Single::new(Config::new(id(2)), Disk::with_terms(&[1]).recovered(configuration));
    follower.receive(3, 1, heartbeat());
    follower.step(refused_link(3));
    follower.receive(1, 2, Body::RequestPreVote { last: at(1, 1) });
    assert_eq!(follower.raft.role(), Role::PreCandidate);
    assert_eq!(follower.sent(), [(1, 1, Body::PreVote { granted: false })]);
    assert_eq!(follower.decisions(), ["refused 1 the pre-vote of term 2: stands itself, with an equal log and a greater id"]);
}

#[test]
fn a_learner_answers_but_never_stands() {
    let mut configuration = Configuration::of([2, 3].map(NodeId));
    configuration.learners.insert(id(1));
    let mut learner = Single::new(Config::new(id(1)), Disk::with_terms(&[1]).recovered(configuration));
    assert_eq!(learner.raft.role(), Role::Learner { leader: None });
    learner.receive(2, 2, REQUEST);
    learner.sync();
    assert_eq!(learner.sent(), [(2, 2, Body::Vote { granted: true })]);
    learner.receive(2, 2, heartbeat());
    learner.now = learner.now + millis(100_000);
    learner.step(Input::Timeout);
    learner.receive(2, 2, Body::TimeoutNow);
    learner.step(refused_link(2));
    assert_eq!((learner.raft.role(), learner.raft.term()), (Role::Learner { leader: None }, 2));
}

#[test]
fn a_joining_member_without_a_configuration_follows() {
    let mut joining = Single::new(Config::new(id(9)), Recovered::default());
    joining.now = joining.now + millis(100_000);
    joining.step(Input::Timeout);
    assert_eq!(joining.raft.role(), Role::Follower { leader: None });
    joining.receive(2, 3, Body::Append { previous: Position::ZERO, entries: vec![support::entry(1, 1, "a")], commit: 1 });
    joining.sync();
    assert!(joining.sent().contains(&(2, 3, Body::Appended { upto: 1 })));
}

#[test]
fn a_leader_steps_down_when_it_hears_too_few() {
    let mut leader = Single::of(5, &[]);
    leader.elect();
    leader.sync();
    let start = leader.now;
    // It was suspended: its first step notices, whatever the input.
    leader.now = leader.now + millis(1_000);
    leader.receive(2, 1, Body::HeartbeatAck { context: Bytes::new() });
    assert_eq!(leader.raft.role(), Role::Leader, "not more than the timeout");
    leader.now = start + millis(1_001);
    leader.receive(3, 1, Body::HeartbeatAck { context: Bytes::new() });
    assert_eq!((leader.raft.role(), leader.raft.term()), (Role::Follower { leader: None }, 1));
    assert_eq!(leader.decisions(), ["stepped down in term 1: heard from 2 of 5 for 1.0 s"]);
    let mut careless = with(|config| config.check_quorum = false, &[]);
    careless.elect();
    careless.sync();
    careless.now = careless.now + millis(100_000);
    careless.step(Input::Timeout);
    assert_eq!(careless.raft.role(), Role::Leader);
}

#[test]
fn a_leader_whose_disk_hangs_steps_down() {
    let mut leader = Single::of_three(&[]);
    leader.elect();
    // Its first entry is never synced.
    for _ in 0..11 {
        leader.now = leader.now + millis(100);
        for peer in [2, 3] {
            leader.receive(peer, 1, Body::HeartbeatAck { context: Bytes::new() });
        }
    }
    assert_eq!(leader.raft.role(), Role::Follower { leader: None });
    // Nor does it stand again: it could not vote for itself.
    leader.time_out();
    assert_eq!((leader.raft.role(), leader.raft.term()), (Role::Follower { leader: None }, 1));
    assert!(leader.decisions()[0].starts_with("did not stand: its log write has been open for"));
}

#[test]
fn members_without_terms_vote_at_once_and_a_restarted_voter_waits_only_for_lease_reads() {
    let mut voter = Single::of_three(&[1]);
    voter.receive(2, 2, REQUEST);
    voter.sync();
    assert_eq!(voter.sent().len(), 1);
    let mut voter = with(|config| config.lease_reads = true, &[1]);
    voter.receive(2, 2, REQUEST);
    assert_eq!(voter.decisions(), ["refused 2 the vote of term 2: a lease promised earlier may have 1.0 s left"]);
    voter.now = voter.now + millis(1_000);
    voter.receive(2, 2, REQUEST);
    voter.sync();
    assert_eq!(voter.sent().len(), 1);
}

#[test]
fn a_member_that_lost_its_memory_abstains_until_a_leader_brought_it_up_to_date() {
    let mut wiped = with(|config| config.abstains = true, &[]);
    wiped.receive(2, 5, REQUEST);
    assert_eq!((wiped.sent(), wiped.raft.vote()), (vec![], None));
    wiped.now = wiped.now + millis(100_000);
    wiped.step(Input::Timeout);
    assert_eq!(wiped.raft.role(), Role::Follower { leader: None });
    // It follows, and asks the leader for its word; but it confirms only what is committed without it.
    let entries = vec![support::entry(3, 1, ""), support::entry(5, 2, "")];
    wiped.receive(2, 5, Body::Append { previous: Position::ZERO, entries, commit: 1 });
    wiped.sync();
    let sent = wiped.sent();
    assert!(sent.contains(&(2, 5, Body::Appended { upto: 1 })));
    let context =
        sent.iter().find_map(|(_, _, body)| if let Body::ReadIndex { context } = body { Some(context.clone()) } else { None });
    wiped.receive(2, 5, Body::Heartbeat { commit: 1, context: Bytes::from_static(b"who follows me?") });
    assert_eq!(wiped.sent(), [(2, 5, Body::HeartbeatAck { context: Bytes::new() })]);
    // The leader's word came, but not yet what it counts on.
    wiped.receive(2, 5, Body::ReadIndexReady { context: context.unwrap(), index: 2 });
    assert!(wiped.raft.abstains());
    wiped.receive(2, 5, Body::Heartbeat { commit: 2, context: Bytes::new() });
    assert!(wiped.raft.abstains(), "not before it is written down");
    wiped.sync();
    assert!(!wiped.raft.abstains());
    assert_eq!(wiped.raft.vote(), Some(id(2)), "this term is won already");
}

#[test]
fn a_leadership_transfer_passes_lease_and_pre_vote() {
    for target in 1..=3 {
        let mut cluster = Cluster::new(3);
        let leader = cluster.elect();
        let before = cluster.now;
        cluster.step(leader, Input::TransferLeadership { to: Some(id(target)) });
        cluster.settle();
        assert_eq!((cluster.leader(), cluster.now), (Some(target), before));
        assert_eq!(cluster.raft(target).term(), if target == leader { 1 } else { 2 });
    }
}

#[test]
fn a_message_from_oneself_or_of_no_term_is_ignored() {
    let mut member = Single::of_three(&[1]);
    for (from, term) in [(1, 9), (2, 0), (2, u64::MAX)] {
        member.receive(from, term, heartbeat());
        assert_eq!((member.raft.term(), member.raft.leader()), (1, None), "term {term} of {from}");
    }
}

#[test]
fn nobody_answers_before_anybody_was_asked() {
    let mut config = Config::new(id(1));
    config.pre_vote = false;
    let mut candidate = Single::new(config, Disk::default().recovered(Configuration::of((1..=3).map(NodeId))));
    candidate.time_out();
    let stood = candidate.out.clone();
    for liar in [2, 3] {
        candidate.receive(liar, 1, Body::Vote { granted: true });
    }
    assert_eq!(candidate.raft.role(), Role::Candidate, "its own vote is not on disk, so its requests have not left");
    candidate.out = stood;
    candidate.sync();
    candidate.receive(2, 1, Body::Vote { granted: true });
    assert_eq!(candidate.raft.role(), Role::Leader);
}
