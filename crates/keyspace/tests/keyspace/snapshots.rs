//! Snapshots: of one moment, in pieces, and only what is whole is restored.

use crate::kit::{Machine, all, delete, put};
use bytes::Bytes;
use consensus::{Position, Restore, StateMachine};
use keyspace::{
    AlarmAction, AlarmKind, AlarmRequest, Answer, Command, Cursor, Keyspace, LeaseCheckpoint, Member, MemberChange, PutRequest,
    Query, RangeRequest,
};
use proptest::prelude::*;

/// A machine with something of everything.
fn machine() -> Machine {
    let mut machine = Machine::default();
    for id in 1..=3 {
        let urls = vec![format!("http://peer{id}")];
        let member = Member { id, name: "é".into(), peer_urls: urls.clone(), client_urls: urls, is_learner: id == 3 };
        machine.apply(Command::Member(MemberChange::Add(member))).unwrap();
    }
    machine.apply(Command::Member(MemberChange::Remove { id: 2 })).unwrap();
    machine.apply(Command::ClusterVersion("3.5.0".into())).unwrap();
    let alarm = AlarmRequest { action: AlarmAction::Activate, member: 1, alarm: AlarmKind::NoSpace };
    machine.grant(7, 60).unwrap();
    machine.grant(8, 60).unwrap();
    machine.grant(9, 60).unwrap();
    machine.apply(Command::LeaseCheckpoint(vec![LeaseCheckpoint { id: 8, remaining_ttl: 5 }])).unwrap();
    for round in 0..5 {
        for key in 0..20 {
            let lease = if key % 4 == 0 { 7 + round % 2 } else { 0 };
            machine.put(PutRequest { lease, ..put(&format!("{key:02}"), &format!("{round}")) }).unwrap();
        }
        machine.delete(delete("03", "05"));
    }
    machine.compact(60).unwrap();
    machine.apply(Command::Alarm(alarm)).unwrap();
    machine
}

fn snapshot(machine: &mut Machine, budget: usize) -> Vec<Bytes> {
    let mut cursor = machine.keyspace.begin_snapshot();
    let chunks = rest(machine, &mut cursor, budget);
    machine.keyspace.end_snapshot(cursor);
    chunks
}

fn rest(machine: &Machine, cursor: &mut Cursor, budget: usize) -> Vec<Bytes> {
    std::iter::from_fn(|| machine.keyspace.snapshot_chunk(cursor, budget)).collect()
}

fn restore(chunks: &[Bytes]) -> Machine {
    Machine { keyspace: Keyspace::restore(&mut chunks.iter().cloned()).unwrap() }
}

/// All that can be asked of a machine, revision by revision.
fn everything(machine: &Machine) -> Vec<keyspace::Response> {
    let ask = |query| machine.keyspace.read(query);
    let mut answers = vec![ask(Query::Members), ask(Query::Leases)];
    if let Ok(Answer::Leases { ids, .. }) = ask(Query::Leases) {
        answers.extend(ids.into_iter().map(|id| ask(Query::Lease { id, keys: true })));
    }
    for revision in 1..=machine.keyspace.revision() {
        answers.push(ask(Query::Range(RangeRequest { revision, ..all() })));
        answers.push(ask(Query::HashKv { revision }));
    }
    if let Ok(Answer::Status(mut status)) = ask(Query::Status) {
        // What a sweep has left to do is not in a snapshot.
        (status.db_size, status.db_size_in_use) = (0, 0);
        answers.push(Ok(Answer::Status(status)));
    }
    answers
}

#[test]
fn what_is_restored_is_what_was() {
    let mut machine = machine();
    let before = everything(&machine);
    for budget in [0, 1, 100, 1000, usize::MAX] {
        let restored = restore(&snapshot(&mut machine, budget));
        assert_eq!(everything(&restored), before, "in pieces of {budget}");
    }
    while machine.keyspace.sweep(1000) {}
    let mut restored = restore(&snapshot(&mut machine, 1000));
    assert_eq!(everything(&restored), before, "after the sweep");
    assert_eq!(restored.keyspace.status(), machine.keyspace.status());
    // And it goes on alike.
    for command in [
        Command::Put(put("new", "")),
        Command::LeaseRevoke { id: 7 },
        Command::DeleteRange(delete("", "10")),
        Command::Member(MemberChange::Promote { id: 3 }),
    ] {
        assert_eq!(restored.apply(command.clone()), machine.apply(command));
    }
    assert_eq!(everything(&restored), everything(&machine));
}

