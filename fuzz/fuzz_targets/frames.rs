//! The `message` stream: however its bytes are cut, the same messages come out, and nothing panics.

#![no_main]

use consensus::NodeId;
use etcd::peer::{Received, frame::Decoder};
use libfuzzer_sys::fuzz_target;

fn decode(bytes: &[u8], size: usize) -> (Vec<Received>, bool) {
    let mut decoder = Decoder::new(NodeId(2));
    let mut all = Vec::new();
    for piece in bytes.chunks(size) {
        decoder.feed(piece);
        loop {
            match decoder.next() {
                Ok(Some(received)) => all.push(received),
                Ok(None) => break,
                Err(_) => return (all, false),
            }
        }
    }
    (all, true)
}

fuzz_target!(|data: &[u8]| {
    let Some((&size, bytes)) = data.split_first() else { return };
    assert_eq!(decode(bytes, usize::from(size) + 1), decode(bytes, usize::MAX));
});
