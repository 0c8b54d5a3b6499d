//! The same command against two clusters, and what differs between what they print.

use regex::Regex;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

/// What a command printed and how it ended.
#[derive(PartialEq, Eq, Clone)]
pub struct Printed {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl std::fmt::Display for Printed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit {:?}\n--- stdout\n{}\n--- stderr\n{}", self.code, self.stdout, self.stderr)
    }
}

/// A command of etcdctl with pipes to it, for `endpoints` unless it names others: a second flag would add to the first.
pub fn command(program: &Path, endpoints: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    if !arguments.iter().any(|word| word.starts_with("--endpoints")) {
        command.args(["--endpoints", endpoints]);
    }
    command.env("ETCDCTL_API", "3").args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs etcdctl with `arguments` and `input` on standard input.
pub fn etcdctl(program: &Path, endpoints: &str, arguments: &[&str], input: &str) -> Printed {
    let mut child = command(program, endpoints, arguments).spawn().expect("etcdctl starts");
    let mut stdin = child.stdin.take().expect("piped");
    let input = input.to_owned();
    let writer = std::thread::spawn(move || {
        // A command that does not read its input may close it early.
        let _ = stdin.write_all(input.as_bytes());
    });
    let output = child.wait_with_output().expect("etcdctl ends");
    writer.join().expect("the writer ends");
    Printed {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Takes out what may differ: addresses, ids, versions, sizes, terms, indexes and times.
pub fn mask(printed: &Printed, endpoints: &[(String, String)]) -> Printed {
    let mask = |text: &str| {
        let mut text = text.to_owned();
        for (address, name) in endpoints {
            text = text.replace(address, name);
        }
        for (pattern, replacement) in MASKS.iter() {
            text = pattern.replace_all(&text, *replacement).into_owned();
        }
        text
    };
    Printed { code: printed.code, stdout: mask(&printed.stdout), stderr: mask(&printed.stderr) }
}

static MASKS: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    [
        // A lease's time is granted as it is, and runs.
        (r"\bTTL\((\d+)s\)", "TTL[$1]"),
        (r"remaining\(\d+s\)", "remaining[N]"),
        (r#""ttl":\d+,"granted-ttl""#, r#""ttl":N,"granted-ttl""#),
        (r#""(id|lease)":\d+"#, r#""$1":ID"#),
        (r#""Lease" : \d+"#, r#""Lease" : ID"#),
        (r#""(ID|cluster_id|member_id|leader)":\d+"#, r#""$1":ID"#),
        (r#""(raft_term|raftTerm|raftIndex|raftAppliedIndex|dbSize|dbSizeInUse)":\d+"#, r#""$1":N"#),
        (r#""(ClusterID|MemberID|Leader|ID)" : \d+"#, r#""$1" : ID"#),
        (r#""(RaftTerm|RaftIndex|RaftAppliedIndex|DBSize|DBSizeInUse)" : \d+"#, r#""$1" : N"#),
        (r#""version":"[0-9.]+""#, r#""version":"V""#),
        (r#""Version" : "[0-9.]+""#, r#""Version" : "V""#),
        (r"\b3\.\d+\.\d+\b", "V"),
        (r"\d+(\.\d+)?(ns|µs|ms|s)\b", "TIME"),
        (r#""ts":"[^"]*""#, r#""ts":"TIME""#),
        (r#""took":"[^"]*""#, r#""took":"TIME""#),
        (r"endpoint://client-[0-9a-f-]+/", "endpoint://CLIENT/"),
        (r"0x[0-9a-f]+", "PTR"),
        (r"\b[0-9a-f]{14,16}\b", "ID"),
        (r"\d+(\.\d+)? (B|kB|MB)\b", "SIZE"),
        // `endpoint status`: is leader, is learner, raft term, raft index, raft applied index.
        (r"SIZE, (true|false), (true|false), \d+, \d+, \d+,", "SIZE, $1, $2, N, N, N,"),
        (r"\| +(true|false) \| +(true|false) \| +\d+ \| +\d+ \| +\d+ \|", "| $1 | $2 | N | N | N |"),
        // What is masked changes the width of a table.
        (r"[ ]{2,}", " "),
        (r"-{2,}", "--"),
    ]
    .into_iter()
    .map(|(pattern, replacement)| (Regex::new(pattern).expect("a good pattern"), replacement))
    .collect()
});
