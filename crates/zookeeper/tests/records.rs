//! Records as Java's own classes write them: understood, and written the same way here.

use bytes::{Bytes, BytesMut};
use consensus::{Entry, EntryKind, Position};
use std::collections::BTreeMap;
use zab::Packet;
use znodes::{
    Acl, Answer, Change, CreateMode, Header, Id, Kind, Op, OpAnswer, Permissions, ReadOp, Renewal, Stat, TreeDigest, Txn,
    WatchEvent,
};
use zookeeper::client::{self, Call, ClientRequest, ConnectRequest, Incoming, Reconfig, Reply};
use zookeeper::jute::DEFAULT_LIMIT;
use zookeeper::quorum::{Also, Received, Speaker, decode};
use zookeeper::{opcode, request, txn};

fn java(name: &str) -> Bytes {
    let records: BTreeMap<&str, &str> =
        include_str!("captured/records-3.9.3.txt").lines().filter_map(|line| line.split_once(' ')).collect();
    let hex = records[name];
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal digits");
    (0..hex.len()).step_by(2).map(byte).collect()
}

fn open() -> Vec<Acl> {
    vec![Acl { permissions: Permissions::ALL, id: id("world", "anyone") }]
}

fn id(scheme: &str, id: &str) -> Id {
    Id { scheme: scheme.into(), id: id.into() }
}

fn stat() -> Stat {
    Stat {
        czxid: 1,
        mzxid: 2,
        ctime: 3,
        mtime: 4,
        version: 5,
        cversion: 6,
        aversion: 7,
        ephemeral_owner: 8,
        data_length: 9,
        num_children: 10,
        pzxid: 11,
    }
}

fn create(mode: CreateMode, op: i32, data: Option<&'static str>) -> Op {
    Op::Create { path: "/a".into(), data: data.map(Bytes::from), acl: open(), mode, op }
}

/// The frame behind its length.
fn framed(record: &Bytes) -> Bytes {
    let mut frame = BytesMut::from(&(record.len() as u32).to_be_bytes()[..]);
    frame.extend_from_slice(record);
    frame.freeze()
}

fn call(name: &str, expected: Call) {
    let record = java(name);
    let decoded = Call::decode(&record, DEFAULT_LIMIT).unwrap();
    assert_eq!(decoded, expected, "{name}");
    let mut out = BytesMut::new();
    decoded.encode(&mut out);
    assert_eq!(out, framed(&record), "{name}");
}

#[test]
fn a_connect_request() {
    let record = java("connect_request");
    let request = ConnectRequest::decode(&record).unwrap();
    assert_eq!((request.session, request.timeout, request.read_only), (0x0100_0abc, 30_000, Some(true)));
    let mut out = BytesMut::new();
    request.encode(&mut out);
    assert_eq!(out, framed(&record));
    // A client of before 3.4 ends before the last byte.
    let old = ConnectRequest::decode(&record.slice(..record.len() - 1)).unwrap();
    assert_eq!(old, ConnectRequest { read_only: None, ..request });
}

#[test]
fn calls() {
    call("call_create2", Call::write(7, create(CreateMode::Ephemeral { sequential: true }, 15, Some("x"))));
    call("call_create_ttl", Call::write(8, create(CreateMode::Ttl { ttl: 1000, sequential: false }, 21, None)));
    let multi = Op::Multi(vec![
        create(CreateMode::Persistent { sequential: false }, 1, Some("x")),
        Op::Check { path: "/b".into(), version: 3 },
        Op::SetData { path: "/c".into(), data: Some("y".into()), version: -1 },
        Op::Delete { path: "/d".into(), version: 2 },
    ]);
    call("call_multi", Call::write(9, multi));
    let reads = vec![ReadOp::GetData { path: "/a".into() }, ReadOp::GetChildren { path: "/b".into() }];
    call("call_multi_read", Call::read(10, ReadOp::MultiRead(reads), false));
    let watched = Renewal {
        relative_zxid: 5,
        data: vec!["/a".into()],
        exist: vec!["/b".into()],
        child: vec!["/c".into()],
        persistent: vec!["/d".into()],
        persistent_recursive: vec!["/e".into()],
    };
    call("call_set_watches2", Call { xid: -8, op: opcode::SET_WATCHES2, request: ClientRequest::SetWatches(watched) });
    let auth = ClientRequest::Auth { scheme: "digest".into(), auth: "u:p".into() };
    call("call_auth", Call { xid: -4, op: opcode::AUTH, request: auth });
    let reconfig = Reconfig { joining: Some("server.4=h:1:2".into()), leaving: None, members: None, from_version: -1 };
    call("call_reconfig", Call { xid: 11, op: opcode::RECONFIG, request: ClientRequest::Reconfig(reconfig) });
}

