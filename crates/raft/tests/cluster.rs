//! Whole clusters: what must come out of elections, replication and reads, whatever the steps between.

mod support;

use bytes::Bytes;
use consensus::{Consensus, EntryKind, Input, Note, ReadId, Role};
use raft::Config;
use support::{Cluster, id, millis};

#[test]
fn every_size_elects_and_commits() {
    for size in 1..=7 {
        let mut cluster = Cluster::new(size);
        let leader = cluster.elect();
        for number in 0..10 {
            cluster.propose(leader, &format!("{number}"));
        }
        cluster.settle();
        cluster.run(millis(200));
        for member in 1..=size {
            assert_eq!(cluster.data(member).len(), 10, "member {member} of {size}");
            assert_eq!(cluster.raft(member).leader(), Some(id(leader)));
            assert_eq!(cluster.raft(member).term(), 1);
        }
    }
}

#[test]
fn a_killed_leader_is_replaced_at_once() {
    for size in 3..=7 {
        let mut cluster = Cluster::new(size);
        let leader = cluster.elect();
        cluster.propose(leader, "a");
        cluster.settle();
        let before = cluster.now;
        cluster.kill(leader);
        cluster.settle();
        let next = cluster.leader();
        assert!(next.is_some_and(|next| next != leader), "of {size}, nobody took over");
        assert_eq!(cluster.now, before, "it took time");
        assert_eq!(cluster.raft(next.unwrap()).term(), 2);
        cluster.propose(next.unwrap(), "b");
        cluster.settle();
        assert_eq!(cluster.data(next.unwrap()), ["a", "b"]);
    }
}

#[test]
fn a_silent_leader_is_replaced_after_a_timeout() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.elect();
    let before = cluster.now;
    cluster.isolate(leader);
    cluster.run(millis(2_300));
    let next = cluster.leader().unwrap();
    assert_ne!(next, leader);
    assert_ne!(cluster.raft(leader).role(), Role::Leader, "the old one stepped down by itself");
    assert!(cluster.now.since(before) < millis(2_400));
    cluster.heal();
    cluster.run(millis(1_000));
    assert_eq!(cluster.raft(leader).leader(), Some(id(next)));
    assert_eq!(cluster.raft(next).term(), 2);
}

#[test]
fn reads_are_answered_everywhere() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.elect();
    cluster.propose(leader, "a");
    for member in 1..=3 {
        for read in 0..5 {
            cluster.step(member, Input::Read { id: ReadId(member * 10 + read) });
        }
    }
    cluster.settle();
    for member in 1..=3 {
        let member = cluster.member(member);
        assert_eq!(member.ready.len(), 5);
        assert_eq!(member.raft.applied(), 2);
    }
}

#[test]
fn a_read_waits_for_a_leader() {
    let mut cluster = Cluster::new(3);
    cluster.step(1, Input::Read { id: ReadId(7) });
    cluster.settle();
    assert!(cluster.member(1).ready.is_empty());
    cluster.elect();
    cluster.run(millis(200));
    assert_eq!(cluster.member(1).ready, [ReadId(7)]);
}

#[test]
fn a_forwarded_proposal_reaches_the_leaders_replica() {
    let mut cluster = Cluster::with(3, |config: &mut Config| config.message_bytes_max = 4);
    let leader = cluster.elect();
    let follower = leader % 3 + 1;
    let request = |data: &'static str| (EntryKind::Command, Bytes::from_static(data.as_bytes()));
    let note = Note::Request(vec![request("abc"), request("d"), request("efgh")]);
    cluster.step(follower, Input::Tell { to: id(leader), note });
    cluster.settle();
    let told = &cluster.member(leader).told;
    let expected =
        [(id(follower), Note::Request(vec![request("abc"), request("d")])), (id(follower), Note::Request(vec![request("efgh")]))];
    assert_eq!(told, &expected);
    assert!(cluster.raft(leader).next().is_some());
}

#[test]
fn a_restarted_cluster_keeps_what_was_committed() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.elect();
    for data in ["a", "b", "c"] {
        cluster.propose(leader, data);
    }
    cluster.settle();
    for member in 1..=3 {
        cluster.member(member).disk.applied = consensus::Position::ZERO;
        cluster.restart(member);
    }
    cluster.elect();
    cluster.run(millis(300));
    for member in 1..=3 {
        assert_eq!(cluster.data(member), ["a", "b", "c"]);
        assert!(cluster.member(member).fetches > 0, "old entries come from the disk");
    }
}
