//! Reads of much: how many are answered at a time, what waits, and what is refused.

use crate::harness::{Cluster, List, Look, ids};
use bytes::Bytes;
use consensus::{Configuration, Instant, NodeId, Position, Role, Snapshot};
use raft::{Body, Message};
use replica::{Answer, Event, Options, Refusal, Token};
use std::time::Duration;

/// An answer of a list that holds one item of this size is so large that only so many are given in a turn.
const ITEM_BYTES: usize = 1 << 20;
const ANSWERS_PER_TURN: usize = 4;

/// A cluster that has agreed on one large item, and a member that does not lead it.
fn cluster(options: &Options) -> (Cluster, NodeId) {
    let mut cluster = Cluster::new(options);
    let (leader, follower) = (cluster.leader(), cluster.follower());
    cluster.write(leader, vec![7; ITEM_BYTES]);
    cluster.advance(Duration::from_millis(500));
    assert_eq!(cluster.items(follower).len(), 1);
    (cluster, follower)
}

fn tokens(count: u64) -> impl Iterator<Item = Token> {
    (1000..1000 + count).map(Token)
}

fn looks(count: u64) -> Event<Message, List, Bytes, Look> {
    Event::Queries(tokens(count).map(|token| (token, Look::Items)).collect())
}

/// The refusals and the sizes of the answers that were given, in order of tokens.
fn given(cluster: &Cluster, id: NodeId) -> Vec<(Token, Result<usize, Refusal>)> {
    let answers = cluster.members[&id].answers.range(Token(1000)..);
    let told = answers.map(|(&token, answer)| match answer {
        Answer::Read(_, items) => (token, Ok(items.len())),
        Answer::Refused(refusal) => (token, Err(*refusal)),
        other => panic!("no answer to a read: {other:?}"),
    });
    told.collect()
}

/// Asks, and lets the quorum confirm, without a timer's help.
fn ask(cluster: &mut Cluster, id: NodeId, count: u64) {
    cluster.tell(id, looks(count));
    cluster.deliver();
}

#[test]
fn a_confirmed_round_is_answered_a_portion_at_a_time_and_in_order() {
    let (mut cluster, follower) = cluster(&Options::default());
    ask(&mut cluster, follower, 10);
    for answered in [ANSWERS_PER_TURN, 2 * ANSWERS_PER_TURN, 10] {
        let given = given(&cluster, follower);
        assert_eq!(given.len(), answered);
        assert!(given.iter().map(|&(token, _)| token).eq(tokens(answered as u64)), "the first come first: {given:?}");
        let again = cluster.members[&follower].replica.deadline() == Instant::ZERO;
        assert_eq!(again, answered < 10, "comes back at once for as long as it owes");
        cluster.tell(follower, Event::Timeout);
    }
    assert!(given(&cluster, follower).iter().all(|(_, items)| *items == Ok(1)));
}

#[test]
fn all_that_happens_at_one_instant_shares_a_portion() {
    let (mut cluster, follower) = cluster(&Options::default());
    for token in tokens(6) {
        cluster.tell(follower, Event::LocalQuery(token, Look::Items));
    }
    assert_eq!(given(&cluster, follower).len(), ANSWERS_PER_TURN);
    // Whatever comes first goes on with it.
    cluster.now = cluster.now + Duration::from_millis(1);
    cluster.tell(follower, Event::LocalQuery(Token(1006), Look::Items));
    assert_eq!(given(&cluster, follower).len(), 7);
}

#[test]
fn a_short_answer_does_not_wait_behind_long_ones() {
    let (mut cluster, follower) = cluster(&Options::default());
    ask(&mut cluster, follower, 10);
    cluster.tell(follower, Event::LocalQuery(Token(2000), Look::Alive));
    cluster.tell(follower, Event::Queries(vec![(Token(2001), Look::Alive), (Token(2002), Look::Items)]));
    cluster.deliver();
    let given = given(&cluster, follower);
    let late: Vec<Token> = given.iter().map(|&(token, _)| token).filter(|&token| token >= Token(2000)).collect();
    assert_eq!(late, [Token(2000), Token(2001)]);
    assert_eq!(given.len(), ANSWERS_PER_TURN + late.len());
}

