//! Where a member listens and where others find it.

use std::fmt;

/// An address as etcd's flags write it: `http://host:port`.
///
/// The text is kept as it was given, because etcd hashes peer URLs *as text* into member ids.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Url {
    text: String,
    secure: bool,
    host: String,
    port: u16,
}

impl Url {
    /// Reads `http://host:port` or `https://host:port`.
    pub fn parse(text: &str) -> Result<Url, UrlError> {
        let refuse = |wrong| Err(UrlError { text: text.to_owned(), wrong });
        let (secure, rest) = match text.split_once("://") {
            Some(("http", rest)) => (false, rest),
            Some(("https", rest)) => (true, rest),
            Some(("unix" | "unixs", _)) => return refuse(Wrong::Unix),
            _ => return refuse(Wrong::Scheme),
        };
        let (address, path) = rest.split_once('/').unwrap_or((rest, ""));
        if !path.is_empty() {
            return refuse(Wrong::Path);
        }
        let Some((host, port)) = address.rsplit_once(':') else { return refuse(Wrong::Address) };
        let Ok(port) = port.parse() else { return refuse(Wrong::Address) };
        // An IPv6 address stands in brackets, which are not part of it.
        let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(bare) => bare,
            None if host.contains(':') => return refuse(Wrong::Address),
            None => host,
        };
        Ok(Url { text: text.to_owned(), secure, host: host.to_owned(), port })
    }

    /// The URL as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it begins with `https`.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// The host, an IPv6 address without its brackets; empty means every address of this machine.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `host:port`, as an HTTP request names it.
    pub fn authority(&self) -> String {
        if self.host.contains(':') { format!("[{}]:{}", self.host, self.port) } else { format!("{}:{}", self.host, self.port) }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A URL that cannot be listened on or dialled.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UrlError {
    text: String,
    wrong: Wrong,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Wrong {
    Scheme,
    Unix,
    Address,
    Path,
}

/// In etcd's words.
impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = &self.text;
        match self.wrong {
            Wrong::Scheme => write!(f, "URL scheme must be http, https, unix, or unixs: {text}"),
            Wrong::Unix => write!(f, "unix sockets are not supported: {text}"),
            Wrong::Address => write!(f, "URL address does not have the form \"host:port\": {text}"),
            Wrong::Path => write!(f, "URL must not contain a path: {text}"),
        }
    }
}

impl std::error::Error for UrlError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_its_text_kept() {
        let url = Url::parse("http://127.0.0.1:2380").unwrap();
        assert_eq!((url.host(), url.port(), url.is_secure()), ("127.0.0.1", 2380, false));
        assert_eq!(url.as_str(), "http://127.0.0.1:2380");
        let url = Url::parse("https://[::1]:2380").unwrap();
        assert_eq!((url.host(), url.authority().as_str(), url.is_secure()), ("::1", "[::1]:2380", true));
    }

    #[test]
    fn what_etcd_refuses_is_refused_in_its_words() {
        for (text, words) in [
            ("127.0.0.1:2380", "URL scheme must be http, https, unix, or unixs: 127.0.0.1:2380"),
            ("http://localhost", "URL address does not have the form \"host:port\": http://localhost"),
            ("http://a:1/b", "URL must not contain a path: http://a:1/b"),
            ("http://::1:2380", "URL address does not have the form \"host:port\": http://::1:2380"),
        ] {
            assert_eq!(Url::parse(text).unwrap_err().to_string(), words);
        }
    }
}
