//! What members ask each other beside Raft, and answer: leases in protobuf, checksums and membership in JSON. What is understood is
//! written as it is understood.

#![no_main]

use etcd::json::{self, HashKvAnswer, HashKvQuestion, Member, Versions};
use etcd::pb::etcdserverpb::{LeaseKeepAliveRequest, LeaseKeepAliveResponse};
use etcd::pb::leasepb::{LeaseInternalRequest, LeaseInternalResponse};
use libfuzzer_sys::fuzz_target;
use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

fn protobuf<M: Message + Default + PartialEq + Debug>(data: &[u8]) {
    if let Ok(message) = M::decode(data) {
        assert_eq!(M::decode(&message.encode_to_vec()[..]), Ok(message));
    }
}

fn text<T: DeserializeOwned + Serialize + PartialEq + Debug>(data: &[u8]) {
    if let Ok(value) = json::from_slice::<T>("an input", data) {
        assert_eq!(json::from_slice::<T>("our own", json::to_string(&value).as_bytes()), Ok(value));
    }
}

fuzz_target!(|data: &[u8]| {
    protobuf::<LeaseKeepAliveRequest>(data);
    protobuf::<LeaseKeepAliveResponse>(data);
    protobuf::<LeaseInternalRequest>(data);
    protobuf::<LeaseInternalResponse>(data);
    text::<HashKvQuestion>(data);
    text::<HashKvAnswer>(data);
    text::<Vec<Member>>(data);
    text::<Versions>(data);
});
