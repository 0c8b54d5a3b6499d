//! Snapshots that are made while the tree changes, and snapshots that are damaged.

mod support;

use bytes::{BufMut, Bytes, BytesMut};
use consensus::{Position, StateMachine};
use support::{Leader, SESSION, create, create_as, delete, entry, ephemeral, open, sequential, set, set_acl, snapshot};
use znodes::{CreateMode, ErrorCode, Op, Permissions, ReadOp, Settings, Tree, Txn};

fn restore(chunks: Vec<Bytes>) -> Result<Tree, consensus::RestoreError> {
    Tree::restore_with(Settings { extended_types: true, ..Settings::default() }, &mut chunks.into_iter())
}

fn leader() -> Leader {
    Leader::new(Settings { extended_types: true, ..Settings::default() })
}

/// A tree with something of everything.
fn grown() -> Leader {
    let mut leader = leader();
    leader.begin(7);
    for path in ["/a", "/a/b", "/a/b/c", "/d"] {
        leader.ask(create(path, path)).unwrap();
    }
    leader.ask(ephemeral("/e")).unwrap();
    leader.ask_as(7, &[], ephemeral("/a/e")).unwrap();
    leader.ask(create_as("/c", "", CreateMode::Container)).unwrap();
    leader.ask(create_as("/t", "", CreateMode::Ttl { ttl: 5, sequential: false })).unwrap();
    leader.ask(sequential("/a/s")).unwrap();
    leader.ask(set("/d", "again", -1)).unwrap();
    leader.ask(set_acl("/d", vec![entry(Permissions::READ, "world", "anyone")], -1)).unwrap();
    leader.ask(delete("/a/b/c", -1)).unwrap();
    leader
}

fn assert_same(one: &Tree, other: &Tree) {
    assert_eq!(one.digest(), other.digest());
    assert_eq!(one.applied(), other.applied());
    assert_eq!(one.sessions(), other.sessions());
    assert_eq!(one.ephemerals(), other.ephemerals());
    assert_eq!(one.approximate_data_size(), other.approximate_data_size());
    assert_eq!((one.container_count(), one.ttl_count()), (other.container_count(), other.ttl_count()));
    let sorted = |tree: &Tree| {
        let mut paths = tree.paths("/");
        paths.sort();
        paths
    };
    assert_eq!(sorted(one), sorted(other));
    for path in one.paths("/") {
        assert_eq!(one.stat(&path), other.stat(&path), "{path}");
        let ids = vec![support::id("super", "")];
        for op in [ReadOp::GetData { path: path.clone() }, ReadOp::GetAcl { path: path.clone() }] {
            let query = znodes::Query { session: 0, ids: ids.clone(), op };
            assert_eq!(one.read(query.clone()), other.read(query), "{path}");
        }
    }
}

#[test]
fn a_snapshot_holds_the_whole_tree_whatever_its_pieces() {
    let mut leader = grown();
    for budget in [1, 7, 100, 1 << 20] {
        let chunks = snapshot(&mut leader.tree, budget);
        assert_same(&restore(chunks).unwrap(), &leader.tree);
    }
    // Borders between pieces mean nothing.
    let whole: Vec<u8> = snapshot(&mut leader.tree, 100).concat();
    let pieces = whole.chunks(3).map(Bytes::copy_from_slice).collect();
    assert_same(&restore(pieces).unwrap(), &leader.tree);
    assert_eq!(restore(vec![whole.into()]).unwrap().digest_mismatches(), (0, None));
}

/// Applies again what was applied after a snapshot was begun.
fn replay(tree: &mut Tree, log: &[Txn]) {
    let from = tree.applied();
    for txn in log.iter().filter(|txn| txn.header.position > from) {
        let _outcome = tree.apply(txn.header.position, txn.clone(), &mut Vec::new());
    }
}

#[test]
fn a_snapshot_that_was_overtaken_comes_out_right() {
    // What is done to the tree at each step of the walk; every kind of change, before and behind it.
    let changes: Vec<Vec<Op>> = vec![
        vec![delete("/e", -1), create("/e", "not ephemeral any more")],
        vec![set_acl("/d", open(), -1), set("/d", "x", -1)],
        vec![set_acl("/d", vec![entry(Permissions::ALL, "ip", "10.0.0.1")], -1)],
        vec![create("/a/b/new", ""), create("/a/b/new/below", "")],
        vec![Op::Multi(vec![create("/m", ""), delete("/m", -1), create("/m", "2")])],
        vec![delete("/a/s0000000002", -1), sequential("/a/s")],
        vec![Op::CloseSession],
    ];
    for budget in [1, 60, 200, 400] {
        for offset in 0..changes.len() {
            let mut leader = grown();
            let mut cursor = leader.tree.begin_snapshot();
            let begun = leader.tree.applied();
            let mut chunks = Vec::new();
            let mut coming = changes.iter().cycle().skip(offset).take(changes.len());
            let super_user = [support::id("super", "")];
            while let Some(chunk) = leader.tree.snapshot_chunk(&mut cursor, budget) {
                chunks.push(chunk);
                for op in coming.next().into_iter().flatten() {
                    let session = if matches!(op, Op::CloseSession) { 7 } else { SESSION };
                    let _outcome = leader.ask_as(session, &super_user, op.clone());
                }
            }
            leader.tree.end_snapshot(cursor);
            let mut restored = restore(chunks).unwrap();
            assert_eq!(restored.applied(), begun);
            replay(&mut restored, &leader.log);
            assert_same(&restored, &leader.tree);
            assert_eq!(restored.digest_mismatches(), (0, None), "budget {budget}, offset {offset}");
        }
    }
}

