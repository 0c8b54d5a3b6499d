//! Messages between members: there and back, in pieces, in the forms of three versions, and broken.

use bytes::{Bytes, BytesMut};
use consensus::{Configuration, Entry, EntryKind, NodeId, Position, Snapshot};
use etcd::Malformed;
use etcd::pb::raftpb as pb;
use etcd::peer::{Envelope, Received, frame, message, msgapp};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use prost::Message as _;
use raft::{Body, Message};

const LOCAL: NodeId = NodeId(1);
const REMOTE: NodeId = NodeId(2);

fn from_remote(term: u64, body: Body) -> Envelope {
    Envelope { from: REMOTE, to: LOCAL, message: Message { term, body } }
}

fn position() -> impl Strategy<Value = Position> {
    (0..1_000_000u64, 0..u64::MAX / 2).prop_map(|(epoch, index)| Position { epoch, index })
}

fn data() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..300).prop_map(Bytes::from)
}

fn kind() -> impl Strategy<Value = EntryKind> {
    prop_oneof![Just(EntryKind::Command), Just(EntryKind::Configuration)]
}

/// Entries that may follow `previous`: indexes grow by one, terms never fall.
fn entries(previous: Position) -> impl Strategy<Value = Vec<Entry>> {
    vec((0..2u64, kind(), data()), 0..6).prop_map(move |entries| {
        let mut position = previous;
        let follow = |(step, kind, data)| {
            position = Position::new(position.epoch + step, position.index + 1);
            Entry { position, kind, data }
        };
        entries.into_iter().map(follow).collect()
    })
}

/// An append, and the term of a leader that could send it.
fn append() -> impl Strategy<Value = (u64, Body)> {
    position().prop_flat_map(|previous| (Just(previous), entries(previous), any::<u64>(), 0..3u64)).prop_map(
        |(previous, entries, commit, later)| {
            let last = entries.last().map_or(previous, |last| last.position);
            (last.epoch + later, Body::Append { previous, entries, commit })
        },
    )
}

fn snapshot() -> impl Strategy<Value = Snapshot> {
    let ids = |least| btree_set(any::<u64>().prop_map(NodeId), least..5);
    (1..u64::MAX, 0..9u64, ids(1), ids(0)).prop_map(|(index, epoch, voters, learners)| Snapshot {
        position: Position { epoch, index },
        configuration: Configuration { voters, learners, hierarchy: None },
    })
}

fn other() -> impl Strategy<Value = Body> {
    prop_oneof![
        position().prop_map(|last| Body::RequestPreVote { last }),
        any::<bool>().prop_map(|granted| Body::PreVote { granted }),
        (position(), any::<bool>()).prop_map(|(last, transfer)| Body::RequestVote { last, transfer }),
        any::<bool>().prop_map(|granted| Body::Vote { granted }),
        any::<u64>().prop_map(|upto| Body::Appended { upto }),
        (any::<u64>(), position()).prop_map(|(previous, hint)| Body::Refused { previous, hint }),
        (any::<u64>(), data()).prop_map(|(commit, context)| Body::Heartbeat { commit, context }),
        data().prop_map(|context| Body::HeartbeatAck { context }),
        snapshot().prop_map(|snapshot| Body::InstallSnapshot { snapshot }),
        vec((kind(), data()), 1..5).prop_map(|proposals| Body::Propose { proposals }),
        data().prop_map(|context| Body::ReadIndex { context }),
        (data(), any::<u64>()).prop_map(|(context, index)| Body::ReadIndexReady { context, index }),
        any::<u64>().prop_map(|to| Body::TransferLeadership { to: NodeId(to) }),
        Just(Body::TimeoutNow),
    ]
}

fn any_message() -> impl Strategy<Value = Envelope> {
    prop_oneof![append(), (any::<u64>(), other())].prop_map(|(term, body)| {
        // Those who forward speak beside the terms.
        let term = if matches!(body, Body::Propose { .. } | Body::ReadIndex { .. }) { 0 } else { term };
        from_remote(term, body)
    })
}

