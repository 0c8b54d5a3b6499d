//! Watches, from outside: what they cost the member, and what clients are told when something goes wrong.

mod support;

use etcd::pb::etcdserverpb::kv_client::KvClient;
use etcd::pb::etcdserverpb::watch_client::WatchClient;
use etcd::pb::etcdserverpb::watch_request::RequestUnion;
use etcd::pb::etcdserverpb::{
    CompactionRequest, PutRequest, WatchCreateRequest, WatchProgressRequest, WatchRequest, WatchResponse,
};
use std::time::{Duration, Instant};
use support::{Cluster, Kind, Member, http_get, peer};
use tokio::sync::mpsc;
use tonic::codegen::tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status, Streaming};

/// A stream of watches.
struct Watching {
    asks: mpsc::UnboundedSender<WatchRequest>,
    responses: Streaming<WatchResponse>,
}

impl Watching {
    /// Opens a stream with a first watcher. (Go's server answers nothing, not even with a head, before it is asked for one.)
    async fn open(channel: Channel, requires_leader: bool, first: (&str, &str, i64)) -> Result<Watching, Status> {
        let (asks, requests) = mpsc::unbounded_channel();
        let mut request = Request::new(UnboundedReceiverStream::new(requests));
        if requires_leader {
            request.metadata_mut().insert("hasleader", "true".parse().expect("a value"));
        }
        asks.send(create(first)).expect("an open stream");
        let responses = WatchClient::new(channel).max_decoding_message_size(usize::MAX).watch(request).await?.into_inner();
        let mut watching = Watching { asks, responses };
        let created = watching.next().await?;
        assert!(created.created, "{created:?}");
        Ok(watching)
    }

    fn ask(&self, union: RequestUnion) {
        self.asks.send(WatchRequest { request_union: Some(union) }).expect("an open stream");
    }

    fn create(&self, watcher: (&str, &str, i64)) {
        self.asks.send(create(watcher)).expect("an open stream");
    }

    async fn next(&mut self) -> Result<WatchResponse, Status> {
        let message = tokio::time::timeout(Duration::from_secs(60), self.responses.message()).await.expect("within a minute");
        message.map(|response| response.expect("the stream ends with a reason"))
    }
}

fn create((key, range_end, start_revision): (&str, &str, i64)) -> WatchRequest {
    let (key, range_end) = (key.to_owned().into(), range_end.to_owned().into());
    let request = WatchCreateRequest { key, range_end, start_revision, ..WatchCreateRequest::default() };
    WatchRequest { request_union: Some(RequestUnion::CreateRequest(request)) }
}

async fn connect(member: &Member) -> Channel {
    Endpoint::from_shared(member.client.clone()).expect("a URL").connect().await.expect("a member that listens")
}

async fn put(kv: &mut KvClient<Channel>, key: &str, value: Vec<u8>) -> Result<i64, Status> {
    let request = PutRequest { key: key.to_owned().into(), value: value.into(), ..PutRequest::default() };
    Ok(kv.put(request).await?.into_inner().header.expect("a header").revision)
}

fn metric(member: &Member, name: &str) -> f64 {
    let text = http_get(&member.client, "/metrics").expect("metrics");
    let line =
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap_or_else(|| panic!("no {name}:\n{text}"));
    line.trim().parse().expect("a number")
}

fn memory(member: &Member) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", member.pid())).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
    line.trim().trim_end_matches(" kB").trim().parse::<usize>().expect("kilobytes") << 10
}

