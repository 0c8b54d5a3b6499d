//! Messages that no sound member sends: at worst they cost an election.

mod support;

use consensus::Input;
use raft::{Body, Message};
use support::{Cluster, Single, id};

const MAX: u64 = u64::MAX;
/// The greatest term that a message may have.
const LAST: u64 = 1 << 62;

#[test]
fn a_lying_message_does_not_use_up_the_terms() {
    let mut cluster = Cluster::new(3);
    cluster.elect();
    for term in [MAX, LAST + 1, LAST, LAST] {
        let message = Message { term, body: Body::Appended { upto: 0 } };
        for number in 1..=3 {
            let from = id(number % 3 + 1);
            cluster.step(number, Input::Receive { from, message: message.clone() });
        }
        cluster.settle();
        let leader = cluster.elect();
        cluster.propose(leader, "still here");
        cluster.settle();
        assert!(cluster.raft(leader).term() < LAST >> 20, "at term {}", cluster.raft(leader).term());
    }
}

#[test]
fn members_meet_again_however_far_one_was_led_astray() {
    let mut cluster = Cluster::new(3);
    cluster.elect();
    for _ in 0..5 {
        let message = Message { term: LAST, body: Body::Vote { granted: false } };
        cluster.step(3, Input::Receive { from: id(1), message });
    }
    let astray = cluster.raft(3).term();
    cluster.kill(1);
    cluster.settle();
    // Only the one that is astray and one more are left: they have to agree.
    cluster.elect();
    assert!((2..=3).all(|number| cluster.raft(number).term() > astray && cluster.raft(number).leader().is_some()));
}

#[test]
fn a_granted_vote_of_a_far_term_elects_nobody() {
    let mut candidate = Single::of_three(&[1]);
    candidate.time_out();
    candidate.receive(2, LAST, Body::Vote { granted: true });
    candidate.receive(3, LAST, Body::Append { previous: support::at(1, 1), entries: vec![], commit: MAX });
    assert_eq!(candidate.raft.leader(), None);
}