proptest! {
    #[test]
    fn every_message_comes_back(envelope in any_message()) {
        let mut out = Vec::new();
        message::encode(&envelope, &mut out);
        prop_assert_eq!(out.len(), message::encoded_len(&envelope));
        prop_assert_eq!(message::decode(REMOTE, &out), Ok(Received::Message(envelope)));
    }

    /// What we write is what a generated encoder writes if every field is set, zero or not.
    #[test]
    fn zeros_are_written_as_35_writes_them(envelope in any_message()) {
        let mut out = Vec::new();
        message::encode(&envelope, &mut out);
        let full = every_field(pb::Message::decode(&out[..]).unwrap());
        prop_assert_eq!(full.encode_to_vec(), out);
    }

    /// 3.7 leaves out what is not set; 3.6 writes no empty snapshot, but always `vote`.
    #[test]
    fn the_forms_of_36_and_37_are_taken(envelope in any_message()) {
        let mut out = Vec::new();
        message::encode(&envelope, &mut out);
        let mut form = pb::Message::decode(&out[..]).unwrap();
        form.vote = Some(0);
        if form.r#type() != 7 {
            form.snapshot = None;
        }
        prop_assert_eq!(message::decode(REMOTE, &form.encode_to_vec()), Ok(Received::Message(envelope.clone())));
        let bare = without_zeros(form).encode_to_vec();
        prop_assert_eq!(message::decode(REMOTE, &bare), Ok(Received::Message(envelope)));
    }

    #[test]
    fn streams_may_arrive_in_any_pieces(
        envelopes in vec(any_message(), 0..8),
        appends in vec(append(), 0..8),
        piece in 1..50usize,
    ) {
        let mut out = BytesMut::new();
        let mut expected = Vec::new();
        for envelope in envelopes {
            frame::encode(&envelope, &mut out);
            frame::encode_link_heartbeat(&mut out);
            expected.extend([Received::Message(envelope), Received::LinkHeartbeat]);
        }
        let mut decoder = frame::Decoder::new(REMOTE);
        let mut received = Vec::new();
        for piece in out.chunks(piece) {
            decoder.feed(piece);
            while let Some(message) = decoder.next().unwrap() {
                received.push(message);
            }
        }
        prop_assert_eq!(received, expected);
        prop_assert!(decoder.into_rest().is_empty());

        out.clear();
        let mut expected = Vec::new();
        let mut encoder = msgapp::Encoder::new();
        for (term, body) in appends {
            let envelope = from_remote(term, body);
            encoder.encode(&envelope, &mut out);
            msgapp::Encoder::encode_link_heartbeat(&mut out);
            expected.extend([Received::Message(envelope), Received::LinkHeartbeat]);
        }
        let mut decoder = msgapp::Decoder::new(LOCAL, REMOTE);
        let mut received = Vec::new();
        for piece in out.chunks(piece) {
            decoder.feed(piece);
            while let Some(message) = decoder.next().unwrap() {
                received.push(message);
            }
        }
        prop_assert_eq!(received, expected);
    }

    /// A leader's stream: one full append, then mostly short ones, with steps back and changes of term between.
    #[test]
    fn a_leaders_stream_is_read_as_it_was_meant(steps in vec((0..4usize, 0..8u8), 1..30)) {
        let (mut term, mut last) = (3, Position::new(2, 10));
        let mut encoder = msgapp::Encoder::new();
        let mut decoder = msgapp::Decoder::new(LOCAL, REMOTE);
        for (count, choice) in steps {
            match choice {
                0 => last.index = 7, // the follower refused: back
                1 => term += 1,      // another term
                _ => {}
            }
            let entry = |index| Entry { position: Position::new(term, index), kind: EntryKind::Command, data: Bytes::from_static(b"x") };
            let entries: Vec<Entry> = (1..=count as u64).map(|step| entry(last.index + step)).collect();
            let previous = last;
            last = entries.last().map_or(last, |entry| entry.position);
            let envelope = from_remote(term, Body::Append { previous, entries, commit: last.index });

            let mut out = BytesMut::new();
            encoder.encode(&envelope, &mut out);
            decoder.feed(&out);
            prop_assert_eq!(decoder.next(), Ok(Some(Received::Message(envelope))));
            prop_assert_eq!(decoder.next(), Ok(None));
        }
    }

    #[test]
    fn garbage_is_refused_and_never_worse(garbage in vec(any::<u8>(), 0..200)) {
        let _ = message::decode(REMOTE, &garbage);
        let mut decoder = frame::Decoder::new(REMOTE);
        decoder.feed(&(garbage.len() as u64).to_be_bytes());
        decoder.feed(&garbage);
        while let Ok(Some(_)) = decoder.next() {}
        for first in 0..4 {
            let mut decoder = msgapp::Decoder::new(LOCAL, REMOTE);
            decoder.feed(&[first]);
            decoder.feed(&garbage);
            while let Ok(Some(_)) = decoder.next() {}
        }
    }

    /// A sound message with a few bytes changed goes deeper than noise does.
    #[test]
    fn damaged_messages_are_refused_and_never_worse(
        envelope in any_message(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut out = Vec::new();
        message::encode(&envelope, &mut out);
        for (at, byte) in damage {
            let at = at.index(out.len());
            out[at] = byte;
        }
        let _ = message::decode(REMOTE, &out);
    }
}

