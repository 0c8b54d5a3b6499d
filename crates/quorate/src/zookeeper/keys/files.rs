//! The log, snapshots, and what becomes of old ones.

use super::super::value::{COUNT, Kind, LONG};
use super::{Key, key};

const HISTORY: &str = "a follower that lags gets what it lacks from the log, however long that is";
const GROUPED: &str = "whatever waits for the disk is synced together, without waiting for more";

pub(super) const KEYS: &[Key] = &[
    key("snapCount", LONG, "100000"),
    key("snapSizeLimitInKb", LONG, "4194304"),
    key("preAllocSize", COUNT, "65536"),
    key("txnLogSizeLimitInKb", LONG, "-1").warned("a new file of the log begins with each snapshot, as with -1"),
    key("autopurge.snapRetainCount", COUNT, "3"),
    key("autopurge.purgeInterval", UNLESS_HOURS, "0"),
    key("forceSync", Kind::YesNo, "yes")
        .warned("the log is always synced before anything is acknowledged, as with forceSync=yes"),
    key("fsync.warningthresholdms", COUNT, "1000").warned("how long syncing takes is told as a metric"),
    key("flushDelay", LONG, "0").warned(GROUPED),
    key("maxWriteQueuePollTime", LONG, "0").warned(GROUPED),
    key("maxBatchSize", COUNT, "1000").warned(GROUPED),
    key("db.autocreate", Kind::Bool, "true"),
    key("datadir.autocreate", Kind::Bool, "true"),
    key("snapshot.trust.empty", Kind::Bool, "false"),
    key("snapshot.compression.method", Kind::Text, "")
        .warned("snapshots are written without compression, which every server reads"),
    key("serializeLastProcessedZxid.enabled", Kind::Bool, "true")
        .warned("snapshots always name their last transaction, and older versions pass over that"),
    key("digest.enabled", Kind::Bool, "true"),
    key("closeSessionTxn.enabled", Kind::Bool, "true")
        .warned("ends of sessions always name their ephemeral nodes, which versions before 3.6 pass over"),
    key("commitLogCount", COUNT, "500").warned(HISTORY),
    key("snapshotSizeFactor", Kind::Fraction, "0.33").warned(HISTORY),
    key("forceSnapshotSync", Kind::Bool, "false").warned(HISTORY),
];

/// Hours; below one: never.
const UNLESS_HOURS: Kind = Kind::Number(i32::MIN as i64, i32::MAX as i64);
