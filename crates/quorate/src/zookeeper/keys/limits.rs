//! Sessions, connections and requests.

use super::super::value::{COUNT, Kind, LONG, SOME, UNLESS};
use super::{Key, key};

const LOCAL: &str = "every session is known to the whole ensemble, so clients may create ephemeral nodes at once";
const THROTTLE: &str = "requests are held back by globalOutstandingLimit, and by how much memory they take";
const CONNECTIONS: &str = "connections are let in as they come, up to maxClientCnxns and maxCnxns";

pub(super) const KEYS: &[Key] = &[
    key("minSessionTimeout", UNLESS, "-1"),
    key("maxSessionTimeout", UNLESS, "-1"),
    key("localSessionsEnabled", Kind::Bool, "false").warned(LOCAL),
    key("localSessionsUpgradingEnabled", Kind::Bool, "false").warned(LOCAL),
    key("maxClientCnxns", COUNT, "60"),
    key("maxCnxns", COUNT, "0"),
    key("globalOutstandingLimit", SOME, "1000"),
    key("jute.maxbuffer", Kind::Number(1024, i32::MAX as i64), "1048575"),
    key("jute.maxbuffer.extrasize", COUNT, "1048575").warned("as much again as jute.maxbuffer is allowed for, as by default"),
    key("enforceQuota", Kind::Bool, "false"),
    key("extendedTypesEnabled", Kind::Bool, "false"),
    key("emulate353TTLNodes", Kind::Bool, "false")
        .refused("nodes with a time to live would be written as 3.5.4 does, and those of 3.5.3 would be taken for others"),
    key("znode.container.checkIntervalMs", SOME, "60000"),
    key("znode.container.maxPerMinute", SOME, "10000"),
    key("znode.container.maxNeverUsedIntervalMs", COUNT, "0"),
    key("largeRequestMaxBytes", LONG, "104857600").warned(THROTTLE),
    key("largeRequestThreshold", LONG, "-1").warned(THROTTLE),
    key("request_throttle_max_requests", COUNT, "0").warned(THROTTLE),
    key("request_throttle_stall_time", COUNT, "100").warned(THROTTLE),
    key("request_throttle_drop_stale", Kind::Bool, "true").warned(THROTTLE),
    key("request_stale_latency_check", Kind::Bool, "false").warned(THROTTLE),
    key("request_stale_connection_check", Kind::Bool, "true").warned(THROTTLE),
    key("request_throttler.shutdownTimeout", COUNT, "10000").warned(THROTTLE),
    key("throttled_op_wait_time", COUNT, "0").warned(THROTTLE),
    key("request.timeout", LONG, "").warned("it is a setting of clients, which a server in Java does not read, either"),
    key("connection_throttle_*", Kind::Text, "").warned(CONNECTIONS),
];
