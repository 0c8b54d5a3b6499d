//! The unchanged etcdctl cannot tell Quorate from Go etcd: the same commands against both print the same.

mod support;

use std::fmt::Write;
use support::compare::{Printed, etcdctl, mask};
use support::{Cluster, Kind, etcdctls, peer};

/// A command line and what is typed into it. `{1}` … `{3}` are the endpoints, `{all}` all of them; the rest goes to the leader.
struct Step {
    arguments: Vec<String>,
    input: String,
}

fn step(line: &str) -> Step {
    Step { arguments: words(line), input: String::new() }
}

fn typed(line: &str, input: impl Into<String>) -> Step {
    Step { arguments: words(line), input: input.into() }
}

/// Splits at blanks; `''` is an empty word.
fn words(line: &str) -> Vec<String> {
    line.split(' ').filter(|word| !word.is_empty()).map(|word| if word == "''" { String::new() } else { word.into() }).collect()
}

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

struct Side {
    cluster: Cluster,
    names: Vec<(String, String)>,
    leader: usize,
}

impl Side {
    fn start(kind: Kind) -> Side {
        let cluster = Cluster::start(&[kind; 3]);
        let leader = cluster.leader();
        // Who leads differs from run to run: the leader is called L, the others by their order after it.
        let mut names = Vec::new();
        for (i, member) in cluster.members.iter().enumerate() {
            let name = ["L", "A", "B"][(i + 3 - leader) % 3];
            for (what, url) in [("CLIENT", &member.client), ("PEER", &member.peer)] {
                names.push((url.clone(), format!("{what}-{name}")));
                names.push((url.trim_start_matches("http://").to_owned(), format!("{what}-{name}")));
            }
        }
        Side { cluster, names, leader }
    }

    fn endpoint(&self, offset: usize) -> &str {
        &self.cluster.members[(self.leader + offset) % 3].client
    }

    fn run(&self, program: &std::path::Path, step: &Step) -> Printed {
        let all = self.cluster.endpoints().join(",");
        let arguments: Vec<String> = step
            .arguments
            .iter()
            .map(|word| {
                word.replace("{all}", &all)
                    .replace("{1}", self.endpoint(0))
                    .replace("{2}", self.endpoint(1))
                    .replace("{3}", self.endpoint(2))
            })
            .collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        mask(&etcdctl(program, self.endpoint(0), &arguments, &step.input), &self.names)
    }
}

/// Listings come in order of ids, which differ: compare them as sets, of lines or of JSON objects.
fn sorted(printed: &Printed) -> Printed {
    let stdout = printed.stdout.replace("},{", "},\n{").replace(":[{", ":[\n{").replace("}]", "},\n]");
    let mut lines: Vec<&str> = stdout.lines().collect();
    lines.sort_unstable();
    let mut errors: Vec<&str> = printed.stderr.lines().collect();
    errors.sort_unstable();
    Printed { code: printed.code, stdout: lines.join("\n"), stderr: errors.join("\n") }
}

#[test]
fn etcdctl_prints_the_same_against_go_etcd() {
    let (Some(etcdctls), Some(_)) = (etcdctls(), peer("etcd-3.5.16/etcd")) else { return };
    let mut differences = String::new();
    for (version, program) in &etcdctls {
        let (go, ours) = (Side::start(Kind::Go), Side::start(Kind::Quorate));
        let all = [puts_and_gets(), transactions(), compactions(), cluster()];
        for step in all.iter().flatten() {
            let (expected, got) = (go.run(program, step), ours.run(program, step));
            let listing = step.arguments.iter().any(|word| word == "member" || word == "endpoint");
            let (expected, got) = if listing { (sorted(&expected), sorted(&got)) } else { (expected, got) };
            if expected != got {
                writeln!(
                    differences,
                    "=== etcdctl {version} {}\n=== Go etcd: {expected}\n=== Quorate: {got}\n",
                    step.arguments.join(" ")
                )
                .expect("text grows");
            }
        }
    }
    assert!(differences.is_empty(), "{differences}");
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
