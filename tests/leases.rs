//! Leases outlive leaders and nothing outlives its lease, in clusters of either kind and of both.

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use support::compare::{etcdctl, mask};
use support::{Cluster, Kind, etcdctls, peer, wait};

/// What a busy machine may add to the time until a key is seen to be gone.
const SLACK: Duration = Duration::from_secs(2);

struct Leased {
    cluster: Cluster,
    etcdctl: PathBuf,
}

impl Leased {
    fn start(kinds: &[Kind]) -> Option<Leased> {
        let (Some(_), Some(etcdctl)) = (peer("etcd-3.5.16/etcd"), peer("etcdctl-3.5.16/etcdctl")) else { return None };
        Some(Leased { cluster: Cluster::start(kinds), etcdctl })
    }

    /// What a command says, through one member; a blank separates words.
    fn say(&self, member: usize, line: &str) -> String {
        let words: Vec<&str> = line.split(' ').collect();
        let printed = etcdctl(&self.etcdctl, &self.cluster.members[member].client, &words, "");
        assert_eq!(printed.code, Some(0), "{line}: {printed}");
        printed.stdout
    }

    /// Grants a lease with a key of its name.
    fn grant(&self, member: usize, ttl: u64) -> String {
        let said = self.say(member, &format!("lease grant {ttl}"));
        let id = said.split(' ').nth(1).expect("an id").to_owned();
        self.say(member, &format!("put --lease={id} {id} held"));
        id
    }

    fn renew(&self, member: usize, id: &str) {
        let said = self.say(member, &format!("lease keep-alive --once {id}"));
        assert!(said.contains("keepalived with TTL("), "{said}");
    }

    /// Seconds, by the account of one member, who may have to ask.
    fn left(&self, member: usize, id: &str) -> i64 {
        let said = self.say(member, &format!("lease timetolive {id} -w json"));
        let answer: serde_json::Value = serde_json::from_str(&said).expect("JSON");
        answer["ttl"].as_i64().unwrap_or(0)
    }

    /// Whether the lease's key is there, as one member has it.
    fn holds(&self, member: usize, id: &str) -> bool {
        self.say(member, &format!("get --consistency=s {id}")).contains("held")
    }

    fn lead(&self, target: usize) {
        let leader = self.cluster.leader();
        if leader != target {
            let id = format!("{:x}", self.cluster.members[target].status().expect("a status").id);
            self.say(leader, &format!("move-leader {id}"));
        }
        assert_eq!(self.cluster.leader(), target);
    }

    /// Waits until the key is gone everywhere; returns since when `begin` that took.
    fn wait_gone(&self, id: &str, begin: Instant) -> Duration {
        for (i, member) in self.cluster.members.iter().enumerate() {
            if member.is_running() {
                wait("the key to go with its lease", || !self.holds(i, id));
            }
        }
        begin.elapsed()
    }

    fn signal(&self, member: usize, name: &str) {
        let sent = Command::new("kill").arg(name).arg(self.cluster.members[member].pid().to_string()).status();
        assert!(sent.expect("the command kill").success());
    }
}

#[test]
fn members_of_both_kinds_hand_keep_alives_to_a_leader_of_the_other() {
    let Some(leased) = Leased::start(&[Kind::Go, Kind::Quorate, Kind::Quorate]) else { return };
    for (leader, follower) in [(0, 1), (1, 0), (1, 2)] {
        leased.lead(leader);
        let id = leased.grant(follower, 4);
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(6) {
            leased.renew(follower, &id);
            let left = leased.left(follower, &id);
            assert!((2..=4).contains(&left), "{left} s are left, says member {follower} under leader {leader}");
            std::thread::sleep(Duration::from_millis(700));
        }
        assert!(leased.holds(follower, &id), "kept alive through member {follower}, under leader {leader}");
        assert_eq!(leased.left(follower, "12345"), -1, "an unknown lease");
        leased.say(follower, &format!("lease revoke {id}"));
        leased.wait_gone(&id, begin);
    }
    // Nobody renews it: it ends whoever leads.
    for leader in [0, 1] {
        leased.lead(leader);
        let begin = Instant::now();
        let id = leased.grant(2, 2);
        let took = leased.wait_gone(&id, begin);
        assert!(took >= Duration::from_secs(2), "after {took:?}");
        assert!(took <= Duration::from_secs(3) + SLACK, "after {took:?}");
    }
}

#[test]
fn a_key_goes_with_its_lease_in_time_even_if_the_leader_dies() {
    let Some(mut leased) = Leased::start(&[Kind::Quorate; 3]) else { return };
    let begin = Instant::now();
    let id = leased.grant(0, 3);
    let took = leased.wait_gone(&id, begin);
    assert!((Duration::from_secs(3)..Duration::from_secs(4) + SLACK).contains(&took), "after {took:?}");

    // The next leader gives it its whole life, and an election timeout for those who found nobody to renew with.
    let leader = leased.cluster.leader();
    let begin = Instant::now();
    let id = leased.grant(leader, 3);
    leased.cluster.members[leader].kill();
    let died = Instant::now();
    let survivor = (leader + 1) % 3;
    leased.wait_gone(&id, begin);
    let after = died.elapsed();
    assert!(begin.elapsed() >= Duration::from_secs(3));
    assert!(after <= Duration::from_secs(3 + 1 + 1 + 1) + SLACK, "{after:?} after the death");
    assert!(!leased.say(survivor, "lease list").contains(&id));
}

