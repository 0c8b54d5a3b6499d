//! What queries and answers weigh: so that much of either is not held, and not answered, at once.

use crate::{
    Answer, Compare, KeyValue, LeaseAnswer, Op, OpAnswer, Operand, Query, RangeAnswer, RangeRequest, Response, TxnRequest,
};

/// To look for a key takes about as long as to copy so many bytes …
const LOOKED_AT: usize = 64;
/// … and to fetch what it stands for as long as so many.
const FETCHED: usize = 512;

impl Answer {
    /// About how many bytes it holds.
    pub fn bytes(&self) -> usize {
        match self {
            Answer::Range(range) => range_bytes(range),
            Answer::Put(put) => kvs_bytes(put.prev_kv.iter()),
            Answer::DeleteRange(deleted) => kvs_bytes(deleted.prev_kvs.iter()),
            Answer::Txn(txn) => ops_bytes(&txn.responses),
            Answer::Lease { lease: Some(LeaseAnswer { keys, .. }), .. } => {
                keys.iter().map(|key| size_of_val(key) + key.len()).sum()
            }
            Answer::Leases { ids, .. } => size_of_val(&ids[..]),
            // The cluster is small, and so is what is known of it.
            _ => 0,
        }
    }
}

/// See [`consensus::StateMachine::response_weight`].
pub(crate) fn of_response(response: &Response) -> usize {
    let Ok(answer) = response else { return 0 };
    let searched = match answer {
        Answer::Range(range) => search(range),
        Answer::Txn(txn) => search_of_ops(&txn.responses),
        Answer::DeleteRange(deleted) => deleted.prev_kvs.len() * FETCHED,
        _ => 0,
    };
    answer.bytes() + searched
}

/// See [`consensus::StateMachine::query_bytes`].
pub(crate) fn of_query(query: &Query) -> usize {
    match query {
        Query::Range(range) => range_request_bytes(range),
        Query::Txn(txn) => txn_request_bytes(txn),
        _ => 0,
    }
}

/// See [`consensus::StateMachine::takes_turns`]. A sign of life for a lease counts from when it is heard, and it must not be heard
/// late because others read much. Whether a key is there at all is how a member's health is asked for.
pub(crate) fn takes_turns(query: &Query) -> bool {
    match query {
        Query::Range(range) => !(range.keys_only && range.range_end.is_empty()),
        Query::Txn(_) | Query::Lease { keys: true, .. } | Query::Leases | Query::HashKv { .. } => true,
        Query::Lease { keys: false, .. }
        | Query::LeaseRenew { .. }
        | Query::LeaseTally
        | Query::Members
        | Query::Status
        | Query::CompactionHashes => false,
    }
}

/// What it took to find it: also what the limit cut off was looked at.
fn search(range: &RangeAnswer) -> usize {
    usize::try_from(range.count).unwrap_or(0).saturating_mul(LOOKED_AT) + range.kvs.len() * FETCHED
}

fn search_of_ops(ops: &[OpAnswer]) -> usize {
    let search = |op: &OpAnswer| match op {
        OpAnswer::Range(range) => search(range),
        OpAnswer::DeleteRange(deleted) => deleted.prev_kvs.len() * FETCHED,
        OpAnswer::Txn(txn) => search_of_ops(&txn.responses),
        OpAnswer::Put(_) | OpAnswer::Empty => 0,
    };
    ops.iter().map(search).sum()
}

fn range_bytes(range: &RangeAnswer) -> usize {
    kvs_bytes(range.kvs.iter())
}

fn kvs_bytes<'a>(kvs: impl Iterator<Item = &'a KeyValue>) -> usize {
    kvs.map(|kv| size_of::<KeyValue>() + kv.key.len() + kv.value.len()).sum()
}

fn ops_bytes(ops: &[OpAnswer]) -> usize {
    let bytes = |op: &OpAnswer| match op {
        OpAnswer::Range(range) => range_bytes(range),
        OpAnswer::Put(put) => kvs_bytes(put.prev_kv.iter()),
        OpAnswer::DeleteRange(deleted) => kvs_bytes(deleted.prev_kvs.iter()),
        OpAnswer::Txn(txn) => ops_bytes(&txn.responses),
        OpAnswer::Empty => 0,
    };
    ops.iter().map(|op| size_of::<OpAnswer>() + bytes(op)).sum()
}

fn range_request_bytes(range: &RangeRequest) -> usize {
    size_of::<RangeRequest>() + range.key.len() + range.range_end.len()
}

fn txn_request_bytes(txn: &TxnRequest) -> usize {
    let compared = txn.compare.iter().map(compare_bytes).sum::<usize>();
    let done = txn.success.iter().chain(&txn.failure).map(|op| {
        size_of::<Op>()
            + match op {
                Op::Range(range) => range.key.len() + range.range_end.len(),
                Op::Put(put) => put.key.len() + put.value.len(),
                Op::DeleteRange(delete) => delete.key.len() + delete.range_end.len(),
                Op::Txn(txn) => txn_request_bytes(txn),
                Op::Empty => 0,
            }
    });
    compared + done.sum::<usize>()
}

fn compare_bytes(compare: &Compare) -> usize {
    let operand = if let Operand::Value(value) = &compare.operand { value.len() } else { 0 };
    size_of::<Compare>() + compare.key.len() + compare.range_end.len() + operand
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use bytes::Bytes;

    fn kv(bytes: usize) -> KeyValue {
        KeyValue { key: Bytes::from_static(b"key"), value: vec![0; bytes].into(), ..KeyValue::default() }
    }

    #[test]
    fn an_answer_weighs_what_it_holds_wherever_it_is() {
        let range = RangeAnswer { kvs: vec![kv(1000), kv(2000)], count: 2, ..RangeAnswer::default() };
        let within = |op| crate::TxnAnswer { responses: vec![op], ..Default::default() };
        let nested = OpAnswer::Txn(within(OpAnswer::Range(range.clone())));
        for answer in [Answer::Range(range), Answer::Txn(within(nested))] {
            let bytes = answer.bytes();
            assert!((3006..4000).contains(&bytes), "{bytes}");
            assert!(of_response(&Ok(answer)) >= bytes + 2 * FETCHED);
        }
        let before = crate::DeleteRangeAnswer { prev_kvs: vec![kv(5000)], ..Default::default() };
        assert!(Answer::DeleteRange(before).bytes() > 5000);
    }

    #[test]
    fn to_count_is_work_that_holds_nothing() {
        let counted = Answer::Range(RangeAnswer { count: 1_000_000, ..RangeAnswer::default() });
        assert_eq!(counted.bytes(), 0);
        assert_eq!(of_response(&Ok(counted)), 64_000_000);
    }

    #[test]
    fn a_query_weighs_its_keys_and_what_it_compares() {
        let long = Bytes::from(vec![b'k'; 10_000]);
        let range = RangeRequest { key: long.clone(), range_end: long.clone(), ..RangeRequest::default() };
        assert!(of_query(&Query::Range(range.clone())) > 20_000);
        let operand = Operand::Value(long.clone());
        let compare = Compare { key: long, range_end: Bytes::new(), relation: crate::Relation::Equal, operand };
        let txn = TxnRequest { compare: vec![compare], success: vec![Op::Range(range)], failure: vec![] };
        assert!(of_query(&Query::Txn(txn)) > 40_000);
    }
}
