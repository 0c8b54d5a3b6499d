//! What writes do, and how they are refused.

mod support;

use std::time::{Duration, Instant};
use support::{
    Leader, ME, SESSION, check, create, create_as, created, delete, entry, ephemeral, id, open, sequential, set, set_acl,
};
use znodes::{
    Acl, Answer, Change, CreateMode, ErrorCode, Event, Kind, NodeEvent, Op, OpAnswer, Permissions, ReadOp, Settings, Stat, Tree,
};

fn leader() -> Leader {
    Leader::new(Settings::default())
}

#[test]
fn a_fresh_tree_is_javas() {
    let tree = Tree::new(Settings::default());
    assert_eq!(tree.digest(), 1_371_985_504);
    assert_eq!(tree.node_count(), 5);
    assert_eq!(tree.approximate_data_size(), 44);
    assert_eq!(tree.paths("/").len(), 4);
    assert_eq!(tree.stat("/"), Some(Stat { cversion: -1, num_children: 1, ..Stat::default() }));
    assert_eq!(tree.stat("/zookeeper"), Some(Stat { cversion: -2, num_children: 2, ..Stat::default() }));
    assert_eq!(tree.stat("/zookeeper/config"), Some(Stat { aversion: -1, ..Stat::default() }));
}

#[test]
fn a_created_node_has_the_numbers_of_its_transaction() {
    let mut leader = leader();
    let answer = leader.ask(create("/a", "data"));
    let (zxid, time) = (0x1_0000_0002, 1_700_000_000_000);
    let stat = Stat { czxid: zxid, mzxid: zxid, pzxid: zxid, ctime: time, mtime: time, data_length: 4, ..Stat::default() };
    assert_eq!(answer, Ok(Answer::Created { path: "/a".into(), stat }));
    assert_eq!(leader.stat("/a"), stat);
    let root = leader.stat("/");
    assert_eq!((root.cversion, root.pzxid, root.num_children), (0, zxid, 2));
}

#[test]
fn creations_are_refused_in_javas_order() {
    let mut leader = leader();
    leader.ask(create("/a", "")).unwrap();
    leader.ask(ephemeral("/e")).unwrap();
    let cases = [
        (create("/a", ""), ErrorCode::NodeExists),
        (create("/", ""), ErrorCode::NodeExists),
        (create("a", ""), ErrorCode::BadArguments),
        (create("x/y", ""), ErrorCode::NoNode),
        (create("/a/", ""), ErrorCode::BadArguments),
        (create("//b", ""), ErrorCode::BadArguments),
        (create("/a/../b", ""), ErrorCode::NoNode),
        (create("/b\0", ""), ErrorCode::BadArguments),
        (create("/x/y", ""), ErrorCode::NoNode),
        (create("/e/x", ""), ErrorCode::NoChildrenForEphemerals),
        (create_as("/t", "", CreateMode::Ttl { ttl: 5, sequential: false }), ErrorCode::Unimplemented),
        (Op::Create { path: "/b".into(), data: None, acl: vec![], mode: CreateMode::Container, op: 19 }, ErrorCode::InvalidAcl),
    ];
    for (op, error) in cases {
        assert_eq!(leader.ask(op.clone()), Err(error), "{op:?}");
    }
    assert_eq!(leader.tree.paths("/").len(), 6);
}

#[test]
fn the_counter_of_sequential_nodes_is_the_parents_cversion() {
    let mut leader = leader();
    leader.ask(create("/q", "")).unwrap();
    assert_eq!(created(leader.ask(sequential("/q/n-"))), "/q/n-0000000000");
    assert_eq!(created(leader.ask(sequential("/q/n-"))), "/q/n-0000000001");
    leader.ask(delete("/q/n-0000000001", -1)).unwrap();
    assert_eq!(created(leader.ask(sequential("/q/n-"))), "/q/n-0000000002");
    assert_eq!(created(leader.ask(sequential("/q/"))), "/q/0000000003");
    // Four created, one deleted.
    assert_eq!((leader.stat("/q").cversion, leader.stat("/q").num_children), (5, 3));
}

#[test]
fn versions_guard_writes() {
    let mut leader = leader();
    leader.ask(create("/a", "0")).unwrap();
    assert_eq!(leader.ask(set("/a", "1", 1)), Err(ErrorCode::BadVersion));
    assert!(leader.ask(set("/a", "one", 0)).is_ok());
    assert!(leader.ask(set("/a", "two", -1)).is_ok());
    let stat = leader.stat("/a");
    assert_eq!((stat.version, stat.data_length, stat.mzxid), (2, 3, 0x1_0000_0005));
    assert_eq!(stat.czxid, 0x1_0000_0002);
    assert_eq!(leader.ask(delete("/a", 1)), Err(ErrorCode::BadVersion));
    assert_eq!(leader.ask(delete("/a", 2)), Ok(Answer::Deleted));
    assert_eq!(leader.ask(delete("/a", -1)), Err(ErrorCode::NoNode));
    assert_eq!(leader.ask(set("/a", "", -1)), Err(ErrorCode::NoNode));
}

