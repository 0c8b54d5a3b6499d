//! Locks and elections that the server keeps for clients.

mod support;

use etcd::pb::etcdserverpb::lease_client::LeaseClient;
use etcd::pb::etcdserverpb::{LeaseGrantRequest, LeaseRevokeRequest};
use etcd::pb::v3electionpb::election_client::ElectionClient;
use etcd::pb::v3electionpb::{CampaignRequest, LeaderKey, LeaderRequest, ProclaimRequest, ResignRequest};
use etcd::pb::v3lockpb::lock_client::LockClient;
use etcd::pb::v3lockpb::{LockRequest, UnlockRequest};
use std::time::Duration;
use support::{Client, Cluster};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tonic::{Code, Request, Status};

async fn grant(client: &Client, id: i64) {
    LeaseClient::new(client.channel.clone()).lease_grant(LeaseGrantRequest { id, ttl: 60 }).await.unwrap();
}

async fn revoke(client: &Client, id: i64) {
    LeaseClient::new(client.channel.clone()).lease_revoke(LeaseRevokeRequest { id }).await.unwrap();
}

/// Locks "door"; the key, or why not.
fn lock(client: &Client, lease: i64) -> JoinHandle<Result<String, Status>> {
    let mut client = LockClient::new(client.channel.clone());
    tokio::spawn(async move {
        let locked = client.lock(LockRequest { name: "door".into(), lease }).await?.into_inner();
        Ok(String::from_utf8(locked.key.to_vec()).unwrap())
    })
}

async fn unlock(client: &Client, key: &str) {
    LockClient::new(client.channel.clone()).unlock(UnlockRequest { key: key.to_owned().into() }).await.unwrap();
}

/// Waits until the key of whoever waits is there.
async fn appears(client: &Client, key: &str) {
    while client.get(key).await.unwrap().kvs.is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn soon<T>(work: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(30), work).await.expect("within half a minute")
}

#[tokio::test]
async fn a_lock_goes_to_whoever_came_first() {
    let cluster = Cluster::start(1, |_| {}).await;
    let client = cluster.client(0);
    for lease in [7, 8, 9, 10] {
        grant(&client, lease).await;
    }
    assert_eq!(soon(lock(&client, 7)).await.unwrap().unwrap(), "door/7");
    assert_eq!(soon(lock(&client, 7)).await.unwrap().unwrap(), "door/7", "who has it may ask again");
    let second = lock(&client, 8);
    appears(&client, "door/8").await;
    let third = lock(&client, 9);
    appears(&client, "door/9").await;
    let gone = lock(&client, 10);
    appears(&client, "door/a").await;

    // Who goes away while he waits leaves nothing behind.
    gone.abort();
    while !client.get("door/a").await.unwrap().kvs.is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // The second one's lease ends: he is told so when it would be his turn, and the third one has to wait for the first all the same.
    revoke(&client, 8).await;
    assert!(!second.is_finished() && !third.is_finished());
    unlock(&client, "door/7").await;
    let refused = soon(second).await.unwrap().unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::Unknown, "mutex: session is expired"));
    assert_eq!(soon(third).await.unwrap().unwrap(), "door/9");
}

#[tokio::test]
async fn a_lock_needs_a_lease_and_brings_one_if_need_be() {
    let cluster = Cluster::start(1, |_| {}).await;
    let client = cluster.client(0);
    let refused = soon(lock(&client, 1234)).await.unwrap().unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::Unknown, "etcdserver: requested lease not found"));
    let key = soon(lock(&client, 0)).await.unwrap().unwrap();
    let lease = client.get(&key).await.unwrap().kvs[0].lease;
    assert_eq!(key, format!("door/{lease:x}"));
    let refused = LockClient::new(client.channel.clone()).unlock(UnlockRequest::default()).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::Unknown, "etcdserver: key is not provided"));
}

#[tokio::test]
async fn an_election_has_one_leader_at_a_time_and_everybody_may_watch() {
    let cluster = Cluster::start(1, |_| {}).await;
    let client = cluster.client(0);
    let mut election = ElectionClient::new(client.channel.clone());
    let name = || "mayor".into();
    let refused = election.leader(LeaderRequest { name: name() }).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::Unknown, "election: no leader"));
    let mut observed = election.observe(LeaderRequest { name: name() }).await.unwrap().into_inner();

    grant(&client, 7).await;
    grant(&client, 8).await;
    let won = soon(election.campaign(CampaignRequest { name: name(), lease: 7, value: "one".into() })).await.unwrap();
    let leader = won.into_inner().leader.unwrap();
    assert_eq!(leader, LeaderKey { name: name(), key: "mayor/7".into(), rev: leader.rev, lease: 7 });
    let mut other = election.clone();
    let second =
        tokio::spawn(
            async move { other.campaign(CampaignRequest { name: "mayor".into(), lease: 8, value: "two".into() }).await },
        );
    appears(&client, "mayor/8").await;

    let mut seen = async || {
        let response = soon(observed.message()).await.unwrap().expect("it goes on");
        String::from_utf8(response.kv.unwrap().value.to_vec()).unwrap()
    };
    assert_eq!(seen().await, "one");
    let proclaim = |value: &str| ProclaimRequest { leader: Some(leader.clone()), value: value.to_owned().into() };
    election.proclaim(proclaim("one still")).await.unwrap();
    assert_eq!(seen().await, "one still");
    let now = election.leader(LeaderRequest { name: name() }).await.unwrap().into_inner().kv.unwrap();
    assert_eq!((now.key, now.value), ("mayor/7".into(), "one still".into()));

    election.resign(ResignRequest { leader: Some(leader.clone()) }).await.unwrap();
    let won = soon(second).await.unwrap().unwrap().into_inner().leader.unwrap();
    assert_eq!(won.lease, 8);
    assert_eq!(seen().await, "two");
    let refused = election.proclaim(proclaim("one again")).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::Unknown, "election: not leader"));
    let refused = election.resign(ResignRequest { leader: None }).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::Unknown, "\"leader\" field must be provided"));
}

#[tokio::test]
async fn who_observes_and_needs_a_leader_is_told_that_there_is_none() {
    let mut cluster = Cluster::start(3, |_| {}).await;
    let leader = cluster.leader().await;
    let client = cluster.client(leader);
    let mut request = Request::new(LeaderRequest { name: "chair".into() });
    request.metadata_mut().insert("hasleader", "true".parse().unwrap());
    let mut observed = ElectionClient::new(client.channel.clone()).observe(request).await.unwrap().into_inner();
    for other in (0..3).filter(|&other| other != leader) {
        cluster.kill(other).await;
    }
    let ended = soon(observed.message()).await.unwrap_err();
    assert_eq!((ended.code(), ended.message()), (Code::Unavailable, "etcdserver: no leader"));
}
