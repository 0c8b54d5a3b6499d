//! What clients hear: gRPC's codes and etcd's texts, and plain HTTP on the same port.

mod support;

use etcd::pb::etcdserverpb::auth_client::AuthClient;
use etcd::pb::etcdserverpb::cluster_client::ClusterClient;
use etcd::pb::etcdserverpb::kv_client::KvClient;
use etcd::pb::etcdserverpb::maintenance_client::MaintenanceClient;
use etcd::pb::etcdserverpb::{
    AuthRoleListRequest, CompactionRequest, DeleteRangeRequest, MemberListRequest, MoveLeaderRequest, PutRequest, RangeRequest,
    RequestOp, TxnRequest, request_op,
};
use support::Cluster;
use tonic::{Code, Request, Status};

fn said(result: Result<impl Sized, Status>) -> (Code, String) {
    let status = result.err().expect("an error");
    (status.code(), status.message().to_owned())
}

async fn get(cluster: &Cluster, path: &str) -> (u16, String) {
    cluster.http(0, path).await
}

#[tokio::test]
async fn refusals_are_etcds_word_for_word() {
    let cluster = Cluster::start(1, |_| {}).await;
    let client = cluster.client(0);
    let mut kv = KvClient::new(client.channel.clone());
    let refusal = |code, text: &str| (code, format!("etcdserver: {text}"));

    assert_eq!(said(client.put("", "x").await), refusal(Code::InvalidArgument, "key is not provided"));
    assert_eq!(said(client.get("").await), refusal(Code::InvalidArgument, "key is not provided"));
    let nothing = DeleteRangeRequest::default();
    assert_eq!(said(kv.delete_range(nothing).await), refusal(Code::InvalidArgument, "key is not provided"));
    let large = "x".repeat(1_600_000);
    assert_eq!(said(client.put("a", &large).await), refusal(Code::InvalidArgument, "request is too large"));
    let larger = "x".repeat(3_000_000);
    let refused = said(client.put("a", &larger).await);
    assert_eq!(refused, (Code::ResourceExhausted, "grpc: received message larger than max (3000008 vs. 2097152)".to_owned()));
    let future = RangeRequest { key: "a".into(), revision: 9, ..RangeRequest::default() };
    let text = "mvcc: required revision is a future revision";
    assert_eq!(said(kv.range(future).await), refusal(Code::OutOfRange, text));
    let compaction = CompactionRequest { revision: 9, ..CompactionRequest::default() };
    assert_eq!(said(kv.compact(compaction).await), refusal(Code::OutOfRange, text));
    let put = |key: &str| {
        let put = PutRequest { key: key.to_owned().into(), ..PutRequest::default() };
        RequestOp { request: Some(request_op::Request::RequestPut(put)) }
    };
    let twice = TxnRequest { success: vec![put("a"), put("a")], ..TxnRequest::default() };
    assert_eq!(said(kv.txn(twice).await), refusal(Code::InvalidArgument, "duplicate key given in txn request"));
    let many = TxnRequest { success: (0..129).map(|number| put(&number.to_string())).collect(), ..TxnRequest::default() };
    assert_eq!(said(kv.txn(many).await), refusal(Code::InvalidArgument, "too many operations in txn request"));
}

#[tokio::test]
async fn what_is_not_built_says_so() {
    let cluster = Cluster::start(1, |_| {}).await;
    let channel = cluster.client(0).channel;
    let (code, text) = said(AuthClient::new(channel).role_list(AuthRoleListRequest {}).await);
    assert_eq!(code, Code::Unimplemented);
    assert!(text.contains("COMPATIBILITY.md"), "{text}");
}

#[tokio::test]
async fn headers_say_who_answers_and_when() {
    let cluster = Cluster::start(1, |_| {}).await;
    let client = cluster.client(0);
    client.put("a", "1").await.unwrap();
    let header = client.get("a").await.unwrap().header.unwrap();
    let member = cluster.members[0].as_ref().unwrap();
    assert_eq!((header.cluster_id, header.member_id), (member.cluster_id(), member.id()));
    assert_eq!((header.revision, header.raft_term), (2, 2));

    let list = ClusterClient::new(client.channel.clone()).member_list(MemberListRequest { linearizable: true }).await.unwrap();
    let list = list.into_inner();
    assert_eq!(list.header.unwrap().revision, 0, "the one header without a revision");
    assert_eq!(list.members[0].name, "m1");
    assert_eq!(list.members[0].client_ur_ls, [format!("http://{}", cluster.address(0))]);
}

