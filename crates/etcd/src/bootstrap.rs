//! How a cluster begins, the same on every member without a word between them.
//!
//! ```text
//! member id  = first 8 bytes of SHA-1( its peer URLs, sorted ‖ the cluster's token [‖ unix seconds, if added later] )
//! cluster id = first 8 bytes of SHA-1( the member ids, ascending, 8 bytes each )
//! ```
//!
//! The log begins with one entry per member, in order of id, all at term 1 and committed at once: each adds that member. Members
//! of different make must agree on these bytes, because a leader sends them to whoever joins later.

use crate::conf_change::ConfChange;
use crate::url::{Url, UrlError};
use consensus::{Configuration, Entry, EntryKind, NodeId, Position, Promise};
use keyspace::MemberChange;
use sha1::{Digest, Sha1};
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;

/// The term of a cluster's first entries.
pub const FIRST_TERM: u64 = 1;

/// A member as `--initial-cluster` names it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MemberSpec {
    /// Its name.
    pub name: String,
    /// Where peers find it, in order of text.
    pub peer_urls: Vec<Url>,
}

/// What a member of a new cluster begins with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bootstrap {
    /// The cluster's id.
    pub cluster_id: u64,
    /// Each member's id, by name.
    pub ids: BTreeMap<String, NodeId>,
    /// The first entries of the log.
    pub entries: Vec<Entry>,
    /// Term 1, no vote, all entries committed.
    pub promise: Promise,
    /// All members vote. In force once the entries are applied.
    pub configuration: Configuration,
}

/// What is wrong with `--initial-cluster`.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ClusterError {
    /// Nobody.
    #[error("names no member; write name=http://host:port, separated by commas")]
    Empty,
    /// A part without `=`, or with nothing before it.
    #[error("{0:?} does not say whose URL it is; write name=http://host:port")]
    NameMissing(String),
    /// Not a URL.
    #[error("the URL of {name:?}: {source}")]
    Url {
        /// Whose.
        name: String,
        /// What is wrong with it.
        source: UrlError,
    },
    /// A URL that is there twice.
    #[error("{url} is named twice, for {first:?} and for {second:?}; each URL belongs to one member")]
    Duplicate {
        /// The URL.
        url: String,
        /// Whose.
        first: String,
        /// Whose, too.
        second: String,
    },
}

/// The members that a text like `m1=http://a:2380,m2=http://b:2380` names, by name. A member with several URLs is named several
/// times.
pub fn parse_initial_cluster(text: &str) -> Result<Vec<MemberSpec>, ClusterError> {
    let mut members: BTreeMap<String, Vec<Url>> = BTreeMap::new();
    let mut owners: BTreeMap<String, String> = BTreeMap::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (name, url) = part.split_once('=').ok_or_else(|| ClusterError::NameMissing(part.into()))?;
        if name.is_empty() {
            return Err(ClusterError::NameMissing(part.into()));
        }
        let url = Url::parse(url).map_err(|source| ClusterError::Url { name: name.into(), source })?;
        if let Some(first) = owners.insert(url.as_str().into(), name.into()) {
            return Err(ClusterError::Duplicate { url: url.to_string(), first, second: name.into() });
        }
        members.entry(name.into()).or_default().push(url);
    }
    if members.is_empty() {
        return Err(ClusterError::Empty);
    }
    let specs = members.into_iter().map(|(name, mut peer_urls)| {
        peer_urls.sort();
        MemberSpec { name, peer_urls }
    });
    Ok(specs.collect())
}

/// The id of a member: of a new cluster's first ones without a time, of one that is added later with the unix seconds of that.
pub fn member_id<'a>(peer_urls: impl IntoIterator<Item = &'a str>, token: &str, added: Option<u64>) -> NodeId {
    let mut urls: Vec<&str> = peer_urls.into_iter().collect();
    urls.sort_unstable();
    let mut hash = Sha1::new();
    for url in urls {
        hash.update(url);
    }
    hash.update(token);
    if let Some(seconds) = added {
        hash.update(seconds.to_string());
    }
    NodeId(first_number(hash))
}

/// The id of a cluster.
pub fn cluster_id(members: &BTreeSet<NodeId>) -> u64 {
    let mut hash = Sha1::new();
    for id in members {
        hash.update(id.0.to_be_bytes());
    }
    first_number(hash)
}

fn first_number(hash: Sha1) -> u64 {
    let digest = hash.finalize();
    let (first, _) = digest.split_first_chunk().expect("SHA-1 has 20 bytes");
    u64::from_be_bytes(*first)
}

