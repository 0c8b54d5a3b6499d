//! What etcd's keyspace does, as simply as it can be said: everything is remembered, nothing is compacted away, nothing is fast.

use bytes::Bytes;
use keyspace::{
    Answer, Change, Command, Compare, DeleteRangeAnswer, DeleteRangeRequest, KeyValue, KeyspaceError, LeaseCheckpoint, Op,
    OpAnswer, Operand, PutAnswer, PutRequest, Query, RangeAnswer, RangeRequest, Relation, Response, Revision, TxnAnswer,
    TxnRequest,
};
use std::collections::{BTreeMap, BTreeSet};

/// The shortest life of a lease, in seconds.
const TTL_MIN: i64 = 2;

/// Keys, leases, and all that ever happened to them.
#[derive(Debug)]
pub(super) struct Model {
    /// The newest revision, and the last compaction.
    pub(super) now: Moment,
    keys: BTreeMap<Bytes, Vec<(Revision, Option<KeyValue>)>>,
    pub(super) leases: BTreeMap<i64, Lease>,
    /// What each revision did.
    pub(super) events: Vec<Vec<(Revision, Change)>>,
    /// What the next change is called.
    at: Revision,
}

/// What can be read at some moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Moment {
    pub(super) revision: i64,
    pub(super) compacted: i64,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Lease {
    pub(super) ttl: i64,
    pub(super) remaining: i64,
    keys: BTreeSet<Bytes>,
}

impl Default for Model {
    fn default() -> Model {
        Model {
            now: Moment { revision: 1, compacted: -1 },
            keys: BTreeMap::new(),
            leases: BTreeMap::new(),
            events: vec![Vec::new(); 2],
            at: Revision::new(2, 0),
        }
    }
}

impl Model {
    /// Carries out a command. `None`: what it answers is none of this model's business.
    pub(super) fn apply(&mut self, command: &Command) -> Option<Response> {
        self.at = Revision::new(self.now.revision + 1, 0);
        let response = self.carry_out(command);
        if self.at.sub > 0 {
            self.now.revision += 1;
        }
        response
    }

    fn carry_out(&mut self, command: &Command) -> Option<Response> {
        Some(match command {
            Command::Put(put) => self.lease_is_there(put).map(|()| Answer::Put(self.put(put))),
            Command::DeleteRange(delete) => Ok(Answer::DeleteRange(self.delete_range(delete))),
            Command::Txn(txn) => self.txn(txn).map(Answer::Txn),
            Command::Compact(compact) if compact.revision <= self.now.compacted => Err(KeyspaceError::Compacted),
            Command::Compact(compact) if compact.revision > self.now.revision => Err(KeyspaceError::FutureRevision),
            Command::Compact(compact) => {
                self.now.compacted = compact.revision;
                Ok(Answer::Compact { revision: self.now.revision })
            }
            Command::LeaseGrant(grant) if self.leases.contains_key(&grant.id) => Err(KeyspaceError::LeaseExists),
            Command::LeaseGrant(grant) => {
                let ttl = grant.ttl.max(TTL_MIN);
                self.leases.insert(grant.id, Lease { ttl, ..Lease::default() });
                Ok(Answer::LeaseGrant { revision: self.now.revision, id: grant.id, ttl })
            }
            Command::LeaseRevoke { id } => match self.leases.remove(id) {
                None => Err(KeyspaceError::LeaseNotFound),
                Some(lease) => {
                    lease.keys.iter().for_each(|key| self.delete(key));
                    Ok(Answer::LeaseRevoke { revision: self.seen() })
                }
            },
            Command::LeaseCheckpoint(checkpoints) => {
                for LeaseCheckpoint { id, remaining_ttl } in checkpoints {
                    if let Some(lease) = self.leases.get_mut(id) {
                        lease.remaining = *remaining_ttl;
                    }
                }
                Ok(Answer::LeaseCheckpoint { revision: self.now.revision })
            }
            _ => return None,
        })
    }

    /// The newest revision as the command that is carried out sees it.
    fn seen(&self) -> i64 {
        if self.at.sub == 0 { self.now.revision } else { self.at.main }
    }

    fn lease_is_there(&self, put: &PutRequest) -> Result<(), KeyspaceError> {
        let there = put.lease == 0 || self.leases.contains_key(&put.lease);
        if there { Ok(()) } else { Err(KeyspaceError::LeaseNotFound) }
    }

    /// A key as of a revision.
    fn get(&self, key: &Bytes, revision: i64) -> Option<&KeyValue> {
        let history = self.keys.get(key)?;
        let upto = history.partition_point(|(at, _)| at.main <= revision);
        history[..upto].last()?.1.as_ref()
    }

    /// A key as it was before a revision.
    pub(super) fn before(&self, key: &Bytes, revision: i64) -> Option<&KeyValue> {
        self.get(key, revision - 1)
    }

    fn keys_in(&self, key: &Bytes, end: &Bytes) -> Vec<Bytes> {
        self.keys.keys().filter(|candidate| is_within(candidate, key, end)).cloned().collect()
    }

    fn change(&mut self, key: &Bytes, kv: Option<KeyValue>) {
        let before = self.get(key, i64::MAX).map_or(0, |kv| kv.lease);
        let after = kv.as_ref().map_or(0, |kv| kv.lease);
        if before != after {
            if let Some(lease) = self.leases.get_mut(&before) {
                lease.keys.remove(key);
            }
            if let Some(lease) = self.leases.get_mut(&after) {
                lease.keys.insert(key.clone());
            }
        }
        let change = kv.clone().map_or_else(|| Change::Delete { key: key.clone() }, Change::Put);
        self.keys.entry(key.clone()).or_default().push((self.at, kv));
        if self.at.sub == 0 {
            self.events.push(Vec::new());
        }
        self.events.last_mut().expect("there is a revision").push((self.at, change));
        self.at.sub += 1;
    }

