//! Prometheus scrapes three members and evaluates etcd's own alert rules; what its dashboard asks for is there.

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use support::compare::etcdctl;
use support::{Cluster, Kind, free_ports, peer, wait};

/// What etcd's mixin asks for: its alert rules, then its dashboard.
const ASKED_FOR: [&str; 25] = [
    "etcd_network_peer_sent_failures_total",
    "etcd_server_has_leader",
    "etcd_server_leader_changes_seen_total",
    "grpc_server_handled_total{grpc_code=\"OK\"}",
    "grpc_server_handling_seconds_bucket{grpc_type=\"unary\"}",
    "etcd_network_peer_round_trip_time_seconds_bucket",
    "etcd_server_proposals_failed_total",
    "etcd_disk_wal_fsync_duration_seconds_bucket",
    "etcd_disk_backend_commit_duration_seconds_bucket",
    "etcd_mvcc_db_total_size_in_bytes",
    "etcd_server_quota_backend_bytes",
    "grpc_server_started_total{grpc_type=\"unary\"}",
    "grpc_server_started_total{grpc_service=\"etcdserverpb.Watch\",grpc_type=\"bidi_stream\"}",
    "grpc_server_handled_total{grpc_service=\"etcdserverpb.Watch\",grpc_type=\"bidi_stream\"}",
    "grpc_server_started_total{grpc_service=\"etcdserverpb.Lease\",grpc_type=\"bidi_stream\"}",
    "process_resident_memory_bytes",
    "etcd_network_client_grpc_received_bytes_total",
    "etcd_network_client_grpc_sent_bytes_total",
    "etcd_network_peer_received_bytes_total",
    "etcd_network_peer_sent_bytes_total",
    "etcd_server_proposals_pending",
    "etcd_server_proposals_committed_total",
    "etcd_server_proposals_applied_total",
    "process_start_time_seconds",
    "process_open_fds",
];

/// A Prometheus that watches a cluster. It ends with the value.
struct Prometheus {
    child: Child,
    url: String,
    _folder: tempfile::TempDir,
}

impl Prometheus {
    /// With our rules file, but without its patience.
    fn watch(program: &std::path::Path, cluster: &Cluster) -> Prometheus {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let rules = include_str!("../docs/prometheus/etcd-alerts.yml");
        let impatient: Vec<&str> =
            rules.lines().map(|line| if line.trim_start().starts_with("for: ") { "        for: 1s" } else { line }).collect();
        let write = |name: &str, text: String| {
            let path = folder.path().join(name);
            fs::write(&path, text).expect("the temporary folder can be written");
            path
        };
        let rules = write("rules.yml", impatient.join("\n"));
        let targets: Vec<String> = cluster.members.iter().map(|member| member.client.replace("http://", "")).collect();
        let config = format!(
            "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\n\
             rule_files: [{rules:?}]\n\
             scrape_configs:\n  - job_name: etcd\n    static_configs: [{{ targets: {targets:?} }}]\n"
        );
        let config = write("prometheus.yml", config);
        let url = format!("http://127.0.0.1:{}", free_ports(1)[0]);
        let child = Command::new(program)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={}", url.replace("http://", "")))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.path().join("log")).expect("a log file"))
            .spawn()
            .expect("Prometheus starts");
        Prometheus { child, url, _folder: folder }
    }

    /// The `data` of an answer of Prometheus's API; `None` while it has none.
    fn ask(&self, path: &str) -> Option<serde_json::Value> {
        let address = self.url.strip_prefix("http://")?;
        let mut stream = TcpStream::connect(address).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
        // HTTP/1.0: an answer in one piece.
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (_, body) = answer.split_once("\r\n\r\n")?;
        let answer: serde_json::Value = serde_json::from_str(body).ok()?;
        (answer["status"] == "success").then(|| answer["data"].clone())
    }

    /// How many members tell of this.
    fn told_by(&self, metric: &str) -> u64 {
        let query: String = format!("count(count by (instance) ({metric}))").bytes().map(|byte| format!("%{byte:02x}")).collect();
        let told = self.ask(&format!("/api/v1/query?query={query}"));
        told.and_then(|told| told["result"][0]["value"][1].as_str()?.parse().ok()).unwrap_or(0)
    }

    fn rules(&self) -> Vec<serde_json::Value> {
        self.ask("/api/v1/rules").and_then(|rules| rules["groups"][0]["rules"].as_array().cloned()).unwrap_or_default()
    }

    /// The alerts that are firing.
    fn firing(&self) -> Vec<String> {
        let rules = self.rules();
        let mut firing: Vec<String> = rules
            .iter()
            .filter(|rule| rule["state"] == "firing")
            .filter_map(|rule| Some(rule["name"].as_str()?.to_owned()))
            .collect();
        firing.dedup();
        firing
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn etcds_alert_rules_see_a_cluster_that_is_well_and_one_that_is_not() {
    let (Some(prometheus), Some(ctl)) = (peer("prometheus-2.42.0/usr/bin/prometheus"), peer("etcdctl-3.5.16/etcdctl")) else {
        return;
    };
    let flags = ["--quota-backend-bytes=1000000000", "--metrics=extensive"];
    let mut cluster = Cluster::start_with(&[Kind::Quorate; 3], &flags, &[]);
    let prometheus = Prometheus::watch(&prometheus, &cluster);
    for member in &cluster.members {
        let put = etcdctl(&ctl, &member.client, &["put", "key", "value"], "");
        assert_eq!(put.stdout, "OK\n", "{put}");
    }

    wait("three members to be scraped", || prometheus.told_by("up == 1") == 3);
    for metric in ASKED_FOR {
        wait(&format!("{metric} of all members"), || prometheus.told_by(metric) == 3);
    }
    wait("every rule to be evaluated", || {
        let rules = prometheus.rules();
        rules.len() == 14 && rules.iter().all(|rule| rule["health"] != "unknown")
    });
    for rule in prometheus.rules() {
        assert_eq!(rule["health"], "ok", "{rule}");
    }
    assert_eq!(prometheus.firing(), Vec::<String>::new(), "nothing is wrong");

    let follower = (cluster.leader() + 1) % 3;
    cluster.members[follower].kill();
    wait("the alert that a member is down", || prometheus.firing().contains(&"etcdMembersDown".to_owned()));
    assert!(!prometheus.firing().contains(&"etcdInsufficientMembers".to_owned()), "two of three are a quorum");

    let other = (follower + 1) % 3;
    cluster.members[other].kill();
    wait("the alert that the quorum is lost", || prometheus.firing().contains(&"etcdInsufficientMembers".to_owned()));
    wait("the alert that nobody leads", || prometheus.firing().contains(&"etcdNoLeader".to_owned()));
    for rule in prometheus.rules() {
        assert_eq!(rule["health"], "ok", "{rule}");
    }
}
