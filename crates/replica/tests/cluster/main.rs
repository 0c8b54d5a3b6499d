//! A replica among its kind: three members over Raft, a disk that syncs at once, and a network that the test holds in its hands.

mod harness;
mod reads;

use consensus::{Configuration, How, Instant, Link, NodeId, Position, Role, Snapshot};
use harness::{Cluster, List, Look, ids, is_applied};
use raft::{Body, Message};
use replica::{Answer, Event, Options, Refusal, Token};
use std::ops::Range;
use std::time::Duration;

#[test]
fn a_write_is_answered_where_it_was_asked() {
    let mut cluster = Cluster::new(&Options::default());
    let (leader, follower) = (cluster.leader(), cluster.follower());
    let (there, here) = (cluster.write(leader, "a"), cluster.write(follower, "b"));
    cluster.advance(Duration::from_millis(500));
    assert!(is_applied(cluster.answer(leader, there)) && is_applied(cluster.answer(follower, here)));
    for id in ids() {
        assert_eq!(cluster.items(id), ["a", "b"]);
    }
}

#[test]
fn a_write_without_a_leader_waits_for_one() {
    let mut cluster = Cluster::new(&Options::default());
    let token = cluster.write(NodeId(2), "early");
    assert_eq!(cluster.answer(NodeId(2), token), None);
    cluster.leader();
    cluster.advance(Duration::from_millis(500));
    assert!(is_applied(cluster.answer(NodeId(2), token)));
}

#[test]
fn a_leader_that_was_paused_for_too_long_steps_down_before_it_proposes() {
    let mut cluster = Cluster::new(&Options::default());
    let leader = cluster.leader();
    // The process stood still; the first that it hears is a client.
    cluster.now = cluster.now + Duration::from_secs(5);
    let token = cluster.write(leader, "late");
    assert_ne!(cluster.members[&leader].replica.status().role, Role::Leader);
    assert_eq!(cluster.answer(leader, token), None);
    cluster.leader();
    cluster.advance(Duration::from_millis(500));
    assert!(is_applied(cluster.answer(leader, token)));
}

#[test]
fn what_time_brings_about_is_proposed_by_who_leads() {
    let mut cluster = Cluster::new(&Options::default());
    let (leader, follower) = (cluster.leader(), cluster.follower());
    for id in ids() {
        cluster.set_alarm(id, Duration::from_secs(1));
    }
    cluster.advance(Duration::from_secs(2));
    assert_eq!(
        (cluster.leader(), cluster.items(leader), cluster.items(follower)),
        (leader, &["ring".into()][..], &["ring".into()][..])
    );
}

#[test]
fn a_leader_that_was_paused_for_too_long_lets_nothing_run_out_before_it_steps_down() {
    for first in ["a timer", "a write", "a read"] {
        let mut cluster = Cluster::new(&Options::default());
        let (leader, follower) = (cluster.leader(), cluster.follower());
        cluster.set_alarm(leader, Duration::from_secs(1));
        let entries = cluster.members[&leader].log.len();
        cluster.now = cluster.now + Duration::from_secs(5);
        let event = match first {
            "a timer" => Event::Timeout,
            "a write" => Event::Requests(vec![(Token(1000), "late".into())]),
            _ => Event::Queries(vec![(Token(1000), Look::Items)]),
        };
        cluster.tell(leader, event);
        assert_ne!(cluster.members[&leader].replica.status().role, Role::Leader, "after {first}");
        assert_eq!(cluster.members[&leader].log.len(), entries, "after {first}");
        cluster.leader();
        cluster.advance(Duration::from_secs(1));
        let rung = cluster.items(follower).iter().any(|item| item == "ring");
        assert!(!rung, "after {first}: the clock was the old leader's, and its term is over");
    }
}

