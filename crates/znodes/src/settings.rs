//! What an operator can set about the tree.

use crate::Id;
use alloc::string::String;
use alloc::vec::Vec;
use consensus::NodeId;
use core::time::Duration;

/// How this server's tree behaves. Members of one ensemble are to agree on most of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// This server.
    pub me: NodeId,
    /// tickTime: sessions expire in buckets of this length.
    pub tick: Duration,
    /// minSessionTimeout.
    pub session_timeout_min: Duration,
    /// maxSessionTimeout.
    pub session_timeout_max: Duration,
    /// enforceQuota: hard limits are limits. Otherwise quotas only count.
    pub enforce_quota: bool,
    /// skipACL: everybody may do everything.
    pub skip_acl: bool,
    /// DigestAuthenticationProvider.superDigest, `user:base64(sha1(user:password))`: whoever knows the password may do everything.
    pub super_digest: Option<String>,
    /// Which schemes of authentication there are beside `world`, `ip` and `auth`.
    pub schemes: Schemes,
    /// extendedTypesEnabled: nodes may have a time to live.
    pub extended_types: bool,
    /// digest.enabled: transactions carry the digest of the tree, and it is verified.
    pub digest: bool,
    /// The most bytes of a transaction: what the other servers read, Java's too (`jute.maxbuffer` with its extra size, for all of
    /// PROPOSAL's data and of a record in the log). What a client asks for beyond it is refused.
    pub txn_bytes_max: usize,
    /// znode.container.checkIntervalMs: how often the leader looks for empty containers and for nodes whose time is over.
    pub container_check_interval: Duration,
    /// znode.container.maxPerMinute: how many of them it deletes at most. Not zero.
    pub containers_per_minute: u32,
    /// znode.container.maxNeverUsedIntervalMs: a container that never had a child goes after this long. Zero: never.
    pub container_never_used: Duration,
    /// Scatters paths in memory, so that clients cannot choose paths that collide. Any number that clients do not know.
    pub hash_seed: u64,
}

/// Which schemes of authentication there are (Java: `ProviderRegistry`). An access list may not name any other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Schemes {
    /// `digest`: unless DigestAuthenticationProvider.enabled is false.
    pub digest: bool,
    /// `sasl`, compared letter by letter.
    pub sasl: bool,
    /// `x509`: where clients come over TLS.
    pub x509: bool,
    /// X509AuthenticationProvider.superUser: this subject matches every `x509` entry.
    pub x509_super: Option<String>,
}

impl Default for Settings {
    fn default() -> Settings {
        let tick = Duration::from_secs(3);
        Settings {
            me: NodeId(0),
            tick,
            session_timeout_min: tick * 2,
            session_timeout_max: tick * 20,
            enforce_quota: false,
            skip_acl: false,
            super_digest: None,
            schemes: Schemes { digest: true, sasl: false, x509: false, x509_super: None },
            extended_types: false,
            digest: true,
            txn_bytes_max: 2 * 0xf_ffff,
            container_check_interval: Duration::from_secs(60),
            containers_per_minute: 10_000,
            container_never_used: Duration::ZERO,
            hash_seed: 0,
        }
    }
}

impl Settings {
    /// The time-out that a client gets who asks for `asked` milliseconds (Java: `ZooKeeperServer.processConnectRequest`).
    pub fn session_timeout(&self, asked: i32) -> i32 {
        let millis = |span: Duration| i32::try_from(span.as_millis()).unwrap_or(i32::MAX);
        asked.max(millis(self.session_timeout_min)).min(millis(self.session_timeout_max))
    }

    /// As whom a client is known who proved to be `digest` (`user:base64(sha1(user:password))`). Java:
    /// `DigestAuthenticationProvider.handleAuthentication`.
    pub fn digest_ids(&self, digest: String) -> Vec<Id> {
        let mut ids = Vec::new();
        if self.super_digest.as_ref() == Some(&digest) {
            ids.push(Id { scheme: "super".into(), id: String::new() });
        }
        ids.push(Id { scheme: "digest".into(), id: digest });
        ids
    }
}
