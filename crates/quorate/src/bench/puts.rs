//! Puts to one etcd member, one every few milliseconds, none waiting for another.

use super::failover::{Fate, GIVE_UP, WRITE_EVERY};
use crate::client::channel;
use etcd::pb::etcdserverpb::PutRequest;
use etcd::pb::etcdserverpb::kv_client::KvClient;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tonic::transport::Channel;

pub(super) async fn connect(url: &str) -> Result<Channel, String> {
    channel(url, Duration::from_secs(2)).await.map_err(|why| format!("{url}: {why}"))
}

/// Sends puts until it is aborted; each goes on by itself.
pub(super) async fn send(survivor: usize, channel: Channel, fates: mpsc::UnboundedSender<Fate>) {
    let client = KvClient::new(channel);
    let mut clock = tokio::time::interval(WRITE_EVERY);
    for n in 0u64.. {
        clock.tick().await;
        let (mut client, fates) = (client.clone(), fates.clone());
        let key = format!("failover/{survivor}/{}", n % 100);
        tokio::spawn(async move {
            let put = PutRequest { key: key.into(), value: n.to_string().into(), ..Default::default() };
            let sent = Instant::now();
            let error = match tokio::time::timeout(GIVE_UP, client.put(put)).await {
                Ok(Ok(_)) => None,
                Ok(Err(status)) => Some(status.message().to_owned()),
                Err(_) => Some(format!("no answer within {} s", GIVE_UP.as_secs())),
            };
            // Nobody listens any more if the measurement was given up.
            let _ = fates.send(Fate { sent, answered: Instant::now(), error });
        });
    }
}
