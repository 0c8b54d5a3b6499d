//! A folder goes from Java ZooKeeper to Quorate and back.

mod java_server;

use bytes::Bytes;
use consensus::{Append, Entry, EntryKind, NodeId, Persist, Position, Promise, StateMachine, Ticket, Wall};
use java_server::Java;
use std::path::Path;
use std::time::Duration;
use storage::RealDisk;
use storage::zookeeper::{self, DurableSnapshot, Options, Store};
use znodes::{Acl, CreateMode, Id, Op, Permissions, Request, Settings, Tree};

fn settings() -> Settings {
    Settings { extended_types: true, ..Settings::default() }
}

fn open(data: &Path) -> Store<RealDisk> {
    let disk = RealDisk::new(data);
    let empty = || {
        let mut tree = Tree::new(settings());
        let mut cursor = tree.begin_snapshot();
        std::iter::from_fn(|| tree.snapshot_chunk(&mut cursor, 1 << 16)).collect()
    };
    zookeeper::open(disk.clone(), disk, Options::default(), empty).unwrap()
}

fn restore(snapshot: &DurableSnapshot<RealDisk>) -> Tree {
    let mut reader = snapshot.read().unwrap();
    Tree::restore_with(settings(), &mut std::iter::from_fn(|| reader.next_chunk().unwrap())).unwrap()
}

/// The tree that a folder holds. Each transaction says what the tree's digest is after it; every one of them is right.
fn tree(store: &Store<RealDisk>) -> Tree {
    let mut tree = restore(store.newest.as_ref().unwrap());
    let reader = store.log.reader();
    loop {
        let from = tree.applied();
        let entries = reader.read(from.zxid(), u64::MAX, 10_000).unwrap();
        for entry in entries.iter().filter(|entry| entry.position > from) {
            apply(&mut tree, entry);
        }
        if tree.applied() == from {
            assert_eq!(tree.applied(), store.recovered.last);
            assert_eq!(tree.digest_mismatches(), (0, None));
            return tree;
        }
    }
}

fn apply(tree: &mut Tree, entry: &Entry) {
    let txn = ::zookeeper::txn::decode(&entry.data).unwrap();
    assert_eq!(::zookeeper::txn::encode(&txn), entry.data, "nothing is lost by reading");
    let _answer = tree.apply(entry.position, txn, &mut Vec::new());
}

/// All paths of a tree, as `ls -R /` prints them, without those that servers keep for themselves.
fn paths(listing: &str) -> Vec<String> {
    let lines = listing.lines().filter(|line| line.starts_with('/') && !line.starts_with("/zookeeper"));
    let mut paths: Vec<String> = lines.map(str::to_owned).collect();
    paths.sort();
    paths
}

fn exists(tree: &Tree, path: &str) -> bool {
    tree.stat(path).is_some()
}

/// A leader of its own: prepares, logs, applies.
struct Writer {
    store: Store<RealDisk>,
    tree: Tree,
    ticket: u64,
}

impl Writer {
    fn write(&mut self, epoch: u64, requests: Vec<Request>) {
        let after = self.store.log.last();
        let mut position = after;
        let mut entries = Vec::new();
        let promise = Promise { epoch, current: epoch, ..Promise::default() };
        for request in requests {
            position = if position.epoch == epoch { Position::new(epoch, position.index + 1) } else { Position::new(epoch, 1) };
            let wall = Wall(Duration::from_millis(1_700_000_000_000 + position.index));
            let txn = self.tree.prepare(position, wall, NodeId(1), request);
            let data: Bytes = ::zookeeper::txn::encode(&txn);
            let entry = Entry { position, kind: EntryKind::Command, data };
            apply(&mut self.tree, &entry);
            entries.push(entry);
        }
        self.ticket += 1;
        let append = Some(Append { after, entries });
        self.store.log.write(&[Persist { ticket: Ticket(self.ticket), promise: Some(promise), append }]).unwrap();
        self.store.log.sync().unwrap();
    }

    fn snapshot(&mut self) {
        let mut writer = self.store.snapshots.take(self.tree.applied()).unwrap();
        let mut cursor = self.tree.begin_snapshot();
        while let Some(chunk) = self.tree.snapshot_chunk(&mut cursor, 1_000) {
            writer.write(&chunk).unwrap();
        }
        self.tree.end_snapshot(cursor);
        let durable = writer.finish().unwrap().publish().unwrap();
        self.store.log.cut(&durable).unwrap();
    }
}

fn create(session: i64, cxid: i32, path: &str, data: &str, mode: CreateMode) -> Request {
    let data = Some(Bytes::copy_from_slice(data.as_bytes()));
    let op = Op::Create { path: path.to_owned(), data, acl: vec![open_acl()], mode, op: 1 };
    Request { session, cxid, ids: Vec::new(), op }
}

fn open_acl() -> Acl {
    Acl { permissions: Permissions::ALL, id: Id { scheme: "world".into(), id: "anyone".into() } }
}

const KEPT: CreateMode = CreateMode::Persistent { sequential: false };

