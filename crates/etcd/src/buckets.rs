//! What a Go etcd member's file holds beside the keys, as far as etcd's Hash counts it: bbolt's buckets in order of name, each its name
//! and then its rows, key and value.
//!
//! ```text
//!   alarm auth authRoles authUsers cluster   │ key │   lease members members_removed meta
//!   before_keys                              │     │   behind_keys
//! ```
//!
//! It holds while authentication was never touched and the members are those who founded the cluster: etcd 3.5.1 to 3.5.19 keep of a
//! member whatever was written first, and of one that was added that is less than what is known of it later.

use crate::json::{self, Member};
use keyspace::{Alarm, AlarmKind, MembersAnswer};
use serde::Serialize;

/// Of a store whose authentication nobody has touched.
const AUTH_REVISION: u64 = 1;

/// What a bucket `members` has of a founder: no client URLs, which came later.
fn founder(member: &keyspace::Member) -> Vec<u8> {
    json::to_string(&Member { client_urls: Vec::new(), ..Member::from(member.clone()) }).into_bytes()
}

/// raftpb.ConfState, as Go's json.Marshal writes it.
#[derive(Serialize)]
struct ConfState {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    voters: Vec<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    learners: Vec<u64>,
    auto_leave: bool,
}

/// The buckets before the keys.
pub fn before_keys(alarms: &[Alarm], cluster_version: Option<&str>) -> Vec<u8> {
    let mut bytes = b"alarm".to_vec();
    let mut rows: Vec<Vec<u8>> = alarms.iter().map(alarm).collect();
    rows.sort_unstable();
    bytes.extend(rows.concat());
    bytes.extend(b"authauthRevision");
    bytes.extend(AUTH_REVISION.to_be_bytes());
    bytes.extend(b"authRolesauthUserscluster");
    if let Some(version) = cluster_version {
        bytes.extend(b"clusterVersion");
        bytes.extend(version.as_bytes());
    }
    bytes
}

/// The buckets behind them. `leases` by id, each with the seconds that it was granted for; `compacted`: the last compaction, below zero
/// before the first.
pub fn behind_keys(leases: impl Iterator<Item = (i64, i64)>, members: &MembersAnswer, compacted: i64) -> Vec<u8> {
    let mut bytes = b"lease".to_vec();
    for (id, ttl) in leases {
        bytes.extend(id.to_be_bytes());
        number(1, id as u64, &mut bytes);
        number(2, ttl as u64, &mut bytes);
    }
    let mut rows: Vec<(String, Vec<u8>)> =
        members.members.iter().map(|member| (format!("{:x}", member.id), founder(member))).collect();
    rows.sort_unstable();
    bytes.extend(b"members");
    for (id, member) in rows {
        bytes.extend(id.into_bytes());
        bytes.extend(member);
    }
    let mut removed: Vec<String> = members.removed.iter().map(|id| format!("{id:x}")).collect();
    removed.sort_unstable();
    bytes.extend(b"members_removed");
    for id in removed {
        bytes.extend(id.into_bytes());
        bytes.extend(b"removed");
    }
    let ids = |learner: bool| -> Vec<u64> {
        members.members.iter().filter(|member| member.is_learner == learner).map(|member| member.id).collect()
    };
    let state = ConfState { voters: ids(false), learners: ids(true), auto_leave: false };
    bytes.extend(b"metaconfState");
    bytes.extend(json::to_string(&state).into_bytes());
    if compacted >= 0 {
        for key in ["finishedCompactRev", "scheduledCompactRev"] {
            bytes.extend(key.as_bytes());
            bytes.extend(compacted.to_be_bytes());
            bytes.push(b'_');
            bytes.extend([0; 8]);
        }
    }
    bytes
}

/// An AlarmMember; the value is empty.
fn alarm(raised: &Alarm) -> Vec<u8> {
    let mut bytes = Vec::new();
    number(1, raised.member, &mut bytes);
    let kind = match raised.alarm {
        AlarmKind::None => 0,
        AlarmKind::NoSpace => 1,
        AlarmKind::Corrupt => 2,
    };
    number(2, kind, &mut bytes);
    bytes
}

/// A number in protobuf; zero is left out.
fn number(field: u32, number: u64, bytes: &mut Vec<u8>) {
    if number != 0 {
        prost::encoding::uint64::encode(field, &number, bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As read from the file of a Go member.
    #[test]
    fn a_founders_buckets_are_gos() {
        let alarm = Alarm { alarm: AlarmKind::NoSpace, member: 1 };
        let before = b"alarm\x08\x01\x10\x01authauthRevision\0\0\0\0\0\0\0\x01authRolesauthUsersclusterclusterVersion3.5.0";
        assert_eq!(before_keys(&[alarm], Some("3.5.0")), before);
        let member = keyspace::Member {
            id: 0xba19_5f80_73e9_23ac,
            name: "m2".into(),
            peer_urls: vec!["http://127.0.0.1:34322".into()],
            client_urls: vec!["http://127.0.0.1:34312".into()],
            is_learner: false,
        };
        let members = MembersAnswer { members: vec![member], removed: Vec::new() };
        let mut behind = b"lease\x29\x05\xa2\x01\x97\x4f\xda\x09\x08\x89\xb4\xbf\xba\x99\xc0\xe8\x82\x29\x10\xd8\x04".to_vec();
        behind.extend(br#"membersba195f8073e923ac{"id":13409854370777473964,"peerURLs":["http://127.0.0.1:34322"],"name":"m2"}"#);
        behind.extend(br#"members_removedmetaconfState{"voters":[13409854370777473964],"auto_leave":false}"#);
        let none = behind_keys([(0x2905_a201_974f_da09, 600)].into_iter(), &members, -1);
        assert_eq!(none, behind);
        behind.extend(b"finishedCompactRev\0\0\0\0\0\0\0\x04_\0\0\0\0\0\0\0\0");
        behind.extend(b"scheduledCompactRev\0\0\0\0\0\0\0\x04_\0\0\0\0\0\0\0\0");
        assert_eq!(behind_keys([(0x2905_a201_974f_da09, 600)].into_iter(), &members, 4), behind);
    }
}
