//! Random histories against a model that is too simple to be wrong.

mod support;

#[path = "support/model.rs"]
mod model;

use consensus::StateMachine;
use model::Model;
use proptest::prelude::*;
use support::{Leader, ME, entry};
use znodes::{Acl, CreateMode, Op, Permissions, Settings, Tree};

/// One request of one of three sessions.
#[derive(Clone, Debug)]
struct Ask {
    session: i64,
    op: Op,
}

const PATHS: [&str; 8] = ["/a", "/b", "/a/x", "/a/y", "/a/x/z", "/a/x0000000001", "/b/n", "/"];

fn path() -> impl Strategy<Value = String> {
    prop::sample::select(&PATHS[..]).prop_map(String::from)
}

/// Nothing but the root's own name would be wrong here: what paths may look like is tested elsewhere.
fn below_the_root() -> impl Strategy<Value = String> {
    prop::sample::select(&PATHS[..7]).prop_map(String::from)
}

/// Usually everybody may do everything.
fn acl() -> impl Strategy<Value = Vec<Acl>> {
    prop_oneof![12 => Just(31), 1 => 0..32].prop_map(|allowed| vec![entry(Permissions(allowed), "world", "anyone")])
}

fn mode() -> impl Strategy<Value = (CreateMode, i32)> {
    prop_oneof![
        4 => any::<bool>().prop_map(|with_stat| (CreateMode::Persistent { sequential: false }, if with_stat { 15 } else { 1 })),
        2 => Just((CreateMode::Persistent { sequential: true }, 1)),
        2 => any::<bool>().prop_map(|sequential| (CreateMode::Ephemeral { sequential }, 1)),
        1 => Just((CreateMode::Container, 19)),
    ]
}

fn data() -> impl Strategy<Value = Option<bytes::Bytes>> {
    "[a-z]{0,6}".prop_map(|text| Some(text.into()))
}

fn version() -> impl Strategy<Value = i32> {
    prop_oneof![3 => Just(-1), 2 => 0..3]
}

fn write() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (below_the_root(), data(), acl(), mode()).prop_map(|(path, data, acl, (mode, op))| Op::Create { path, data, acl, mode, op }),
        4 => (below_the_root(), version()).prop_map(|(path, version)| Op::Delete { path, version }),
        3 => (path(), data(), version()).prop_map(|(path, data, version)| Op::SetData { path, data, version }),
    ]
}

fn multi() -> impl Strategy<Value = Op> {
    let check = (path(), version()).prop_map(|(path, version)| Op::Check { path, version });
    prop::collection::vec(prop_oneof![6 => write(), 1 => check], 0..5).prop_map(Op::Multi)
}

fn ask() -> impl Strategy<Value = Ask> {
    let op = prop_oneof![
        12 => write(),
        3 => multi(),
        1 => (path(), acl(), version()).prop_map(|(path, acl, version)| Op::SetAcl { path, acl, version }),
        1 => Just(Op::CloseSession),
        2 => Just(Op::CreateSession { timeout: 5_000 }),
    ];
    (1..4_i64, op).prop_map(|(session, op)| Ask { session, op })
}

/// Three sessions, then whatever comes.
fn history() -> impl Strategy<Value = Vec<Ask>> {
    prop::collection::vec(ask(), 1..60).prop_map(|asks| {
        let begin = (1..4).map(|session| Ask { session, op: Op::CreateSession { timeout: 5_000 } });
        // A session that ended does not begin again under its number.
        let mut ended = std::collections::BTreeSet::new();
        begin
            .chain(asks)
            .filter(|ask| match ask.op {
                Op::CreateSession { .. } => !ended.contains(&ask.session),
                Op::CloseSession => {
                    ended.insert(ask.session);
                    true
                }
                _ => true,
            })
            .collect()
    })
}

fn leader() -> Leader {
    Leader::with(Tree::new(Settings { hash_seed: 3, ..Settings::default() }))
}

fn sorted(tree: &Tree) -> Vec<String> {
    let mut paths = tree.paths("/");
    paths.sort();
    paths
}

