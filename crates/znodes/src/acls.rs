//! Each access list is kept once, under a number (Java: `ReferenceCountedACLCache`).

use crate::{Acl, Id, Permissions};
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

/// Names an access list, here and in snapshots.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct AclKey(pub(crate) u32);

impl AclKey {
    /// Everybody may do everything: the list that needs no entry. −1 in snapshots.
    pub(crate) const OPEN: AclKey = AclKey(u32::MAX);

    /// The number in a snapshot.
    pub(crate) fn number(self) -> i64 {
        if self == AclKey::OPEN { -1 } else { i64::from(self.0) }
    }
}

/// `world:anyone` may do this.
pub(crate) fn anyone(permissions: Permissions) -> Acl {
    Acl { permissions, id: Id { scheme: "world".into(), id: "anyone".into() } }
}

/// All access lists in use.
pub(crate) struct Acls {
    lists: BTreeMap<AclKey, List>,
    keys: BTreeMap<Arc<[Acl]>, AclKey>,
    last: u32,
    open: Arc<[Acl]>,
    empty: Arc<[Acl]>,
    /// A snapshot is under way that may still have to write lists which no node uses any more.
    held: bool,
}

struct List {
    acl: Arc<[Acl]>,
    uses: u32,
}

impl Acls {
    pub(crate) fn new() -> Acls {
        Acls {
            lists: BTreeMap::new(),
            keys: BTreeMap::new(),
            last: 0,
            open: vec![anyone(Permissions::ALL)].into(),
            empty: Vec::new().into(),
            held: false,
        }
    }

    /// The list with this number.
    pub(crate) fn get(&self, key: AclKey) -> &Arc<[Acl]> {
        if key == AclKey::OPEN {
            return &self.open;
        }
        &self.lists.get(&key).expect("a list in use is kept").acl
    }

    /// The list of nobody, for events that concern no parent.
    pub(crate) fn empty(&self) -> &Arc<[Acl]> {
        &self.empty
    }

    /// The number of a list that one more node uses.
    pub(crate) fn acquire(&mut self, acl: Vec<Acl>) -> AclKey {
        if let Some(&key) = self.keys.get(acl.as_slice()) {
            self.acquire_key(key);
            return key;
        }
        self.last += 1;
        assert!(self.last < AclKey::OPEN.0, "more access lists were made than there are numbers");
        let key = AclKey(self.last);
        self.insert(key, acl.into(), 1);
        key
    }

    /// One more node uses the list.
    pub(crate) fn acquire_key(&mut self, key: AclKey) {
        if key != AclKey::OPEN {
            self.lists.get_mut(&key).expect("a list in use is kept").uses += 1;
        }
    }

    /// One node less uses the list.
    pub(crate) fn release(&mut self, key: AclKey) {
        if key == AclKey::OPEN {
            return;
        }
        let list = self.lists.get_mut(&key).expect("a list in use is kept");
        list.uses -= 1;
        if list.uses == 0 && !self.held {
            self.remove(key);
        }
    }

    /// From now on what is unused stays, until it is no longer held.
    pub(crate) fn hold(&mut self) {
        self.held = true;
    }

    /// Lets go of what nobody uses.
    pub(crate) fn let_go(&mut self) {
        self.held = false;
        let unused: Vec<AclKey> = self.lists.iter().filter(|(_, list)| list.uses == 0).map(|(&key, _)| key).collect();
        for key in unused {
            self.remove(key);
        }
    }

    /// A list as a snapshot names it. `None` if the number is taken.
    pub(crate) fn restore(&mut self, key: AclKey, acl: Vec<Acl>) -> Option<()> {
        if self.lists.contains_key(&key) || key == AclKey::OPEN {
            return None;
        }
        self.insert(key, acl.into(), 0);
        self.last = self.last.max(key.0);
        Some(())
    }

    /// The highest number so far.
    pub(crate) fn last(&self) -> AclKey {
        AclKey(self.last)
    }

    pub(crate) fn len(&self) -> usize {
        self.lists.len()
    }

    /// The lists from `first` on, in order.
    pub(crate) fn from(&self, first: AclKey) -> impl Iterator<Item = (AclKey, &Arc<[Acl]>)> {
        self.lists.range(first..).map(|(&key, list)| (key, &list.acl))
    }

    fn insert(&mut self, key: AclKey, acl: Arc<[Acl]>, uses: u32) {
        // Snapshots of Java may hold a list twice: the later one is found from then on.
        self.keys.insert(acl.clone(), key);
        self.lists.insert(key, List { acl, uses });
    }

    fn remove(&mut self, key: AclKey) {
        let list = self.lists.remove(&key).expect("a list in use is kept");
        if self.keys.get(&list.acl) == Some(&key) {
            self.keys.remove(&list.acl);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_lives_as_long_as_somebody_uses_it() {
        let mut acls = Acls::new();
        let reading = || vec![anyone(Permissions::READ)];
        let key = acls.acquire(reading());
        assert_eq!(acls.acquire(reading()), key);
        acls.release(key);
        assert_eq!(acls.get(key)[..], reading()[..]);
        acls.release(key);
        assert_eq!(acls.len(), 0);
        assert!(acls.acquire(reading()) > key, "numbers are never used twice");
    }

    #[test]
    fn what_a_snapshot_may_still_write_is_held() {
        let mut acls = Acls::new();
        let key = acls.acquire(vec![anyone(Permissions::READ)]);
        acls.hold();
        acls.release(key);
        assert_eq!(acls.len(), 1);
        acls.let_go();
        assert_eq!(acls.len(), 0);
    }
}
