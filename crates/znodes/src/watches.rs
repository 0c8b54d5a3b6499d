//! Who wants to hear of what. Not replicated: every server keeps the watches of its own clients.
//!
//! There are two tables, as in Java's `DataTree`: exists and getData watch in `data`, getChildren in `children`. A standard watch
//! is gone once it has fired; a persistent one stays and stands in both tables; a persistent recursive one stands in `data` at its
//! base and hears of every node at or below it, but never that children changed: it hears of the children themselves.

mod fire;
mod table;

pub use fire::{Fired, Renewal, WatchEvent};

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use table::{Mode, Table};

/// The watches of one server's clients. `W` names a watcher, which is a connection.
#[derive(Clone, Debug)]
pub struct Watches<W: Ord + Copy> {
    data: Table<W>,
    children: Table<W>,
}

/// How addWatch watches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AddMode {
    /// 0: the node and the list of its children.
    Persistent,
    /// 1: the node and all below it.
    PersistentRecursive,
}

impl AddMode {
    /// The mode with the wire's number.
    pub fn from_number(number: i32) -> Option<AddMode> {
        match number {
            0 => Some(AddMode::Persistent),
            1 => Some(AddMode::PersistentRecursive),
            _ => None,
        }
    }
}

/// Which watches checkWatches and removeWatches are about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WatcherType {
    /// 1: those of getChildren.
    Children,
    /// 2: those of getData and exists.
    Data,
    /// 3: whichever there are.
    Any,
    /// 4: persistent ones.
    Persistent,
    /// 5: persistent recursive ones.
    PersistentRecursive,
}

impl WatcherType {
    /// The type with the wire's number.
    pub fn from_number(number: i32) -> Option<WatcherType> {
        match number {
            1 => Some(WatcherType::Children),
            2 => Some(WatcherType::Data),
            3 => Some(WatcherType::Any),
            4 => Some(WatcherType::Persistent),
            5 => Some(WatcherType::PersistentRecursive),
            _ => None,
        }
    }
}

/// What `wchs` says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WatchSummary {
    /// Watchers that watch something.
    pub watchers: usize,
    /// Paths that somebody watches.
    pub paths: usize,
    /// Watches.
    pub watches: usize,
}

impl<W: Ord + Copy> Default for Watches<W> {
    fn default() -> Self {
        Watches::new()
    }
}

impl<W: Ord + Copy> Watches<W> {
    /// Nobody watches anything.
    pub fn new() -> Watches<W> {
        Watches { data: Table::new(), children: Table::new() }
    }

    /// exists and getData: tell `watcher` once, when `path` is created, deleted or given other data.
    pub fn watch_data(&mut self, path: &str, watcher: W) {
        self.data.add(path, watcher, Mode::Standard);
    }

    /// getChildren: tell `watcher` once, when a child of `path` comes or goes, or `path` itself goes.
    pub fn watch_children(&mut self, path: &str, watcher: W) {
        self.children.add(path, watcher, Mode::Standard);
    }

    /// addWatch.
    pub fn add(&mut self, path: &str, watcher: W, mode: AddMode) {
        match mode {
            AddMode::Persistent => {
                self.data.add(path, watcher, Mode::Persistent);
                self.children.add(path, watcher, Mode::Persistent);
            }
            AddMode::PersistentRecursive => self.data.add(path, watcher, Mode::PersistentRecursive),
        }
    }

    /// checkWatches: whether there is such a watch (Java: `DataTree.containsWatcher`). If not, the answer is NOWATCHER.
    pub fn contains(&self, path: &str, watcher: W, which: WatcherType) -> bool {
        match which {
            WatcherType::Children => self.children.contains(path, watcher, Some(Mode::Standard)),
            WatcherType::Data => self.data.contains(path, watcher, Some(Mode::Standard)),
            WatcherType::Persistent => self.data.contains(path, watcher, Some(Mode::Persistent)),
            WatcherType::PersistentRecursive => self.data.contains(path, watcher, Some(Mode::PersistentRecursive)),
            WatcherType::Any => self.children.contains(path, watcher, None) || self.data.contains(path, watcher, None),
        }
    }

    /// removeWatches: whether there was such a watch (Java: `DataTree.removeWatch`). If not, the answer is NOWATCHER.
    pub fn remove(&mut self, path: &str, watcher: W, which: WatcherType) -> bool {
        match which {
            WatcherType::Children => self.children.remove(path, watcher, Some(Mode::Standard)),
            WatcherType::Data => self.data.remove(path, watcher, Some(Mode::Standard)),
            WatcherType::PersistentRecursive => self.data.remove(path, watcher, Some(Mode::PersistentRecursive)),
            WatcherType::Persistent => self.remove_from_both(path, watcher, Some(Mode::Persistent)),
            WatcherType::Any => self.remove_from_both(path, watcher, None),
        }
    }

    fn remove_from_both(&mut self, path: &str, watcher: W, mode: Option<Mode>) -> bool {
        let of_children = self.children.remove(path, watcher, mode);
        let of_data = self.data.remove(path, watcher, mode);
        of_children || of_data
    }

    /// The watcher is gone, and all its watches with it.
    pub fn forget(&mut self, watcher: W) {
        self.data.forget(watcher);
        self.children.forget(watcher);
    }

    /// Watches in both tables: `mntr`'s zk_watch_count.
    pub fn len(&self) -> usize {
        self.data.len() + self.children.len()
    }

    /// Whether nobody watches anything.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// `wchs`. Like Java's words it counts the data table only.
    pub fn summary(&self) -> WatchSummary {
        WatchSummary { watchers: self.data.by_watcher().len(), paths: self.data.paths(), watches: self.data.len() }
    }

    /// `wchc`: who watches what, of the data table.
    pub fn by_watcher(&self) -> &BTreeMap<W, BTreeSet<Arc<str>>> {
        self.data.by_watcher()
    }

    /// `wchp`: what is watched by whom, of the data table.
    pub fn by_path(&self) -> impl Iterator<Item = (&Arc<str>, impl Iterator<Item = W> + '_)> + '_ {
        self.data.by_path()
    }
}
