//! Every byte that Java servers and a client of theirs were heard to say is understood, and would have been said the same way here.

use bytes::BytesMut;
use std::collections::BTreeMap;
use zab::{Packet, State};
use znodes::{Change, Kind, Op, ReadOp, WatchEvent};
use zookeeper::client::{self, Call, ClientRequest, ConnectRequest, ConnectResponse, Incoming, Reply};
use zookeeper::config::Ensemble;
use zookeeper::election::{self, Greeting};
use zookeeper::jute::DEFAULT_LIMIT;
use zookeeper::quorum::{self, Also, Received, Speaker, snapshot};
use zookeeper::{opcode, request, session, txn};

/// The packets of one side of a quorum connection, each with its bytes; snapshots are passed over.
fn packets(said: &'static [u8]) -> Vec<(&'static [u8], Received)> {
    let mut buffer = BytesMut::from(said);
    let mut packets = Vec::new();
    let place = |buffer: &BytesMut| said.len() - buffer.len();
    loop {
        let begin = place(&buffer);
        let Some(received) = quorum::decode(&mut buffer, DEFAULT_LIMIT).expect("Java said it") else { break };
        let bytes = &said[begin..place(&buffer)];
        if matches!(received.packet, Packet::Snapshot { .. }) {
            let scanned = snapshot::Scanner::new(DEFAULT_LIMIT).scan(&buffer).expect("Java said it");
            assert!(scanned.done, "the snapshot has an end");
            let _ = buffer.split_to(scanned.used);
        }
        packets.push((bytes, received));
    }
    assert!(buffer.is_empty(), "nothing is left");
    packets
}

fn said_the_same_way(packets: &[(&[u8], Received)]) {
    let configuration = packets.iter().find_map(|(_, received)| match &received.also {
        Also::Configuration(text) => Some(text.clone()),
        _ => None,
    });
    let speaker = Speaker { sid: 1, configuration: configuration.unwrap_or_default() };
    for (bytes, received) in packets {
        match &received.packet {
            // A leader's ping has no data; ours has data of no length, which Java takes from either side.
            Packet::Ping { touched, .. } if touched.is_empty() => {}
            // The leader answers whoever asked, so we name no session.
            Packet::SyncRequest => {}
            // The text of the configuration is taken from here, so it would be the same whatever it said.
            packet => assert_eq!(speaker.encode(packet), bytes, "{packet:?}"),
        }
    }
}

fn names(packets: &[(&[u8], Received)]) -> Vec<String> {
    let mut names: Vec<String> = packets
        .iter()
        .map(|(_, received)| format!("{:?}", received.packet))
        .map(|text| text.split([' ', '(']).next().unwrap_or_default().to_owned())
        .collect();
    names.dedup();
    names
}

#[test]
fn a_learner_that_is_new() {
    let leader = packets(include_bytes!("captured/quorum-1-leader.bin"));
    said_the_same_way(&leader);
    let begin = names(&leader);
    assert_eq!(&begin[..5], ["LeaderInfo", FIRST_SYNC, "NewLeader", "UpToDate", "Ping"]);
    let learner = packets(include_bytes!("captured/quorum-1-learner.bin"));
    said_the_same_way(&learner);
    assert_eq!(&names(&learner)[..4], ["LearnerInfo", "AckEpoch", "Ack", "Ping"]);
    assert_eq!(learner[0].1.also, Also::Learner { sid: Some(1), protocol: quorum::PROTOCOL_VERSION });
    for kind in ["Request", "SyncRequest"] {
        assert!(names(&learner).contains(&kind.to_owned()), "the learner forwarded a {kind}");
    }
    let touched =
        learner.iter().any(|(_, received)| matches!(&received.packet, Packet::Ping { touched, .. } if !touched.is_empty()));
    assert!(touched, "the learner told of its client's session");
}

/// What the leader sent to a learner without data.
const FIRST_SYNC: &str = "Diff";

#[test]
fn a_learner_that_comes_back() {
    let leader = packets(include_bytes!("captured/quorum-2-leader.bin"));
    said_the_same_way(&leader);
    assert_eq!(&names(&leader)[..3], ["LeaderInfo", "Diff", "NewLeader"]);
    let learner = packets(include_bytes!("captured/quorum-2-learner.bin"));
    said_the_same_way(&learner);
    for packets in [leader, learner] {
        assert!(names(&packets).contains(&"Revalidate".to_owned()), "a session was asked for and the answer came");
    }
}

#[test]
fn every_transaction() {
    let leader = packets(include_bytes!("captured/quorum-1-leader.bin"));
    let mut kinds = BTreeMap::<i32, usize>::new();
    for (_, received) in leader {
        let Packet::Proposal { entry } = received.packet else { continue };
        let txn = txn::decode(&entry.data).expect("Java said it");
        assert_eq!(txn::encode(&txn), entry.data, "{txn:?}");
        // What failed changes nothing, and has no digest.
        assert_eq!(txn.digest.is_some(), txn.header.kind != Kind::ERROR, "{txn:?}");
        if let Change::Multi(parts) = &txn.change {
            assert!(parts.len() >= 3, "{txn:?}");
        }
        *kinds.entry(txn.header.kind.0).or_default() += 1;
    }
    for kind in [-10, -1, 1, 5, 7, 14] {
        assert!(kinds.contains_key(&kind), "no transaction of type {kind} among {kinds:?}");
    }
}