#[test]
fn what_time_has_brought_about_waits_for_the_log_but_not_for_another_leader() {
    // While leadership is being handed over, the log takes nothing.
    for arrives in [true, false] {
        let mut cluster = Cluster::new(&Options::default());
        let (leader, follower) = (cluster.leader(), cluster.follower());
        cluster.advance(Duration::from_millis(500));
        cluster.tell(leader, Event::TransferLeadership { token: Token(1000), to: Some(follower) });
        cluster.set_alarm(leader, Duration::ZERO);
        cluster.tell(leader, Event::Timeout);
        let asked = cluster.write(leader, "asked");
        assert_eq!(cluster.members[&leader].replica.machine().rings, Instant::NEVER, "it is on its way");
        if !arrives {
            cluster.mail.clear();
        }
        cluster.advance(Duration::from_secs(3));
        assert_eq!(cluster.leader(), if arrives { follower } else { leader });
        assert!(is_applied(cluster.answer(leader, asked)), "what a client wants goes to whoever leads");
        let rung = cluster.items(follower).iter().any(|item| item == "ring");
        assert_eq!(rung, !arrives, "what time has brought about does not");
    }
}

#[test]
fn what_was_forwarded_to_a_leader_that_died_is_refused_with_the_next_ones_first_entry_and_never_sent_again() {
    let mut cluster = Cluster::new(&Options::default());
    let (leader, follower) = (cluster.leader(), cluster.follower());
    cluster.silent.insert((follower, leader));
    let lost = cluster.write(follower, "lost");
    cluster.advance(Duration::from_millis(1));
    cluster.kill(leader);
    cluster.leader();
    cluster.advance(Duration::from_millis(50));
    assert_eq!(cluster.answer(follower, lost), Some(&Answer::Refused(Refusal::LeaderChanged)));
    assert!(cluster.now < Instant::ZERO + Duration::from_secs(5), "long before its own deadline");
    cluster.advance(Duration::from_secs(20));
    assert_eq!(cluster.items(follower), [""; 0]);
}

#[test]
fn what_was_forwarded_and_survived_its_leader_is_answered() {
    let mut cluster = Cluster::new(&Options::default());
    let (leader, follower) = (cluster.leader(), cluster.follower());
    let third = ids().into_iter().find(|&id| id != leader && id != follower).expect("three members");
    // The entry reaches everybody, but the follower never learns from this leader that it is committed.
    let token = cluster.write(follower, "kept");
    while let Some((from, to, message)) = cluster.mail.pop_front() {
        let tells_commit = matches!(&message.body, raft::Body::Append { entries, .. } if entries.is_empty());
        if !(from == leader && to == follower && tells_commit) {
            cluster.tell(to, Event::Receive { from, message });
        }
    }
    assert_eq!(cluster.answer(follower, token), None);
    cluster.silent.insert((third, leader));
    cluster.kill(leader);
    cluster.leader();
    cluster.advance(Duration::from_millis(500));
    assert!(is_applied(cluster.answer(follower, token)));
    assert_eq!(cluster.items(follower), ["kept"]);
}

#[test]
fn a_lost_link_to_the_leader_shortens_the_wait() {
    let mut cluster = Cluster::new(&Options::default());
    let (leader, follower) = (cluster.leader(), cluster.follower());
    cluster.silent.insert((follower, leader));
    let token = cluster.write(follower, "x");
    cluster.tell(follower, Event::Disconnected { peer: leader, link: Link::Peer, how: How::Lost });
    cluster.advance(Duration::from_millis(1100));
    assert_eq!(cluster.answer(follower, token), Some(&Answer::Refused(Refusal::ConnectionLost)));
}

#[test]
fn reads_that_arrive_together_are_answered_together_with_what_was_committed_before() {
    let mut cluster = Cluster::new(&Options::default());
    let (leader, follower) = (cluster.leader(), cluster.follower());
    let written = cluster.write(leader, "a");
    cluster.advance(Duration::from_millis(500));
    assert!(is_applied(cluster.answer(leader, written)));
    cluster.tell(follower, Event::Queries(vec![(Token(100), Look::Items), (Token(101), Look::Items)]));
    cluster.advance(Duration::from_millis(500));
    for token in [Token(100), Token(101)] {
        assert!(matches!(cluster.answer(follower, token), Some(Answer::Read(_, items)) if *items == ["a"]));
    }
}

