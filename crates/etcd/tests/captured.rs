//! Every byte that a Go member was heard to say is understood, and would have been said the same way here.

use bytes::{Bytes, BytesMut};
use consensus::{Entry, EntryKind, NodeId, Position};
use etcd::codec::{self, Decoded};
use etcd::peer::{Envelope, Received, frame, msgapp};
use keyspace::{
    Command, Compare, DeleteRangeRequest, LeaseGrantRequest, Op, Operand, PutRequest, RangeRequest, Relation, TxnRequest,
};
use raft::Body;

const MESSAGES: &[u8] = include_bytes!("captured/message-3.5.16.bin");
const APPENDS: &[u8] = include_bytes!("captured/msgapp-3.5.16.bin");

const GO: NodeId = NodeId(0x4395_d6f3_4d49_bbbf);
const US: NodeId = NodeId(0x2dac_a86d_5cb2_bc1a);

fn messages() -> Vec<Received> {
    let mut decoder = frame::Decoder::new(GO);
    decoder.feed(MESSAGES);
    std::iter::from_fn(|| decoder.next().expect("a Go member said it")).collect()
}

fn appends() -> Vec<Received> {
    let mut decoder = msgapp::Decoder::new(US, GO);
    decoder.feed(APPENDS);
    std::iter::from_fn(|| decoder.next().expect("a Go member said it")).collect()
}

fn bodies(received: Vec<Received>) -> Vec<(u64, Body)> {
    let bodies = received.into_iter().filter_map(|received| match received {
        Received::Message(Envelope { from, to, message }) => {
            assert_eq!((from, to), (GO, US));
            Some((message.term, message.body))
        }
        Received::LinkHeartbeat => None,
        Received::Ignored { kind } => panic!("ignored type {kind}"),
    });
    bodies.collect()
}

fn entries() -> Vec<Entry> {
    let entries = bodies(appends()).into_iter().flat_map(|(_, body)| match body {
        Body::Append { entries, .. } => entries,
        other => panic!("not an append: {other:?}"),
    });
    entries.collect()
}

#[test]
fn a_leader_and_then_a_follower() {
    let last = Position::new(1, 2);
    let heartbeat = |commit, context| Body::Heartbeat { commit, context: Bytes::from_static(context) };
    let ack = |context| Body::HeartbeatAck { context: Bytes::from_static(context) };
    let said = bodies(messages());
    let attributes = match &said[8] {
        (0, Body::Propose { proposals }) => proposals[0].clone(),
        other => panic!("not a proposal: {other:?}"),
    };
    assert_eq!(
        said,
        [
            (2, Body::RequestPreVote { last }),
            (2, Body::RequestVote { last, transfer: false }),
            (2, heartbeat(5, b"")),
            (2, heartbeat(6, b"")),
            (2, heartbeat(6, b"\xbb\xbf\xa2\x00\x02\xf9\xf6\x03")),
            (2, heartbeat(9, b"\xbb\xbf\xa2\x00\x02\xf9\xf6\x06")),
            (2, heartbeat(9, b"")),
            (7, ack(b"")),
            (0, Body::Propose { proposals: vec![attributes.clone()] }),
            (7, Body::Refused { previous: 100, hint: Position::new(1, 2) }),
            (7, ack(b"ctx12345")),
            (7, Body::Appended { upto: 2 }),
        ]
    );
    let (kind, data) = attributes;
    assert_eq!(codec::decode_data(kind, &data).unwrap().command, Some(its_attributes()));
}

#[test]
fn appends_follow_each_other_without_a_gap() {
    let (mut index, mut commits) = (2, Vec::new());
    for (term, body) in bodies(appends()) {
        let Body::Append { previous, entries, commit } = body else { panic!("not an append: {body:?}") };
        assert_eq!((term, previous.index), (2, index));
        index += entries.len() as u64;
        commits.push(commit);
    }
    assert_eq!(index, 9);
    assert_eq!(commits, [2, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9]);
}

#[test]
fn entries_say_what_clients_did() {
    let said: Vec<Decoded> = entries().iter().map(|entry| codec::decode(entry).unwrap()).collect();
    let commands: Vec<Option<Command>> = said.iter().map(|decoded| decoded.command.clone()).collect();
    let put = |key, value| PutRequest { key: Bytes::from_static(key), value: Bytes::from_static(value), ..PutRequest::default() };
    let lease = match &commands[6] {
        Some(Command::LeaseGrant(LeaseGrantRequest { id, .. })) => *id,
        other => panic!("not a lease: {other:?}"),
    };
    let txn = TxnRequest {
        compare: vec![Compare {
            key: Bytes::from_static(b"a"),
            range_end: Bytes::new(),
            relation: Relation::Greater,
            operand: Operand::Mod(0),
        }],
        success: vec![
            Op::Put(put(b"b", b"2")),
            Op::Range(RangeRequest { key: Bytes::from_static(b"a"), ..RangeRequest::default() }),
        ],
        failure: vec![Op::Put(put(b"c", b"3"))],
    };
    assert_eq!(
        commands,
        [
            None,
            Some(its_attributes()),
            Some(Command::ClusterVersion("3.0.0".into())),
            Some(Command::Put(put(b"a", b"1"))),
            Some(Command::Txn(txn)),
            Some(Command::DeleteRange(DeleteRangeRequest { key: Bytes::from_static(b"a"), ..DeleteRangeRequest::default() })),
            Some(Command::LeaseGrant(LeaseGrantRequest { id: lease, ttl: 60 })),
        ]
    );
    assert_eq!(said[0].id, None);
    // Ids begin with the low end of the member's id and grow.
    let ids: Vec<u64> = said[1..].iter().map(|decoded| decoded.id.unwrap()).collect();
    assert!(ids.is_sorted() && ids.iter().all(|id| id >> 48 == GO.0 & 0xffff), "{ids:x?}");
}

#[test]
fn we_would_have_said_the_same() {
    let mut out = BytesMut::new();
    for received in messages() {
        match received {
            Received::Message(envelope) => frame::encode(&envelope, &mut out),
            Received::LinkHeartbeat => frame::encode_link_heartbeat(&mut out),
            Received::Ignored { kind } => panic!("ignored type {kind}"),
        }
    }
    assert_eq!(out, MESSAGES);

    out.clear();
    let mut encoder = msgapp::Encoder::new();
    for received in appends() {
        match received {
            Received::Message(envelope) => encoder.encode(&envelope, &mut out),
            Received::LinkHeartbeat => msgapp::Encoder::encode_link_heartbeat(&mut out),
            Received::Ignored { kind } => panic!("ignored type {kind}"),
        }
    }
    assert_eq!(out, APPENDS);

    for entry in entries() {
        let Decoded { id, command } = codec::decode(&entry).unwrap();
        if let (Some(id), Some(command)) = (id, command) {
            assert_eq!(codec::kind(&command), EntryKind::Command);
            assert_eq!(codec::encode(id, &command), entry.data, "{command:?}");
        }
    }
}

fn its_attributes() -> Command {
    Command::MemberAttributes { id: GO.0, name: "m1".into(), client_urls: vec!["http://127.0.0.1:29379".into()] }
}