#[tokio::test]
async fn only_the_leader_hands_leadership_over() {
    let cluster = Cluster::start(3, |_| {}).await;
    let leader = cluster.leader().await;
    let follower = (leader + 1) % 3;
    let target_id = cluster.members[follower].as_ref().unwrap().id();
    let moved = |index: usize, target_id| {
        let mut maintenance = MaintenanceClient::new(cluster.client(index).channel);
        async move { maintenance.move_leader(MoveLeaderRequest { target_id }).await }
    };
    let refusal = (Code::FailedPrecondition, "etcdserver: not leader".to_owned());
    assert_eq!(said(moved(follower, target_id).await), refusal);
    let refusal = (Code::FailedPrecondition, "etcdserver: bad leader transferee".to_owned());
    assert_eq!(said(moved(leader, 7).await), refusal);
    moved(leader, target_id).await.unwrap();
    assert_eq!(cluster.leader().await, follower);
}

#[tokio::test]
async fn a_member_without_a_leader_says_so_where_it_is_asked_to() {
    let mut cluster = Cluster::start(3, |_| {}).await;
    cluster.kill(1).await;
    cluster.kill(2).await;
    while cluster.client(0).status().await.unwrap().leader != 0 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let mut request = Request::new(RangeRequest { key: "a".into(), ..RangeRequest::default() });
    request.metadata_mut().insert("hasleader", "true".parse().unwrap());
    let refusal = (Code::Unavailable, "etcdserver: no leader".to_owned());
    let mut kv = KvClient::new(cluster.client(0).channel);
    assert_eq!(said(kv.range(request).await), refusal);

    let here = RangeRequest { key: "a".into(), serializable: true, ..RangeRequest::default() };
    assert_eq!(kv.range(here).await.unwrap().into_inner().count, 0, "its own state it may tell");
    assert_eq!(cluster.client(0).status().await.unwrap().errors, ["etcdserver: no leader"]);
    let health = (503, "{\"health\":\"false\",\"reason\":\"RAFT NO LEADER\"}\n".to_owned());
    assert_eq!(get(&cluster, "/health").await, health);
    assert_eq!(get(&cluster, "/health?serializable=true").await, (200, "{\"health\":\"true\",\"reason\":\"\"}".to_owned()));
    assert_eq!(get(&cluster, "/livez").await, (200, "ok\n".to_owned()));
}

/// What a counter shows.
async fn counted(cluster: &Cluster, metric: &str) -> u64 {
    let (_, metrics) = get(cluster, "/metrics").await;
    let value = metrics.lines().find_map(|line| line.strip_prefix(metric)?.strip_prefix(' ')?.parse().ok());
    value.unwrap_or_else(|| panic!("{metric} is missing in\n{metrics}"))
}

#[tokio::test]
async fn large_reads_that_wait_for_a_leader_keep_nobody_from_reading_here() {
    let mut cluster = Cluster::start(3, |_| {}).await;
    cluster.kill(1).await;
    cluster.kill(2).await;
    while cluster.client(0).status().await.unwrap().leader != 0 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let kv = KvClient::new(cluster.client(0).channel);
    let everything = RangeRequest { key: "\0".into(), range_end: "\0".into(), ..RangeRequest::default() };
    let before = counted(&cluster, "etcd_mvcc_range_total").await;
    let waiting: Vec<_> = (0..40)
        .map(|_| {
            let (mut kv, everything) = (kv.clone(), everything.clone());
            tokio::spawn(async move { kv.range(everything).await })
        })
        .collect();
    while counted(&cluster, "etcd_mvcc_range_total").await < before + 40 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let here = RangeRequest { serializable: true, ..everything };
    let answer = kv.clone().range(here).await.unwrap().into_inner();
    assert_eq!(answer.count, 0);
    assert!(waiting.iter().all(|read| !read.is_finished()), "they wait for their quorum still");
    for read in waiting {
        read.abort();
    }
}

