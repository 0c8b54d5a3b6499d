//! `quorate dev`, as a program sees it that started it with `--json`, and the small client beside it.

mod support;

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};
use support::wait;

/// A running dev; killed with the value.
struct Dev {
    child: Child,
    lines: BufReader<ChildStdout>,
    ready: Value,
}

impl Dev {
    fn start(dir: &Path, base_port: u16, more: &[&str]) -> Dev {
        let mut child = command(dir, base_port, more).stdout(Stdio::piped()).spawn().expect("the binary runs");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        lines.read_line(&mut line).expect("a line");
        let ready: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no JSON: {line:?}"));
        assert_eq!(ready["ready"], true);
        Dev { child, lines, ready }
    }

    /// Reads on until a line says that `member` has this role.
    fn until(&mut self, role: &str, is_wanted: impl Fn(&str) -> bool) -> Value {
        loop {
            let mut line = String::new();
            assert!(self.lines.read_line(&mut line).expect("a line") > 0, "it ended before anybody was {role}");
            let change: Value = serde_json::from_str(&line).expect("JSON");
            if change["role"] == role && is_wanted(change["member"].as_str().expect("a name")) {
                return change;
            }
        }
    }

    fn leader(&self) -> &Value {
        let members = self.ready["members"].as_array().expect("members");
        members.iter().find(|member| member["name"] == self.ready["leader"]).expect("the leader is a member")
    }

    fn pids(&self) -> Vec<u64> {
        self.ready["members"].as_array().expect("members").iter().filter_map(|member| member["pid"].as_u64()).collect()
    }

    fn endpoints(&self) -> String {
        let members = self.ready["members"].as_array().expect("members");
        members.iter().filter_map(|member| member["client"].as_str()).collect::<Vec<_>>().join(",")
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(dir: &Path, base_port: u16, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
    // A note of its own, so that it does not take over a dev that somebody runs beside the tests.
    command
        .args(["dev", "--json", "--base-port", &base_port.to_string(), "--dir"])
        .arg(dir)
        .args(more)
        .env("XDG_RUNTIME_DIR", dir.parent().expect("a temporary folder"));
    command.stdin(Stdio::null());
    command
}

/// A base port whose members' ports are free, three members wide.
fn base_port() -> u16 {
    base_port_of(3, &[0, 1])
}

/// A base port from which the ports of so many members are free, each at these distances from the member's first.
fn base_port_of(members: u16, distances: &[u16]) -> u16 {
    let free = |port: Option<u16>| port.is_some_and(|port| TcpListener::bind(("127.0.0.1", port)).is_ok());
    for _ in 0..100 {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let base = listener.local_addr().expect("it is bound").port();
        drop(listener);
        let offsets = (0..members).flat_map(|member| distances.iter().map(move |distance| member * 100 + distance));
        if offsets.map(|offset| base.checked_add(offset)).all(free) {
            return base;
        }
    }
    panic!("no free ports in a pattern of members");
}

fn kill(pid: u64) {
    assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().expect("kill runs").success());
}

fn is_running(pid: u64) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().find(|line| line.starts_with("State:")).is_some_and(|line| !line.contains('Z'))
}

fn client(arguments: &[&str], runtime_dir: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
    command.args(arguments).env("XDG_RUNTIME_DIR", runtime_dir).env_remove("ETCDCTL_ENDPOINTS");
    command.output().expect("the binary runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_killed_leader_is_replaced_and_restarted_and_its_data_is_there() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut dev = Dev::start(&folder.path().join("dev"), base_port(), &[]);
    // No --endpoints: a running dev is found by itself.
    let put = client(&["put", "greeting", "hello"], folder.path());
    assert_eq!(put.stdout, b"OK\n", "{}", said(&put));

    let (killed, pid) =
        (dev.ready["leader"].as_str().expect("a leader").to_owned(), dev.leader()["pid"].as_u64().expect("a pid"));
    kill(pid);
    dev.until("down", |member| member == killed);
    dev.until("leader", |member| member != killed);
    let got = client(&["get", "greeting", "--print-value-only"], folder.path());
    assert_eq!(got.stdout, b"hello\n", "{}", said(&got));
    let status = client(&["status"], folder.path());
    assert!(!status.status.success() && said(&status).contains("1 of 3 members did not answer"), "{}", said(&status));

    let back = dev.until("follower", |member| member == killed);
    assert_ne!(back["pid"], pid, "it is another process");
}

#[test]
fn an_ensemble_outlives_its_leader_and_its_clients_do_not_mind() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let base_port = base_port_of(4, &[0, 1, 707, 1707]);
    let mut dev = Dev::start(&folder.path().join("dev"), base_port, &["--zookeeper", "--observers", "1"]);
    assert_eq!(dev.pids().len(), 4);
    let zk = |arguments: &[&str]| client(&[&["zk"], arguments].concat(), folder.path());
    let created = zk(&["create", "/greeting", "hello"]);
    assert_eq!(created.stdout, b"/greeting\n", "{}", said(&created));
    // The fourth is the observer: it serves, too.
    let observer = dev.ready["members"][3]["client"].as_str().expect("an address").to_owned();
    let got = zk(&["get", "/greeting", "--servers", &observer]);
    assert_eq!(got.stdout, b"hello\n", "{}", said(&got));

    let (killed, pid) =
        (dev.ready["leader"].as_str().expect("a leader").to_owned(), dev.leader()["pid"].as_u64().expect("a pid"));
    kill(pid);
    dev.until("down", |member| member == killed);
    dev.until("leader", |member| member != killed);
    let set = zk(&["set", "/greeting", "again"]);
    assert!(set.status.success(), "{}", said(&set));
    dev.until("follower", |member| member == killed);
    let missing = zk(&["get", "/nothing"]);
    assert!(said(&missing).contains("/nothing: there is no such node"), "{}", said(&missing));
}

