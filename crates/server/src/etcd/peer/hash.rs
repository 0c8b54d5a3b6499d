//! HashKV between members: the question, and both sides of the answer.

use super::http::{HttpClient, HttpError, full, refusal, request, whole};
use bytes::Bytes;
use etcd::json::{self, HashKvAnswer, HashKvHeader, HashKvQuestion};
use etcd::peer::http::{CLUSTER_ID, HASH_KV, Refusal};
use etcd::url::Url;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, StatusCode};
use keyspace::{HashKv, KeyspaceError};
use std::time::Duration;

/// Why a member gave no checksum.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoHash {
    /// It has compacted that revision.
    #[error("it has compacted that revision")]
    Compacted,
    /// It is not there yet.
    #[error("it is not at that revision yet")]
    FutureRevision,
    /// It belongs to another cluster.
    #[error("it belongs to another cluster")]
    OtherCluster,
    /// It has no address.
    #[error("it has no URL that can be asked")]
    Nowhere,
    /// It could not be reached.
    #[error(transparent)]
    Unreached(#[from] HttpError),
    /// It said something else.
    #[error("{0}")]
    Refused(String),
}

/// Asks a member at its URLs, one after the other.
pub(crate) async fn ask(
    client: &HttpClient,
    cluster: u64,
    urls: &[Url],
    revision: i64,
    patience: Duration,
) -> Result<HashKv, NoHash> {
    let mut last = NoHash::Nowhere;
    for url in urls {
        let asked = tokio::time::timeout(patience, ask_at(client, cluster, url, revision)).await;
        match asked.unwrap_or(Err(HttpError::TimedOut(patience).into())) {
            Ok(hash) => return Ok(hash),
            Err(why) => last = why,
        }
    }
    Err(last)
}

async fn ask_at(client: &HttpClient, cluster: u64, url: &Url, revision: i64) -> Result<HashKv, NoHash> {
    let question = full(json::to_string(&HashKvQuestion { revision }).into());
    // Go asks by a GET that has a body.
    let mut request = request(Method::GET, url, HASH_KV, question)?;
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CLUSTER_ID, HeaderValue::from_str(&format!("{cluster:x}")).expect("digits"));
    let (head, body) = whole(client.ask(request).await?).await?;
    let text = String::from_utf8_lossy(&body);
    let contains = |error: KeyspaceError| text.contains(words(&error));
    match head.status() {
        StatusCode::OK => {}
        StatusCode::BAD_REQUEST if contains(KeyspaceError::Compacted) => return Err(NoHash::Compacted),
        StatusCode::BAD_REQUEST if contains(KeyspaceError::FutureRevision) => return Err(NoHash::FutureRevision),
        StatusCode::PRECONDITION_FAILED if text.contains(Refusal::ClusterIdMismatch.body().trim_end()) => {
            return Err(NoHash::OtherCluster);
        }
        status => return Err(NoHash::Refused(refusal(status, &body))),
    }
    let answer: HashKvAnswer =
        json::from_slice("a checksum", &body).map_err(|malformed| NoHash::Refused(malformed.to_string()))?;
    Ok(HashKv {
        revision: answer.header.revision,
        hash: answer.hash,
        compact_revision: answer.compact_revision,
        hash_revision: if revision == 0 { answer.header.revision } else { revision },
    })
}

/// The revision that a question asks for.
pub(super) fn asked(body: &Bytes) -> Option<i64> {
    json::from_slice::<HashKvQuestion>("a question for a checksum", body).ok().map(|question| question.revision)
}

/// The answer: as Go's json.Marshal writes it.
pub(super) fn answer(hash: &HashKv) -> String {
    let HashKv { revision, hash, compact_revision, .. } = *hash;
    json::to_string(&HashKvAnswer { header: HashKvHeader { revision }, hash, compact_revision })
}

/// The text of a refusal, by which Go knows it.
pub(super) fn words(error: &KeyspaceError) -> &'static str {
    match error {
        KeyspaceError::Compacted => "mvcc: required revision has been compacted",
        KeyspaceError::FutureRevision => "mvcc: required revision is a future revision",
        _ => "mvcc: no checksum",
    }
}
