//! Fast Leader Election: rounds, votes, the wait, and who is believed.

mod support;

use consensus::{Configuration, Consensus as _, Hierarchy, How, Input, Link, NodeId, Output};
use std::collections::BTreeMap;
use support::single::Single;
use support::{Durable, World, at, entry, id, millis};
use zab::{Config, Decision, Notification, State, Vote};

fn vote(leader: i64, epoch: i64, zxid: i64) -> Vote {
    Vote { epoch, zxid, leader }
}

/// Server `me` of five; all have the same, (1, 1).
fn one_of_five(me: u64) -> Single {
    Single::new(me, 5, 0, &Durable::with(1, vec![entry(1, 1, "a")]), 9)
}

const SAME: i64 = 0x1_0000_0001;

#[test]
fn everybody_votes_for_itself_first_and_says_so_to_every_voter() {
    let mut single = one_of_five(3);
    let own = Notification { state: State::Looking, vote: vote(3, 1, SAME), round: 1 };
    for voter in [1, 2, 4, 5] {
        assert_eq!(single.notifications(voter), [own]);
    }
}

#[test]
fn a_better_vote_is_one_of_a_later_epoch_then_fresher_data_then_a_larger_id() {
    let adopts = |theirs: Vote| {
        let mut single = one_of_five(3);
        single.notifications(1);
        single.notify(2, State::Looking, theirs, 1);
        single.notifications(1).first().is_some_and(|said| said.vote == theirs)
    };
    assert!(adopts(vote(1, 2, 0)), "epoch");
    assert!(adopts(vote(1, 1, SAME + 1)), "data");
    assert!(adopts(vote(4, 1, SAME)), "id");
    assert!(!adopts(vote(2, 1, SAME)));
    assert!(!adopts(vote(5, 1, SAME - 1)));
    assert!(!adopts(vote(5, 0, SAME + 9)));
    assert!(!adopts(vote(6, 9, SAME)), "no voter");
    assert!(!adopts(vote(-7, 9, SAME)), "no server");
}

#[test]
fn a_later_round_is_joined_and_an_earlier_one_is_told() {
    let mut single = one_of_five(3);
    single.notify(2, State::Looking, vote(4, 1, SAME), 1);
    single.out.clear();
    // All votes of the round are forgotten, its own better one too: it chooses again.
    single.notify(2, State::Looking, vote(2, 1, SAME), 7);
    let own = Notification { state: State::Looking, vote: vote(3, 1, SAME), round: 7 };
    assert_eq!(single.notifications(1), [own]);
    assert_eq!(single.decisions(), ["left round 1 for 2's round 7"]);
    single.out.clear();
    single.notify(5, State::Looking, vote(5, 1, SAME), 6);
    assert_eq!(single.notifications(5), [own]);
    assert_eq!(single.notifications(1), [], "its vote is ignored");
}

#[test]
fn who_repeats_a_vote_that_is_surpassed_has_not_heard_and_is_told() {
    let mut single = one_of_five(3);
    single.notify(2, State::Looking, vote(2, 1, SAME), 1);
    single.out.clear();
    single.notify(2, State::Looking, vote(2, 1, SAME), 1);
    assert_eq!(single.notifications(2), [Notification { state: State::Looking, vote: vote(3, 1, SAME), round: 1 }]);
    assert_eq!(single.notifications(1), []);
}

#[test]
fn a_quorum_is_believed_after_a_wait_in_which_a_better_vote_may_come() {
    let mut single = one_of_five(3);
    for voter in [1, 2] {
        single.notify(voter, State::Looking, vote(3, 1, SAME), 1);
    }
    single.wait(millis(199));
    assert_eq!(single.zab.state(), State::Looking);
    single.notify(4, State::Looking, vote(4, 1, SAME), 1);
    single.wait(millis(1));
    assert_eq!(single.zab.state(), State::Looking, "4 is better");
    single.notify(1, State::Looking, vote(4, 1, SAME), 1);
    single.wait(millis(200));
    assert_eq!(single.zab.leader(), Some(id(4)));
    let said = "4 is elected in round 1: 3 of 5 vote as I do, and no better vote came for 200 ms";
    assert!(single.decisions().contains(&said.to_owned()));
}