#[test]
fn two_snapshots_may_be_under_way() {
    let mut leader = grown();
    let mut one = leader.tree.begin_snapshot();
    let mut first = vec![leader.tree.snapshot_chunk(&mut one, 1).unwrap()];
    leader.ask(set_acl("/a", vec![entry(Permissions::ALL, "ip", "10.0.0.1")], -1)).unwrap();
    let mut two = leader.tree.begin_snapshot();
    leader.ask_as(SESSION, &[support::id("super", "")], set_acl("/a", open(), -1)).unwrap();
    leader.ask(delete("/e", -1)).unwrap();
    first.extend(core::iter::from_fn(|| leader.tree.snapshot_chunk(&mut one, 50)));
    leader.tree.end_snapshot(one);
    let second = core::iter::from_fn(|| leader.tree.snapshot_chunk(&mut two, 50)).collect();
    leader.tree.end_snapshot(two);
    for chunks in [first, second] {
        let mut restored = restore(chunks).unwrap();
        replay(&mut restored, &leader.log);
        assert_same(&restored, &leader.tree);
    }
}

#[test]
fn applying_the_whole_log_again_changes_nothing() {
    let mut leader = grown();
    let chunks = snapshot(&mut leader.tree, 1_000);
    // As if the snapshot had been begun before everything, as Java's fuzzy snapshots are.
    let mut whole = chunks.concat();
    whole[..8].copy_from_slice(&0_u64.to_be_bytes());
    let mut restored = restore(vec![whole.into()]).unwrap();
    assert_eq!(restored.applied(), Position::ZERO);
    replay(&mut restored, &leader.log);
    assert_same(&restored, &leader.tree);
    assert_eq!(restored.digest_mismatches(), (0, None));
}

#[test]
fn a_snapshot_without_a_digest_is_read_too() {
    let mut leader = grown();
    let whole = snapshot(&mut leader.tree, 1_000).concat();
    let body = Bytes::from(whole).slice(..).split_off(0);
    let body = body.slice(..body.len() - 20);
    assert_same(&restore(vec![body]).unwrap(), &leader.tree);
    let mut plain = Leader::new(Settings { digest: false, ..Settings::default() });
    plain.ask(create("/a", "")).unwrap();
    assert_eq!((plain.tree.digest(), plain.tree.tree_digest()), (0, None));
    assert!(plain.log.iter().all(|txn| txn.digest.is_none()));
    let chunks = snapshot(&mut plain.tree, 1_000);
    let restored = restore(chunks).unwrap();
    assert_eq!(restored.stat("/a"), plain.tree.stat("/a"));
}

/// As it is on the wire: until all that comes with it is applied, nobody can tell what its digest should be.
#[test]
fn a_fuzzy_snapshot_without_a_digest_is_no_alarm_once_it_has_settled() {
    let mut leader = grown();
    let mut cursor = leader.tree.begin_snapshot();
    let mut chunks = Vec::new();
    while let Some(chunk) = leader.tree.snapshot_chunk(&mut cursor, 60) {
        chunks.push(chunk);
        leader.ask(set("/a", "once more", -1)).unwrap();
        leader.ask(set("/a/s0000000002", "once more", -1)).unwrap();
    }
    leader.tree.end_snapshot(cursor);
    let whole = Bytes::from(chunks.concat());
    let mut restored = restore(vec![whole.slice(..whole.len() - 20)]).unwrap();
    replay(&mut restored, &leader.log);
    assert_ne!(restored.digest_mismatches().0, 0, "on the way it was the tree of no one moment");
    restored.settle();
    assert_same(&restored, &leader.tree);
    assert_eq!((restored.digest_mismatches(), restored.digest_log().count()), ((0, None), 0));
    leader.ask(set("/a/s0000000002", "and again", -1)).unwrap();
    replay(&mut restored, &leader.log);
    assert_eq!(restored.digest_mismatches(), (0, None));
}

