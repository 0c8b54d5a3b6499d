//! Whatever can be said comes back from its bytes, and says the same bytes again.

use bytes::{Bytes, BytesMut};
use consensus::{Entry, EntryKind, Position, SessionNote};
use proptest::collection::vec;
use proptest::prelude::*;
use zab::{Notification, Packet, State, Vote};
use znodes::{Acl, Change, CreateMode, Header, Id, Kind, Op, Permissions, ReadOp, Request, TreeDigest, Txn};
use zookeeper::client::{Call, ClientRequest};
use zookeeper::election::{self, Greeting};
use zookeeper::jute::DEFAULT_LIMIT;
use zookeeper::quorum::{self, Speaker};
use zookeeper::{config::HostPort, opcode, request, txn};

fn path() -> impl Strategy<Value = String> {
    "/[a-z0-9é/]{0,20}"
}

fn data() -> impl Strategy<Value = Option<Bytes>> {
    proptest::option::of(vec(any::<u8>(), 0..40).prop_map(Bytes::from))
}

fn id() -> impl Strategy<Value = Id> {
    ("[a-z]{0,6}", "[a-z:=]{0,12}").prop_map(|(scheme, id)| Id { scheme, id })
}

fn acl() -> impl Strategy<Value = Vec<Acl>> {
    vec((0..32, id()).prop_map(|(permissions, id)| Acl { permissions: Permissions(permissions), id }), 0..4)
}

fn position() -> impl Strategy<Value = Position> {
    (0..=i32::MAX as u64, 0..=u64::from(u32::MAX)).prop_map(|(epoch, index)| Position::new(epoch, index))
}

fn create_op() -> impl Strategy<Value = Op> {
    let plain = prop_oneof![
        any::<bool>().prop_map(|sequential| CreateMode::Persistent { sequential }),
        any::<bool>().prop_map(|sequential| CreateMode::Ephemeral { sequential }),
        Just(CreateMode::Container),
    ];
    let plain = (plain, prop_oneof![Just(opcode::CREATE), Just(opcode::CREATE2), Just(opcode::CREATE_CONTAINER)]);
    let ttl =
        (any::<i64>(), any::<bool>()).prop_map(|(ttl, sequential)| (CreateMode::Ttl { ttl, sequential }, opcode::CREATE_TTL));
    (path(), data(), acl(), prop_oneof![plain, ttl]).prop_map(|(path, data, acl, (mode, op))| Op::Create {
        path,
        data,
        acl,
        mode,
        op,
    })
}

fn op() -> impl Strategy<Value = Op> {
    let of_multi = || {
        prop_oneof![
            create_op(),
            (path(), any::<i32>()).prop_map(|(path, version)| Op::Delete { path, version }),
            (path(), data(), any::<i32>()).prop_map(|(path, data, version)| Op::SetData { path, data, version }),
        ]
    };
    let in_multi = prop_oneof![of_multi(), (path(), any::<i32>()).prop_map(|(path, version)| Op::Check { path, version })];
    prop_oneof![
        4 => of_multi(),
        1 => (path(), acl(), any::<i32>()).prop_map(|(path, acl, version)| Op::SetAcl { path, acl, version }),
        1 => Just(Op::CloseSession),
        1 => vec(in_multi, 0..5).prop_map(Op::Multi),
    ]
}

fn query() -> impl Strategy<Value = ReadOp> {
    prop_oneof![
        path().prop_map(|path| ReadOp::Exists { path }),
        path().prop_map(|path| ReadOp::GetData { path }),
        path().prop_map(|path| ReadOp::GetChildren { path }),
        path().prop_map(|path| ReadOp::GetAcl { path }),
        path().prop_map(|path| ReadOp::GetAllChildrenNumber { path }),
        path().prop_map(|prefix| ReadOp::GetEphemerals { prefix }),
        path().prop_map(|path| ReadOp::Sync { path }),
        Just(ReadOp::WhoAmI),
        vec(path().prop_map(|path| ReadOp::GetData { path }), 0..4).prop_map(ReadOp::MultiRead),
    ]
}

