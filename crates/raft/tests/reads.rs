//! Linearizable reads, and leadership transfer at its edges.

mod support;

use bytes::Bytes;
use consensus::{Configuration, Consensus as _, DropReason, Dropped, Input, NodeId, Output, Position, ReadId, Role};
use raft::{Body, Config};
use support::{Cluster, Disk, Out, Single, at, id, millis};

fn elected(members: u64, change: impl Fn(&mut Config)) -> Single {
    let mut config = Config::new(id(1));
    change(&mut config);
    let mut leader = Single::new(config, Disk::default().recovered(Configuration::of((1..=members).map(NodeId))));
    leader.elect();
    leader.sync();
    leader
}

/// It has committed and applied its first entry.
fn established(members: u64, change: impl Fn(&mut Config)) -> Single {
    let mut leader = elected(members, change);
    for follower in 2..=members {
        leader.receive(follower, 1, Body::Appended { upto: 1 });
    }
    leader.step(Input::Applied { position: at(1, 1) });
    leader
}

fn contexts(member: &Single) -> Vec<(u64, Bytes)> {
    let context = |(to, _, body)| match body {
        Body::Heartbeat { context, .. } | Body::ReadIndex { context } => Some((to, context)),
        _ => None,
    };
    member.sent().into_iter().filter_map(context).collect()
}

fn ready(out: &[Out]) -> Vec<u64> {
    out.iter().filter_map(|out| if let Output::ReadReady { id } = out { Some(id.0) } else { None }).collect()
}

fn read(member: &mut Single, id: u64) -> Vec<u64> {
    ready(member.step(Input::Read { id: ReadId(id) }))
}

#[test]
fn a_read_is_confirmed_by_a_quorum_that_was_asked_after_it_came() {
    let mut leader = established(5, |_| {});
    assert_eq!(read(&mut leader, 1), []);
    let asked = contexts(&leader);
    assert_eq!(asked.iter().map(|(to, _)| *to).collect::<Vec<_>>(), [2, 3, 4, 5]);
    let context = asked[0].1.clone();
    // Came later: waits for the next round.
    assert_eq!(read(&mut leader, 2), []);
    assert_eq!(contexts(&leader), []);
    let echo = || Body::HeartbeatAck { context: context.clone() };
    assert_eq!(ready(leader.receive(2, 1, Body::HeartbeatAck { context: Bytes::new() })), []);
    assert_eq!(ready(leader.receive(3, 1, echo())), []);
    assert_eq!(ready(leader.receive(3, 1, echo())), [], "one member counts once");
    assert_eq!(ready(leader.receive(4, 1, echo())), [1]);
    let next = contexts(&leader);
    assert_ne!(next[0].1, context, "each round has its own context");
    assert_eq!(ready(leader.receive(5, 1, echo())), [], "an old echo says nothing about the new round");
}

#[test]
fn a_lost_round_is_asked_again_with_the_heartbeat() {
    let mut leader = established(3, |_| {});
    read(&mut leader, 1);
    let context = contexts(&leader)[0].1.clone();
    leader.time_out();
    assert_eq!(contexts(&leader), [(2, context.clone()), (3, context)]);
}

#[test]
fn a_new_leader_answers_only_after_its_first_commit() {
    let mut leader = elected(3, |_| {});
    assert_eq!(read(&mut leader, 1), []);
    assert_eq!(contexts(&leader), []);
    leader.receive(2, 1, Body::Appended { upto: 1 });
    let context = contexts(&leader)[0].1.clone();
    assert_eq!(ready(leader.receive(2, 1, Body::HeartbeatAck { context })), [], "nor before it applied what it committed");
    assert_eq!(ready(leader.step(Input::Applied { position: at(1, 1) })), [1]);
}

#[test]
fn a_single_member_answers_at_once() {
    let mut alone = elected(1, |_| {});
    alone.step(Input::Applied { position: at(1, 1) });
    assert_eq!(read(&mut alone, 1), [1]);
}