fn reply(name: &str, op: i32, xid: i32, zxid: i64, expected: Answer) {
    let record = java(name);
    let decoded = client::decode(&record, |_| Some(op)).unwrap();
    assert_eq!(decoded, Incoming::Reply { xid, zxid, reply: Ok(Reply::Answer(expected.clone())) }, "{name}");
    let mut out = BytesMut::new();
    client::encode_answer(xid, zxid, op, &Ok(expected), &mut out);
    assert_eq!(out, framed(&record), "{name}");
}

#[test]
fn replies() {
    let created = |path: &str, stat| Answer::Created { path: path.into(), stat };
    reply("reply_create2", opcode::CREATE2, 7, 0x1_0000_0003, created("/a0000000001", stat()));
    reply("reply_data_null", opcode::GET_DATA, 7, 9, Answer::Data { data: None, stat: stat() });
    reply("reply_acl", opcode::GET_ACL, 3, 4, Answer::Acl { acl: open(), stat: stat() });
    let done = |kind, answer| OpAnswer::Done { kind, answer };
    let results = vec![
        done(1, created("/a", Stat::default())),
        done(15, created("/t", stat())),
        done(13, Answer::Deleted),
        done(5, Answer::Stat(stat())),
        done(2, Answer::Deleted),
    ];
    reply("reply_multi", opcode::MULTI, 9, 4, Answer::Multi(results));
    let failed = [0, -101, -2].map(|code| OpAnswer::Failed { code });
    reply("reply_multi_failed", opcode::MULTI, 9, 4, Answer::Multi(failed.into()));
}

#[test]
fn an_event() {
    let record = java("reply_event");
    let expected = Incoming::Event { zxid: 0x2_0000_0001, event: WatchEvent::ChildrenChanged, path: "/a".into() };
    assert_eq!(client::decode(&record, |_| None).unwrap(), expected);
    let mut out = BytesMut::new();
    client::encode_event(0x2_0000_0001, WatchEvent::ChildrenChanged, "/a", &mut out);
    assert_eq!(out, framed(&record));
}

fn transaction(kind: Kind, change: Change, digest: Option<u64>) -> Txn {
    let header = Header { session: 1, cxid: 2, position: Position::new(0, 3), time: 4, kind };
    Txn { header, change, digest: digest.map(|value| TreeDigest { version: 2, value }) }
}

fn both_ways(name: &str, expected: Txn) {
    understood(name, &expected);
    assert_eq!(txn::encode(&expected), java(name), "{name}");
}

fn understood(name: &str, expected: &Txn) {
    let payload = java(name);
    assert_eq!(&txn::decode(&payload).unwrap(), expected, "{name}");
    assert_eq!(txn::position_of(&payload), Some(expected.header.position), "{name}");
    assert_eq!(txn::origin_of(&payload), Some((expected.header.session, expected.header.cxid)), "{name}");
}

fn created(data: Option<&'static str>, ephemeral: bool, parent_cversion: i32, ttl: Option<i64>) -> Change {
    Change::Create { path: "/a".into(), data: data.map(Bytes::from), acl: open(), ephemeral, parent_cversion, ttl }
}

fn create2() -> Txn {
    Txn {
        header: Header {
            session: 0x0100_0abc,
            cxid: 7,
            position: Position::new(5, 9),
            time: 1_700_000_000_000,
            kind: Kind::CREATE2,
        },
        change: created(Some("x"), true, 4, None),
        digest: Some(TreeDigest { version: 2, value: 1_371_985_504 }),
    }
}

