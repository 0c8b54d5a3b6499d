//! Members as etcd's answers list them.

use crate::pb::etcdserverpb as pb;
use keyspace::Member;

impl From<Member> for pb::Member {
    fn from(member: Member) -> Self {
        let Member { id, name, peer_urls, client_urls, is_learner } = member;
        pb::Member { id, name, peer_ur_ls: peer_urls, client_ur_ls: client_urls, is_learner }
    }
}