fn change() -> impl Strategy<Value = (Kind, Change)> {
    let create = |kind: Kind| {
        let ephemeral = if kind == Kind::CREATE || kind == Kind::CREATE2 { any::<bool>().boxed() } else { Just(false).boxed() };
        let ttl = if kind == Kind::CREATE_TTL { any::<i64>().prop_map(Some).boxed() } else { Just(None).boxed() };
        (path(), data(), acl(), ephemeral, any::<i32>(), ttl).prop_map(
            move |(path, data, acl, ephemeral, parent_cversion, ttl)| {
                (kind, Change::Create { path, data, acl, ephemeral, parent_cversion, ttl })
            },
        )
    };
    prop_oneof![
        create(Kind::CREATE),
        create(Kind::CREATE2),
        create(Kind::CREATE_TTL),
        create(Kind::CREATE_CONTAINER),
        path().prop_map(|path| (Kind::DELETE, Change::Delete { path })),
        (path(), data(), any::<i32>())
            .prop_map(|(path, data, version)| (Kind::SET_DATA, Change::SetData { path, data, version })),
        (path(), acl(), any::<i32>()).prop_map(|(path, acl, version)| (Kind::SET_ACL, Change::SetAcl { path, acl, version })),
        (path(), any::<i32>()).prop_map(|(path, version)| (Kind::CHECK, Change::Check { path, version })),
        any::<i32>().prop_map(|code| (Kind::ERROR, Change::Error { code })),
    ]
}

fn transaction() -> impl Strategy<Value = Txn> {
    let session = prop_oneof![
        any::<i32>().prop_map(|timeout| (Kind::CREATE_SESSION, Change::CreateSession { timeout })),
        vec(path(), 0..4).prop_map(|paths| (Kind::CLOSE_SESSION, Change::CloseSession { paths })),
    ];
    let multi = vec(change(), 0..4).prop_map(|parts| (Kind::MULTI, Change::Multi(parts)));
    let digest = proptest::option::of(any::<u64>().prop_map(|value| TreeDigest { version: TreeDigest::VERSION, value }));
    let header = (any::<i64>(), any::<i32>(), position(), any::<i64>());
    (header, prop_oneof![4 => change(), 1 => session, 1 => multi], digest).prop_map(
        |((session, cxid, position, time), (kind, change), digest)| Txn {
            header: Header { session, cxid, position, time, kind },
            change,
            digest,
        },
    )
}

fn packet() -> impl Strategy<Value = Packet> {
    let entry = || {
        transaction().prop_map(|txn| {
            let position = txn.header.position;
            Entry { position, kind: EntryKind::Command, data: txn::encode(&txn) }
        })
    };
    let epoch = || 0..=i32::MAX as u64;
    let request = (any::<i64>(), any::<i32>(), vec(id(), 0..3), op());
    prop_oneof![
        (epoch(), any::<bool>(), 0..=i64::MAX as u64).prop_map(|(accepted, observer, config_version)| Packet::LearnerInfo {
            accepted,
            observer,
            config_version
        }),
        epoch().prop_map(|epoch| Packet::LeaderInfo { epoch }),
        (proptest::option::of(epoch()), proptest::option::of(position()))
            .prop_map(|(current, last)| Packet::AckEpoch { current, last }),
        position().prop_map(|upto| Packet::Diff { upto }),
        position().prop_map(|to| Packet::Truncate { to }),
        position().prop_map(|position| Packet::Snapshot { position }),
        epoch().prop_map(|epoch| Packet::NewLeader { epoch }),
        Just(Packet::UpToDate),
        position().prop_map(|position| Packet::Ack { position }),
        entry().prop_map(|entry| Packet::Proposal { entry }),
        position().prop_map(|position| Packet::Commit { position }),
        entry().prop_map(|entry| Packet::Inform { entry }),
        (position(), vec(any::<(i64, i32)>(), 0..5)).prop_map(|(last, touched)| Packet::Ping { last, touched }),
        any::<(i64, i32)>().prop_map(|(session, timeout)| Packet::Revalidate(SessionNote::Revalidate { session, timeout })),
        any::<(i64, bool)>().prop_map(|(session, valid)| Packet::Revalidate(SessionNote::Revalidated { session, valid })),
        request.prop_map(|(session, cxid, ids, op)| Packet::Request(request::encode(&Request { session, cxid, ids, op }))),
        Just(Packet::SyncRequest),
        Just(Packet::Sync),
        position().prop_map(|position| Packet::Activate { position }),
    ]
}

