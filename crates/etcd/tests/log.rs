//! Commands and log entries: there and back, as other versions write them, and broken.

use bytes::Bytes;
use consensus::{Entry, EntryKind, Position};
use etcd::Malformed;
use etcd::codec::{self, Decoded};
use etcd::pb::etcdserverpb::{self as pb, InternalRaftRequest, RequestHeader};
use etcd::pb::membershippb;
use keyspace::{
    AlarmAction, AlarmKind, AlarmRequest, Command, CompactRequest, Compare, DeleteRangeRequest, Downgrade, LeaseCheckpoint,
    LeaseGrantRequest, Member, MemberChange, Op, Operand, PutRequest, RangeRequest, Relation, SortOrder, SortTarget, TxnRequest,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use prost::Message as _;

fn bytes() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..20).prop_map(Bytes::from)
}

fn put() -> impl Strategy<Value = PutRequest> {
    (bytes(), bytes(), any::<i64>(), any::<[bool; 3]>()).prop_map(|(key, value, lease, [prev_kv, ignore_value, ignore_lease])| {
        PutRequest { key, value, lease, prev_kv, ignore_value, ignore_lease }
    })
}

fn delete() -> impl Strategy<Value = DeleteRangeRequest> {
    (bytes(), bytes(), any::<bool>()).prop_map(|(key, range_end, prev_kv)| DeleteRangeRequest { key, range_end, prev_kv })
}

fn range() -> impl Strategy<Value = RangeRequest> {
    let order = prop_oneof![Just(SortOrder::None), Just(SortOrder::Ascend), Just(SortOrder::Descend)];
    let target = prop_oneof![
        Just(SortTarget::Key),
        Just(SortTarget::Version),
        Just(SortTarget::Create),
        Just(SortTarget::Mod),
        Just(SortTarget::Value),
    ];
    (bytes(), bytes(), order, target, any::<[bool; 3]>(), any::<[i64; 6]>()).prop_map(
        |(key, range_end, sort_order, sort_target, [serializable, keys_only, count_only], numbers)| RangeRequest {
            key,
            range_end,
            limit: numbers[0],
            revision: numbers[1],
            sort_order,
            sort_target,
            serializable,
            keys_only,
            count_only,
            min_mod_revision: numbers[2],
            max_mod_revision: numbers[3],
            min_create_revision: numbers[4],
            max_create_revision: numbers[5],
        },
    )
}

fn compare() -> impl Strategy<Value = Compare> {
    let relation = prop_oneof![
        Just(Relation::Equal),
        Just(Relation::Greater),
        Just(Relation::Less),
        Just(Relation::NotEqual),
        (4..i32::MAX).prop_map(Relation::Undefined),
    ];
    let operand = prop_oneof![
        any::<i64>().prop_map(Operand::Version),
        any::<i64>().prop_map(Operand::Create),
        any::<i64>().prop_map(Operand::Mod),
        bytes().prop_map(Operand::Value),
        any::<i64>().prop_map(Operand::Lease),
        (5..i32::MAX).prop_map(Operand::Undefined),
    ];
    (bytes(), bytes(), relation, operand).prop_map(|(key, range_end, relation, operand)| Compare {
        key,
        range_end,
        relation,
        operand,
    })
}

fn op() -> impl Strategy<Value = Op> {
    let leaf =
        prop_oneof![range().prop_map(Op::Range), put().prop_map(Op::Put), delete().prop_map(Op::DeleteRange), Just(Op::Empty),];
    leaf.prop_recursive(3, 12, 3, |op| txn(op).prop_map(Op::Txn))
}

fn txn(op: impl Strategy<Value = Op> + Clone) -> impl Strategy<Value = TxnRequest> {
    (vec(compare(), 0..3), vec(op.clone(), 0..3), vec(op, 0..3)).prop_map(|(compare, success, failure)| TxnRequest {
        compare,
        success,
        failure,
    })
}

fn member() -> impl Strategy<Value = Member> {
    ((1..u64::MAX), ".{0,8}", vec("http://[a-z]{1,5}:[0-9]{1,4}", 0..3), vec("https?://<&>", 0..2), any::<bool>())
        .prop_map(|(id, name, peer_urls, client_urls, is_learner)| Member { id, name, peer_urls, client_urls, is_learner })
}

fn command() -> impl Strategy<Value = Command> {
    let checkpoint = (any::<i64>(), any::<i64>()).prop_map(|(id, remaining_ttl)| LeaseCheckpoint { id, remaining_ttl });
    let action = prop_oneof![Just(AlarmAction::Get), Just(AlarmAction::Activate), Just(AlarmAction::Deactivate)];
    let alarm = prop_oneof![Just(AlarmKind::None), Just(AlarmKind::NoSpace), Just(AlarmKind::Corrupt)];
    let change = prop_oneof![
        member().prop_map(MemberChange::Add),
        (1..u64::MAX).prop_map(|id| MemberChange::Promote { id }),
        (1..u64::MAX).prop_map(|id| MemberChange::Remove { id }),
        member().prop_map(|Member { id, peer_urls, is_learner, .. }| MemberChange::Update { id, peer_urls, is_learner }),
    ];
    prop_oneof![
        put().prop_map(Command::Put),
        delete().prop_map(Command::DeleteRange),
        txn(op().boxed()).prop_map(Command::Txn),
        range().prop_map(Command::Range),
        any::<(i64, bool)>().prop_map(|(revision, physical)| Command::Compact(CompactRequest { revision, physical })),
        any::<(i64, i64)>().prop_map(|(id, ttl)| Command::LeaseGrant(LeaseGrantRequest { id, ttl })),
        any::<i64>().prop_map(|id| Command::LeaseRevoke { id }),
        vec(checkpoint, 0..4).prop_map(Command::LeaseCheckpoint),
        (action, any::<u64>(), alarm).prop_map(|(action, member, alarm)| Command::Alarm(AlarmRequest { action, member, alarm })),
        change.prop_map(Command::Member),
        member().prop_map(|Member { id, name, client_urls, .. }| Command::MemberAttributes { id, name, client_urls }),
        "[0-9]\\.[0-9]\\.0".prop_map(Command::ClusterVersion),
        (any::<bool>(), option::of("3\\.[0-9]\\.0"))
            .prop_map(|(enabled, version)| { Command::Downgrade(Downgrade { enabled, version: version.unwrap_or_default() }) }),
    ]
}

