//! The unchanged etcdctl cannot tell Quorate from Go etcd: the same commands against both print the same.

mod support;

#[allow(unreachable_pub, missing_docs, reason = "modules of this test alone")]
mod etcdctl {
    pub mod leases;
    pub mod raw;
    pub mod side;
    pub mod streams;
    pub mod upkeep;
}

use etcdctl::side::{Side, Step, differences, grant, sorted, step, typed};
use etcdctl::streams::{Stream, Watch};
use etcdctl::{leases, upkeep};
use std::fmt::Write;
use std::path::Path;
use support::compare::{Printed, etcdctl, mask};
use support::{Cluster, Kind, etcdctls, peer};

fn puts_and_gets() -> Vec<Step> {
    let mut steps = vec![
        step("get nothing"),
        step("put foo bar"),
        step("put foo bar2 --prev-kv"),
        step("put fresh value --prev-kv -w json"),
        step("get foo"),
        step("get foo -w json"),
        step("get foo -w fields"),
        step("get foo --print-value-only"),
        step("get foo --hex"),
        step("get foo --keys-only"),
        step("get foo --rev=2"),
        step("get foo --rev=3"),
        step("get foo --rev=99"),
        step("get foo --rev=99 -w json"),
        step("get foo --rev=-1"),
        step("get foo --consistency=s"),
        step("get foo --consistency=l"),
        step("get foo --consistency=x"),
        typed("put typed", "from standard input"),
        typed("put typed/lines", "one\ntwo\n"),
        step("get typed --prefix"),
        step("put ''"),
        step("put '' x"),
        step("get ''"),
        step("put foo --ignore-value"),
        step("put foo x --ignore-value"),
        step("put missing --ignore-value"),
        step("put foo x --ignore-lease"),
        step("put missing x --ignore-lease"),
        step("put foo x --lease=1234"),
        step("put foo x --lease=zz"),
        step("put"),
        typed("put large", "x".repeat(1_500_000)),
        typed("put larger", "x".repeat(1_600_000)),
        typed("put largest", "x".repeat(2_500_000)),
        step("get large --keys-only"),
    ];
    for i in 1..=9 {
        steps.push(step(&format!("put k{i} v{}", 10 - i)));
    }
    steps.push(step("put k5 again"));
    steps.push(step("put k3 again"));
    for flags in [
        "",
        "-w json",
        "--keys-only",
        "--count-only -w fields",
        "--limit=3",
        "--limit=3 -w json",
        "--limit=3 --order=DESCEND",
        "--order=DESCEND",
        "--order=ASCEND --sort-by=CREATE",
        "--order=DESCEND --sort-by=MODIFY",
        "--order=DESCEND --sort-by=VERSION",
        "--order=ASCEND --sort-by=VALUE",
        "--sort-by=VALUE",
        "--sort-by=MODIFY --limit=2",
        "--order=SIDEWAYS",
        "--sort-by=COLOUR",
        "--rev=12",
        "--rev=12 --limit=4 -w json",
        "--print-value-only",
        "--consistency=s -w json",
    ] {
        steps.push(step(&format!("get k --prefix {flags}")));
    }
    steps.extend([
        step("get k3 k6"),
        step("get k6 k3"),
        step("get k7 --from-key"),
        step("get '' --from-key --keys-only --limit=5"),
        step("get '' --prefix --keys-only"),
        step("get k3 k6 --prefix"),
        step("get k3 k6 --from-key"),
        step("del nothing"),
        step("del foo"),
        step("del foo --prev-kv"),
        step("del k1 --prev-kv"),
        step("del k2 k4 --prev-kv -w json"),
        step("del k8 --from-key"),
        step("del k --prefix -w fields"),
        step("get k --prefix --rev=14 --keys-only"),
        step("del ''"),
        step("put foo reborn"),
        step("get foo -w json"),
        step("--command-timeout=x get foo"),
    ]);
    steps
}

