//! Who else there is, and how servers agree.

use super::super::value::{COUNT, Kind, SOME, UNLESS};
use super::{Key, key};

const SAME_LINK: &str = "the addresses of another server are tried in turn until one takes a connection";
const DYNAMIC: &str = "the ensemble could change its members without this server, which would then count the wrong votes";
const OBSERVER_MASTER: &str = "observers follow the leader itself, wherever the port is that this key names";

pub(super) const KEYS: &[Key] = &[
    key("server.*", Kind::Text, ""),
    key("group.*", Kind::Text, ""),
    key("weight.*", COUNT, "1"),
    key("version", Kind::Text, "0"),
    key("dynamicConfigFile", Kind::Text, ""),
    key("initLimit", SOME, ""),
    key("syncLimit", SOME, ""),
    key("connectToLearnerMasterLimit", COUNT, "0").warned("a learner has initLimit to connect and to synchronize, together"),
    key("electionAlg", Kind::Number(3, 3), "3"),
    key("peerType", Kind::Text, "participant"),
    key("standaloneEnabled", Kind::Bool, "true"),
    key("reconfigEnabled", Kind::Bool, "false").refused(DYNAMIC),
    key("oraclePath", Kind::Text, "")
        .refused("an oracle decides between two servers, and without it two would count as a quorum of two"),
    key("quorumListenOnAllIPs", Kind::Bool, "false"),
    key("multiAddress.enabled", Kind::Bool, "false"),
    key("multiAddress.reachabilityCheckEnabled", Kind::Bool, "true").warned(SAME_LINK),
    key("multiAddress.reachabilityCheckTimeoutMs", COUNT, "1000").warned(SAME_LINK),
    key("observerMasterPort", COUNT, "0").warned(OBSERVER_MASTER),
    key("observerMaster.sizeLimit", COUNT, "33554432").warned(OBSERVER_MASTER),
    key("syncEnabled", Kind::Bool, "true")
        .warned("an observer always writes its log and its snapshots, as with syncEnabled=true"),
    key("cnxTimeout", SOME, "5000"),
    key("quorumCnxnTimeoutMs", UNLESS, "-1")
        .warned("a server that connects must say who it is within a bounded time, as it must with -1"),
    key("quorum.cnxn.threads.size", COUNT, "20").warned("connections of servers need no threads of their own here"),
    key("electionPortBindRetry", COUNT, "3")
        .warned("a port that is taken stops the start at once, so that whoever starts the server hears of it"),
    key("fastleader.minNotificationInterval", SOME, "200"),
    key("fastleader.maxNotificationInterval", SOME, "60000"),
    key("observer.reconnectDelayMs", COUNT, "0").warned("an observer that found a leader connects to it at once, as by default"),
    key("observer.election.DelayMs", COUNT, "200")
        .warned("an observer that lost its leader waits up to 200 ms before it looks for another, as by default"),
    key("leader.maxTimeToWaitForEpoch", UNLESS, "-1").warned("a leader waits initLimit ticks for its epoch, as with -1"),
    key("leaderConnectDelayDuringRetryMs", COUNT, "100").warned("a learner tries its leader again after 100 ms, as by default"),
    key("testingonly.initialZxid", Kind::Text, "")
        .refused("it forges the number of the first transaction, for Java's own tests only"),
];
