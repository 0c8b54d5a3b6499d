//! Ours beside the originals, in one go on one machine: a table and a picture in `docs/`.
//!
//! Each load runs against the original's servers and against ours, one after the other, and never at the same time; and that several
//! times, because a machine is not as fast in one minute as in the next. Every figure comes from `quorate bench`, which anybody can run
//! alone.

mod etcd;
mod page;
mod picture;
mod zookeeper;

use crate::shell::{cargo, read, root, run};
use page::Page;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// A load, and what follows `quorate bench etcd` or `zookeeper` to make it.
struct Load {
    title: &'static str,
    arguments: &'static [&'static str],
    figures: &'static [Figure],
}

/// What is compared, and where it stands in what the bench prints.
struct Figure {
    what: &'static str,
    /// A JSON pointer; what ends with `server_memory` is a list of servers, of which the largest counts, in MB.
    pointer: &'static str,
    better: Better,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Better {
    Higher,
    Lower,
}

/// How often each load runs against either.
const ROUNDS: usize = 3;

/// Figures of one load, round by round.
struct Compared {
    load: &'static Load,
    rounds: Vec<Round>,
}

/// The original's figures and ours, in the order of the load's.
struct Round {
    theirs: Vec<f64>,
    ours: Vec<f64>,
}

impl Compared {
    /// What is in the middle of all rounds.
    fn median(&self, figure: impl Fn(&Round) -> f64) -> f64 {
        let mut values: Vec<f64> = self.rounds.iter().map(figure).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    }

    fn theirs(&self, index: usize) -> f64 {
        self.median(|round| round.theirs[index])
    }

    fn ours(&self, index: usize) -> f64 {
        self.median(|round| round.ours[index])
    }
}

impl Round {
    /// By which factor ours is better.
    fn ratio(&self, index: usize, better: Better) -> f64 {
        let (theirs, ours) = (self.theirs[index], self.ours[index]);
        if better == Better::Higher { ours / theirs } else { theirs / ours }
    }
}

/// Measures what `which` names, or everything, and writes `docs/bench-etcd.md`, `docs/bench-zookeeper.md` and their pictures.
pub(crate) fn bench(which: &[String]) -> Result<(), String> {
    let pages = match which {
        [] => vec![&etcd::PAGE, &zookeeper::PAGE],
        [one] if one == "etcd" => vec![&etcd::PAGE],
        [one] if one == "zookeeper" => vec![&zookeeper::PAGE],
        _ => return Err(format!("there is no bench {:?}; expected etcd, zookeeper or nothing", which.join(" "))),
    };
    crate::peers::fetch()?;
    run(cargo("build").args(["--release", "--package", "quorate"]))?;
    for page in pages {
        let compared = compare(page)?;
        let docs = root().join("docs");
        write(docs.join(format!("bench-{}.md", page.name)), &page.text(&compared))?;
        write(docs.join(format!("bench-{}.svg", page.name)), &page.picture(&compared))?;
    }
    Ok(())
}

fn compare(page: &Page) -> Result<Vec<Compared>, String> {
    let mut compared: Vec<Compared> = page.loads.iter().map(|load| Compared { load, rounds: Vec::new() }).collect();
    for round in 1..=ROUNDS {
        for Compared { load, rounds } in &mut compared {
            eprintln!("xtask: round {round} of {ROUNDS}: {}: {}, then ours", load.title, page.original);
            rounds.push(Round { theirs: measure(page, load, page.peer)?, ours: measure(page, load, "quorate")? });
        }
    }
    Ok(compared)
}

fn measure(page: &Page, load: &Load, peer: &str) -> Result<Vec<f64>, String> {
    let mut command = Command::new(program());
    command.args(["bench", page.name]).args(load.arguments).args(["--peer", peer, "--json"]).args(page.more).current_dir(root());
    let printed = read(&mut command)?;
    let object: Value =
        serde_json::from_str(&printed).map_err(|error| format!("the bench printed no JSON ({error}): {printed}"))?;
    let figures = load.figures.iter();
    figures
        .map(|figure| found(&object, figure.pointer).ok_or_else(|| format!("the bench does not tell {}", figure.what)))
        .collect()
}

/// Where cargo has left the binary.
fn program() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |target| root().join(target));
    target.join("release/quorate")
}

fn found(object: &Value, pointer: &str) -> Option<f64> {
    let value = object.pointer(pointer)?;
    if !pointer.ends_with("server_memory") && !pointer.ends_with("server_memory_watched") {
        return value.as_f64();
    }
    let bytes = value.as_array()?.iter().filter_map(|server| server["bytes"].as_f64());
    bytes.reduce(f64::max).map(|bytes| bytes / 1e6)
}

fn write(path: PathBuf, text: &str) -> Result<(), String> {
    fs::write(&path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    println!("xtask: wrote {}", path.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_largest_servers_memory_counts() {
        let object = json!({"latency_ms": {"p50": 1.5}, "server_memory": [{"bytes": 2_000_000}, {"bytes": 5_000_000}]});
        assert_eq!((found(&object, "/latency_ms/p50"), found(&object, "/server_memory")), (Some(1.5), Some(5.0)));
        assert_eq!(found(&object, "/nothing"), None);
    }
}
