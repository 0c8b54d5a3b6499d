//! How members find each other for the first time.

use super::{Flag, Kind, flag};

const DISCOVERY: &str = "members that cannot find each other this way would each start a cluster of its own";
const DISCOVERY_PART: &str = "discovery is not built, and alone this flag does nothing in etcd either";

const fn part(name: &'static str, kind: Kind, default: &'static str) -> Flag {
    flag(name, kind, default, "A detail of discovery.").new_in_36().not_in_file().warned(DISCOVERY_PART)
}

pub(super) const FLAGS: &[Flag] = &[
    flag("initial-advertise-peer-urls", Kind::Urls, "http://localhost:2380", "The addresses that other members are told."),
    flag("advertise-client-urls", Kind::Urls, "http://localhost:2379", "The addresses that clients are told."),
    flag("initial-cluster", Kind::Text, "default=http://localhost:2380", "The first members: name=URL, apart by commas."),
    flag("initial-cluster-state", Kind::OneOf(&["new", "existing"]), "new", "Whether the cluster is to be founded or joined."),
    flag("initial-cluster-token", Kind::Text, "etcd-cluster", "Part of the cluster's identity, so that two cannot mix."),
    flag("strict-reconfig-check", Kind::Bool, "true", "Refuse changes of membership that would lose the quorum.")
        .warned("changes of membership are not built yet, so none is let through"),
    flag("pre-vote", Kind::Bool, "true", "Ask before standing for election."),
    flag("discovery", Kind::Text, "", "The URL of a discovery service.").refused(DISCOVERY),
    flag("discovery-fallback", Kind::OneOf(&["proxy", "exit"]), "proxy", "What to do when the discovered cluster is full.")
        .gone_in_36()
        .warned(DISCOVERY_PART),
    flag("discovery-proxy", Kind::Text, "", "The HTTP proxy that leads to the discovery service.").warned(DISCOVERY_PART),
    flag("discovery-srv", Kind::Text, "", "The DNS domain whose records name the members.").refused(DISCOVERY),
    flag("discovery-srv-name", Kind::Text, "", "The service name that is asked for in DNS.").warned(DISCOVERY_PART),
    flag("discovery-endpoints", Kind::Words, "", "The etcd cluster that serves discovery.")
        .new_in_36()
        .not_in_file()
        .refused(DISCOVERY),
    flag("discovery-token", Kind::Text, "", "The name of the cluster to discover.").new_in_36().not_in_file().refused(DISCOVERY),
    part("discovery-dial-timeout", Kind::Span, "2s"),
    part("discovery-request-timeout", Kind::Span, "5s"),
    part("discovery-keepalive-time", Kind::Span, "2s"),
    part("discovery-keepalive-timeout", Kind::Span, "6s"),
    part("discovery-insecure-transport", Kind::Bool, "true"),
    part("discovery-insecure-skip-tls-verify", Kind::Bool, "false"),
    part("discovery-cert", Kind::Text, ""),
    part("discovery-key", Kind::Text, ""),
    part("discovery-cacert", Kind::Text, ""),
    part("discovery-user", Kind::Text, ""),
    part("discovery-password", Kind::Text, ""),
    flag("max-learners", Kind::Number(u32::MAX as u64), "1", "How many learners a cluster may have.")
        .new_in_36()
        .warned("changes of membership are not built yet, so there are no learners"),
    flag("force-new-cluster", Kind::Bool, "false", "Make this member's data the data of a new cluster of one.")
        .refused("the member would go on as part of its old cluster instead of founding a new one"),
];
