//! The locks and elections that a server keeps for clients: Quorate's tell the story that Go etcd's tell.

mod support;

use etcd::pb::etcdserverpb::kv_client::KvClient;
use etcd::pb::etcdserverpb::lease_client::LeaseClient;
use etcd::pb::etcdserverpb::{LeaseGrantRequest, LeaseRevokeRequest, RangeRequest, ResponseHeader};
use etcd::pb::v3electionpb::election_client::ElectionClient;
use etcd::pb::v3electionpb::{CampaignRequest, LeaderKey, LeaderRequest, ProclaimRequest, ResignRequest};
use etcd::pb::v3lockpb::lock_client::LockClient;
use etcd::pb::v3lockpb::{LockRequest, UnlockRequest};
use std::fmt::Debug;
use std::time::{Duration, Instant};
use support::{Cluster, Kind, peer};
use tokio::time::sleep;
use tonic::transport::Channel;
use tonic::{Response, Status};

/// Long enough for what nobody can see from outside: that an observer listens, or was told.
const A_WHILE: Duration = Duration::from_millis(300);

#[test]
fn both_kinds_tell_the_same_story() {
    if peer("etcd-3.5.16/etcd").is_none() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let [theirs, ours] = [Kind::Go, Kind::Quorate].map(|kind| {
        let cluster = Cluster::start(&[kind]);
        runtime.block_on(async {
            let endpoint = Channel::from_shared(cluster.members[0].client.clone()).expect("a URL");
            story(endpoint.connect().await.expect("a member that listens")).await
        })
    });
    assert!(theirs.len() > 15, "{theirs:#?}");
    assert_eq!(ours, theirs);
}

/// What was told, without what differs from cluster to cluster.
fn told<T: Debug>(answer: Result<Response<T>, Status>, header: impl Fn(&mut T) -> &mut Option<ResponseHeader>) -> String {
    match answer.map(Response::into_inner) {
        Ok(mut answer) => {
            let revision = header(&mut answer).take().map(|header| header.revision);
            format!("{answer:?} at {revision:?}")
        }
        Err(status) => format!("{:?}: {}", status.code(), status.message()),
    }
}

/// Waits until so many stand in line for a name.
async fn line_up(channel: &Channel, name: &str, count: i64) {
    let mut kv = KvClient::new(channel.clone());
    let (key, range_end) = (format!("{name}/").into(), format!("{name}0").into());
    let request = RangeRequest { key, range_end, count_only: true, ..Default::default() };
    let begin = Instant::now();
    while kv.range(request.clone()).await.expect("a count").into_inner().count != count {
        assert!(begin.elapsed() < Duration::from_secs(60), "{count} never stood in line for {name}");
        sleep(Duration::from_millis(10)).await;
    }
}

async fn story(channel: Channel) -> Vec<String> {
    let mut story = Vec::new();
    let mut leases = LeaseClient::new(channel.clone());
    for id in [7, 8, 9] {
        leases.lease_grant(LeaseGrantRequest { id, ttl: 60 }).await.expect("a lease");
    }
    let lock = |lease: i64| {
        let mut client = LockClient::new(channel.clone());
        tokio::spawn(
            async move { told(client.lock(LockRequest { name: "door".into(), lease }).await, |answer| &mut answer.header) },
        )
    };
    let mut unlock = LockClient::new(channel.clone());
    story.push(lock(1234).await.expect("no panic"));
    story.push(lock(7).await.expect("no panic"));
    story.push(lock(7).await.expect("no panic"));
    let second = lock(8);
    line_up(&channel, "door", 2).await;
    let third = lock(9);
    line_up(&channel, "door", 3).await;
    story.push(format!("{} {}", second.is_finished(), third.is_finished()));
    leases.lease_revoke(LeaseRevokeRequest { id: 8 }).await.expect("a lease that was there");
    story.push(told(unlock.unlock(UnlockRequest { key: "door/7".into() }).await, |answer| &mut answer.header));
    story.push(second.await.expect("no panic"));
    story.push(third.await.expect("no panic"));
    story.push(told(unlock.unlock(UnlockRequest { key: "nothing".into() }).await, |answer| &mut answer.header));
    story.push(told(unlock.unlock(UnlockRequest::default()).await, |answer| &mut answer.header));

    let mut election = ElectionClient::new(channel.clone());
    let leader = || LeaderRequest { name: "mayor".into() };
    let campaign = |lease: i64, value: &str| CampaignRequest { name: "mayor".into(), lease, value: value.to_owned().into() };
    story.push(told(election.leader(leader()).await, |answer| &mut answer.header));
    // Go's stream begins with its first message.
    let mut observer = election.clone();
    let request = leader();
    let observing = tokio::spawn(async move { observer.observe(request).await });
    sleep(A_WHILE).await;
    story.push(told(election.campaign(campaign(1234, "nobody")).await, |answer| &mut answer.header));
    let won = election.campaign(campaign(7, "one")).await.map(Response::into_inner).expect("no rival");
    let key = won.leader.clone();
    story.push(format!("{key:?}"));
    story.push(told(election.campaign(campaign(7, "one again")).await, |answer| &mut answer.header));
    let mut rival = election.clone();
    let request = campaign(9, "two");
    let second = tokio::spawn(async move { told(rival.campaign(request).await, |answer| &mut answer.header) });
    line_up(&channel, "mayor", 2).await;
    story.push(told(election.leader(leader()).await, |answer| &mut answer.header));
    let proclaim = |leader: Option<LeaderKey>| ProclaimRequest { leader, value: "one still".into() };
    story.push(told(election.proclaim(proclaim(key.clone())).await, |answer| &mut answer.header));
    sleep(A_WHILE).await;
    story.push(told(election.resign(ResignRequest { leader: key.clone() }).await, |answer| &mut answer.header));
    story.push(second.await.expect("no panic"));
    story.push(told(election.proclaim(proclaim(key.clone())).await, |answer| &mut answer.header));
    story.push(told(election.proclaim(proclaim(None)).await, |answer| &mut answer.header));
    story.push(told(election.resign(ResignRequest { leader: key }).await, |answer| &mut answer.header));
    story.push(told(election.resign(ResignRequest { leader: None }).await, |answer| &mut answer.header));
    let mut observed = observing.await.expect("no panic").expect("a stream").into_inner();
    for _ in 0..4 {
        let seen = observed.message().await.map(|seen| Response::new(seen.expect("it goes on")));
        story.push(told(seen, |answer| &mut answer.header));
    }
    story
}
