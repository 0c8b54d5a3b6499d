//! What a member says about itself at `/quorate/status`.

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use std::time::Duration;

/// How a member is.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
pub(super) struct Report {
    /// Its id, in hex.
    pub(super) id: String,
    /// Its process.
    #[serde(default)]
    pub(super) pid: u32,
    /// leader, follower, candidate, pre-candidate; ZooKeeper: leader, follower, observer, looking.
    pub(super) role: String,
    /// The term; ZooKeeper's epoch.
    pub(super) term: u64,
    /// The leader's id, in hex, if it knows of one.
    pub(super) leader: Option<String>,
    /// The last entry known to be committed. etcd only.
    #[serde(default)]
    pub(super) commit: u64,
    /// The last entry applied. etcd only.
    #[serde(default)]
    pub(super) applied: u64,
    /// The round of its last election. ZooKeeper only.
    #[serde(default)]
    pub(super) round: i64,
    /// The last transaction applied, as "0x100000003". ZooKeeper only.
    #[serde(default)]
    pub(super) zxid: String,
    /// The latest decisions, oldest first.
    #[serde(default)]
    pub(super) decisions: Vec<Decision>,
}

/// Why a member did what it did.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Deserialize)]
pub(super) struct Decision {
    /// Milliseconds since 1970.
    pub(super) wall_ms: u64,
    /// "stood for election in term 3: its link to 8e9e05c52164694d was refused".
    pub(super) text: String,
}

/// Asks members, over connections that stay open.
#[derive(Clone)]
pub(super) struct Asker {
    client: Client<HttpConnector, Empty<Bytes>>,
}

impl Asker {
    pub(super) fn new() -> Asker {
        Asker { client: Client::builder(TokioExecutor::new()).build_http() }
    }

    /// What the member at this client URL says, if it does so soon.
    pub(super) async fn ask(&self, client_url: &str, patience: Duration) -> Option<Report> {
        let uri = format!("{client_url}/quorate/status").parse().ok()?;
        let asked = async {
            let answer = self.client.get(uri).await.ok().filter(|answer| answer.status().is_success())?;
            let body = answer.into_body().collect().await.ok()?.to_bytes();
            serde_json::from_slice(&body).ok()
        };
        tokio::time::timeout(patience, asked).await.ok().flatten()
    }
}