proptest! {
    #[test]
    fn transactions(txn in transaction()) {
        let payload = txn::encode(&txn);
        let again = txn::decode(&payload).unwrap();
        prop_assert_eq!(txn::encode(&again), payload.clone());
        prop_assert_eq!(txn::position_of(&payload), Some(txn.header.position));
        let record = payload.len() - 32 - if txn.digest.is_some() { 12 } else { 0 };
        prop_assert!(txn.change.weight() >= record, "{} for {record}", txn.change.weight());
        prop_assert_eq!(again, txn);
    }

    #[test]
    fn what_follows_a_transaction_does_no_harm(txn in transaction(), later in vec(any::<u8>(), 0..30)) {
        prop_assume!(txn.digest.is_some());
        let mut payload = BytesMut::from(&txn::encode(&txn)[..]);
        payload.extend_from_slice(&later);
        prop_assert_eq!(txn::decode(&payload.freeze()).unwrap(), txn);
    }

    #[test]
    fn requests(session: i64, cxid: i32, ids in vec(id(), 0..3), op in op()) {
        let request = Request { session, cxid, ids, op };
        let packet = request::encode(&request);
        prop_assert_eq!(request::decode(&packet, DEFAULT_LIMIT).unwrap(), request);
    }

    #[test]
    fn writes_of_clients(xid: i32, op in op()) {
        let call = Call::write(xid, op);
        let mut out = BytesMut::new();
        call.encode(&mut out);
        prop_assert_eq!(Call::decode(&out.freeze().slice(4..), DEFAULT_LIMIT).unwrap(), call);
    }

    #[test]
    fn reads_of_clients(xid: i32, op in query(), watch: bool) {
        let watchable = matches!(op, ReadOp::Exists { .. } | ReadOp::GetData { .. } | ReadOp::GetChildren { .. });
        let call = Call::read(xid, op, watch && watchable);
        let mut out = BytesMut::new();
        call.encode(&mut out);
        prop_assert_eq!(Call::decode(&out.freeze().slice(4..), DEFAULT_LIMIT).unwrap(), call);
    }

    #[test]
    fn packets_in_a_row(packets in vec(packet(), 0..5), cut in any::<prop::sample::Index>()) {
        let speaker = Speaker { sid: 3, configuration: Bytes::from_static(b"version=0") };
        let stream: Vec<u8> = packets.iter().flat_map(|packet| speaker.encode(packet)).collect();
        // In two pieces, as a socket might give them.
        let cut = cut.index(stream.len() + 1);
        let (mut buffer, mut heard) = (BytesMut::new(), Vec::new());
        for piece in [&stream[..cut], &stream[cut..]] {
            buffer.extend_from_slice(piece);
            while let Some(received) = quorum::decode(&mut buffer, DEFAULT_LIMIT).unwrap() {
                heard.push(received.packet);
            }
        }
        prop_assert!(buffer.is_empty());
        prop_assert_eq!(heard, packets);
    }

    #[test]
    fn notifications(state in 0..4usize, leader: i64, zxid: i64, round: i64, epoch: i64, configuration in "[a-z=\n]{0,40}") {
        let state = [State::Looking, State::Following, State::Leading, State::Observing][state];
        let notification = Notification { state, vote: Vote { epoch, zxid, leader }, round };
        let mut buffer = BytesMut::from(&election::encode(&notification, configuration.as_bytes())[..]);
        let frame = election::frame(&mut buffer).unwrap().unwrap();
        let heard = election::notification(&frame).unwrap();
        prop_assert_eq!(heard.notification, notification);
        prop_assert_eq!(heard.configuration, Some(Bytes::from(configuration)));
        // The forms of older versions are its beginning.
        let old = election::notification(&frame.slice(..40)).unwrap();
        prop_assert_eq!((old.notification, old.version), (notification, 0));
        let older = election::notification(&frame.slice(..28)).unwrap();
        prop_assert_eq!(older.notification.vote, Vote { epoch: zxid >> 32, zxid, leader });
    }

    #[test]
    fn greetings(sid in 0..i64::MAX, hosts in vec(("[a-z.]{1,9}|::1", any::<u16>()), 1..4), rest in vec(any::<u8>(), 0..9)) {
        let addresses = hosts.into_iter().map(|(host, port)| HostPort { host, port }).collect();
        let greeting = Greeting { sid, addresses };
        let mut buffer = BytesMut::from(&greeting.encode()[..]);
        buffer.extend_from_slice(&rest);
        prop_assert_eq!(Greeting::decode(&mut buffer).unwrap(), Some(greeting));
        prop_assert_eq!(&buffer[..], rest);
    }
}

