//! Changes of the members, as log entries carry them: raftpb.ConfChange, whose context is JSON.
//!
//! | change | type | context |
//! |---|---|---|
//! | add | AddNode (0), AddLearnerNode (3) | the member |
//! | promote | AddNode (0) | `{"id":…,"peerURLs":null,"isPromote":true}` |
//! | update | UpdateNode (2) | the member |
//! | remove | RemoveNode (1) | none |

use crate::Malformed;
use crate::json::{self, Member};
use crate::pb::raftpb as pb;
use crate::peer::raftpb::{field, open};
use bytes::{BufMut, Bytes, BytesMut};
use keyspace::MemberChange;
use prost::Message as _;
use serde::{Deserialize, Serialize};

const ADD_NODE: u32 = 0;
const REMOVE_NODE: u32 = 1;
const UPDATE_NODE: u32 = 2;
const ADD_LEARNER_NODE: u32 = 3;

/// A change under the id of the request that caused it; 0 in the entries that a cluster begins with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfChange {
    /// The request's id.
    pub id: u64,
    /// What changes.
    pub change: MemberChange,
}

impl ConfChange {
    /// An entry's data, as 3.5 writes it: numbers even if zero, the context only if there is one.
    pub fn encode(&self) -> Bytes {
        let context = context(&self.change);
        let (kind, node) = match &self.change {
            MemberChange::Add(member) if member.is_learner => (ADD_LEARNER_NODE, member.id),
            MemberChange::Add(member) => (ADD_NODE, member.id),
            MemberChange::Promote { id } => (ADD_NODE, *id),
            MemberChange::Update { id, .. } => (UPDATE_NODE, *id),
            MemberChange::Remove { id } => (REMOVE_NODE, *id),
        };
        let mut out = BytesMut::with_capacity(40 + context.len());
        field(1, self.id, &mut out);
        field(2, u64::from(kind), &mut out);
        field(3, node, &mut out);
        if !context.is_empty() {
            open(4, context.len(), &mut out);
            out.put_slice(context.as_bytes());
        }
        out.freeze()
    }

    /// Reads an entry's data. `None` for a change that changes nothing (etcd writes node 0 over one that it found invalid).
    pub fn decode(data: &[u8]) -> Result<(u64, Option<MemberChange>), Malformed> {
        let conf_change =
            pb::ConfChange::decode(data).map_err(|source| Malformed::Protobuf { what: "raftpb.ConfChange", source })?;
        let (id, node) = (conf_change.id(), conf_change.node_id());
        if node == 0 {
            return Ok((id, None));
        }
        let kind = conf_change.r#type();
        let change = match kind {
            REMOVE_NODE => MemberChange::Remove { id: node },
            ADD_NODE | ADD_LEARNER_NODE | UPDATE_NODE => {
                let context: Context = json::from_slice("a changed member", conf_change.context())?;
                if context.member.id != node {
                    return Err(Malformed::OtherMember { node, context: context.member.id });
                }
                context.change(kind)
            }
            _ => return Err(Malformed::ConfChangeType(kind)),
        };
        Ok((id, Some(change)))
    }
}

/// What stands in the context of a change: the member, and whether it is only promoted.
#[derive(Deserialize)]
struct Context {
    #[serde(flatten)]
    member: Member,
    #[serde(rename = "isPromote", default)]
    is_promote: bool,
}

impl Context {
    fn change(self, kind: u32) -> MemberChange {
        let Member { id, name, peer_urls, client_urls, is_learner } = self.member;
        match kind {
            UPDATE_NODE => MemberChange::Update { id, peer_urls, is_learner },
            _ if self.is_promote => MemberChange::Promote { id },
            _ => MemberChange::Add(keyspace::Member { id, name, peer_urls, client_urls, is_learner }),
        }
    }
}

/// A promotion's context, which names no URLs.
#[derive(Serialize)]
struct Promotion {
    id: u64,
    #[serde(rename = "peerURLs")]
    peer_urls: Option<()>,
    #[serde(rename = "isPromote")]
    is_promote: bool,
}

fn context(change: &MemberChange) -> String {
    match change {
        MemberChange::Add(member) => json::to_string(&Member::from(member.clone())),
        MemberChange::Promote { id } => json::to_string(&Promotion { id: *id, peer_urls: None, is_promote: true }),
        MemberChange::Update { id, peer_urls, is_learner } => {
            json::to_string(&Member { id: *id, peer_urls: peer_urls.clone(), is_learner: *is_learner, ..Member::default() })
        }
        MemberChange::Remove { .. } => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(is_learner: bool) -> keyspace::Member {
        let peer_urls = vec!["http://a:1".into()];
        keyspace::Member { id: 7, name: "m".into(), peer_urls, is_learner, ..keyspace::Member::default() }
    }

    #[test]
    fn every_change_comes_back() {
        let changes = [
            MemberChange::Add(member(false)),
            MemberChange::Add(member(true)),
            MemberChange::Promote { id: 7 },
            MemberChange::Update { id: 7, peer_urls: vec!["http://b:1".into()], is_learner: false },
            MemberChange::Remove { id: 7 },
        ];
        for change in changes {
            let data = ConfChange { id: 99, change: change.clone() }.encode();
            assert_eq!(ConfChange::decode(&data), Ok((99, Some(change))));
        }
    }

    #[test]
    fn contexts_are_etcds() {
        let of = |change| String::from_utf8_lossy(&ConfChange { id: 0, change }.encode()).into_owned();
        assert!(of(MemberChange::Promote { id: 7 }).ends_with(r#"{"id":7,"peerURLs":null,"isPromote":true}"#));
        let added = of(MemberChange::Add(member(true)));
        assert!(added.ends_with(r#"{"id":7,"peerURLs":["http://a:1"],"isLearner":true,"name":"m"}"#));
        let removed = ConfChange { id: 1, change: MemberChange::Remove { id: 7 } }.encode();
        assert_eq!(removed[..], [0x08, 1, 0x10, 1, 0x18, 7]);
    }

    #[test]
    fn node_zero_changes_nothing() {
        assert_eq!(ConfChange::decode(&[0x08, 5, 0x10, 0, 0x18, 0]), Ok((5, None)));
        // 3.7 leaves zeros out.
        assert_eq!(ConfChange::decode(&[]), Ok((0, None)));
    }

    #[test]
    fn a_context_about_somebody_else_is_refused() {
        let mut data = vec![0x10, 0, 0x18, 8];
        let context = br#"{"id":7,"peerURLs":["http://a:1"]}"#;
        data.extend([0x22, context.len() as u8]);
        data.extend(context);
        assert_eq!(ConfChange::decode(&data), Err(Malformed::OtherMember { node: 8, context: 7 }));
        assert_eq!(ConfChange::decode(&[0x10, 9, 0x18, 8]), Err(Malformed::ConfChangeType(9)));
        assert!(matches!(ConfChange::decode(&[0x18, 8]), Err(Malformed::Json { .. })));
    }
}
