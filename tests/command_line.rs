//! What the binary says to a wrong command line, and the names under which it can be called.

mod support;

use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Output, Stdio};
use support::{Cluster, Kind, free_ports, peer, wait};

/// Whose members the small client talks to: it knows no difference.
const WHOSE: [Kind; 2] = [Kind::Go, Kind::Quorate];

fn quorate(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
    command.args(arguments).output().expect("the binary runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn wrong_flags_end_with_etcds_exit_codes_and_name_key_value_and_what_would_be_right() {
    for (arguments, code, sentence) in [
        (&["--nmae", "m1"][..], 2, "flag provided but not defined: -nmae; is it meant to be --name?"),
        (&["--heartbeat-interval", "x"], 2, "invalid value \"x\" for flag -heartbeat-interval: expected a whole number"),
        (&["member"], 1, "'member' is not a valid flag"),
        (
            &["--heartbeat-interval", "300"],
            1,
            "--election-timeout[1000ms] should be at least as 5 times as --heartbeat-interval[300ms]",
        ),
        (&["--client-cert-auth"], 1, "--client-cert-auth is not built yet, and ignoring it could do harm"),
        (&["--config-file", "/nowhere.yml"], 1, "cannot use the configuration file /nowhere.yml"),
    ] {
        let output = quorate(&[&["etcd"], arguments].concat());
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains(sentence), "{arguments:?}: {}", said(&output));
        assert_eq!(said(&output).lines().count(), 1, "{arguments:?}: {}", said(&output));
    }
}

#[test]
fn a_link_called_etcd_is_a_drop_in() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let link = folder.path().join("etcd");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_quorate"), &link).expect("a link");
    let version = Command::new(&link).arg("--version").output().expect("the link runs");
    assert!(String::from_utf8_lossy(&version.stdout).starts_with("quorate "));
    let help = Command::new(&link).arg("-h").output().expect("the link runs");
    assert!(String::from_utf8_lossy(&help.stdout).contains("--initial-cluster-token"));
    let wrong = Command::new(&link).arg("dev").output().expect("the link runs");
    assert_eq!((wrong.status.code(), said(&wrong).trim()), (Some(1), "quorate: 'dev' is not a valid flag"));
}

#[test]
fn another_systems_data_is_not_started_on() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::create_dir_all(folder.path().join("member/wal")).expect("a folder");
    let output = quorate(&["etcd", "--data-dir", folder.path().to_str().expect("plain letters")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("holds a Go etcd's data (member)"), "{}", said(&output));
}

#[test]
fn a_client_without_a_cluster_says_what_to_do() {
    // Port 1 of loopback: nobody listens there.
    for arguments in [
        &["get", "k"][..],
        &["put", "k", "v"],
        &["del", "k"],
        &["status"],
        &["member", "list"],
        &["watch", "k"],
        &["lease", "grant", "10"],
        &["lease", "keep-alive", "1"],
        &["compact", "1"],
    ] {
        let output = quorate(&[arguments, &["--endpoints", "127.0.0.1:1"]].concat());
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{arguments:?}");
        assert!(said(&output).contains("nobody listens there") && said(&output).contains("quorate dev"), "{}", said(&output));
    }
    let output = quorate(&["get", "k", "--endpoints", "https://127.0.0.1:1"]);
    assert!(said(&output).contains("asks for TLS, which is not built yet"), "{}", said(&output));
}