#[test]
fn nobody_waits_for_ever() {
    let mut cluster = Cluster::new(&Options::default());
    let leader = cluster.leader();
    let others: Vec<NodeId> = ids().into_iter().filter(|&id| id != leader).collect();
    cluster.kill(others[0]);
    cluster.kill(others[1]);
    let write = cluster.write(leader, "x");
    cluster.tell(leader, Event::Queries(vec![(Token(100), Look::Items)]));
    cluster.advance(Duration::from_secs(8));
    assert_eq!(cluster.answer(leader, write), Some(&Answer::Refused(Refusal::TimedOut)));
    assert_eq!(cluster.answer(leader, Token(100)), Some(&Answer::Refused(Refusal::TimedOut)));
}

#[test]
fn too_much_is_refused_at_once() {
    let mut cluster = Cluster::new(&Options { waiting_bytes_max: 600, ..Options::default() });
    let tokens: Vec<Token> = (0..4).map(|_| cluster.write(NodeId(1), "0123456789")).collect();
    assert_eq!(cluster.answer(NodeId(1), tokens[0]), None);
    assert_eq!(cluster.answer(NodeId(1), tokens[3]), Some(&Answer::Refused(Refusal::TooManyRequests)));
}

#[test]
fn snapshots_are_taken_in_pieces_and_free_the_log_but_for_what_is_kept() {
    let options = Options { snapshot_entries: 10, entries_kept: 3, ..Options::default() };
    let mut cluster = Cluster::new(&options);
    let leader = cluster.leader();
    for _ in 0..12 {
        cluster.write(leader, "x");
        cluster.advance(Duration::from_millis(200));
    }
    for id in ids() {
        let member = &cluster.members[&id];
        assert!(member.chunks.len() >= 9, "one piece an item: {}", member.chunks.len());
        assert_eq!(member.cut, 7, "ten entries, less the three that are kept");
    }
}

#[test]
fn a_member_that_was_sent_a_snapshot_goes_on_from_the_log_however_long_it_took() {
    let mut cluster = Cluster::new(&Options { snapshot_entries: 10, entries_kept: 3, ..Options::default() });
    let (leader, behind) = (cluster.leader(), cluster.follower());
    let write = |cluster: &mut Cluster, numbers: Range<u64>| {
        for number in numbers {
            cluster.write(leader, number.to_string());
            cluster.advance(Duration::from_millis(100));
        }
    };
    cluster.isolate(behind);
    write(&mut cluster, 0..25);
    cluster.silent.clear();
    cluster.advance(Duration::from_millis(500));
    let leaving = std::mem::take(&mut cluster.members.get_mut(&leader).expect("a member").leaving);
    let [(to, message)] = &leaving[..] else { panic!("one snapshot: {leaving:?}") };
    let Body::InstallSnapshot { snapshot } = &message.body else { panic!("a snapshot: {message:?}") };
    let (snapshot, message) = (snapshot.clone(), message.clone());
    assert_eq!(*to, behind);

    // Cuts fall due while it travels, of what the consensus remembers and of what is on the disk alike.
    let held = snapshot.position.index;
    write(&mut cluster, 25..75);
    assert_eq!(cluster.members[&leader].cut, held);
    // The entry of the leader's term is the first.
    let items = cluster.items(leader)[..held as usize - 1].to_vec();
    let machine = List { items, applied: snapshot.position, ..List::default() };
    cluster.tell(behind, Event::SnapshotArrived { from: leader, message });
    cluster.tell(behind, Event::Installed { snapshot, machine });
    cluster.tell(leader, Event::SnapshotSent { to: behind, delivered: true });
    cluster.advance(Duration::from_millis(500));
    assert_eq!(cluster.items(behind), cluster.items(leader));
    assert_eq!(cluster.members[&leader].leaving, [], "no further snapshot");

    cluster.advance(Duration::from_secs(30));
    write(&mut cluster, 75..85);
    assert!(cluster.members[&leader].cut > held + 50, "what was held back goes later: {}", cluster.members[&leader].cut);
}