fn transactions() -> Vec<Step> {
    let many = |count: usize| {
        (0..count).fold(String::from("\n"), |mut text, i| {
            writeln!(text, "put many{i:04} x").expect("text grows");
            text
        }) + "\n\n"
    };
    vec![
        typed("txn", "value(\"tk\") = \"x\"\n\nput tk success\n\nput tk failure\n\n"),
        typed("txn", "value(\"tk\") = \"failure\"\n\nput tk success\nget tk\n\nput tk failure\n\n"),
        typed("txn -w json", "version(\"tk\") = \"2\"\n\nget tk\nput other 1\nget other\n\nget tk\n\n"),
        typed("txn -w json", "version(\"tk\") > \"2\"\n\nget tk\n\nget other\n\n"),
        typed("txn", "create(\"tk\") < \"9999\"\nmod(\"tk\") > \"0\"\n\ndel other\nget other\n\n\n"),
        typed("txn", "create(\"none\") = \"0\"\n\nput none 1\n\nput none 2\n\n"),
        typed("txn", "create(\"none\") = \"0\"\n\nput none 1\n\nput none 2\n\n"),
        typed("txn", "value(\"absent\") = \"\"\n\nput absent 1\n\nput absent 2\n\n"),
        typed("txn", "lease(\"tk\") = \"0\"\n\nget tk\n\n\n"),
        typed("txn", "value(\"tk\") != \"zz\"\n\nget tk --limit=1\n\n\n"),
        typed("txn", "\nput dup 1\nput dup 2\n\n\n"),
        typed("txn", "\nput dup 1\ndel dup\n\n\n"),
        typed("txn", "\ndel dup --prefix\nput duplicate 1\n\n\n"),
        typed("txn", "\nput left 1\n\nput left 2\n\n"),
        typed("txn", "\nget tk --rev=999\n\n\n"),
        typed("txn", "\nput '' x\n\n\n"),
        typed("txn", "nonsense\n\n\n\n"),
        typed("txn", many(128)),
        typed("txn", many(129)),
        step("get many --prefix --count-only -w fields"),
        step("del many --prefix"),
        typed("txn", "\n\n\n"),
        step("get tk -w json"),
    ]
}

fn compactions() -> Vec<Step> {
    vec![
        step("compaction 5"),
        step("compaction 5"),
        step("compaction 99999"),
        step("compaction 7 --physical"),
        step("get foo --rev=3"),
        step("get foo --rev=7"),
        step("get foo --rev=3 -w json"),
        typed("txn", "\nget foo --rev=3\n\n\n"),
    ]
}

fn cluster() -> Vec<Step> {
    vec![
        step("--endpoints={all} endpoint health"),
        step("--endpoints={1} endpoint health -w json"),
        step("endpoint health --cluster"),
        step("endpoint status"),
        step("endpoint status -w table"),
        step("endpoint status -w json"),
        step("endpoint status -w fields"),
        step("endpoint status --cluster"),
        step("move-leader zz"),
        step("move-leader 1234567890abcdef"),
        step("move-leader"),
        step("--endpoints={1} get foo"),
        step("--endpoints={2} get foo"),
        step("--endpoints={3} get foo -w json"),
        step("--endpoints={2} put through follower"),
        step("--endpoints={all} get through"),
        step("get foo --dial-timeout=x"),
        step("--user=a:b get foo"),
    ]
}

/// What watches from the past see.
fn past() -> Vec<Step> {
    vec![
        step("put past/a 1"),
        step("put past/a 2"),
        typed("txn", "\nput past/b 1\ndel past/a\nput past/c 1\n\n\n"),
        step("del past/ --prefix"),
        step("put past/z END"),
    ]
}

