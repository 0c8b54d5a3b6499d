//! What a node weighs in the digest of the whole tree.
//!
//! The digest of a tree is the wrapping sum of its nodes' (Java: `AdHash`), and that of a node is the CRC-32 of (Java:
//! `DigestCalculator`, version 2)
//!
//! ```text
//!   path ("" for the root)   data   czxid mzxid pzxid ctime mtime (8 bytes each)   version cversion aversion (4 each)   owner (8)
//!   └────────── content, kept ────┘ └────────────────── 60 bytes, computed whenever they change ───────────────────────────────┘
//! ```
//!
//! What is below /zookeeper does not count: servers change quotas on their own.

use crate::path::ZOOKEEPER;
use crc32fast::Hasher;

/// A node's numbers as they are kept on disk, and the CRC-32 of its path and data: all that its digest is made of.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Numbers {
    pub(crate) czxid: i64,
    pub(crate) mzxid: i64,
    pub(crate) pzxid: i64,
    pub(crate) ctime: i64,
    pub(crate) mtime: i64,
    pub(crate) owner: i64,
    pub(crate) version: i32,
    /// How many children were created so far.
    pub(crate) cversion: i32,
    pub(crate) aversion: i32,
    /// The CRC-32 of path and data.
    pub(crate) content: u32,
}

impl Numbers {
    /// Those of a node that is created by transaction `zxid` at `time`.
    pub(crate) fn created(zxid: i64, time: i64, owner: i64, content: u32) -> Numbers {
        Numbers { czxid: zxid, mzxid: zxid, pzxid: zxid, ctime: time, mtime: time, owner, content, ..Numbers::default() }
    }

    /// The node's share in the digest of the tree.
    pub(crate) fn digest(&self) -> u64 {
        let mut bytes = [0; 60];
        for (at, long) in [self.czxid, self.mzxid, self.pzxid, self.ctime, self.mtime].into_iter().enumerate() {
            bytes[at * 8..at * 8 + 8].copy_from_slice(&long.to_be_bytes());
        }
        for (at, int) in [self.version, self.cversion, self.aversion].into_iter().enumerate() {
            bytes[40 + at * 4..44 + at * 4].copy_from_slice(&int.to_be_bytes());
        }
        bytes[52..].copy_from_slice(&self.owner.to_be_bytes());
        let mut hasher = Hasher::new_with_initial(self.content);
        hasher.update(&bytes);
        u64::from(hasher.finalize())
    }
}

/// The CRC-32 of a node's path and data.
pub(crate) fn content(path: &str, data: &[u8]) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(if path == "/" { &[] } else { path.as_bytes() });
    hasher.update(data);
    hasher.finalize()
}

/// Whether the node at `path` counts.
pub(crate) fn counts(path: &str) -> bool {
    !path.strip_prefix(ZOOKEEPER).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_below_zookeeper_does_not_count() {
        assert!(counts("/") && counts("/zookeeper") && counts("/zookeepers/a"));
        assert!(!counts("/zookeeper/quota") && !counts("/zookeeper/config"));
    }

    #[test]
    fn a_node_may_be_summed_in_two_steps() {
        let numbers = Numbers::created(0x1_0000_0001, 1_700_000_000_000, 0, content("/a", b"data"));
        let mut whole = alloc::vec::Vec::from(*b"/adata");
        for long in [numbers.czxid, numbers.mzxid, numbers.pzxid, numbers.ctime, numbers.mtime] {
            whole.extend_from_slice(&long.to_be_bytes());
        }
        whole.extend_from_slice(&[0; 20]);
        assert_eq!(numbers.digest(), u64::from(crc32fast::hash(&whole)));
    }
}
