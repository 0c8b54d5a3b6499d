//! The arrows between crates. A new one is a design change: it changes ARCHITECTURE.md, and this table, in the same commit.

use crate::shell::{cargo, read, root};
use serde_json::Value;
use std::fs;

/// Who may use whom.
const ARROWS: [(&str, &[&str]); 15] = [
    ("consensus", &[]),
    ("raft", &["consensus"]),
    ("zab", &["consensus"]),
    ("keyspace", &["consensus"]),
    ("znodes", &["consensus"]),
    ("replica", &["consensus"]),
    ("etcd", &["keyspace", "raft", "consensus"]),
    ("zookeeper", &["znodes", "zab", "consensus"]),
    ("storage", &["consensus", "keyspace", "znodes", "etcd", "zookeeper"]),
    ("sim", &["consensus", "raft", "zab", "keyspace", "znodes", "replica", "etcd", "zookeeper", "storage"]),
    ("server", &["consensus", "raft", "zab", "keyspace", "znodes", "replica", "etcd", "zookeeper", "storage"]),
    ("script", &["consensus", "raft", "zab"]),
    ("quorate", &["consensus", "raft", "zab", "keyspace", "znodes", "replica", "etcd", "zookeeper", "storage", "server", "sim"]),
    ("xtask", &[]),
    ("fuzz", &["consensus", "raft", "zab", "keyspace", "znodes", "replica", "etcd", "zookeeper", "storage"]),
];

/// Who may be used by tests, besides.
const TEST_ARROWS: [(&str, &[&str]); 4] =
    [("raft", &["script"]), ("zab", &["script"]), ("replica", &["raft", "keyspace", "etcd"]), ("storage", &["etcd", "keyspace"])];

/// Crates that cannot do IO, because they have no standard library.
const PURE: [&str; 6] = ["consensus", "raft", "zab", "keyspace", "znodes", "replica"];

/// A feature that puts bugs back; only `sim` may pass it on, and nobody by default.
const MUTANTS: &str = "mutants";

pub(super) fn check(wrong: &mut Vec<String>) -> Result<(), String> {
    let metadata = read(cargo("metadata").args(["--no-deps", "--format-version", "1", "--offline"]))
        .or_else(|_| read(cargo("metadata").args(["--no-deps", "--format-version", "1"])))?;
    let metadata: Value = serde_json::from_str(&metadata).map_err(|error| format!("cargo metadata: {error}"))?;
    let packages = metadata["packages"].as_array().ok_or("cargo metadata has no packages")?;
    let ours: Vec<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let Some((_, allowed)) = ARROWS.iter().find(|(from, _)| *from == name) else {
            wrong.push(format!("crate {name} is in no table of arrows (xtask/src/tidy/arrows.rs)"));
            continue;
        };
        let tests = TEST_ARROWS.iter().find(|(from, _)| *from == name).map_or(&[][..], |(_, to)| to);
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let to = dependency["name"].as_str().unwrap_or_default();
            if !ours.contains(&to) {
                continue;
            }
            let for_tests = dependency["kind"] == "dev";
            let known = allowed.contains(&to) || (for_tests && tests.contains(&to));
            if !known {
                wrong.push(format!("{name} -> {to} is no arrow of ARCHITECTURE.md"));
            }
            let features = dependency["features"].as_array().into_iter().flatten();
            if features.into_iter().any(|feature| feature == MUTANTS) && !for_tests {
                wrong.push(format!("{name} enables {to}'s {MUTANTS}, which no build of the product may"));
            }
        }
        if package["features"]["default"].as_array().into_iter().flatten().any(|feature| feature == MUTANTS) {
            wrong.push(format!("{name} enables {MUTANTS} by default"));
        }
    }
    for name in PURE.iter().filter(|name| ours.contains(name)) {
        let text = fs::read_to_string(root().join(format!("crates/{name}/src/lib.rs"))).unwrap_or_default();
        for attribute in ["#![no_std]", "#![forbid(unsafe_code)]"] {
            if !text.contains(attribute) {
                wrong.push(format!("crates/{name}/src/lib.rs has no {attribute}"));
            }
        }
    }
    Ok(())
}
