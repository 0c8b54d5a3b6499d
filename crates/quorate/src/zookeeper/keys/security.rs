//! TLS, and who may do what.

use super::super::value::Kind;
use super::{Key, key};

const TLS: &str = "TLS is not built yet, so traffic that was meant to be encrypted would travel in the clear";
const TLS_DETAIL: &str = "TLS is not built yet, and without secureClientPort or sslQuorum this key does nothing in Java, either";
const SASL: &str = "SASL is not built yet, so whoever was meant to be turned away would be let in";
const SASL_DETAIL: &str = "SASL is not built yet, and where nobody must use it this key lets nobody in or keeps nobody out";
const PROVIDER: &str =
    "schemes of authentication are those that are built in, so access lists that name others would let nobody in, or be refused";
const DIGEST: &str = "clients would be known by other digests than those in the access lists, or by none";

pub(super) const KEYS: &[Key] = &[
    key("skipACL", Kind::YesNo, "no"),
    key("DigestAuthenticationProvider.superDigest", Kind::Text, ""),
    key("DigestAuthenticationProvider.enabled", Kind::Bool, "true")
        .refused("clients that show a digest would be believed, although they were not meant to be"),
    key("DigestAuthenticationProvider.digestAlg", Kind::Text, "SHA1").refused(DIGEST),
    key("IPAuthenticationProvider.usexforwardedfor", Kind::Bool, "false")
        .refused("operators behind a proxy would be known by the proxy's address, and not by their own"),
    key("authProvider.*", Kind::Text, "").refused(PROVIDER),
    key("enforce.auth.enabled", Kind::Bool, "false").refused("clients that did not say who they are would be served"),
    key("enforce.auth.schemes", Kind::Text, "").warned("it counts only with enforce.auth.enabled, which is refused"),
    key("ensembleAuthName", Kind::Text, "").refused("clients that meant another ensemble would be served by this one"),
    key("enableEagerACLCheck", Kind::Bool, "false")
        .warned("access lists are looked at by the leader, which decides in Java, too"),
    key("superUser", Kind::Text, "").warned(SASL_DETAIL),
    key("X509AuthenticationProvider.superUser", Kind::Text, "").warned(TLS_DETAIL),
    key("sessionRequireClientSASLAuth", Kind::Bool, "false").refused(SASL),
    key("allowSaslFailedClients", Kind::Bool, "false").warned(SASL_DETAIL),
    key("letAnySaslUserDoX", Kind::Text, "").warned(SASL_DETAIL),
    key("SASLAuthenticationProvider.superPassword", Kind::Text, "").warned(SASL_DETAIL),
    key("sasl.*", Kind::Text, "").warned(SASL_DETAIL),
    key("kerberos.*", Kind::Text, "").warned(SASL_DETAIL),
    key("security.auth_to_local", Kind::Text, "").warned(SASL_DETAIL),
    key("quorum.auth.enableSasl", Kind::Bool, "false").refused(SASL),
    key("quorum.auth.learnerRequireSasl", Kind::Bool, "false").refused(SASL),
    key("quorum.auth.serverRequireSasl", Kind::Bool, "false").refused(SASL),
    key("quorum.auth.*", Kind::Text, "").warned(SASL_DETAIL),
    key("sslQuorum", Kind::Bool, "false").refused(TLS),
    key("portUnification", Kind::Bool, "false").refused(TLS),
    key("sslQuorumReloadCertFiles", Kind::Bool, "false").warned(TLS_DETAIL),
    key("client.certReload", Kind::Bool, "false").warned(TLS_DETAIL),
    key("ssl.*", Kind::Text, "").warned(TLS_DETAIL),
    key("fips-mode", Kind::Bool, "true").warned(TLS_DETAIL),
];
