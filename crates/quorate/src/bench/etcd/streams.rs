//! Streams of watchers.

use super::connection::Connection;
use bytes::Bytes;
use etcd::pb::etcdserverpb::watch_client::WatchClient;
use etcd::pb::etcdserverpb::watch_request::RequestUnion;
use etcd::pb::etcdserverpb::{WatchCreateRequest, WatchRequest, WatchResponse};
use std::time::Duration;
use tokio::sync::mpsc;
use tonic::Streaming;
use tonic::codegen::tokio_stream::wrappers::ReceiverStream;

/// How long a member may take to make a stream's watchers.
const PATIENCE: Duration = Duration::from_secs(60);

/// A stream; its watchers end with it.
pub(super) struct Stream {
    pub(super) responses: Streaming<WatchResponse>,
    /// The request's side, which has to stay open.
    _requests: mpsc::Sender<WatchRequest>,
}

impl Stream {
    /// With a watcher of each of these ranges (a range without an end is one key), all of them made.
    pub(super) async fn open(connection: &Connection, ranges: Vec<(Bytes, Bytes)>) -> Result<Stream, String> {
        let count = ranges.len();
        let (requests, sent) = mpsc::channel(64);
        let create = requests.clone();
        tokio::task::spawn_local(async move {
            for (key, range_end) in ranges {
                let watcher = WatchCreateRequest { key, range_end, ..Default::default() };
                let request = WatchRequest { request_union: Some(RequestUnion::CreateRequest(watcher)) };
                if create.send(request).await.is_err() {
                    break;
                }
            }
        });
        let made = async {
            let mut client =
                WatchClient::with_origin(connection.clone(), connection.origin()).max_decoding_message_size(usize::MAX);
            let mut responses = client.watch(ReceiverStream::new(sent)).await.map_err(told)?.into_inner();
            let mut created = 0;
            while created < count {
                match responses.message().await.map_err(told)? {
                    Some(response) if response.canceled => return Err(format!("no watcher: {}", response.cancel_reason)),
                    Some(response) => created += usize::from(response.created),
                    None => return Err("the member ended the stream".to_owned()),
                }
            }
            Ok(responses)
        };
        let made = tokio::time::timeout(PATIENCE, made).await;
        let responses = made.map_err(|_| format!("{count} watchers were not made within {} s", PATIENCE.as_secs()))?;
        Ok(Stream { responses: responses.map_err(|why| format!("{}: {why}", connection.address()))?, _requests: requests })
    }
}

fn told(status: tonic::Status) -> String {
    status.message().to_owned()
}

/// Deals `count` things to `streams` in turn: how many each gets.
pub(super) fn dealt(count: u32, streams: u32) -> Vec<Vec<u32>> {
    (0..streams.min(count)).map(|stream| (stream..count).step_by(streams as usize).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_watcher_is_dealt_once() {
        assert_eq!(dealt(5, 2), [vec![0, 2, 4], vec![1, 3]]);
        assert_eq!(dealt(2, 5), [[0], [1]]);
    }
}
