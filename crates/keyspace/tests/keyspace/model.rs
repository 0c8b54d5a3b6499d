//! A keyspace so simple that it can be seen to be right: every revision is a whole copy of the keys.

use bytes::Bytes;
use keyspace::{
    Answer, Command, Compare, DeleteRangeAnswer, DeleteRangeRequest, KeyValue, KeyspaceError, Op, OpAnswer, Operand, PutAnswer,
    PutRequest, RangeAnswer, RangeRequest, Relation, Response, SortOrder, SortTarget, TxnAnswer, TxnRequest,
};
use std::collections::BTreeMap;

type State = BTreeMap<Bytes, KeyValue>;

#[derive(Clone, Debug)]
pub(crate) struct Model {
    /// By revision; those at 0 and 1 are empty.
    states: Vec<State>,
    compacted: i64,
    pub(crate) leases: BTreeMap<i64, i64>,
}

/// A write in progress.
struct Now {
    before: i64,
    state: State,
    changed: bool,
}

impl Now {
    fn revision(&self) -> i64 {
        self.before + i64::from(self.changed)
    }
}

impl Model {
    pub(crate) fn new() -> Model {
        Model { states: vec![State::new(), State::new()], compacted: -1, leases: BTreeMap::new() }
    }

    pub(crate) fn revision(&self) -> i64 {
        self.states.len() as i64 - 1
    }

    pub(crate) fn compacted(&self) -> i64 {
        self.compacted
    }

    /// The keys that hang on a lease.
    pub(crate) fn attached(&self, lease: i64) -> Vec<Bytes> {
        self.state().values().filter(|kv| kv.lease == lease).map(|kv| kv.key.clone()).collect()
    }

    fn state(&self) -> &State {
        self.states.last().unwrap()
    }

    fn now(&self) -> Now {
        Now { before: self.revision(), state: self.state().clone(), changed: false }
    }

    fn commit(&mut self, now: Now) -> i64 {
        if now.changed {
            self.states.push(now.state);
        }
        self.revision()
    }

    pub(crate) fn apply(&mut self, command: Command) -> Response {
        match command {
            Command::Put(request) => {
                if request.lease != 0 && !self.leases.contains_key(&request.lease) {
                    return Err(KeyspaceError::LeaseNotFound);
                }
                self.keeps_nothing_absent(&request)?;
                let mut now = self.now();
                let answer = put(&mut now, &request);
                self.commit(now);
                Ok(Answer::Put(answer))
            }
            Command::DeleteRange(request) => {
                let mut now = self.now();
                let answer = delete(&mut now, &request);
                self.commit(now);
                Ok(Answer::DeleteRange(answer))
            }
            Command::Txn(request) => {
                let mut chosen = Vec::new();
                self.choose(&request, &mut chosen);
                self.check_puts(&request, &mut chosen.iter())?;
                self.check_ranges(&request, &mut chosen.iter())?;
                let mut now = self.now();
                let mut answer = self.walk(&mut now, &request, &mut chosen.iter());
                answer.revision = self.commit(now);
                Ok(Answer::Txn(answer))
            }
            Command::Range(request) => self.range(&request).map(Answer::Range),
            Command::Compact(request) => {
                if request.revision <= self.compacted {
                    return Err(KeyspaceError::Compacted);
                }
                if request.revision > self.revision() {
                    return Err(KeyspaceError::FutureRevision);
                }
                self.compacted = request.revision;
                Ok(Answer::Compact { revision: self.revision() })
            }
            Command::LeaseGrant(request) => {
                if self.leases.contains_key(&request.id) {
                    return Err(KeyspaceError::LeaseExists);
                }
                self.leases.insert(request.id, request.ttl);
                Ok(Answer::LeaseGrant { revision: self.revision(), id: request.id, ttl: request.ttl })
            }
            Command::LeaseRevoke { id } => {
                if self.leases.remove(&id).is_none() {
                    return Err(KeyspaceError::LeaseNotFound);
                }
                let mut now = self.now();
                let before = now.state.len();
                now.state.retain(|_, kv| kv.lease != id);
                now.changed = now.state.len() < before;
                Ok(Answer::LeaseRevoke { revision: self.commit(now) })
            }
            other => panic!("the model knows no {other:?}"),
        }
    }

