//! ZooKeeper's transactions: what is understood is written as it is understood.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use znodes::Change;
use zookeeper::txn::{decode, encode, origin_of, position_of};

fuzz_target!(|data: &[u8]| {
    let payload = Bytes::copy_from_slice(data);
    let (position, origin) = (position_of(&payload), origin_of(&payload));
    let Ok(txn) = decode(&payload) else { return };
    assert_eq!(position, Some(txn.header.position));
    assert_eq!(origin, Some((txn.header.session, txn.header.cxid)));
    if let Change::CloseSession { paths } = &txn.change
        && paths.iter().all(String::is_empty)
    {
        // Two nodes without names look like no list and a digest, which there is; nodes without names there are not.
        return;
    }
    assert_eq!(decode(&encode(&txn)), Ok(txn));
});