#[test]
fn a_greeting_of_before_3_5_is_an_id() {
    let mut buffer = BytesMut::from(&[0, 0, 0, 0, 0, 0, 0, 9, 1][..]);
    assert_eq!(Greeting::decode(&mut buffer).unwrap(), Some(Greeting { sid: 9, addresses: Vec::new() }));
    assert_eq!(buffer[..], [1]);
}

/// A refusal that is forwarded keeps its reason; a Java leader would say MARSHALLINGERROR.
#[test]
fn refusals_keep_their_reason() {
    use znodes::ErrorCode;
    for error in [ErrorCode::BadArguments, ErrorCode::Unimplemented, ErrorCode::ThrottledOp] {
        let op = Op::Refused { op: opcode::CREATE, error };
        let request = Request { session: 1, cxid: 2, ids: Vec::new(), op };
        assert_eq!(request::decode(&request::encode(&request), DEFAULT_LIMIT).unwrap(), request);
    }
}

#[test]
fn what_clients_may_not_ask_for_is_refused() {
    use znodes::ErrorCode;
    let refused = |op: i32, record: &[u8]| {
        let mut frame = BytesMut::from(&[0, 0, 0, 1][..]);
        frame.extend_from_slice(&op.to_be_bytes());
        frame.extend_from_slice(record);
        match Call::decode(&frame.freeze(), DEFAULT_LIMIT).unwrap().request {
            ClientRequest::Refused(error) => error,
            ClientRequest::Write(Op::Refused { error, .. }) => error,
            other => panic!("{other:?}"),
        }
    };
    for op in [0, 10, 99, -1, opcode::CHECK, opcode::CREATE_SESSION, opcode::DELETE_CONTAINER] {
        assert_eq!(refused(op, b"\0\0\0\x02/a\0\0\0\0"), ErrorCode::Unimplemented, "operation {op}");
    }
    assert_eq!(refused(opcode::GET_DATA, b"\0\0\0\x02/"), ErrorCode::MarshallingError);
    assert_eq!(refused(opcode::GET_DATA, b"\xff\xff\xff\xff\0"), ErrorCode::MarshallingError, "null is no path");
    assert_eq!(refused(opcode::DELETE, b"\0\0\0\x02/a"), ErrorCode::MarshallingError);
    assert_eq!(refused(opcode::ADD_WATCH, b"\0\0\0\x02/a\0\0\0\x07"), ErrorCode::MarshallingError);
    let create = b"\0\0\0\x02/a\xff\xff\xff\xff\0\0\0\0\0\0\0\x07";
    assert_eq!(refused(opcode::CREATE, create), ErrorCode::BadArguments, "no such mode");
}