#[test]
fn a_follower_asks_its_leader_and_asks_again() {
    let mut follower = Single::of_three(&[]);
    assert_eq!(read(&mut follower, 1), []);
    assert_eq!(contexts(&follower), [], "nobody to ask");
    let heartbeat = || Body::Heartbeat { commit: 0, context: Bytes::new() };
    follower.receive(2, 1, heartbeat());
    let first = contexts(&follower);
    assert_eq!((first.len(), first[0].0), (1, 2));
    read(&mut follower, 2);
    assert_eq!(contexts(&follower), [], "one question at a time");
    // No answer: it asks again, for all that wait, under another context.
    follower.now = follower.raft.deadline();
    follower.step(Input::Timeout);
    let second = contexts(&follower);
    assert!(second.len() == 1 && second[0].1 != first[0].1);
    // Another leader: again.
    follower.receive(3, 2, heartbeat());
    let third = contexts(&follower);
    assert!(third.len() == 1 && third[0].0 == 3 && third[0].1 != second[0].1);
    assert_eq!(ready(follower.receive(3, 2, Body::ReadIndexReady { context: second[0].1.clone(), index: 0 })), []);
    assert_eq!(ready(follower.receive(3, 2, Body::ReadIndexReady { context: third[0].1.clone(), index: 0 })), [1, 2]);
}

#[test]
fn a_follower_answers_only_what_it_has_applied() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.elect();
    let follower = leader % 3 + 1;
    cluster.propose(leader, "a");
    // The follower's disk has it late.
    cluster.slow.insert(id(follower));
    cluster.settle();
    cluster.step(follower, Input::Read { id: ReadId(1) });
    cluster.settle();
    assert_eq!(cluster.member(follower).ready, []);
    cluster.sync(follower);
    assert_eq!(cluster.member(follower).ready, [ReadId(1)]);
}

#[test]
fn a_foreign_followers_question_is_echoed_byte_for_byte() {
    let mut leader = established(3, |_| {});
    let question = Bytes::from_static(&[0, 255, 7]);
    leader.receive(3, 0, Body::ReadIndex { context: question.clone() });
    let context = contexts(&leader)[0].1.clone();
    leader.receive(2, 1, Body::HeartbeatAck { context });
    assert!(leader.sent().contains(&(3, 1, Body::ReadIndexReady { context: question, index: 1 })));
}

#[test]
fn reads_outlive_the_leader_that_they_were_asked_of() {
    let mut leader = established(3, |_| {});
    read(&mut leader, 1);
    leader.receive(2, 2, Body::Heartbeat { commit: 1, context: Bytes::new() });
    let asked = contexts(&leader);
    assert_eq!((asked.len(), asked[0].0), (1, 2));
    assert_eq!(ready(leader.receive(2, 2, Body::ReadIndexReady { context: asked[0].1.clone(), index: 1 })), [1]);
}

#[test]
fn lease_reads_need_no_round_while_the_lease_holds() {
    let mut leader = established(3, |config| config.lease_reads = true);
    assert_eq!(leader.raft.lease_until(), None, "nobody has echoed a heartbeat yet");
    leader.time_out();
    let sent = leader.now;
    let context = contexts(&leader)[0].1.clone();
    leader.now = leader.now + millis(30);
    leader.receive(2, 1, Body::HeartbeatAck { context });
    // From the sending, not from the answer; shorter by twice the drift of 10 in 1000.
    let until = leader.raft.lease_until().unwrap();
    assert!(until > sent + millis(980) && until < sent + millis(981), "{until}");
    assert_eq!(read(&mut leader, 1), [1]);
    assert_eq!(contexts(&leader), []);
    // Later, and told to hand over: another may be elected in spite of all leases.
    leader.step(Input::TransferLeadership { to: Some(id(2)) });
    assert_eq!(leader.raft.lease_until(), None);
    assert_eq!(read(&mut leader, 2), []);
}