#[test]
fn the_wait_ends_early_once_nobody_is_left_who_could_vote_better() {
    let refused = |peer| Input::Disconnected { peer: id(peer), link: Link::Election, how: How::Refused };
    let mut single = one_of_five(3);
    for voter in [1, 2] {
        single.notify(voter, State::Looking, vote(3, 1, SAME), 1);
    }
    single.step(refused(4));
    single.step(Input::Disconnected { peer: id(5), link: Link::Election, how: How::Lost });
    assert_eq!(single.zab.state(), State::Looking, "5 may live");
    // One whose port was refused has come up since.
    single.step(Input::Connected { peer: id(4), link: Link::Election, incarnation: 0 });
    single.step(refused(5));
    assert_eq!(single.zab.state(), State::Looking, "4 lives");
    single.step(refused(4));
    assert_eq!(single.zab.state(), State::Leading);
    let said =
        "3 is elected in round 1: 3 of 5 vote as I do, and nobody is left who could vote better: 3 have voted, 2 not running";
    assert!(single.decisions().contains(&said.to_owned()));
    // Or once all have voted.
    let mut single = one_of_five(5);
    for voter in 1..=4 {
        assert_eq!(single.zab.state(), State::Looking);
        single.notify(voter, State::Looking, vote(5, 1, SAME), 1);
    }
    assert_eq!(single.zab.state(), State::Leading);
    // Unless it is told to wait, as Java does.
    let mut config = Config::new(id(5), Configuration::of((1..=5).map(NodeId)));
    config.early_finalize = false;
    let mut single = Single::of(config, &Durable::with(1, vec![entry(1, 1, "a")]), 9);
    for voter in 1..=4 {
        single.notify(voter, State::Looking, vote(5, 1, SAME), 1);
    }
    assert_eq!(single.zab.state(), State::Looking);
    single.wait(millis(200));
    assert_eq!(single.zab.state(), State::Leading);
}

#[test]
fn votes_are_repeated_after_200_ms_and_then_more_rarely() {
    let mut single = one_of_five(3);
    single.notifications(1);
    let mut waits = Vec::new();
    for _ in 0..11 {
        let from = single.now;
        single.now = single.zab.deadline();
        single.step(Input::Timeout);
        assert_eq!(single.notifications(1).len(), 1);
        waits.push(single.now.since(from).as_millis());
    }
    assert_eq!(waits, [200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 51_200, 60_000, 60_000]);
    assert!(single.decisions().contains(&"not enough: 1 of 5 vote as I do".to_owned()));
}

#[test]
fn a_late_starter_joins_the_leader_that_a_quorum_follows_and_that_says_so_itself() {
    let mut single = one_of_five(5);
    let standing = vote(3, 4, SAME);
    single.notify(1, State::Following, standing, 9);
    single.notify(2, State::Following, standing, 9);
    single.notify(4, State::Following, Vote { zxid: 7, ..standing }, 3);
    assert_eq!(single.zab.state(), State::Looking, "3 may have died");
    single.notify(3, State::Leading, standing, 9);
    assert_eq!(single.zab.leader(), Some(id(3)), "whatever round and zxid they remember");
    assert_eq!((single.zab.round(), single.zab.vote()), (9, standing));
    assert!(single.decisions().contains(&"joins 3: it leads since round 9, and a quorum follows it".to_owned()));
}

#[test]
fn who_does_not_look_answers_who_does_with_the_vote_that_stands() {
    let mut single = one_of_five(5);
    for voter in 1..=4 {
        single.notify(voter, State::Looking, vote(5, 1, SAME), 1);
    }
    single.out.clear();
    single.notify(2, State::Looking, vote(2, 1, SAME), 3);
    assert_eq!(single.notifications(2), [Notification { state: State::Leading, vote: vote(5, 1, SAME), round: 1 }]);
    single.notify(2, State::Following, vote(5, 1, SAME), 3);
    assert_eq!(single.notifications(2), []);
}

#[test]
fn an_observer_is_answered_and_never_counted() {
    let mut single = Single::new(2, 3, 2, &Durable::default(), 9);
    single.out.clear();
    single.notify(4, State::Looking, Vote::NOBODY, 1);
    assert_eq!(single.notifications(4), [Notification { state: State::Looking, vote: vote(2, 0, 0), round: 1 }]);
    for observer in [4, 5] {
        single.notify(observer, State::Looking, vote(2, 0, 0), 1);
    }
    single.wait(millis(200));
    assert_eq!(single.zab.state(), State::Looking);
    // Two that look, the observer in a later round, would answer each other without end.
    single.out.clear();
    single.notify(4, State::Looking, Vote::NOBODY, 5);
    assert_eq!(single.notifications(4), []);
}

#[test]
fn an_empty_database_that_is_not_trusted_has_no_vote_but_finds_the_leader() {
    let durable = Durable { untrusted: true, ..Durable::default() };
    let mut single = Single::new(3, 3, 0, &durable, 9);
    assert_eq!(single.notifications(1)[0].vote, vote(3, 0, -1));
    for voter in [1, 2] {
        single.notify(voter, State::Looking, vote(3, 0, 0), 1);
    }
    single.wait(millis(200));
    assert_eq!(single.zab.state(), State::Looking);
    single.notify(1, State::Following, vote(2, 1, 0), 1);
    single.notify(2, State::Leading, vote(2, 1, 0), 1);
    assert_eq!(single.zab.leader(), Some(id(2)));
    // And whoever hears such a vote ignores it.
    let mut single = Single::new(1, 3, 0, &Durable::default(), 9);
    single.out.clear();
    single.notify(3, State::Looking, vote(3, 0, -1), 1);
    assert_eq!(single.notifications(2), []);
}