/// The beginning of a cluster of these members, of whom no two share a URL (see [`parse_initial_cluster`]).
pub fn bootstrap(cluster: &[MemberSpec], token: &str) -> Bootstrap {
    let members: BTreeMap<NodeId, &MemberSpec> =
        cluster.iter().map(|spec| (member_id(spec.peer_urls.iter().map(Url::as_str), token, None), spec)).collect();
    assert_eq!(members.len(), cluster.len(), "members without a URL of their own: {cluster:?}");

    let ids: BTreeSet<NodeId> = members.keys().copied().collect();
    let entries: Vec<Entry> = members.iter().zip(1..).map(|((&id, spec), index)| entry(id, spec, index)).collect();
    let promise = Promise { epoch: FIRST_TERM, committed: entries.len() as u64, ..Promise::default() };
    Bootstrap {
        cluster_id: cluster_id(&ids),
        ids: members.iter().map(|(&id, spec)| (spec.name.clone(), id)).collect(),
        entries,
        promise,
        configuration: Configuration::of(ids),
    }
}

fn entry(id: NodeId, spec: &MemberSpec, index: u64) -> Entry {
    let member = keyspace::Member {
        id: id.0,
        name: spec.name.clone(),
        peer_urls: spec.peer_urls.iter().map(Url::to_string).collect(),
        ..keyspace::Member::default()
    };
    Entry {
        position: Position::new(FIRST_TERM, index),
        kind: EntryKind::Configuration,
        data: ConfChange { id: 0, change: MemberChange::Add(member) }.encode(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREE: &str = "infra1=http://127.0.0.1:12380,infra2=http://127.0.0.1:22380,infra3=http://127.0.0.1:32380";

    #[test]
    fn ids_are_etcds() {
        let three = bootstrap(&parse_initial_cluster(THREE).unwrap(), "etcd-cluster-1");
        let id = |name: &str| three.ids[name].0;
        assert_eq!(id("infra1"), 0x8211_f1d0_f64f_3269);
        assert_eq!(id("infra2"), 0x91bc_3c39_8fb3_c146);
        assert_eq!(id("infra3"), 0xfd42_2379_fda5_0e48);
        assert_eq!(three.cluster_id, 0xef37_ad9d_c622_a7c4);

        let one = bootstrap(&parse_initial_cluster("default=http://localhost:2380").unwrap(), "etcd-cluster");
        assert_eq!(one.ids["default"].0, 0x8e9e_05c5_2164_694d);
        assert_eq!(one.cluster_id, 0xcdf8_1819_4e3a_8c32);
    }

    #[test]
    fn the_log_begins_with_its_members_byte_for_byte() {
        let Bootstrap { entries, promise, configuration, .. } =
            bootstrap(&parse_initial_cluster(THREE).unwrap(), "etcd-cluster-1");
        assert_eq!(promise, Promise { epoch: 1, current: 0, vote: None, committed: 3 });
        assert_eq!(configuration.voters.len(), 3);
        let positions: Vec<Position> = entries.iter().map(|entry| entry.position).collect();
        assert_eq!(positions, [1, 2, 3].map(|index| Position::new(1, index)));

        let json = br#"{"id":9372538179322589801,"peerURLs":["http://127.0.0.1:12380"],"name":"infra1"}"#;
        let mut data = vec![0x08, 0x00, 0x10, 0x00, 0x18];
        data.extend([0xe9, 0xe4, 0xbc, 0xb2, 0x8f, 0xba, 0xfc, 0x88, 0x82, 0x01]); // 8211f1d0f64f3269 as a varint
        data.extend([0x22, json.len() as u8]);
        data.extend(json);
        assert_eq!(entries[0].data, data);
    }

    #[test]
    fn the_order_of_the_flag_does_not_matter() {
        let turned = "infra3=http://127.0.0.1:32380,infra1=http://127.0.0.1:12380,infra2=http://127.0.0.1:22380";
        let of = |text| bootstrap(&parse_initial_cluster(text).unwrap(), "t");
        assert_eq!(of(THREE), of(turned));
        let a = parse_initial_cluster("m=http://a:1,m=http://b:1").unwrap();
        assert_eq!(a, parse_initial_cluster("m=http://b:1,m=http://a:1").unwrap());
        assert_eq!(a[0].peer_urls.len(), 2);
    }

    #[test]
    fn a_member_that_is_added_later_has_the_time_in_its_id() {
        let at = |added| member_id(["http://a:1"], "etcd-cluster", added);
        assert_ne!(at(None), at(Some(1_700_000_000)));
        assert_eq!(at(Some(1)), member_id(["http://a:1"], "etcd-cluster1", None), "the time is hashed as decimal text");
    }

    #[test]
    fn errors_name_what_is_wrong() {
        for (text, error) in [
            ("", "names no member; write name=http://host:port, separated by commas"),
            ("http://a:1", r#""http://a:1" does not say whose URL it is; write name=http://host:port"#),
            ("=http://a:1", r#""=http://a:1" does not say whose URL it is; write name=http://host:port"#),
            ("m1=a:1", r#"the URL of "m1": "a:1" must begin with http://, https://, unix:// or unixs://"#),
            (
                "m1=http://a:1,m2=http://a:1",
                r#"http://a:1 is named twice, for "m1" and for "m2"; each URL belongs to one member"#,
            ),
        ] {
            assert_eq!(parse_initial_cluster(text).unwrap_err().to_string(), error);
        }
    }
}
