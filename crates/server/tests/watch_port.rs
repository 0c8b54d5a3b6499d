//! Streams of watches: how they end, what they are split into, and what is counted of them.

mod support;

use etcd::pb::etcdserverpb::kv_client::KvClient;
use etcd::pb::etcdserverpb::watch_client::WatchClient;
use etcd::pb::etcdserverpb::watch_request::RequestUnion;
use etcd::pb::etcdserverpb::{
    DeleteRangeRequest, WatchCancelRequest, WatchCreateRequest, WatchProgressRequest, WatchRequest, WatchResponse,
};
use std::time::Duration;
use support::Cluster;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tonic::codegen::tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::transport::Channel;
use tonic::{Code, Request, Status, Streaming};

struct Watching {
    asks: mpsc::UnboundedSender<WatchRequest>,
    responses: Streaming<WatchResponse>,
}

impl Watching {
    async fn open(channel: Channel, requires_leader: bool) -> Result<Watching, Status> {
        let (asks, requests) = mpsc::unbounded_channel();
        let mut request = Request::new(UnboundedReceiverStream::new(requests));
        if requires_leader {
            request.metadata_mut().insert("hasleader", "true".parse().expect("a value"));
        }
        let responses = WatchClient::new(channel).watch(request).await?.into_inner();
        Ok(Watching { asks, responses })
    }

    fn ask(&self, union: Option<RequestUnion>) {
        self.asks.send(WatchRequest { request_union: union }).expect("an open stream");
    }

    fn create(&self, request: WatchCreateRequest) {
        self.ask(Some(RequestUnion::CreateRequest(request)));
    }

    async fn next(&mut self) -> Result<WatchResponse, Status> {
        let message = timeout(Duration::from_secs(30), self.responses.message()).await.expect("within half a minute");
        message.map(|response| response.expect("a stream ends with a reason"))
    }
}

/// All keys.
fn everything() -> WatchCreateRequest {
    WatchCreateRequest { range_end: "\0".into(), ..WatchCreateRequest::default() }
}

fn said(status: &Status) -> (Code, &str) {
    (status.code(), status.message())
}

#[tokio::test]
async fn a_stream_goes_on_when_it_is_asked_for_nonsense_and_when_nothing_more_is_asked() {
    let cluster = Cluster::start(1, |_| {}).await;
    let client = cluster.client(0);
    let mut watching = Watching::open(client.channel.clone(), true).await.unwrap();
    watching.ask(None);
    watching.ask(Some(RequestUnion::CancelRequest(WatchCancelRequest { watch_id: 77 })));
    watching.ask(Some(RequestUnion::ProgressRequest(WatchProgressRequest {})));
    for _ in 0..40 {
        watching.ask(Some(RequestUnion::CancelRequest(WatchCancelRequest { watch_id: 77 })));
    }
    watching.create(WatchCreateRequest { watch_id: 9, ..everything() });
    let created = watching.next().await.unwrap();
    assert_eq!((created.watch_id, created.created, created.header.unwrap().revision), (9, true, 1));
    let Watching { asks, responses } = watching;
    drop(asks);
    client.put("a", "1").await.unwrap();
    let mut watching = Watching { asks: mpsc::unbounded_channel().0, responses };
    assert_eq!(watching.next().await.unwrap().events.len(), 1);
}

#[tokio::test]
async fn a_revision_is_split_only_for_who_agreed() {
    let cluster = Cluster::start(1, |config| config.max_request_bytes = 16 << 10).await;
    let client = cluster.client(0);
    for number in 0..100 {
        client.put(&format!("k{number:02}"), &"x".repeat(10_000)).await.unwrap();
    }
    let mut watching = Watching::open(client.channel.clone(), false).await.unwrap();
    for fragment in [true, false] {
        watching.create(WatchCreateRequest { prev_kv: true, fragment, ..everything() });
        assert!(watching.next().await.unwrap().created);
    }
    let all = DeleteRangeRequest { key: "\0".into(), range_end: "\0".into(), prev_kv: false };
    KvClient::new(client.channel.clone()).delete_range(all).await.unwrap();
    // A million bytes, in pieces of less than 16 + 512 KiB.
    let mut told = [Vec::new(), Vec::new()];
    while told
        .iter()
        .map(|responses: &Vec<WatchResponse>| responses.iter().map(|it| it.events.len()).sum::<usize>())
        .sum::<usize>()
        < 200
    {
        let response = watching.next().await.unwrap();
        told[response.watch_id as usize].push(response);
    }
    let shape = |responses: &[WatchResponse]| responses.iter().map(|it| (it.events.len(), it.fragment)).collect::<Vec<_>>();
    assert_eq!(shape(&told[0]), [(53, true), (47, false)]);
    assert_eq!(shape(&told[1]), [(100, false)]);
    let first = &told[1][0].events[0];
    assert_eq!((first.kv.as_ref().unwrap().mod_revision, first.prev_kv.as_ref().unwrap().value.len()), (102, 10_000));
}

