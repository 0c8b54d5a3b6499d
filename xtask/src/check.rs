//! Tests, lints and proofs.

use crate::shell::{cargo, exists, is_ci, is_root, read, run};
use crate::{fuzz, peers, tidy};
use std::process::Command;

/// How often the tests that repeat something do so.
struct Counts {
    /// Simulated seeds.
    seeds: u32,
    /// Those of them that are run with etcd's and ZooKeeper's whole stacks, too.
    stack_seeds: u32,
    /// Deaths of a whole cluster under load, on each kind of disk.
    kills: u32,
    /// Operations of clients, kills and partitions in the chaos test.
    chaos: [u32; 3],
}

/// Less than half an hour on two cores.
const CI: Counts = Counts { seeds: 300, stack_seeds: 30, kills: 5, chaos: [100_000, 5, 2] };
/// What a release is worth.
const FULL: Counts = Counts { seeds: 2000, stack_seeds: 200, kills: 20, chaos: [1_000_000, 50, 20] };

/// Optimized and with every assertion on: the whole of it is built once, and real processes are timed as users would see them.
const PROFILE: [&str; 2] = ["--profile", "proof"];

/// The clusters that are simulated.
const CLUSTERS: [&[&str]; 3] = [
    &["--protocol", "raft", "--members", "5"],
    &["--protocol", "zab", "--members", "5"],
    &["--protocol", "zab", "--members", "3", "--observers", "2"],
];

/// etcd's keyspace, leases and watches above the same, and ZooKeeper's tree and sessions.
const STACKS: [&[&str]; 3] = [
    &["--stack", "etcd", "--members", "5"],
    &["--stack", "zookeeper", "--members", "5"],
    &["--stack", "zookeeper", "--members", "3", "--observers", "2"],
];

/// Every test, each as often as it likes; `more` goes to `cargo test`.
pub(crate) fn test(more: &[String]) -> Result<(), String> {
    fetch_peers()?;
    run(cargo("test").args(PROFILE).args(["--workspace", "--no-fail-fast"]).args(more))?;
    mutants()
}

/// What must hold before a change goes in. Writes nothing that is tracked.
pub(crate) fn ci() -> Result<(), String> {
    install_compiler()?;
    install_components()?;
    run(cargo("fmt").args(["--all", "--check"]))?;
    tidy::tidy()?;
    run(cargo("clippy").args(PROFILE).args(["--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    counted(&CI)?;
    fuzz::fuzz()
}

/// What a release is worth, and the figures that the README quotes.
pub(crate) fn prove() -> Result<(), String> {
    counted(&FULL)?;
    // Every sector of a log of 16 MiB, damaged in turn.
    run(cargo("test").args(PROFILE).args(["--package", "storage", "--test", "damage", "--", "--ignored", "--nocapture"]))?;
    let measured: [&[&str]; 6] = [
        &["--peer", "etcd"],
        &[],
        &["--hang"],
        &["--peer", "zookeeper", "--kills", "10"],
        &["--peer", "quorate-zookeeper"],
        &["--peer", "quorate-zookeeper", "--hang", "--kills", "4"],
    ];
    for more in measured {
        run(cargo("run").args(["--release", "--package", "quorate", "--quiet", "--", "bench", "failover"]).args(more))?;
    }
    Ok(())
}

/// Writes what `ci` would complain of.
pub(crate) fn fix() -> Result<(), String> {
    run(cargo("clippy").args(["--workspace", "--all-targets", "--fix", "--allow-dirty", "--allow-staged"]))?;
    run(cargo("fmt").arg("--all"))
}

fn counted(counts: &Counts) -> Result<(), String> {
    fetch_peers()?;
    let mut tests = cargo("test");
    tests.env("QUORATE_SEEDS", counts.seeds.to_string()).env("QUORATE_KILLS", counts.kills.to_string());
    for (variable, count) in ["OPERATIONS", "KILLS", "PARTITIONS"].iter().zip(counts.chaos) {
        tests.env(format!("QUORATE_CHAOS_{variable}"), count.to_string());
    }
    run(tests.args(PROFILE).args(["--workspace", "--no-fail-fast"]))?;
    mutants()?;
    let clusters = CLUSTERS.iter().map(|cluster| (cluster, counts.seeds));
    let stacks = STACKS.iter().map(|cluster| (cluster, counts.stack_seeds));
    for (cluster, seeds) in clusters.chain(stacks) {
        let seeds = format!("1..{seeds}");
        let mut sim = cargo("run");
        sim.args(PROFILE).args(["--package", "quorate", "--quiet", "--", "sim", "--seeds", &seeds]);
        run(sim.args(*cluster))?;
    }
    Ok(())
}

/// The proof of the prover: bugs put back behind a feature that no build of the product enables must be found. They are built
/// apart, so that the tests above run on what ships.
fn mutants() -> Result<(), String> {
    run(cargo("test").args(PROFILE).args(["--package", "sim", "--features", "mutants"]))
}

/// In CI nothing may be skipped; elsewhere the tests say which of them are.
fn fetch_peers() -> Result<(), String> {
    match peers::fetch() {
        Err(why) if !is_ci() => {
            eprintln!("xtask: {why}");
            eprintln!("xtask: going on without; the tests that need what is missing say that they are skipped");
            Ok(())
        }
        result => result,
    }
}

/// jemalloc is written in C. A machine for CI that has no compiler gets one; any other is told.
fn install_compiler() -> Result<(), String> {
    if (exists("cc") || exists("gcc") || exists("clang")) && exists("make") {
        return Ok(());
    }
    if !(is_root() && exists("apt-get")) {
        return Err("a C compiler and make are needed (package build-essential); nothing was installed".to_owned());
    }
    run(Command::new("apt-get").args(["-qq", "update"]))?;
    run(Command::new("apt-get").args(["-qq", "--yes", "--no-install-recommends", "install", "gcc", "libc6-dev", "make"]))
}

/// rustfmt and clippy, where rustup can bring what is missing.
fn install_components() -> Result<(), String> {
    for (component, command) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        if read(cargo(command).arg("--version")).is_err() {
            run(Command::new("rustup").args(["component", "add", component]))?;
        }
    }
    Ok(())
}