fn assert_same(tree: &Tree, other: &Tree) {
    assert_eq!(sorted(tree), sorted(other));
    for path in tree.paths("/") {
        assert_eq!(tree.stat(&path), other.stat(&path), "{path}");
    }
    assert_eq!(tree.digest(), other.digest());
    assert_eq!(tree.sessions(), other.sessions());
    assert_eq!(tree.ephemerals(), other.ephemerals());
    assert_eq!(tree.approximate_data_size(), other.approximate_data_size());
    assert_eq!((tree.container_count(), tree.acl_count()), (other.container_count(), other.acl_count()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_tree_does_what_the_model_does(history in history()) {
        let (mut leader, mut model) = (leader(), Model::new());
        for ask in history {
            leader.wait(1);
            let (zxid, time) = (leader.next.zxid() as i64, leader.wall.0.as_millis() as i64);
            let answer = leader.ask_as(ask.session, &[], ask.op.clone());
            prop_assert_eq!(&answer, &model.ask(zxid, time, ask.session, &ask.op), "{:?}", ask);
            prop_assert_eq!(sorted(&leader.tree), model.paths());
            for path in model.paths().iter().filter(|path| !path.starts_with("/zookeeper")) {
                prop_assert_eq!(leader.tree.stat(path), model.stat(path), "{}", path);
            }
            prop_assert_eq!(leader.tree.digest(), model.digest());
            prop_assert_eq!(leader.tree.sessions().keys().copied().collect::<Vec<_>>(), model.sessions());
        }
        prop_assert_eq!(leader.tree.digest_mismatches(), (0, None));
        let reloaded = leader.reloaded();
        assert_same(&reloaded, &leader.tree);
    }

    #[test]
    fn what_is_prepared_ahead_is_what_would_be_prepared_in_turn(history in history(), batches in prop::collection::vec(1..12_usize, 64)) {
        let (mut turn, mut ahead) = (leader(), leader());
        for ask in &history {
            let _outcome = turn.ask_as(ask.session, &[], ask.op.clone());
        }
        let mut rest = &history[..];
        for batch in batches {
            let (now, later) = rest.split_at(batch.min(rest.len()));
            rest = later;
            let prepared: Vec<_> = now
                .iter()
                .map(|ask| {
                    let request = ahead.request(ask.session, &[], ask.op.clone());
                    ahead.prepare(ME, request)
                })
                .collect();
            for txn in prepared {
                let _outcome = ahead.apply(txn);
            }
        }
        prop_assert_eq!(&turn.log, &ahead.log);
        prop_assert_eq!(turn.events, ahead.events);
        assert_same(&turn.tree, &ahead.tree);
    }

    #[test]
    fn a_fuzzy_snapshot_and_what_came_after_it_make_the_tree(
        history in history(),
        begin in 0..30_usize,
        budget in 1..300_usize,
        between in prop::collection::vec(0..4_usize, 60),
    ) {
        let mut leader = leader();
        let mut history = history.into_iter();
        let mut step = |leader: &mut Leader, count: usize| {
            for ask in history.by_ref().take(count) {
                let _outcome = leader.ask_as(ask.session, &[], ask.op);
            }
        };
        step(&mut leader, begin);
        let begun = leader.tree.applied();
        let mut cursor = leader.tree.begin_snapshot();
        let mut between = between.into_iter().cycle();
        let mut chunks = Vec::new();
        while let Some(chunk) = leader.tree.snapshot_chunk(&mut cursor, budget) {
            chunks.push(chunk);
            step(&mut leader, between.next().unwrap());
        }
        leader.tree.end_snapshot(cursor);
        step(&mut leader, 60);
        let mut restored = Tree::restore_with(leader.tree.settings().clone(), &mut chunks.into_iter()).unwrap();
        prop_assert_eq!(restored.applied(), begun);
        for txn in leader.log.iter().filter(|txn| txn.header.position > begun) {
            let _outcome = restored.apply(txn.header.position, txn.clone(), &mut Vec::new());
        }
        prop_assert_eq!(restored.digest_mismatches(), (0, None));
        assert_same(&restored, &leader.tree);
    }

    #[test]
    fn a_fuzzy_snapshot_of_javas_comes_out_right_too(history in history(), begin in 0..30_usize) {
        // Java may write nodes that were created, and lists that were set, after the snapshot was begun: as if everything had been
        // written at its end.
        let mut leader = leader();
        for ask in &history {
            let _outcome = leader.ask_as(ask.session, &[], ask.op.clone());
        }
        let begun = leader.log.get(begin).map_or(leader.tree.applied(), |txn| txn.header.position);
        let mut whole = support::snapshot(&mut leader.tree, 1_000).concat();
        whole[..8].copy_from_slice(&begun.zxid().to_be_bytes());
        let mut restored = Tree::restore_with(leader.tree.settings().clone(), &mut [whole.into()].into_iter()).unwrap();
        for txn in leader.log.iter().filter(|txn| txn.header.position > begun) {
            let _outcome = restored.apply(txn.header.position, txn.clone(), &mut Vec::new());
        }
        prop_assert_eq!(restored.digest_mismatches(), (0, None));
        assert_same(&restored, &leader.tree);
    }
}
