//! What etcdctl cannot ask, by gRPC: the code and the words with which it ends, and what it says, where that is the same everywhere.

use crate::etcdctl::side::{Side, Wrong};
use etcd::pb::etcdserverpb::alarm_request::AlarmAction;
use etcd::pb::etcdserverpb::kv_client::KvClient;
use etcd::pb::etcdserverpb::lease_client::LeaseClient;
use etcd::pb::etcdserverpb::maintenance_client::MaintenanceClient;
use etcd::pb::etcdserverpb::watch_client::WatchClient;
use etcd::pb::etcdserverpb::watch_create_request::FilterType;
use etcd::pb::etcdserverpb::watch_request::RequestUnion;
use etcd::pb::etcdserverpb::{
    AlarmRequest, AlarmType, LeaseGrantRequest, LeaseKeepAliveRequest, LeaseRevokeRequest, LeaseTimeToLiveRequest, PutRequest,
    WatchCancelRequest, WatchCreateRequest, WatchProgressRequest, WatchRequest, WatchResponse,
};
use std::fmt::Debug;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc;
use tonic::transport::{Channel, Endpoint};
use tonic::{Response, Status};

/// Asks both sides everything, and compares.
pub fn compare(go: &Side, ours: &Side, wrong: &mut Wrong) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let asked = |side: &Side| {
        runtime.block_on(async {
            let channel = |offset| {
                Endpoint::from_shared(side.endpoint(offset).to_owned())
                    .expect("a good address")
                    .timeout(Duration::from_secs(10))
                    .connect_lazy()
            };
            let mut said = leases(channel(0), channel(1)).await;
            said.extend(watches(channel(0)).await);
            said.extend(alarms(channel(0)).await);
            said
        })
    };
    let (expected, got) = (asked(go), asked(ours));
    for ((what, expected), (_, got)) in expected.iter().zip(&got) {
        wrong.compare(&format!("gRPC: {what}"), expected, got);
    }
    wrong.compare("gRPC: answers", &expected.len(), &got.len());
}

/// What was asked, and what was said.
type Said = Vec<(String, String)>;

fn outcome<T, U: Debug>(outcome: Result<Response<T>, Status>, say: impl FnOnce(T) -> U) -> String {
    match outcome {
        Ok(answer) => format!("{:?}", say(answer.into_inner())),
        Err(status) => format!("{:?}: {}", status.code(), status.message()),
    }
}

async fn leases(leader: Channel, follower: Channel) -> Said {
    let mut said = Said::new();
    let mut kv = KvClient::new(leader.clone());
    for (name, channel) in [("leader", leader), ("follower", follower)] {
        let mut client = LeaseClient::new(channel);
        // Those that are too short for their end to be certain have other ids each time.
        let short = if name == "leader" { 100 } else { 200 };
        let long = [(4711, 60), (4711, 60), (-4, 60), (4715, 9_000_000_000), (4716, 9_000_000_001)];
        let grants = long.into_iter().chain([(short, 1), (short + 1, 0), (short + 2, -1)]);
        for (id, ttl) in grants {
            let answer = client.lease_grant(LeaseGrantRequest { ttl, id }).await;
            let answer = outcome(answer, |answer| (answer.id, answer.ttl, answer.error));
            said.push((format!("{name}: grant {id} for {ttl}"), answer));
        }
        for key in ["hung/2", "hung/1"] {
            let put = PutRequest { key: key.into(), lease: 4711, ..PutRequest::default() };
            said.push((format!("{name}: put {key}"), outcome(kv.put(put).await, |_| ())));
        }
        for (id, keys) in [(4711, true), (4711, false), (0, true), (-4, false), (99, true)] {
            let answer = client.lease_time_to_live(LeaseTimeToLiveRequest { id, keys }).await;
            let answer = outcome(answer, |answer| {
                let mut keys = answer.keys;
                keys.sort();
                // A moment has passed since the grant.
                (answer.id, answer.granted_ttl - answer.ttl <= 10, answer.granted_ttl, keys)
            });
            said.push((format!("{name}: time to live of {id}, keys {keys}"), answer));
        }
        let requests = [4711, 99, 0, -4, 4711].map(|id| LeaseKeepAliveRequest { id });
        match client.lease_keep_alive(Outgoing::of(requests)).await {
            Err(status) => said.push((format!("{name}: keep-alive"), format!("{status:?}"))),
            Ok(answers) => {
                let mut answers = answers.into_inner();
                for _ in requests {
                    let answer = tokio::time::timeout(Duration::from_secs(10), answers.message()).await;
                    said.push((
                        format!("{name}: keep-alive"),
                        format!("{:?}", answer.map(|answer| answer.map(|said| said.map(|said| (said.id, said.ttl))))),
                    ));
                }
            }
        }
        for id in [4711, 4711, 99, 0, -4, 4715] {
            let answer = client.lease_revoke(LeaseRevokeRequest { id }).await;
            said.push((format!("{name}: revoke {id}"), outcome(answer, |_| ())));
        }
    }
    said
}

