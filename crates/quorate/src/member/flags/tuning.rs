//! Limits, intervals and experiments.

use super::{Flag, Kind, flag};

const NO_BBOLT: &str = "it tunes bbolt, and there is no bbolt here";
const KEEPALIVE: &str = "gRPC's own settings are used here; connections that die are noticed all the same";
const SOCKET: &str = "listeners bind an address for themselves alone, and rebind one in TIME_WAIT as they are";
const COMPACTION_STEPS: &str = "a compaction takes its own small steps between other work";
const CHECKPOINTS: &str = "how long leases have left is noted and kept in any case, once all members are Quorate's";
const NO_DEFRAG: &str = "space is reused as it becomes free; there is nothing to defragment";
const NO_DOWNGRADE: &str = "downgrades are not built yet, and starting one is refused";

const fn old(name: &'static str, kind: Kind, default: &'static str, why: &'static str) -> Flag {
    flag(name, kind, default, "See the flag of the same name without experimental.").warned(why)
}

pub(super) const FLAGS: &[Flag] = &[
    flag("quota-backend-bytes", Kind::Signed, "0", "The bytes of history at which writes are refused; 0 or less: never."),
    flag("max-txn-ops", Kind::Number(u32::MAX as u64), "128", "How many operations a transaction may have on one level."),
    flag("max-request-bytes", Kind::Number(u32::MAX as u64), "1572864", "How large a client's request may be."),
    flag(
        "max-concurrent-streams",
        Kind::Number(u32::MAX as u64),
        "4294967295",
        "How many streams a client may have open on a connection.",
    ),
    flag("auto-compaction-mode", Kind::OneOf(&["periodic", "revision"]), "periodic", "What auto-compaction-retention counts."),
    flag("auto-compaction-retention", Kind::Text, "0", "How much history is kept: hours, a span, or revisions; 0: all."),
    flag("backend-batch-interval", Kind::Span, "0s", "The longest time between commits of the data file.").warned(NO_BBOLT),
    flag("backend-batch-limit", Kind::Signed, "0", "The most operations between commits of the data file.").warned(NO_BBOLT),
    flag("backend-bbolt-freelist-type", Kind::Text, "", "How bbolt keeps its free pages.").warned(NO_BBOLT),
    flag("grpc-keepalive-min-time", Kind::Span, "5s", "How often a client may ping.").warned(KEEPALIVE),
    flag("grpc-keepalive-interval", Kind::Span, "2h0m0s", "How often clients are pinged."),
    flag("grpc-keepalive-timeout", Kind::Span, "20s", "How long to wait for a ping's answer."),
    flag("enable-grpc-gateway", Kind::Bool, "true", "Serve gRPC as JSON over HTTP.")
        .warned("the JSON gateway is not built yet, so it is off in any case"),
    flag("socket-reuse-port", Kind::Bool, "false", "Let several processes listen on one port.")
        .key("socket-options.reuse-port")
        .warned(SOCKET),
    flag("socket-reuse-address", Kind::Bool, "false", "Listen on an address in TIME_WAIT.")
        .key("socket-options.reuse-address")
        .warned(SOCKET),
    flag("raft-read-timeout", Kind::Span, "5s", "When a silent connection to a member is given up.")
        .not_in_file()
        .warned(KEEPALIVE),
    flag("raft-write-timeout", Kind::Span, "5s", "When a stuck connection to a member is given up.")
        .not_in_file()
        .warned(KEEPALIVE),
    flag("unsafe-no-fsync", Kind::Bool, "false", "Do not sync what is written.")
        .warned("everything is synced regardless, which is slower and safer"),
    flag("feature-gates", Kind::Words, "", "Features of etcd 3.6, name=true or name=false.")
        .new_in_36()
        .warned("none of etcd's gated features is built"),
    flag("corrupt-check-time", Kind::Span, "0s", "How often members' whole histories are compared; 0: now and then.").new_in_36(),
    flag("compact-hash-check-time", Kind::Span, "1m0s", "How often hashes of compactions are compared.").new_in_36(),
    flag("compaction-batch-limit", Kind::Signed, "0", "Revisions that one step of a compaction deletes.")
        .new_in_36()
        .warned(COMPACTION_STEPS),
    flag("compaction-sleep-interval", Kind::Span, "0s", "The pause between steps of a compaction.")
        .new_in_36()
        .warned(COMPACTION_STEPS),
    flag(
        "watch-progress-notify-interval",
        Kind::Span,
        "0s",
        "How often idle watches that ask for it are told the revision; 0: every 10 minutes.",
    )
    .new_in_36(),
    flag("memory-mlock", Kind::Bool, "false", "Keep the process in memory.")
        .new_in_36()
        .warned("pages may be swapped out, as by default"),
    flag(
        "bootstrap-defrag-threshold-megabytes",
        Kind::Number(u32::MAX as u64),
        "0",
        "Defragment at the start if that frees so much.",
    )
    .new_in_36()
    .warned(NO_DEFRAG),
    flag(
        "snapshot-catchup-entries",
        Kind::Number(u64::MAX),
        "5000",
        "Entries that stay in the log for slow followers when it is cut.",
    )
    .new_in_36(),
    flag("downgrade-check-time", Kind::Span, "5s", "How often a downgrade is looked after.").new_in_36().warned(NO_DOWNGRADE),
    flag("experimental-initial-corrupt-check", Kind::Bool, "false", "Compare the history with other members' before serving."),
    flag("experimental-corrupt-check-time", Kind::Span, "0s", "See the flag of the same name without experimental."),
    flag("experimental-compact-hash-check-enabled", Kind::Bool, "false", "Compare hashes of compactions. Here they always are."),
    flag("experimental-compact-hash-check-time", Kind::Span, "1m0s", "See the flag of the same name without experimental."),
    old("experimental-enable-lease-checkpoint", Kind::Bool, "false", CHECKPOINTS),
    old("experimental-enable-lease-checkpoint-persist", Kind::Bool, "false", CHECKPOINTS),
    old("experimental-compaction-batch-limit", Kind::Signed, "0", COMPACTION_STEPS),
    old("experimental-compaction-sleep-interval", Kind::Span, "0s", COMPACTION_STEPS),
    flag("experimental-watch-progress-notify-interval", Kind::Span, "0s", "See the flag of the same name without experimental."),
    old("experimental-downgrade-check-time", Kind::Span, "5s", NO_DOWNGRADE),
    old("experimental-memory-mlock", Kind::Bool, "false", "pages may be swapped out, as by default"),
    old("experimental-txn-mode-write-with-shared-buffer", Kind::Bool, "true", NO_BBOLT),
    old("experimental-stop-grpc-service-on-defrag", Kind::Bool, "false", NO_DEFRAG),
    old("experimental-bootstrap-defrag-threshold-megabytes", Kind::Number(u32::MAX as u64), "0", NO_DEFRAG),
    flag("experimental-snapshot-catchup-entries", Kind::Number(u64::MAX), "5000", "The same, by its older name.")
        .key("experimental-snapshot-catch-up-entries"),
];
