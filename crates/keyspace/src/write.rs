//! Writing: the changes of one command, all at one revision.

use crate::view::View;
use crate::{
    Change, DeleteRangeAnswer, DeleteRangeRequest, KeyRange, KeyValue, Keyspace, KeyspaceError, PutAnswer, PutRequest, Revision,
    Values,
};
use bytes::Bytes;

/// A write in progress. It makes the revision after the newest, but only if it changes something.
pub(crate) struct Write<'a, V> {
    pub(crate) keyspace: &'a mut Keyspace<V>,
    /// The next change.
    at: Revision,
}

impl<'a, V: Values> Write<'a, V> {
    pub(crate) fn begin(keyspace: &'a mut Keyspace<V>) -> Write<'a, V> {
        let at = Revision::new(keyspace.revision + 1, 0);
        Write { keyspace, at }
    }

    /// The newest revision, as this write sees it: its own once it has changed something.
    pub(crate) fn revision(&self) -> i64 {
        if self.at.sub == 0 { self.at.main - 1 } else { self.at.main }
    }

    /// What this write sees: everything before it, and its own changes.
    pub(crate) fn view(&self) -> View<'_, V> {
        View { revision: self.revision(), ..self.keyspace.view() }
    }

    /// Makes the revision, if there is one to make; returns the newest.
    pub(crate) fn finish(self) -> i64 {
        self.keyspace.revision = self.revision();
        self.keyspace.revision
    }

    /// Puts a key. What could be wrong with it was checked before ([`Keyspace::check_put`]).
    pub(crate) fn put(&mut self, request: &PutRequest) -> PutAnswer {
        let mut answer = PutAnswer { revision: self.at.main, prev_kv: None };
        let (mut value, mut lease) = (&request.value, request.lease);
        let before;
        if request.prev_kv || request.ignore_value || request.ignore_lease {
            before = self.get(&request.key);
            // A transaction may have deleted the key since it was checked, by a delete "from here on" that etcd's check overlooks.
            // etcd's server stops at that; here such a put keeps what it was sent with.
            if let Some(before) = &before {
                if request.ignore_value {
                    value = &before.value;
                }
                if request.ignore_lease {
                    lease = before.lease;
                }
            }
            if request.prev_kv {
                answer.prev_kv.clone_from(&before);
            }
        }
        // An allocation of its own: a slice would keep alive the message that it came with, for as long as the value lives.
        let value = Bytes::copy_from_slice(value);
        self.put_value(&request.key, value, lease);
        answer
    }

    /// Deletes a key or a range.
    pub(crate) fn delete_range(&mut self, request: &DeleteRangeRequest) -> DeleteRangeAnswer {
        let range = KeyRange::new(&request.key, &request.range_end);
        let prev_kvs = if request.prev_kv { self.view().now(range).collect() } else { Default::default() };
        let deleted = self.delete(range);
        DeleteRangeAnswer { revision: self.revision(), deleted, prev_kvs }
    }

    /// Deletes the keys in `range`, in order, and takes them off their leases. Returns how many there were.
    pub(crate) fn delete(&mut self, range: KeyRange<'_>) -> i64 {
        let Keyspace { index, values, leases, .. } = &mut *self.keyspace;
        let deleted = index.delete(range, self.at, |key, at, lease| {
            values.put(at, Change::Delete { key: key.clone() });
            if lease != 0 {
                leases.detach(lease, key);
            }
        });
        self.at.sub += deleted;
        deleted
    }

    fn put_value(&mut self, key: &Bytes, value: Bytes, lease: i64) {
        let Keyspace { index, values, leases, .. } = &mut *self.keyspace;
        let put = index.put(key, self.at, lease);
        if put.old_lease != lease {
            if put.old_lease != 0 {
                leases.detach(put.old_lease, &put.key);
            }
            if lease != 0 {
                leases.attach(lease, put.key.clone());
            }
        }
        let kv = KeyValue {
            key: put.key,
            create_revision: put.mark.created,
            mod_revision: self.at.main,
            version: put.mark.version,
            value,
            lease,
        };
        values.put(self.at, Change::Put(kv));
        self.at.sub += 1;
    }

    fn get(&self, key: &Bytes) -> Option<KeyValue> {
        self.view().now(KeyRange::One(key)).next()
    }
}

impl<V: Values> Keyspace<V> {
    /// Why a put of its own is refused. Within a transaction the two are checked the other way round, as in etcd.
    pub(crate) fn check_put(&self, request: &PutRequest) -> Result<(), KeyspaceError> {
        self.check_lease(request)?;
        self.check_ignored(request)
    }

    pub(crate) fn check_lease(&self, request: &PutRequest) -> Result<(), KeyspaceError> {
        if request.lease != 0 && !self.leases.contains(request.lease) {
            return Err(KeyspaceError::LeaseNotFound);
        }
        Ok(())
    }

    /// What is to be kept must be there.
    pub(crate) fn check_ignored(&self, request: &PutRequest) -> Result<(), KeyspaceError> {
        if (request.ignore_value || request.ignore_lease) && !self.index.history(&request.key).is_some_and(|h| h.is_alive()) {
            return Err(KeyspaceError::KeyNotFound);
        }
        Ok(())
    }
}
