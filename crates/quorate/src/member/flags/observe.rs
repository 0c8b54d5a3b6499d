//! What a member tells about itself.

use super::{Flag, Kind, flag};

const TRACING: &str = "traces are not sent anywhere; nothing that is served depends on them";

const fn tracing(name: &'static str, kind: Kind, default: &'static str) -> Flag {
    flag(name, kind, default, "A detail of distributed tracing.").warned(TRACING)
}

pub(super) const FLAGS: &[Flag] = &[
    flag("logger", Kind::OneOf(&["zap"]), "zap", "The form of the log: etcd's."),
    flag(
        "log-level",
        Kind::OneOf(&["debug", "info", "warn", "error", "dpanic", "panic", "fatal"]),
        "info",
        "What is worth a line.",
    ),
    flag("log-format", Kind::OneOf(&["json", "console"]), "json", "How a line looks.").new_in_36(),
    flag("log-outputs", Kind::Words, "default", "Where lines go: default, stderr, stdout or paths of files."),
    flag("enable-log-rotation", Kind::Bool, "false", "Begin a new log file when one is large.")
        .warned("the log goes to one file, which may be moved aside by logrotate with copytruncate"),
    flag(
        "log-rotation-config-json",
        Kind::Text,
        r#"{"maxsize": 100, "maxage": 0, "maxbackups": 0, "localtime": false, "compress": false}"#,
        "When to begin a new log file.",
    )
    .warned("log rotation is not built; the log goes to one file"),
    flag("enable-pprof", Kind::Bool, "false", "Serve Go's profiles.").warned("there is no Go runtime here to profile"),
    flag("metrics", Kind::OneOf(&["basic", "extensive"]), "basic", "Whether gRPC's histograms are among the metrics."),
    flag("enable-distributed-tracing", Kind::Bool, "false", "Send traces by OpenTelemetry.").new_in_36().warned(TRACING),
    tracing("distributed-tracing-address", Kind::Text, "localhost:4317").new_in_36(),
    tracing("distributed-tracing-service-name", Kind::Text, "etcd").new_in_36(),
    tracing("distributed-tracing-instance-id", Kind::Text, "").new_in_36(),
    tracing("distributed-tracing-sampling-rate", Kind::Signed, "0").new_in_36(),
    tracing("experimental-enable-distributed-tracing", Kind::Bool, "false"),
    tracing("experimental-distributed-tracing-address", Kind::Text, "localhost:4317"),
    tracing("experimental-distributed-tracing-service-name", Kind::Text, "etcd"),
    tracing("experimental-distributed-tracing-instance-id", Kind::Text, ""),
    tracing("experimental-distributed-tracing-sampling-rate", Kind::Signed, "0"),
    flag("warning-apply-duration", Kind::Span, "100ms", "Log a request whose application takes longer.")
        .new_in_36()
        .warned("slow applications are not logged"),
    flag("experimental-warning-apply-duration", Kind::Span, "100ms", "The same, by its older name.")
        .warned("slow applications are not logged"),
    flag("warning-unary-request-duration", Kind::Span, "300ms", "Log a request that takes longer.")
        .new_in_36()
        .warned("slow requests are not logged one by one"),
    flag("experimental-warning-unary-request-duration", Kind::Span, "300ms", "The same, by its older name.")
        .new_in_36()
        .warned("slow requests are not logged one by one"),
];
