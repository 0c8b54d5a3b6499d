//! Sessions begin, move, expire and end; containers and nodes with a time to live go by themselves.

mod support;

use consensus::{Instant, NodeId, SessionNote, StateMachine};
use core::time::Duration;
use support::{Leader, ME, SESSION, create, create_as, delete, ephemeral, set};
use znodes::{Answer, Change, CreateMode, ErrorCode, Event, NodeEvent, Op, ReadOp, Settings, Tree};

const OTHER: NodeId = NodeId(2);

fn leader() -> Leader {
    Leader::new(Settings { tick: Duration::from_secs(2), extended_types: true, ..Settings::default() })
}

fn ttl(ttl: i64) -> CreateMode {
    CreateMode::Ttl { ttl, sequential: false }
}

#[test]
fn a_session_takes_its_ephemeral_nodes_along() {
    let mut leader = leader();
    leader.begin(7);
    leader.ask(create("/a", "")).unwrap();
    for path in ["/a/1", "/a/2", "/3"] {
        leader.ask_as(7, &[], ephemeral(path)).unwrap();
    }
    leader.ask_as(7, &[], delete("/a/1", -1)).unwrap();
    assert_eq!(leader.stat("/3").ephemeral_owner, 7);
    assert_eq!(leader.tree.ephemerals_count(), 2);
    leader.events.clear();
    // One more is still on its way when the session's end is prepared, and one less.
    let request = leader.request(7, &[], ephemeral("/a/4"));
    let more = leader.prepare(ME, request);
    let request = leader.request(7, &[], delete("/a/2", -1));
    let less = leader.prepare(ME, request);
    let request = leader.request(7, &[], Op::CloseSession);
    let close = leader.prepare(ME, request);
    assert_eq!(close.change, Change::CloseSession { paths: vec!["/3".into(), "/a/4".into()] });
    for txn in [more, less] {
        leader.apply(txn).unwrap();
    }
    leader.events.clear();
    assert_eq!(leader.apply(close), Ok(Answer::SessionClosed));
    let told: Vec<String> = leader.events.iter().map(|event| event.to_string()).collect();
    assert_eq!(told, ["/3 was deleted", "/a/4 was deleted", "session 0x7 ended"]);
    assert_eq!(leader.tree.ephemerals_count(), 0);
    assert_eq!(leader.tree.sessions().keys().collect::<Vec<_>>(), [&SESSION]);
    assert_eq!(leader.tree.digest_mismatches(), (0, None));
    assert_eq!(leader.ask(delete("/a", -1)), Ok(Answer::Deleted));
}

#[test]
fn to_end_a_session_twice_takes_nothing_from_others() {
    let mut leader = leader();
    leader.begin(7);
    leader.ask_as(7, &[], ephemeral("/e")).unwrap();
    let mut prepare = |session, op| {
        let request = leader.request(session, &[], op);
        leader.prepare(ME, request)
    };
    let txns = [prepare(7, Op::CloseSession), prepare(SESSION, ephemeral("/e")), prepare(7, Op::CloseSession)];
    assert_eq!(txns[2].change, Change::CloseSession { paths: vec![] });
    for txn in txns {
        leader.apply(txn).unwrap();
    }
    assert_eq!(leader.stat("/e").ephemeral_owner, SESSION);
}

#[test]
fn nothing_more_comes_of_a_session_that_is_closing() {
    let mut leader = leader();
    let request = leader.request(SESSION, &[], Op::CloseSession);
    let close = leader.prepare(ME, request);
    let request = leader.request(SESSION, &[], create("/late", ""));
    let late = leader.prepare(ME, request);
    leader.apply(close).unwrap();
    assert_eq!(leader.apply(late), Err(ErrorCode::SessionExpired));
    assert_eq!(leader.ask(create("/later", "")), Err(ErrorCode::SessionExpired));
    assert_eq!(leader.ask(ephemeral("/later")), Err(ErrorCode::SessionExpired));
    // To end what has ended does no harm: a client may ask twice.
    assert_eq!(leader.ask(Op::CloseSession), Ok(Answer::SessionClosed));
}

