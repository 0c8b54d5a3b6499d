//! Members in this process, over real sockets and a real disk.

mod support;

use support::Cluster;

#[tokio::test]
async fn one_member_serves_alone() {
    let cluster = Cluster::start(1, |_| {}).await;
    let client = cluster.client(0);
    assert_eq!(client.put("a", "1").await.unwrap().header.unwrap().revision, 2);
    assert_eq!(client.value("a").await, "1");
}

#[tokio::test]
async fn three_members_elect_and_serve() {
    let cluster = Cluster::start(3, |_| {}).await;
    let leader = cluster.leader().await;
    cluster.client(leader).put("a", "1").await.unwrap();
    for index in 0..3 {
        cluster.client(index).put(&format!("from {index}"), "x").await.unwrap();
        assert_eq!(cluster.client(index).value("a").await, "1");
    }
}