#[tokio::test]
async fn without_a_leader_for_long_streams_that_require_one_end() {
    let mut cluster = Cluster::start(3, |config| config.election_timeout = Duration::from_millis(300)).await;
    let channel = cluster.client(0).channel;
    let mut requires = Watching::open(channel.clone(), true).await.unwrap();
    let mut patient = Watching::open(channel.clone(), false).await.unwrap();
    for watching in [&mut requires, &mut patient] {
        watching.create(everything());
        assert!(watching.next().await.unwrap().created);
    }
    cluster.kill(1).await;
    cluster.kill(2).await;
    let ended = requires.next().await.unwrap_err();
    assert_eq!(said(&ended), (Code::Unavailable, "etcdserver: no leader"));
    let refused = Watching::open(channel, true).await.err().unwrap();
    assert_eq!(said(&refused), (Code::Unavailable, "etcdserver: no leader"));
    patient.ask(Some(RequestUnion::ProgressRequest(WatchProgressRequest {})));
    assert_eq!(patient.next().await.unwrap().watch_id, -1, "this one lives on");
}

#[tokio::test]
async fn a_member_that_stops_says_so_and_does_not_wait_for_streams() {
    let mut cluster = Cluster::start(1, |_| {}).await;
    let mut watching = Watching::open(cluster.client(0).channel, false).await.unwrap();
    watching.create(everything());
    assert!(watching.next().await.unwrap().created);
    let (ended, ()) = tokio::join!(watching.next(), cluster.stop(0));
    assert_eq!(said(&ended.unwrap_err()), (Code::Unavailable, "etcdserver: server stopped"));
}

#[tokio::test]
async fn streams_and_watchers_are_counted_under_etcds_names() {
    let cluster = Cluster::start(1, |_| {}).await;
    let client = cluster.client(0);
    let mut watching = Watching::open(client.channel.clone(), false).await.unwrap();
    for _ in 0..3 {
        watching.create(everything());
        assert!(watching.next().await.unwrap().created);
    }
    client.put("a", "1").await.unwrap();
    for _ in 0..3 {
        assert_eq!(watching.next().await.unwrap().events.len(), 1);
    }
    let (_, text) = cluster.http(0, "/metrics").await;
    for line in [
        "etcd_debugging_mvcc_watch_stream_total 1",
        "etcd_debugging_mvcc_watcher_total 3",
        "etcd_debugging_mvcc_slow_watcher_total 0",
        "etcd_debugging_mvcc_events_total 3",
        "etcd_debugging_mvcc_pending_events_total 0",
        r#"grpc_server_started_total{grpc_method="Watch",grpc_service="etcdserverpb.Watch",grpc_type="bidi_stream"} 1"#,
        r#"etcd_server_client_requests_total{type="stream",client_api_version="unknown"} 1"#,
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    assert!(
        text.contains("etcd_network_client_grpc_sent_bytes_total ")
            && text.contains("etcd_network_client_grpc_received_bytes_total ")
    );
    assert!(!text.contains("etcd_network_client_grpc_sent_bytes_total 0\n"));

    watching.create(WatchCreateRequest { key: vec![b'x'; 3_000_000].into(), ..everything() });
    let refused = watching.next().await.unwrap_err();
    let expected = "grpc: received message larger than max (3000008 vs. 2097152)";
    assert_eq!((refused.code(), &refused.message()[..40]), (Code::ResourceExhausted, &expected[..40]), "{refused}");
    drop(watching);
    let handled = r#"grpc_server_handled_total{grpc_code="ResourceExhausted",grpc_method="Watch",grpc_service="etcdserverpb.Watch",grpc_type="bidi_stream"} 1"#;
    let mut text = String::new();
    for _ in 0..500 {
        text = cluster.http(0, "/metrics").await.1;
        if text.contains(handled) && text.contains("etcd_debugging_mvcc_watcher_total 0\n") {
            return;
        }
    }
    panic!("{text}");
}

#[tokio::test]
async fn the_past_is_told_from_the_disk_after_a_restart() {
    const PUTS: i64 = 300;
    let mut cluster = Cluster::start(1, |_| {}).await;
    let client = cluster.client(0);
    for number in 0..PUTS {
        client.put(&format!("k{}", number % 7), &number.to_string().repeat(2000)).await.unwrap();
    }
    cluster.stop(0).await;
    cluster.run(0).await;
    // Nothing of this is in memory any more, and it is more than a page.
    let mut watching = Watching::open(cluster.client(0).channel, false).await.unwrap();
    watching.create(WatchCreateRequest { start_revision: 1, prev_kv: true, ..everything() });
    assert!(watching.next().await.unwrap().created);
    let mut told = Vec::new();
    let mut responses = 0;
    while told.len() < PUTS as usize {
        told.extend(watching.next().await.unwrap().events);
        responses += 1;
    }
    assert!(responses > 2, "{responses}");
    for (number, event) in (0..).zip(told) {
        let (now, before) = (event.kv.unwrap(), event.prev_kv);
        assert_eq!((now.mod_revision, now.value), (number + 2, number.to_string().repeat(2000).into()));
        assert_eq!(before.map(|kv| kv.mod_revision), Some(number + 2 - 7).filter(|&revision| revision >= 2));
    }
}
