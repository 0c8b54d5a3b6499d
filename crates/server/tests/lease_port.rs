//! Keep-alives as clients stream them, and leases as peers ask for them.

mod support;

use bytes::Bytes;
use etcd::pb::etcdserverpb::alarm_request::AlarmAction;
use etcd::pb::etcdserverpb::kv_client::KvClient;
use etcd::pb::etcdserverpb::lease_client::LeaseClient;
use etcd::pb::etcdserverpb::maintenance_client::MaintenanceClient;
use etcd::pb::etcdserverpb::{
    AlarmRequest, AlarmType, LeaseGrantRequest, LeaseKeepAliveRequest, LeaseKeepAliveResponse, LeaseTimeToLiveRequest,
    LeaseTimeToLiveResponse, PutRequest,
};
use etcd::pb::leasepb::{LeaseInternalRequest, LeaseInternalResponse};
use prost::Message;
use std::time::Duration;
use support::{Client, Cluster};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tonic::codegen::tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Code, Request, Status, Streaming};

struct KeepAlive {
    asks: mpsc::UnboundedSender<LeaseKeepAliveRequest>,
    answers: Streaming<LeaseKeepAliveResponse>,
}

impl KeepAlive {
    async fn open(client: &Client, requires_leader: bool) -> Result<KeepAlive, Status> {
        let (asks, requests) = mpsc::unbounded_channel();
        let mut request = Request::new(UnboundedReceiverStream::new(requests));
        if requires_leader {
            request.metadata_mut().insert("hasleader", "true".parse().expect("a value"));
        }
        let answers = LeaseClient::new(client.channel.clone()).lease_keep_alive(request).await?.into_inner();
        Ok(KeepAlive { asks, answers })
    }

    fn ask(&self, id: i64) {
        self.asks.send(LeaseKeepAliveRequest { id }).expect("an open stream");
    }

    async fn next(&mut self) -> Result<Option<(i64, i64)>, Status> {
        let message = timeout(Duration::from_secs(30), self.answers.message()).await.expect("within half a minute");
        Ok(message?.map(|answer| (answer.id, answer.ttl)))
    }
}

async fn grant(client: &Client, id: i64, ttl: i64) -> Result<i64, Status> {
    let granted = LeaseClient::new(client.channel.clone()).lease_grant(LeaseGrantRequest { id, ttl }).await?.into_inner();
    Ok(granted.id)
}

/// Posts to a member's peer port; the status, and the body.
async fn post(cluster: &Cluster, member: usize, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let url = cluster.configs[member].listen_peer_urls[0].to_string();
    let mut socket = TcpStream::connect(url.trim_start_matches("http://")).await.expect("a member that listens");
    let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    socket.write_all(&[head.as_bytes(), body].concat()).await.expect("a member that reads");
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.expect("a member that answers");
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("a head") + 4;
    let status = str::from_utf8(&answer[9..12]).expect("a status").parse().expect("a number");
    (status, answer[end..].to_vec())
}

#[tokio::test]
async fn keep_alives_of_one_stream_are_answered_in_order_also_for_leases_that_are_not_there() {
    let cluster = Cluster::start(3, |_| {}).await;
    let leader = cluster.leader().await;
    for member in [leader, (leader + 1) % 3] {
        let client = cluster.client(member);
        let ids: Vec<i64> = {
            let mut ids = Vec::new();
            for _ in 0..50 {
                ids.push(grant(&client, 0, 60).await.unwrap());
            }
            ids
        };
        assert!(ids.iter().all(|&id| id > 0), "chosen ids are positive");
        let mut stream = KeepAlive::open(&client, true).await.unwrap();
        for &id in &ids {
            stream.ask(id);
            stream.ask(-id);
        }
        for &id in &ids {
            assert_eq!(stream.next().await.unwrap(), Some((id, 60)));
            assert_eq!(stream.next().await.unwrap(), Some((-id, 0)), "unknown: no error");
        }
        let KeepAlive { asks, answers } = stream;
        drop(asks);
        let mut stream = KeepAlive { asks: mpsc::unbounded_channel().0, answers };
        assert_eq!(stream.next().await.unwrap(), None, "who asks no more is told no more");
    }
}

#[tokio::test]
async fn who_needs_a_leader_is_told_that_there_is_none() {
    let mut cluster = Cluster::start(3, |_| {}).await;
    let leader = cluster.leader().await;
    let client = cluster.client(leader);
    let id = grant(&client, 0, 60).await.unwrap();
    let mut stream = KeepAlive::open(&client, true).await.unwrap();
    let mut patient = KeepAlive::open(&client, false).await.unwrap();
    stream.ask(id);
    assert_eq!(stream.next().await.unwrap(), Some((id, 60)));
    for other in (0..3).filter(|&other| other != leader) {
        cluster.kill(other).await;
    }
    patient.ask(id);
    let refusal = (Code::Unavailable, "etcdserver: no leader".to_owned());
    for ended in [stream.next().await, patient.next().await] {
        let ended = ended.unwrap_err();
        let text = ended.message().to_owned();
        assert!((ended.code(), text.clone()) == refusal || text == "etcdserver: request timed out", "{ended:?}");
    }
    let refused = KeepAlive::open(&client, true).await.err().unwrap();
    assert_eq!((refused.code(), refused.message().to_owned()), refusal);
}