/// Some of everything.
fn requests(session: i64, from: i32) -> Vec<Request> {
    let request = |cxid, op| Request { session, cxid, ids: Vec::new(), op };
    let root = format!("/app{from}");
    let mut all = vec![request(0, Op::CreateSession { timeout: 30_000 }), create(session, 1, &root, "top", KEPT)];
    for number in 0..40 {
        all.push(create(session, 2, &format!("{root}/n{number}"), &"x".repeat(number * 7), KEPT));
        all.push(create(session, 3, &format!("{root}/s-"), "", CreateMode::Persistent { sequential: true }));
    }
    all.push(create(session, 4, &format!("{root}/here"), "", CreateMode::Ephemeral { sequential: false }));
    all.push(create(session, 5, &format!("{root}/missing/child"), "", KEPT));
    all.push(request(6, Op::Delete { path: format!("{root}/n3"), version: -1 }));
    all.push(request(7, Op::SetData { path: format!("{root}/n4"), data: Some("changed".into()), version: 0 }));
    let reader = Acl { permissions: Permissions::READ, ..open_acl() };
    all.push(request(8, Op::SetAcl { path: format!("{root}/n5"), acl: vec![reader], version: -1 }));
    let both = [Op::Check { path: root.clone(), version: 0 }, Op::Delete { path: format!("{root}/n6"), version: 0 }];
    all.push(request(9, Op::Multi(both.to_vec())));
    let neither = [Op::Delete { path: format!("{root}/n7"), version: 0 }, Op::Check { path: root, version: 77 }];
    all.push(request(10, Op::Multi(neither.to_vec())));
    all
}

#[test]
fn java_goes_on_with_what_was_written_here_and_this_with_what_java_wrote() {
    for version in ["zookeeper-3.9.3", "zookeeper-3.8.0"] {
        let Some(java) = Java::find(version) else { return };
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let store = open(&data);
        let mut writer = Writer { tree: restore(store.newest.as_ref().unwrap()), store, ticket: 0 };
        writer.write(1, requests(0x0100_0000_0000_0001, 1));
        writer.snapshot();
        writer.write(1, requests(0x0100_0000_0000_0002, 2));
        writer.write(3, requests(0x0100_0000_0000_0003, 3));
        let written = writer.tree.applied();
        let digest = writer.tree.digest();
        writer.store.log.close().unwrap();
        drop(writer.store.lock);

        // Its own tools read the files.
        let names: Vec<String> =
            std::fs::read_dir(data.join("version-2")).unwrap().map(|entry| entry.unwrap().path().display().to_string()).collect();
        let mut logged = 0;
        for log in names.iter().filter(|name| name.contains("/log.")) {
            let text = java.print("org.apache.zookeeper.server.persistence.TxnLogToolkit", &["-d", log]);
            assert!(text.contains("EOF reached after"), "{text}");
            logged += text.lines().filter(|line| line.contains(" zxid 0x")).count();
        }
        assert_eq!(logged, 3 * requests(1, 1).len());
        let snapshot = names.iter().find(|name| name.contains("/snapshot.1")).unwrap();
        let text = java.print("org.apache.zookeeper.server.SnapshotFormatter", &[snapshot]);
        assert!(text.contains("/app1/n4"), "{text}");

        // It serves what they hold.
        let server = java.serve(&data, &["preAllocSize=64"]);
        let answer = server.client("ls -R /\nget /app1/n4\nget /app3/n2\ngetAcl /app2/n5\nls /app2");
        let found = paths(&answer);
        assert!(found.iter().all(|path| exists(&writer.tree, path)), "{found:?}");
        assert!(found.len() > 3 * 70, "{answer}");
        for text in ["changed", "xxxxxxxxxxxxxx", "'world,'anyone\n: r\n", "/app2/s-0000000079"] {
            assert!(answer.contains(text), "no {text:?} in {answer}");
        }
        assert!(!answer.contains("/app1/n3\n") && !answer.contains("/app1/n6\n") && answer.contains("/app1/n7\n"), "{answer}");
        let answer = server.client("create /java here\ncreate -e /java/now x\nset /app1/n4 again\ndelete /app1/n7\nls /");
        assert!(answer.contains("java"), "{answer}");
        let log = server.kill();
        // It compares digests as it replays, and says so if one is wrong.
        assert!(!log.contains("not matching") && !log.contains("mismatch"), "{log}");

        // And back. Its last session may still be open.
        let store = open(&data);
        assert!(store.warnings.is_empty());
        let after = tree(&store);
        assert!(after.applied() > written && after.digest() != digest);
        assert!(exists(&after, "/java") && !exists(&after, "/app1/n7") && exists(&after, "/app2/n7"));
    }
}

#[test]
fn a_snapshot_that_java_packed_is_read() {
    let Some(java) = Java::find("zookeeper-3.9.3") else { return };
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let commands: String = (0..60).map(|number| format!("create /n{number} {}\n", "some-data".repeat(number + 1))).collect();
    let lines = ["snapshot.compression.method=gz", "snapCount=20", "preAllocSize=64"];
    let server = java.serve(&data, &lines);
    server.client(&commands);
    server.kill();
    // A start takes a snapshot of everything.
    java.serve(&data, &lines).kill();
    let names = std::fs::read_dir(data.join("version-2")).unwrap();
    let names: Vec<String> = names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(names.iter().filter(|name| name.ends_with(".gz")).count() > 1, "{names:?}");
    let store = open(&data);
    assert!(store.newest.as_ref().unwrap().position().index > 60, "{names:?}");
    let tree = tree(&store);
    assert!((0..60).all(|number| exists(&tree, &format!("/n{number}"))), "{names:?}");
}

/// Java needs a library of the system's for it, so this one was packed once for all: by 3.8.0, after `create /n<i>` with `some-data-`
/// 30 i + 1 times for i up to 20.
#[test]
fn a_snapshot_that_java_packed_with_snappy_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir_all(data.join("version-2")).unwrap();
    std::fs::write(data.join("version-2/snapshot.17.snappy"), include_bytes!("java_files/snapshot.17.snappy")).unwrap();
    let store = open(&data);
    assert_eq!(store.recovered.last, Position::from_zxid(0x17));
    let tree = tree(&store);
    for number in 0..=20 {
        let stat = tree.stat(&format!("/n{number}")).unwrap();
        assert_eq!(stat.data_length, 10 * (30 * number + 1));
    }
}