#[test]
fn what_is_left_of_a_lease_survives_its_leaders() {
    let Some(mut leased) = Leased::start(&[Kind::Quorate; 3]) else { return };
    let leader = leased.cluster.leader();
    let begin = Instant::now();
    let id = leased.grant(leader, 20);
    let renewed = leased.grant(leader, 20);
    // Half of its life goes by in silence.
    wait("half of it to pass", || leased.left(leader, &id) < 10);
    leased.renew(leader, &renewed);
    leased.cluster.members[leader].kill();
    let survivor = leased.cluster.leader();
    let left = leased.left(survivor, &id);
    assert!((8..=11).contains(&left), "{left} s are left of 20");
    let left = leased.left(survivor, &renewed);
    assert!((18..=21).contains(&left), "{left} s are left of one that was renewed");

    // And once more, by hand-over.
    leased.cluster.members[leader].spawn();
    leased.cluster.wait_healthy();
    let next = (survivor + 1) % 3;
    leased.lead(next);
    let left = leased.left(survivor, &id);
    assert!(left <= 11, "{left} s are left");
    let took = leased.wait_gone(&id, begin);
    assert!(took >= Duration::from_secs(20), "after {took:?}");
    assert!(leased.holds(survivor, &renewed));
}

#[test]
fn a_leader_that_was_paused_ends_no_lease_that_another_leader_renewed() {
    let Some(leased) = Leased::start(&[Kind::Quorate; 3]) else { return };
    let leader = leased.cluster.leader();
    let other = (leader + 1) % 3;
    let id = leased.grant(leader, 3);
    leased.signal(leader, "-STOP");
    let begin = Instant::now();
    wait("another leader", || {
        leased.cluster.members[other].status().is_some_and(|status| status.leader != 0) && {
            let words = ["--command-timeout=1s", "lease", "keep-alive", "--once", &id];
            etcdctl(&leased.etcdctl, &leased.cluster.members[other].client, &words, "").code == Some(0)
        }
    });
    while begin.elapsed() < Duration::from_secs(5) {
        leased.renew(other, &id);
        std::thread::sleep(Duration::from_millis(500));
    }
    // Its clock says that the lease ran out long ago.
    leased.signal(leader, "-CONT");
    let resumed = Instant::now();
    while resumed.elapsed() < Duration::from_secs(3) {
        leased.renew(other, &id);
        std::thread::sleep(Duration::from_millis(500));
    }
    for member in 0..3 {
        assert!(leased.holds(member, &id), "member {member} lost it");
    }
}

#[test]
fn etcdctl_says_of_leases_what_it_says_against_go() {
    let Some(programs) = etcdctls() else { return };
    let (Some(ours), Some(theirs)) = (Leased::start(&[Kind::Quorate]), Leased::start(&[Kind::Go])) else { return };
    for (version, program) in programs {
        let [ours, theirs] = [&ours, &theirs].map(|leased| converse(leased, &program));
        for (ours, theirs) in ours.iter().zip(&theirs) {
            assert_eq!(ours, theirs, "etcdctl {version}");
        }
    }
}

/// What etcdctl prints, command by command. `{lease}` is the last lease granted.
fn converse(leased: &Leased, program: &Path) -> Vec<String> {
    let lines = [
        "lease list",
        "lease list -w json",
        "lease grant 600",
        "lease list",
        "lease list -w json",
        "lease list -w fields",
        "lease timetolive {lease}",
        "lease timetolive {lease} --keys",
        "put --lease={lease} a 2 --prev-kv",
        "get a -w fields",
        // Of several keys Go prints any one first.
        "lease timetolive {lease} --keys -w fields",
        "lease keep-alive --once {lease}",
        "lease keep-alive --once {lease} -w json",
        "lease revoke {lease}",
        "get a",
        "lease revoke {lease}",
        "lease timetolive {lease}",
        "lease timetolive {lease} -w json",
        "lease keep-alive --once {lease}",
        "lease grant 1",
        "lease grant -5 -w json",
        "lease grant 9000000000",
        "lease revoke {lease} -w json",
        "lease grant 9000000001",
        "lease grant ten",
        "lease grant",
        "lease revoke zz",
        "lease keep-alive zz",
        "lease timetolive zz",
        "put --lease=1234 a 1",
        "lease revoke 0",
    ];
    let endpoint = &leased.cluster.members[0].client;
    let mut lease = "none yet".to_owned();
    let mut said = Vec::new();
    for line in lines {
        let line = line.replace("{lease}", &lease);
        let words: Vec<&str> = line.split(' ').collect();
        let printed = etcdctl(program, endpoint, &words, "");
        if let Some(id) = printed.stdout.strip_prefix("lease ").and_then(|rest| rest.split_once(" granted")) {
            lease = id.0.to_owned();
        }
        // One second more or less may have gone by.
        let printed = mask(&printed, &[(endpoint.replace("http://", ""), "ENDPOINT".into()), (lease.clone(), "LEASE".into())]);
        let mut text = format!("{line}\n{printed}").replace(&lease, "LEASE");
        for (pattern, replacement) in [(r#"("ttl":|"TTL" : )\d\d+"#, "${1}N"), (r"\b\d{15,}\b", "ID")] {
            text = regex::Regex::new(pattern).expect("a good pattern").replace_all(&text, replacement).into_owned();
        }
        said.push(text);
    }
    said
}