#[test]
fn a_session_lives_where_its_client_came_to_last() {
    let mut leader = leader();
    let request = leader.request(SESSION, &[], create("/stray", ""));
    let stray = leader.prepare(OTHER, request);
    assert_eq!(leader.apply(stray), Err(ErrorCode::SessionMoved));
    let ask = SessionNote::Revalidate { session: SESSION, timeout: 10_000 };
    assert_eq!(leader.hear(OTHER, ask), Some(SessionNote::Revalidated { session: SESSION, valid: true }));
    let request = leader.request(SESSION, &[], create("/a", ""));
    let moved = leader.prepare(OTHER, request);
    assert!(leader.apply(moved).is_ok());
    assert_eq!(leader.ask(create("/b", "")), Err(ErrorCode::SessionMoved));
    // As an operation of a multi, too, it is the connection that fails.
    assert_eq!(leader.ask(Op::Multi(vec![create("/b", "")])), Err(ErrorCode::SessionMoved));
    let ask = SessionNote::Revalidate { session: 99, timeout: 10_000 };
    assert_eq!(leader.hear(OTHER, ask), Some(SessionNote::Revalidated { session: 99, valid: false }));
}

#[test]
fn who_is_not_heard_of_expires_at_the_tick_after_the_time_out() {
    let mut leader = leader();
    leader.ask(ephemeral("/e")).unwrap();
    leader.wait(9_000);
    leader.hear(OTHER, SessionNote::Touched(vec![(SESSION, 10_000), (99, 10_000)]));
    // The bucket was made for 12 s; the session was heard of since.
    leader.wait(10_000);
    assert_eq!(leader.time(), vec![]);
    assert_eq!(leader.tree.deadline(), Instant::from_nanos(20_000_000_000));
    leader.wait(1_000);
    assert_eq!(leader.time(), vec![Ok(Answer::SessionClosed)]);
    assert_eq!(leader.tree.stat("/e"), None);
    assert!(matches!(leader.events.last(), Some(Event::SessionClosed(SESSION))));
}

#[test]
fn a_new_leader_gives_everybody_the_whole_time_out() {
    let mut leader = leader();
    leader.wait(9_999);
    leader.tree.abandon();
    assert_eq!(leader.tree.deadline(), Instant::NEVER);
    assert_eq!(leader.hear(ME, SessionNote::Revalidate { session: SESSION, timeout: 10_000 }), None);
    leader.tree.lead(leader.now);
    leader.wait(10_000);
    assert_eq!(leader.time(), vec![]);
    // Whoever asks first owns the session now.
    let request = leader.request(SESSION, &[], create("/a", ""));
    let txn = leader.prepare(OTHER, request);
    assert!(leader.apply(txn).is_ok());
    leader.wait(2_000);
    assert_eq!(leader.time(), vec![Ok(Answer::SessionClosed)]);
}

#[test]
fn what_was_prepared_is_void_when_leadership_is_lost() {
    let mut leader = leader();
    let request = leader.request(SESSION, &[], create("/a", ""));
    let lost = leader.prepare(ME, request);
    leader.tree.abandon();
    leader.tree.lead(leader.now);
    leader.next = lost.header.position;
    assert!(leader.ask(create("/a", "")).is_ok());
    assert_eq!(leader.tree.digest_mismatches(), (0, None));
}

#[test]
fn ephemerals_are_listed_by_session_and_prefix() {
    let mut leader = leader();
    leader.begin(7);
    for (session, path) in [(SESSION, "/ab"), (SESSION, "/b"), (7, "/abc")] {
        leader.ask_as(session, &[], ephemeral(path)).unwrap();
    }
    let list = |prefix: &str| leader.read(ReadOp::GetEphemerals { prefix: prefix.into() });
    assert_eq!(list("/"), Ok(Answer::Paths(vec!["/ab".into(), "/b".into()])));
    assert_eq!(list(" "), Ok(Answer::Paths(vec!["/ab".into(), "/b".into()])));
    assert_eq!(list("/a"), Ok(Answer::Paths(vec!["/ab".into()])));
}

#[test]
fn a_container_goes_when_its_last_child_has_gone() {
    let mut leader = leader();
    leader.ask(create_as("/c", "", CreateMode::Container)).unwrap();
    leader.ask(create_as("/new", "", CreateMode::Container)).unwrap();
    assert_eq!(leader.stat("/c").ephemeral_owner, 0, "clients are not told");
    leader.ask(create("/c/x", "")).unwrap();
    let keep_alive = |leader: &mut Leader| {
        for _ in 0..12 {
            leader.wait(5_000);
            leader.hear(ME, SessionNote::Touched(vec![(SESSION, 10_000)]));
        }
    };
    keep_alive(&mut leader);
    assert_eq!(leader.time(), vec![]);
    leader.ask(delete("/c/x", -1)).unwrap();
    keep_alive(&mut leader);
    assert_eq!(leader.time(), vec![Ok(Answer::Deleted)]);
    assert_eq!(leader.tree.stat("/c"), None);
    // It was never used.
    assert!(leader.tree.stat("/new").is_some());
}