#[test]
fn a_leader_that_answers_much_still_leads() {
    let (mut cluster, _) = cluster(&Options::default());
    let leader = cluster.leader();
    ask(&mut cluster, leader, 200);
    // Each turn takes its time; what peers send is heard between them.
    let mut turns = 1;
    while cluster.members[&leader].replica.deadline() == Instant::ZERO {
        cluster.now = cluster.now + Duration::from_millis(100);
        cluster.tell(leader, Event::Timeout);
        for id in ids().into_iter().filter(|&id| id != leader) {
            cluster.tell(id, Event::Timeout);
        }
        cluster.deliver();
        assert_eq!(cluster.members[&leader].replica.status().role, Role::Leader);
        turns += 1;
    }
    assert_eq!(turns, 200 / ANSWERS_PER_TURN);
    assert!(given(&cluster, leader).iter().map(|&(_, items)| items).eq([Ok(1); 200]));
}

#[test]
fn what_was_confirmed_is_answered_by_who_leads_no_more() {
    let (mut cluster, _) = cluster(&Options::default());
    let leader = cluster.leader();
    ask(&mut cluster, leader, 6);
    assert_eq!(given(&cluster, leader).len(), ANSWERS_PER_TURN);
    cluster.isolate(leader);
    cluster.now = cluster.now + Duration::from_secs(3);
    cluster.tell(leader, Event::Timeout);
    assert_ne!(cluster.members[&leader].replica.status().role, Role::Leader);
    assert!(given(&cluster, leader).iter().map(|&(_, items)| items).eq([Ok(1); 6]), "it held true when it was confirmed");
}

#[test]
fn what_waits_while_a_snapshot_is_put_into_force_is_answered_from_the_newer_state() {
    let (mut cluster, follower) = cluster(&Options::default());
    let leader = cluster.leader();
    ask(&mut cluster, follower, 6);
    let snapshot = Snapshot { position: Position::new(9, 50), configuration: Configuration::of(ids()) };
    let message = Message { term: 9, body: Body::InstallSnapshot { snapshot: snapshot.clone() } };
    cluster.tell(follower, Event::SnapshotArrived { from: leader, message });
    let machine = List { items: vec!["a".into(), "b".into()], applied: snapshot.position, ..List::default() };
    cluster.tell(follower, Event::Installed { snapshot, machine });
    cluster.tell(follower, Event::Timeout);
    let items: Vec<_> = given(&cluster, follower).into_iter().map(|(_, items)| items).collect();
    assert_eq!(items, [Ok(1), Ok(1), Ok(1), Ok(1), Ok(2), Ok(2)]);
}

#[test]
fn a_turn_that_comes_too_late_is_no_answer() {
    let (mut cluster, follower) = cluster(&Options::default());
    ask(&mut cluster, follower, 6);
    cluster.now = cluster.now + Options::default().request_timeout;
    cluster.tell(follower, Event::Timeout);
    let late: Vec<_> = given(&cluster, follower).into_iter().skip(ANSWERS_PER_TURN).map(|(_, items)| items).collect();
    assert_eq!(late, [Err(Refusal::TimedOut); 2]);
}

#[test]
fn who_holds_too_many_answers_gives_short_ones_only() {
    let (mut cluster, follower) = cluster(&Options::default());
    ask(&mut cluster, follower, 6);
    cluster.members.get_mut(&follower).expect("a member").replica.shed_queries(true);
    cluster.tell(follower, Event::Timeout);
    cluster.tell(follower, Event::LocalQuery(Token(2000), Look::Items));
    cluster.tell(follower, Event::LocalQuery(Token(2001), Look::Alive));
    let refused = Err(Refusal::TooManyRequests);
    let later: Vec<_> = given(&cluster, follower).into_iter().skip(ANSWERS_PER_TURN).map(|(_, items)| items).collect();
    assert_eq!(later, [refused, refused, refused, Ok(0)]);
    cluster.members.get_mut(&follower).expect("a member").replica.shed_queries(false);
    cluster.tell(follower, Event::LocalQuery(Token(3000), Look::Items));
    assert_eq!(given(&cluster, follower).last(), Some(&(Token(3000), Ok(1))));
}

#[test]
fn long_questions_wait_in_bounded_memory() {
    let (mut cluster, follower) = cluster(&Options { waiting_bytes_max: 1000, ..Options::default() });
    let questions = |first: u64| {
        let long = |token| (Token(token), Look::Long(vec![b'?'; 400].into()));
        Event::Queries((first..first + 3).map(long).collect())
    };
    cluster.tell(follower, questions(1000));
    assert_eq!(given(&cluster, follower), [(Token(1002), Err(Refusal::TooManyRequests))]);
    cluster.deliver();
    // They were answered, and there is room again.
    cluster.tell(follower, questions(2000));
    cluster.deliver();
    assert_eq!(given(&cluster, follower).iter().filter(|(_, items)| items.is_ok()).count(), 4);
}
