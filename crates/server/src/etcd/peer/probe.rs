//! How far away other members are: a question every few seconds, of which only the time matters (etcd: rafthttp's prober).

use super::Shared;
use consensus::NodeId;
use etcd::peer::http::PROBING;
use etcd::url::Url;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How often each member is asked, as in etcd.
const INTERVAL: Duration = Duration::from_secs(4);

/// Asks a member for ever, at the first of its URLs that answers.
pub(super) async fn keep_probing(shared: Arc<Shared>, peer: NodeId, urls: Vec<Url>) {
    loop {
        for url in &urls {
            let began = Instant::now();
            if shared.client.get(url, PROBING, INTERVAL).await.is_ok() {
                shared.metrics.round_trip(peer, began.elapsed());
                break;
            }
        }
        tokio::time::sleep(INTERVAL).await;
    }
}
