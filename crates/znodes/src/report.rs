//! What four-letter words, the admin server and metrics ask for.

use crate::acls::anyone;
use crate::digest::{self, Numbers};
use crate::nodes::Node;
use crate::path::CONFIG;
use crate::paths::Paths;
use crate::verify::Verify;
use crate::{Permissions, Tree, TreeDigest};
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use consensus::{Instant, Position};

impl Tree {
    /// Nodes, as Java counts them: the root is there under both its names.
    pub fn node_count(&self) -> usize {
        self.nodes.len() + 1
    }

    /// Bytes of paths and data, as Java counts them.
    pub fn approximate_data_size(&self) -> u64 {
        self.data_size
    }

    /// Ephemeral nodes.
    pub fn ephemerals_count(&self) -> usize {
        self.ephemerals.values().map(|paths| paths.len()).sum()
    }

    /// The ephemeral nodes of each session that has any: `dump`.
    pub fn ephemerals(&self) -> &BTreeMap<i64, Paths> {
        &self.ephemerals
    }

    /// The sessions that live, and their time-outs in milliseconds.
    pub fn sessions(&self) -> &BTreeMap<i64, i32> {
        &self.sessions
    }

    /// The time-out of a session in milliseconds, if it lives.
    pub fn session_timeout(&self, session: i64) -> Option<i32> {
        self.sessions.get(&session).copied()
    }

    /// When which sessions would expire. Empty unless this member leads.
    pub fn session_expiries(&self) -> BTreeMap<Instant, Vec<i64>> {
        self.leading.as_ref().map(|leading| leading.tracker.expiries()).unwrap_or_default()
    }

    /// Containers.
    pub fn container_count(&self) -> usize {
        self.containers.len()
    }

    /// Nodes with a time to live.
    pub fn ttl_count(&self) -> usize {
        self.ttls.len()
    }

    /// Different access lists in use.
    pub fn acl_count(&self) -> usize {
        self.acls.len()
    }

    /// The paths that have a quota.
    pub fn quotas(&self) -> impl Iterator<Item = &str> {
        self.quotas.iter()
    }

    /// The digest of the tree as it is: 0 where digests are switched off.
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// The digest, as it stands in transactions and snapshots. `None` where digests are switched off.
    pub fn tree_digest(&self) -> Option<TreeDigest> {
        self.settings.digest.then_some(TreeDigest { version: TreeDigest::VERSION, value: self.digest })
    }

    /// The digests at every 128th zxid, the oldest first: `hash`.
    pub fn digest_log(&self) -> impl Iterator<Item = (Position, u64)> + '_ {
        self.verify.log.iter().copied()
    }

    /// How often the tree was not what a leader, or a snapshot, said that it would be; and where that was seen first.
    pub fn digest_mismatches(&self) -> (u64, Option<Position>) {
        (self.verify.mismatches, self.verify.first_mismatch)
    }

    /// This tree came as a snapshot from a leader, which does not say when it ended (on the wire the digest is left out), and all that
    /// came with it has been applied. Until now it was the tree of no one moment: what was found wrong with it, and what digests it
    /// had, means nothing.
    pub fn settle(&mut self) {
        self.verify = Verify::default();
    }

    /// Writes the ensemble's configuration into `/zookeeper/config`, which every server does on its own when it starts and when the
    /// configuration changes: it counts in no digest (Java: `ZKDatabase.initConfigInZKDatabase`). `version` is the
    /// configuration's, `time` in milliseconds since 1970.
    pub fn set_configuration(&mut self, text: &[u8], version: i64, time: i64) {
        let content = digest::content(CONFIG, text);
        let slot = self.nodes.find(CONFIG).or_else(|| {
            // Snapshots of servers before 3.5 do not have it.
            let parent = self.parent_of(CONFIG)?;
            let acl = self.acls.acquire(vec![anyone(Permissions::READ)]);
            let numbers = Numbers { aversion: -1, ..Numbers::default() };
            Some(self.attach(Node::new(CONFIG.into(), None, numbers, acl), parent))
        });
        let Some(slot) = slot else { return };
        self.put_data(slot, Some(text));
        self.renumber(slot, |node| {
            (node.version, node.mzxid, node.mtime, node.content) = (-1, version, time, content);
        });
    }

    /// All paths below and including `top`, parents first: for tools and tests.
    pub fn paths(&self, top: &str) -> Vec<String> {
        self.nodes.find(top).map_or(Vec::new(), |slot| self.nodes.below(slot).map(|node| String::from(&*node.path)).collect())
    }
}
