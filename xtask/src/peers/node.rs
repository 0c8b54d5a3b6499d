//! The client library of Node, from its registry, by the lock file in tests/etcd-node.

use super::{aside, folder, into_place};
use crate::shell::{exists, quietly, root};
use std::fs;
use std::process::Command;

const NAME: &str = "node-etcd3";

/// Puts etcd3 and what it needs into `target/peers/node-etcd3/node_modules`, where `NODE_PATH` finds it.
pub(super) fn fetch() -> Result<(), String> {
    let source = root().join("tests/etcd-node");
    if !source.join("package.json").is_file() {
        return Ok(());
    }
    if !folder(NAME).join("node_modules/etcd3/package.json").is_file() {
        println!("peers: fetching etcd3 for Node");
        for program in ["node", "npm"] {
            if !exists(program) {
                return Err(format!(
                    "peers: etcd3 for Node needs {program}, and there is none on this machine (Debian: nodejs, npm)"
                ));
            }
        }
        let aside = aside(NAME)?;
        for file in ["package.json", "package-lock.json"] {
            fs::copy(source.join(file), aside.join(file)).map_err(|error| format!("cannot copy {file}: {error}"))?;
        }
        quietly(Command::new("npm").args(["ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(&aside))?;
        into_place(NAME)?;
    }
    println!("peers: etcd3 for Node is here: {}", folder(NAME).display());
    Ok(())
}
