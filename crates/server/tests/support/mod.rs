#![allow(dead_code, reason = "each test uses a part of it")]

//! Clusters of members in this process, on free ports and in folders that go away.

#[path = "../../../../tests/support/ports.rs"]
#[allow(unreachable_pub, reason = "it is theirs as well")]
mod ports;

use etcd::bootstrap::MemberSpec;
use etcd::pb::etcdserverpb::kv_client::KvClient;
use etcd::pb::etcdserverpb::maintenance_client::MaintenanceClient;
use etcd::pb::etcdserverpb::{PutRequest, PutResponse, RangeRequest, RangeResponse, StatusRequest, StatusResponse};
use etcd::url::Url;
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::rt::TokioExecutor;
use server::etcd::{Config, Member};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};

/// A folder that goes away with this value.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// An empty folder.
    pub(crate) fn new() -> Folder {
        let unique = format!("quorate-server-{}-{}", std::process::id(), free_port());
        let path = std::env::temp_dir().join(unique);
        std::fs::create_dir_all(&path).expect("a temporary folder");
        Folder(path)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A port that nobody uses.
pub(crate) fn free_port() -> u16 {
    ports::free_ports(1)[0]
}

/// The URL of a port of this machine.
pub(crate) fn local(port: u16) -> Url {
    Url::parse(&format!("http://127.0.0.1:{port}")).expect("a URL")
}

/// Members of one cluster, some of them running.
pub(crate) struct Cluster {
    pub(crate) folder: Folder,
    pub(crate) configs: Vec<Config>,
    pub(crate) members: Vec<Option<Member>>,
}

impl Cluster {
    /// A cluster of `count` members, all running, with `adjust`ed settings.
    pub(crate) async fn start(count: usize, adjust: impl Fn(&mut Config)) -> Cluster {
        let mut cluster = Cluster::planned(count, adjust);
        // Together: founding a cluster takes a quorum.
        let starting: Vec<_> = cluster.configs.iter().map(|config| tokio::spawn(Member::start(config.clone()))).collect();
        for (index, member) in starting.into_iter().enumerate() {
            cluster.members[index] = Some(member.await.expect("no panic").expect("a member starts"));
        }
        for member in cluster.members.iter_mut().flatten() {
            assert!(member.ready().await, "a member ended before it was ready");
        }
        cluster
    }

    /// A cluster of which nobody runs yet.
    pub(crate) fn planned(count: usize, adjust: impl Fn(&mut Config)) -> Cluster {
        let folder = Folder::new();
        let peers: Vec<u16> = (0..count).map(|_| free_port()).collect();
        let specs: Vec<MemberSpec> = (1..)
            .zip(&peers)
            .map(|(number, &port)| MemberSpec { name: format!("m{number}"), peer_urls: vec![local(port)] })
            .collect();
        let configs = specs.iter().zip(peers).map(|(spec, peer)| {
            let mut config = Config::new(&spec.name, folder.path().join(&spec.name));
            config.listen_peer_urls = vec![local(peer)];
            config.initial_advertise_peer_urls = vec![local(peer)];
            config.listen_client_urls = vec![local(free_port())];
            config.advertise_client_urls = config.listen_client_urls.clone();
            config.initial_cluster = specs.clone();
            adjust(&mut config);
            config
        });
        Cluster { configs: configs.collect(), members: (0..count).map(|_| None).collect(), folder }
    }

    /// Starts a member.
    pub(crate) async fn run(&mut self, index: usize) {
        let member = Member::start(self.configs[index].clone()).await.expect("a member starts");
        self.members[index] = Some(member);
    }

    /// Ends a member as `kill -9` does.
    pub(crate) async fn kill(&mut self, index: usize) {
        self.members[index].take().expect("it runs").kill().await;
    }

    /// Ends a member as SIGTERM does.
    pub(crate) async fn stop(&mut self, index: usize) {
        self.members[index].take().expect("it runs").stop().await.expect("it stops in peace");
    }

    /// The authority of a member's client port.
    pub(crate) fn address(&self, index: usize) -> &str {
        self.configs[index].listen_client_urls[0].as_str().trim_start_matches("http://")
    }

    /// A client of one member.
    pub(crate) fn client(&self, index: usize) -> Client {
        let channel = Endpoint::from_shared(format!("http://{}", self.address(index))).expect("an endpoint").connect_lazy();
        Client { channel }
    }

    /// What plain HTTP on a member's client port answers.
    pub(crate) async fn http(&self, index: usize, path: &str) -> (u16, String) {
        let client: HttpClient<_, Empty<Bytes>> = HttpClient::builder(TokioExecutor::new()).build_http();
        let url = format!("http://{}{path}", self.address(index)).parse().expect("a URL");
        let answer = client.get(url).await.expect("an answer");
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.expect("a body").to_bytes();
        (status, String::from_utf8(body.to_vec()).expect("text"))
    }

    /// Which member leads, once those that run agree.
    pub(crate) async fn leader(&self) -> usize {
        loop {
            let mut leaders = Vec::new();
            for (index, _) in self.members.iter().enumerate().filter(|(_, member)| member.is_some()) {
                leaders.push(self.client(index).status().await.map(|status| status.leader).unwrap_or(0));
            }
            leaders.dedup();
            let index = self.members.iter().position(|member| member.as_ref().is_some_and(|member| leaders == [member.id()]));
            if let Some(index) = index {
                return index;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// A client of one member.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) channel: Channel,
}

impl Client {
    pub(crate) async fn put(&self, key: &str, value: &str) -> Result<PutResponse, Status> {
        let request = PutRequest { key: key.to_owned().into(), value: value.to_owned().into(), ..PutRequest::default() };
        Ok(KvClient::new(self.channel.clone()).put(request).await?.into_inner())
    }

    pub(crate) async fn get(&self, key: &str) -> Result<RangeResponse, Status> {
        let request = RangeRequest { key: key.to_owned().into(), ..RangeRequest::default() };
        Ok(KvClient::new(self.channel.clone()).range(request).await?.into_inner())
    }

    /// The value of a key that there must be.
    pub(crate) async fn value(&self, key: &str) -> String {
        let answer = self.get(key).await.expect("an answer");
        let value = answer.kvs.first().unwrap_or_else(|| panic!("there is no {key}")).value.clone();
        String::from_utf8(value.to_vec()).expect("text")
    }

    pub(crate) async fn status(&self) -> Result<StatusResponse, Status> {
        Ok(MaintenanceClient::new(self.channel.clone()).status(StatusRequest::default()).await?.into_inner())
    }
}
