//! One cluster of Go etcd and Quorate members, from the same flags.

mod support;

use std::path::Path;
use support::compare::etcdctl;
use support::{Cluster, Kind, peer, wait};

struct Mixed {
    cluster: Cluster,
    etcdctl: std::path::PathBuf,
    written: u32,
}

impl Mixed {
    /// Writes through each running member and reads it back through the next.
    fn write_through_each(&mut self) {
        let running: Vec<String> =
            self.cluster.members.iter().filter(|member| member.is_running()).map(|member| member.client.clone()).collect();
        for (i, endpoint) in running.iter().enumerate() {
            self.written += 1;
            let (key, value) = (format!("key-{}", self.written % 7), format!("value-{}", self.written));
            let put = etcdctl(&self.etcdctl, endpoint, &["put", &key, &value], "");
            assert_eq!(put.stdout, "OK\n", "through {endpoint}: {put}");
            let got = etcdctl(&self.etcdctl, &running[(i + 1) % running.len()], &["get", &key, "--print-value-only"], "");
            assert_eq!(got.stdout.trim_end(), value, "written through {endpoint}: {got}");
            let swap = format!("value(\"{key}\") = \"{value}\"\n\ndel {key}\nput {key}/swapped {value}\n\n\n");
            let swapped = etcdctl(&self.etcdctl, endpoint, &["txn"], &swap);
            assert!(swapped.stdout.starts_with("SUCCESS"), "{swapped}");
        }
    }

    fn lead(&mut self, target: usize) {
        let leader = self.cluster.leader();
        if leader != target {
            let id = format!("{:x}", self.cluster.members[target].status().expect("a status").id);
            let moved = etcdctl(&self.etcdctl, &self.cluster.members[leader].client, &["move-leader", &id], "");
            assert_eq!(moved.code, Some(0), "{moved}");
        }
        assert_eq!(self.cluster.leader(), target);
    }

    /// Every member has the same keys, values and revisions, by its own account.
    fn assert_agreement(&self) {
        let own_account = |endpoint: &str| {
            let got = etcdctl(&self.etcdctl, endpoint, &["get", "", "--prefix", "--consistency=s", "-w", "json"], "");
            let answer: serde_json::Value = serde_json::from_str(&got.stdout).unwrap_or_else(|_| panic!("{endpoint}: {got}"));
            (answer["header"]["revision"].clone(), answer["kvs"].clone(), answer["count"].clone())
        };
        let running: Vec<&support::Member> = self.cluster.members.iter().filter(|member| member.is_running()).collect();
        wait("all members to agree", || {
            let first = own_account(&running[0].client);
            running.iter().all(|member| own_account(&member.client) == first)
        });
    }
}

#[test]
fn go_and_quorate_members_make_one_cluster_and_each_kind_leads() {
    let (Some(_), Some(etcdctl)) = (peer("etcd-3.5.16/etcd"), peer("etcdctl-3.5.16/etcdctl")) else { return };
    let cluster = Cluster::start(&[Kind::Go, Kind::Quorate, Kind::Quorate]);
    let mut mixed = Mixed { cluster, etcdctl, written: 0 };
    mixed.write_through_each();
    for leader in [1, 0, 2] {
        mixed.lead(leader);
        mixed.write_through_each();
        mixed.assert_agreement();
        // Go asks even this through the log, whoever leads.
        let users = support::compare::etcdctl(&mixed.etcdctl, &mixed.cluster.members[0].client, &["user", "list"], "");
        assert_eq!((users.code, users.stdout.as_str()), (Some(0), ""), "{users}");
    }

    // The leader dies, whatever its kind; the others go on; it comes back and catches up.
    for victim in [0, 1] {
        mixed.lead(victim);
        mixed.cluster.members[victim].kill();
        wait("a survivor to take a write", || put(&mixed.etcdctl, &mixed.cluster, victim));
        mixed.write_through_each();
        mixed.cluster.members[victim].spawn();
        mixed.cluster.wait_healthy();
        mixed.write_through_each();
        mixed.assert_agreement();
    }

    // All of them, at once.
    mixed.cluster.kill_all();
    mixed.cluster.respawn_all();
    mixed.write_through_each();
    mixed.assert_agreement();

    // Members are listed alike by both kinds.
    let lists: Vec<String> = mixed
        .cluster
        .members
        .iter()
        .map(|member| support::compare::etcdctl(&mixed.etcdctl, &member.client, &["member", "list"], "").stdout)
        .collect();
    assert!(lists.iter().all(|list| *list == lists[0] && list.lines().count() == 3), "{lists:#?}");
}

fn put(program: &Path, cluster: &Cluster, victim: usize) -> bool {
    let survivor = &cluster.members[(victim + 1) % 3].client;
    etcdctl(program, survivor, &["--command-timeout=3s", "put", "after the death", "x"], "").code == Some(0)
}
