//! Transactions.
//!
//! In four steps, as etcd does it, so that the same fault is named and nothing is half done:
//!
//! 1. All comparisons, of every level that will be reached, are made against the state before: this fixes the path.
//! 2. All puts on the path are checked.
//! 3. All ranges on the path are checked: their revisions must be readable now.
//! 4. The path is walked. Nothing can fail any more.

use crate::view::View;
use crate::write::Write;
use crate::{
    Compare, KeyRange, KeyValue, Keyspace, KeyspaceError, Op, OpAnswer, Operand, RangeRequest, Relation, TxnAnswer, TxnRequest,
    Values,
};
use alloc::vec::Vec;
use core::cmp::Ordering;

/// Whether the comparisons held: of the transaction itself, then of each nested one that is reached, in order.
struct Path(Vec<bool>);

impl<V: Values> Keyspace<V> {
    /// Applies a transaction.
    pub(crate) fn txn(&mut self, request: &TxnRequest) -> Result<TxnAnswer, KeyspaceError> {
        let path = self.checked_path(request)?;
        let mut write = Write::begin(self);
        let mut answer = write.walk(request, &mut path.0.iter());
        answer.revision = write.finish();
        Ok(answer)
    }

    /// Answers a transaction that only reads.
    pub(crate) fn read_txn(&self, request: &TxnRequest) -> Result<TxnAnswer, KeyspaceError> {
        let path = self.checked_path(request)?;
        let succeeded = path.0[0];
        let mut responses = Vec::new();
        for op in request.branch(succeeded) {
            let Op::Range(range) = op else {
                return Err(KeyspaceError::Unsupported("a write within a read".into()));
            };
            responses.push(OpAnswer::Range(self.view().range(range)?));
        }
        Ok(TxnAnswer { revision: self.revision, succeeded, responses })
    }

    fn checked_path(&self, request: &TxnRequest) -> Result<Path, KeyspaceError> {
        let view = self.view();
        let mut path = Path(Vec::new());
        view.decide(request, &mut path);
        on_path(request, &mut path.0.iter(), &mut |op| match op {
            Op::Put(put) => self.check_ignored(put).and_then(|()| self.check_lease(put)),
            _ => Ok(()),
        })?;
        on_path(request, &mut path.0.iter(), &mut |op| match op {
            Op::Range(range) => self.check_revision(range),
            _ => Ok(()),
        })?;
        Ok(path)
    }

    fn check_revision(&self, range: &RangeRequest) -> Result<(), KeyspaceError> {
        match range.revision {
            0 => Ok(()),
            revision if revision > self.revision => Err(KeyspaceError::FutureRevision),
            revision if revision < self.compacted => Err(KeyspaceError::Compacted),
            _ => Ok(()),
        }
    }
}

impl TxnRequest {
    fn branch(&self, succeeded: bool) -> &[Op] {
        if succeeded { &self.success } else { &self.failure }
    }
}

/// Shows every step on the path to `check`, in order.
fn on_path<'a>(
    request: &TxnRequest,
    path: &mut impl Iterator<Item = &'a bool>,
    check: &mut impl FnMut(&Op) -> Result<(), KeyspaceError>,
) -> Result<(), KeyspaceError> {
    for op in request.branch(next(path)) {
        match op {
            Op::Txn(txn) => on_path(txn, path, check)?,
            op => check(op)?,
        }
    }
    Ok(())
}

fn next<'a>(path: &mut impl Iterator<Item = &'a bool>) -> bool {
    *path.next().expect("a path has a step for each transaction that it reaches")
}

impl<V: Values> Write<'_, V> {
    fn walk<'p>(&mut self, request: &TxnRequest, path: &mut impl Iterator<Item = &'p bool>) -> TxnAnswer {
        let succeeded = next(path);
        let responses = request
            .branch(succeeded)
            .iter()
            .map(|op| match op {
                Op::Range(range) => {
                    OpAnswer::Range(self.view().range(range).expect("ranges were checked before the first write"))
                }
                Op::Put(put) => OpAnswer::Put(self.put(put)),
                Op::DeleteRange(delete) => OpAnswer::DeleteRange(self.delete_range(delete)),
                Op::Txn(txn) => OpAnswer::Txn(self.walk(txn, path)),
                Op::Empty => OpAnswer::Empty,
            })
            .collect();
        TxnAnswer { revision: 0, succeeded, responses }
    }
}

impl<V: Values> View<'_, V> {
    fn decide(&self, request: &TxnRequest, path: &mut Path) {
        let succeeded = request.compare.iter().all(|compare| self.holds(compare));
        path.0.push(succeeded);
        for op in request.branch(succeeded) {
            if let Op::Txn(txn) = op {
                self.decide(txn, path);
            }
        }
    }

    /// Whether a comparison holds for every key in its range. If there is no key, versions, revisions and leases compare as 0; a value
    /// does not compare at all.
    fn holds(&self, compare: &Compare) -> bool {
        let mut found = false;
        for (_, history) in self.index.range(KeyRange::new(&compare.key, &compare.range_end)) {
            let Some(mark) = history.get(self.revision) else { continue };
            found = true;
            // The index knows all but the value.
            let known = KeyValue {
                create_revision: mark.created,
                mod_revision: mark.at.main,
                version: mark.version,
                lease: history.lease,
                ..KeyValue::default()
            };
            let kv = if matches!(compare.operand, Operand::Value(_)) { self.fetch(mark) } else { known };
            if !relates(&kv, compare) {
                return false;
            }
        }
        found || (!matches!(compare.operand, Operand::Value(_)) && relates(&KeyValue::default(), compare))
    }
}

fn relates(kv: &KeyValue, compare: &Compare) -> bool {
    let ordering = match &compare.operand {
        Operand::Version(version) => kv.version.cmp(version),
        Operand::Create(revision) => kv.create_revision.cmp(revision),
        Operand::Mod(revision) => kv.mod_revision.cmp(revision),
        Operand::Value(value) => kv.value.cmp(value),
        Operand::Lease(lease) => kv.lease.cmp(lease),
        Operand::Undefined(_) => Ordering::Equal,
    };
    match compare.relation {
        Relation::Equal => ordering.is_eq(),
        Relation::NotEqual => ordering.is_ne(),
        Relation::Greater => ordering.is_gt(),
        Relation::Less => ordering.is_lt(),
        Relation::Undefined(_) => true,
    }
}
