//! The HTTP around peer messages: paths, headers, and the words with which a request is refused.
//!
//! Members dial each other both ways, and each only *reads* from the streams that it dialled: it writes into those that the other
//! opened. Go etcd reads meaning from some refusals. 410 on a stream and 403 on a POST mean "permanently removed", whereupon the
//! Go server **stops itself**; whoever is merely unknown gets 404.

use crate::version::{MIN_CLUSTER, SERVER, Version};
use consensus::NodeId;

/// POST of one message, bare.
pub const RAFT: &str = "/raft";
/// POST of a snapshot: a framed message, then the snapshot's own bytes to the end of the body.
pub const SNAPSHOT: &str = "/raft/snapshot";
/// Answered with [`crate::json::Probe`] and a newline.
pub const PROBING: &str = "/raft/probing";
/// GET: a JSON list of [`crate::json::Member`], by id, and a newline.
pub const MEMBERS: &str = "/members";
/// GET: [`crate::json::Versions`].
pub const VERSION: &str = "/version";

/// POST of a LeaseKeepAliveRequest, to the leader.
pub const LEASES: &str = "/leases";
/// POST of a LeaseInternalRequest, to the leader.
pub const LEASES_INTERNAL: &str = "/leases/internal";
/// GET with a body of [`crate::json::HashKvQuestion`]: [`crate::json::HashKvAnswer`].
pub const HASH_KV: &str = "/members/hashkv";

/// Who sends the request, in hex.
pub const SERVER_FROM: &str = "x-server-from";
/// The sender's version. A Go server that finds nonsense here dies, and of its absence it concludes 2.0.0.
pub const SERVER_VERSION: &str = "x-server-version";
/// The oldest version that the sender works with.
pub const MIN_CLUSTER_VERSION: &str = "x-min-cluster-version";
/// The cluster's id, in hex; in requests and in answers.
pub const CLUSTER_ID: &str = "x-etcd-cluster-id";
/// Where the sender can be reached, comma-joined: how a member that lags learns of one that it does not know.
pub const PEER_URLS: &str = "x-peerurls";
/// On streams: whom the sender believes to have reached, in hex.
pub const RAFT_TO: &str = "x-raft-to";

/// The content type of a message.
pub const PROTOBUF: &str = "application/protobuf";
/// The content type of a snapshot.
pub const OCTET_STREAM: &str = "application/octet-stream";
/// The status after a POST was taken: no content. Anything else counts as a failure.
pub const TAKEN: u16 = 204;

/// The two streams that a member opens to each other member.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Stream {
    /// Appends ([`super::msgapp`]).
    MsgApp,
    /// Everything else ([`super::frame`]).
    Message,
}

impl Stream {
    /// Both.
    pub const ALL: [Stream; 2] = [Stream::MsgApp, Stream::Message];

    /// What `from` asks for with GET, to read from it what the other side says.
    pub fn path(self, from: NodeId) -> String {
        format!("{}/{from}", self.prefix())
    }

    fn prefix(self) -> &'static str {
        match self {
            Stream::MsgApp => "/raft/stream/msgapp",
            Stream::Message => "/raft/stream/message",
        }
    }

    /// Which stream is asked for, and by whom.
    pub fn parse(path: &str) -> Result<(Stream, NodeId), Refusal> {
        let (prefix, from) = path.rsplit_once('/').ok_or(Refusal::InvalidPath)?;
        let stream = Stream::ALL.into_iter().find(|stream| stream.prefix() == prefix).ok_or(Refusal::InvalidPath)?;
        Ok((stream, parse_id(from).ok_or(Refusal::InvalidFrom)?))
    }
}

/// The id that hexadecimal digits spell.
pub fn parse_id(hex: &str) -> Option<NodeId> {
    // Rust would take a plus sign.
    let digits = hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    if digits { u64::from_str_radix(hex, 16).ok().map(NodeId) } else { None }
}

/// Why a peer's request is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// One is too old for the other.
    IncompatibleVersion,
    /// The sender belongs to another cluster.
    ClusterIdMismatch,
    /// No such stream.
    InvalidPath,
    /// The sender's id is no number.
    InvalidFrom,
    /// The sender was removed from the cluster: for a Go server the order to stop.
    Removed,
    /// The sender is not known (yet).
    SenderNotFound,
    /// The sender believes to talk to somebody else.
    ToMismatch,
    /// The body broke off.
    Unreadable,
    /// The body is no message.
    Undecodable,
    /// The message was not for us, or could not be taken.
    NotProcessed,
    /// The wrong method; the answer names the right one in `Allow`.
    MethodNotAllowed,
}

impl Refusal {
    /// The HTTP status.
    pub fn status(self) -> u16 {
        match self {
            Refusal::IncompatibleVersion | Refusal::ClusterIdMismatch | Refusal::ToMismatch => 412,
            Refusal::InvalidPath | Refusal::InvalidFrom | Refusal::SenderNotFound => 404,
            Refusal::Removed => 410,
            Refusal::Unreadable | Refusal::Undecodable => 400,
            Refusal::NotProcessed => 500,
            Refusal::MethodNotAllowed => 405,
        }
    }

