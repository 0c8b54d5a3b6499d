//! Bytes that nobody sane sends: refused or waited for, never a panic.

use bytes::{Bytes, BytesMut};
use proptest::collection::vec;
use proptest::prelude::*;
use zookeeper::client::{self, Call, ConnectRequest, ConnectResponse};
use zookeeper::config::Ensemble;
use zookeeper::election::{self, Greeting};
use zookeeper::quorum::{self, snapshot};
use zookeeper::{opcode, request, txn};

const LIMIT: usize = 1 << 16;

/// Small numbers are likely, so that lengths and counts often fit.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![4 => Just(0u8), 2 => 0..24u8, 1 => Just(0xffu8), 1 => any::<u8>()];
    vec(byte, 0..200)
}

fn with_number(number: i32, rest: &[u8]) -> Bytes {
    let mut all = BytesMut::from(&number.to_be_bytes()[..]);
    all.extend_from_slice(rest);
    all.freeze()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn from_clients(op in -12..110i32, said in bytes()) {
        let _ = Call::decode(&with_number(1, &with_number(op, &said)), LIMIT);
        let said = Bytes::from(said);
        let _ = Call::decode(&said, LIMIT);
        let _ = ConnectRequest::decode(&said);
        let _ = client::frame(&mut BytesMut::from(&said[..]), LIMIT);
    }

    #[test]
    fn from_servers_to_clients(op in -12..110i32, said in bytes()) {
        let header = [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0];
        let reply = [&header[..], &said].concat();
        let _ = client::decode(&Bytes::from(reply), |_| Some(op));
        let _ = client::decode(&with_number(client::xid::EVENT, &said), |_| None);
        let _ = ConnectResponse::decode(&Bytes::from(said));
    }

    #[test]
    fn from_peers(kind in 0..21i32, said in bytes()) {
        let mut buffer = BytesMut::from(&with_number(kind, &said)[..]);
        while let Ok(Some(_)) = quorum::decode(&mut buffer, LIMIT) {}
        let mut scanner = snapshot::Scanner::new(LIMIT);
        for piece in said.chunks(7) {
            if !scanner.scan(piece).is_ok_and(|scanned| !scanned.done) {
                break;
            }
        }
        let _ = Greeting::decode(&mut BytesMut::from(&said[..]));
        let mut buffer = BytesMut::from(&said[..]);
        while let Ok(Some(frame)) = election::frame(&mut buffer) {
            let _ = election::notification(&frame);
        }
        let said = Bytes::from(said);
        let _ = election::notification(&said);
        let _ = request::decode(&with_number(1, &said), LIMIT);
    }

    #[test]
    fn forwarded(op in -12..110i32, record in bytes()) {
        let mut data = vec![0; 12];
        data.extend_from_slice(&op.to_be_bytes());
        data.extend_from_slice(&record);
        let mut packet = vec![0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
        packet.extend_from_slice(&(data.len() as u32).to_be_bytes());
        packet.extend_from_slice(&data);
        packet.extend_from_slice(&[0; 4]);
        prop_assert!(request::decode(&Bytes::from(packet), LIMIT).is_ok(), "whoever asked is answered");
    }

    #[test]
    fn from_the_log(kind in -12..23i32, record in bytes()) {
        let mut payload = vec![0; 28];
        payload.extend_from_slice(&kind.to_be_bytes());
        payload.extend_from_slice(&record);
        let _ = txn::decode(&Bytes::from(payload));
        let record = Bytes::from(record);
        let _ = txn::decode(&record);
        let _ = (txn::position_of(&record), txn::origin_of(&record));
    }

    #[test]
    fn from_texts(text in "((server|group|weight|version)[.=:;|0-9a-f\\[\\]\n]{0,30}\n){0,4}") {
        if let Ok(ensemble) = text.parse::<Ensemble>() {
            prop_assert_eq!(ensemble.to_string().parse::<Ensemble>(), Ok(ensemble.clone()));
            let _ = ensemble.configuration();
        }
    }
}

#[test]
fn forged_lengths_are_refused_at_once() {
    // A packet that announces two gigabytes of data, and one that announces as many ids.
    let announced = |head: &[u8]| quorum::decode(&mut BytesMut::from(head), LIMIT);
    assert!(announced(b"\0\0\0\x02\0\0\0\0\0\0\0\x01\x7f\xff\xff\xff").is_err());
    assert!(announced(b"\0\0\0\x02\0\0\0\0\0\0\0\x01\xff\xff\xff\xff\x7f\xff\xff\xff").is_err());
    // A leader's transactions may be longer, but not that long, and nothing else may.
    let led = |head: &[u8]| quorum::decode_from_leader(&mut BytesMut::from(head), LIMIT);
    assert_eq!(led(b"\0\0\0\x02\0\0\0\0\0\0\0\x01\x04\0\0\0"), Ok(None));
    assert!(led(b"\0\0\0\x02\0\0\0\0\0\0\0\x01\x04\0\0\x01").is_err());
    assert!(led(b"\0\0\0\x03\0\0\0\0\0\0\0\x01\x04\0\0\0").is_err());
    assert!(client::frame(&mut BytesMut::from(&b"\x00\x10\0\0"[..]), client::FRAME_LIMIT).is_err());
    assert!(client::frame(&mut BytesMut::from(&b"\xff\xff\xff\xff"[..]), client::FRAME_LIMIT).is_err());
    assert!(election::frame(&mut BytesMut::from(&[0, 8, 0, 1][..])).is_err());
    assert!(election::frame(&mut BytesMut::from(&[0; 4][..])).is_err());
}

#[test]
fn a_proposal_must_say_the_zxid_of_its_transaction() {
    let mut payload = vec![0; 20];
    payload[19] = 9;
    payload.extend_from_slice(&[0; 8]);
    payload.extend_from_slice(&opcode::CREATE_SESSION.to_be_bytes());
    payload.extend_from_slice(&[0; 4]);
    let mut packet = vec![0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, payload.len() as u8];
    packet.extend_from_slice(&payload);
    packet.extend_from_slice(&[0xff; 4]);
    let refused = quorum::decode(&mut BytesMut::from(&packet[..]), LIMIT).unwrap_err();
    assert!(refused.to_string().contains("the zxid of its packet"), "{refused}");
    packet[11] = 9;
    assert!(quorum::decode(&mut BytesMut::from(&packet[..]), LIMIT).unwrap().is_some());
}
