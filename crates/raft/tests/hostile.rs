//! Messages that no sound member sends: at worst they cost an election.

mod support;

use consensus::Input;
use raft::{Body, Message};
use support::{Cluster, Single, at, id};

const MAX: u64 = u64::MAX;
/// No message with a greater term is believed by whoever is far below.
const FREE: u64 = 1 << 61;

#[test]
fn a_lying_message_does_not_use_up_the_terms() {
    let mut cluster = Cluster::new(3);
    cluster.elect();
    for term in [MAX, 1 << 62, FREE + 1, FREE, FREE + (1 << 32), 1 << 62, FREE + (2 << 32)] {
        for number in 1..=3 {
            let message = Message { term, body: Body::Appended { upto: 0 } };
            cluster.step(number, Input::Receive { from: id(number % 3 + 1), message });
        }
        cluster.settle();
        let leader = cluster.elect();
        cluster.propose(leader, "still here");
        cluster.settle();
        assert!(cluster.raft(leader).term() < FREE + (3 << 32), "at term {}", cluster.raft(leader).term());
    }
    assert_eq!(cluster.data(1).len(), 7);
}

#[test]
fn members_meet_again_though_one_was_led_astray() {
    let mut cluster = Cluster::new(3);
    cluster.elect();
    for term in [1 << 40, FREE, FREE + 1, FREE + 7, 1 << 62, MAX] {
        let message = Message { term, body: Body::Vote { granted: false } };
        cluster.step(3, Input::Receive { from: id(1), message });
    }
    assert_eq!(cluster.raft(3).term(), FREE + 7);
    cluster.kill(1);
    cluster.settle();
    // Only the one that is astray and one more are left: they have to agree.
    cluster.elect();
    assert!((2..=3).all(|number| cluster.raft(number).term() > FREE + 7 && cluster.raft(number).leader().is_some()));
}

#[test]
fn nobody_is_elected_by_votes_of_a_far_term() {
    let mut candidate = Single::of_three(&[1]);
    candidate.time_out();
    candidate.receive(2, 1 << 62, Body::Vote { granted: true });
    candidate.receive(3, 1 << 62, Body::Append { previous: at(1, 1), entries: vec![], commit: MAX });
    assert_eq!(candidate.raft.leader(), None);
    assert_eq!(candidate.raft.term(), FREE);
}
