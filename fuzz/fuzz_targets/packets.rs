//! The quorum port: however its bytes are cut, the same packets come out, and what is understood is written as it is understood.

#![no_main]

use bytes::{Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;
use zab::Packet;
use zookeeper::quorum::snapshot::Scanner;
use zookeeper::quorum::{Also, Received, Speaker, decode};
use zookeeper::request;

const LIMIT: usize = 1 << 16;

fn all(bytes: &[u8], size: usize) -> (Vec<Received>, bool) {
    let (mut buffer, mut all) = (BytesMut::new(), Vec::new());
    for piece in bytes.chunks(size) {
        buffer.extend_from_slice(piece);
        loop {
            match decode(&mut buffer, LIMIT) {
                Ok(Some(received)) => all.push(received),
                Ok(None) => break,
                Err(_) => return (all, false),
            }
        }
    }
    (all, true)
}

/// How much of `bytes` is a snapshot; `None` if it is none.
fn scanned(bytes: &[u8], size: usize) -> Option<(usize, usize, bool)> {
    let mut scanner = Scanner::new(LIMIT);
    let (mut body, mut used) = (0, 0);
    for piece in bytes.chunks(size) {
        let scanned = scanner.scan(piece).ok()?;
        body += scanned.body;
        used += scanned.used;
        if scanned.done {
            return Some((body, used, true));
        }
    }
    Some((body, used, false))
}

fuzz_target!(|data: &[u8]| {
    let Some((&size, bytes)) = data.split_first() else { return };
    let size = usize::from(size) + 1;
    assert_eq!(scanned(bytes, size), scanned(bytes, usize::MAX));
    let heard = all(bytes, usize::MAX);
    assert_eq!(all(bytes, size), heard);
    for received in heard.0 {
        let (sid, configuration) = match received.also {
            Also::Learner { sid, .. } => (sid.unwrap_or(0), Bytes::new()),
            Also::Configuration(text) => (0, text),
            Also::Nothing => (0, Bytes::new()),
        };
        if let Packet::Request(packet) = &received.packet {
            let _ = request::decode(packet, LIMIT);
        }
        let mut again = BytesMut::from(&Speaker { sid, configuration }.encode(&received.packet)[..]);
        let again = decode(&mut again, LIMIT).expect("we said it").expect("a whole packet");
        assert_eq!(again.packet, received.packet);
    }
});
