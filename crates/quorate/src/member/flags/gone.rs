//! What etcd 3.5 still knows from older days.

use super::{Flag, Kind, flag};

const V2: &str = "the v2 API is not served, as in etcd 3.6; v3 is served all the same";
const PROXY: &str = "the v2 proxy's details mean nothing to a member";
const IGNORED: &str = "etcd knows its name only in order to ignore it";

const fn proxy(name: &'static str, default: &'static str) -> Flag {
    flag(name, Kind::Number(u32::MAX as u64), default, "A detail of the v2 proxy.").gone_in_36().warned(PROXY)
}

const fn ignored(name: &'static str) -> Flag {
    flag(name, Kind::Text, "", "Nothing any more.").gone_in_36().not_in_file().warned(IGNORED)
}

pub(super) const FLAGS: &[Flag] = &[
    flag("enable-v2", Kind::Bool, "false", "Serve the v2 API.").gone_in_36().warned(V2),
    flag("experimental-enable-v2v3", Kind::Text, "", "Serve the v2 API from v3's data.").gone_in_36().warned(V2),
    flag(
        "v2-deprecation",
        Kind::OneOf(&["not-yet", "write-only", "write-only-drop-data", "gone"]),
        "not-yet",
        "How far v2 has gone.",
    )
    .gone_in_36()
    .warned(V2),
    flag("proxy", Kind::OneOf(&["off", "readonly", "on"]), "off", "Be a v2 proxy and no member.")
        .gone_in_36()
        .refused("a voting member would start where a proxy was asked for"),
    proxy("proxy-failure-wait", "5000"),
    proxy("proxy-refresh-interval", "30000"),
    proxy("proxy-dial-timeout", "1000"),
    proxy("proxy-write-timeout", "5000"),
    proxy("proxy-read-timeout", "0"),
    ignored("cluster-active-size"),
    ignored("cluster-remove-delay"),
    ignored("cluster-sync-interval"),
    ignored("config"),
    ignored("force"),
    ignored("max-result-buffer"),
    ignored("max-retry-attempts"),
    ignored("peer-heartbeat-interval"),
    ignored("peer-election-timeout"),
    ignored("retry-interval"),
    ignored("snapshot"),
    ignored("v"),
    ignored("vv"),
    ignored("test.coverprofile"),
    ignored("test.outputdir"),
];
