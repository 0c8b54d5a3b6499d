//! TLS and access.

use super::{Flag, Kind, flag};

const TLS: &str = "TLS is not built yet, so traffic that was meant to be encrypted would travel in the clear";
const CERTIFICATES: &str = "TLS is not built yet, so clients that were meant to be turned away would be let in";
const TLS_DETAIL: &str = "TLS is not built yet, and without certificates this flag does nothing in etcd either";
const AUTH: &str = "users and roles are not built yet: enabling them is refused, so no token or password is ever made";

const fn tls(name: &'static str, kind: Kind, default: &'static str, key: &'static str, help: &'static str) -> Flag {
    flag(name, kind, default, help).key(key).refused(TLS)
}

pub(super) const FLAGS: &[Flag] = &[
    tls("cert-file", Kind::Text, "", "client-transport-security.cert-file", "The server's certificate for clients."),
    tls("key-file", Kind::Text, "", "client-transport-security.key-file", "The key of that certificate."),
    tls(
        "client-cert-file",
        Kind::Text,
        "",
        "client-transport-security.client-cert-file",
        "The certificate shown to one's own client port.",
    ),
    tls("client-key-file", Kind::Text, "", "client-transport-security.client-key-file", "The key of that certificate."),
    tls(
        "client-cert-auth",
        Kind::Bool,
        "false",
        "client-transport-security.client-cert-auth",
        "Clients must show a certificate.",
    )
    .refused(CERTIFICATES),
    flag("client-crl-file", Kind::Text, "", "Certificates of clients that were revoked.").not_in_file().refused(CERTIFICATES),
    tls(
        "client-cert-allowed-hostname",
        Kind::Words,
        "",
        "client-transport-security.allowed-hostname",
        "Names that clients' certificates may carry.",
    )
    .refused(CERTIFICATES),
    tls("trusted-ca-file", Kind::Text, "", "client-transport-security.trusted-ca-file", "Whose word is taken for clients.")
        .refused(CERTIFICATES),
    tls("auto-tls", Kind::Bool, "false", "client-transport-security.auto-tls", "Certificates of its own making for clients."),
    tls("peer-cert-file", Kind::Text, "", "peer-transport-security.cert-file", "The certificate for other members."),
    tls("peer-key-file", Kind::Text, "", "peer-transport-security.key-file", "The key of that certificate."),
    tls(
        "peer-client-cert-file",
        Kind::Text,
        "",
        "peer-transport-security.client-cert-file",
        "The certificate shown to other members.",
    ),
    tls("peer-client-key-file", Kind::Text, "", "peer-transport-security.client-key-file", "The key of that certificate."),
    tls(
        "peer-client-cert-auth",
        Kind::Bool,
        "false",
        "peer-transport-security.client-cert-auth",
        "Members must show a certificate.",
    )
    .refused(CERTIFICATES),
    tls("peer-trusted-ca-file", Kind::Text, "", "peer-transport-security.trusted-ca-file", "Whose word is taken for members.")
        .refused(CERTIFICATES),
    tls("peer-auto-tls", Kind::Bool, "false", "peer-transport-security.auto-tls", "Certificates of its own making for members."),
    flag("peer-crl-file", Kind::Text, "", "Certificates of members that were revoked.").not_in_file().refused(CERTIFICATES),
    tls(
        "peer-cert-allowed-cn",
        Kind::Words,
        "",
        "peer-transport-security.allowed-cn",
        "Common names that members' certificates may carry.",
    )
    .refused(CERTIFICATES),
    tls(
        "peer-cert-allowed-hostname",
        Kind::Words,
        "",
        "peer-transport-security.allowed-hostname",
        "Names that members' certificates may carry.",
    )
    .refused(CERTIFICATES),
    flag("peer-skip-client-san-verification", Kind::Bool, "false", "Do not look at the names in members' certificates.")
        .key("peer-transport-security.skip-client-san-verification")
        .new_in_36()
        .warned(TLS_DETAIL),
    flag("experimental-peer-skip-client-san-verification", Kind::Bool, "false", "The same, by its older name.")
        .not_in_file()
        .warned(TLS_DETAIL),
    flag(
        "self-signed-cert-validity",
        Kind::Number(u32::MAX as u64),
        "1",
        "Years for which certificates of its own making are good.",
    )
    .warned(TLS_DETAIL),
    flag("cipher-suites", Kind::Words, "", "Ciphers that may be used.").refused(TLS),
    flag("tls-min-version", Kind::Text, "TLS1.2", "The oldest TLS that may be used.").warned(TLS_DETAIL),
    flag("tls-max-version", Kind::Text, "", "The newest TLS that may be used.").warned(TLS_DETAIL),
    flag("cors", Kind::Words, "*", "Origins whose pages may call this member.")
        .warned("no page of any origin is given leave to call this member, which is stricter"),
    flag("host-whitelist", Kind::Words, "*", "Host names under which HTTP clients may call.")
        .refused("requests under any host name would be answered, which is open to DNS rebinding"),
    flag("auth-token", Kind::Text, "simple", "How tokens are made: simple, or jwt with its options.")
        .refused("users and roles are not built yet, so no token would be asked for"),
    flag("bcrypt-cost", Kind::Number(31), "10", "The cost of hashing passwords.").warned(AUTH),
    flag("auth-token-ttl", Kind::Number(u32::MAX as u64), "300", "Seconds for which a simple token is good.").warned(AUTH),
];
