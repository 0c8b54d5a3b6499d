//! Streams of clients that ask for a leader end when there has been none for a while.

use super::super::status::Board;
use super::context::{ClientPort, known};
use etcd::error::Known;
use futures_util::stream::{self, Stream, StreamExt};
use std::future::Future;
use std::time::Duration;
use tokio::time::timeout;
use tonic::Status;
use tonic::codegen::BoxStream;

/// How many election timeouts a stream lives without a leader, as in etcd (v3rpc's monitorLeader): to open it again costs much more
/// than to wait.
const ELECTION_TIMEOUTS: u32 = 3;

/// Such a stream.
pub(super) fn led<T>(port: &ClientPort, answers: impl Stream<Item = Result<T, Status>> + Send + 'static) -> BoxStream<T> {
    let mut abandoned = Box::pin(leaderless(port.board.clone(), port.config.election_timeout));
    let mut answers = Box::pin(answers);
    Box::pin(stream::poll_fn(move |cx| {
        if abandoned.as_mut().poll(cx).is_ready() {
            return Some(Err(known(Known::NoLeader))).into();
        }
        answers.poll_next_unpin(cx)
    }))
}

/// Returns when nobody has led for that long.
async fn leaderless(board: Board, election_timeout: Duration) {
    let mut leadership = board.leadership();
    loop {
        if leadership.wait_for(|known| known.leader.is_none()).await.is_err() {
            // The member is stopping, and the connection will end.
            return std::future::pending().await;
        }
        let back = leadership.wait_for(|known| known.leader.is_some());
        if timeout(election_timeout * ELECTION_TIMEOUTS, back).await.is_err() {
            return;
        }
    }
}