    pub(crate) fn range(&self, request: &RangeRequest) -> Result<RangeAnswer, KeyspaceError> {
        self.range_of(&self.now(), request)
    }

    fn range_of(&self, now: &Now, request: &RangeRequest) -> Result<RangeAnswer, KeyspaceError> {
        if request.revision > now.revision() {
            return Err(KeyspaceError::FutureRevision);
        }
        if request.revision > 0 && request.revision < self.compacted {
            return Err(KeyspaceError::Compacted);
        }
        let state = if request.revision <= 0 || request.revision == now.before + 1 {
            &now.state
        } else {
            &self.states[request.revision as usize]
        };
        let mut kvs: Vec<KeyValue> = within(state, &request.key, &request.range_end);
        let mut answer = RangeAnswer { revision: now.revision(), count: kvs.len() as i64, ..RangeAnswer::default() };
        if request.count_only {
            return Ok(answer);
        }
        let bounds = [
            (request.min_mod_revision, request.max_mod_revision, (|kv| kv.mod_revision) as fn(&KeyValue) -> i64),
            (request.min_create_revision, request.max_create_revision, |kv| kv.create_revision),
        ];
        let filtered = bounds.iter().any(|&(min, max, _)| min != 0 || max != 0);
        if request.limit > 0 && request.sort_order == SortOrder::None && !filtered {
            kvs.truncate(request.limit as usize + 1);
        }
        for (min, max, of) in bounds {
            kvs.retain(|kv| (min == 0 || of(kv) >= min) && (max == 0 || of(kv) <= max));
        }
        if request.sort_order == SortOrder::Descend {
            // So that equals are in key order after the reversal.
            kvs.reverse();
        }
        match request.sort_target {
            SortTarget::Key => kvs.sort_by_key(|kv| kv.key.clone()),
            SortTarget::Version => kvs.sort_by_key(|kv| kv.version),
            SortTarget::Create => kvs.sort_by_key(|kv| kv.create_revision),
            SortTarget::Mod => kvs.sort_by_key(|kv| kv.mod_revision),
            SortTarget::Value => kvs.sort_by_key(|kv| kv.value.clone()),
        }
        if request.sort_order == SortOrder::Descend {
            kvs.reverse();
        }
        if request.limit > 0 && kvs.len() > request.limit as usize {
            answer.more = true;
            kvs.truncate(request.limit as usize);
        }
        if request.keys_only {
            kvs.iter_mut().for_each(|kv| kv.value = Bytes::new());
        }
        answer.kvs = kvs;
        Ok(answer)
    }

    fn choose(&self, request: &TxnRequest, chosen: &mut Vec<bool>) {
        let holds = request.compare.iter().all(|compare| holds(self.state(), compare));
        chosen.push(holds);
        for op in if holds { &request.success } else { &request.failure } {
            if let Op::Txn(txn) = op {
                self.choose(txn, chosen);
            }
        }
    }

    fn keeps_nothing_absent(&self, request: &PutRequest) -> Result<(), KeyspaceError> {
        let keeps = request.ignore_value || request.ignore_lease;
        if keeps && !self.state().contains_key(&request.key) { Err(KeyspaceError::KeyNotFound) } else { Ok(()) }
    }

