//! The bench's keys: all begin alike, so that they can be deleted in one go.

use super::connection::Connection;
use bytes::Bytes;
use etcd::pb::etcdserverpb::kv_client::KvClient;
use etcd::pb::etcdserverpb::{DeleteRangeRequest, PutRequest, RequestOp, TxnRequest, request_op};

/// How they begin.
pub(super) const PREFIX: &str = "quorate-bench/";
/// The first key that does not begin so.
pub(super) const BEHIND: &str = "quorate-bench0";

/// The key with this number, so many bytes long.
pub(super) fn key(number: u64, size: u16) -> Bytes {
    let width = usize::from(size) - PREFIX.len();
    format!("{PREFIX}{number:0width$}").into()
}

/// Puts of several keys in one transaction.
pub(super) fn batch(numbers: std::ops::Range<u64>, size: u16, value: &Bytes) -> TxnRequest {
    let put = |number| {
        let put = PutRequest { key: key(number, size), value: value.clone(), ..Default::default() };
        RequestOp { request: Some(request_op::Request::RequestPut(put)) }
    };
    TxnRequest { success: numbers.map(put).collect(), ..Default::default() }
}

/// A client of the keyspace.
pub(super) fn client(connection: &Connection) -> KvClient<Connection> {
    KvClient::with_origin(connection.clone(), connection.origin())
}

/// Deletes them all.
pub(super) async fn clean(connection: &Connection) {
    let all = DeleteRangeRequest { key: PREFIX.into(), range_end: BEHIND.into(), prev_kv: false };
    if client(connection).delete_range(all).await.is_err() {
        eprintln!("quorate bench: the keys that begin with {PREFIX} are left there");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_as_long_as_asked_for_and_lie_in_the_range() {
        for (size, text) in [(24, "quorate-bench/0000000042"), (26, "quorate-bench/000000000042")] {
            assert_eq!(key(42, size), text.as_bytes());
        }
        let last = key(9_999_999_999, 24);
        assert!(last.len() == 24 && last > PREFIX.as_bytes() && last < BEHIND.as_bytes());
        assert_eq!(batch(5..8, 24, &Bytes::new()).success.len(), 3);
    }
}
