//! What operators do to a store and what it does by itself: compaction, quotas, alarms, checksums.

mod support;

use etcd::pb::etcdserverpb::HashRequest;
use etcd::pb::etcdserverpb::maintenance_client::MaintenanceClient;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use support::compare::{Printed, etcdctl};
use support::{Cluster, Kind, http_get, peer, wait};
use tonic::transport::Channel;

/// The sample of a metric without labels.
fn metric(url: &str, name: &str) -> f64 {
    let text = http_get(url, "/metrics").expect("metrics");
    let line = text.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap_or_else(|| panic!("no {name} in\n{text}"));
    line.rsplit(' ').next().and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{line}"))
}

fn is_ok(printed: &Printed) {
    assert_eq!(printed.code, Some(0), "{printed}");
}

fn revision(cluster: &Cluster, member: usize) -> i64 {
    cluster.members[member].status().expect("a status").revision
}

/// Writes one key so many times.
fn overwrite(ctl: &Path, url: &str, times: usize, value: &str) {
    for _ in 0..times {
        is_ok(&etcdctl(ctl, url, &["put", "key", value], ""));
    }
}

#[test]
fn a_physical_compaction_is_answered_when_the_space_is_free() {
    let Some(ctl) = peer("etcdctl-3.5.16/etcdctl") else { return };
    let cluster = Cluster::start(&[Kind::Quorate]);
    let url = cluster.members[0].client.clone();
    let size = || metric(&url, "etcd_mvcc_db_total_size_in_use_in_bytes");
    overwrite(&ctl, &url, 50, &"x".repeat(10_000));
    assert!(size() > 500_000.0);
    let now = revision(&cluster, 0).to_string();
    is_ok(&etcdctl(&ctl, &url, &["compaction", &now, "--physical"], ""));
    assert!(size() < 50_000.0, "{} bytes are left", size());
    // It had been done: nothing is left to wait for.
    let again = etcdctl(&ctl, &url, &["compaction", &now, "--physical"], "");
    assert!(again.stderr.contains("mvcc: required revision has been compacted"), "{again}");
}

#[test]
fn a_member_over_its_quota_refuses_and_a_compaction_makes_room() {
    let Some(ctl) = peer("etcdctl-3.5.16/etcdctl") else { return };
    let cluster = Cluster::start_with(&[Kind::Quorate; 3], &["--quota-backend-bytes=300000"], &[]);
    let (url, other) = (&cluster.members[0].client, &cluster.members[1].client);
    let put = |url: &str| etcdctl(&ctl, url, &["put", "key", &"x".repeat(20_000)], "");
    let refused = (0..100).map(|_| put(url)).find(|printed| printed.code != Some(0)).expect("the quota is full one day");
    assert!(refused.stderr.contains("etcdserver: mvcc: database space exceeded"), "{refused}");
    let listed = etcdctl(&ctl, url, &["alarm", "list"], "");
    assert!(listed.stdout.contains("alarm:NOSPACE"), "{listed}");
    assert!(put(other).stderr.contains("etcdserver: mvcc: database space exceeded"), "no member takes more");
    // Whoever deletes frees space, so that is let through.
    is_ok(&etcdctl(&ctl, other, &["del", "key"], ""));
    is_ok(&etcdctl(&ctl, url, &["get", "key"], ""));

    let now = revision(&cluster, 0).to_string();
    is_ok(&etcdctl(&ctl, url, &["compaction", &now], ""));
    wait("the alarm to be cleared", || etcdctl(&ctl, url, &["alarm", "list"], "").stdout.is_empty());
    is_ok(&put(url));
    is_ok(&put(other));
}

#[test]
fn an_alarm_can_be_disarmed_by_hand_and_there_is_nothing_to_defragment() {
    let (Some(ctl), Some(_)) = (peer("etcdctl-3.5.16/etcdctl"), peer("etcd-3.5.16/etcd")) else { return };
    for command in [vec!["alarm", "list"], vec!["alarm", "disarm"], vec!["defrag"]] {
        let printed = [Kind::Go, Kind::Quorate].map(|kind| {
            let cluster = Cluster::start(&[kind]);
            let url = &cluster.members[0].client;
            let mut printed = etcdctl(&ctl, url, &command, "");
            printed.stdout = printed.stdout.replace(url.as_str(), "URL");
            printed
        });
        assert!(printed[0] == printed[1], "{command:?}\n=== Go etcd: {}\n=== Quorate: {}", printed[0], printed[1]);
        is_ok(&printed[0]);
    }
}

