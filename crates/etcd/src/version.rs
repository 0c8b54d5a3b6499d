//! Which etcd this is, as far as clients and peers ask.

use core::fmt;

/// The etcd that we answer for: clients and peers gate features on it.
pub const SERVER: &str = "3.5.16";

/// The oldest cluster that we would join, which goes into a header of every peer request.
pub const MIN_CLUSTER: &str = "3.0.0";

/// What the cluster's version becomes when all members are like us.
pub const CLUSTER: &str = "3.5.0";

/// What `/version` says while the cluster's version is undecided.
pub const UNDECIDED: &str = "not_decided";

/// A version. What may follow the three numbers (`-rc.1`, `+git`) is not kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Version {
    /// Raised when everything changes.
    pub major: u64,
    /// Raised when features come. Peers and clusters are compared up to here.
    pub minor: u64,
    /// Raised when faults go.
    pub patch: u64,
}

impl Version {
    /// The version that `text` spells; `None` if it is none.
    pub fn parse(text: &str) -> Option<Version> {
        let numbers = &text[..text.find(['-', '+']).unwrap_or(text.len())];
        let mut parts = numbers
            .split('.')
            .map(|part| if part.bytes().all(|byte| byte.is_ascii_digit()) { part.parse::<u64>().ok() } else { None });
        let version = Version { major: parts.next()??, minor: parts.next()??, patch: parts.next()?? };
        if parts.next().is_none() { Some(version) } else { None }
    }

    /// What the cluster's version is made of: members that differ in `patch` alone speak the same.
    pub fn release(self) -> (u64, u64) {
        (self.major, self.minor)
    }

    /// This version as a cluster's: without `patch`.
    pub fn cluster(self) -> Version {
        Version { patch: 0, ..self }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_three_numbers_and_a_tail() {
        let spells = |text: &str| Version::parse(text).map(|version| version.to_string());
        assert_eq!(spells("3.5.16").as_deref(), Some("3.5.16"));
        assert_eq!(spells("3.7.0-rc.0").as_deref(), Some("3.7.0"));
        assert_eq!(spells("3.7.0+git").as_deref(), Some("3.7.0"));
        for text in ["", "3", "3.5", "3.5.", "3.5.16.1", "3.x.0", "v3.5.16", "3.+5.1", "not_decided", "99999999999999999999.0.0"]
        {
            assert_eq!(spells(text), None, "{text}");
        }
    }

    #[test]
    fn our_own_constants_are_versions() {
        let [server, min, cluster] = [SERVER, MIN_CLUSTER, CLUSTER].map(|text| Version::parse(text).unwrap());
        assert_eq!(server.cluster(), cluster);
        assert!(min < cluster);
    }
}
