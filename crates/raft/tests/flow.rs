//! What a leader sends to whom, and what peers may send without doing harm.

mod support;

use bytes::Bytes;
use consensus::{Configuration, Consensus as _, Fetch, Input, Link, NodeId, Output, Position, Reader, Role, Snapshot};
use raft::{Body, Config, Message, Pace, Progress};
use support::{Cluster, Disk, Single, at, entry, id, millis};

/// Member 1 of three leads term 1, and both others hold its first entry.
fn leader(change: impl Fn(&mut Config)) -> Single {
    let mut config = Config::new(id(1));
    change(&mut config);
    let mut leader = Single::new(config, Disk::default().recovered(Configuration::of((1..=3).map(NodeId))));
    leader.elect();
    leader.sync();
    for follower in [2, 3] {
        leader.receive(follower, 1, Body::Appended { upto: 1 });
    }
    leader
}

fn propose(leader: &mut Single, commands: &[&str]) {
    let commands = commands.iter().map(|data| Bytes::copy_from_slice(data.as_bytes())).collect();
    leader.step(Input::Propose { commands });
}

fn to(leader: &Single, peer: u64) -> Vec<(u64, usize)> {
    let append = |(to, _, body)| match body {
        Body::Append { previous, entries, .. } if to == peer => Some((previous.index, entries.len())),
        _ => None,
    };
    leader.sent().into_iter().filter_map(append).collect()
}

fn progress(leader: &Single, peer: u64) -> &Progress {
    leader.raft.progress().find(|(id, _)| id.0 == peer).unwrap().1
}

fn ack() -> Body {
    Body::HeartbeatAck { context: Bytes::new() }
}

#[test]
fn what_is_proposed_together_is_written_and_sent_together() {
    let mut leader = leader(|_| {});
    propose(&mut leader, &["a", "b", "c"]);
    let writes = leader.out.iter().filter(|out| matches!(out, Output::Persist(_))).count();
    assert_eq!((writes, to(&leader, 2), to(&leader, 3)), (1, vec![(1, 3)], vec![(1, 3)]));
}

#[test]
fn appends_are_split_by_size_and_held_back_by_the_window() {
    let mut leader = leader(|config| (config.message_bytes_max, config.inflight_messages_max) = (2, 2));
    propose(&mut leader, &["a", "b", "cc", "ddd", "e"]);
    assert_eq!(to(&leader, 2), [(1, 2), (3, 1)]);
    leader.receive(2, 1, Body::Appended { upto: 3 });
    assert_eq!(to(&leader, 2), [(4, 1)], "one place is free, and one entry larger than a message goes alone");
    // What was on its way to 3 is lost: with a full window it is asked where it stands.
    leader.receive(3, 1, ack());
    assert_eq!(to(&leader, 3), [(4, 0)]);
    leader.receive(3, 1, Body::Refused { previous: 4, hint: at(1, 1) });
    assert_eq!(to(&leader, 3), [(1, 2)]);
    assert_eq!(progress(&leader, 3).pace(), Pace::Probe { waiting: true });
}

#[test]
fn a_follower_that_came_back_is_probed_with_each_answered_heartbeat() {
    let mut leader = leader(|_| {});
    leader.step(Input::Disconnected { peer: id(2), link: Link::Peer, how: consensus::How::Lost });
    propose(&mut leader, &["a"]);
    assert_eq!(to(&leader, 2), [(1, 1)]);
    propose(&mut leader, &["b"]);
    assert_eq!(to(&leader, 2), [], "one probe is on its way");
    for _ in 0..3 {
        leader.receive(2, 1, ack());
        assert_eq!(to(&leader, 2), [(1, 2)]);
    }
    leader.receive(2, 1, Body::Appended { upto: 3 });
    assert_eq!((progress(&leader, 2).pace(), progress(&leader, 2).next()), (Pace::Replicate, 4));
}

