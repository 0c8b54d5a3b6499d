//! One table of watches (Java: `WatchManager`).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;

/// How a watcher watches a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mode {
    /// Until it fires.
    Standard = 1,
    /// For ever.
    Persistent = 2,
    /// For ever, and all below, too.
    PersistentRecursive = 4,
}

/// Several modes at once: a watcher may watch one path in different ways, and still hears of a change once (Java: `WatchStats`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Modes(u8);

impl Modes {
    fn has(self, mode: Mode) -> bool {
        self.0 & mode as u8 != 0
    }

    fn with(self, mode: Mode) -> Modes {
        Modes(self.0 | mode as u8)
    }

    fn without(self, mode: Mode) -> Modes {
        Modes(self.0 & !(mode as u8))
    }
}

/// Who watches which paths.
#[derive(Clone, Debug)]
pub(super) struct Table<W: Ord + Copy> {
    by_path: BTreeMap<Arc<str>, BTreeMap<W, Modes>>,
    by_watcher: BTreeMap<W, BTreeSet<Arc<str>>>,
    watches: usize,
    /// While nobody watches recursively, nobody looks at the paths above a change.
    recursive: usize,
}

impl<W: Ord + Copy> Table<W> {
    pub(super) fn new() -> Table<W> {
        Table { by_path: BTreeMap::new(), by_watcher: BTreeMap::new(), watches: 0, recursive: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.watches
    }

    pub(super) fn paths(&self) -> usize {
        self.by_path.len()
    }

    pub(super) fn by_watcher(&self) -> &BTreeMap<W, BTreeSet<Arc<str>>> {
        &self.by_watcher
    }

    pub(super) fn by_path(&self) -> impl Iterator<Item = (&Arc<str>, impl Iterator<Item = W> + '_)> + '_ {
        self.by_path.iter().map(|(path, watchers)| (path, watchers.keys().copied()))
    }

    pub(super) fn add(&mut self, path: &str, watcher: W, mode: Mode) {
        let path: Arc<str> = match self.by_path.get_key_value(path) {
            Some((path, _)) => path.clone(),
            None => path.into(),
        };
        let modes = self.by_path.entry(path.clone()).or_default().entry(watcher).or_insert(Modes(0));
        if modes.0 == 0 {
            self.watches += 1;
            self.by_watcher.entry(watcher).or_default().insert(path);
        }
        if mode == Mode::PersistentRecursive && !modes.has(mode) {
            self.recursive += 1;
        }
        *modes = modes.with(mode);
    }

    pub(super) fn contains(&self, path: &str, watcher: W, mode: Option<Mode>) -> bool {
        match (self.by_path.get(path).and_then(|watchers| watchers.get(&watcher)), mode) {
            (Some(modes), Some(mode)) => modes.has(mode),
            (Some(_), None) => true,
            (None, _) => false,
        }
    }

    /// Takes one mode away, or all of them; whether there was any.
    pub(super) fn remove(&mut self, path: &str, watcher: W, mode: Option<Mode>) -> bool {
        let Some(watchers) = self.by_path.get_mut(path) else { return false };
        let Some(modes) = watchers.get_mut(&watcher) else { return false };
        let before = *modes;
        *modes = mode.map_or(Modes(0), |mode| before.without(mode));
        let after = *modes;
        if before.has(Mode::PersistentRecursive) && !after.has(Mode::PersistentRecursive) {
            self.recursive -= 1;
        }
        if after.0 == 0 {
            self.unwatch(path, watcher);
        }
        before != after
    }

    fn unwatch(&mut self, path: &str, watcher: W) {
        if let Some(watchers) = self.by_path.get_mut(path)
            && watchers.remove(&watcher).is_some()
        {
            self.watches -= 1;
            if watchers.is_empty() {
                self.by_path.remove(path);
            }
        }
        self.forget_path(path, watcher);
    }

    fn forget_path(&mut self, path: &str, watcher: W) {
        if let Some(paths) = self.by_watcher.get_mut(&watcher) {
            paths.remove(path);
            if paths.is_empty() {
                self.by_watcher.remove(&watcher);
            }
        }
    }

    pub(super) fn forget(&mut self, watcher: W) {
        for path in self.by_watcher.remove(&watcher).unwrap_or_default() {
            let Some(watchers) = self.by_path.get_mut(&path) else { continue };
            let modes = watchers.remove(&watcher).expect("both sides of the table agree");
            self.watches -= 1;
            self.recursive -= usize::from(modes.has(Mode::PersistentRecursive));
            if watchers.is_empty() {
                self.by_path.remove(&path);
            }
        }
    }

    /// Who hears that something happened at `path`: those who watch it, whose standard watches are used up by that, and those who
    /// watch a node above it recursively. Everybody once (Java: `WatchManager.triggerWatch`).
    pub(super) fn trigger(&mut self, path: &str) -> BTreeSet<W> {
        let mut heard = BTreeSet::new();
        let mut used_up = BTreeSet::new();
        if let Some(watchers) = self.by_path.get_mut(path) {
            for (&watcher, modes) in watchers.iter_mut() {
                heard.insert(watcher);
                *modes = modes.without(Mode::Standard);
                if modes.0 == 0 {
                    used_up.insert(watcher);
                }
            }
        }
        for watcher in used_up {
            self.unwatch(path, watcher);
        }
        if self.recursive > 0 {
            let mut above = crate::path::parent(path);
            while let Some(path) = above {
                let watchers = self.by_path.get(path).into_iter().flatten();
                heard.extend(watchers.filter(|(_, modes)| modes.has(Mode::PersistentRecursive)).map(|(&watcher, _)| watcher));
                above = crate::path::parent(path);
            }
        }
        heard
    }
}
