//! How much may be below a node, and how much is.
//!
//! The quota of `/a` stands in the data of two nodes, as text: what is allowed in `/zookeeper/quota/a/zookeeper_limits`, what is
//! used in `/zookeeper/quota/a/zookeeper_stats`. The latter is kept up to date by every server on its own, without transactions.

use crate::path::{self, QUOTA};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;

const LIMITS: &str = "zookeeper_limits";
const STATS: &str = "zookeeper_stats";

/// Which nodes have a quota (Java: `PathTrie`).
#[derive(Default)]
pub(crate) struct Quotas {
    prefixes: BTreeSet<String>,
}

impl Quotas {
    pub(crate) fn insert(&mut self, path: &str) {
        self.prefixes.insert(path.into());
    }

    pub(crate) fn remove(&mut self, path: &str) {
        self.prefixes.remove(path);
    }

    /// The lowest node at or above `path` that has a quota. There is none on the root.
    pub(crate) fn of(&self, path: &str) -> Option<&str> {
        if self.prefixes.is_empty() {
            return None;
        }
        let mut at = Some(path);
        while let Some(path) = at {
            if let Some(prefix) = self.prefixes.get(path) {
                return Some(prefix);
            }
            at = path::parent(path);
        }
        None
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.prefixes.iter().map(String::as_str)
    }
}

/// Whose limits the node at `path` holds, if it holds any.
pub(crate) fn limited(path: &str) -> Option<&str> {
    subject(path, LIMITS)
}

/// Whose usage the node at `path` holds, if it holds any.
pub(crate) fn measured(path: &str) -> Option<&str> {
    subject(path, STATS)
}

fn subject<'a>(path: &'a str, name: &str) -> Option<&'a str> {
    let subject = path.strip_prefix(QUOTA)?.strip_suffix(name)?.strip_suffix('/')?;
    (subject.len() > 1 && subject.starts_with('/')).then_some(subject)
}

/// Where the limits of `path` stand.
pub(crate) fn limits_of(path: &str) -> String {
    format!("{QUOTA}{path}/{LIMITS}")
}

/// Where the usage of `path` stands.
pub(crate) fn stats_of(path: &str) -> String {
    format!("{QUOTA}{path}/{STATS}")
}

/// What stands there (Java: `StatsTrack`): `count=4,bytes=5=;byteHardLimit=9;countHardLimit=9`, −1 where nothing is said.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Usage {
    values: BTreeMap<String, i64>,
}

impl Usage {
    pub(crate) fn new(count: i64, bytes: i64) -> Usage {
        Usage { values: [("count".to_string(), count), ("bytes".to_string(), bytes)].into() }
    }

    /// What cannot be understood says nothing. (Java's servers stop there.)
    pub(crate) fn parse(text: &[u8]) -> Usage {
        let text = String::from_utf8_lossy(text);
        let pairs = text.split([',', ';']).filter_map(|pair| {
            let mut parts = pair.split('=');
            let key = parts.next().filter(|key| !key.is_empty())?;
            Some((key.to_string(), parts.next()?.parse().unwrap_or(-1)))
        });
        Usage { values: pairs.collect() }
    }

    /// Nodes.
    pub(crate) fn count(&self) -> i64 {
        self.get("count")
    }

    /// Bytes of data.
    pub(crate) fn bytes(&self) -> i64 {
        self.get("bytes")
    }

    /// After so many nodes more and so many bytes more.
    pub(crate) fn plus(mut self, count: i64, bytes: i64) -> Usage {
        let (count, bytes) = (self.count().wrapping_add(count), self.bytes().wrapping_add(bytes));
        self.values.insert("count".into(), count);
        self.values.insert("bytes".into(), bytes);
        self
    }

    /// As limits: whether this usage with `count` nodes and `bytes` bytes more is above a hard limit (Java:
    /// `ZooKeeperServer.checkQuota`). What does not change is not looked at.
    pub(crate) fn forbids(&self, usage: &Usage, count: i64, bytes: i64) -> bool {
        let above = |hard: i64, used: i64, more: i64| more != 0 && hard > -1 && used.saturating_add(more) > hard;
        above(self.get("countHardLimit"), usage.count(), count) || above(self.get("byteHardLimit"), usage.bytes(), bytes)
    }

    fn get(&self, key: &str) -> i64 {
        self.values.get(key).copied().unwrap_or(-1)
    }
}

/// As it stands in the node: count and bytes first, and a stray `=` before what servers before 3.5 do not know.
impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "count={},bytes={}", self.count(), self.bytes())?;
        let others = self.values.iter().filter(|(key, _)| !matches!(key.as_str(), "count" | "bytes"));
        for (at, (key, value)) in others.enumerate() {
            write!(f, "{};{key}={value}", if at == 0 { "=" } else { "" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_quota_counts() {
        let mut quotas = Quotas::default();
        quotas.insert("/a");
        quotas.insert("/a/b/c");
        assert_eq!(quotas.of("/a/b"), Some("/a"));
        assert_eq!(quotas.of("/a/b/c"), Some("/a/b/c"));
        assert_eq!(quotas.of("/a/b/cd"), Some("/a"));
        assert_eq!(quotas.of("/ab"), None);
        quotas.remove("/a");
        assert_eq!(quotas.of("/a/b"), None);
    }

    #[test]
    fn limits_and_usage_are_known_by_their_paths() {
        assert_eq!(limited("/zookeeper/quota/a/b/zookeeper_limits"), Some("/a/b"));
        assert_eq!(measured("/zookeeper/quota/a/zookeeper_stats"), Some("/a"));
        for other in [
            "/zookeeper/quota/zookeeper_limits",
            "/zookeeper/quotas/a/zookeeper_limits",
            "/a/zookeeper_limits",
            "/zookeeper/quota/a",
        ] {
            assert_eq!(limited(other), None, "{other}");
        }
        assert_eq!(limits_of("/a"), "/zookeeper/quota/a/zookeeper_limits");
    }

    #[test]
    fn usage_reads_as_java_writes_it() {
        let text = "count=4,bytes=5=;byteHardLimit=9;countHardLimit=10";
        let usage = Usage::parse(text.as_bytes());
        assert_eq!(usage.to_string(), text);
        assert_eq!(usage.plus(-1, 2).to_string(), "count=3,bytes=7=;byteHardLimit=9;countHardLimit=10");
        assert_eq!(Usage::parse(b"").plus(1, 1).to_string(), "count=0,bytes=0");
        assert_eq!(Usage::parse(b"nonsense,count=x").to_string(), "count=-1,bytes=-1");
    }

    #[test]
    fn only_hard_limits_forbid_and_only_change() {
        let usage = Usage::new(4, 100);
        assert!(!Usage::parse(b"count=4,bytes=100").forbids(&usage, 1, 1));
        let hard = Usage::parse(b"count=-1,bytes=-1=;countHardLimit=4;byteHardLimit=100");
        assert!(hard.forbids(&usage, 1, 0));
        assert!(hard.forbids(&usage, 0, 1));
        assert!(!hard.forbids(&usage, 0, -1));
        assert!(!hard.forbids(&usage, 0, 0));
    }
}