/// Watches on one stream, and what it says until it is asked for nothing more.
async fn watches(leader: Channel) -> Said {
    let mut said = Said::new();
    let mut kv = KvClient::new(leader.clone());
    let put = |key: &'static str| PutRequest { key: key.into(), value: "x".into(), ..PutRequest::default() };
    let base = kv.put(put("raw/0")).await.map_or(0, |answer| answer.into_inner().header.map_or(0, |header| header.revision));
    let create = |watch_id: i64, start: i64| WatchCreateRequest {
        key: "raw/".into(),
        range_end: "raw0".into(),
        start_revision: start,
        watch_id,
        ..WatchCreateRequest::default()
    };
    let created = |create| WatchRequest { request_union: Some(RequestUnion::CreateRequest(create)) };
    let canceled = |watch_id| WatchRequest { request_union: Some(RequestUnion::CancelRequest(WatchCancelRequest { watch_id })) };
    let progress = || WatchRequest { request_union: Some(RequestUnion::ProgressRequest(WatchProgressRequest {})) };
    let (requests, outgoing) = mpsc::channel(32);
    let everything = WatchCreateRequest { key: vec![0].into(), range_end: vec![0].into(), ..create(0, 0) };
    let asked: Vec<(&str, WatchRequest, usize)> = vec![
        ("create", created(create(0, 0)), 1),
        ("create 5", created(create(5, 0)), 1),
        ("create 5 again", created(create(5, 0)), 1),
        ("create -3", created(create(-3, 0)), 1),
        ("create on everything", created(everything), 1),
        ("create on an empty range", created(WatchCreateRequest { range_end: "a".into(), ..create(0, 0) }), 1),
        ("create without a key", created(WatchCreateRequest { key: "".into(), range_end: "".into(), ..create(0, 0) }), 1),
        ("create with an unknown filter", created(WatchCreateRequest { filters: vec![9], ..create(0, 0) }), 1),
        ("progress", progress(), 1),
        ("cancel 5", canceled(5), 1),
        ("cancel 5 again, and ask how far it is", canceled(5), 0),
        ("cancel what never was", canceled(99), 0),
        ("progress", progress(), 1),
        ("nothing", WatchRequest { request_union: None }, 0),
        ("progress", progress(), 1),
        // From here on Go may leave a question for progress unanswered: as long as a watcher is behind, and for ever after one of
        // the stream's was compacted.
        ("create from the past", created(create(0, base)), 2),
        ("create without puts", created(WatchCreateRequest { filters: vec![FilterType::Noput.into()], ..create(0, base) }), 1),
        ("create without anything", created(WatchCreateRequest { filters: vec![0, 1], ..create(0, base) }), 1),
        ("create from a revision below 0", created(create(0, -7)), 2),
        ("create on a compacted revision", created(create(0, 1)), 2),
    ];
    // Go's headers come with the first answer, so there must be a question.
    requests.send(asked[0].1.clone()).await.expect("there is room for one");
    let mut stream = match WatchClient::new(leader).watch(Outgoing(outgoing)).await {
        Ok(stream) => stream.into_inner(),
        Err(status) => return vec![("watch".into(), format!("{status:?}"))],
    };
    for (index, (what, request, answers)) in asked.into_iter().enumerate() {
        if index > 0 && requests.send(request).await.is_err() {
            said.push((format!("watch: {what}"), "the stream is over".into()));
            break;
        }
        let mut heard = Vec::new();
        for _ in 0..answers {
            heard.push(next(&mut stream, base).await);
        }
        // A watcher may be told that it is over before it is told that it is there.
        heard.sort();
        said.extend(heard.into_iter().map(|heard| (format!("watch: {what}"), heard)));
    }
    // All of them hear of it, each in a response of its own.
    let _ = kv.put(put("raw/1")).await;
    let mut heard = Vec::new();
    for _ in 0..5 {
        heard.push(next(&mut stream, base).await);
    }
    heard.sort();
    said.extend(heard.into_iter().map(|heard| ("watch: a put".to_owned(), heard)));
    said
}

