//! Clients that hold leases, renew them for a while, and then give them back or die.

use crate::chaos::leased::Leased;
use crate::chaos::load::KEYS;
use crate::chaos::model::{Call, Done, Key, Step};
use crate::chaos::scene::{Chance, Scene};
use crate::chaos::wire::{self, Outgoing};
use etcd::pb::etcdserverpb::kv_client::KvClient;
use etcd::pb::etcdserverpb::lease_client::LeaseClient;
use etcd::pb::etcdserverpb::{LeaseGrantRequest, LeaseKeepAliveRequest, LeaseKeepAliveResponse, LeaseRevokeRequest};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tonic::Streaming;

/// Keys of leases lie above all others.
pub const FIRST_KEY: Key = 3 * KEYS;
pub const LAST_KEY: Key = 90_000_000;
const PATIENCE: Duration = Duration::from_secs(3);

/// The next key that hangs on a lease.
pub struct Keys(pub AtomicU32);

/// One client: one lease after the other until the test is over.
pub async fn holder(number: u32, keys: Arc<Keys>, scene: Arc<Scene>) {
    let mut chance = Chance::new(scene.seed, (3 << 32) + u64::from(number));
    let mut member = number as usize;
    while !scene.is_over() {
        member += 1;
        let ttl = 2 + chance.below(3) as i64;
        let sent = scene.now();
        let request = LeaseGrantRequest { ttl, id: 0 };
        let granted = tokio::time::timeout(PATIENCE, LeaseClient::new(scene.channel(member)).lease_grant(request)).await;
        let Ok(Ok(granted)) = granted else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let granted = granted.into_inner();
        let key = keys.0.fetch_add(1, Ordering::Relaxed);
        let mut lease = Leased { id: granted.id, key, renewed: vec![(sent, granted.ttl)], revoked: None };
        if put(number, &lease, member, &scene).await {
            hold(&mut lease, &mut member, ttl, &mut chance, &scene).await;
        }
        let mut record = scene.record();
        record.renewals += lease.renewed.len() as u64 - 1;
        record.leased.push(lease);
    }
}

/// Puts the lease's key; whether that was acknowledged.
async fn put(number: u32, lease: &Leased, member: usize, scene: &Scene) -> bool {
    let call = Call::one(Step::Put { key: lease.key, value: scene.value(), lease: lease.id });
    let called = scene.now();
    let mut kv = KvClient::new(scene.channel(member));
    let outcome = tokio::time::timeout(PATIENCE, wire::perform(&mut kv, &call)).await;
    let answer = match outcome {
        Ok(Ok(answer)) => Some((scene.now(), answer)),
        Ok(Err(wire::Failure::Garbled(what))) => {
            scene.wrong(format!("holder {number} called {call:?}: {what}"));
            None
        }
        _ => None,
    };
    let acknowledged = answer.is_some();
    scene.record().done.push(Done { client: 1_000 + number, call, called, answer });
    acknowledged
}

/// Renews the lease every third of its time, for a while; then gives it back, or leaves it to expire.
async fn hold(lease: &mut Leased, member: &mut usize, ttl: i64, chance: &mut Chance, scene: &Scene) {
    let renewals = chance.below(7);
    let mut stream = None;
    for _ in 0..renewals {
        // Most are punctual; some renew at the last moment.
        let pause = ttl as u64 * if chance.one_in(4) { 800 } else { 333 };
        tokio::time::sleep(Duration::from_millis(pause)).await;
        if scene.is_over() {
            break;
        }
        let sent = scene.now();
        match tokio::time::timeout(PATIENCE, renew(&mut stream, *member, lease.id, scene)).await {
            // It is over: nobody may renew what has expired.
            Ok(Some(answer)) if answer.ttl <= 0 => return,
            Ok(Some(answer)) => lease.renewed.push((sent, answer.ttl)),
            _ => {
                *member += 1;
                stream = None;
            }
        }
    }
    if chance.one_in(3) {
        lease.revoked = Some(scene.now());
        let request = LeaseRevokeRequest { id: lease.id };
        let _ = tokio::time::timeout(PATIENCE, LeaseClient::new(scene.channel(*member)).lease_revoke(request)).await;
    }
}

type KeepAlive = (mpsc::Sender<LeaseKeepAliveRequest>, Streaming<LeaseKeepAliveResponse>);

/// One renewal, on a stream that is opened where there is none.
async fn renew(stream: &mut Option<KeepAlive>, member: usize, id: i64, scene: &Scene) -> Option<LeaseKeepAliveResponse> {
    if stream.is_none() {
        let (requests, outgoing) = mpsc::channel(1);
        requests.send(LeaseKeepAliveRequest { id }).await.ok()?;
        let answers = LeaseClient::new(scene.channel(member)).lease_keep_alive(Outgoing(outgoing)).await.ok()?.into_inner();
        *stream = Some((requests, answers));
    } else if let Some((requests, _)) = stream {
        requests.send(LeaseKeepAliveRequest { id }).await.ok()?;
    }
    let (_, answers) = stream.as_mut()?;
    answers.message().await.ok()?
}
