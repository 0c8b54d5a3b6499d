//! A change meets those who watch.

use super::{AddMode, Watches};
use crate::{Acl, Event, NodeEvent, Tree, path};
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// What a watcher hears, in the wire's numbers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum WatchEvent {
    /// The node is there.
    Created = 1,
    /// The node is gone.
    Deleted = 2,
    /// Its data was set.
    DataChanged = 3,
    /// A child came or went.
    ChildrenChanged = 4,
}

impl WatchEvent {
    /// The wire's number.
    pub fn number(self) -> i32 {
        self as i32
    }
}

/// One watcher hears one thing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fired<W> {
    /// Who.
    pub watcher: W,
    /// What.
    pub event: WatchEvent,
    /// Of which node.
    pub path: Arc<str>,
}

/// setWatches and setWatches2: what a client watched before its connection broke.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Renewal {
    /// The last transaction that the client has heard of.
    pub relative_zxid: i64,
    /// Watched with getData, or with exists while the node was there.
    pub data: Vec<String>,
    /// Watched with exists while the node was not there.
    pub exist: Vec<String>,
    /// Watched with getChildren.
    pub child: Vec<String>,
    /// Watched persistently. setWatches2 only.
    pub persistent: Vec<String>,
    /// Watched persistently and recursively. setWatches2 only.
    pub persistent_recursive: Vec<String>,
}

impl<W: Ord + Copy> Watches<W> {
    /// Who hears what of `event`, in the order in which it is to be sent. `may_read` says whether a watcher may read a node with
    /// that access list: who may not hears nothing, though his watch is used up (CVE-2024-23944). The zxid of what is sent is that
    /// of the transaction.
    pub fn fire(&mut self, event: &Event, mut may_read: impl FnMut(W, &str, &[Acl]) -> bool) -> Vec<Fired<W>> {
        let Event::Node { path, what, acl, parent_acl } = event else { return Vec::new() };
        let mut fired = Vec::new();
        let mut tell = |watchers: BTreeSet<W>, event: WatchEvent, path: &Arc<str>, acl: &[Acl]| {
            let readers = watchers.into_iter().filter(|&watcher| may_read(watcher, path, acl));
            fired.extend(readers.map(|watcher| Fired { watcher, event, path: path.clone() }));
        };
        match what {
            NodeEvent::DataChanged => tell(self.data.trigger(path), WatchEvent::DataChanged, path, acl),
            NodeEvent::Created => tell(self.data.trigger(path), WatchEvent::Created, path, acl),
            NodeEvent::Deleted => {
                let of_data = self.data.trigger(path);
                let mut of_children = self.children.trigger(path);
                // Who watches a node in both ways hears once that it is gone.
                of_children.retain(|watcher| !of_data.contains(watcher));
                tell(of_data, WatchEvent::Deleted, path, acl);
                tell(of_children, WatchEvent::Deleted, path, acl);
            }
        }
        if *what != NodeEvent::DataChanged
            && let Some(parent) = path::parent(path)
        {
            let watchers = self.children.trigger(parent);
            if !watchers.is_empty() {
                tell(watchers, WatchEvent::ChildrenChanged, &parent.into(), parent_acl);
            }
        }
        fired
    }

    /// A client is back and names its watches (Java: `DataTree.setWatches`). What happened while it was away is returned: it is to
    /// be sent at once, before the answer, with zxid −1; those watches are used up. All others stand again.
    pub fn renew(&mut self, tree: &Tree, watcher: W, renewal: &Renewal) -> Vec<Fired<W>> {
        let mut fired = Vec::new();
        let mut tell = |event, path: &str| fired.push(Fired { watcher, event, path: path.into() });
        for path in &renewal.data {
            match tree.stat(path) {
                None => tell(WatchEvent::Deleted, path),
                Some(stat) if stat.mzxid > renewal.relative_zxid => tell(WatchEvent::DataChanged, path),
                Some(_) => self.watch_data(path, watcher),
            }
        }
        for path in &renewal.exist {
            match tree.stat(path) {
                Some(_) => tell(WatchEvent::Created, path),
                None => self.watch_data(path, watcher),
            }
        }
        for path in &renewal.child {
            match tree.stat(path) {
                None => tell(WatchEvent::Deleted, path),
                Some(stat) if stat.pzxid > renewal.relative_zxid => tell(WatchEvent::ChildrenChanged, path),
                Some(_) => self.watch_children(path, watcher),
            }
        }
        for path in &renewal.persistent {
            self.add(path, watcher, AddMode::Persistent);
        }
        for path in &renewal.persistent_recursive {
            self.add(path, watcher, AddMode::PersistentRecursive);
        }
        fired
    }
}