#[test]
fn every_forwarded_write() {
    let learner = packets(include_bytes!("captured/quorum-1-learner.bin"));
    let mut writes = 0;
    for (bytes, received) in learner {
        let Packet::Request(packet) = received.packet else { continue };
        let request = request::decode(&packet, DEFAULT_LIMIT).expect("Java said it");
        assert!(!matches!(request.op, Op::Refused { .. }), "{request:?}");
        // A session begins without anybody's id, where Java says null and we say nobody.
        if !matches!(request.op, Op::CreateSession { .. }) {
            assert_eq!(request::encode(&request), bytes, "{request:?}");
        }
        writes += 1;
    }
    assert!(writes >= 10, "only {writes}");
}

#[test]
fn an_election() {
    let mut larger = BytesMut::from(&include_bytes!("captured/election-larger.bin")[..]);
    let before = larger.clone();
    let greeting = Greeting::decode(&mut larger).unwrap().expect("a whole greeting");
    assert_eq!(greeting.sid, 2);
    assert_eq!(greeting.encode(), before[..before.len() - larger.len()]);
    let smaller = BytesMut::from(&include_bytes!("captured/election-smaller.bin")[..]);
    for mut said in [larger, smaller] {
        let mut heard = Vec::new();
        while let Some(frame) = election::frame(&mut said).unwrap() {
            let said = election::notification(&frame).unwrap();
            let configuration = said.configuration.expect("a configuration");
            assert_eq!(election::encode(&said.notification, &configuration)[4..], frame);
            let ensemble: Ensemble = std::str::from_utf8(&configuration).unwrap().parse().unwrap();
            assert_eq!(ensemble.to_string(), std::str::from_utf8(&configuration).unwrap());
            assert_eq!((ensemble.configuration().voters.len(), ensemble.configuration().learners.len()), (2, 1));
            heard.push(said.notification);
        }
        assert!(said.is_empty());
        assert_eq!(heard[0].state, State::Looking);
        assert!(heard.iter().all(|notification| notification.round >= 1));
    }
}

#[test]
fn a_clients_session() {
    let mut said = BytesMut::from(&include_bytes!("captured/client-requests.bin")[..]);
    let mut heard = BytesMut::from(&include_bytes!("captured/client-replies.bin")[..]);
    let first = client::frame(&mut said, client::FRAME_LIMIT).unwrap().unwrap();
    assert_eq!(ConnectRequest::decode(&first).unwrap().session, 0);
    let first = client::frame(&mut heard, client::FRAME_LIMIT).unwrap().unwrap();
    let response = ConnectResponse::decode(&first).unwrap();
    assert_eq!(response.password, session::password(response.session), "the password is computed");
    let mut again = BytesMut::new();
    response.encode(&mut again);
    assert_eq!(again[4..], first);

    let mut operations = BTreeMap::new();
    while let Some(frame) = client::frame(&mut said, client::FRAME_LIMIT).unwrap() {
        let call = Call::decode(&frame, DEFAULT_LIMIT).unwrap();
        let refused = matches!(call.request, ClientRequest::Refused(_) | ClientRequest::Write(Op::Refused { .. }));
        assert!(!refused, "{call:?}");
        let mut again = BytesMut::new();
        call.encode(&mut again);
        assert_eq!(again[4..], frame, "{call:?}");
        operations.insert(call.xid, call);
    }
    assert!(said.is_empty());
    let watched = |call: &Call| matches!(call.request, ClientRequest::Read { op: ReadOp::GetData { .. }, watch: true });
    assert!(operations.values().any(watched));

    let mut events = Vec::new();
    while let Some(frame) = client::frame(&mut heard, client::FRAME_LIMIT).unwrap() {
        let mut again = BytesMut::new();
        match client::decode(&frame, |xid| Some(operations[&xid].op)).unwrap() {
            Incoming::Event { zxid, event, path } => {
                client::encode_event(zxid, event, &path, &mut again);
                events.push(event);
            }
            Incoming::Reply { xid, zxid, reply: Ok(Reply::Answer(answer)) } => {
                client::encode_answer(xid, zxid, operations[&xid].op, &Ok(answer), &mut again);
            }
            Incoming::Reply { xid, zxid, reply: Ok(_) } => client::encode_header(xid, zxid, 0, &mut again),
            Incoming::Reply { xid, zxid, reply: Err(error) } => client::encode_header(xid, zxid, error, &mut again),
        }
        assert_eq!(again[4..], frame);
    }
    assert!(heard.is_empty());
    events.sort();
    assert_eq!(events, [WatchEvent::Created, WatchEvent::DataChanged, WatchEvent::ChildrenChanged]);
    assert!(operations.values().any(|call| call.op == opcode::MULTI));
}