#[test]
fn another_process_under_the_same_name_is_known_by_nothing() {
    let mut leader = leader(|_| {});
    let connected = |incarnation| Input::Connected { peer: id(2), link: Link::Peer, incarnation };
    for (incarnation, matched) in [(0, 1), (7, 0), (7, 1), (0, 1), (8, 0)] {
        leader.step(connected(incarnation));
        assert_eq!(progress(&leader, 2).matched(), matched, "incarnation {incarnation}");
        leader.receive(2, 1, Body::Appended { upto: 1 });
    }
}

#[test]
fn a_follower_that_lost_its_log_is_believed_the_second_time() {
    let mut leader = leader(|_| {});
    propose(&mut leader, &["a"]);
    leader.receive(2, 1, Body::Appended { upto: 2 });
    leader.step(Input::Disconnected { peer: id(2), link: Link::Peer, how: consensus::How::Lost });
    leader.step(Input::Connected { peer: id(2), link: Link::Peer, incarnation: 0 });
    leader.receive(2, 1, Body::Refused { previous: 2, hint: Position::ZERO });
    assert_eq!(progress(&leader, 2).matched(), 2);
    leader.receive(2, 1, ack());
    assert_eq!(to(&leader, 2), [(2, 0)]);
    leader.receive(2, 1, Body::Refused { previous: 2, hint: Position::ZERO });
    assert_eq!(leader.decisions(), ["2 lost entries that it had confirmed up to 2: its log is sent anew"]);
    assert_eq!(to(&leader, 2), [(0, 2)]);
}

#[test]
fn proposals_stop_while_too_much_is_uncommitted() {
    let mut leader = leader(|config| config.uncommitted_bytes_max = 4);
    assert_eq!(leader.raft.next(), Some(at(1, 2)));
    propose(&mut leader, &["larger than what may be open"]);
    assert_eq!(leader.raft.next(), None, "an empty tail takes any size, and then it is full");
    propose(&mut leader, &["b"]);
    assert!(leader.out.contains(&Output::Drop { what: consensus::Dropped::Proposal, reason: consensus::DropReason::Busy }));
    leader.receive(2, 1, Body::Appended { upto: 2 });
    leader.receive(3, 1, Body::Appended { upto: 2 });
    assert_eq!(leader.raft.next(), Some(at(1, 3)));
}

#[test]
fn old_entries_come_from_the_disk() {
    let mut cluster = Cluster::with(3, |config| (config.cache_bytes_max, config.message_bytes_max) = (1, 64));
    let leader = cluster.elect();
    let behind = leader % 3 + 1;
    cluster.isolate(behind);
    for number in 0..50 {
        cluster.propose(leader, &format!("{number}"));
        cluster.settle();
    }
    cluster.heal();
    cluster.run(millis(300));
    assert!(cluster.member(leader).fetches > 0);
    assert_eq!(cluster.data(behind).len(), 50);
}

#[test]
fn what_was_fetched_for_a_log_that_changed_is_not_used() {
    let terms = [1, 1, 1, 1];
    let mut leader = Single::of_three(&terms);
    leader.elect();
    let term = leader.raft.term();
    leader.receive(2, term, Body::Refused { previous: 4, hint: at(1, 1) });
    let fetch = Fetch { reader: Reader::Peer(id(2)), first: 2, last: 4, budget: 1 << 20 };
    assert!(leader.out.contains(&Output::Fetch(fetch)));
    leader.receive(2, term, ack());
    assert!(!leader.out.iter().any(|out| matches!(out, Output::Fetch(_))), "one at a time");
    // One entry is not what the log holds: the run ends before it.
    let entries = vec![entry(1, 2, ""), entry(9, 3, ""), entry(1, 4, "")];
    leader.step(Input::Fetched { reader: fetch.reader, entries });
    assert_eq!(to(&leader, 2), [(1, 1)]);
}

