//! Rust's etcd-client crate hears the same from Quorate as from Go etcd.

mod support;

use std::process::Command;
use support::{Cluster, Kind, peer};

fn drive(program: &std::path::Path, kind: Kind) -> String {
    let cluster = Cluster::start(&[kind; 3]);
    let leader = cluster.leader();
    let endpoints: Vec<&str> = (0..3).map(|i| cluster.members[(leader + i) % 3].client.as_str()).collect();
    let output = Command::new(program).args(endpoints).output().expect("the client runs");
    let printed = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{kind:?}:\n{printed}");
    printed
}

#[test]
fn the_etcd_client_crate_hears_the_same_from_both() {
    let (Some(program), Some(_)) = (peer("etcd-client-check"), peer("etcd-3.5.16/etcd")) else { return };
    let (go, ours) = (drive(&program, Kind::Go), drive(&program, Kind::Quorate));
    assert!(go.contains("balanced: balanced = 5"), "{go}");
    assert!(go == ours, "Go etcd:\n{go}\nQuorate:\n{ours}");
}