    fn put(&mut self, put: &PutRequest) -> PutAnswer {
        let before = self.get(&put.key, i64::MAX).cloned();
        let main = self.at.main;
        let (created, version) = before.as_ref().map_or((main, 1), |kv| (kv.create_revision, kv.version + 1));
        let kv = KeyValue {
            key: put.key.clone(),
            create_revision: created,
            mod_revision: main,
            version,
            value: put.value.clone(),
            lease: put.lease,
        };
        self.change(&put.key, Some(kv));
        PutAnswer { revision: main, prev_kv: before.filter(|_| put.prev_kv) }
    }

    fn delete(&mut self, key: &Bytes) {
        if self.get(key, i64::MAX).is_some() {
            self.change(key, None);
        }
    }

    fn delete_range(&mut self, delete: &DeleteRangeRequest) -> DeleteRangeAnswer {
        let keys = self.keys_in(&delete.key, &delete.range_end);
        let before: Vec<KeyValue> = keys.iter().filter_map(|key| self.get(key, i64::MAX)).cloned().collect();
        keys.iter().for_each(|key| self.delete(key));
        let deleted = before.len() as i64;
        DeleteRangeAnswer { revision: self.seen(), deleted, prev_kvs: if delete.prev_kv { before } else { Vec::new() } }
    }

    fn txn(&mut self, txn: &TxnRequest) -> Result<TxnAnswer, KeyspaceError> {
        let succeeded = self.holds(&txn.compare);
        let steps = if succeeded { &txn.success } else { &txn.failure };
        self.check_steps(steps)?;
        let mut responses = Vec::new();
        for step in steps {
            responses.push(match step {
                Op::Range(range) => {
                    let moment = Moment { revision: self.seen(), ..self.now };
                    OpAnswer::Range(self.range(range, moment).expect("it was checked"))
                }
                Op::Put(put) => OpAnswer::Put(self.put(put)),
                Op::DeleteRange(delete) => OpAnswer::DeleteRange(self.delete_range(delete)),
                Op::Txn(_) | Op::Empty => unreachable!("nobody asks for that"),
            });
        }
        Ok(TxnAnswer { revision: self.seen(), succeeded, responses })
    }

    fn check_steps(&self, steps: &[Op]) -> Result<(), KeyspaceError> {
        for step in steps {
            if let Op::Put(put) = step {
                self.lease_is_there(put)?;
            }
        }
        for step in steps {
            match step {
                Op::Range(range) if range.revision > self.now.revision => return Err(KeyspaceError::FutureRevision),
                Op::Range(range) if range.revision > 0 && range.revision < self.now.compacted => {
                    return Err(KeyspaceError::Compacted);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn holds(&self, compares: &[Compare]) -> bool {
        compares.iter().all(|compare| {
            let kv = self.get(&compare.key, i64::MAX);
            let number = |of: fn(&KeyValue) -> i64, with: i64| related(kv.map_or(0, of).cmp(&with), compare.relation);
            match &compare.operand {
                Operand::Version(with) => number(|kv| kv.version, *with),
                Operand::Create(with) => number(|kv| kv.create_revision, *with),
                Operand::Mod(with) => number(|kv| kv.mod_revision, *with),
                Operand::Lease(with) => number(|kv| kv.lease, *with),
                Operand::Value(with) => kv.is_some_and(|kv| related(kv.value.cmp(with), compare.relation)),
                Operand::Undefined(_) => unreachable!("nobody asks for that"),
            }
        })
    }

    /// What a read tells at a moment. `None`: that is none of this model's business.
    pub(super) fn read(&self, query: &Query, moment: Moment) -> Option<Response> {
        match query {
            Query::Range(range) => Some(self.range(range, moment).map(Answer::Range)),
            _ => None,
        }
    }

    fn range(&self, range: &RangeRequest, moment: Moment) -> Result<RangeAnswer, KeyspaceError> {
        if range.revision > moment.revision {
            return Err(KeyspaceError::FutureRevision);
        }
        let at = if range.revision <= 0 { moment.revision } else { range.revision };
        if at < moment.compacted {
            return Err(KeyspaceError::Compacted);
        }
        let keys = self.keys_in(&range.key, &range.range_end);
        let mut kvs: Vec<KeyValue> = keys.iter().filter_map(|key| self.get(key, at)).cloned().collect();
        let count = kvs.len() as i64;
        let limit = if range.limit > 0 { range.limit as usize } else { usize::MAX };
        let more = kvs.len() > limit && !range.count_only;
        kvs.truncate(if range.count_only { 0 } else { limit });
        if range.keys_only {
            kvs.iter_mut().for_each(|kv| kv.value = Bytes::new());
        }
        Ok(RangeAnswer { revision: moment.revision, kvs, more, count })
    }
}

/// Whether a key is in the range that `key` and `end` spell.
pub(super) fn is_within(candidate: &Bytes, key: &Bytes, end: &Bytes) -> bool {
    match &end[..] {
        b"" => candidate == key,
        b"\0" => candidate >= key,
        _ => candidate >= key && candidate < end,
    }
}

fn related(ordering: std::cmp::Ordering, relation: Relation) -> bool {
    match relation {
        Relation::Equal => ordering.is_eq(),
        Relation::NotEqual => ordering.is_ne(),
        Relation::Greater => ordering.is_gt(),
        Relation::Less => ordering.is_lt(),
        Relation::Undefined(_) => unreachable!("nobody asks for that"),
    }
}