#[test]
fn a_transfer_waits_until_its_target_has_everything() {
    let mut leader = established(3, |_| {});
    leader.step(Input::Propose { commands: vec![Bytes::from_static(b"x")] });
    leader.step(Input::TransferLeadership { to: Some(id(2)) });
    assert_eq!(leader.raft.next(), None, "no proposals meanwhile");
    assert!(!leader.sent().iter().any(|(_, _, body)| *body == Body::TimeoutNow));
    leader.receive(2, 1, Body::Appended { upto: 2 });
    assert!(leader.sent().contains(&(2, 1, Body::TimeoutNow)));
    leader.receive(2, 1, Body::Appended { upto: 2 });
    assert!(!leader.sent().iter().any(|(_, _, body)| *body == Body::TimeoutNow), "told once");
}

#[test]
fn a_transfer_ends_in_time() {
    let mut leader = established(3, |_| {});
    let start = leader.now;
    leader.step(Input::TransferLeadership { to: Some(id(2)) });
    leader.now = leader.now + millis(500);
    // Asking again does not extend it.
    leader.step(Input::TransferLeadership { to: Some(id(2)) });
    leader.receive(2, 1, Body::HeartbeatAck { context: Bytes::new() });
    leader.receive(3, 1, Body::HeartbeatAck { context: Bytes::new() });
    leader.now = start + millis(1_000);
    leader.step(Input::Timeout);
    assert!(leader.out.contains(&Output::Drop { what: Dropped::Transfer, reason: DropReason::TimedOut }));
    assert_eq!((leader.raft.role(), leader.raft.next()), (Role::Leader, Some(at(1, 2))));
}

#[test]
fn leadership_goes_only_to_another_voter() {
    let dropped = |reason| Output::Drop { what: Dropped::Transfer, reason };
    let mut leader = established(3, |_| {});
    for target in [1, 9] {
        leader.step(Input::TransferLeadership { to: Some(id(target)) });
        assert!(leader.out.contains(&dropped(DropReason::BadTarget)));
    }
    let mut follower = Single::of_three(&[]);
    follower.step(Input::TransferLeadership { to: Some(id(2)) });
    assert!(follower.out.contains(&dropped(DropReason::NoLeader)));
    follower.receive(3, 1, Body::Heartbeat { commit: 0, context: Bytes::new() });
    follower.sync();
    follower.step(Input::TransferLeadership { to: Some(id(2)) });
    assert_eq!(follower.sent(), [(3, 1, Body::TransferLeadership { to: id(2) })]);
    follower.step(Input::TransferLeadership { to: None });
    assert!(follower.out.contains(&dropped(DropReason::NotLeader)));
}

#[test]
fn without_a_target_whoever_is_furthest_ahead_takes_over() {
    let mut leader = established(5, |_| {});
    leader.step(Input::Propose { commands: vec![Bytes::from_static(b"x")] });
    leader.receive(4, 1, Body::Appended { upto: 2 });
    leader.step(Input::TransferLeadership { to: None });
    assert!(leader.sent().contains(&(4, 1, Body::TimeoutNow)));
}

#[test]
fn a_leader_that_answers_nonsense_spoils_no_read_but_the_one_it_answered() {
    let mut follower = Single::of_three(&[]);
    follower.receive(2, 2, Body::Append { previous: Position::ZERO, entries: vec![support::entry(2, 1, "")], commit: 1 });
    follower.sync();
    follower.step(Input::Applied { position: at(2, 1) });
    read(&mut follower, 1);
    let context = contexts(&follower)[0].1.clone();
    assert_eq!(ready(follower.receive(2, 2, Body::ReadIndexReady { context, index: u64::MAX })), []);
    read(&mut follower, 2);
    let context = contexts(&follower)[0].1.clone();
    assert_eq!(ready(follower.receive(2, 2, Body::ReadIndexReady { context, index: 1 })), [2]);
}

#[test]
fn a_question_too_long_to_be_kept_is_not() {
    let mut leader = established(3, |_| {});
    leader.receive(2, 0, Body::ReadIndex { context: vec![0; 1 << 20].into() });
    assert_eq!(leader.decisions(), ["ignored a message of 2: its read has too long a context"]);
    assert_eq!(contexts(&leader), [], "no round is opened for it");
}