/// Waits until a metric has this value, while connections live on.
async fn reaches(member: &Member, name: &str, value: f64) {
    let begin = Instant::now();
    while metric(member, name) != value {
        assert!(begin.elapsed() < Duration::from_secs(60), "waited a minute for {name} to be {value}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Adds the revisions that a stream tells to `told`, until `last`.
async fn hear(watching: &mut Watching, told: &mut Vec<i64>, last: i64) -> Result<(), Status> {
    while told.last() != Some(&last) {
        let response = watching.next().await?;
        told.extend(response.events.iter().map(|event| event.kv.as_ref().expect("a pair").mod_revision));
    }
    Ok(())
}

async fn revisions(watching: &mut Watching, last: i64) -> Vec<i64> {
    let mut told = Vec::new();
    hear(watching, &mut told, last).await.expect("a stream that goes on");
    told
}

#[tokio::test]
async fn a_client_that_does_not_read_is_left_behind_and_hears_everything_when_it_does() {
    const PUTS: i64 = 300;
    let cluster = Cluster::start(&[Kind::Quorate]);
    let member = &cluster.members[0];
    let mut slow = Watching::open(connect(member).await, false, ("a", "", 0)).await.expect("a stream");
    let mut quick = Watching::open(connect(member).await, false, ("a", "", 0)).await.expect("a stream");
    let mut kv = KvClient::new(connect(member).await);
    let mut last = 0;
    for _ in 0..PUTS {
        last = put(&mut kv, "a", vec![b'x'; 100_000]).await.expect("nobody waits for who does not read");
    }
    let all: Vec<i64> = (last - PUTS + 1..=last).collect();
    assert_eq!(revisions(&mut quick, last).await, all);

    // 30 MB were written. The member holds the stream's room of it, HTTP/2 another half megabyte.
    assert_eq!(metric(member, "etcd_debugging_mvcc_slow_watcher_total"), 1.0);
    let pending = metric(member, "etcd_debugging_mvcc_pending_events_total");
    assert!((1.0..=12.0).contains(&pending), "a mebibyte and one response more: {pending} events");

    assert_eq!(revisions(&mut slow, last).await, all);
    reaches(member, "etcd_debugging_mvcc_slow_watcher_total", 0.0).await;
    assert_eq!(metric(member, "etcd_debugging_mvcc_pending_events_total"), 0.0);
}

#[tokio::test]
async fn ten_thousand_idle_watchers_are_cheap() {
    const STREAMS: usize = 4;
    const WATCHERS: usize = 10_000;
    let cluster = Cluster::start(&[Kind::Quorate]);
    let member = &cluster.members[0];
    let channel = connect(member).await;
    let mut streams = Vec::new();
    for _ in 0..STREAMS {
        streams.push(Watching::open(channel.clone(), false, ("first", "", 0)).await.expect("a stream"));
    }
    let before = memory(member);
    for (number, watching) in streams.iter_mut().enumerate() {
        for watcher in 0..WATCHERS / STREAMS {
            // Keys and ranges by turns, all different.
            let key = format!("/registry/things/{number}/{watcher}");
            let end = format!("{key}0");
            watching.create((&key, if watcher % 2 == 0 { "" } else { &end }, 0));
            if watcher % 100 == 99 {
                for _ in 0..100 {
                    assert!(watching.next().await.expect("an answer").created);
                }
            }
        }
    }
    assert_eq!(metric(member, "etcd_debugging_mvcc_watcher_total"), (WATCHERS + STREAMS) as f64);
    let took = memory(member).saturating_sub(before);
    eprintln!("{WATCHERS} watchers take {} KiB", took >> 10);
    assert!(took < 100 << 20, "{took} bytes");

    // They are no burden, and the one that is concerned is told.
    let mut kv = KvClient::new(connect(member).await);
    let revision = put(&mut kv, "/registry/things/2/1234", b"x".to_vec()).await.expect("a put");
    assert_eq!(revisions(&mut streams[2], revision).await, [revision]);
    drop(streams);
    reaches(member, "etcd_debugging_mvcc_watcher_total", 0.0).await;
}

/// What a watcher is told that begins before a compaction, and one that begins there, and what progress they make.
async fn compacted(kind: Kind) -> Vec<WatchResponse> {
    let cluster = Cluster::start(&[kind]);
    let member = &cluster.members[0];
    let mut kv = KvClient::new(connect(member).await);
    for value in 0..5 {
        put(&mut kv, "a", vec![b'0' + value]).await.expect("a put");
    }
    kv.compact(CompactionRequest { revision: 4, physical: true }).await.expect("a compaction");
    let mut told = Vec::new();
    for start in [3, 4, 0, 9] {
        let mut watching = Watching::open(connect(member).await, false, ("a", "", start)).await.expect("a stream");
        if start == 3 || start == 4 {
            told.push(watching.next().await.expect("a response"));
        }
        if start != 3 {
            watching.ask(RequestUnion::ProgressRequest(WatchProgressRequest {}));
            told.push(watching.next().await.expect("progress"));
        }
    }
    for response in &mut told {
        let header = response.header.as_mut().expect("a header");
        (header.cluster_id, header.member_id, header.raft_term) = (0, 0, 0);
    }
    told
}

#[tokio::test]
async fn a_watcher_from_before_a_compaction_is_told_the_same_by_both() {
    if peer("etcd-3.5.16/etcd").is_none() {
        return;
    }
    let (ours, gos) = (compacted(Kind::Quorate).await, compacted(Kind::Go).await);
    assert_eq!(ours, gos);
    assert_eq!((ours[0].canceled, ours[0].compact_revision), (true, 4));
}

#[tokio::test]
async fn a_client_that_moves_on_when_a_leader_dies_misses_nothing() {
    const PUTS: i64 = 200;
    // It tells who leads.
    if peer("etcdctl-3.5.16/etcdctl").is_none() {
        return;
    }
    let mut cluster = Cluster::start(&[Kind::Quorate; 3]);
    let leader = cluster.leader();
    let others: Vec<usize> = (0..3).filter(|&index| index != leader).collect();
    let mut writer = KvClient::new(connect(&cluster.members[others[0]]).await);
    let mut watching = Watching::open(connect(&cluster.members[leader]).await, true, ("k", "l", 0)).await.expect("a stream");

    let mut last = 0;
    let mut told: Vec<i64> = Vec::new();
    for number in 0..PUTS {
        if number == PUTS / 2 {
            cluster.members[leader].kill();
        }
        let begin = Instant::now();
        // What was refused may have been written all the same; then it is told, too.
        loop {
            match put(&mut writer, &format!("k{}", number % 7), vec![b'x'; 100]).await {
                Ok(revision) => break last = revision,
                Err(status) => assert!(begin.elapsed() < Duration::from_secs(60), "{status}"),
            }
        }
    }
    // The stream to the dead member ends. The next member goes on where it ended.
    let died = hear(&mut watching, &mut told, last).await.expect_err("the leader is dead");
    eprintln!("{} revisions were told before the stream ended: {died}", told.len());
    let next = told.last().map_or(2, |revision| revision + 1);
    watching = Watching::open(connect(&cluster.members[others[1]]).await, true, ("k", "l", next)).await.expect("a stream");
    hear(&mut watching, &mut told, last).await.expect("a stream that goes on");
    let all: Vec<i64> = (2..=last).collect();
    assert_eq!(told, all, "each revision once, in order");
    assert!(told.len() >= PUTS as usize);
}
