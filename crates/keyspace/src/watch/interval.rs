//! Ranges of keys by the keys that they hold: a balanced search tree (AVL) that knows, for each subtree, where its furthest range
//! ends, so that whole subtrees are passed over (Cormen et al., Introduction to Algorithms, §14.3).
//!
//! ```text
//!              [d,m) …z              ordered by start, then end
//!             ╱       ╲              … the furthest end below and here
//!        [a,c) …f     [k,z) …z
//!             ╲
//!            [b,f) …f                who holds "e"? not the left subtree's left, not what starts after "e"
//! ```

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use bytes::Bytes;
use core::cmp::Ordering;
use core::mem;

/// Where a range ends. Ordered: what never ends comes last.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum End {
    /// Before this key.
    Before(Bytes),
    /// With the last key.
    Never,
}

impl End {
    fn is_after(&self, key: &[u8]) -> bool {
        match self {
            End::Before(end) => key < &end[..],
            End::Never => true,
        }
    }
}

/// No node.
const NONE: u32 = u32::MAX;

#[derive(Debug)]
struct Node {
    start: Bytes,
    end: End,
    /// The furthest end in the tree below and including this node.
    furthest: End,
    /// Who watches exactly this range. Empty only in nodes that are free.
    watchers: BTreeSet<u32>,
    left: u32,
    right: u32,
    height: u8,
}

/// Ranges, each with those who watch it.
#[derive(Debug)]
pub(super) struct Intervals {
    nodes: Vec<Node>,
    free: Vec<u32>,
    root: u32,
}

impl Default for Intervals {
    fn default() -> Intervals {
        Intervals { nodes: Vec::new(), free: Vec::new(), root: NONE }
    }
}

impl Intervals {
    /// Adds a watcher of the range.
    pub(super) fn insert(&mut self, start: &Bytes, end: &End, watcher: u32) {
        self.root = self.insert_below(self.root, start, end, watcher);
    }

    /// Removes a watcher of the range, who is there.
    pub(super) fn remove(&mut self, start: &Bytes, end: &End, watcher: u32) {
        self.root = self.remove_below(self.root, start, end, watcher);
    }

    /// Appends everyone who watches a range that holds `key`.
    pub(super) fn stab(&self, key: &[u8], found: &mut Vec<u32>) {
        self.stab_below(self.root, key, found);
    }

    fn stab_below(&self, at: u32, key: &[u8], found: &mut Vec<u32>) {
        if at == NONE {
            return;
        }
        let node = &self.nodes[at as usize];
        if !node.furthest.is_after(key) {
            return;
        }
        self.stab_below(node.left, key, found);
        if &node.start[..] > key {
            return;
        }
        if node.end.is_after(key) {
            found.extend(&node.watchers);
        }
        self.stab_below(node.right, key, found);
    }

    fn insert_below(&mut self, at: u32, start: &Bytes, end: &End, watcher: u32) -> u32 {
        if at == NONE {
            return self.take_node(start, end, watcher);
        }
        match self.order(at, start, end) {
            Ordering::Equal => {
                self.node_mut(at).watchers.insert(watcher);
                return at;
            }
            Ordering::Less => {
                let left = self.insert_below(self.node(at).left, start, end, watcher);
                self.node_mut(at).left = left;
            }
            Ordering::Greater => {
                let right = self.insert_below(self.node(at).right, start, end, watcher);
                self.node_mut(at).right = right;
            }
        }
        self.balance(at)
    }

    fn remove_below(&mut self, at: u32, start: &Bytes, end: &End, watcher: u32) -> u32 {
        assert!(at != NONE, "who leaves was there");
        match self.order(at, start, end) {
            Ordering::Equal => {
                assert!(self.node_mut(at).watchers.remove(&watcher), "who leaves was there");
                if !self.node(at).watchers.is_empty() {
                    return at;
                }
                return self.drop_node(at);
            }
            Ordering::Less => {
                let left = self.remove_below(self.node(at).left, start, end, watcher);
                self.node_mut(at).left = left;
            }
            Ordering::Greater => {
                let right = self.remove_below(self.node(at).right, start, end, watcher);
                self.node_mut(at).right = right;
            }
        }
        self.balance(at)
    }

    /// How a range stands to the node's.
    fn order(&self, at: u32, start: &Bytes, end: &End) -> Ordering {
        let node = self.node(at);
        start.cmp(&node.start).then_with(|| end.cmp(&node.end))
    }

    /// Takes a node out; returns what stands in its place.
    fn drop_node(&mut self, at: u32) -> u32 {
        let (left, right) = (self.node(at).left, self.node(at).right);
        self.free.push(at);
        // The key that the range held may be a large one.
        let node = self.node_mut(at);
        (node.start, node.end, node.furthest) = (Bytes::new(), End::Never, End::Never);
        if right == NONE {
            return left;
        }
        let (rest, next) = self.take_first(right);
        let node = self.node_mut(next);
        (node.left, node.right) = (left, rest);
        self.balance(next)
    }

    /// Takes the first node out of a subtree: what is left of the subtree, and that node.
    fn take_first(&mut self, at: u32) -> (u32, u32) {
        let (left, right) = (self.node(at).left, self.node(at).right);
        if left == NONE {
            return (right, at);
        }
        let (rest, first) = self.take_first(left);
        self.node_mut(at).left = rest;
        (self.balance(at), first)
    }