    /// The body, whose newline belongs to it. Go compares the first two word for word.
    pub fn body(self) -> &'static str {
        match self {
            Refusal::IncompatibleVersion => "incompatible version\n",
            Refusal::ClusterIdMismatch => "cluster ID mismatch\n",
            Refusal::InvalidPath => "invalid path\n",
            Refusal::InvalidFrom => "invalid from\n",
            Refusal::Removed => "removed member\n",
            Refusal::SenderNotFound => "error sender not found\n",
            Refusal::ToMismatch => "to field mismatch\n",
            Refusal::Unreadable => "error reading raft message\n",
            Refusal::Undecodable => "error unmarshalling raft message\n",
            Refusal::NotProcessed => "error processing raft message\n",
            Refusal::MethodNotAllowed => "Method Not Allowed\n",
        }
    }

    /// What another server's refusal means; `None` for statuses that say nothing in particular.
    pub fn read(status: u16, body: &str) -> Option<Refusal> {
        let all = [
            Refusal::IncompatibleVersion,
            Refusal::ClusterIdMismatch,
            Refusal::ToMismatch,
            Refusal::InvalidPath,
            Refusal::InvalidFrom,
            Refusal::SenderNotFound,
            Refusal::Unreadable,
            Refusal::Undecodable,
            Refusal::NotProcessed,
            Refusal::MethodNotAllowed,
        ];
        match status {
            403 | 410 => Some(Refusal::Removed),
            _ => all.into_iter().find(|refusal| refusal.status() == status && refusal.body().trim_end() == body.trim_end()),
        }
    }
}

/// Whether a request with these headers comes from a member of this cluster that we can talk to.
pub fn check(
    server_version: Option<&str>,
    min_cluster_version: Option<&str>,
    cluster_id: Option<&str>,
    ours: u64,
) -> Result<(), Refusal> {
    if !compatible(server_version, min_cluster_version) {
        return Err(Refusal::IncompatibleVersion);
    }
    // Compared as text, as Go does: an id with leading zeros is another.
    if cluster_id != Some(format!("{ours:x}").as_str()) {
        return Err(Refusal::ClusterIdMismatch);
    }
    Ok(())
}

/// Whether neither side is too old for the other, up to the minor version. A version that is not said is 2.0.0, one that is none
/// is incompatible.
fn compatible(server: Option<&str>, min_cluster: Option<&str>) -> bool {
    let release = |text: Option<&str>| Version::parse(text.unwrap_or("2.0.0")).map(Version::release);
    match (release(server), release(min_cluster), release(Some(SERVER)), release(Some(MIN_CLUSTER))) {
        (Some(server), Some(min_cluster), Some(our_server), Some(our_min_cluster)) => {
            server >= our_min_cluster && min_cluster <= our_server
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_asked_for_by_path() {
        let from = NodeId(0x8e9e_05c5_2164_694d);
        assert_eq!(Stream::MsgApp.path(from), "/raft/stream/msgapp/8e9e05c52164694d");
        for stream in Stream::ALL {
            assert_eq!(Stream::parse(&stream.path(from)), Ok((stream, from)));
        }
        assert_eq!(Stream::parse("/raft/stream/msgapp/0008"), Ok((Stream::MsgApp, NodeId(8))));
        assert_eq!(Stream::parse("/raft/stream/mail/8"), Err(Refusal::InvalidPath));
        assert_eq!(Stream::parse("nonsense"), Err(Refusal::InvalidPath));
        for from in ["", "+8", "-8", "g", "11111111111111111"] {
            assert_eq!(Stream::parse(&format!("/raft/stream/message/{from}")), Err(Refusal::InvalidFrom), "{from}");
        }
    }

    #[test]
    fn neither_side_may_be_too_old() {
        assert!(compatible(Some("3.5.16"), Some("3.0.0")));
        assert!(compatible(Some("3.7.1"), Some("3.0.0")), "newer, but content with us");
        assert!(compatible(Some("3.7.1"), Some("3.5.99")), "patches do not count");
        assert!(!compatible(Some("2.3.8"), Some("2.1.0")), "older than we take");
        assert!(!compatible(Some("4.0.0"), Some("3.6.0")), "it takes nothing as old as us");
        assert!(!compatible(None, None), "not said is 2.0.0");
        assert!(!compatible(Some("nonsense"), Some("3.0.0")));
    }

    #[test]
    fn members_of_other_clusters_are_refused() {
        let check = |id| check(Some("3.5.16"), Some("3.0.0"), id, 0xcdf8_1819_4e3a_8c32);
        assert_eq!(check(Some("cdf818194e3a8c32")), Ok(()));
        assert_eq!(check(Some("cdf818194e3a8c33")), Err(Refusal::ClusterIdMismatch));
        assert_eq!(check(None), Err(Refusal::ClusterIdMismatch));
    }

    #[test]
    fn refusals_can_be_read_back() {
        assert_eq!(Refusal::read(412, "cluster ID mismatch\n"), Some(Refusal::ClusterIdMismatch));
        assert_eq!(Refusal::read(410, "removed member\n"), Some(Refusal::Removed));
        assert_eq!(Refusal::read(403, "whatever"), Some(Refusal::Removed));
        assert_eq!(Refusal::read(404, "404 page not found\n"), None);
    }
}
