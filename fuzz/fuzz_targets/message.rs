//! raftpb.Message: what is understood is written as it is understood, by the length that was announced.

#![no_main]

use bytes::BytesMut;
use consensus::NodeId;
use etcd::peer::message::{decode, encode, encoded_len};
use etcd::peer::{Envelope, Received};
use libfuzzer_sys::fuzz_target;
use raft::Body;

fuzz_target!(|data: &[u8]| {
    let Ok(Received::Message(mut envelope)) = decode(NodeId(2), data) else { return };
    match envelope.message.body {
        // These speak beside the terms, whatever their senders say.
        Body::Propose { .. } | Body::ReadIndex { .. } => envelope.message.term = 0,
        _ => {}
    }
    let mut bytes = BytesMut::new();
    encode(&envelope, &mut bytes);
    assert_eq!(bytes.len(), encoded_len(&envelope));
    match (decode(NodeId(2), &bytes), &envelope) {
        // A heartbeat from nobody to nobody is what shows that a connection lives.
        (Ok(Received::LinkHeartbeat), Envelope { from: NodeId(0), to: NodeId(0), .. }) => {}
        (again, _) => {
            if matches!(envelope.message.body, Body::TransferLeadership { .. }) {
                envelope.from = NodeId(2);
            }
            assert_eq!(again, Ok(Received::Message(envelope)));
        }
    }
});
