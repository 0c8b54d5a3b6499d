//! Every option of a range.

use crate::kit::{Machine, all, bytes, delete, keys, put, range};
use keyspace::{KeyspaceError, RangeRequest, SortOrder, SortTarget};

/// Revisions 2 to 8: a b c d, then b again, then c deleted and made anew.
fn machine() -> Machine {
    let mut machine = Machine::default();
    for (key, value) in [("a", "4"), ("b", "3"), ("c", "2"), ("d", "1"), ("b", "9")] {
        machine.put(put(key, value)).unwrap();
    }
    machine.delete(delete("c", ""));
    machine.put(put("c", "5")).unwrap();
    machine
}

#[test]
fn range_ends_are_spelled_as_in_etcd() {
    let machine = machine();
    for (key, end, expected) in [
        ("b", "", "b"),
        ("x", "", ""),
        ("b", "d", "b c"),
        ("b", "b", ""),
        ("d", "b", ""),
        ("b", "\0", "b c d"),
        ("\0", "\0", "a b c d"),
        ("aa", "\0", "b c d"),
    ] {
        assert_eq!(machine.keys(range(key, end)), expected, "[{key:?}, {end:?})");
    }
}

#[test]
fn every_revision_stays_readable() {
    let machine = machine();
    for (revision, expected) in
        [(1, ""), (2, "a"), (3, "a b"), (4, "a b c"), (5, "a b c d"), (6, "a b c d"), (7, "a b d"), (8, "a b c d")]
    {
        let answer = machine.range(RangeRequest { revision, ..all() }).unwrap();
        assert_eq!(keys(&answer), expected, "at {revision}");
        assert_eq!(answer.revision, 8, "the header always names the revision now");
    }
    assert_eq!(machine.value("b", 5).unwrap(), "3");
    assert_eq!(machine.value("b", 6).unwrap(), "9");
    // A key knows its life at that time.
    let kv = |revision| machine.range(RangeRequest { revision, ..range("c", "") }).unwrap().kvs[0].clone();
    assert_eq!((kv(6).create_revision, kv(6).mod_revision, kv(6).version), (4, 4, 1));
    assert_eq!((kv(8).create_revision, kv(8).mod_revision, kv(8).version), (8, 8, 1));
    let b = machine.range(range("b", "")).unwrap().kvs[0].clone();
    assert_eq!((b.create_revision, b.mod_revision, b.version), (3, 6, 2));
}

#[test]
fn the_future_cannot_be_read_and_less_than_nothing_means_now() {
    let machine = machine();
    assert_eq!(machine.range(RangeRequest { revision: 9, ..all() }), Err(KeyspaceError::FutureRevision));
    assert_eq!(machine.keys(RangeRequest { revision: -1, ..all() }), "a b c d");
}

#[test]
fn a_limit_says_whether_there_is_more_and_the_count_does_not_heed_it() {
    let machine = machine();
    for (limit, expected, more) in
        [(0, "a b c d", false), (-1, "a b c d", false), (1, "a", true), (3, "a b c", true), (4, "a b c d", false)]
    {
        let answer = machine.range(RangeRequest { limit, ..all() }).unwrap();
        assert_eq!((keys(&answer).as_str(), answer.more, answer.count), (expected, more, 4), "limit {limit}");
    }
    assert!(!machine.range(RangeRequest { limit: i64::MAX, ..all() }).unwrap().more);
}

#[test]
fn order_and_target() {
    let machine = machine();
    let sorted = |sort_order, sort_target| machine.keys(RangeRequest { sort_order, sort_target, ..all() });
    use SortOrder::{Ascend, Descend, None};
    use SortTarget::{Create, Key, Mod, Value, Version};
    assert_eq!(sorted(None, Key), "a b c d");
    assert_eq!(sorted(Ascend, Key), "a b c d");
    assert_eq!(sorted(Descend, Key), "d c b a");
    assert_eq!(sorted(Ascend, Version), "a c d b");
    // Equals stay in key order, downwards too.
    assert_eq!(sorted(Descend, Version), "b a c d");
    assert_eq!(sorted(Ascend, Create), "a b d c");
    assert_eq!(sorted(Descend, Create), "c d b a");
    assert_eq!(sorted(Ascend, Mod), "a d b c");
    assert_eq!(sorted(Descend, Mod), "c b d a");
    assert_eq!(sorted(Ascend, Value), "d a c b");
    assert_eq!(sorted(Descend, Value), "b c a d");
    // A target without an order means ascending.
    assert_eq!(sorted(None, Mod), "a d b c");
    assert_eq!(sorted(None, Value), "d a c b");
}

#[test]
fn an_order_comes_before_the_limit_but_a_mere_target_after_it() {
    let machine = machine();
    let limited = |sort_order| {
        let answer = machine.range(RangeRequest { sort_order, sort_target: SortTarget::Value, limit: 2, ..all() }).unwrap();
        assert!(answer.more);
        assert_eq!(answer.count, 4);
        keys(&answer)
    };
    assert_eq!(limited(SortOrder::Ascend), "d a");
    assert_eq!(limited(SortOrder::Descend), "b c");
    // etcd fetches the first three keys, one more than asked for, and sorts those.
    assert_eq!(limited(SortOrder::None), "a c");
}

#[test]
fn filters_come_before_order_and_limit_and_the_count_does_not_heed_them() {
    let machine = machine();
    let filtered = |request: RangeRequest| {
        let answer = machine.range(request).unwrap();
        assert_eq!(answer.count, 4);
        (keys(&answer), answer.more)
    };
    let found = |keys: &str, more| (keys.to_string(), more);
    assert_eq!(filtered(RangeRequest { min_mod_revision: 5, ..all() }), found("b c d", false));
    assert_eq!(filtered(RangeRequest { max_mod_revision: 6, ..all() }), found("a b d", false));
    assert_eq!(filtered(RangeRequest { min_create_revision: 3, ..all() }), found("b c d", false));
    assert_eq!(filtered(RangeRequest { max_create_revision: 4, ..all() }), found("a b", false));
    assert_eq!(filtered(RangeRequest { min_mod_revision: 5, limit: 2, ..all() }), found("b c", true));
    assert_eq!(filtered(RangeRequest { min_mod_revision: 8, limit: 1, ..all() }), found("c", false));
}

#[test]
fn keys_only_leaves_out_values_and_nothing_else() {
    let machine = machine();
    let answer = machine.range(RangeRequest { keys_only: true, ..range("b", "") }).unwrap();
    assert_eq!((answer.kvs[0].version, answer.kvs[0].value.clone(), answer.count), (2, bytes(""), 1));
}

#[test]
fn count_only_counts_as_of_a_revision() {
    let machine = machine();
    for (request, expected) in [
        (all(), 4),
        (RangeRequest { revision: 7, ..all() }, 3),
        (RangeRequest { limit: 1, min_mod_revision: 8, ..all() }, 4),
        (range("b", "d"), 2),
        (range("b", ""), 1),
        (range("x", ""), 0),
    ] {
        let answer = machine.range(RangeRequest { count_only: true, ..request }).unwrap();
        assert_eq!((answer.count, answer.kvs.len(), answer.more), (expected, 0, false));
    }
}
