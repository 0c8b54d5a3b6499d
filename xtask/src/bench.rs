//! Ours beside the originals, in one go on one machine: a table and a picture in `docs/`.
//!
//! Each load runs against the original's servers and against ours, one after the other, and never at the same time. Every figure comes
//! from `quorate bench`, which anybody can run alone.

mod picture;

use crate::shell::{cargo, read, root, run};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// A load of ZooKeeper servers, and what follows `quorate bench zookeeper` to make it.
struct Load {
    title: &'static str,
    arguments: &'static [&'static str],
}

/// 100 clients with ten requests under way each, as ZooKeeper's own figures are usually made; then one client alone.
const LOADS: [Load; 4] = [
    Load { title: "setData, 100 clients", arguments: &["set", "--connections", "100", "--window", "10", "--total", "500000"] },
    Load { title: "getData, 100 clients", arguments: &["get", "--connections", "100", "--window", "10", "--total", "1500000"] },
    Load { title: "setData, one client", arguments: &["set", "--connections", "1", "--window", "1", "--total", "20000"] },
    Load {
        title: "create, 320,000 nodes",
        arguments: &["create", "--connections", "100", "--window", "10", "--total", "320000"],
    },
];

/// What is compared, and how to find it in what the bench prints.
const FIGURES: [(&str, &str, Better); 5] = [
    ("requests a second", "/requests_per_second", Better::Higher),
    ("p50, ms", "/latency_ms/p50", Better::Lower),
    ("p99, ms", "/latency_ms/p99", Better::Lower),
    ("servers' CPU a request, µs", "/server_cpu_us_per_request", Better::Lower),
    ("largest server's memory, MB", "memory", Better::Lower),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Better {
    Higher,
    Lower,
}

/// Figures of one load: the original's and ours, in the order of `FIGURES`.
struct Compared {
    title: &'static str,
    theirs: Vec<f64>,
    ours: Vec<f64>,
}

/// Measures, and writes `docs/bench-zookeeper.md` and `.svg`.
pub(crate) fn bench() -> Result<(), String> {
    crate::peers::fetch()?;
    run(cargo("build").args(["--release", "--package", "quorate"]))?;
    let mut compared = Vec::new();
    for load in &LOADS {
        eprintln!("xtask: {}: Java, then ours", load.title);
        compared.push(Compared { title: load.title, theirs: measure(load, "java")?, ours: measure(load, "quorate")? });
    }
    let docs = root().join("docs");
    write(docs.join("bench-zookeeper.md"), &page(&compared))?;
    write(docs.join("bench-zookeeper.svg"), &picture::draw(&bars(&compared)))
}

fn measure(load: &Load, peer: &str) -> Result<Vec<f64>, String> {
    let mut command = Command::new(root().join("target/release/quorate"));
    command.args(["bench", "zookeeper"]).args(load.arguments).args(["--peer", peer, "--json", "--keep"]).current_dir(root());
    let printed = read(&mut command)?;
    let object: Value =
        serde_json::from_str(&printed).map_err(|error| format!("the bench printed no JSON ({error}): {printed}"))?;
    FIGURES
        .iter()
        .map(|(what, pointer, _)| figure(&object, pointer).ok_or_else(|| format!("the bench does not tell {what}")))
        .collect()
}

fn figure(object: &Value, pointer: &str) -> Option<f64> {
    if pointer != "memory" {
        return object.pointer(pointer)?.as_f64();
    }
    let bytes = object["server_memory"].as_array()?.iter().filter_map(|server| server["bytes"].as_f64());
    bytes.reduce(f64::max).map(|bytes| bytes / 1e6)
}

fn page(compared: &[Compared]) -> String {
    let mut text = "# ZooKeeper servers, measured\n\n\
        Java ZooKeeper 3.9.3 and Quorate, three servers of each on loopback, one after the other in one run, the load generator beside\n\
        them; nodes of 256 bytes. `cargo xtask bench` writes this page anew; `quorate bench zookeeper --help` runs one load alone.\n\n\
        ![CPU of the servers and memory, Java and Quorate](bench-zookeeper.svg)\n"
        .to_owned();
    for Compared { title, theirs, ours } in compared {
        write!(text, "\n## {title}\n\n| | Java 3.9.3 | Quorate | ratio |\n|---|---:|---:|---:|\n")
            .expect("a string takes everything");
        for (index, (what, _, better)) in FIGURES.iter().enumerate() {
            let (theirs, ours) = (theirs[index], ours[index]);
            // Above 1: Quorate is better by that factor.
            let ratio = if *better == Better::Higher { ours / theirs } else { theirs / ours };
            writeln!(text, "| {what} | {} | {} | {ratio:.1} x |", round(theirs), round(ours)).expect("a string takes everything");
        }
    }
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    write!(text, "\nA ratio above 1 is in Quorate's favour. Measured on {cores} cores.\n").expect("a string takes everything");
    text
}

fn round(value: f64) -> String {
    if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

/// The two things that cost money: processors and memory.
fn bars(compared: &[Compared]) -> Vec<picture::Pair> {
    let (cpu, memory) = (3, 4);
    let pair = |compared: &Compared, index: usize, unit: &str| picture::Pair {
        title: format!("{}: {unit}", compared.title),
        theirs: compared.theirs[index],
        ours: compared.ours[index],
    };
    let mut pairs: Vec<picture::Pair> = compared.iter().map(|compared| pair(compared, cpu, "µs of CPU a request")).collect();
    pairs.extend(compared.last().map(|compared| pair(compared, memory, "MB of memory")));
    pairs
}

fn write(path: PathBuf, text: &str) -> Result<(), String> {
    fs::write(&path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    println!("xtask: wrote {}", path.display());
    Ok(())
}