#[test]
fn a_path_or_a_lease_that_is_none_is_told_what_would_be_right() {
    for (arguments, sentence) in [
        (&["zk", "get", "a"][..], "a path begins with /; is it meant to be /a?"),
        (&["zk", "ls", "/a/"], "a path does not end with /; is it meant to be /a?"),
        (&["lease", "ttl", "lease-1"], "a lease's id is a hexadecimal number, as `quorate lease list` prints it"),
    ] {
        let output = quorate(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(said(&output).contains(sentence), "{arguments:?}: {}", said(&output));
    }
}

#[test]
fn servers_to_be_measured_have_the_same_names_in_every_bench() {
    for arguments in [
        &["bench", "failover", "--peer", "java", "--binary"][..],
        &["bench", "failover", "--peer", "go", "--binary"],
        &["bench", "zookeeper", "--peer", "zookeeper", "set", "--dir"],
    ] {
        // The last option lacks its value: whatever is wrong with the name would be told first.
        let output = quorate(arguments);
        assert!(said(&output).contains("a value is required for"), "{arguments:?}: {}", said(&output));
    }
}

/// A client of one cluster.
struct Client {
    endpoints: String,
}

impl Client {
    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
        command.args(arguments.split(' ')).args(["--endpoints", &self.endpoints]);
        command
    }

    /// What it prints; it has to succeed.
    fn prints(&self, arguments: &str) -> String {
        let output = self.command(arguments).output().expect("the binary runs");
        assert!(output.status.success(), "{arguments}: {}", said(&output));
        String::from_utf8(output.stdout).expect("text")
    }

    fn json(&self, arguments: &str) -> Value {
        serde_json::from_str(&self.prints(&format!("{arguments} -w json"))).expect("JSON")
    }

    /// What it says when it fails.
    fn fails(&self, arguments: &str) -> String {
        let output = self.command(arguments).output().expect("the binary runs");
        assert_eq!(output.status.code(), Some(1), "{arguments}: {}", said(&output));
        said(&output)
    }

    /// The original's JSON.
    fn etcdctl(&self, arguments: &str) -> Value {
        let program = peer("etcdctl-3.5.16/etcdctl").expect("checked by the test before it began");
        let output = Command::new(program)
            .args(arguments.split(' '))
            .args(["--endpoints", &self.endpoints, "-w", "json"])
            .output()
            .expect("etcdctl runs");
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{arguments}: {error}: {}", said(&output)))
    }
}

/// The lines of a command that goes on; it ends with this.
struct Going {
    child: Child,
    lines: std::sync::mpsc::Receiver<String>,
}

impl Going {
    fn start(mut command: Command) -> Going {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the binary runs");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let (tell, lines) = std::sync::mpsc::channel();
        std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
        Going { child, lines }
    }