#[test]
fn a_follower_behind_the_log_gets_a_snapshot() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.elect();
    let behind = leader % 3 + 1;
    cluster.isolate(behind);
    for number in 0..10 {
        cluster.propose(leader, &format!("{number}"));
    }
    cluster.settle();
    let (position, configuration) = (cluster.raft(leader).committed(), cluster.raft(leader).configuration().clone());
    let snapshot = Snapshot { position, configuration };
    cluster.step(leader, Input::SnapshotTaken { snapshot: snapshot.clone(), cut: position.index - 1 });
    cluster.member(leader).disk.cut(position.index - 1);
    cluster.propose(leader, "after");
    cluster.run(millis(300));
    assert_eq!(cluster.member(leader).snapshots, [], "not to who is not heard");
    cluster.heal();
    cluster.run(millis(300));
    let message = Message { term: 1, body: Body::InstallSnapshot { snapshot: snapshot.clone() } };
    assert_eq!(cluster.member(leader).snapshots, [(id(behind), message.clone())], "one at a time");

    cluster.step(behind, Input::SnapshotArrived { from: id(leader), message: message.clone() });
    assert_eq!(cluster.member(behind).installs, std::slice::from_ref(&snapshot));
    cluster.member(behind).disk.install(position);
    cluster.step(behind, Input::Installed { snapshot });
    cluster.step(leader, Input::SnapshotSent { to: id(behind), delivered: true });
    cluster.settle();
    cluster.run(millis(300));
    assert_eq!((cluster.data(behind), cluster.raft(behind).base()), (vec!["after".into()], position));

    // Once more: it is older than what is committed here.
    cluster.step(behind, Input::SnapshotArrived { from: id(leader), message });
    let dropped = (consensus::Dropped::Snapshot, consensus::DropReason::Stale);
    assert_eq!(cluster.member(behind).dropped, [dropped]);
}

#[test]
fn nothing_moves_while_a_snapshot_is_installed() {
    let mut follower = Single::of_three(&[1]);
    let configuration = follower.raft.configuration().clone();
    let snapshot = Snapshot { position: at(2, 9), configuration };
    let message = Message { term: 3, body: Body::InstallSnapshot { snapshot: snapshot.clone() } };
    follower.step(Input::SnapshotArrived { from: id(2), message });
    follower.receive(2, 3, Body::Append { previous: at(1, 1), entries: vec![entry(2, 2, "")], commit: 2 });
    follower.receive(2, 3, Body::Heartbeat { commit: 1, context: Bytes::new() });
    assert_eq!((follower.raft.last(), follower.raft.commit_index()), (at(1, 1), 0));
    follower.time_out();
    assert_eq!(follower.raft.role(), Role::Follower { leader: None });
    assert!(follower.decisions().contains(&"did not stand: a snapshot is being installed".into()));
    follower.step(Input::Installed { snapshot });
    assert_eq!((follower.raft.last(), follower.raft.commit_index(), follower.raft.applied()), (at(2, 9), 9, 9));
}

