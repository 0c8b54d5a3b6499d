//! What the tree will look like when everything that was prepared is applied.
//!
//! A leader prepares a transaction before those before it are committed: it must know what they will have changed (Java:
//! `outstandingChanges` and `ChangeRecord`).

use crate::Acl;
use crate::digest::{self, Numbers};
use crate::paths::Paths;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use consensus::Position;
use foldhash::fast::FixedState;
use hashbrown::HashMap;

/// A node as it will be.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    pub(crate) path: Arc<str>,
    pub(crate) numbers: Numbers,
    pub(crate) children: u32,
    pub(crate) acl: Arc<[Acl]>,
    pub(crate) data_length: usize,
}

/// What is prepared and not applied.
#[derive(Debug)]
pub(crate) struct Outlook {
    records: HashMap<Arc<str>, Record, FixedState>,
    /// Which of these will have this in their owner's field: a session that ends must not look at all the others' nodes.
    owned: BTreeMap<i64, Paths>,
    /// Which paths each transaction changes, in order.
    order: VecDeque<(Position, Arc<str>)>,
    /// The tree's digest when all is applied, and the last of it. `None`: nothing was prepared.
    ahead: Option<(Position, u64)>,
    /// What is to be put back if the multi that is being prepared fails.
    undo: Option<Undo>,
}

#[derive(Clone, Debug)]
struct Record {
    position: Position,
    /// `None`: it will be deleted.
    state: Option<Expected>,
}

#[derive(Debug)]
struct Undo {
    order: usize,
    ahead: Option<(Position, u64)>,
    records: Vec<(Arc<str>, Option<Record>)>,
}

impl Outlook {
    pub(crate) fn new(seed: u64) -> Outlook {
        let records = HashMap::with_hasher(FixedState::with_seed(seed));
        Outlook { records, owned: BTreeMap::new(), order: VecDeque::new(), ahead: None, undo: None }
    }

    /// How a node will be: `None` if the tree itself knows, `Some(None)` if it will not be there.
    pub(crate) fn get(&self, path: &str) -> Option<Option<&Expected>> {
        self.records.get(if path.is_empty() { "/" } else { path }).map(|record| record.state.as_ref())
    }

    /// The tree's digest when all is applied.
    pub(crate) fn digest(&self) -> Option<u64> {
        self.ahead.map(|(_, digest)| digest)
    }

    /// The transaction at `position` makes `after` of `before`; the tree's digest was `digest` before that.
    pub(crate) fn expect(
        &mut self,
        position: Position,
        path: Arc<str>,
        before: Option<&Numbers>,
        after: Option<Expected>,
        digest: u64,
    ) {
        let mut digest = digest;
        if digest::counts(&path) {
            digest = digest.wrapping_sub(before.map_or(0, Numbers::digest));
            digest = digest.wrapping_add(after.as_ref().map_or(0, |after| after.numbers.digest()));
        }
        self.ahead = Some((position, digest));
        self.order.push_back((position, path.clone()));
        let earlier = self.put(path.clone(), Some(Record { position, state: after }));
        if let Some(undo) = &mut self.undo {
            undo.records.push((path, earlier));
        }
    }

    /// The nodes that are outstanding and will have `owner` in their owner's field.
    pub(crate) fn owned_by(&self, owner: i64) -> impl Iterator<Item = &Arc<str>> {
        self.owned.get(&owner).into_iter().flatten()
    }

    /// Bytes that a list of them takes.
    pub(crate) fn owned_bytes(&self, owner: i64) -> usize {
        self.owned.get(&owner).map_or(0, Paths::bytes)
    }

    /// A multi begins: all of it or nothing.
    pub(crate) fn begin(&mut self) {
        assert!(self.undo.is_none(), "a multi within a multi");
        self.undo = Some(Undo { order: self.order.len(), ahead: self.ahead, records: Vec::new() });
    }

    /// It succeeds.
    pub(crate) fn keep(&mut self) {
        self.undo = None;
    }

    /// It fails: nothing was expected of it (Java: `rollbackPendingChanges`).
    pub(crate) fn undo(&mut self) {
        let Some(undo) = self.undo.take() else { return };
        for (path, earlier) in undo.records.into_iter().rev() {
            self.put(path, earlier);
        }
        self.order.truncate(undo.order);
        self.ahead = undo.ahead;
    }

    /// The tree holds everything up to `position` now.
    pub(crate) fn applied(&mut self, position: Position) {
        while let Some((first, _)) = self.order.front()
            && *first <= position
        {
            let (first, path) = self.order.pop_front().expect("there is a first");
            if self.records.get(&path).is_some_and(|record| record.position == first) {
                self.put(path, None);
            }
        }
        if self.ahead.is_some_and(|(last, _)| last <= position) {
            self.ahead = None;
        }
    }

    /// Nothing of it will be applied.
    pub(crate) fn clear(&mut self) {
        self.records.clear();
        self.owned.clear();
        self.order.clear();
        (self.ahead, self.undo) = (None, None);
    }

    fn put(&mut self, path: Arc<str>, record: Option<Record>) -> Option<Record> {
        let owner = record.as_ref().and_then(Record::owner);
        let earlier = match record {
            Some(record) => self.records.insert(path.clone(), record),
            None => self.records.remove(&path),
        };
        if let Some(before) = earlier.as_ref().and_then(Record::owner)
            && let Some(paths) = self.owned.get_mut(&before)
        {
            paths.remove(&path);
            if paths.is_empty() {
                self.owned.remove(&before);
            }
        }
        if let Some(owner) = owner {
            self.owned.entry(owner).or_default().insert(path);
        }
        earlier
    }
}

impl Record {
    fn owner(&self) -> Option<i64> {
        self.state.as_ref().map(|node| node.numbers.owner).filter(|&owner| owner != 0)
    }
}