    fn line(&self) -> String {
        self.lines.recv_timeout(std::time::Duration::from_secs(60)).expect("a line within a minute")
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn clusters(members: usize) -> Vec<(Kind, Cluster)> {
    if peer("etcd-3.5.16/etcd").is_none() || peer("etcdctl-3.5.16/etcdctl").is_none() {
        return Vec::new();
    }
    WHOSE.map(|kind| (kind, Cluster::start(&vec![kind; members]))).into()
}

#[test]
fn leases_and_watches_are_told_as_etcdctl_tells_them() {
    for (kind, cluster) in clusters(1) {
        let client = Client { endpoints: cluster.endpoints().join(",") };
        let granted = client.prints("lease grant 600");
        let id = granted.split(' ').nth(1).expect("an id").to_owned();
        assert_eq!(granted, format!("lease {id} granted with TTL(600s)\n"), "{kind:?}");
        assert_eq!(client.json("lease grant 500")["TTL"], 500, "{kind:?}");
        client.prints(&format!("put leased v --lease {id}"));
        client.prints("put k 1");
        client.prints("put k 2");
        client.prints("del k");
        for command in [
            "lease list".to_owned(),
            format!("lease keep-alive {id} --once"),
            "lease timetolive 77".to_owned(),
            "get leased".to_owned(),
        ] {
            assert_eq!(client.json(&command), client.etcdctl(&command), "{kind:?}: {command}");
        }
        // A second may pass between the two.
        let (mut ours, theirs) =
            (client.json(&format!("lease ttl {id} --keys")), client.etcdctl(&format!("lease timetolive {id} --keys")));
        assert!(ours["ttl"].as_i64() > Some(590), "{kind:?}: {ours}");
        ours["ttl"] = theirs["ttl"].clone();
        assert_eq!(ours, theirs, "{kind:?}");

        let mut theirs = Command::new(peer("etcdctl-3.5.16/etcdctl").expect("it was there"));
        theirs.args(["watch", "k", "--rev", "1", "--prev-kv", "-w", "json", "--endpoints", &client.endpoints]);
        let ours = client.json("watch k --rev 1 --prev-kv --limit 3");
        assert_eq!(ours, serde_json::from_str::<Value>(&Going::start(theirs).line()).expect("JSON"), "{kind:?}");
        assert_eq!(client.prints("watch k --rev 1 --deletes-only --limit 1"), "DELETE\nk\n\n", "{kind:?}");
        assert_eq!(client.prints("watch k --rev 1 --puts-only --limit 2 --prev-kv"), "PUT\nk\n1\nPUT\nk\n1\nk\n2\n", "{kind:?}");

        assert_eq!(client.prints(&format!("lease revoke {id}")), format!("lease {id} revoked\n"), "{kind:?}");
        assert_eq!(client.prints("get leased --count-only"), "0\n", "{kind:?}");
        assert_eq!(client.fails(&format!("lease revoke {id}")), "quorate: etcdserver: requested lease not found\n", "{kind:?}");
        assert_eq!(client.fails(&format!("lease keep-alive {id} --once")), "quorate: etcdserver: requested lease not found\n");
        assert_eq!(client.prints(&format!("lease keep-alive {id}")), format!("lease {id} expired or revoked.\n"), "{kind:?}");
        assert_eq!(client.prints(&format!("lease ttl {id}")), format!("lease {id} already expired\n"), "{kind:?}");
    }
}

#[test]
fn a_transaction_is_typed_and_told_as_etcdctls() {
    for (kind, cluster) in clusters(1) {
        let client = Client { endpoints: cluster.endpoints().join(",") };
        let first = "mod(\"k\") = \"0\"\n\nput k \"a value\"\nput other x\n\nget k\n\n";
        assert_eq!(typed(client.command("txn"), first), "SUCCESS\n\nOK\n\nOK\n", "{kind:?}");
        assert_eq!(typed(client.command("txn"), first), "FAILURE\n\nk\na value\n", "{kind:?}");
        // One that writes nothing, so that both see the same.
        let reading = "value(\"k\") = \"a value\"\nversion(\"other\") > \"0\"\n\nget --prefix k\nget nothing\n\nget k\n\n";
        let mut theirs = Command::new(peer("etcdctl-3.5.16/etcdctl").expect("checked by the test before it began"));
        theirs.args(["txn", "-w", "json", "--endpoints", &client.endpoints]);
        let [ours, theirs] = [client.command("txn -w json"), theirs].map(|command| typed(command, reading));
        let json = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
        assert_eq!(json(&ours), json(&theirs), "{kind:?}");
        assert_eq!(json(&ours)["responses"].as_array().map(Vec::len), Some(2), "{kind:?}: {ours}");
    }
}

/// What a command prints to this standard input.
fn typed(mut command: Command, input: &str) -> String {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the binary runs");
    child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{input}");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn a_watch_that_begins_behind_a_compaction_is_told_where_it_could() {
    for (kind, cluster) in clusters(1) {
        let client = Client { endpoints: cluster.endpoints().join(",") };
        for value in 0..4 {
            client.prints(&format!("put k {value}"));
        }
        assert_eq!(client.prints("compact 4"), "compacted revision 4\n", "{kind:?}");
        let refused = client.fails("watch k --rev 2");
        assert!(refused.contains("cannot begin at 2; the first possible is --rev 4"), "{kind:?}: {refused}");
        let told = client.command("watch k --rev 2 -w json").output().expect("the binary runs");
        let told: Value = serde_json::from_slice(&told.stdout).expect("JSON");
        assert_eq!((&told["Canceled"], &told["CompactRevision"]), (&true.into(), &4.into()), "{kind:?}");
        assert_eq!(client.prints("watch k --rev 4 --limit 2"), "PUT\nk\n2\nPUT\nk\n3\n", "{kind:?}");
    }
}

#[test]
fn a_watch_outlives_its_member_and_neither_loses_nor_repeats_an_event() {
    for (kind, mut cluster) in clusters(3) {
        let endpoints = cluster.endpoints();
        let watching = Client { endpoints: endpoints.join(",") };
        // The watch is at the first member, which goes away; who writes is elsewhere, and stays.
        let writing = Client { endpoints: endpoints[1..].join(",") };
        writing.prints("put k/first x");
        let going = Going::start(watching.command("watch --prefix k/ --rev 1 -w json"));
        let mut told: Vec<String> = Vec::new();
        let mut take = |count: usize| -> Vec<String> {
            while told.len() < count {
                let line: Value = serde_json::from_str(&going.line()).expect("JSON");
                let events = line["Events"].as_array().expect("events");
                told.extend(events.iter().map(|event| event["kv"]["key"].as_str().expect("a key").to_owned()));
            }
            told.clone()
        };
        assert_eq!(take(1).len(), 1);
        let write = |round: usize| (0..20).for_each(|number| drop(writing.prints(&format!("put k/{round}-{number} x"))));
        write(1);
        cluster.members[0].kill();
        // A put that is under way when the leader dies may or may not be done.
        cluster.leader();
        write(2);
        take(41);
        // And once more, at the next member, after the first is back.
        cluster.members[0].spawn();
        wait("the first member to be back", || cluster.members[0].status().is_some_and(|status| status.leader != 0));
        let back = Client { endpoints: [&endpoints[0], &endpoints[2]].map(String::as_str).join(",") };
        cluster.members[1].kill();
        cluster.leader();
        back.prints("put k/last x");
        let keys = take(42);
        let mut distinct = keys.clone();
        distinct.sort();
        distinct.dedup();
        assert_eq!((keys.len(), distinct.len()), (42, 42), "{kind:?}: {keys:?}");
    }
}

#[test]
fn members_that_run_are_measured_and_left_as_they_were() {
    for (kind, cluster) in clusters(1) {
        let client = Client { endpoints: cluster.endpoints().join(",") };
        client.prints("put mine v");
        let measure = |load: &str| -> Value {
            let printed = client.prints(&format!("bench etcd {load} --json"));
            serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{load}: {error}: {printed}"))
        };
        for load in ["put", "range --keys 50", "range --consistency serializable --keys 50", "txn"] {
            let measured = measure(&format!("{load} --clients 4 --connections 2 --total 200 --value-size 10"));
            assert_eq!((&measured["requests"], &measured["failed"]), (&200.into(), &0.into()), "{kind:?}: {load}: {measured}");
            let latency = |name: &str| measured["latency_ms"][name].as_f64().expect("a latency");
            assert!(0.0 < latency("p50") && latency("p50") <= latency("p99") && latency("p99") <= latency("max"), "{measured}");
            // The test's member runs on this machine, so what it holds is known.
            assert!(measured["server_memory"][0]["bytes"].as_u64() > Some(1_000_000), "{kind:?}: {measured}");
        }
        let watched = measure("watch --watchers 30 --streams 3 --keys 10 --clients 4 --total 200");
        assert_eq!((&watched["events"]["requests"], &watched["missing"]), (&600.into(), &0.into()), "{kind:?}: {watched}");
        let unread = measure("watch --never-read --clients 4 --total 160 --keys 10");
        assert_eq!(
            (&unread["without"]["requests"], &unread["beside"]["requests"]),
            (&80.into(), &80.into()),
            "{kind:?}: {unread}"
        );
        let leases = measure("lease --leases 20 --total 100 --clients 4");
        assert_eq!(
            (&leases["grants"]["requests"], &leases["keep_alives"]["failed"]),
            (&20.into(), &0.into()),
            "{kind:?}: {leases}"
        );
        let idle = measure("idle --seconds 1 --watchers 50 --streams 5");
        assert!(idle["server_memory_watched"][0]["bytes"].as_u64() > Some(1_000_000), "{kind:?}: {idle}");
        assert_eq!(
            (client.prints("get --prefix quorate-bench --count-only"), client.prints("lease list").as_str()),
            ("0\n".into(), "found 0 leases\n")
        );
        assert_eq!(client.prints("get mine"), "mine\nv\n", "{kind:?}");
    }
}

#[test]
fn what_many_keys_cost_is_measured_with_members_of_ones_own() {
    for (kind, cluster) in clusters(1) {
        let peer = if kind == Kind::Go { "go" } else { "quorate" };
        for load in ["memory", "startup"] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
            command.args(["bench", "etcd", load, "--keys", "2500", "--peer", peer, "--json"]);
            if kind == Kind::Go {
                command.arg("--binary").arg(support::peer("etcd-3.5.16/etcd").expect("checked by the test before it began"));
            }
            let output = command.output().expect("the binary runs");
            let measured: Value =
                serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", said(&output)));
            assert_eq!(measured["keyspace_bytes"], 2500 * 280, "{kind:?}: {measured}");
            assert!(measured["server_memory"][0]["bytes"].as_u64() > Some(1_000_000), "{kind:?}: {measured}");
        }
        let client = Client { endpoints: cluster.endpoints().join(",") };
        assert!(client.fails("bench etcd memory --keys 10").contains("only with members that are started for it"), "{kind:?}");
    }
}

/// Tells a process to end that has begun to start, which takes it longer than anybody would wait.
fn told_to_end_while_it_starts(mut starting: Child) {
    let sent = Command::new("kill").arg("-TERM").arg(starting.id().to_string()).status().expect("the command kill");
    assert!(sent.success());
    let mut status = None;
    wait("it to end", || {
        status = starting.try_wait().expect("an exit status");
        status.is_some()
    });
    // As whoever ends because it was told to, and not as a victim of the signal: the first process of a container would be none.
    assert_eq!(status.and_then(|status| status.code()), Some(0));
}

#[test]
fn a_member_that_waits_for_the_others_before_it_starts_can_be_told_to_end() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ports = free_ports(3);
    let [client, own, other] = [0, 1, 2].map(|i: usize| format!("http://127.0.0.1:{}", ports[i]));
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
    command.args(["etcd", "--name", "a", "--data-dir"]).arg(folder.path());
    command.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
    command.args(["--listen-peer-urls", &own, "--initial-advertise-peer-urls", &own]);
    command.args(["--initial-cluster", &format!("a={own},b={other}")]);
    let mut member = command.stderr(Stdio::piped()).spawn().expect("the binary runs");
    let mut lines = BufReader::new(member.stderr.as_mut().expect("it is piped")).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("founding a cluster takes a quorum")));
    told_to_end_while_it_starts(member);
}

#[test]
fn a_server_that_reads_a_large_snapshot_can_be_told_to_end() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::create_dir(folder.path().join("version-2")).expect("a folder");
    // A snapshot of so many sessions that it is read for minutes. It is a hole, and takes no room on the disk.
    let mut snapshot = std::fs::File::create(folder.path().join("version-2/snapshot.1")).expect("a file");
    let header = [&b"ZKSN"[..], &2_i32.to_be_bytes(), &(-1_i64).to_be_bytes(), &i32::MAX.to_be_bytes()].concat();
    snapshot.write_all(&header).expect("a header");
    snapshot.set_len(24 << 30).expect("a hole");
    let (keys, port) = (folder.path().join("zoo.cfg"), free_ports(1)[0]);
    let text = format!("dataDir={}\nclientPort={port}\nadmin.enableServer=false\n", folder.path().display());
    std::fs::write(&keys, text).expect("a file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
    let server = command.arg("zookeeper").arg(&keys).stderr(Stdio::null()).spawn().expect("the binary runs");
    wait("its port, which it takes first", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    told_to_end_while_it_starts(server);
}