#[test]
fn an_entry_that_cannot_be_understood_stops_the_member_rather_than_being_skipped() {
    let mut cluster = Cluster::new(&Options::default());
    let leader = cluster.leader();
    let token = cluster.write(leader, "poison");
    cluster.advance(Duration::from_millis(500));
    assert_eq!(cluster.answer(leader, token), None);
    let mut stopped = 0;
    for id in ids() {
        let member = &cluster.members[&id];
        // Whoever the leader could still tell of the commit stops as it does; without a quorum the last one never learns of it.
        match member.stopped.as_deref() {
            Some(why) => assert!(why.contains("it is poison"), "{why}"),
            None => assert_eq!(member.replica.status().applied.index, 1, "{id} went past it"),
        }
        stopped += usize::from(member.stopped.is_some());
    }
    assert!(cluster.members[&leader].stopped.is_some() && stopped >= 2, "{stopped} stopped");
}

#[test]
fn only_a_leader_hands_leadership_over_and_says_how_it_ended() {
    let mut cluster = Cluster::new(&Options::default());
    let (leader, follower) = (cluster.leader(), cluster.follower());
    cluster.tell(follower, Event::TransferLeadership { token: Token(100), to: Some(leader) });
    cluster.tell(leader, Event::TransferLeadership { token: Token(101), to: Some(NodeId(9)) });
    assert_eq!(cluster.answer(follower, Token(100)), Some(&Answer::Refused(Refusal::NotLeader)));
    assert_eq!(cluster.answer(leader, Token(101)), Some(&Answer::Refused(Refusal::BadTransferee)));
    cluster.tell(leader, Event::TransferLeadership { token: Token(102), to: Some(follower) });
    cluster.advance(Duration::from_millis(500));
    assert_eq!(cluster.answer(leader, Token(102)), Some(&Answer::Transferred));
    assert_eq!(cluster.leader(), follower);
}

#[test]
fn whoever_asks_for_a_transfer_is_answered_however_it_ends() {
    // The target was told to stand, and then nobody hears from anybody: there may never be a leader to name.
    let mut cluster = Cluster::new(&Options::default());
    let (leader, follower) = (cluster.leader(), cluster.follower());
    cluster.advance(Duration::from_millis(500));
    for id in ids() {
        cluster.isolate(id);
    }
    cluster.tell(leader, Event::TransferLeadership { token: Token(100), to: Some(follower) });
    cluster.advance(Options::default().request_timeout);
    assert_eq!(cluster.answer(leader, Token(100)), Some(&Answer::Refused(Refusal::TimedOut)));
}

#[test]
fn a_later_transfer_takes_the_place_of_an_earlier_one() {
    let mut cluster = Cluster::new(&Options::default());
    let leader = cluster.leader();
    let [first, second] = ids().into_iter().filter(|&id| id != leader).collect::<Vec<_>>()[..] else { unreachable!() };
    cluster.isolate(first);
    cluster.tell(leader, Event::TransferLeadership { token: Token(100), to: Some(first) });
    cluster.tell(leader, Event::TransferLeadership { token: Token(101), to: Some(second) });
    assert_eq!(cluster.answer(leader, Token(100)), Some(&Answer::Refused(Refusal::TimedOut)));
    cluster.advance(Duration::from_millis(500));
    assert_eq!(cluster.answer(leader, Token(101)), Some(&Answer::Transferred));
    assert_eq!(cluster.leader(), second);
}

#[test]
fn what_a_snapshot_of_a_later_leader_decided_is_not_waited_for() {
    let mut cluster = Cluster::new(&Options::default());
    let (leader, follower) = (cluster.leader(), cluster.follower());
    cluster.advance(Duration::from_millis(500));
    cluster.isolate(follower);
    let token = cluster.write(follower, "lost");
    let snapshot = Snapshot { position: Position::new(9, 50), configuration: Configuration::of(ids()) };
    let message = Message { term: 9, body: Body::InstallSnapshot { snapshot: snapshot.clone() } };
    cluster.tell(follower, Event::SnapshotArrived { from: leader, message });
    assert_eq!(cluster.answer(follower, token), None);
    // It may be in the snapshot or lost with its leader; the entries that could tell will never be applied here.
    let machine = List { applied: snapshot.position, ..List::default() };
    cluster.tell(follower, Event::Installed { snapshot, machine });
    assert_eq!(cluster.answer(follower, token), Some(&Answer::Refused(Refusal::LeaderChanged)));
}
