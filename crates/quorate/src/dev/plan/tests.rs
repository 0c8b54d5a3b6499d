use super::*;
use crate::cli::{Cli, Command};
use crate::processes::free_ports;
use clap::Parser;
use std::net::{Ipv4Addr, TcpListener};

fn options(line: &str) -> cli::Dev {
    match Cli::parse_from(["quorate", "dev"].into_iter().chain(line.split_whitespace())).command {
        Command::Dev(options) => options,
        _ => unreachable!("it is a dev"),
    }
}

/// A folder that is not there yet, in one that is gone with the value, and a base port whose neighbours are likely free.
fn somewhere() -> (tempfile::TempDir, PathBuf, u16) {
    let root = tempfile::tempdir().expect("the temporary folder can be written");
    let dir = root.path().join("dev");
    (root, dir, free_ports(1).expect("a free port")[0].min(60_000))
}

#[test]
fn the_default_is_three_members_on_etcds_ports() {
    let members = plan(&options("")).expect("it fits");
    let ports: Vec<_> = members.iter().map(|member| (member.name.as_str(), member.ports())).collect();
    assert_eq!(ports, [("m1", vec![2379, 2380]), ("m2", vec![2479, 2480]), ("m3", vec![2579, 2580])]);
}

#[test]
fn ports_that_do_not_fit_are_refused() {
    let sentence = plan(&options("--base-port 65500 --members 2")).expect_err("65600 is no port");
    assert!(sentence.contains("expected 1 to 65434"), "{sentence}");
    assert!(plan(&options("--base-port 65434 --members 2")).is_ok());
}

#[test]
fn a_taken_port_names_its_holder() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    let (_root, dir, _) = somewhere();
    let options = options(&format!("--members 1 --base-port {} --dir {}", port.min(65_434), dir.display()));
    let sentence = prepare(&options, &plan(&options).expect("it fits")).expect_err("the port is taken");
    assert!(
        sentence.contains(&format!("port {port} is taken by")) && sentence.contains(&std::process::id().to_string()),
        "{sentence}"
    );
    assert!(!dir.exists(), "nothing was written");
}

#[test]
fn a_foreign_folder_is_refused_by_name_and_left_alone() {
    let (_root, dir, port) = somewhere();
    fs::create_dir_all(dir.join("member/wal")).expect("the temporary folder can be written");
    for fresh in ["", "--fresh"] {
        let options = options(&format!("--members 1 --base-port {port} --dir {} {fresh}", dir.display()));
        let sentence = prepare(&options, &plan(&options).expect("it fits")).expect_err("it is a Go etcd's");
        assert!(sentence.contains("holds a Go etcd's data (member)"), "{sentence}");
        assert!(dir.join("member/wal").exists());
    }
}

#[test]
fn a_cluster_keeps_its_shape_until_it_is_started_afresh() {
    let (_root, dir, port) = somewhere();
    let line = |members: u16| format!("--members {members} --base-port {port} --dir {}", dir.display());
    let prepare = |line: &str| {
        let options = options(line);
        prepare(&options, &plan(&options).expect("it fits"))
    };
    prepare(&line(1)).expect("a new folder");
    fs::create_dir_all(dir.join("m1/log")).expect("the temporary folder can be written");
    prepare(&line(1)).expect("the same again");
    let sentence = prepare(&line(2)).expect_err("it is a cluster of one");
    assert!(sentence.contains("holds a cluster of 1"), "{sentence}");
    prepare(&format!("{} --fresh", line(2))).expect("afresh");
    assert!(!dir.join("m1").exists() && dir.join("m2.yml").exists());
}

#[test]
fn a_member_can_be_started_by_hand_from_its_file() {
    let members = plan(&options("--members 2")).expect("it fits");
    let text = Flavor::Etcd.configuration(&members[1], &members);
    assert!(text.contains("initial-cluster: m1=http://127.0.0.1:2380,m2=http://127.0.0.1:2480\n"), "{text}");
    assert!(text.contains("data-dir: \"quorate-dev/m2\"\n"), "{text}");
}

#[test]
fn an_ensemble_has_zookeepers_ports_and_its_observers_come_last() {
    let members = plan(&options("--zookeeper --observers 1")).expect("it fits");
    let ports: Vec<_> = members.iter().map(|member| (member.ports(), member.observer)).collect();
    assert_eq!(ports[0], (vec![2181, 2888, 3888, 2182], false));
    assert_eq!(ports[2], (vec![2381, 3088, 4088, 2382], false));
    assert_eq!(ports[3], (vec![2481, 3188, 4188, 2482], true));
    let text = Flavor::Zookeeper.configuration(&members[3], &members);
    assert!(text.contains("server.4=127.0.0.1:3188:4188:observer\n") && text.contains("peerType=observer\n"), "{text}");
    let text = Flavor::Zookeeper.configuration(&members[0], &members);
    assert!(text.contains("dataDir=quorate-dev-zookeeper/m1\n") && !text.contains("peerType"), "{text}");
}

#[test]
fn a_folder_of_the_other_kind_is_refused_by_its_shape() {
    let (_root, dir, port) = somewhere();
    let line = format!("--members 1 --base-port {} --dir {}", port.min(50_000), dir.display());
    let etcd = options(&line);
    prepare(&etcd, &plan(&etcd).expect("it fits")).expect("a new folder");
    let zookeeper = options(&format!("--zookeeper {line}"));
    let sentence = prepare(&zookeeper, &plan(&zookeeper).expect("it fits")).expect_err("it is an etcd cluster's");
    assert!(sentence.contains("holds a cluster of 1"), "{sentence}");
}
