//! What a member is called, where it keeps its data and where it listens.

use super::{Flag, Kind, flag};

pub(super) const FLAGS: &[Flag] = &[
    flag("name", Kind::Text, "default", "What this member is called."),
    flag("data-dir", Kind::Text, "", "Where it keeps its data; ${name}.etcd if not given."),
    flag("wal-dir", Kind::Text, "", "Where it keeps its log, if apart from its data.")
        .refused("the log would be written beside the data, not on the disk that was chosen for it"),
    flag("snapshot-count", Kind::Number(u64::MAX), "100000", "The log is cut after so many applied entries, if not earlier."),
    flag("heartbeat-interval", Kind::Number(u32::MAX as u64), "100", "Milliseconds between a leader's heartbeats."),
    flag("election-timeout", Kind::Number(u32::MAX as u64), "1000", "Milliseconds of silence after which an election begins."),
    flag("initial-election-tick-advance", Kind::Bool, "true", "Whether the first election comes early.")
        .warned("there are no ticks here: a first election always comes after one to two election timeouts"),
    flag("listen-peer-urls", Kind::Urls, "http://localhost:2380", "Where it listens for other members."),
    flag("listen-client-urls", Kind::Urls, "http://localhost:2379", "Where it listens for clients."),
    flag("listen-client-http-urls", Kind::Urls, "", "Where it listens for clients' HTTP, if apart from gRPC."),
    flag("listen-metrics-urls", Kind::Urls, "", "Where it answers for metrics and health beside the client port."),
    flag("max-snapshots", Kind::Number(u32::MAX as u64), "5", "How many snapshot files are kept.")
        .gone_in_36()
        .warned("there are no snapshot files: the keyspace is in one data file"),
    flag("max-wals", Kind::Number(u32::MAX as u64), "5", "How many log files are kept.")
        .warned("the log is kept as far back as followers may need it, and cut behind what the data file holds"),
    flag("config-file", Kind::Text, "", "A YAML file; with it, flags and ETCD_* variables are ignored.").not_in_file(),
    flag("version", Kind::Bool, "false", "Print the version and exit.").not_in_file(),
];