    fn check_puts(&self, request: &TxnRequest, chosen: &mut std::slice::Iter<'_, bool>) -> Result<(), KeyspaceError> {
        for op in if *chosen.next().unwrap() { &request.success } else { &request.failure } {
            match op {
                Op::Txn(txn) => self.check_puts(txn, chosen)?,
                Op::Put(put) => {
                    self.keeps_nothing_absent(put)?;
                    if put.lease != 0 && !self.leases.contains_key(&put.lease) {
                        return Err(KeyspaceError::LeaseNotFound);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn check_ranges(&self, request: &TxnRequest, chosen: &mut std::slice::Iter<'_, bool>) -> Result<(), KeyspaceError> {
        for op in if *chosen.next().unwrap() { &request.success } else { &request.failure } {
            match op {
                Op::Txn(txn) => self.check_ranges(txn, chosen)?,
                Op::Range(range) if range.revision > self.revision() => return Err(KeyspaceError::FutureRevision),
                Op::Range(range) if range.revision != 0 && range.revision < self.compacted => {
                    return Err(KeyspaceError::Compacted);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn walk(&self, now: &mut Now, request: &TxnRequest, chosen: &mut std::slice::Iter<'_, bool>) -> TxnAnswer {
        let succeeded = *chosen.next().unwrap();
        let mut responses = Vec::new();
        for op in if succeeded { &request.success } else { &request.failure } {
            responses.push(match op {
                Op::Range(range) => OpAnswer::Range(self.range_of(now, range).unwrap()),
                Op::Put(request) => OpAnswer::Put(put(now, request)),
                Op::DeleteRange(request) => OpAnswer::DeleteRange(delete(now, request)),
                Op::Txn(txn) => OpAnswer::Txn(self.walk(now, txn, chosen)),
                Op::Empty => OpAnswer::Empty,
            });
        }
        TxnAnswer { revision: 0, succeeded, responses }
    }
}

fn within(state: &State, key: &Bytes, end: &Bytes) -> Vec<KeyValue> {
    let inside = |candidate: &Bytes| match &end[..] {
        b"" => candidate == key,
        b"\0" => candidate >= key,
        _ => candidate >= key && candidate < end,
    };
    state.values().filter(|kv| inside(&kv.key)).cloned().collect()
}

fn put(now: &mut Now, request: &PutRequest) -> PutAnswer {
    let before = now.state.get(&request.key).cloned();
    let mut kv = KeyValue {
        key: request.key.clone(),
        value: request.value.clone(),
        lease: request.lease,
        create_revision: now.before + 1,
        mod_revision: now.before + 1,
        version: 1,
    };
    if let Some(before) = &before {
        kv.create_revision = before.create_revision;
        kv.version = before.version + 1;
        if request.ignore_value {
            kv.value = before.value.clone();
        }
        if request.ignore_lease {
            kv.lease = before.lease;
        }
    }
    now.state.insert(kv.key.clone(), kv);
    now.changed = true;
    PutAnswer { revision: now.revision(), prev_kv: before.filter(|_| request.prev_kv) }
}

fn delete(now: &mut Now, request: &DeleteRangeRequest) -> DeleteRangeAnswer {
    let gone = within(&now.state, &request.key, &request.range_end);
    for kv in &gone {
        now.state.remove(&kv.key);
        now.changed = true;
    }
    let deleted = gone.len() as i64;
    DeleteRangeAnswer { revision: now.revision(), deleted, prev_kvs: if request.prev_kv { gone } else { vec![] } }
}

fn holds(state: &State, compare: &Compare) -> bool {
    let mut kvs = within(state, &compare.key, &compare.range_end);
    if kvs.is_empty() {
        if matches!(compare.operand, Operand::Value(_)) {
            return false;
        }
        kvs.push(KeyValue::default());
    }
    kvs.iter().all(|kv| {
        let ordering = match &compare.operand {
            Operand::Version(to) => kv.version.cmp(to),
            Operand::Create(to) => kv.create_revision.cmp(to),
            Operand::Mod(to) => kv.mod_revision.cmp(to),
            Operand::Lease(to) => kv.lease.cmp(to),
            Operand::Value(to) => kv.value.cmp(to),
            Operand::Undefined(_) => panic!("the model knows only what the protocol defines"),
        };
        match compare.relation {
            Relation::Equal => ordering.is_eq(),
            Relation::NotEqual => ordering.is_ne(),
            Relation::Greater => ordering.is_gt(),
            Relation::Less => ordering.is_lt(),
            Relation::Undefined(_) => true,
        }
    })
}
