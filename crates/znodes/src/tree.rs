//! The state machine itself.

use crate::acls::{AclKey, Acls, anyone};
use crate::digest::{self, Numbers};
use crate::nodes::{Node, Nodes, ROOT, Slot};
use crate::outlook::Outlook;
use crate::owner::Owner;
use crate::path::{self, CONFIG, QUOTA, ZOOKEEPER};
use crate::paths::Paths;
use crate::quota::Quotas;
use crate::snapshot::Walk;
use crate::sweep::Sweep;
use crate::tracker::Tracker;
use crate::verify::Verify;
use crate::{Permissions, Settings, Stat};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec;
use alloc::vec::Vec;
use consensus::{Instant, Position};
use core::fmt;

/// ZooKeeper's tree and sessions (Java: `DataTree`, `ZKDatabase`; on the leader also `PrepRequestProcessor`, `SessionTrackerImpl`
/// and `ContainerManager`).
pub struct Tree {
    pub(crate) settings: Settings,
    pub(crate) applied: Position,
    pub(crate) now: Instant,
    /// Milliseconds since 1970.
    pub(crate) wall: i64,

    pub(crate) nodes: Nodes,
    pub(crate) acls: Acls,
    /// Who lives, and the time-out in milliseconds.
    pub(crate) sessions: BTreeMap<i64, i32>,
    pub(crate) ephemerals: BTreeMap<i64, Paths>,
    pub(crate) containers: BTreeSet<Slot>,
    pub(crate) ttls: BTreeSet<Slot>,
    pub(crate) quotas: Quotas,
    pub(crate) digest: u64,
    /// Bytes of paths and data.
    pub(crate) data_size: u64,
    pub(crate) verify: Verify,

    pub(crate) outlook: Outlook,
    pub(crate) leading: Option<Leading>,
    /// How many requests of the leader's own there were.
    pub(crate) own_requests: i32,
    /// The latest transaction that created any of the nodes that were restored: later than `applied` in a fuzzy snapshot.
    pub(crate) horizon: i64,
    /// Snapshots under way.
    pub(crate) walks: Vec<Walk>,
    pub(crate) walks_begun: u64,
}

/// What only a leader keeps.
#[derive(Debug)]
pub(crate) struct Leading {
    pub(crate) tracker: Tracker,
    pub(crate) sweep: Sweep,
}

impl Tree {
    /// A fresh tree, as a server without any data has it: the root, `/zookeeper`, `/zookeeper/quota` and `/zookeeper/config`.
    pub fn new(settings: Settings) -> Tree {
        let mut tree = Tree::bare(settings, Numbers { content: digest::content("/", &[]), ..Numbers::default() });
        // Java: `DataTree.addConfigNode` restricts the list by `setACL(.., -1)`, which leaves its mark in aversion.
        let reading = tree.acls.acquire(vec![anyone(Permissions::READ)]);
        for (path, aversion, acl) in [(ZOOKEEPER, 0, AclKey::OPEN), (QUOTA, 0, AclKey::OPEN), (CONFIG, -1, reading)] {
            let numbers = Numbers { aversion, content: digest::content(path, &[]), ..Numbers::default() };
            let parent = tree.nodes.find(path::parent(path).expect("not the root")).expect("parents come first");
            tree.attach(Node::new(path.into(), Some(&[]), numbers, acl), parent);
        }
        tree
    }

    /// A root and nothing else.
    pub(crate) fn bare(settings: Settings, root: Numbers) -> Tree {
        let seed = settings.hash_seed;
        let root = Node::new("/".into(), Some(&[]), root, AclKey::OPEN);
        let digest = if settings.digest { root.numbers.digest() } else { 0 };
        Tree {
            applied: Position::ZERO,
            now: Instant::ZERO,
            wall: 0,
            nodes: Nodes::new(seed, root),
            acls: Acls::new(),
            sessions: BTreeMap::new(),
            ephemerals: BTreeMap::new(),
            containers: BTreeSet::new(),
            ttls: BTreeSet::new(),
            quotas: Quotas::default(),
            digest,
            data_size: 1, // the root's path
            verify: Verify::default(),
            outlook: Outlook::new(seed),
            leading: None,
            own_requests: 0,
            horizon: 0,
            walks: Vec::new(),
            walks_begun: 0,
            settings,
        }
    }