/// The next response, with revisions counted from `base`.
async fn next(stream: &mut tonic::Streaming<WatchResponse>, base: i64) -> String {
    let answer = match tokio::time::timeout(Duration::from_secs(5), stream.message()).await {
        Err(_) => return "silence".into(),
        Ok(Err(status)) => return format!("{:?}: {}", status.code(), status.message()),
        Ok(Ok(None)) => return "the end".into(),
        Ok(Ok(Some(answer))) => answer,
    };
    let events: Vec<(i32, String, i64)> = answer
        .events
        .iter()
        .filter_map(|event| {
            event.kv.as_ref().map(|kv| (event.r#type, String::from_utf8_lossy(&kv.key).into_owned(), kv.mod_revision - base))
        })
        .collect();
    format!(
        "watch {} at {}: created {}, canceled {} {:?}, compacted {}, fragment {}, {events:?}",
        answer.watch_id,
        answer.header.map_or(0, |header| header.revision - base),
        answer.created,
        answer.canceled,
        answer.cancel_reason,
        answer.compact_revision,
        answer.fragment,
    )
}

/// An alarm that is raised stops writes; one that is disarmed does not.
async fn alarms(leader: Channel) -> Said {
    let mut said = Said::new();
    let mut maintenance = MaintenanceClient::new(leader.clone());
    let mut kv = KvClient::new(leader.clone());
    let mut leases = LeaseClient::new(leader);
    // A member that nobody is: a quota that watches its own alarm leaves this one alone.
    let alarm =
        |action: AlarmAction, alarm: AlarmType| AlarmRequest { action: action.into(), member_id: 12, alarm: alarm.into() };
    let (get, on, off) = (AlarmAction::Get, AlarmAction::Activate, AlarmAction::Deactivate);
    let none = AlarmType::None;
    for kind in [AlarmType::Nospace, AlarmType::Corrupt] {
        for (action, kind) in [(get, none), (on, kind), (on, kind), (get, none), (get, kind)] {
            let answer = maintenance.alarm(alarm(action, kind)).await;
            let answer =
                outcome(answer, |answer| answer.alarms.iter().map(|alarm| (alarm.member_id, alarm.alarm)).collect::<Vec<_>>());
            said.push((format!("alarm {action:?} {kind:?}"), answer));
        }
        let put = PutRequest { key: "alarmed".into(), ..PutRequest::default() };
        said.push((format!("put under {kind:?}"), outcome(kv.put(put).await, |_| ())));
        let range = etcd::pb::etcdserverpb::RangeRequest { key: "alarmed".into(), ..Default::default() };
        said.push((format!("range under {kind:?}"), outcome(kv.range(range).await, |answer| answer.count)));
        let delete = etcd::pb::etcdserverpb::DeleteRangeRequest { key: "alarmed".into(), ..Default::default() };
        said.push((format!("delete under {kind:?}"), outcome(kv.delete_range(delete).await, |answer| answer.deleted)));
        let granted = leases.lease_grant(LeaseGrantRequest { ttl: 60, id: 815 }).await;
        said.push((format!("grant under {kind:?}"), outcome(granted, |answer| answer.id)));
        let revoked = leases.lease_revoke(LeaseRevokeRequest { id: 815 }).await;
        said.push((format!("revoke under {kind:?}"), outcome(revoked, |_| ())));
        for (action, kind) in [(off, kind), (off, kind), (get, none)] {
            let answer = maintenance.alarm(alarm(action, kind)).await;
            let answer =
                outcome(answer, |answer| answer.alarms.iter().map(|alarm| (alarm.member_id, alarm.alarm)).collect::<Vec<_>>());
            said.push((format!("alarm {action:?} {kind:?}"), answer));
        }
        let put = PutRequest { key: "alarmed".into(), ..PutRequest::default() };
        said.push((format!("put after {kind:?}"), outcome(kv.put(put).await, |_| ())));
    }
    said
}

/// What a client still has to say on a stream.
struct Outgoing<T>(mpsc::Receiver<T>);

impl<T: Send + 'static> Outgoing<T> {
    /// These, and then nothing, with the stream left open for a while.
    fn of<const N: usize>(messages: [T; N]) -> Outgoing<T> {
        let (requests, outgoing) = mpsc::channel(N);
        for message in messages {
            assert!(requests.try_send(message).is_ok(), "there is room for all");
        }
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(30)).await;
            drop(requests);
        });
        Outgoing(outgoing)
    }
}

impl<T> futures_core::Stream for Outgoing<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        self.0.poll_recv(context)
    }
}
