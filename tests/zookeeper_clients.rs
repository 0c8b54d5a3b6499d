//! Clients that know nothing of Quorate, unchanged against three of its servers: kazoo, zkCli, Curator and Rust's zookeeper-client.
//! Each must also succeed against Java, and print the same.

mod support;

use regex::Regex;
use std::io::Write;
use std::process::{Command, Stdio};
use support::peer;
use support::zookeeper::{Ensemble, Kind, java, peers, python, succeeded};

/// Runs what `client` makes of the addresses against an ensemble of each kind.
fn both_print_the_same(name: &str, client: impl Fn(&Ensemble) -> String) {
    let [theirs, ours] = [Kind::Java393, Kind::Quorate].map(|kind| client(&Ensemble::start(&[kind; 3])));
    assert!(theirs == ours, "{name} prints with Java:\n{theirs}\nand with Quorate:\n{ours}");
}

fn run(name: &str, mut command: Command) -> String {
    succeeded(name, &command.output().expect("the client runs"))
}

fn recipes(ensemble: &Ensemble) -> String {
    run("recipes.py", python("recipes.py", &[&ensemble.hosts()]))
}

fn curator(ensemble: &Ensemble) -> String {
    let mut command = java("curator-5.7.1", &[peer("curator-check").expect("checked before")], "CuratorCheck");
    command.arg(ensemble.hosts());
    run("CuratorCheck", command)
}

fn rust_client(ensemble: &Ensemble) -> String {
    let mut command = Command::new(peer("zookeeper-client-check").expect("checked before"));
    command.arg(ensemble.hosts());
    run("zookeeper-client-check", command)
}

/// What a user types.
const COMMANDS: &str = r#"
ls /
create /cli data
create /cli data
create -s /cli/s- one
create -s /cli/s- two
create -e /cli/e mine
create -c /cli/c
create -t 60000 /cli/t
create /cli/none/x
get /cli
get -s /cli
stat /cli
stat /none
set /cli more
set -s /cli most
set -v 9 /cli wrong
ls -s /cli
ls -R /cli
ls -w /cli
create /cli/new
get -w /cli/new
set /cli/new changed
addWatch -m PERSISTENT_RECURSIVE /cli
set /cli/new again
removewatches /cli
getAllChildrenNumber /cli
getEphemerals /cli
whoami
addauth digest user:secret
whoami
create /cli/acl x auth::cdrwa
getAcl -s /cli/acl
setAcl /cli/acl world:anyone:r
getAcl /cli/acl
set /cli/acl y
setquota -n 3 -b 100 /cli/new
listquota /cli/new
delquota /cli/new
listquota /cli/new
sync /cli
delete /cli
deleteall /cli/new
config
version
nonsense
history
deleteall /cli
ls /
quit
"#;

fn command_line(ensemble: &Ensemble) -> String {
    let mut command = java("zookeeper-3.9.3", &[], "org.apache.zookeeper.ZooKeeperMain");
    command.args(["-server", &ensemble.servers[0].address()]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("zkCli runs");
    child.stdin.take().expect("piped").write_all(COMMANDS.as_bytes()).expect("zkCli reads");
    let output = child.wait_with_output().expect("zkCli ends");
    let mut printed = succeeded("zkCli", &output);
    let masks = [
        (r"0x[0-9a-f]+", "HEX"),
        (r"(?m)^([cm]time) = .*$", "$1 = TIME"),
        (r"127\.0\.0\.1:\d+(:\d+)?", "ADDRESS"),
        // Sets, printed in the order of their hashes.
        (r"(?m)^\[.*\]$", "LIST"),
        (r"(?m)^server\.\d.*$", "SERVER"),
        // An event may come before or after the answer to what caused it.
        (r"(?m)^\n?WATCHER::\n\nWatchedEvent.*\n", ""),
        // Or in the midst of it: another thread prints it.
        (r"(?m)^\n?WATCHER::\n", ""),
        (r"(?m)^\n?WatchedEvent.*\n", ""),
    ];
    for (pattern, replacement) in masks {
        printed = Regex::new(pattern).expect("a good pattern").replace_all(&printed, replacement).into_owned();
    }
    // Complaints, without the log lines among them.
    let is_log =
        |line: &&str| line.starts_with('[') || line.starts_with('\t') || line.chars().next().is_none_or(|c| c.is_ascii_digit());
    let complaints: String =
        String::from_utf8_lossy(&output.stderr).lines().filter(|line| !is_log(line)).map(|line| format!("{line}\n")).collect();
    format!("{printed}\n{complaints}")
}

#[test]
fn kazoo_recipes() {
    if peers() {
        both_print_the_same("kazoo", recipes);
    }
}

#[test]
fn zookeeper_command_line() {
    if peers() {
        both_print_the_same("zkCli", command_line);
    }
}

#[test]
fn curator_recipes() {
    if peers() && peer("curator-check").is_some() {
        both_print_the_same("Curator", curator);
    }
}

#[test]
fn the_zookeeper_client_crate() {
    if peers() && peer("zookeeper-client-check").is_some() {
        both_print_the_same("zookeeper-client", rust_client);
    }
}
