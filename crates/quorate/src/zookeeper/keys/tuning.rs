//! How Java's threads and queues are cut.

use super::super::value::{COUNT, Kind};
use super::{Key, key};

const ONE_THREAD: &str = "one thread serves all clients, beside those of the disk, so there is nothing to divide";
const CACHE: &str = "answers are made anew each time, which costs less here than to keep them";
const WATCHES: &str = "watches are kept in one way only, in which those of the dead take no cleaning";
const LINKS: &str = "packets to other servers wait in queues that are bounded by their bytes";
const KEEP_ALIVE: &str =
    "servers ping each other over the quorum port, and connections for elections are always kept up by the system, as with true";
const CLIENT_KEEP_ALIVE: &str = "clients ping their server, and who is silent for too long is let go";

pub(super) const KEYS: &[Key] = &[
    key("serverCnxnFactory", Kind::Text, "").warned(ONE_THREAD),
    key("nio.*", Kind::Text, "").warned(ONE_THREAD),
    key("netty.*", Kind::Text, "").warned(ONE_THREAD),
    key("commitProcessor.*", Kind::Text, "").warned(ONE_THREAD),
    key("maxResponseCacheSize", Kind::Text, "400").warned(CACHE),
    key("maxGetChildrenResponseCacheSize", Kind::Text, "400").warned(CACHE),
    key("intBufferStartingSizeBytes", COUNT, "1024").warned(CACHE),
    key("watchManagerName", Kind::Text, "").warned(WATCHES),
    key("watcherCleanThreadsNum", COUNT, "2").warned(WATCHES),
    key("watcherCleanThreshold", COUNT, "1000").warned(WATCHES),
    key("watcherCleanIntervalInSeconds", COUNT, "600").warned(WATCHES),
    key("maxInProcessingDeadWatchers", Kind::Text, "-1").warned(WATCHES),
    key("bitHashCacheSize", COUNT, "10").warned(WATCHES),
    key("leader.maxConcurrentSnapSyncs", COUNT, "10").warned(LINKS),
    key("leader.maxConcurrentDiffSyncs", COUNT, "100").warned(LINKS),
    key("leader.closeSocketAsync", Kind::Bool, "false").warned(LINKS),
    key("learner.closeSocketAsync", Kind::Bool, "false").warned(LINKS),
    key("learner.asyncSending", Kind::Bool, "false").warned(LINKS),
    key("forward_learner_requests_to_commit_processor_disabled", Kind::Bool, "false").warned(LINKS),
    key("follower.skipLearnerRequestToNextProcessor", Kind::Bool, "false").warned(LINKS),
    key("tcpKeepAlive", Kind::Bool, "false").warned(KEEP_ALIVE),
    key("clientTcpKeepAlive", Kind::Bool, "false").warned(CLIENT_KEEP_ALIVE),
];
