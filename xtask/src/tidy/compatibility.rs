//! COMPATIBILITY.md knows every method of etcd's services and every flag of the table.

use crate::shell::root;
use std::fs;
use std::path::Path;

pub(super) fn check(wrong: &mut Vec<String>) -> Result<(), String> {
    let page = fs::read_to_string(root().join("COMPATIBILITY.md")).unwrap_or_default();
    for file in files(&root().join("crates/etcd/proto"), "proto") {
        let mut service = "";
        for line in file.lines().map(str::trim) {
            if let Some(rest) = line.strip_prefix("service ") {
                service = rest.split([' ', '{']).next().unwrap_or_default();
            }
            let Some(method) = line.strip_prefix("rpc ").and_then(|rest| rest.split('(').next()) else { continue };
            if !page.contains(&format!("| `{service}.{method}` |")) {
                wrong.push(format!("COMPATIBILITY.md does not list the method {service}.{method}"));
            }
        }
    }
    let mut flags = 0;
    for file in files(&root().join("crates/quorate/src/member/flags"), "rs") {
        for name in first_literals(&file) {
            flags += 1;
            if !page.contains(&format!("| `--{name}` |")) {
                wrong.push(format!(
                    "COMPATIBILITY.md does not list --{name}; `cargo run -- flag-table` prints what belongs there"
                ));
            }
        }
    }
    if flags < 100 {
        wrong.push(format!("only {flags} flags were found in crates/quorate/src/member/flags"));
    }
    Ok(())
}

/// The text of every file of a folder that has this extension.
fn files(folder: &Path, extension: &str) -> Vec<String> {
    let mut paths: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
        .iter()
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .filter_map(|path| fs::read_to_string(path).ok())
        .collect()
}

/// Names of flags: the first literal of every call that makes a row.
fn first_literals(file: &str) -> Vec<&str> {
    let table = file.split_once("FLAGS: &[Flag] = &[").map_or("", |(_, table)| table);
    let makers = ["flag(", "tls(", "part(", "tracing(", "old(", "proxy(", "ignored("];
    let mut names = Vec::new();
    for maker in makers {
        for (at, _) in table.match_indices(maker) {
            let before = table[..at].chars().next_back();
            let Some(rest) = table[at + maker.len()..].trim_start().strip_prefix('"') else { continue };
            if before.is_none_or(|c| !c.is_alphanumeric() && c != '_') {
                names.extend(rest.split('"').next());
            }
        }
    }
    names
}