    /// How it was set up.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// A node's numbers, as clients see them.
    pub fn stat(&self, path: &str) -> Option<Stat> {
        self.nodes.find(path).map(|slot| self.stat_of(slot))
    }

    pub(crate) fn stat_of(&self, slot: Slot) -> Stat {
        let node = self.nodes.get(slot);
        let (numbers, children) = (&node.numbers, node.children() as i32);
        Stat {
            czxid: numbers.czxid,
            mzxid: numbers.mzxid,
            ctime: numbers.ctime,
            mtime: numbers.mtime,
            version: numbers.version,
            // Kept is how often a child was created; clients are told how often one came or went (Java: `DataNode.copyStat`).
            cversion: numbers.cversion.wrapping_mul(2).wrapping_sub(children),
            aversion: numbers.aversion,
            ephemeral_owner: match self.owner(numbers) {
                Owner::Session(session) => session,
                Owner::Nobody | Owner::Container | Owner::Ttl(_) => 0,
            },
            data_length: node.data_length() as i32,
            num_children: children,
            pzxid: numbers.pzxid,
        }
    }

    pub(crate) fn owner(&self, numbers: &Numbers) -> Owner {
        Owner::of(numbers.owner, self.settings.extended_types)
    }

    /// Puts a node below its parent, and into every account.
    pub(crate) fn attach(&mut self, node: Node, parent: Slot) -> Slot {
        let (path, owner) = (node.path.clone(), self.owner(&node.numbers));
        self.data_size += (path.len() + node.data_length()) as u64;
        self.count_in(&path, &node.numbers);
        let slot = self.nodes.insert(node, parent);
        match owner {
            Owner::Nobody => {}
            Owner::Session(session) => {
                self.ephemerals.entry(session).or_default().insert(path);
            }
            Owner::Container => {
                self.containers.insert(slot);
            }
            Owner::Ttl(_) => {
                self.ttls.insert(slot);
            }
        }
        slot
    }

    /// Takes a node without children out of the tree and out of every account.
    pub(crate) fn detach(&mut self, slot: Slot) {
        let node = self.nodes.get(slot);
        let (path, numbers, acl) = (node.path.clone(), node.numbers, node.acl);
        self.data_size -= (path.len() + node.data_length()) as u64;
        self.count_out(&path, &numbers);
        self.acls.release(acl);
        match self.owner(&numbers) {
            Owner::Nobody => {}
            Owner::Session(session) => {
                if let Some(paths) = self.ephemerals.get_mut(&session) {
                    paths.remove(&path);
                    if paths.is_empty() {
                        self.ephemerals.remove(&session);
                    }
                }
            }
            Owner::Container => {
                self.containers.remove(&slot);
            }
            Owner::Ttl(_) => {
                self.ttls.remove(&slot);
            }
        }
        self.nodes.remove(slot);
    }

    /// Changes a node's numbers, and the digest with them.
    pub(crate) fn renumber(&mut self, slot: Slot, change: impl FnOnce(&mut Numbers)) {
        let node = self.nodes.get_mut(slot);
        let before = node.numbers;
        change(&mut node.numbers);
        let after = node.numbers;
        if self.settings.digest && digest::counts(&node.path) {
            self.digest = self.digest.wrapping_sub(before.digest()).wrapping_add(after.digest());
        }
    }

    fn count_in(&mut self, path: &str, numbers: &Numbers) {
        if self.settings.digest && digest::counts(path) {
            self.digest = self.digest.wrapping_add(numbers.digest());
        }
    }

    fn count_out(&mut self, path: &str, numbers: &Numbers) {
        if self.settings.digest && digest::counts(path) {
            self.digest = self.digest.wrapping_sub(numbers.digest());
        }
    }

    /// The root's slot has two paths: all others are found by their own.
    pub(crate) fn parent_of(&self, path: &str) -> Option<Slot> {
        if path == "/" {
            // Java: the root's parent is "", which is the root.
            return Some(ROOT);
        }
        self.nodes.find(path::parent(path)?)
    }
}

/// Not node by node.
impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tree({} nodes, {} sessions, at {})", self.nodes.len(), self.sessions.len(), self.applied)
    }
}