/// Watches, and what happens to what they watch. The last is always a put of END.
fn watches() -> Vec<Watch> {
    let changes = |key: &str| {
        vec![
            step(&format!("put {key} a")),
            step(&format!("put {key} b")),
            step(&format!("del {key}")),
            step(&format!("put {key} END")),
        ]
    };
    let plain = |line: &str, meanwhile: Vec<Step>| Watch::new(step(line), meanwhile, "END");
    // As JSON has it: "END" in base64.
    let json = |line: &str, meanwhile: Vec<Step>| Watch::new(step(line), meanwhile, "RU5E");
    let several = "\nput wa 1\nput wb 2\ndel wc\nput w9 END\n\n\n";
    vec![
        plain("watch w1", changes("w1")),
        plain("watch w1 --prev-kv", changes("w1")),
        json("watch w1 -w json", changes("w1")),
        json("watch w1 --prev-kv -w json", changes("w1")),
        plain("watch w1 -w fields", changes("w1")),
        plain("watch w --prefix", changes("w2")),
        plain("watch w1 w3", [changes("w3"), changes("w2")].concat()),
        plain("watch w1 w3 --prev-kv", changes("w2")),
        plain("watch '' --prefix", changes("elsewhere")),
        plain("watch w --prefix", vec![step("put wc c"), typed("txn", several)]),
        json("watch w --prefix -w json", vec![typed("txn", several)]),
        plain("watch w --prefix --prev-kv", vec![step("put wc c"), typed("txn", several)]),
        plain("watch w1 --progress-notify", changes("w1")),
        plain("--endpoints={2} watch w1", changes("w1")),
        // From the past, the future, and what is compacted.
        plain("watch past/ --prefix --rev=36", Vec::new()),
        plain("watch past/ --prefix --rev=36 --prev-kv", Vec::new()),
        json("watch past/ --prefix --rev=36 -w json", Vec::new()),
        json("watch past/b past/c --rev=36 -w json", Vec::new()).silent(),
        plain("watch w --prefix --rev=1000", Vec::new()).silent(),
        plain("watch w1 --rev=3", Vec::new()),
        json("watch w1 --rev=3 -w json", Vec::new()),
        // Interactive, several on one stream, and progress.
        Watch::new(typed("watch -i", "watch w1\n"), changes("w1"), "END"),
        // Two at once print their lines as they come.
        Watch::new(typed("watch -i", "watch --prefix w\nwatch w5\n"), changes("w5"), "END").twice().only(""),
        Watch::new(typed("watch -i", "watch w1\nprogress\n"), Vec::new(), "progress notify"),
        Watch::new(typed("watch -i", "nonsense\nwatch w1\n"), changes("w1"), "END"),
        Watch::new(typed("watch -i", "watch --rev=x w\nwatch w1\n"), changes("w1"), "END"),
        // With a command for each event.
        Watch::new(step("watch w1 -- echo heard"), vec![step("put w1 a"), step("put w1 END")], "heard").twice(),
        Watch::new(step("watch w1 --prefix -- env"), vec![step("put w1 END")], "ETCD_WATCH_VALUE").only("ETCD_WATCH_"),
        // Refused by etcdctl itself.
        plain("watch", Vec::new()),
        plain("watch --rev=x w", Vec::new()),
        plain("watch w1 -w table", Vec::new()).silent(),
    ]
}

#[test]
fn etcdctl_prints_the_same_against_go_etcd() {
    differences(|program, go, ours, wrong| {
        for step in [puts_and_gets(), transactions(), compactions(), cluster(), upkeep::hashes()].iter().flatten() {
            wrong.compare(&step.to_string(), &go.run(program, step), &ours.run(program, step));
        }
        for step in past() {
            wrong.compare(&step.to_string(), &go.run(program, &step), &ours.run(program, &step));
        }
        for watch in watches() {
            // Nothing is there before, so that END is said once.
            for side in [go, ours] {
                side.run(program, &step("del w --prefix"));
                side.run(program, &step("del elsewhere"));
            }
            wrong.compare(&watch.step.to_string(), &watch.run(program, go), &watch.run(program, ours));
        }
        for step in [leases::leases(), upkeep::upkeep()].iter().flatten() {
            wrong.compare(&step.to_string(), &go.run(program, step), &ours.run(program, step));
        }
    });
}

#[test]
fn streams_that_go_on_print_the_same_against_go_etcd() {
    differences(|program, go, ours, wrong| {
        wrong.compare("lease keep-alive", &keep_alive(program, go), &keep_alive(program, ours));
        wrong.compare("expiry", &expiry(program, go), &expiry(program, ours));
        wrong.compare("lock", &locks(program, go), &locks(program, ours));
        wrong.compare("elect", &elections(program, go), &elections(program, ours));
    });
}

/// It renews every third of its time, until its lease is gone.
fn keep_alive(program: &Path, side: &Side) -> Printed {
    side.run(program, &grant("kept", "lease grant 6"));
    let mut stream = Stream::start(program, side, &step("lease keep-alive {kept}"));
    let renewed = stream.wait_for("keepalived with TTL(6)", 2);
    side.run(program, &step("lease revoke {kept}"));
    let mut printed = stream.join(side);
    // How often it was renewed in that time is chance.
    let mut lines: Vec<&str> = printed.stdout.lines().collect();
    lines.dedup();
    printed.stdout = format!("renewed twice: {renewed}\n{}", lines.join("\n"));
    printed
}

/// A watcher hears the end of a lease that nobody renews.
fn expiry(program: &Path, side: &Side) -> Printed {
    side.run(program, &grant("short", "lease grant 2"));
    let puts = [step("put short/1 x --lease={short}"), step("put short/2 y --lease={short}")];
    let mut stream = Stream::start(program, side, &step("watch short/ --prefix --rev=1"));
    puts.iter().for_each(|put| drop(side.run(program, put)));
    stream.wait_for("DELETE", 2);
    stream.end(side)
}

