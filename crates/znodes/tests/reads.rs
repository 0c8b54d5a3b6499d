//! What reads answer, and quotas, which are read like any other node.

mod support;

use support::{Leader, create, delete, entry, id, open, set, set_acl};
use znodes::{Answer, ClientInfo, ErrorCode, OpAnswer, Permissions, ReadOp, Schemes, Settings};

fn leader() -> Leader {
    Leader::new(Settings::default())
}

fn children(leader: &Leader, path: &str) -> Vec<String> {
    let Ok(Answer::Children { mut children, .. }) = leader.read(ReadOp::GetChildren { path: path.into() }) else { panic!() };
    children.sort();
    children
}

#[test]
fn reads_tell_what_is_there() {
    let mut leader = leader();
    leader.ask(create("/a", "data")).unwrap();
    leader.ask(create("/a/b", "")).unwrap();
    leader.ask(create("/a/b/c", "")).unwrap();
    let stat = leader.stat("/a");
    assert_eq!(leader.read(ReadOp::Exists { path: "/a".into() }), Ok(Answer::Stat(stat)));
    assert_eq!(leader.read(ReadOp::GetData { path: "/a".into() }), Ok(Answer::Data { data: Some("data".into()), stat }));
    assert_eq!(children(&leader, "/a"), ["b"]);
    assert_eq!(children(&leader, "/"), ["a", "zookeeper"]);
    assert_eq!(leader.read(ReadOp::GetAllChildrenNumber { path: "/a".into() }), Ok(Answer::Count(2)));
    assert_eq!(leader.read(ReadOp::GetAllChildrenNumber { path: "/".into() }), Ok(Answer::Count(6)));
    assert_eq!(leader.read(ReadOp::Sync { path: "/x".into() }), Ok(Answer::Synced { path: "/x".into() }));
    for op in [
        ReadOp::Exists { path: "/x".into() },
        ReadOp::GetData { path: "/x".into() },
        ReadOp::GetAcl { path: "/x".into() },
        ReadOp::GetChildren { path: "/x".into() },
        ReadOp::GetAllChildrenNumber { path: "/x".into() },
    ] {
        assert_eq!(leader.read(op.clone()), Err(ErrorCode::NoNode), "{op:?}");
    }
    assert_eq!(leader.read(ReadOp::Exists { path: "/\0".into() }), Err(ErrorCode::BadArguments));
}

#[test]
fn data_is_not_copied_when_it_is_read() {
    let mut leader = leader();
    leader.ask(create("/a", "data")).unwrap();
    let read = || match leader.read(ReadOp::GetData { path: "/a".into() }) {
        Ok(Answer::Data { data: Some(data), .. }) => data,
        other => panic!("{other:?}"),
    };
    assert_eq!(read().as_ptr(), read().as_ptr());
}

#[test]
fn exists_and_the_like_need_read() {
    let mut leader = leader();
    leader.ask(create("/a", "")).unwrap();
    leader.ask(set_acl("/a", vec![entry(Permissions::WRITE, "world", "anyone")], -1)).unwrap();
    for op in [
        ReadOp::Exists { path: "/a".into() },
        ReadOp::GetData { path: "/a".into() },
        ReadOp::GetAcl { path: "/a".into() },
        ReadOp::GetChildren { path: "/a".into() },
        ReadOp::GetAllChildrenNumber { path: "/a".into() },
    ] {
        assert_eq!(leader.read(op.clone()), Err(ErrorCode::NoAuth), "{op:?}");
    }
}

#[test]
fn digests_are_masked_for_whoever_may_not_set_them() {
    let mut leader = leader();
    leader.ask(create("/a", "")).unwrap();
    let acl = vec![entry(Permissions::ALL, "digest", "bob:hash"), entry(Permissions::READ, "ip", "10.0.0.0/8")];
    leader.ask(set_acl("/a", acl.clone(), -1)).unwrap();
    let stat = leader.stat("/a");
    let get = ReadOp::GetAcl { path: "/a".into() };
    assert_eq!(leader.read_as(&[id("digest", "bob:hash")], get.clone()), Ok(Answer::Acl { acl: acl.clone(), stat }));
    let masked = vec![entry(Permissions::ALL, "digest", "bob:x"), acl[1].clone()];
    assert_eq!(leader.read_as(&[id("ip", "10.1.1.1")], get), Ok(Answer::Acl { acl: masked, stat }));
    // The nodes that every tree begins with are open to all but one.
    let stat = leader.stat("/zookeeper");
    assert_eq!(leader.read(ReadOp::GetAcl { path: "/zookeeper".into() }), Ok(Answer::Acl { acl: open(), stat }));
    assert_eq!(leader.ask(set("/zookeeper/config", "", -1)), Err(ErrorCode::NoAuth));
}