/// What `/members/hashkv` answers.
fn hash_kv(url: &str, revision: i64) -> String {
    let address = url.strip_prefix("http://").expect("a URL");
    let mut stream = TcpStream::connect(address).expect("the peer port");
    let question = format!("{{\"revision\":{revision}}}");
    write!(
        stream,
        "GET /members/hashkv HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{question}",
        question.len()
    )
    .expect("a question");
    // Go's peer port takes five seconds to close a connection, so the answer's length says where it ends.
    let mut lines = BufReader::new(stream);
    let (mut status, mut line, mut length) = (String::new(), String::new(), 0);
    lines.read_line(&mut status).expect("a status");
    while lines.read_line(&mut line).expect("a head") > 2 {
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
        line.clear();
    }
    let mut body = vec![0; length];
    lines.read_exact(&mut body).expect("a body");
    format!("{}: {}", status.trim_end(), String::from_utf8_lossy(&body))
}

#[test]
fn members_of_both_kinds_agree_on_every_hash_and_check_each_other() {
    let (Some(_), Some(ctl)) = (peer("etcd-3.5.16/etcd"), peer("etcdctl-3.5.16/etcdctl")) else { return };
    let flags = [
        "--experimental-initial-corrupt-check=true",
        "--experimental-corrupt-check-time=1s",
        "--experimental-compact-hash-check-enabled=true",
        "--experimental-compact-hash-check-time=1s",
    ];
    let mut cluster = Cluster::start_with(&[Kind::Quorate, Kind::Go, Kind::Quorate], &flags, &[]);
    let url = cluster.members[0].client.clone();
    overwrite(&ctl, &url, 10, "one");
    is_ok(&etcdctl(&ctl, &url, &["del", "key"], ""));
    overwrite(&ctl, &url, 5, "two");
    is_ok(&etcdctl(&ctl, &url, &["put", "other", "value"], ""));
    let assert_equal = |cluster: &Cluster, revision: i64| {
        wait(&format!("all to have the same checksum of revision {revision}"), || {
            let hashes: Vec<String> = cluster.members.iter().map(|member| hash_kv(&member.peer, revision)).collect();
            hashes.iter().all(|hash| *hash == hashes[0])
        });
        hash_kv(&cluster.members[0].peer, revision)
    };
    let last = revision(&cluster, 0);
    for at in 0..=last + 1 {
        assert_equal(&cluster, at);
    }
    // A compaction's checksum is remembered as of the compaction before it, on members of both kinds.
    for at in [5, 12, last] {
        is_ok(&etcdctl(&ctl, &url, &["compaction", &at.to_string(), "--physical"], ""));
        wait("the checksum of the compaction", || {
            cluster.members.iter().all(|m| !hash_kv(&m.peer, at).contains(&format!("\"compact_revision\":{at}")))
        });
        for asked in 0..=last {
            assert_equal(&cluster, asked);
        }
    }
    assert!(hash_kv(&cluster.members[0].peer, last).contains("\"compact_revision\":12"));

    // Both kinds check, as leaders, and find nothing.
    for leader in 0..3 {
        let id = format!("{:x}", cluster.members[leader].status().expect("a status").id);
        let now = cluster.leader();
        if now != leader {
            is_ok(&etcdctl(&ctl, &cluster.members[now].client, &["move-leader", &id], ""));
        }
        overwrite(&ctl, &url, 3, "three");
        let checked = |cluster: &Cluster| {
            cluster.members[leader].log_contains(&["finished peer corruption check", "compared the history of members"])
        };
        wait("a check", || checked(&cluster));
        let alarms = etcdctl(&ctl, &url, &["alarm", "list"], "");
        assert_eq!(alarms.stdout, "", "{alarms}");
    }

    // The check at the start lets a member that holds what the others do come back.
    cluster.members[0].kill();
    cluster.members[0].spawn();
    cluster.members[0].wait_healthy();
    assert!(cluster.members[0].log_contains(&["comparing the history here with that of the other members"]));
}

