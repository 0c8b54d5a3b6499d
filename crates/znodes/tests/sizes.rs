//! What every server must be able to read is not made longer than any of them reads.

mod support;

use std::time::{Duration, Instant};
use support::{Leader, ME, SESSION, create, create_as, delete, entry, ephemeral, id, set, set_acl};
use znodes::{Change, CreateMode, ErrorCode, Id, Kind, Op, Permissions, Settings, Txn};

const LIMIT: usize = 2_097_150;
const TOO_LONG: ErrorCode = ErrorCode::MarshallingError;

fn leader() -> Leader {
    Leader::new(Settings::default())
}

/// Header, record and digest.
fn length(txn: &Txn) -> usize {
    32 + txn.change.weight() + 12
}

fn assert_no_trace(leader: &Leader, nodes: usize) {
    assert_eq!(leader.tree.node_count(), nodes);
    assert_eq!(leader.tree.digest_mismatches(), (0, None), "nothing was expected of what was refused");
}

/// One that takes 900,000 bytes.
fn name(number: usize) -> String {
    format!("/{number}{}", "n".repeat(899_998))
}

#[test]
fn a_session_has_no_more_ephemeral_nodes_than_its_end_can_name() {
    let mut leader = leader();
    leader.ask(ephemeral(&name(1))).unwrap();
    leader.ask(ephemeral(&name(2))).unwrap();
    assert_eq!(leader.ask(ephemeral(&name(3))), Err(TOO_LONG));
    assert_eq!(leader.ask(create_as(&name(3), "", CreateMode::Ephemeral { sequential: true })), Err(TOO_LONG));
    leader.ask(create(&name(3), "")).unwrap();
    // Another session has room of its own, and who lets go of a node has room again.
    leader.begin(0x200);
    leader.ask_as(0x200, &[], ephemeral(&name(4))).unwrap();
    leader.ask(delete(&name(1), -1)).unwrap();
    leader.ask(ephemeral(&name(5))).unwrap();
    let request = leader.request(SESSION, &[], Op::CloseSession);
    let end = leader.prepare(ME, request);
    assert!(matches!(&end.change, Change::CloseSession { paths } if paths.len() == 2));
    assert!(length(&end) <= LIMIT);
    leader.apply(end).unwrap();
    assert_eq!(leader.tree.ephemerals().keys().collect::<Vec<_>>(), [&0x200]);
    assert_no_trace(&leader, 5 + 2);
}

/// Before the first of them is in the tree.
#[test]
fn ephemeral_nodes_on_their_way_count() {
    let mut leader = leader();
    let mut txns = Vec::new();
    for number in 1..=3 {
        let request = leader.request(SESSION, &[], ephemeral(&name(number)));
        txns.push(leader.prepare(ME, request));
    }
    assert_eq!(txns[2].change, Change::Error { code: TOO_LONG.number() });
    // Nor do they come in by a multi, which leaves nothing behind.
    let request = leader.request(SESSION, &[], Op::Multi(vec![create("/a", ""), ephemeral(&name(4))]));
    txns.push(leader.prepare(ME, request));
    for txn in txns {
        let _refused = leader.apply(txn);
    }
    assert_no_trace(&leader, 5 + 2);
}

#[test]
fn many_short_ones_are_bounded_alike() {
    let mut leader = Leader::new(Settings { txn_bytes_max: 2_000, ..Settings::default() });
    let mut made = 0;
    while leader.ask(ephemeral(&format!("/e{made:098}"))).is_ok() {
        made += 1;
    }
    assert_eq!(made, (2_000 - 48) / 104);
    let mut restored = Leader::with(leader.reloaded());
    assert_eq!(restored.ask(ephemeral(&format!("/e{made:098}"))), Err(TOO_LONG), "whoever leads");
}

#[test]
fn auth_is_not_spelled_out_beyond_what_is_read() {
    let ids: Vec<Id> = (0..60).map(|user| id("digest", &format!("user{user}:{}", "x".repeat(200)))).collect();
    let acl = |entries: i32| (0..entries).map(|permissions| entry(Permissions(permissions), "auth", "")).collect::<Vec<_>>();
    let mut leader = leader();
    leader.ask(create("/a", "")).unwrap();
    leader.ask_as(SESSION, &ids, set_acl("/a", acl(31), -1)).unwrap();
    let begun = Instant::now();
    assert_eq!(leader.ask_as(SESSION, &ids, set_acl("/a", acl(49_000), -1)), Err(TOO_LONG));
    assert!(begun.elapsed() < Duration::from_secs(5), "it is not even made");
    assert_no_trace(&leader, 5 + 1);
}

#[test]
fn a_multi_is_prepared_as_far_as_it_can_be_read() {
    let mut leader = leader();
    leader.ask(create("/a", "")).unwrap();
    let data = "d".repeat(300_000);
    let sets = |first: i32, count: i32| Op::Multi((first..first + count).map(|version| set("/a", &data, version)).collect());
    leader.ask(sets(0, 6)).unwrap();
    let before = leader.stat("/a");
    assert_eq!(leader.ask(sets(6, 7)), Err(TOO_LONG));
    assert_eq!(leader.log.last().map(|txn| txn.header.kind), Some(Kind::ERROR));
    assert_eq!(leader.stat("/a"), before);
    leader.ask(sets(6, 6)).unwrap();
    assert_no_trace(&leader, 5 + 1);
}

#[test]
fn what_one_request_may_hold_is_never_refused() {
    let mut leader = leader();
    let data = "d".repeat(1_048_500);
    leader.ask(create("/a", &data)).unwrap();
    leader.ask(set("/a", &data, -1)).unwrap();
    assert!(length(leader.log.last().unwrap()) < LIMIT);
}