#[test]
fn members_die_with_their_parent_however_that_dies() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut dev = Dev::start(&folder.path().join("dev"), base_port(), &["--members", "2"]);
    let pids = dev.pids();
    assert_eq!(pids.len(), 2);
    dev.child.kill().expect("it runs");
    wait("the members to die with it", || !pids.iter().any(|pid| is_running(*pid)));
}

#[test]
fn a_request_to_stop_is_heard_and_the_data_is_there_the_next_time() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (dir, port) = (folder.path().join("dev"), base_port());
    let mut dev = Dev::start(&dir, port, &[]);
    let endpoints = dev.endpoints();
    let put = client(&["put", "k", "v", "--endpoints", &endpoints], folder.path());
    assert_eq!(put.stdout, b"OK\n", "{}", said(&put));
    let asked = Command::new("kill").arg(dev.child.id().to_string()).status().expect("kill runs");
    assert!(asked.success());
    assert!(dev.child.wait().expect("it ends").success());
    assert!(!dev.pids().iter().any(|pid| is_running(*pid)), "all members ended");

    let again = Dev::start(&dir, port, &[]);
    let got = client(&["get", "k", "--print-value-only", "--endpoints", &again.endpoints()], folder.path());
    assert_eq!(got.stdout, b"v\n", "{}", said(&got));
    drop(again);

    let fresh = Dev::start(&dir, port, &["--fresh"]);
    let got = client(&["get", "k", "--endpoints", &fresh.endpoints()], folder.path());
    assert_eq!((got.stdout.as_slice(), got.status.success()), (&b""[..], true), "{}", said(&got));
    assert!(said(&got).contains("there is no key \"k\""));
}

#[test]
fn a_dead_member_stays_dead_if_it_is_told_to_and_can_be_started_by_hand() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path().join("dev");
    let mut dev = Dev::start(&dir, base_port(), &["--no-restart"]);
    let killed = dev.ready["leader"].as_str().expect("a leader").to_owned();
    kill(dev.leader()["pid"].as_u64().expect("a pid"));
    dev.until("down", |member| member == killed);
    dev.until("leader", |member| member != killed);
    let mut by_hand = Command::new(env!("CARGO_BIN_EXE_quorate"))
        .args(["etcd", "--config-file"])
        .arg(dir.join(format!("{killed}.yml")))
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary runs");
    let back = dev.until("follower", |member| member == killed);
    assert_eq!(back["pid"], u64::from(by_hand.id()));
    by_hand.kill().expect("it runs");
    by_hand.wait().expect("it ends");
}

#[test]
fn what_is_wrong_is_said_in_one_line() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let port = base_port();
    let refused = |dir: &Path, more: &[&str]| {
        let started = Instant::now();
        let output = command(dir, port, more).output().expect("the binary runs");
        assert!(started.elapsed() < Duration::from_secs(20));
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert_eq!(said(&output).lines().count(), 1, "{}", said(&output));
        assert!(output.stdout.is_empty());
        said(&output)
    };

    let foreign = folder.path().join("etcd");
    std::fs::create_dir_all(foreign.join("member/wal")).expect("a folder");
    assert!(refused(&foreign, &[]).contains("holds a Go etcd's data (member)"));
    assert!(refused(&foreign, &["--fresh"]).contains("holds a Go etcd's data (member)"));

    let dir = folder.path().join("dev");
    drop(Dev::start(&dir, port, &["--members", "1"]));
    let log = std::fs::read_dir(dir.join("m1/log")).expect("a log").next().expect("a segment").expect("a segment").path();
    let mut bytes = std::fs::read(&log).expect("it can be read");
    let middle = bytes.len().min(600);
    bytes[middle - 88..middle].fill(0xff);
    std::fs::write(&log, bytes).expect("it can be written");
    let sentence = refused(&dir, &["--members", "1"]);
    let name = log.file_name().expect("a name").to_string_lossy().into_owned();
    assert!(sentence.contains("m1 does not start") && sentence.contains(&name), "{sentence}");

    let holder = TcpListener::bind(("127.0.0.1", port + 1)).expect("the port was free");
    let sentence = refused(&folder.path().join("other"), &["--members", "1"]);
    assert!(
        sentence.contains(&format!("port {} is taken by", port + 1)) && sentence.contains(&std::process::id().to_string()),
        "{sentence}"
    );
    drop(holder);
}
