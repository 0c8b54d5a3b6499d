//! Streams of clients that ask for a leader end when there has been none for a while.

use super::super::status::Board;
use std::time::Duration;
use tokio::time::timeout;

/// How many election timeouts a stream lives without a leader, as in etcd (v3rpc's monitorLeader): to open it again costs much more
/// than to wait.
const ELECTION_TIMEOUTS: u32 = 3;

/// Returns when nobody has led for that long.
pub(super) async fn leaderless(board: Board, election_timeout: Duration) {
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
