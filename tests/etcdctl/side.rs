//! One of the two clusters that are compared, and the comparison.

use crate::support::compare::{Printed, etcdctl, mask};
use crate::support::{Cluster, Kind, etcdctls, peer};
use std::cell::RefCell;
use std::fmt::{self, Write};
use std::path::Path;

/// A command line and what is typed into it. `{1}` … `{3}` are the endpoints, `{all}` all of them; the rest goes to the leader.
/// Other names in braces are leases.
#[derive(Clone)]
pub struct Step {
    pub arguments: Vec<String>,
    pub input: String,
    /// What the lease that this grants is called afterwards.
    pub grants: Option<&'static str>,
}

pub fn step(line: &str) -> Step {
    Step { arguments: words(line), input: String::new(), grants: None }
}

pub fn typed(line: &str, input: impl Into<String>) -> Step {
    Step { input: input.into(), ..step(line) }
}

pub fn grant(name: &'static str, line: &str) -> Step {
    Step { grants: Some(name), ..step(line) }
}

/// Splits at blanks; `''` is an empty word.
fn words(line: &str) -> Vec<String> {
    line.split(' ').filter(|word| !word.is_empty()).map(|word| if word == "''" { String::new() } else { word.into() }).collect()
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.arguments.join(" "))?;
        if self.input.is_empty() || self.input.len() > 200 { Ok(()) } else { write!(f, " <<< {:?}", self.input) }
    }
}

impl Step {
    /// Listings come in order of ids, which differ.
    fn lists(&self) -> bool {
        let has = |wanted: &str| self.arguments.iter().any(|word| word == wanted);
        has("member") || has("endpoint") || has("alarm") || has("defrag") || (has("lease") && has("list")) || has("--keys")
    }
}

pub struct Side {
    pub cluster: Cluster,
    names: Vec<(String, String)>,
    leader: usize,
    leases: RefCell<Vec<(String, String)>>,
}

impl Side {
    pub fn start(kind: Kind) -> Side {
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
        Side { cluster, names, leader, leases: RefCell::default() }
    }

    pub fn endpoint(&self, offset: usize) -> &str {
        &self.cluster.members[(self.leader + offset) % 3].client
    }

    /// The words with names replaced by what they are called here.
    pub fn resolve(&self, step: &Step) -> Vec<String> {
        let all = self.cluster.endpoints().join(",");
        let resolve = |word: &String| {
            let mut word = word.replace("{all}", &all);
            for offset in 0..3 {
                word = word.replace(&format!("{{{}}}", offset + 1), self.endpoint(offset));
            }
            for (name, id) in self.leases.borrow().iter() {
                word = word.replace(&format!("{{{name}}}"), id);
            }
            word
        };
        step.arguments.iter().map(resolve).collect()
    }

    pub fn mask(&self, printed: &Printed) -> Printed {
        mask(printed, &self.names)
    }

    pub fn run(&self, program: &Path, step: &Step) -> Printed {
        let arguments = self.resolve(step);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let input = self.resolve(&Step { arguments: vec![step.input.clone()], ..super::side::step("") });
        let printed = etcdctl(program, self.endpoint(0), &arguments, &input[0]);
        if let Some(name) = step.grants {
            let id = printed.stdout.split(' ').nth(1).unwrap_or("0").to_owned();
            self.leases.borrow_mut().push((name.to_owned(), id));
        }
        let masked = self.mask(&printed);
        if step.lists() { sorted(&masked) } else { masked }
    }
}

/// Compare listings as sets, of lines or of JSON objects.
pub fn sorted(printed: &Printed) -> Printed {
    let stdout = keys_in_order(&printed.stdout).replace("},{", "},\n{").replace("[{", "[\n{").replace("}]", "},\n]");
    let mut lines: Vec<&str> = stdout.lines().collect();
    lines.sort_unstable();
    let mut errors: Vec<&str> = printed.stderr.lines().collect();
    errors.sort_unstable();
    Printed { code: printed.code, stdout: lines.join("\n"), stderr: errors.join("\n") }
}

/// A lease's keys come in Go's order of a map.
fn keys_in_order(text: &str) -> String {
    let list = regex::Regex::new(r#"(keys\(\[|"keys":\[)([^\]]*)"#).expect("a good pattern");
    let sorted = |found: &regex::Captures| {
        let by = if found[1].starts_with('"') { "," } else { " " };
        let mut keys: Vec<&str> = found[2].split(by).collect();
        keys.sort_unstable();
        format!("{}{}", &found[1], keys.join(by))
    };
    list.replace_all(text, sorted).into_owned()
}

/// What differed so far.
pub struct Wrong {
    version: &'static str,
    found: String,
    compared: u32,
}

impl Wrong {
    pub fn compare<T: PartialEq + fmt::Display>(&mut self, what: &str, expected: &T, got: &T) {
        self.compared += 1;
        if expected != got {
            writeln!(self.found, "=== etcdctl {} {what}\n=== Go etcd: {expected}\n=== Quorate: {got}\n", self.version)
                .expect("text grows");
        }
    }
}

/// Runs `script` with each etcdctl against two new clusters, and fails with all differences at once. With `QUORATE_COMPARE=go` both
/// are Go's: what differs then, no test may ask for.
pub fn differences(script: impl Fn(&Path, &Side, &Side, &mut Wrong)) {
    let (Some(etcdctls), Some(_)) = (etcdctls(), peer("etcd-3.5.16/etcd")) else { return };
    let ours = if std::env::var_os("QUORATE_COMPARE").is_some_and(|kind| kind == "go") { Kind::Go } else { Kind::Quorate };
    let mut wrong = Wrong { version: "", found: String::new(), compared: 0 };
    for (version, program) in &etcdctls {
        wrong.version = version;
        script(program, &Side::start(Kind::Go), &Side::start(ours), &mut wrong);
    }
    assert!(wrong.found.is_empty(), "{}", wrong.found);
    assert!(wrong.compared > 0, "nothing was compared");
}