#[test]
fn who_am_i() {
    let schemes = Schemes { x509: true, ..Settings::default().schemes };
    let leader = Leader::new(Settings { schemes, ..Settings::default() });
    let ids = [id("ip", "10.0.0.1"), id("digest", "bob:hash"), id("x509", "CN=bob"), id("super", "x"), id("odd", "y")];
    let info = |scheme: &str, user: &str| ClientInfo { scheme: scheme.into(), user: user.into() };
    let expected =
        vec![info("ip", "10.0.0.1"), info("digest", "bob"), info("x509", "CN=bob"), info("super", ""), info("odd", "")];
    assert_eq!(leader.read_as(&ids, ReadOp::WhoAmI), Ok(Answer::Who(expected)));
}

#[test]
fn a_multi_read_answers_each_on_its_own() {
    let mut leader = leader();
    leader.ask(create("/a", "x")).unwrap();
    let ops = vec![
        ReadOp::GetData { path: "/a".into() },
        ReadOp::GetData { path: "/b".into() },
        ReadOp::GetChildren { path: "/a".into() },
    ];
    let stat = leader.stat("/a");
    let expected = vec![
        OpAnswer::Done { kind: 4, answer: Answer::Data { data: Some("x".into()), stat } },
        OpAnswer::Failed { code: -101 },
        OpAnswer::Done { kind: 8, answer: Answer::Children { children: vec![], stat } },
    ];
    assert_eq!(leader.read(ReadOp::MultiRead(ops)), Ok(Answer::Multi(expected)));
    assert_eq!(leader.read(ReadOp::MultiRead(vec![ReadOp::WhoAmI])), Err(ErrorCode::MarshallingError));
}

/// As zkCli's setquota does it.
fn set_quota(leader: &mut Leader, path: &str, limits: &str) {
    leader.ask(create(&format!("/zookeeper/quota{path}"), "")).unwrap();
    leader.ask(create(&format!("/zookeeper/quota{path}/zookeeper_limits"), limits)).unwrap();
    leader.ask(create(&format!("/zookeeper/quota{path}/zookeeper_stats"), "count=-1,bytes=-1")).unwrap();
}

#[test]
fn usage_is_counted_from_the_quotas_beginning() {
    let mut leader = leader();
    leader.ask(create("/a", "12")).unwrap();
    leader.ask(create("/a/b", "345")).unwrap();
    set_quota(&mut leader, "/a", "count=2,bytes=10");
    let stats = "/zookeeper/quota/a/zookeeper_stats";
    assert_eq!(leader.data(stats), "count=2,bytes=5");
    let version = leader.stat(stats).version;
    leader.ask(create("/a/c", "6")).unwrap();
    leader.ask(set("/a/b", "", -1)).unwrap();
    assert_eq!(leader.data(stats), "count=3,bytes=3");
    leader.ask(delete("/a/c", -1)).unwrap();
    assert_eq!(leader.data(stats), "count=2,bytes=2");
    assert_eq!(leader.stat(stats).version, version, "nothing but the data changes");
    assert_eq!(leader.tree.quotas().collect::<Vec<_>>(), ["/a"]);
    let mut reloaded = Leader::with(leader.reloaded());
    assert_eq!(reloaded.data(stats), "count=2,bytes=2");
    reloaded.begin(support::SESSION);
    reloaded.ask(delete("/zookeeper/quota/a/zookeeper_limits", -1)).unwrap();
    reloaded.ask(create("/a/d", "")).unwrap();
    assert_eq!(reloaded.data(stats), "count=2,bytes=2");
}

#[test]
fn hard_limits_are_limits_where_they_are_enforced() {
    for (enforce_quota, expected) in [(true, Err(ErrorCode::QuotaExceeded)), (false, Ok(()))] {
        let mut leader = Leader::new(Settings { enforce_quota, ..Settings::default() });
        leader.ask(create("/a", "")).unwrap();
        set_quota(&mut leader, "/a", "count=-1,bytes=-1=;byteHardLimit=4;countHardLimit=2");
        leader.ask(create("/a/b", "1234")).unwrap();
        assert_eq!(leader.ask(create("/a/c", "")).map(|_| ()), expected);
        assert_eq!(leader.ask(set("/a/b", "12345", -1)).map(|_| ()), expected);
        leader.ask(set("/a/b", "1", -1)).unwrap();
        leader.ask(create("/b", "not below")).unwrap();
    }
}

#[test]
fn the_configuration_is_this_servers_own() {
    let mut leader = leader();
    let digest = leader.tree.digest();
    leader.tree.set_configuration(b"server.1=...\nversion=0", 0, 5);
    assert_eq!(leader.data("/zookeeper/config"), "server.1=...\nversion=0");
    let stat = leader.stat("/zookeeper/config");
    assert_eq!((stat.version, stat.mzxid, stat.mtime, stat.aversion), (-1, 0, 5, -1));
    assert_eq!(leader.tree.digest(), digest);
}
