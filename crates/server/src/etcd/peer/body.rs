//! The bodies of peers' requests, read whole: none too long, none for ever, and not too many at a time.

use super::super::budget::Budget;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use std::time::Duration;

/// The largest message that a request of its own may carry. Raft's appends are of a mebibyte; only a single larger entry makes a
/// larger message, and clients' requests are bounded far below.
const MESSAGE_BYTES_MAX: usize = 64 << 20;
/// The most bytes of messages that have begun to arrive.
const UNREAD_BYTES_MAX: usize = 128 << 20;
/// A body that does not get on for so long is given up: etcd's listener allows a read the same.
const PATIENCE: Duration = Duration::from_secs(5);

/// What all requests together may hold.
pub(super) fn budget() -> Budget {
    Budget::new(UNREAD_BYTES_MAX)
}

/// The whole body; `None` if it is too long, breaks off, stands still, or finds no room.
pub(super) async fn whole(mut body: Incoming, budget: &Budget) -> Option<Bytes> {
    if body.size_hint().lower() > MESSAGE_BYTES_MAX as u64 {
        return None;
    }
    let mut share = budget.take(0)?;
    let mut all = BytesMut::new();
    while let Some(frame) = tokio::time::timeout(PATIENCE, body.frame()).await.ok()? {
        let data = frame.ok()?.into_data().unwrap_or_default();
        if all.len() + data.len() > MESSAGE_BYTES_MAX || !share.grow(data.len()) {
            return None;
        }
        all.extend_from_slice(&data);
    }
    Some(all.freeze())
}