#[tokio::test]
async fn peers_are_told_of_leases_in_the_words_of_etcd() {
    let cluster = Cluster::start(3, |_| {}).await;
    let leader = cluster.leader().await;
    let client = cluster.client(leader);
    grant(&client, 7, 60).await.unwrap();
    for key in ["b", "a"] {
        let put = PutRequest { key: key.into(), lease: 7, ..PutRequest::default() };
        KvClient::new(client.channel.clone()).put(put).await.unwrap();
    }
    let keep_alive = |id| LeaseKeepAliveRequest { id }.encode_to_vec();
    let look =
        |id, keys| LeaseInternalRequest { lease_time_to_live_request: Some(LeaseTimeToLiveRequest { id, keys }) }.encode_to_vec();

    let (status, body) = post(&cluster, leader, "/leases", &keep_alive(7)).await;
    assert_eq!(
        (status, LeaseKeepAliveResponse::decode(&body[..]).unwrap()),
        (200, LeaseKeepAliveResponse { header: None, id: 7, ttl: 60 })
    );
    let (status, body) = post(&cluster, leader, "/leases/internal", &look(7, true)).await;
    let told = LeaseInternalResponse::decode(&body[..]).unwrap().lease_time_to_live_response.unwrap();
    let LeaseTimeToLiveResponse { header, id, ttl, granted_ttl, keys } = told;
    assert_eq!((status, header.is_some(), id, granted_ttl, keys), (200, true, 7, 60, vec![Bytes::from("a"), Bytes::from("b")]));
    assert!((58..=60).contains(&ttl), "{ttl}");

    let follower = (leader + 1) % 3;
    for (member, path, body, status, words) in [
        (leader, "/leases", keep_alive(8), 404, "lease not found\n"),
        (leader, "/leases/internal", look(8, false), 404, "lease not found\n"),
        (leader, "/leases", vec![0xff; 9], 400, "error unmarshalling request\n"),
        (leader, "/leases/internal", vec![0xff; 9], 400, "error unmarshalling request\n"),
        (leader, "/leases/internal", vec![], 400, "error unmarshalling request\n"),
        (leader, "/leases/elsewhere", vec![], 404, "404 page not found\n"),
        (follower, "/leases", keep_alive(7), 400, "not a primary lessor\n"),
        (follower, "/leases/internal", look(7, false), 500, "not a primary lessor\n"),
    ] {
        let (told, said) = post(&cluster, member, path, &body).await;
        assert_eq!((told, str::from_utf8(&said).unwrap()), (status, words), "{path}");
    }
}

/// While a member is accused no lease can be revoked, so those that ran out stay.
#[tokio::test]
async fn leases_that_ran_out_keep_no_other_from_being_renewed_through_a_follower() {
    const LATE: i64 = 40;
    const HEALTHY: i64 = 100;
    let cluster = Cluster::start(3, |_| {}).await;
    let leader = cluster.leader().await;
    let client = cluster.client((leader + 1) % 3);
    for id in 1..=LATE {
        grant(&client, id, 1).await.unwrap();
    }
    grant(&client, HEALTHY, 60).await.unwrap();
    let alarm = |action: AlarmAction| {
        let request = AlarmRequest { action: action.into(), member_id: 1, alarm: AlarmType::Corrupt.into() };
        let mut maintenance = MaintenanceClient::new(client.channel.clone());
        async move { maintenance.alarm(request).await.unwrap() }
    };
    alarm(AlarmAction::Activate).await;
    // The shortest life that is granted here is two seconds.
    sleep(Duration::from_secs(4)).await;
    let mut late = KeepAlive::open(&client, false).await.unwrap();
    for id in 1..=LATE {
        late.ask(id);
    }
    let mut healthy = KeepAlive::open(&client, false).await.unwrap();
    for _ in 0..20 {
        let begin = Instant::now();
        healthy.ask(HEALTHY);
        assert_eq!(healthy.next().await.unwrap(), Some((HEALTHY, 60)));
        assert!(begin.elapsed() < Duration::from_secs(2), "after {:?}", begin.elapsed());
        sleep(Duration::from_millis(100)).await;
    }
    alarm(AlarmAction::Deactivate).await;
    assert_eq!(late.next().await.unwrap(), Some((1, 0)), "now it is gone");
}