#[test]
fn deletions_are_refused_in_javas_order() {
    let mut leader = leader();
    leader.ask(create("/a", "")).unwrap();
    leader.ask(create("/a/b", "")).unwrap();
    assert_eq!(leader.ask(delete("/a", -1)), Err(ErrorCode::NotEmpty));
    for special in ["/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config", "a"] {
        assert_eq!(leader.ask(delete(special, -1)), Err(ErrorCode::BadArguments), "{special}");
    }
    let pzxid = leader.stat("/a").pzxid;
    leader.ask(delete("/a/b", -1)).unwrap();
    let parent = leader.stat("/a");
    assert!(parent.pzxid > pzxid);
    // Clients see the deletion in cversion, though the node itself counts creations only.
    assert_eq!((parent.cversion, parent.num_children), (2, 0));
}

#[test]
fn refusals_take_their_place_in_the_log_without_a_digest() {
    let mut leader = leader();
    let request = leader.request(SESSION, &[], delete("/nowhere", -1));
    let txn = leader.prepare(ME, request);
    assert_eq!((txn.header.kind, txn.digest), (Kind::ERROR, None));
    assert_eq!(txn.change, Change::Error { code: -101 });
    assert_eq!(leader.apply(txn), Err(ErrorCode::NoNode));
    assert_eq!(leader.ask(Op::Refused { op: 1, error: ErrorCode::MarshallingError }), Err(ErrorCode::MarshallingError));
    assert_eq!(leader.ask(check("/", -1)), Err(ErrorCode::Unimplemented));
}

#[test]
fn access_lists_are_checked_where_java_checks_them() {
    let mut leader = leader();
    let bob = [id("ip", "10.0.0.1"), id("digest", "bob:x")];
    let acl = vec![entry(Permissions::ALL, "auth", "")];
    let op = Op::Create { path: "/b".into(), data: None, acl, mode: CreateMode::Persistent { sequential: false }, op: 1 };
    leader.ask_as(SESSION, &bob, op).unwrap();
    for op in [create("/b/c", ""), set("/b", "", -1), set_acl("/b", open(), -1)] {
        assert_eq!(leader.ask(op.clone()), Err(ErrorCode::NoAuth), "{op:?}");
    }
    assert_eq!(leader.read(ReadOp::GetData { path: "/b".into() }), Err(ErrorCode::NoAuth));
    leader.ask_as(SESSION, &bob, create("/b/c", "")).unwrap();
    // DELETE is asked of the parent.
    assert_eq!(leader.ask(delete("/b/c", -1)), Err(ErrorCode::NoAuth));
    leader.ask_as(SESSION, &[id("super", "")], delete("/b/c", -1)).unwrap();
    leader.ask(delete("/b", -1)).unwrap();
}

#[test]
fn set_acl_counts_in_aversion() {
    let mut leader = leader();
    leader.ask(create("/a", "")).unwrap();
    assert_eq!(leader.ask(set_acl("/a", vec![], -1)), Err(ErrorCode::InvalidAcl));
    assert_eq!(leader.ask(set_acl("/a", open(), 1)), Err(ErrorCode::BadVersion));
    leader.events.clear();
    leader.ask(set_acl("/a", vec![entry(Permissions::READ, "world", "anyone")], 0)).unwrap();
    assert_eq!((leader.stat("/a").aversion, leader.stat("/a").version), (1, 0));
    assert!(leader.events.is_empty(), "nobody watches access lists");
    assert_eq!(leader.ask(set("/a", "", -1)), Err(ErrorCode::NoAuth));
}

/// To compare each with each takes half a minute.
#[test]
fn a_long_list_loses_soon_what_is_twice_and_keeps_its_order() {
    let mut leader = leader();
    leader.ask(create("/a", "")).unwrap();
    let many: Vec<Acl> = (0..40_000).rev().map(|user| entry(Permissions::ALL, "digest", &format!("user:{user:05}"))).collect();
    let twice = many.iter().chain(&many).cloned().collect();
    let begun = Instant::now();
    leader.ask(set_acl("/a", twice, -1)).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(leader.log.last().unwrap().change, Change::SetAcl { path: "/a".into(), acl: many, version: 1 });
}