#[tokio::test]
async fn answers_that_nobody_has_taken_count_before_more_are_made() {
    const KEYS: usize = 8;
    let cluster = Cluster::start(1, |config| config.unsent_bytes_max = 4 << 20).await;
    let client = cluster.client(0);
    for key in 0..KEYS {
        client.put(&format!("large/{key}"), &"x".repeat(1 << 20)).await.unwrap();
    }
    client.put("small", "x").await.unwrap();
    // Few keys are asked for, and nobody knows how large they are. All ask at once, here and of the quorum.
    let kv = KvClient::new(client.channel.clone()).max_decoding_message_size(usize::MAX);
    for serializable in [false, true] {
        let few = RangeRequest {
            key: "large/".into(),
            range_end: "large0".into(),
            limit: 1000,
            serializable,
            ..RangeRequest::default()
        };
        let asked: Vec<_> = (0..64)
            .map(|_| {
                let (mut kv, few) = (kv.clone(), few.clone());
                tokio::spawn(async move { kv.range(few).await })
            })
            .collect();
        let mut refused = 0;
        for read in asked {
            match read.await.unwrap() {
                Ok(answer) => assert_eq!(answer.into_inner().kvs.len(), KEYS),
                Err(status) => {
                    assert_eq!(status.message(), "etcdserver: too many requests");
                    refused += 1;
                }
            }
        }
        assert!((1..64).contains(&refused), "{refused} of 64 were refused");
        // They were taken, and there is room again.
        assert_eq!(kv.clone().range(few).await.unwrap().into_inner().kvs.len(), KEYS);
    }
    assert_eq!(client.get("small").await.unwrap().count, 1);
}

#[tokio::test]
async fn plain_http_answers_on_the_same_port() {
    let cluster = Cluster::start(1, |_| {}).await;
    cluster.client(0).put("a", "1").await.unwrap();
    assert_eq!(get(&cluster, "/health").await, (200, "{\"health\":\"true\",\"reason\":\"\"}".to_owned()));
    let ready = "[+]data_corruption ok\n[+]serializable_read ok\n[+]linearizable_read ok\nok\n".to_owned();
    assert_eq!(get(&cluster, "/readyz?verbose").await, (200, ready));
    assert_eq!(
        get(&cluster, "/readyz?verbose&exclude=data_corruption&exclude=linearizable_read").await.1,
        "[+]serializable_read ok\nok\n"
    );
    assert_eq!(get(&cluster, "/readyz/linearizable_read").await, (200, "ok\n".to_owned()));
    assert_eq!(get(&cluster, "/readyz/nonsense").await.0, 404);
    assert_eq!(get(&cluster, "/nonsense").await, (404, "404 page not found\n".to_owned()));

    let (status, metrics) = get(&cluster, "/metrics").await;
    assert_eq!(status, 200);
    for line in [
        "etcd_server_version{server_version=\"3.5.16\"} 1",
        "etcd_server_has_leader 1",
        "etcd_server_is_leader 1",
        "etcd_mvcc_put_total 1",
        "etcd_debugging_mvcc_keys_total 1",
        "grpc_server_handled_total{grpc_code=\"OK\",grpc_method=\"Put\",grpc_service=\"etcdserverpb.KV\",grpc_type=\"unary\"} 1",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is missing in\n{metrics}");
    }
    let (status, text) = get(&cluster, "/quorate/status").await;
    assert_eq!(status, 200);
    assert!(
        text.contains("\"name\":\"m1\"") && text.contains("\"role\":\"leader\"") && text.contains("\"decisions\":[{"),
        "{text}"
    );
}

#[tokio::test]
async fn the_leader_sets_the_version_of_the_cluster() {
    let cluster = Cluster::start(3, |_| {}).await;
    let wanted = r#"{"etcdserver":"3.5.16","etcdcluster":"3.5.0"}"#;
    while get(&cluster, "/version").await.1 != wanted {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