#[test]
fn weights_and_groups_decide_and_who_weighs_nothing_is_never_elected() {
    let mut configuration = Configuration::of((1..=5).map(NodeId));
    let groups = BTreeMap::from([1, 2, 3, 4, 5].map(|server| (NodeId(server), if server < 4 { 1 } else { 2 })));
    configuration.hierarchy = Some(Hierarchy { groups, weights: BTreeMap::from([(NodeId(5), 0), (NodeId(4), 0)]) });
    let config = Config::new(id(3), configuration);
    let mut single = Single::of(config, &Durable::default(), 9);
    single.out.clear();
    single.notify(5, State::Looking, vote(5, 9, 9), 1);
    assert_eq!(single.notifications(1), [], "5 weighs nothing");
    single.notify(4, State::Looking, vote(3, 0, 0), 1);
    single.wait(millis(199));
    assert!(!single.decided(|decision| matches!(decision, Decision::Elected { .. })));
    single.notify(2, State::Looking, vote(3, 0, 0), 1);
    single.wait(millis(200));
    assert_eq!(single.zab.state(), State::Leading, "two of the three that weigh something");
}

#[test]
fn a_voter_that_looks_elsewhere_frees_a_leader_that_waits_in_vain() {
    let mut single = Single::new(3, 3, 0, &Durable::default(), 9);
    single.elect_me();
    single.notify(2, State::Looking, vote(2, 0, 0), 2);
    assert_eq!(single.zab.state(), State::Leading, "its followers may be on their way");
    single.wait(millis(500));
    assert_eq!(single.zab.state(), State::Looking);
    let said = "stopped leading: 2 looks for another leader, and only 1 of 3 are connected";
    assert!(single.decisions().contains(&said.to_owned()));
}

#[test]
fn a_server_alone_elects_itself_at_once() {
    let mut world = World::new(1, 0, 1, |_| {});
    world.start_all();
    let start = world.now;
    world.run_until_all_serve(millis(1));
    assert_eq!(world.now, start);
    assert!(world.propose(id(1)));
    world.run();
    assert_eq!(world.ghost.len(), 1);
}

#[test]
fn a_cold_start_a_write_and_the_leaders_death_without_waiting() {
    let mut world = World::new(3, 1, 1, |_| {});
    world.start_all();
    let start = world.now;
    world.run_until_all_serve(millis(1_000));
    assert_eq!((world.leader(), world.now), (Some(id(3)), start), "all have voted: nothing to wait for");
    world.propose(id(3));
    world.run();
    world.crash(id(3));
    world.run_for(millis(1));
    assert_eq!(world.leader(), Some(id(2)), "{}", world.describe());
    assert_eq!(world.leaders.len(), 2);
    world.propose(id(2));
    world.run_for(millis(500));
    assert!(world.nodes[&id(4)].zab.serving(), "{}", world.describe());
    // The old leader comes back and follows, though its id is the largest.
    world.start(id(3));
    world.run_until_all_serve(millis(1_000));
    assert_eq!(world.leader(), Some(id(2)));
    world.assert_all_equal();
}

#[test]
fn fresh_data_beats_the_larger_id() {
    let mut world = World::new(3, 0, 1, |_| {});
    let log = vec![entry(1, 1, "a"), entry(1, 2, "b")];
    world.disks.insert(id(1), Durable::with(1, log.clone()));
    world.disks.insert(id(3), Durable::with(1, log[..1].to_vec()));
    world.start_all();
    world.run_until_all_serve(millis(1_000));
    assert_eq!(world.leader(), Some(id(1)));
    world.assert_all_equal();
    assert_eq!(world.ghost.last().map(|entry| entry.position), Some(at(1, 2)));
}

#[test]
fn without_a_majority_nobody_leads_and_with_one_somebody_does() {
    let mut world = World::new(4, 0, 1, |_| {});
    for server in [1, 2] {
        world.start(id(server));
    }
    world.run_for(millis(5_000));
    assert_eq!(world.leader(), None);
    world.start(id(3));
    world.run_for(millis(1_000));
    assert_eq!(world.leader(), Some(id(3)));
    world.crash(id(1));
    world.run_for(millis(5_000));
    assert_eq!(world.leader(), None, "half of four is no majority");
}

#[test]
fn handing_over_makes_somebody_else_lead_at_once() {
    let mut world = World::new(3, 0, 1, |_| {});
    world.start_all();
    world.run_until_all_serve(millis(1_000));
    world.propose(id(3));
    world.run();
    let start = world.now;
    world.step(id(3), Input::TransferLeadership { to: None });
    world.run_until_all_serve(millis(1_000));
    assert_eq!((world.leader(), world.now), (Some(id(2)), start));
    world.step(id(2), Input::TransferLeadership { to: Some(id(1)) });
    world.run_until_all_serve(millis(1_000));
    assert_eq!(world.leader(), Some(id(3)), "a wish: the larger id votes for itself again");
    let refused = |output: &support::Out| matches!(output, Output::Drop { .. });
    let mut out = Vec::new();
    let now = world.now;
    world.node(id(3)).zab.step(now, Input::TransferLeadership { to: Some(id(9)) }, &mut out);
    assert!(out.iter().any(refused));
}
