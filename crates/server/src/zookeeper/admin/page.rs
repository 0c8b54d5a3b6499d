//! `/quorate/status`: what this server is, and why it decided what it decided last. Ours alone; Java has no such page.

use crate::zookeeper::clients::Front;
use consensus::{NodeId, Role};
use serde_json::json;

/// The page, as JSON.
pub(super) fn status(front: &Front) -> String {
    let core = front.core();
    let status = core.status();
    let role = match (core.serving(), status.role) {
        (_, Role::PreCandidate | Role::Candidate) => "looking",
        // Elected, but not yet in step with a quorum.
        (false, _) => "synchronizing",
        (true, Role::Leader) => "leader",
        (true, Role::Follower { .. }) => "follower",
        (true, Role::Learner { .. }) => "observer",
    };
    let decisions: Vec<_> = core.decisions().iter().map(|told| json!({ "wall_ms": told.wall_ms, "text": told.text })).collect();
    let page = json!({
        "id": core.config().me().to_string(),
        "pid": std::process::id(),
        "role": role,
        "term": status.epoch,
        "leader": status.leader.map(|NodeId(leader)| leader.to_string()),
        "round": core.protocol().round(),
        "zxid": format!("0x{:x}", status.applied.zxid()),
        "decisions": decisions,
    });
    format!("{page}\n")
}