#[test]
fn nothing_that_a_peer_sends_breaks_a_member() {
    let far = at(u64::MAX, u64::MAX);
    let nonsense = [
        Body::Append { previous: at(1, 2), entries: vec![entry(1, 4, "gap")], commit: 9 },
        Body::Append { previous: at(1, 2), entries: vec![entry(0, 3, "term back")], commit: 9 },
        Body::Append { previous: at(1, 2), entries: vec![entry(7, 3, "term ahead")], commit: 9 },
        Body::Append { previous: at(0, 2), entries: vec![], commit: 9 },
        Body::Append { previous: at(1, 0), entries: vec![], commit: u64::MAX },
        Body::Append { previous: far, entries: vec![], commit: u64::MAX },
        Body::Append { previous: Position::ZERO, entries: vec![entry(0, 0, "")], commit: 1 },
        Body::Heartbeat { commit: u64::MAX, context: Bytes::new() },
        Body::Appended { upto: u64::MAX },
        Body::Refused { previous: u64::MAX, hint: far },
        Body::Refused { previous: 0, hint: Position::ZERO },
        Body::InstallSnapshot { snapshot: Snapshot { position: far, configuration: Configuration::default() } },
        Body::RequestVote { last: far, transfer: true },
        Body::RequestPreVote { last: far },
        Body::ReadIndexReady { context: Bytes::new(), index: u64::MAX },
        Body::TransferLeadership { to: id(99) },
        Body::TimeoutNow,
        Body::Vote { granted: true },
        Body::PreVote { granted: true },
    ];
    for body in &nonsense {
        for from in [1, 2, 99] {
            for term in [0, 1, 2, 3, u64::MAX] {
                for role in 0..3 {
                    let mut member = Single::of_three(&[1, 1]);
                    match role {
                        0 => {}
                        1 => {
                            member.elect().sync();
                        }
                        _ => {
                            member.time_out();
                        }
                    }
                    member.receive(from, term, body.clone());
                    let snapshot = Message { term, body: body.clone() };
                    member.step(Input::SnapshotArrived { from: id(from), message: snapshot });
                    member.sync();
                    assert!(member.raft.commit_index() <= 3 && member.raft.last().index <= 3, "{body:?} of term {term}");
                }
            }
        }
    }
}

#[test]
fn committed_entries_are_never_cut() {
    let mut follower = Single::of_three(&[]);
    follower.receive(2, 1, Body::Append { previous: Position::ZERO, entries: vec![entry(1, 1, ""), entry(1, 2, "")], commit: 2 });
    follower.sync();
    follower.receive(3, 2, Body::Append { previous: Position::ZERO, entries: vec![entry(2, 1, "")], commit: 0 });
    assert_eq!(follower.raft.last(), at(1, 2));
    follower.receive(3, 2, Body::Append { previous: at(1, 2), entries: vec![], commit: 2 });
    assert_eq!(follower.raft.last(), at(1, 2));
}

#[test]
fn a_hint_beyond_all_logs_is_no_more_than_a_hint() {
    let mut leader = Single::of_three(&[1, 1]);
    leader.elect();
    leader.receive(2, 2, Body::Refused { previous: 2, hint: at(0, u64::MAX) });
    leader.receive(3, 2, Body::Refused { previous: 2, hint: at(u64::MAX, u64::MAX) });
    for follower in [2, 3] {
        assert_eq!(progress(&leader, follower).next(), 2, "one step back from what was refused");
    }
}

#[test]
fn an_answer_that_says_nothing_but_its_term_does_not_undo_a_search() {
    // A member that led an older term was told of this one by 2, stood, and won it without 2; then that answer arrives.
    let mut leader = Single::of_three(&[1, 1, 1]);
    leader.elect();
    assert_eq!(progress(&leader, 2).next(), 4);
    leader.receive(2, 2, Body::Appended { upto: 0 });
    assert_eq!((progress(&leader, 2).pace(), progress(&leader, 2).next()), (Pace::Probe { waiting: true }, 4));
    assert_eq!(to(&leader, 2), [], "the log is not sent from its beginning to who may lack nothing");
    // The answer to the probe itself does count, also where it is no news.
    leader.receive(2, 2, Body::Appended { upto: 3 });
    assert_eq!(progress(&leader, 2).pace(), Pace::Replicate);
}

#[test]
fn a_snapshot_of_a_cluster_without_this_member_is_not_taken() {
    for configuration in [Configuration::default(), Configuration::of([id(2), id(3)])] {
        let mut follower = Single::of_three(&[1]);
        let message =
            Message { term: 3, body: Body::InstallSnapshot { snapshot: Snapshot { position: at(2, 9), configuration } } };
        follower.step(Input::SnapshotArrived { from: id(2), message });
        let refused = Output::Drop { what: consensus::Dropped::Snapshot, reason: consensus::DropReason::BadTarget };
        assert!(follower.out.contains(&refused), "{:?}", follower.out);
    }
}
