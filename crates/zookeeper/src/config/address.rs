//! Hosts and ports, as texts name them.

use std::fmt;
use std::net::IpAddr;

/// A host, by name or address, and a port. Names are looked up by whoever connects, each time anew.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct HostPort {
    /// The host; an IPv6 address without its brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl HostPort {
    /// What `host:port` or `[address]:port` means.
    pub fn parse(text: &str) -> Option<HostPort> {
        let (host, rest) = host_and_rest(text)?;
        Some(HostPort { host: host.to_owned(), port: rest?.parse().ok()? })
    }

    /// Whether it stands for every address of its machine, so that nobody can connect to it from elsewhere.
    pub fn is_wildcard(&self) -> bool {
        self.host.parse::<IpAddr>().is_ok_and(|address| address.is_unspecified())
    }
}

/// As texts name it: IPv6 addresses in brackets (Java: `QuorumServer.delimitedHostString`).
impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// A host, without brackets, and what follows behind the next colon (Java: `ConfigUtils.getHostAndPort`).
pub(super) fn host_and_rest(text: &str) -> Option<(&str, Option<&str>)> {
    let (host, rest) = match text.strip_prefix('[') {
        Some(bracketed) => {
            let (host, rest) = bracketed.split_once(']')?;
            match rest.strip_prefix(':') {
                Some(rest) => (host, Some(rest)),
                None if rest.is_empty() => (host, None),
                None => return None,
            }
        }
        None => match text.split_once(':') {
            Some((host, rest)) => (host, Some(rest)),
            None => (text, None),
        },
    };
    (!host.is_empty()).then_some((host, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_ipv6_stand_in_brackets() {
        let parsed = HostPort::parse("[::1]:3888").unwrap();
        assert_eq!((parsed.host.as_str(), parsed.port), ("::1", 3888));
        assert_eq!(parsed.to_string(), "[::1]:3888");
        for wrong in ["", ":1", "a", "a:", "a:1:2", "[::1:3888", "[::1]3888", "a:65536", "a:-1"] {
            assert_eq!(HostPort::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn wildcards_are_known() {
        assert!(HostPort::parse("0.0.0.0:1").unwrap().is_wildcard());
        assert!(HostPort::parse("[::]:1").unwrap().is_wildcard());
        assert!(!HostPort::parse("localhost:1").unwrap().is_wildcard());
    }
}
