//! What a ZooKeeper client says: what is understood is written as it is understood, and what is refused can be answered.

#![no_main]

use bytes::{Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;
use znodes::Op;
use zookeeper::client::{Call, ClientRequest, ConnectRequest, decode};

const LIMIT: usize = 1 << 16;

fuzz_target!(|data: &[u8]| {
    let frame = Bytes::copy_from_slice(data);
    if let Ok(request) = ConnectRequest::decode(&frame) {
        let mut again = BytesMut::new();
        request.encode(&mut again);
        assert_eq!(ConnectRequest::decode(&again.freeze().slice(4..)), Ok(request));
    }
    let Ok(call) = Call::decode(&frame, LIMIT) else { return };
    // The other side: what a server might answer.
    let _ = decode(&frame, |_| Some(call.op));
    if matches!(call.request, ClientRequest::Refused(_) | ClientRequest::Write(Op::Refused { .. })) {
        return;
    }
    let mut again = BytesMut::new();
    call.encode(&mut again);
    // Characters that are none grow when they are replaced.
    assert_eq!(Call::decode(&again.freeze().slice(4..), 3 * LIMIT), Ok(call));
});
