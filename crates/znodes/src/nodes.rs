//! The nodes: slots in pages, found by path, linked into a tree.
//!
//! ```text
//!   index: path ──▶ slot          page 0            page 1
//!                              ┌───┬───┬───┐     ┌───┬───┬───┐
//!                              │ / │/a │/a/b│ ... │   │   │   │      first_child, next, previous, parent: slots
//!                              └───┴───┴───┘     └───┴───┴───┘
//! ```
//!
//! A node costs one slot, its path, its data, and 8 bytes in the index; no node moves when the tree grows. Children are linked, the
//! newest first, so that adding and removing one takes the same time however many there are. Each node knows how many are below it:
//! counting them when somebody asks would take as long as the tree is large.
//!
//! While a snapshot walks the tree, a removed node is only *buried*: it keeps its links, so that a walk that stands on it finds the
//! way on. A walk that follows the links (`after`) visits every node that was there when it began and still is, each path at most
//! once, parents before children: new nodes go to the front of a list, which the walk has passed once it is in the list.

use crate::acls::AclKey;
use crate::digest::Numbers;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::hash::BuildHasher;
use foldhash::fast::FixedState;
use hashbrown::HashTable;

/// Names a node for as long as it lives.
pub(crate) type Slot = u32;

/// No node.
const NONE: Slot = Slot::MAX;
const PAGE: usize = 512;
/// Every tree has one.
pub(crate) const ROOT: Slot = 0;

/// A node.
pub(crate) struct Node {
    pub(crate) path: Arc<str>,
    pub(crate) data: Option<Bytes>,
    pub(crate) numbers: Numbers,
    pub(crate) acl: AclKey,
    children: u32,
    /// Children, their children and so on.
    descendants: u32,
    parent: Slot,
    first_child: Slot,
    next: Slot,
    previous: Slot,
}

impl Node {
    /// A node that is not yet in the tree. Its data gets memory of its own: it often comes as a piece of something larger, which it
    /// would keep alive.
    pub(crate) fn new(path: Arc<str>, data: Option<&[u8]>, numbers: Numbers, acl: AclKey) -> Node {
        let data = data.map(Bytes::copy_from_slice);
        let (parent, first_child, next, previous) = (NONE, NONE, NONE, NONE);
        Node { path, data, numbers, acl, children: 0, descendants: 0, parent, first_child, next, previous }
    }

    pub(crate) fn children(&self) -> u32 {
        self.children
    }

    pub(crate) fn descendants(&self) -> u32 {
        self.descendants
    }

    pub(crate) fn data_length(&self) -> usize {
        self.data.as_ref().map_or(0, Bytes::len)
    }
}

/// All nodes.
pub(crate) struct Nodes {
    pages: Vec<Vec<Node>>,
    index: HashTable<Place>,
    hasher: FixedState,
    free: Vec<Slot>,
    /// Removed while a snapshot is under way.
    buried: Vec<Slot>,
    burying: bool,
    /// The path of slots that hold nothing.
    vacant: Arc<str>,
}

/// Where a path's node is. The hash is kept so that the index can grow without looking at the nodes.
struct Place {
    hash: u32,
    slot: Slot,
}

fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Nodes {
    /// A tree of nothing but this root.
    pub(crate) fn new(seed: u64, root: Node) -> Nodes {
        let mut nodes = Nodes {
            pages: Vec::new(),
            index: HashTable::new(),
            hasher: FixedState::with_seed(seed),
            free: Vec::new(),
            buried: Vec::new(),
            burying: false,
            vacant: "".into(),
        };
        assert_eq!(&*root.path, "/", "the root's path");
        let slot = nodes.insert(root, NONE);
        assert_eq!(slot, ROOT, "the root comes first");
        nodes
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    /// The node at `path`. The root has two names (Java: `DataTree`, "rather than fight it, let root have an alias").
    pub(crate) fn find(&self, path: &str) -> Option<Slot> {
        if path.is_empty() {
            return Some(ROOT);
        }
        let hash = self.hash(path);
        self.index.find(spread(hash), |place| place.hash == hash && *self.get(place.slot).path == *path).map(|place| place.slot)
    }

    pub(crate) fn get(&self, slot: Slot) -> &Node {
        &self.pages[slot as usize / PAGE][slot as usize % PAGE]
    }

    pub(crate) fn get_mut(&mut self, slot: Slot) -> &mut Node {
        &mut self.pages[slot as usize / PAGE][slot as usize % PAGE]
    }

    /// Adds a node, whose path must be free, as the first child of `parent`.
    pub(crate) fn insert(&mut self, mut node: Node, parent: Slot) -> Slot {
        let hash = self.hash(&node.path);
        node.parent = parent;
        if parent != NONE {
            node.next = self.get(parent).first_child;
        }
        let next = node.next;
        let slot = self.take_slot(node);
        if parent != NONE {
            if next != NONE {
                self.get_mut(next).previous = slot;
            }
            let node = self.get_mut(parent);
            node.first_child = slot;
            node.children += 1;
            self.count_above(parent, |descendants| *descendants += 1);
        }
        self.index.insert_unique(spread(hash), Place { hash, slot }, |place| spread(place.hash));
        slot
    }

    /// Takes a node without children out of the tree.
    pub(crate) fn remove(&mut self, slot: Slot) {
        let vacant = self.vacant.clone();
        let burying = self.burying;
        let node = self.get_mut(slot);
        assert_eq!(node.children, 0, "{} still has children", node.path);
        let (parent, next, previous) = (node.parent, node.next, node.previous);
        node.data = None;
        let path = core::mem::replace(&mut node.path, vacant);
        if previous != NONE {
            self.get_mut(previous).next = next;
        } else {
            self.get_mut(parent).first_child = next;
        }
        if next != NONE {
            self.get_mut(next).previous = previous;
        }
        self.get_mut(parent).children -= 1;
        self.count_above(parent, |descendants| *descendants -= 1);
        let hash = self.hash(&path);
        match self.index.find_entry(spread(hash), |place| place.slot == slot) {
            Ok(entry) => drop(entry.remove()),
            Err(_) => unreachable!("{path} is not in the index"),
        }
        if burying { self.buried.push(slot) } else { self.free.push(slot) }
    }

    /// The children of a node, the newest first.
    pub(crate) fn children(&self, slot: Slot) -> impl Iterator<Item = &Node> {
        let first = self.get(slot).first_child;
        core::iter::successors(self.link(first), |node| self.link(node.next))
    }

    /// The first child's slot.
    pub(crate) fn first_child(&self, slot: Slot) -> Option<Slot> {
        Some(self.get(slot).first_child).filter(|&slot| slot != NONE)
    }

    /// A node and all below it, parents first.
    pub(crate) fn below(&self, top: Slot) -> impl Iterator<Item = &Node> {
        let mut at = Some(top);
        core::iter::from_fn(move || {
            let slot = at?;
            at = self.after(slot, top, true);
            Some(self.get(slot))
        })
    }

    /// Where a walk through `top` and all below it goes from `slot`, which may have been buried since it was reached. Its children
    /// are left out unless `enter`.
    pub(crate) fn after(&self, slot: Slot, top: Slot, enter: bool) -> Option<Slot> {
        let node = self.get(slot);
        if enter && node.first_child != NONE {
            return Some(node.first_child);
        }
        let mut slot = slot;
        while slot != top {
            let node = self.get(slot);
            if node.next != NONE {
                return Some(node.next);
            }
            slot = node.parent;
        }
        None
    }

    /// Whether the node was removed.
    pub(crate) fn is_buried(&self, slot: Slot) -> bool {
        self.get(slot).path.is_empty()
    }

    /// A walk begins: what is removed keeps its links.
    pub(crate) fn begin_walk(&mut self) {
        self.burying = true;
    }

    /// No walk is under way any more.
    pub(crate) fn end_walks(&mut self) {
        self.burying = false;
        self.free.append(&mut self.buried);
    }

    /// Something came or went below `slot`, and so below all above it. Those are no more than its path has parts.
    fn count_above(&mut self, mut slot: Slot, change: impl Fn(&mut u32)) {
        while slot != NONE {
            let node = self.get_mut(slot);
            change(&mut node.descendants);
            slot = node.parent;
        }
    }

    fn link(&self, slot: Slot) -> Option<&Node> {
        (slot != NONE).then(|| self.get(slot))
    }

    fn hash(&self, path: &str) -> u32 {
        self.hasher.hash_one(path) as u32
    }

    fn take_slot(&mut self, node: Node) -> Slot {
        if let Some(slot) = self.free.pop() {
            *self.get_mut(slot) = node;
            return slot;
        }
        if self.pages.last().is_none_or(|page| page.len() == PAGE) {
            self.pages.push(Vec::with_capacity(PAGE));
        }
        let last = self.pages.len() - 1;
        let page = &mut self.pages[last];
        page.push(node);
        let slot = Slot::try_from(last * PAGE + page.len() - 1).unwrap_or(NONE);
        assert!(slot != NONE, "more nodes than there are slots");
        slot
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn node(path: &str) -> Node {
        Node::new(path.into(), None, Numbers::default(), AclKey::OPEN)
    }

    fn tree(paths: &[&str]) -> Nodes {
        let mut nodes = Nodes::new(1, node("/"));
        for path in paths {
            let parent = nodes.find(crate::path::parent(path).unwrap()).unwrap();
            nodes.insert(node(path), parent);
        }
        nodes
    }

    fn paths(nodes: &Nodes, top: &str) -> Vec<Arc<str>> {
        nodes.below(nodes.find(top).unwrap()).map(|node| node.path.clone()).collect()
    }

    #[test]
    fn a_node_is_small() {
        assert!(size_of::<Node>() <= 144, "{}", size_of::<Node>());
    }

    #[test]
    fn nodes_are_found_listed_and_removed() {
        let mut nodes = tree(&["/a", "/b", "/a/x", "/a/y"]);
        assert_eq!(nodes.len(), 5);
        assert_eq!(nodes.find(""), nodes.find("/"));
        let names = |nodes: &Nodes, path| nodes.children(nodes.find(path).unwrap()).map(|n| n.path.clone()).collect::<Vec<_>>();
        assert_eq!(names(&nodes, "/a"), ["/a/y".into(), "/a/x".into()]);
        nodes.remove(nodes.find("/a/y").unwrap());
        assert_eq!(names(&nodes, "/a"), ["/a/x".into()]);
        assert_eq!(nodes.find("/a/y"), None);
        assert_eq!(paths(&nodes, "/"), ["/".into(), "/b".into(), "/a".into(), "/a/x".into()]);
        assert_eq!(paths(&nodes, "/b"), ["/b".into()]);
    }

    #[test]
    fn every_node_knows_how_many_are_below_it() {
        let mut chance = consensus::Chance::new(1);
        let mut nodes = tree(&[]);
        for step in 0..2_000 {
            // Snapshots come and go meanwhile: what they bury counts no more, and its slot is used again.
            match step % 100 {
                30 => nodes.begin_walk(),
                70 => nodes.end_walks(),
                _ => {}
            }
            let alive: Vec<Arc<str>> = nodes.below(ROOT).map(|node| node.path.clone()).collect();
            let path = &alive[chance.below(alive.len() as u64) as usize];
            let slot = nodes.find(path).unwrap();
            if slot != ROOT && nodes.get(slot).children() == 0 && chance.below(2) == 0 {
                nodes.remove(slot);
            } else {
                nodes.insert(node(&alloc::format!("{}/{step}", path.trim_end_matches('/'))), slot);
            }
            for node in nodes.below(ROOT) {
                let slot = nodes.find(&node.path).unwrap();
                assert_eq!(node.descendants() as usize, nodes.below(slot).count() - 1, "{} after {step}", node.path);
            }
        }
        assert!(nodes.len() > 100, "{}", nodes.len());
    }

    #[test]
    fn a_walk_goes_on_from_a_node_that_was_removed_under_it() {
        let mut nodes = tree(&["/a", "/b", "/c"]);
        nodes.begin_walk();
        let c = nodes.after(ROOT, ROOT, true).unwrap();
        assert_eq!(&*nodes.get(c).path, "/c");
        let (b, a) = (nodes.find("/b").unwrap(), nodes.find("/a").unwrap());
        nodes.remove(c);
        nodes.remove(b);
        nodes.insert(node("/c"), ROOT);
        assert_eq!(nodes.after(c, ROOT, true), Some(b));
        assert!(nodes.is_buried(b));
        assert_eq!(nodes.after(b, ROOT, true), Some(a));
        assert_eq!(nodes.after(a, ROOT, true), None);
        nodes.end_walks();
        assert_eq!(nodes.free, vec![c, b]);
    }
}