/// Two want the same lock.
fn locks(program: &Path, side: &Side) -> Printed {
    let once = side.run(program, &step("lock door echo held once"));
    let mut first = Stream::start(program, side, &step("lock door"));
    let got = first.wait_for("door/", 1);
    let waits = Stream::start(program, side, &step("--endpoints={2} lock door echo held in time"));
    support::wait("the second to queue", || {
        side.run(program, &step("get door/ --prefix --keys-only")).stdout.matches("door/").count() == 2
    });
    let first = first.end(side);
    let second = waits.join(side);
    let left = side.run(program, &step("get door/ --prefix --keys-only"));
    let lease = side.run(program, &step("lock door --ttl=0 echo x"));
    Printed { code: second.code, stdout: format!("{once}\n{got}\n{first}\n{second}\n{left}\n{lease}"), stderr: String::new() }
}

/// Two want the same throne, and a third looks on.
fn elections(program: &Path, side: &Side) -> Printed {
    let mut first = Stream::start(program, side, &step("elect throne one"));
    first.wait_for("one", 1);
    let mut looks = Stream::start(program, side, &step("--endpoints={3} elect throne -l"));
    looks.wait_for("one", 1);
    let mut second = Stream::start(program, side, &step("--endpoints={2} elect throne two"));
    support::wait("the second to queue", || {
        side.run(program, &step("get throne/ --prefix --keys-only")).stdout.matches("throne/").count() == 2
    });
    let first = first.end(side);
    second.wait_for("two", 1);
    looks.wait_for("two", 1);
    let (second, looks) = (second.end(side), looks.end(side));
    Printed { code: None, stdout: format!("{first}\n{second}\n{looks}"), stderr: String::new() }
}

#[test]
fn what_etcdctl_cannot_ask_is_answered_alike() {
    differences(|program, go, ours, wrong| {
        for side in [go, ours] {
            (0..5).for_each(|i| drop(side.run(program, &step(&format!("put before {i}")))));
            side.run(program, &step("compaction 4"));
        }
        etcdctl::raw::compare(go, ours, wrong);
    });
}

/// The names in a `member list` sort by id, and which member is which differs: compare the lists member by member.
#[test]
fn member_lists_say_the_same_in_every_format() {
    let (Some(etcdctls), Some(_)) = (etcdctls(), peer("etcd-3.5.16/etcd")) else { return };
    let (go, ours) = (Cluster::start(&[Kind::Go; 3]), Cluster::start(&[Kind::Quorate; 3]));
    for (version, program) in &etcdctls {
        for format in ["simple", "table", "fields", "json"] {
            let list = |cluster: &Cluster| {
                let names: Vec<(String, String)> = cluster
                    .members
                    .iter()
                    .flat_map(|member| {
                        [
                            (member.client.clone(), format!("client-{}", member.name)),
                            (member.peer.clone(), format!("peer-{}", member.name)),
                        ]
                    })
                    .collect();
                sorted(&mask(&etcdctl(program, &cluster.members[0].client, &["member", "list", "-w", format], ""), &names))
            };
            let (expected, got) = (list(&go), list(&ours));
            assert!(expected == got, "etcdctl {version} member list -w {format}\n=== Go etcd: {expected}\n=== Quorate: {got}");
        }
    }
}

#[test]
fn move_leader_moves_the_leader() {
    let Some(etcdctls) = etcdctls() else { return };
    for kind in [Kind::Go, Kind::Quorate] {
        if kind == Kind::Go && peer("etcd-3.5.16/etcd").is_none() {
            continue;
        }
        let cluster = Cluster::start(&[kind; 3]);
        for (version, program) in &etcdctls {
            let leader = cluster.leader();
            let target = (leader + 1) % 3;
            let id = format!("{:x}", cluster.members[target].status().expect("a status").id);
            let moved = etcdctl(program, &cluster.members[leader].client, &["move-leader", &id], "");
            assert_eq!(moved.code, Some(0), "{kind:?}, etcdctl {version}: {moved}");
            assert!(moved.stdout.starts_with("Leadership transferred from "), "{kind:?}: {moved}");
            assert_eq!(cluster.leader(), target, "{kind:?}, etcdctl {version}");
            // Asked of a member that does not lead, it is refused in the same words.
            let refused = etcdctl(program, &cluster.members[leader].client, &["move-leader", &id], "");
            assert_ne!(refused.code, Some(0));
            assert!(refused.stderr.contains("no leader endpoint given at"), "{kind:?}: {refused}");
        }
    }
}
