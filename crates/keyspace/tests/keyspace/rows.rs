//! Rows of a data file: a machine is made of those that make sense, and of no others.

use crate::kit::{Machine, all, put};
use bytes::Bytes;
use consensus::StateMachine;
use keyspace::{Builder, Head, Keyspace, MemoryValues, Query, Revision, Values, row};
use proptest::prelude::*;

/// The head of a machine whose newest revision is 6.
fn head() -> Bytes {
    let mut machine = Machine::default();
    (0..5).for_each(|_| drop(machine.put(put("key", "value")).unwrap()));
    machine.keyspace.flush().head
}

#[test]
fn a_machine_is_what_its_rows_say() {
    let mut machine = Machine::default();
    for number in 0..50 {
        machine.put(put(&format!("{:02}", number % 7), "value")).unwrap();
    }
    machine.delete(crate::kit::delete("03", "05"));
    machine.compact(20).unwrap();
    let head = machine.keyspace.flush().head;
    let mut builder = Builder::new(&head).unwrap();
    let mut values = MemoryValues::default();
    for (at, change) in machine.keyspace.values().scan(Revision::default()) {
        let mut mark = Vec::new();
        row::encode_mark(&change, &mut mark);
        builder.mark(at, &mark).unwrap();
        values.put(at, change);
    }
    let mut built = Machine { keyspace: builder.finish(values).unwrap() };
    assert_eq!(built.range(all()), machine.range(all()));
    for revision in 20..=machine.keyspace.revision() {
        let query = Query::HashKv { revision };
        assert_eq!(built.keyspace.read(query.clone()), machine.keyspace.read(query));
    }
    assert!(built.keyspace.sweep(0), "what was not swept up yet is found");
    while machine.keyspace.sweep(10) {}
    while built.keyspace.sweep(10) {}
    assert_eq!(built.keyspace.status(), machine.keyspace.status());
}

#[test]
fn a_head_says_who_is_there_and_ends_where_it_ends() {
    let bytes = head();
    let head = Head::decode(&bytes).unwrap();
    assert_eq!((head.applied.index, head.revision, head.compacted, head.members.len()), (5, 6, -1, 0));
    for length in 0..bytes.len() {
        assert!(Head::decode(&bytes.slice(..length)).is_err(), "of {length} bytes");
    }
    assert!(Head::decode(&[&bytes[..], b"\x05"].concat().into()).is_err());
}

fn mark() -> impl Strategy<Value = (i64, i64, Vec<u8>)> {
    let number = || prop_oneof![4 => 0..8i64, 1 => Just(i64::MAX), 1 => Just(i64::MIN), 1 => Just(-1)];
    let varint = prop_oneof![4 => (0..8u8).prop_map(|byte| vec![byte]), 1 => Just(vec![0xff; 9]), 1 => Just([vec![0xff; 8], vec![0x7f]].concat())];
    let put = (prop::collection::vec(varint, 3), "[ab]?")
        .prop_map(|(numbers, key)| [vec![6], numbers.concat(), key.into_bytes()].concat());
    let deletion = "[ab]?".prop_map(|key| [&[7], key.as_bytes()].concat());
    let any = prop::collection::vec(any::<u8>(), 0..12);
    (number(), number(), prop_oneof![4 => put, 2 => deletion, 1 => any])
}

proptest! {
    #[test]
    fn rows_that_make_no_sense_are_refused_and_never_believed(
        marks in prop::collection::vec(mark(), 0..8),
        leases in prop::collection::vec((any::<i64>(), prop::collection::vec(any::<u8>(), 0..20)), 0..2),
    ) {
        let mut builder = Builder::new(&head()).unwrap();
        for (id, row) in &leases {
            builder.lease(*id, row);
        }
        for (main, sub, mark) in &marks {
            // What is refused stops a member; here the next is tried.
            let _ = builder.mark(Revision::new(*main, *sub), mark);
        }
        let built: Result<Keyspace<MemoryValues>, _> = builder.finish(MemoryValues::default());
        if let Ok(mut built) = built {
            while built.sweep(10) {}
        }
    }

    #[test]
    fn a_row_of_nonsense_is_no_change(bytes in prop::collection::vec(any::<u8>(), 0..60), kind in 6..8u8) {
        let at = Revision::new(5, 0);
        for row in [bytes.clone(), [vec![kind], bytes].concat()] {
            let row = Bytes::from(row);
            if let Some(change) = row::decode_change(at, row.clone()) {
                let mut again = Vec::new();
                row::encode_change(&change, &mut again);
                prop_assert_eq!(Bytes::from(again), row);
            }
        }
    }
}
