//! Client libraries hear the same from Quorate as from Go etcd: Python's etcd3 and aetcd, Node's etcd3, and Rust's etcd-client. Each
//! puts, reads, watches from now, from the past and from the future, holds leases, waits for a lock that another holds, and transacts.

mod support;

use std::path::Path;
use std::process::Command;
use support::{Cluster, Kind, peer};

/// Runs `command` with the endpoints of a new cluster, its leader's first.
fn drive(mut command: Command, kind: Kind) -> String {
    let cluster = Cluster::start(&[kind; 3]);
    let leader = cluster.leader();
    command.args((0..3).map(|i| &cluster.members[(leader + i) % 3].client));
    let output = command.output().expect("the client runs");
    let printed = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{kind:?}:\n{printed}");
    printed
}

/// `knows`: a line that shows that the program came to its end.
fn hears_the_same(command: impl Fn() -> Command, knows: &str) {
    if peer("etcd-3.5.16/etcd").is_none() {
        return;
    }
    let (go, ours) = (drive(command(), Kind::Go), drive(command(), Kind::Quorate));
    assert!(go.contains(knows), "{go}");
    let differs = go.lines().zip(ours.lines()).find(|(go, ours)| go != ours);
    assert!(go == ours, "the first difference: {differs:?}\nGo etcd:\n{go}\nQuorate:\n{ours}");
}

fn source(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests").join(path)
}

fn python(library: &Path, program: &str) -> Command {
    let mut python = Command::new("python3");
    python.arg("-B").arg(source(program)).env("PYTHONPATH", library).env("PYTHONUNBUFFERED", "1");
    python
}

#[test]
fn the_etcd_client_crate_hears_the_same_from_both() {
    let Some(program) = peer("etcd-client-check") else { return };
    hears_the_same(|| Command::new(&program), "balanced: balanced = 5");
}

#[test]
fn pythons_etcd3_hears_the_same_from_both() {
    let Some(library) = peer("python-etcd3") else { return };
    hears_the_same(|| python(&library, "etcd-python/etcd3_check.py"), "third, after a death: [True]");
}

#[test]
fn pythons_aetcd_hears_the_same_from_both() {
    let Some(library) = peer("python-aetcd") else { return };
    hears_the_same(|| python(&library, "etcd-python/aetcd_check.py"), "third, after a death: True");
}

#[test]
fn nodes_etcd3_hears_the_same_from_both() {
    let Some(library) = peer("node-etcd3/node_modules") else { return };
    let command = || {
        let mut node = Command::new("node");
        node.arg(source("etcd-node/etcd3_check.cjs")).env("NODE_PATH", &library);
        node
    };
    hears_the_same(command, "leader: one, still");
}