fn every_field(message: pb::Message) -> pb::Message {
    let set = |entry: pb::Entry| pb::Entry {
        r#type: Some(entry.r#type()),
        term: Some(entry.term()),
        index: Some(entry.index()),
        data: entry.data,
    };
    let metadata = message.snapshot.clone().and_then(|snapshot| snapshot.metadata).unwrap_or_default();
    let state = metadata.conf_state.clone().unwrap_or_default();
    pb::Message {
        r#type: Some(message.r#type()),
        to: Some(message.to()),
        from: Some(message.from()),
        term: Some(message.term()),
        log_term: Some(message.log_term()),
        index: Some(message.index()),
        commit: Some(message.commit()),
        reject: Some(message.reject()),
        reject_hint: Some(message.reject_hint()),
        snapshot: Some(pb::Snapshot {
            data: None,
            metadata: Some(pb::SnapshotMetadata {
                conf_state: Some(pb::ConfState { auto_leave: Some(false), ..state }),
                index: Some(metadata.index()),
                term: Some(metadata.term()),
            }),
        }),
        entries: message.entries.into_iter().map(set).collect(),
        context: message.context,
        vote: None,
    }
}

fn without_zeros(message: pb::Message) -> pb::Message {
    let number = |number: Option<u64>| number.filter(|&number| number != 0);
    let small = |number: Option<u32>| number.filter(|&number| number != 0);
    let bare = |entry: pb::Entry| pb::Entry {
        r#type: small(entry.r#type),
        term: number(entry.term),
        index: number(entry.index),
        data: entry.data,
    };
    pb::Message {
        r#type: small(message.r#type),
        to: number(message.to),
        from: number(message.from),
        term: number(message.term),
        log_term: number(message.log_term),
        index: number(message.index),
        commit: number(message.commit),
        reject: message.reject.filter(|&reject| reject),
        reject_hint: number(message.reject_hint),
        entries: message.entries.into_iter().map(bare).collect(),
        snapshot: message.snapshot,
        context: message.context,
        vote: None,
    }
}

#[test]
fn link_heartbeats_are_known_by_their_fields() {
    let mut ours = BytesMut::new();
    frame::encode_link_heartbeat(&mut ours);
    let of_35 = [
        0, 0, 0, 0, 0, 0, 0, 30, //
        0x08, 0x08, 0x10, 0x00, 0x18, 0x00, 0x20, 0x00, 0x28, 0x00, 0x30, 0x00, 0x40, 0x00, //
        0x4a, 0x0a, 0x12, 0x08, 0x0a, 0x02, 0x28, 0x00, 0x10, 0x00, 0x18, 0x00, 0x50, 0x00, 0x58, 0x00,
    ];
    assert_eq!(ours[..], of_35);

    let of_36 =
        [0x08, 0x08, 0x10, 0x00, 0x18, 0x00, 0x20, 0x00, 0x28, 0x00, 0x30, 0x00, 0x40, 0x00, 0x50, 0x00, 0x58, 0x00, 0x68, 0x00];
    let of_37 = [0x08, 0x08];
    for form in [&of_35[8..], &of_36, &of_37] {
        assert_eq!(message::decode(REMOTE, form), Ok(Received::LinkHeartbeat));
    }
}

