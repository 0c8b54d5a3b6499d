//! URLs as etcd's flags take them.
//!
//! A URL's text is part of a member's identity: ids are hashes over it. So it is kept as it was written, but for what Go's parser
//! changes, the case of the scheme and space around.

use core::fmt;
use thiserror::Error;

/// An address to listen on or to be found at.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Url {
    text: String,
    scheme: Scheme,
    address: Address,
}

/// How to talk there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// With TLS.
    Https,
    /// Over a socket in the file system.
    Unix,
    /// Over a socket in the file system, with TLS.
    Unixs,
}

/// Where to talk.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Address {
    /// Over TCP.
    Tcp {
        /// A name or an IP address, IPv6 without its brackets; empty: every interface.
        host: String,
        /// The port.
        port: u16,
    },
    /// The path of a socket.
    Unix(String),
}

/// Why a text is no URL that etcd takes.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum UrlError {
    /// No scheme, or one that etcd does not know.
    #[error("{0:?} must begin with http://, https://, unix:// or unixs://")]
    Scheme(String),
    /// The port is missing.
    #[error("{0:?} has no port; write host:port, such as http://127.0.0.1:2380")]
    PortMissing(String),
    /// The port is no number from 0 to 65535.
    #[error("{text:?} has the port {port:?}, which is no number from 0 to 65535")]
    Port {
        /// The URL.
        text: String,
        /// What stands where the port belongs.
        port: String,
    },
    /// Colons in the host, but no brackets around.
    #[error("{0:?} has colons in its host; write an IPv6 address as [::1]")]
    Brackets(String),
    /// Something after the port, or before the host.
    #[error("{text:?} must be no more than scheme, host and port; {extra:?} is too much")]
    Extra {
        /// The URL.
        text: String,
        /// What is too much.
        extra: String,
    },
    /// A socket without a path.
    #[error("{0:?} names no socket; write unix:// and its path")]
    Socket(String),
}

impl Url {
    /// The URL that `text` spells.
    pub fn parse(text: &str) -> Result<Url, UrlError> {
        let text = text.trim();
        let (scheme, rest) = scheme(text).ok_or_else(|| UrlError::Scheme(text.into()))?;
        let address = match scheme {
            Scheme::Http | Scheme::Https => tcp(text, rest)?,
            Scheme::Unix | Scheme::Unixs if rest.is_empty() => return Err(UrlError::Socket(text.into())),
            Scheme::Unix | Scheme::Unixs => Address::Unix(rest.into()),
        };
        Ok(Url { text: format!("{scheme}://{rest}"), scheme, address })
    }

    /// The URLs of a comma-separated list, in order of text as etcd keeps them.
    pub fn parse_list(list: &str) -> Result<Vec<Url>, UrlError> {
        let mut urls = list.split(',').map(Url::parse).collect::<Result<Vec<_>, _>>()?;
        urls.sort();
        Ok(urls)
    }

    /// The URL as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// How to talk there.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Where to talk.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Whether TLS is asked for.
    pub fn is_secure(&self) -> bool {
        matches!(self.scheme, Scheme::Https | Scheme::Unixs)
    }
}

fn scheme(text: &str) -> Option<(Scheme, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    let scheme = [Scheme::Http, Scheme::Https, Scheme::Unix, Scheme::Unixs]
        .into_iter()
        .find(|known| known.as_str().eq_ignore_ascii_case(scheme))?;
    Some((scheme, rest))
}

fn tcp(text: &str, rest: &str) -> Result<Address, UrlError> {
    let extra = |extra: &str| UrlError::Extra { text: text.into(), extra: extra.into() };
    if let Some(at) = rest.find(['/', '?', '#']) {
        return Err(extra(&rest[at..]));
    }
    if let Some(at) = rest.rfind('@') {
        return Err(extra(&rest[..=at]));
    }
    let missing = || UrlError::PortMissing(text.into());
    let (host, port) = match rest.strip_prefix('[') {
        Some(bracketed) => {
            let (host, port) = bracketed.split_once(']').ok_or_else(|| UrlError::Brackets(text.into()))?;
            (host, port.strip_prefix(':').ok_or_else(missing)?)
        }
        None => {
            let (host, port) = rest.rsplit_once(':').ok_or_else(missing)?;
            if host.contains(':') {
                return Err(UrlError::Brackets(text.into()));
            }
            (host, port)
        }
    };
    if port.is_empty() {
        return Err(missing());
    }
    let number = if port.bytes().all(|byte| byte.is_ascii_digit()) { port.parse().ok() } else { None };
    let port = number.ok_or_else(|| UrlError::Port { text: text.into(), port: port.into() })?;
    Ok(Address::Tcp { host: host.into(), port })
}

impl Scheme {
    fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
            Scheme::Unix => "unix",
            Scheme::Unixs => "unixs",
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Url::parse(text).unwrap().address().clone()
    }

    #[test]
    fn a_url_is_scheme_host_and_port() {
        let tcp = |host: &str, port| Address::Tcp { host: host.into(), port };
        assert_eq!(address("http://127.0.0.1:2380"), tcp("127.0.0.1", 2380));
        assert_eq!(address("https://m1.example:2380"), tcp("m1.example", 2380));
        assert_eq!(address("http://[::1]:2380"), tcp("::1", 2380));
        assert_eq!(address("http://:2380"), tcp("", 2380));
        assert_eq!(address("unix:///run/etcd.sock"), Address::Unix("/run/etcd.sock".into()));
        assert!(Url::parse("https://a:1").unwrap().is_secure());
    }

    #[test]
    fn the_text_is_kept_but_for_what_go_changes() {
        assert_eq!(Url::parse(" HTTP://Host:2380 ").unwrap().as_str(), "http://Host:2380");
        assert_eq!(Url::parse("http://127.0.0.1:02380").unwrap().as_str(), "http://127.0.0.1:02380");
    }

    #[test]
    fn errors_say_what_would_be_right() {
        for (text, error) in [
            ("127.0.0.1:2380", r#""127.0.0.1:2380" must begin with http://, https://, unix:// or unixs://"#),
            ("ftp://a:1", r#""ftp://a:1" must begin with http://, https://, unix:// or unixs://"#),
            ("", r#""" must begin with http://, https://, unix:// or unixs://"#),
            ("http://a", r#""http://a" has no port; write host:port, such as http://127.0.0.1:2380"#),
            ("http://a:", r#""http://a:" has no port; write host:port, such as http://127.0.0.1:2380"#),
            ("http://a:x", r#""http://a:x" has the port "x", which is no number from 0 to 65535"#),
            ("http://a:65536", r#""http://a:65536" has the port "65536", which is no number from 0 to 65535"#),
            ("http://::1:2380", r#""http://::1:2380" has colons in its host; write an IPv6 address as [::1]"#),
            ("http://[::1:2380", r#""http://[::1:2380" has colons in its host; write an IPv6 address as [::1]"#),
            ("http://a:1/", r#""http://a:1/" must be no more than scheme, host and port; "/" is too much"#),
            ("http://u@a:1", r#""http://u@a:1" must be no more than scheme, host and port; "u@" is too much"#),
            ("unix://", r#""unix://" names no socket; write unix:// and its path"#),
        ] {
            assert_eq!(Url::parse(text).unwrap_err().to_string(), error);
        }
    }
}
