//! A learner's way to its leader.

use super::super::address::connect;
use super::Quorum;
use consensus::NodeId;
use std::rc::Rc;
use zookeeper::config::HostPort;

/// Connects to the leader, or says that it cannot. Whether to try again is for the protocol to say.
pub(crate) async fn dial(quorum: Rc<Quorum>, peer: NodeId, places: Vec<HostPort>) {
    match connect(&places, quorum.connect_timeout).await {
        Ok(stream) => quorum.on_dialed(peer, stream),
        Err(how) => quorum.on_unreachable(peer, how),
    }
}