    /// Restores height, furthest end and balance of a node whose children are right.
    fn balance(&mut self, at: u32) -> u32 {
        let (left, right) = (self.node(at).left, self.node(at).right);
        if self.height(left) > self.height(right) + 1 {
            if self.height(self.node(left).left) < self.height(self.node(left).right) {
                let turned = self.rotate_left(left);
                self.node_mut(at).left = turned;
            }
            return self.rotate_right(at);
        }
        if self.height(right) > self.height(left) + 1 {
            if self.height(self.node(right).right) < self.height(self.node(right).left) {
                let turned = self.rotate_right(right);
                self.node_mut(at).right = turned;
            }
            return self.rotate_left(at);
        }
        self.update(at);
        at
    }

    fn rotate_left(&mut self, at: u32) -> u32 {
        let up = self.node(at).right;
        let middle = mem::replace(&mut self.node_mut(up).left, at);
        self.node_mut(at).right = middle;
        self.update(at);
        self.update(up);
        up
    }

    fn rotate_right(&mut self, at: u32) -> u32 {
        let up = self.node(at).left;
        let middle = mem::replace(&mut self.node_mut(up).right, at);
        self.node_mut(at).left = middle;
        self.update(at);
        self.update(up);
        up
    }

    fn update(&mut self, at: u32) {
        let node = self.node(at);
        let height = 1 + self.height(node.left).max(self.height(node.right));
        let children = [node.left, node.right].into_iter().filter(|&child| child != NONE);
        let furthest =
            children.map(|child| &self.node(child).furthest).chain([&node.end]).max().expect("at least its own").clone();
        let node = self.node_mut(at);
        (node.height, node.furthest) = (height, furthest);
    }

    fn height(&self, at: u32) -> u8 {
        if at == NONE { 0 } else { self.node(at).height }
    }

    fn take_node(&mut self, start: &Bytes, end: &End, watcher: u32) -> u32 {
        let node = Node {
            start: start.clone(),
            end: end.clone(),
            furthest: end.clone(),
            watchers: BTreeSet::from([watcher]),
            left: NONE,
            right: NONE,
            height: 1,
        };
        if let Some(at) = self.free.pop() {
            *self.node_mut(at) = node;
            return at;
        }
        self.nodes.push(node);
        u32::try_from(self.nodes.len() - 1).expect("fewer watchers than there is memory for")
    }

    fn node(&self, at: u32) -> &Node {
        &self.nodes[at as usize]
    }

    fn node_mut(&mut self, at: u32) -> &mut Node {
        &mut self.nodes[at as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use consensus::Chance;

    impl Intervals {
        /// Checks order, balance and the furthest ends; returns the height.
        fn check(&self, at: u32) -> u8 {
            if at == NONE {
                return 0;
            }
            let node = self.node(at);
            assert!(!node.watchers.is_empty());
            let (left, right) = (self.check(node.left), self.check(node.right));
            assert!(left.abs_diff(right) <= 1, "balanced");
            assert_eq!(node.height, 1 + left.max(right));
            let mut furthest = node.end.clone();
            for (child, order) in [(node.left, Ordering::Less), (node.right, Ordering::Greater)] {
                if child != NONE {
                    let child = self.node(child);
                    assert_eq!(child.start.cmp(&node.start).then_with(|| child.end.cmp(&node.end)), order);
                    furthest = furthest.max(child.furthest.clone());
                }
            }
            assert_eq!(node.furthest, furthest);
            node.height
        }
    }

    fn key(number: u64) -> Bytes {
        Bytes::from(vec![b'a' + number as u8])
    }

    #[test]
    fn a_key_finds_everyone_whose_range_holds_it() {
        for seed in 0..50 {
            let mut chance = Chance::new(seed);
            let mut intervals = Intervals::default();
            let mut naive: Vec<(Bytes, End, u32)> = Vec::new();
            for watcher in 0..300 {
                if chance.one_in(2, 5) && !naive.is_empty() {
                    let (start, end, watcher) = naive.swap_remove(chance.below(naive.len() as u64) as usize);
                    intervals.remove(&start, &end, watcher);
                } else {
                    let start = chance.below(20);
                    let end = match chance.below(22) {
                        n if n < 21 => End::Before(key(start + 1 + n % (21 - start))),
                        _ => End::Never,
                    };
                    intervals.insert(&key(start), &end, watcher);
                    naive.push((key(start), end, watcher));
                }
                intervals.check(intervals.root);
                let stabbed = key(chance.below(22));
                let mut found = Vec::new();
                intervals.stab(&stabbed, &mut found);
                found.sort_unstable();
                let mut expected: Vec<_> = naive
                    .iter()
                    .filter(|(start, end, _)| *start <= stabbed && end.is_after(&stabbed))
                    .map(|&(.., id)| id)
                    .collect();
                expected.sort_unstable();
                assert_eq!(found, expected);
            }
        }
    }

    #[test]
    fn ten_thousand_ranges_in_order_make_a_low_tree() {
        let mut intervals = Intervals::default();
        for watcher in 0..10_000_u32 {
            let start = Bytes::copy_from_slice(&watcher.to_be_bytes());
            intervals.insert(&start, &End::Before(Bytes::copy_from_slice(&(watcher + 1).to_be_bytes())), watcher);
        }
        assert!(intervals.check(intervals.root) <= 19, "1.44 log2 of the number");
        let mut found = Vec::new();
        intervals.stab(&7777_u32.to_be_bytes(), &mut found);
        assert_eq!(found, [7777]);
    }
}
