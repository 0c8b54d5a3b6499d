//! What members tell each other about themselves in HTTP headers.

use consensus::NodeId;
use etcd::peer::http::{CLUSTER_ID, MIN_CLUSTER_VERSION, PEER_URLS, Refusal, SERVER_FROM, SERVER_VERSION, check};
use etcd::url::Url;
use etcd::version::{MIN_CLUSTER, SERVER};
use hyper::header::{HeaderMap, HeaderValue};

/// Ours: differs whenever the member's process is another than before. Go members neither send nor mind it.
pub(crate) const INCARNATION: &str = "x-quorate-incarnation";

/// Who this member is, as it says on every connection to another member.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) me: NodeId,
    pub(crate) cluster: u64,
    pub(crate) incarnation: u64,
    /// Comma-joined, as `X-PeerURLs` has them.
    peer_urls: String,
}

impl Identity {
    pub(crate) fn new(me: NodeId, cluster: u64, incarnation: u64, peer_urls: &[Url]) -> Identity {
        let peer_urls = peer_urls.iter().map(Url::as_str).collect::<Vec<_>>().join(",");
        Identity { me, cluster, incarnation, peer_urls }
    }

    /// The headers of a request to another member.
    pub(crate) fn put_on_request(&self, headers: &mut HeaderMap) {
        headers.insert(SERVER_FROM, text(&self.me));
        headers.insert(SERVER_VERSION, HeaderValue::from_static(SERVER));
        headers.insert(MIN_CLUSTER_VERSION, HeaderValue::from_static(MIN_CLUSTER));
        headers.insert(CLUSTER_ID, text(&format_args!("{:x}", self.cluster)));
        headers.insert(INCARNATION, text(&format_args!("{:x}", self.incarnation)));
        headers.insert(PEER_URLS, text(&self.peer_urls));
    }

    /// The headers of an answer on `/raft*`; streams say the version, too.
    pub(crate) fn put_on_answer(&self, headers: &mut HeaderMap, stream: bool) {
        headers.insert(CLUSTER_ID, text(&format_args!("{:x}", self.cluster)));
        if stream {
            headers.insert(SERVER_VERSION, HeaderValue::from_static(SERVER));
            headers.insert(INCARNATION, text(&format_args!("{:x}", self.incarnation)));
        }
    }

    /// Whether a request with these headers comes from a member of this cluster that can work with this one.
    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        // A header that is no text is one that says nonsense, not one that is missing.
        let said = |name| headers.get(name).map(|value| value.to_str().unwrap_or(""));
        check(said(SERVER_VERSION), said(MIN_CLUSTER_VERSION), said(CLUSTER_ID), self.cluster)
    }
}

/// What the other side says of its process; 0 if it does not.
pub(crate) fn incarnation(headers: &HeaderMap) -> u64 {
    headers.get(INCARNATION).and_then(|value| u64::from_str_radix(value.to_str().ok()?, 16).ok()).unwrap_or(0)
}

fn text(value: &impl ToString) -> HeaderValue {
    // URLs may hold what no header can; then the header says nothing.
    HeaderValue::from_str(&value.to_string()).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_one_cluster_welcome_each_other_and_nobody_else() {
        let ours = Identity::new(NodeId(0x8211_f1d0_f64f_3269), 0xef37_ad9d_c622_a7c4, 7, &[]);
        let mut headers = HeaderMap::new();
        ours.put_on_request(&mut headers);
        assert_eq!(headers[SERVER_FROM], "8211f1d0f64f3269");
        assert_eq!(headers[CLUSTER_ID], "ef37ad9dc622a7c4");
        assert_eq!(incarnation(&headers), 7);
        assert_eq!(ours.check(&headers), Ok(()));

        let theirs = Identity::new(NodeId(1), 2, 3, &[]);
        assert_eq!(theirs.check(&headers), Err(Refusal::ClusterIdMismatch));
        headers.insert(SERVER_VERSION, HeaderValue::from_static("2.3.8"));
        assert_eq!(ours.check(&headers), Err(Refusal::IncompatibleVersion));
        headers.remove(SERVER_VERSION);
        assert_eq!(ours.check(&headers), Err(Refusal::IncompatibleVersion));
    }
}