/// What Maintenance.Hash answers at each member.
fn whole_hashes(cluster: &Cluster) -> Vec<u32> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut hashes = Vec::new();
        for url in cluster.endpoints() {
            let channel = Channel::from_shared(url).expect("a URL").connect().await.expect("a member that listens");
            let answer = MaintenanceClient::new(channel).hash(HashRequest {}).await.expect("a checksum");
            hashes.push(answer.into_inner().hash);
        }
        hashes
    })
}

#[test]
fn the_checksum_of_everything_is_gos() {
    let (Some(_), Some(ctl)) = (peer("etcd-3.5.16/etcd"), peer("etcdctl-3.5.16/etcdctl")) else { return };
    let cluster = Cluster::start(&[Kind::Quorate, Kind::Go, Kind::Quorate]);
    let url = &cluster.members[0].client;
    let assert_equal = |what: &str| {
        wait(&format!("the same checksum {what}"), || {
            let hashes = whole_hashes(&cluster);
            hashes.iter().all(|&hash| hash == hashes[0])
        });
    };
    assert_equal("of an empty store");
    overwrite(&ctl, url, 5, "value");
    is_ok(&etcdctl(&ctl, url, &["del", "key"], ""));
    let granted = etcdctl(&ctl, url, &["lease", "grant", "600"], "");
    let lease = granted.stdout.split(' ').nth(1).expect("an id").to_owned();
    is_ok(&etcdctl(&ctl, url, &["put", "leased", "value", &format!("--lease={lease}")], ""));
    assert_equal("with a deletion and a lease");
    for at in ["4", "7"] {
        is_ok(&etcdctl(&ctl, url, &["compaction", at, "--physical"], ""));
        assert_equal("after a compaction");
    }
    is_ok(&etcdctl(&ctl, url, &["lease", "revoke", &lease], ""));
    assert_equal("without the lease");
}

/// Answers every question for a checksum as a member would that holds something else.
fn impostor(listener: &TcpListener) {
    for stream in listener.incoming().flatten() {
        let mut lines = BufReader::new(stream);
        let (mut first, mut length) = (String::new(), 0);
        if lines.read_line(&mut first).is_err() {
            continue;
        }
        let mut line = String::new();
        while lines.read_line(&mut line).is_ok_and(|bytes| bytes > 2) {
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
            line.clear();
        }
        let mut body = vec![0; length];
        if !first.starts_with("GET /members/hashkv") || lines.read_exact(&mut body).is_err() {
            continue;
        }
        let asked: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        let answer = format!(
            "{{\"header\":{{\"revision\":{}}},\"hash\":1,\"compact_revision\":-1}}",
            asked["revision"].as_i64().unwrap_or(1)
        );
        let _ = write!(
            lines.get_mut(),
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{answer}",
            answer.len()
        );
    }
}

#[test]
fn the_member_that_a_majority_speaks_against_is_called_corrupt() {
    let Some(ctl) = peer("etcdctl-3.5.16/etcdctl") else { return };
    let mut cluster = Cluster::start_with(&[Kind::Quorate; 3], &["--experimental-corrupt-check-time=1s"], &[]);
    let url = cluster.members[0].client.clone();
    overwrite(&ctl, &url, 3, "value");
    let id = cluster.members[2].status().expect("a status").id;
    cluster.members[2].kill();
    let address = cluster.members[2].peer.replace("http://", "");
    let listener = TcpListener::bind(address).expect("its port is free now");
    std::thread::spawn(move || impostor(&listener));
    wait("the alarm", || etcdctl(&ctl, &url, &["alarm", "list"], "").stdout.contains("alarm:CORRUPT"));
    let alarms = etcdctl(&ctl, &url, &["alarm", "list"], "");
    assert_eq!(alarms.stdout, format!("memberID:{id} alarm:CORRUPT \n"));
    let put = etcdctl(&ctl, &url, &["put", "key", "value"], "");
    assert!(put.stderr.contains("etcdserver: corrupt cluster"), "{put}");
    is_ok(&etcdctl(&ctl, &url, &["alarm", "disarm"], ""));
}
