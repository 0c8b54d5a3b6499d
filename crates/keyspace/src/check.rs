//! What is wrong with a request, before it goes anywhere.
//!
//! These are the checks of etcd's gRPC layer (api/v3rpc/key.go), in its order, so that a request with two faults gets the same one
//! named. Whoever takes requests from clients calls them before proposing. A log made by Go members holds only what passed them.

use crate::{DeleteRangeRequest, KeyspaceError, Op, PutRequest, RangeRequest, TxnRequest};
use alloc::collections::{BTreeMap, BTreeSet};
use bytes::Bytes;
use core::ops::Bound;

/// How many operations a transaction may have, unless the server says otherwise (`--max-txn-ops`).
pub const MAX_TXN_OPS: usize = 128;

/// What is wrong with a range request.
pub fn check_range(request: &RangeRequest) -> Result<(), KeyspaceError> {
    check_key(&request.key)
}

/// What is wrong with a delete.
pub fn check_delete_range(request: &DeleteRangeRequest) -> Result<(), KeyspaceError> {
    check_key(&request.key)
}

/// What is wrong with a put.
pub fn check_put(request: &PutRequest) -> Result<(), KeyspaceError> {
    check_key(&request.key)?;
    if request.ignore_value && !request.value.is_empty() {
        return Err(KeyspaceError::ValueProvided);
    }
    if request.ignore_lease && request.lease != 0 {
        return Err(KeyspaceError::LeaseProvided);
    }
    Ok(())
}

/// What is wrong with a transaction. `max_ops` bounds the longest of the three lists of the outermost level; what that list
/// takes is lost to the levels within.
pub fn check_txn(request: &TxnRequest, max_ops: usize) -> Result<(), KeyspaceError> {
    check_txn_requests(request, max_ops)?;
    // Only now, when the size is known to be bounded, the work that grows faster than it.
    changes_of(&request.success)?;
    changes_of(&request.failure)?;
    Ok(())
}

fn check_key(key: &Bytes) -> Result<(), KeyspaceError> {
    if key.is_empty() { Err(KeyspaceError::EmptyKey) } else { Ok(()) }
}

fn check_txn_requests(request: &TxnRequest, max_ops: usize) -> Result<(), KeyspaceError> {
    let ops = request.compare.len().max(request.success.len()).max(request.failure.len());
    // A level without any list takes nothing from the budget; the depth of nesting is bounded by the codec, which parses it.
    let Some(left) = max_ops.checked_sub(ops) else { return Err(KeyspaceError::TooManyOps) };
    for compare in &request.compare {
        check_key(&compare.key)?;
    }
    for op in request.success.iter().chain(&request.failure) {
        match op {
            Op::Range(range) => check_range(range)?,
            Op::Put(put) => check_put(put)?,
            Op::DeleteRange(delete) => check_delete_range(delete)?,
            Op::Txn(txn) => check_txn_requests(txn, left)?,
            Op::Empty => return Err(KeyspaceError::KeyNotFound),
        }
    }
    Ok(())
}

/// What a list of steps may change.
#[derive(Default)]
struct Changes<'a> {
    puts: BTreeSet<&'a [u8]>,
    deletes: Deletes<'a>,
}

/// The keys that deletes cover: single ones, and disjoint spans from their first key to before their end.
#[derive(Default)]
struct Deletes<'a> {
    single: BTreeSet<&'a [u8]>,
    spans: BTreeMap<&'a [u8], &'a [u8]>,
}

impl<'a> Deletes<'a> {
    /// etcd takes the range end as it is spelled here: a delete of "all from a" (`"\0"`) ends before it begins and covers nothing. A
    /// quirk, but a client that relies on it must find it.
    fn add(&mut self, request: &'a DeleteRangeRequest) {
        if request.range_end.is_empty() {
            self.single.insert(&request.key);
        } else if request.key < request.range_end {
            self.add_span(&request.key, &request.range_end);
        }
    }

    fn add_span(&mut self, mut first: &'a [u8], mut end: &'a [u8]) {
        // Swallow the spans that touch this one; they are disjoint, so each is swallowed once.
        while let Some((other_first, other_end)) = self.span_before(end) {
            if other_end < first {
                break;
            }
            self.spans.remove(other_first);
            first = first.min(other_first);
            end = end.max(other_end);
        }
        self.spans.insert(first, end);
    }

    fn union(&mut self, other: Deletes<'a>) {
        self.single.extend(other.single);
        for (first, end) in other.spans {
            self.add_span(first, end);
        }
    }

    fn cover(&self, key: &[u8]) -> bool {
        self.single.contains(key) || self.span_before(key).is_some_and(|(_, end)| key < end)
    }

    /// The last span that begins at or before `key`.
    fn span_before(&self, key: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
        let bounds = (Bound::Unbounded, Bound::Included(key));
        self.spans.range::<[u8], _>(bounds).next_back().map(|(&first, &end)| (first, end))
    }
}

/// What these steps may change, unless two of them may change one key: a key may be put once, and not where a delete may reach.
/// Deletes may overlap. The two branches of one nested transaction exclude each other, so both may put the same key. A put in an
/// earlier nested transaction is not held against a delete in a later one, as in etcd.
fn changes_of(ops: &[Op]) -> Result<Changes<'_>, KeyspaceError> {
    let mut changes = Changes::default();
    for op in ops {
        if let Op::DeleteRange(delete) = op {
            changes.deletes.add(delete);
        }
    }
    for op in ops {
        let Op::Txn(txn) = op else { continue };
        let then = changes_of(&txn.success)?;
        let otherwise = changes_of(&txn.failure)?;
        for &key in then.puts.iter().chain(&otherwise.puts) {
            if changes.puts.contains(key) || changes.deletes.cover(key) {
                return Err(KeyspaceError::DuplicateKey);
            }
        }
        changes.puts.extend(then.puts);
        changes.puts.extend(otherwise.puts);
        changes.deletes.union(then.deletes);
        changes.deletes.union(otherwise.deletes);
    }
    for op in ops {
        let Op::Put(put) = op else { continue };
        if changes.deletes.cover(&put.key) || !changes.puts.insert(&put.key[..]) {
            return Err(KeyspaceError::DuplicateKey);
        }
    }
    Ok(changes)
}