#[test]
fn the_empty_machine_can_be_restored() {
    let mut machine = Machine::default();
    let restored = restore(&snapshot(&mut machine, 100));
    assert_eq!(everything(&restored), everything(&machine));
}

#[test]
fn pieces_are_about_as_large_as_asked_for() {
    let mut machine = machine();
    let chunks = snapshot(&mut machine, 500);
    assert!(chunks.len() > 5);
    assert!(chunks.iter().all(|chunk| !chunk.is_empty() && chunk.len() < 1000));
}

#[test]
fn the_borders_of_the_pieces_mean_nothing() {
    let mut machine = machine();
    let whole: Vec<u8> = snapshot(&mut machine, 500).concat();
    let before = everything(&machine);
    for size in [1, 2, 3, 7, 64, 1000, usize::MAX] {
        let mut chunks: Vec<_> = whole.chunks(size.min(whole.len())).map(Bytes::copy_from_slice).collect();
        chunks.insert(chunks.len() / 2, Bytes::new());
        chunks.push(Bytes::new());
        assert_eq!(everything(&restore(&chunks)), before, "pieces of {size}");
    }
}

#[test]
fn a_snapshot_is_of_the_moment_when_it_began() {
    let mut machine = machine();
    machine
        .apply(Command::Alarm(AlarmRequest { action: AlarmAction::Deactivate, member: 1, alarm: AlarmKind::NoSpace }))
        .unwrap();
    let before = everything(&machine);
    let mut cursor = machine.keyspace.begin_snapshot();
    let mut chunks = Vec::new();
    let mut step = 0;
    while let Some(chunk) = machine.keyspace.snapshot_chunk(&mut cursor, 200) {
        chunks.push(chunk);
        step += 1;
        machine.put(put(&format!("{:02}", step % 20), "later")).unwrap();
        machine.delete(delete("1", "2"));
        machine.grant(100 + step, 60).unwrap();
        machine.apply(Command::LeaseRevoke { id: 7 + step }).ok();
        machine.apply(Command::LeaseCheckpoint(vec![LeaseCheckpoint { id: 7, remaining_ttl: step }])).unwrap();
        machine.apply(Command::Member(MemberChange::Remove { id: 3 })).ok();
        machine.apply(Command::ClusterVersion(format!("3.5.{step}"))).unwrap();
        machine.compact(machine.keyspace.revision()).unwrap();
        machine.keyspace.sweep(1000);
    }
    machine.keyspace.end_snapshot(cursor);
    assert!(step > 10);
    assert_eq!(everything(&restore(&chunks)), before);
    // Nothing holds the sweep back any more.
    while machine.keyspace.sweep(1000) {}
    let swept = restore(&snapshot(&mut machine, 1000));
    assert_eq!(swept.keyspace.status(), machine.keyspace.status());
}

#[test]
fn an_entry_without_a_command_is_applied_too() {
    let mut machine = Machine::default();
    machine.keyspace.skip(Position::new(4, 9));
    assert_eq!(restore(&snapshot(&mut machine, 100)).keyspace.applied(), Position::new(4, 9));
}

#[test]
fn a_part_is_not_taken_for_the_whole() {
    let mut machine = machine();
    let whole = Bytes::from(snapshot(&mut machine, 500).concat());
    for length in 0..whole.len() {
        let refused = Keyspace::<keyspace::MemoryValues>::restore(&mut [whole.slice(..length)].into_iter()).unwrap_err();
        assert_eq!(refused.expected, "more bytes", "of {length} bytes");
    }
    let more = [whole, Bytes::from_static(b"x")];
    let refused = Keyspace::<keyspace::MemoryValues>::restore(&mut more.into_iter()).unwrap_err();
    assert_eq!(refused.expected, "nothing more");
}