#[test]
fn a_multi_is_all() {
    let mut leader = leader();
    let ops = vec![create("/a", ""), sequential("/a/n"), set("/a", "x", 0), check("/a", 1), delete("/a/n0000000000", -1)];
    let Ok(Answer::Multi(answers)) = leader.ask(Op::Multi(ops)) else { panic!() };
    let kinds: Vec<i32> = answers.iter().map(|answer| if let OpAnswer::Done { kind, .. } = answer { *kind } else { 0 }).collect();
    assert_eq!(kinds, [15, 15, 5, 13, 2]);
    assert_eq!((leader.stat("/a").num_children, leader.stat("/a").cversion, leader.stat("/a").version), (0, 2, 1));
    assert_eq!(leader.ask(Op::Multi(vec![])), Ok(Answer::Multi(vec![])));
}

#[test]
fn or_nothing() {
    let mut leader = leader();
    leader.ask(create("/q", "")).unwrap();
    let digest = leader.tree.digest();
    let ops = vec![sequential("/q/n"), create("/a", ""), check("/a", 7), create("/b", "")];
    let request = leader.request(SESSION, &[], Op::Multi(ops));
    let failed = leader.prepare(ME, request);
    // Prepared before the failure is applied: nothing is expected of it.
    let request = leader.request(SESSION, &[], sequential("/q/n"));
    let next = leader.prepare(ME, request);
    let Change::Multi(changes) = &failed.change else { panic!() };
    assert_eq!(changes.iter().map(|(kind, _)| kind.0).collect::<Vec<_>>(), [15, 15, -1, -1]);
    assert_eq!(failed.digest.map(|digest| digest.value), Some(digest));
    let codes = [0, 0, -103, -2].map(|code| OpAnswer::Failed { code });
    assert_eq!(leader.apply(failed), Ok(Answer::Multi(codes.to_vec())));
    assert_eq!(leader.tree.stat("/a"), None);
    assert_eq!(created(leader.apply(next)), "/q/n0000000000");
    assert_eq!(leader.tree.digest_mismatches(), (0, None));
}

#[test]
fn a_multi_may_not_hold_everything() {
    let mut leader = leader();
    for op in [set_acl("/", open(), -1), Op::CloseSession, Op::Multi(vec![])] {
        assert_eq!(leader.ask(Op::Multi(vec![op])), Err(ErrorCode::MarshallingError));
    }
    let refused = Op::Refused { op: 16, error: ErrorCode::Unimplemented };
    assert_eq!(leader.ask(Op::Multi(vec![refused])), Ok(Answer::Multi(vec![OpAnswer::Failed { code: -6 }])));
}

#[test]
fn changes_are_told_with_the_lists_that_decide_who_may_hear() {
    let mut leader = leader();
    leader.events.clear();
    leader.ask(create("/a", "")).unwrap();
    leader.ask(set("/a", "x", -1)).unwrap();
    leader.ask(delete("/a", -1)).unwrap();
    let told: Vec<_> = leader
        .events
        .iter()
        .map(|event| match event {
            Event::Node { path, what, acl, parent_acl } => (&**path, *what, acl.len(), parent_acl.len()),
            Event::SessionClosed(_) => panic!("no session closed"),
        })
        .collect();
    let expected = [("/a", NodeEvent::Created, 1, 1), ("/a", NodeEvent::DataChanged, 1, 0), ("/a", NodeEvent::Deleted, 1, 1)];
    assert_eq!(told, expected);
}

#[test]
fn null_data_stays_null() {
    let mut leader = leader();
    let op = Op::Create { path: "/a".into(), data: None, acl: open(), mode: CreateMode::Persistent { sequential: false }, op: 1 };
    leader.ask(op).unwrap();
    let data = |response| if let Ok(Answer::Data { data, .. }) = response { data } else { panic!("no data") };
    assert_eq!(data(leader.read(ReadOp::GetData { path: "/a".into() })), None);
    assert_eq!(leader.reloaded().digest(), leader.tree.digest());
}

#[test]
fn what_the_leader_expects_is_what_comes() {
    let mut leader = leader();
    let ops =
        [create("/a", "1"), create("/a/b", ""), set("/a", "22", 0), delete("/a/b", -1), sequential("/a/s"), ephemeral("/e")];
    let txns: Vec<_> = ops
        .into_iter()
        .map(|op| {
            let request = leader.request(SESSION, &[], op);
            leader.prepare(ME, request)
        })
        .collect();
    for txn in txns {
        let told = txn.digest.unwrap().value;
        leader.apply(txn).unwrap();
        assert_eq!(leader.tree.digest(), told);
    }
}