#[test]
fn a_fresh_trees_snapshot_is_javas() {
    let mut tree = Tree::new(Settings::default());
    let whole = snapshot(&mut tree, 1_000).concat();
    // Beside this Java's snapshot.0 has 16 bytes of header and 47 of seals and of the last zxid.
    assert_eq!(whole.len() - 8, 478 - 16 - 47);
    assert_eq!(whole[whole.len() - 20..], [&[0; 8][..], &[0, 0, 0, 2], &[0; 8]].concat());
    let restored = restore(vec![whole.into()]).unwrap();
    assert_eq!((restored.digest(), restored.digest_mismatches()), (1_371_985_504, (0, None)));
}

#[test]
fn a_wrong_digest_is_counted() {
    let mut leader = grown();
    let mut whole = snapshot(&mut leader.tree, 1_000).concat();
    *whole.last_mut().unwrap() ^= 1;
    let restored = restore(vec![whole.into()]).unwrap();
    assert_eq!(restored.digest_mismatches(), (1, Some(leader.tree.applied())));
}

#[test]
fn a_snapshot_that_ends_early_is_refused_where_it_ends() {
    let mut leader = grown();
    let whole = Bytes::from(snapshot(&mut leader.tree, 1_000).concat());
    for len in (0..whole.len()).filter(|&len| len != whole.len() - 20) {
        let error = restore(vec![whole.slice(..len)]).unwrap_err();
        assert!(error.offset <= len as u64, "{error}");
    }
    let longer = [&whole[..], b"x"].concat();
    assert_eq!(restore(vec![longer.into()]).unwrap_err().offset, whole.len() as u64);
}

#[test]
fn damage_never_panics() {
    let mut leader = grown();
    let whole = snapshot(&mut leader.tree, 1_000).concat();
    for at in 0..whole.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut damaged = whole.clone();
            damaged[at] ^= flip;
            if let Ok(mut tree) = restore(vec![damaged.into()]) {
                // Numbers may be wrong, and that shows in the digest: but the tree holds together.
                let again = snapshot(&mut tree, 1_000);
                assert!(restore(again).is_ok());
            }
        }
    }
}

#[test]
fn a_count_that_was_forged_costs_nothing() {
    for count in [i32::MAX, -2] {
        let mut forged = BytesMut::new();
        forged.put_i64(5);
        forged.put_i32(0);
        forged.put_i32(0);
        forged.put_i32(0);
        forged.put_i32(count);
        assert!(restore(vec![forged.freeze()]).is_err());
        let mut forged = BytesMut::new();
        forged.put_i64(5);
        forged.put_i32(count);
        assert!(restore(vec![forged.freeze()]).is_err());
    }
}

fn string(out: &mut BytesMut, text: &str) {
    out.put_i32(text.len() as i32);
    out.put_slice(text.as_bytes());
}

#[test]
fn a_list_that_a_fuzzy_snapshot_lacks_allows_nothing_until_it_is_set_again() {
    let mut body = BytesMut::new();
    body.put_i64(Position::new(1, 1).zxid() as i64);
    body.put_i32(0);
    body.put_i32(0);
    for (path, acl) in [("", -1), ("/a", 3)] {
        string(&mut body, path);
        body.put_i32(0);
        body.put_i64(acl);
        body.put_slice(&[0; 60]);
    }
    string(&mut body, "/");
    let mut leader = Leader::with(restore(vec![body.freeze()]).unwrap());
    assert_eq!(leader.read(ReadOp::GetData { path: "/a".into() }), Err(ErrorCode::NoAuth));
    leader.begin(SESSION);
    leader.ask_as(SESSION, &[support::id("super", "")], set_acl("/a", open(), -1)).unwrap();
    assert!(leader.read(ReadOp::GetData { path: "/a".into() }).is_ok());
    assert_same(&leader.reloaded(), &leader.tree);
}

#[test]
fn transactions_before_3_3_do_not_name_the_parents_cversion() {
    let mut leader = leader();
    let request = leader.request(SESSION, &[], create("/a", ""));
    let mut txn = leader.prepare(support::ME, request);
    if let znodes::Change::Create { parent_cversion, .. } = &mut txn.change {
        *parent_cversion = -1;
    }
    leader.apply(txn).unwrap();
    assert_eq!(leader.tree.digest_mismatches(), (0, None));
}

#[test]
fn ephemerals_that_nobody_owns_end_when_somebody_leads() {
    let mut leader = grown();
    let mut whole = snapshot(&mut leader.tree, 1_000).concat();
    // The second session of two becomes another one.
    assert_eq!(whole[8..12], 2_i32.to_be_bytes());
    whole[24..32].copy_from_slice(&9_i64.to_be_bytes());
    let mut leader = Leader::with(restore(vec![whole.into()]).unwrap());
    leader.wait(3_000);
    assert_eq!(leader.time().len(), 1);
    assert_eq!(leader.tree.ephemerals().keys().collect::<Vec<_>>(), [&7]);
}