#[test]
fn what_was_used_again_meanwhile_stays() {
    let mut leader = leader();
    leader.ask(create_as("/c", "", CreateMode::Container)).unwrap();
    leader.ask(create("/p", "")).unwrap();
    leader.ask(create("/c/x", "")).unwrap();
    assert_eq!(leader.ask_as(0, &[], Op::DeleteContainer { path: "/c".into() }), Err(ErrorCode::NotEmpty));
    assert_eq!(leader.ask_as(0, &[], Op::DeleteContainer { path: "/p".into() }), Err(ErrorCode::BadVersion));
    assert_eq!(leader.ask_as(0, &[], Op::DeleteContainer { path: "/q".into() }), Err(ErrorCode::NoNode));
}

#[test]
fn a_time_to_live_counts_from_the_last_change() {
    let mut leader = leader();
    for bad in [0, -1, 1 << 40] {
        assert_eq!(leader.ask(create_as("/t", "", ttl(bad))), Err(ErrorCode::BadArguments), "{bad}");
    }
    leader.ask(create_as("/t", "", ttl(70_000))).unwrap();
    leader.ask(create_as("/u", "", ttl(70_000))).unwrap();
    assert_eq!(leader.tree.ttl_count(), 2);
    let minute = |leader: &mut Leader| {
        leader.wait(60_000);
        leader.hear(ME, SessionNote::Touched(vec![(SESSION, 100_000)]));
        leader.time()
    };
    leader.hear(ME, SessionNote::Touched(vec![(SESSION, 100_000)]));
    assert_eq!(minute(&mut leader), vec![]);
    leader.ask(set("/u", "", -1)).unwrap();
    assert_eq!(minute(&mut leader), vec![Ok(Answer::Deleted)]);
    assert_eq!((leader.tree.stat("/t"), leader.tree.ttl_count()), (None, 1));
    assert_eq!(minute(&mut leader), vec![Ok(Answer::Deleted)]);
}

#[test]
fn deletions_of_containers_are_spread() {
    let settings =
        Settings { containers_per_minute: 60, container_check_interval: Duration::from_secs(1), ..Settings::default() };
    let mut leader = Leader::new(settings);
    for path in ["/a", "/b", "/c"] {
        leader.ask(create_as(path, "", CreateMode::Container)).unwrap();
        leader.ask(create(&format!("{path}/x"), "")).unwrap();
        leader.ask(delete(&format!("{path}/x"), -1)).unwrap();
    }
    leader.wait(1_000);
    assert_eq!(leader.time().len(), 1);
    assert_eq!(leader.time().len(), 0);
    leader.wait(999);
    assert_eq!(leader.time().len(), 0);
    leader.wait(1);
    assert_eq!(leader.time().len(), 1);
}

#[test]
fn a_containers_deletion_is_told_like_any_other() {
    let mut leader = leader();
    leader.ask(create_as("/c", "", CreateMode::Container)).unwrap();
    leader.events.clear();
    leader.ask_as(0, &[], Op::DeleteContainer { path: "/c".into() }).unwrap();
    assert!(matches!(leader.events[..], [Event::Node { what: NodeEvent::Deleted, .. }]));
}

#[test]
fn requests_of_the_leaders_own_never_share_a_number() {
    let mut leader = leader();
    for session in 1..=50 {
        leader.begin(session);
    }
    leader.wait(60_000);
    let mut numbers: Vec<i32> = leader.tree.due(leader.now).into_iter().map(|request| request.cxid).collect();
    assert_eq!(numbers.len(), 51);
    numbers.dedup();
    assert_eq!(numbers.len(), 51);
    assert!(numbers.iter().all(|&number| number < 0));
}

#[test]
fn time_to_live_looks_like_a_session_where_extended_types_are_off() {
    let mut leader = leader();
    leader.ask(create_as("/t", "", ttl(1))).unwrap();
    let chunks = support::snapshot(&mut leader.tree, 1_000);
    let plain = Tree::restore_with(Settings::default(), &mut chunks.into_iter()).unwrap();
    assert_eq!(plain.stat("/t").unwrap().ephemeral_owner as u64, 0xff00_0000_0000_0001);
}