fn decode(data: Vec<u8>) -> Result<Decoded, Malformed> {
    codec::decode_data(EntryKind::Command, &data.into())
}

fn request(request: InternalRaftRequest) -> Result<Option<Command>, Malformed> {
    decode(request.encode_to_vec()).map(|decoded| decoded.command)
}

proptest! {
    #[test]
    fn every_command_comes_back(id in 1..u64::MAX, command in command()) {
        let data = codec::encode(id, &command);
        let entry = Entry { position: Position::new(1, 1), kind: codec::kind(&command), data };
        prop_assert_eq!(codec::decode(&entry), Ok(Decoded { id: Some(id), command: Some(command) }));
    }

    #[test]
    fn garbage_is_refused_and_never_worse(garbage in vec(any::<u8>(), 0..200)) {
        let garbage = Bytes::from(garbage);
        let _ = codec::decode_data(EntryKind::Command, &garbage);
        let _ = codec::decode_data(EntryKind::Configuration, &garbage);
    }

    #[test]
    fn damaged_entries_are_refused_and_never_worse(
        command in command(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut data = codec::encode(7, &command).to_vec();
        for (at, byte) in damage {
            let at = at.index(data.len());
            data[at] = byte;
        }
        let _ = codec::decode_data(codec::kind(&command), &data.into());
    }
}

#[test]
fn an_empty_entry_says_nothing() {
    assert_eq!(decode(Vec::new()), Ok(Decoded { id: None, command: None }));
}

#[test]
fn the_id_stands_in_the_request_or_in_its_header() {
    let with = |id, header| {
        let put = Some(pb::PutRequest::default());
        decode(InternalRaftRequest { id, header, put, ..InternalRaftRequest::default() }.encode_to_vec()).unwrap().id
    };
    let header = Some(RequestHeader { id: 8, ..RequestHeader::default() });
    assert_eq!(with(0, header.clone()), Some(8));
    assert_eq!(with(7, header), Some(7));
    assert_eq!(with(0, None), None);
}

#[test]
fn what_36_writes_about_members_means_the_same() {
    let attributes = membershippb::Attributes { name: "m1".into(), client_urls: vec!["http://a:2".into()] };
    let set = membershippb::ClusterMemberAttrSetRequest { member_id: 7, member_attributes: Some(attributes) };
    assert_eq!(
        request(InternalRaftRequest { cluster_member_attr_set: Some(set), ..InternalRaftRequest::default() }),
        Ok(Some(Command::MemberAttributes { id: 7, name: "m1".into(), client_urls: vec!["http://a:2".into()] }))
    );
    let set = membershippb::ClusterVersionSetRequest { ver: "3.5.0".into() };
    assert_eq!(
        request(InternalRaftRequest { cluster_version_set: Some(set), ..InternalRaftRequest::default() }),
        Ok(Some(Command::ClusterVersion("3.5.0".into())))
    );
}

#[test]
fn what_would_make_members_differ_is_refused_by_name() {
    let enable = InternalRaftRequest { auth_enable: Some(pb::AuthEnableRequest {}), ..InternalRaftRequest::default() };
    let error = request(enable).unwrap_err();
    assert_eq!(error.to_string(), "auth_enable: not supported, and members would differ if it were passed over");
    assert_eq!(request(InternalRaftRequest { id: 7, ..InternalRaftRequest::default() }), Err(Malformed::UnknownRequest));

    let status = InternalRaftRequest { auth_status: Some(pb::AuthStatusRequest {}), ..InternalRaftRequest::default() };
    assert_eq!(request(status), Ok(None), "a question changes nothing");
}

#[test]
fn no_v2_method_parses_as_a_message() {
    // Field 2 is the method in the one message and a message in the other: that tells them apart.
    for method in ["PUT", "POST", "DELETE", "QGET", "SYNC"] {
        let v2 = pb::Request { id: Some(7), method: Some(method.into()), path: Some("/1/x".into()), ..pb::Request::default() };
        assert!(InternalRaftRequest::decode(&v2.encode_to_vec()[..]).is_err(), "{method}");
    }
}

#[test]
fn keys_and_values_of_an_entry_are_not_copied() {
    let value = Bytes::from(vec![b'x'; 1000]);
    let put = PutRequest { key: Bytes::from_static(b"k"), value, ..PutRequest::default() };
    let data = codec::encode(7, &Command::Put(put));
    match codec::decode_data(EntryKind::Command, &data).unwrap().command {
        Some(Command::Put(put)) => assert!(data.as_ptr_range().contains(&put.value.as_ptr())),
        other => panic!("not a put: {other:?}"),
    }
}

#[test]
fn nesting_without_end_is_refused() {
    let mut txn = pb::TxnRequest::default();
    for _ in 0..200 {
        let request = Some(pb::request_op::Request::RequestTxn(txn));
        txn = pb::TxnRequest { success: vec![pb::RequestOp { request }], ..pb::TxnRequest::default() };
    }
    assert!(request(InternalRaftRequest { txn: Some(txn), ..InternalRaftRequest::default() }).is_err());
}