#[test]
fn a_changed_byte_is_found() {
    let mut machine = machine();
    let whole: Vec<u8> = snapshot(&mut machine, 500).concat();
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1 << (at % 8);
        let refused = Keyspace::<keyspace::MemoryValues>::restore(&mut [Bytes::from(changed)].into_iter());
        assert!(refused.is_err(), "byte {at} of {}", whole.len());
    }
}

#[test]
fn the_layout_stays_what_it_is() {
    // A snapshot on disk outlives the version that wrote it: who changes this changes the version number.
    let mut machine = Machine::default();
    machine.grant(7, 60).unwrap();
    machine.put(PutRequest { lease: 7, ..put("k", "v") }).unwrap();
    machine.delete(delete("k", ""));
    let whole = snapshot(&mut machine, 1000).concat();
    let hex: String = whole.iter().map(|byte| format!("{byte:02x}")).collect();
    let frames = [
        "51756f72617465206b65797370616365", // magic
        "01000000",                         // version
        "012a000000",                       // header
        "000000000000000003000000000000000300000000000000",
        "ffffffffffffffff00000000000000000000",
        "0518000000", // lease
        "07000000000000003c000000000000000000000000000000",
        "0632000000", // put
        "0200000000000000000000000000000002000000000000000100000000000000",
        "0700000000000000010000006b0100000076",
        "0715000000", // deletion
        "03000000000000000000000000000000010000006b",
        "0904000000", // end
    ];
    assert_eq!(hex[..hex.len() - 8], frames.concat());
}

#[test]
fn something_else_is_named() {
    let foreign = Bytes::from_static(b"this is no snapshot of ours, but long enough");
    let refused = Keyspace::<keyspace::MemoryValues>::restore(&mut [foreign].into_iter()).unwrap_err();
    assert_eq!(refused.to_string(), "snapshot, byte 0: expected a snapshot of a Quorate keyspace");
}

/// Frames with the right look: what a checksum cannot find, because whoever made them made it, too.
fn forged() -> impl Strategy<Value = Vec<u8>> {
    let number = prop_oneof![Just(0i64), Just(1), Just(2), Just(3), Just(-1), Just(i64::MAX), Just(i64::MIN), any::<i64>()];
    let field = prop_oneof![
        4 => number.prop_map(|number| number.to_le_bytes().to_vec()),
        2 => prop_oneof![Just("a"), Just("b"), Just("")].prop_map(|text| {
            let mut bytes = (text.len() as u32).to_le_bytes().to_vec();
            bytes.extend(text.as_bytes());
            bytes
        }),
        1 => Just(u32::MAX.to_le_bytes().to_vec()),
        1 => Just(vec![0]),
    ];
    let frame = (1u8..11, prop::collection::vec(field, 0..8)).prop_map(|(kind, fields)| (kind, fields.concat()));
    prop::collection::vec(frame, 0..8).prop_map(|frames| {
        let mut header = Vec::new();
        for number in [1i64, 1, 5, 2] {
            header.extend(number.to_le_bytes());
        }
        header.extend([0; 10]);
        let mut out = b"Quorate keyspace\x01\0\0\0".to_vec();
        for (kind, payload) in std::iter::once((1, header)).chain(frames) {
            out.push(kind);
            out.extend((payload.len() as u32).to_le_bytes());
            out.extend(payload);
        }
        out
    })
}

proptest! {
    #[test]
    fn garbage_is_refused_and_never_believed(garbage in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut led = b"Quorate keyspace\x01\0\0\0".to_vec();
        led.extend(&garbage);
        for bytes in [garbage, led] {
            prop_assert!(Keyspace::<keyspace::MemoryValues>::restore(&mut [Bytes::from(bytes)].into_iter()).is_err());
        }
    }

    #[test]
    fn forgeries_are_refused(forged in forged()) {
        prop_assert!(Keyspace::<keyspace::MemoryValues>::restore(&mut [Bytes::from(forged)].into_iter()).is_err());
    }
}