#[test]
fn transactions() {
    both_ways("txn_create2", create2());
    both_ways("txn_ttl", transaction(Kind::CREATE_TTL, created(None, false, 4, Some(5000)), None));
    both_ways("txn_container", transaction(Kind::CREATE_CONTAINER, created(Some(""), false, 4, None), None));
    both_ways("txn_delete", transaction(Kind::DELETE, Change::Delete { path: "/a".into() }, None));
    let set = Change::SetData { path: "/a".into(), data: Some("x".into()), version: 4 };
    both_ways("txn_set_data", transaction(Kind::SET_DATA, set, None));
    let set = Change::SetAcl { path: "/a".into(), acl: open(), version: 4 };
    both_ways("txn_set_acl", transaction(Kind::SET_ACL, set, None));
    let session = Change::CreateSession { timeout: 30_000 };
    both_ways("txn_create_session", transaction(Kind::CREATE_SESSION, session, None));
    let close = Change::CloseSession { paths: vec!["/a".into(), "/b".into()] };
    both_ways("txn_close_session", transaction(Kind::CLOSE_SESSION, close, Some(77)));
    both_ways("txn_error", transaction(Kind::ERROR, Change::Error { code: -101 }, Some(77)));
    let parts = vec![
        (Kind::CREATE, created(Some("x"), false, 1, None)),
        (Kind::CHECK, Change::Check { path: "/b".into(), version: 3 }),
        (Kind::ERROR, Change::Error { code: -2 }),
    ];
    both_ways("txn_multi", transaction(Kind::MULTI, Change::Multi(parts), Some(77)));
}

#[test]
fn transactions_of_older_versions_are_understood() {
    understood("txn_create_v0", &transaction(Kind::CREATE, created(Some("x"), false, -1, None), None));
    let close = Change::CloseSession { paths: Vec::new() };
    understood("txn_close_session_old", &transaction(Kind::CLOSE_SESSION, close.clone(), None));
    understood("txn_close_session_old_digest", &transaction(Kind::CLOSE_SESSION, close, Some(77)));
}

fn packet(name: &str) -> Received {
    let mut buffer = BytesMut::from(&java(name)[..]);
    let received = decode(&mut buffer, DEFAULT_LIMIT).unwrap().expect("a whole packet");
    assert!(buffer.is_empty(), "{name}");
    received
}

fn said_the_same_way(name: &str, expected: Packet) {
    let speaker = Speaker { sid: 2, configuration: Bytes::new() };
    assert_eq!(packet(name).packet, expected, "{name}");
    assert_eq!(speaker.encode(&expected), java(name), "{name}");
}

#[test]
fn packets() {
    let info = Packet::LearnerInfo { accepted: 3, observer: false, config_version: 0x1_0000_0005 };
    assert_eq!(packet("packet_follower_info").also, Also::Learner { sid: Some(2), protocol: 0x10000 });
    said_the_same_way("packet_follower_info", info);
    said_the_same_way("packet_uptodate", Packet::UpToDate);
    let (current, last) = (Some(2), Some(Position::new(2, 7)));
    said_the_same_way("packet_ack_epoch", Packet::AckEpoch { current, last });
    said_the_same_way("packet_ack_epoch_again", Packet::AckEpoch { current: None, last: None });
    let data = txn::encode(&create2());
    let entry = Entry { position: Position::new(5, 9), kind: EntryKind::Command, data };
    said_the_same_way("packet_proposal", Packet::Proposal { entry });
    // Without data, as a leader's ping is; ours has data of no length, which Java takes from either side.
    assert_eq!(packet("packet_ping").packet, Packet::Ping { last: Position::new(2, 7), touched: Vec::new() });
}

#[test]
fn a_request() {
    let bytes = java("packet_request");
    said_the_same_way("packet_request", Packet::Request(bytes.clone()));
    let request = request::decode(&bytes, DEFAULT_LIMIT).unwrap();
    let op = create(CreateMode::Ephemeral { sequential: true }, 15, Some("x"));
    let ids = vec![id("ip", "127.0.0.1"), id("digest", "u:h")];
    assert_eq!(request, znodes::Request { session: 0x0100_0abc, cxid: 7, ids, op });
    assert_eq!(request::encode(&request), bytes);
}
