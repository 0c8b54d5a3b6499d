//! How strangers and old acquaintances are refused on the peer port: Go members match status and text.

mod support;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Method, Request};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::rt::TokioExecutor;
use support::Cluster;

struct Asked<'a> {
    method: Method,
    path: &'a str,
    headers: &'a [(&'a str, &'a str)],
    body: &'static [u8],
}

async fn ask(cluster: &Cluster, asked: Asked<'_>) -> (u16, String) {
    let client: HttpClient<_, Full<Bytes>> = HttpClient::builder(TokioExecutor::new()).build_http();
    let url = cluster.configs[0].listen_peer_urls[0].as_str();
    let mut request = Request::builder().method(asked.method).uri(format!("{url}{}", asked.path));
    for (name, value) in asked.headers {
        request = request.header(*name, *value);
    }
    let answer = client.request(request.body(Full::from(asked.body)).unwrap()).await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn streams_and_messages_are_refused_as_etcd_refuses_them() {
    let cluster = Cluster::start(1, |_| {}).await;
    let member = cluster.members[0].as_ref().unwrap();
    let (me, id) = (format!("{:x}", member.id()), format!("{:x}", member.cluster_id()));
    let known = [("x-server-version", "3.5.16"), ("x-min-cluster-version", "3.0.0")];
    let ours = [known[0], known[1], ("x-etcd-cluster-id", id.as_str()), ("x-raft-to", me.as_str())];
    let get = |path, headers| ask(&cluster, Asked { method: Method::GET, path, headers, body: b"" });
    let post = |path, headers, body| ask(&cluster, Asked { method: Method::POST, path, headers, body });
    let refused = |status: u16, text: &str| (status, format!("{text}\n"));

    assert_eq!(get("/raft/stream/msgapp/1", &[]).await, refused(412, "incompatible version"));
    assert_eq!(get("/raft/stream/msgapp/1", &known).await, refused(412, "cluster ID mismatch"));
    assert_eq!(get("/raft/stream/nonsense/1", &ours).await, refused(404, "invalid path"));
    assert_eq!(get("/raft/stream/msgapp/x", &ours).await, refused(404, "invalid from"));
    assert_eq!(get("/raft/stream/msgapp/1", &ours).await, refused(404, "error sender not found"));
    assert_eq!(post("/raft/stream/msgapp/1", &ours, b"").await, refused(405, "Method Not Allowed"));
    assert_eq!(get("/raft", &ours).await, refused(405, "Method Not Allowed"));
    assert_eq!(post("/raft", &ours, b"nonsense").await, refused(400, "error unmarshalling raft message"));
    // A heartbeat of a stranger: type 8, to 1, from 2, term 3.
    let heartbeat = &[0x08, 8, 0x10, 1, 0x18, 2, 0x20, 3];
    assert_eq!(post("/raft", &ours, heartbeat).await, refused(500, "error processing raft message"));
    assert_eq!(get("/nonsense", &[]).await, refused(404, "404 page not found"));
}

#[tokio::test]
async fn members_and_versions_are_told_to_whom_asks() {
    let cluster = Cluster::start(1, |_| {}).await;
    let get = |path| ask(&cluster, Asked { method: Method::GET, path, headers: &[], body: b"" });
    let id = cluster.members[0].as_ref().unwrap().id();
    let (peer, client) = (cluster.configs[0].listen_peer_urls[0].as_str(), cluster.address(0));
    let members = format!("[{{\"id\":{id},\"peerURLs\":[\"{peer}\"],\"name\":\"m1\",\"clientURLs\":[\"http://{client}\"]}}]\n");
    assert_eq!(get("/members").await, (200, members));
    assert!(get("/version").await.1.starts_with(r#"{"etcdserver":"3.5.16","etcdcluster":""#));
    assert!(get("/raft/probing").await.1.starts_with(r#"{"OK":true,"Now":"20"#));
}