#[test]
fn a_transfer_names_the_transferee_where_others_name_the_sender() {
    let envelope = from_remote(5, Body::TransferLeadership { to: NodeId(9) });
    let mut out = Vec::new();
    message::encode(&envelope, &mut out);
    assert_eq!(pb::Message::decode(&out[..]).unwrap().from(), 9);
    assert_eq!(message::decode(REMOTE, &out), Ok(Received::Message(envelope)));
}

#[test]
fn proposals_and_reads_go_beside_the_terms() {
    for body in [
        Body::Propose { proposals: vec![(EntryKind::Command, Bytes::from_static(b"x"))] },
        Body::ReadIndex { context: Bytes::from_static(b"12345678") },
    ] {
        let mut out = Vec::new();
        message::encode(&from_remote(5, body), &mut out);
        assert_eq!(pb::Message::decode(&out[..]).unwrap().term(), 0);
    }
}

#[test]
fn local_and_unknown_types_are_ignored() {
    for kind in [0, 1, 10, 11, 12, 19, 20, 21, 22, 23, 24, 4_000_000_000] {
        let message = pb::Message { r#type: Some(kind), from: Some(2), to: Some(1), ..pb::Message::default() };
        assert_eq!(message::decode(REMOTE, &message.encode_to_vec()), Ok(Received::Ignored { kind }));
    }
}

fn app(entries: Vec<pb::Entry>) -> pb::Message {
    let of = |number| Some(number);
    pb::Message {
        r#type: Some(3),
        from: of(2),
        to: of(1),
        term: of(5),
        log_term: of(4),
        index: of(7),
        entries,
        ..pb::Message::default()
    }
}

fn entry(kind: u32, term: u64, index: u64) -> pb::Entry {
    pb::Entry { r#type: Some(kind), term: Some(term), index: Some(index), data: None }
}

#[test]
fn refusals_name_what_was_wrong() {
    let say = |message: pb::Message| message::decode(REMOTE, &message.encode_to_vec()).unwrap_err().to_string();
    assert_eq!(say(app(vec![entry(0, 4, 9)])), "entry (4, 9) where one after (4, 7) belongs");
    assert_eq!(say(app(vec![entry(0, 3, 8)])), "entry (3, 8) where one after (4, 7) belongs");
    assert_eq!(say(app(vec![entry(0, 6, 8)])), "entry (6, 8) in a message of term 5");
    assert_eq!(say(app(vec![entry(2, 4, 8)])), "entry (4, 8) of type 2; known are 0 (normal) and 1 (ConfChange)");
    let last = pb::Message { index: Some(u64::MAX), ..app(vec![entry(0, 4, 0)]) };
    assert_eq!(say(last), "entry (4, 0) where one after (4, 18446744073709551615) belongs");

    let of = |kind| pb::Message { r#type: Some(kind), from: Some(2), ..pb::Message::default() };
    assert_eq!(say(of(2)), "message of type 2 without entries");
    assert_eq!(say(of(7)), "message of type 7 without a snapshot's index and members");
    assert_eq!(say(of(15)), "message of type 15 without the one entry that names the read");
    let state = pb::ConfState { voters: vec![1], voters_outgoing: vec![2], ..pb::ConfState::default() };
    let metadata = pb::SnapshotMetadata { conf_state: Some(state), index: Some(1), term: Some(1) };
    let joint = pb::Message { snapshot: Some(pb::Snapshot { data: None, metadata: Some(metadata) }), ..of(7) };
    assert_eq!(say(joint), "joint configuration in a snapshot");
}

#[test]
fn lengths_are_not_believed() {
    let mut decoder = frame::Decoder::new(REMOTE);
    decoder.feed(&frame::LIMIT.to_be_bytes());
    assert_eq!(decoder.next(), Ok(None));
    assert!(decoder.buffer().capacity() < 1 << 16, "memory comes with the bytes");

    let mut decoder = frame::Decoder::with_limit(REMOTE, 1 << 20);
    decoder.feed(&u64::MAX.to_be_bytes());
    let error = decoder.next().unwrap_err();
    assert_eq!(error.to_string(), "message: 18446744073709551615 bytes; at most 1048576 are taken");

    let mut decoder = msgapp::Decoder::new(LOCAL, REMOTE);
    decoder.feed(&[1]);
    decoder.feed(&(1_u64 << 18).to_be_bytes());
    assert_eq!(decoder.next(), Ok(None), "so many entries may come, but none has");
    let mut decoder = msgapp::Decoder::new(LOCAL, REMOTE);
    decoder.feed(&[1]);
    decoder.feed(&((1_u64 << 18) + 1).to_be_bytes());
    assert!(matches!(decoder.next(), Err(Malformed::TooLong { .. })));

    // Entries of two bytes each would take far more room than they came in.
    let many: Vec<u8> = [0x08, 0x02].into_iter().chain([0x3a, 0x00].repeat((1 << 18) + 1)).collect();
    assert!(matches!(message::decode(REMOTE, &many), Err(Malformed::TooLong { .. })));
}

#[test]
fn an_append_says_only_what_is_new() {
    let mut encoder = msgapp::Encoder::new();
    let mut send = |term, previous: (u64, u64), entries: &[(u64, u64)]| {
        let entry = |&(epoch, index)| Entry { position: Position { epoch, index }, kind: EntryKind::Command, data: Bytes::new() };
        let previous = Position::new(previous.0, previous.1);
        let body = Body::Append { previous, entries: entries.iter().map(entry).collect(), commit: 0 };
        let mut out = BytesMut::new();
        encoder.encode(&from_remote(term, body), &mut out);
        out[0]
    };
    let (full, short) = (2, 1);
    assert_eq!(send(3, (2, 10), &[(2, 11)]), full, "the first on a connection");
    assert_eq!(send(3, (2, 11), &[(3, 12)]), full, "what is before it is of an older term");
    assert_eq!(send(3, (3, 12), &[(3, 13), (3, 14)]), short);
    assert_eq!(send(3, (3, 14), &[]), short, "nothing but a commit index");
    assert_eq!(send(3, (3, 14), &[(3, 15)]), short);
    assert_eq!(send(3, (3, 12), &[(3, 13)]), full, "a step back");
    assert_eq!(send(4, (3, 13), &[]), full, "another term");
    // The receiver now believes that (4, 13) was told; no append says so.
    assert_eq!(send(4, (3, 13), &[(4, 14)]), full);
    assert_eq!(send(4, (4, 14), &[(4, 15)]), short);
}

#[test]
fn only_appends_go_over_msgapp() {
    let append = Message { term: 1, body: Body::Append { previous: Position::ZERO, entries: Vec::new(), commit: 0 } };
    assert!(msgapp::carries(&append));
    let vote = Message { term: 1, body: Body::Vote { granted: true } };
    assert!(!msgapp::carries(&vote));

    let mut out = BytesMut::from(&[2][..]);
    frame::encode(&Envelope { from: REMOTE, to: LOCAL, message: vote }, &mut out);
    let mut decoder = msgapp::Decoder::new(LOCAL, REMOTE);
    decoder.feed(&out);
    assert_eq!(decoder.next(), Err(Malformed::NotAnAppend));

    let mut decoder = msgapp::Decoder::new(LOCAL, REMOTE);
    decoder.feed(&[3]);
    assert_eq!(decoder.next(), Err(Malformed::FrameType(3)));
}

#[test]
fn a_snapshots_bytes_follow_its_message() {
    let snapshot = Snapshot { position: Position::new(2, 9), configuration: Configuration::of([LOCAL, REMOTE]) };
    let envelope = from_remote(3, Body::InstallSnapshot { snapshot });
    let mut body = BytesMut::new();
    frame::encode(&envelope, &mut body);
    body.extend_from_slice(b"the snapshot");
    let mut decoder = frame::Decoder::new(REMOTE);
    decoder.feed(&body);
    assert_eq!(decoder.next(), Ok(Some(Received::Message(envelope))));
    assert_eq!(decoder.into_rest(), &b"the snapshot"[..]);
}
