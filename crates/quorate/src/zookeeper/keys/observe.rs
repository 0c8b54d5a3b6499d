//! How operators look at a server, and what they may tell it.

use super::super::value::{COUNT, Kind, LONG, PORT};
use super::{Key, key};

const ADMIN_TLS: &str = "TLS is not built yet, so what operators were meant to send encrypted would travel in the clear";
const ADMIN_SNAPSHOT: &str = "the admin server neither hands out snapshots nor takes them, so nobody can ask for it too often";
const PROMETHEUS: &str = "metrics need neither threads of their own nor a JVM here";
const AUDIT: &str = "there is no audit log yet: what clients change is not written down beside the log itself";

pub(super) const KEYS: &[Key] = &[
    key("4lw.commands.whitelist", Kind::Text, "srvr"),
    key("admin.enableServer", Kind::Bool, "true"),
    key("admin.serverAddress", Kind::Text, "0.0.0.0"),
    key("admin.serverPort", PORT, "8080"),
    key("admin.commandURL", Kind::Text, "/commands"),
    key("admin.idleTimeout", LONG, "30000")
        .warned("a connection to the admin server that says nothing is closed by its own limits"),
    key("admin.httpVersion", COUNT, "11").warned("the admin server speaks HTTP/1.1, as by default"),
    key("admin.needClientAuth", Kind::Bool, "false").refused(ADMIN_TLS),
    key("admin.forceHttps", Kind::Bool, "false").refused(ADMIN_TLS),
    key("admin.portUnification", Kind::Bool, "false").refused(ADMIN_TLS),
    key("admin.snapshot.enabled", Kind::Bool, "true").warned(ADMIN_SNAPSHOT),
    key("admin.restore.enabled", Kind::Bool, "true").warned(ADMIN_SNAPSHOT),
    key("admin.rateLimiterIntervalInMS", COUNT, "300000").warned(ADMIN_SNAPSHOT),
    key("metricsProvider.className", Kind::Text, "org.apache.zookeeper.metrics.impl.DefaultMetricsProvider"),
    key("metricsProvider.httpHost", Kind::Text, "0.0.0.0"),
    key("metricsProvider.httpPort", PORT, "7000"),
    key("metricsProvider.exportJvmInfo", Kind::Bool, "true").warned(PROMETHEUS),
    key("metricsProvider.numWorkerThreads", COUNT, "1").warned(PROMETHEUS),
    key("metricsProvider.maxQueueSize", COUNT, "1000000").warned(PROMETHEUS),
    key("metricsProvider.workerShutdownTimeoutMs", COUNT, "1000").warned(PROMETHEUS),
    key("metricsProvider.*", Kind::Text, "").warned("it is a setting of a metrics provider in Java that there is not here"),
    key("audit.enable", Kind::Bool, "false").warned(AUDIT),
    key("audit.impl.class", Kind::Text, "").warned(AUDIT),
    key("pathStats.*", Kind::Text, "").warned("requests are not counted by path; Java's counts go to its log"),
    key("messageTracker.*", Kind::Text, "")
        .warned("messages between servers are not kept; Java's are printed to its log when a link ends"),
    key("leader.ackLoggingFrequency", COUNT, "1000").warned("it thins out lines of Java's log that there are not here"),
];
