//! The program around Rust's etcd-client crate that tests drive.
//!
//! Its build needs protoc, which nothing else here does: a protoc that comes as a crate serves. So it is no member of the workspace.

use crate::shell::{cargo, quietly, read, root};
use std::fs;
use std::path::Path;
use std::time::SystemTime;

/// Builds `target/peers/etcd-client-check` if it is not there, or older than its source.
pub(super) fn build() -> Result<(), String> {
    let source = root().join("tests/etcd-client");
    let program = root().join("target/peers/etcd-client-check");
    if !source.join("Cargo.toml").is_file() {
        return Ok(());
    }
    let newest = ["Cargo.toml", "Cargo.lock", "src/main.rs"].iter().filter_map(|name| changed(&source.join(name))).max();
    if changed(&program).is_some_and(|built| newest.is_none_or(|newest| newest < built)) {
        println!("peers: the etcd-client crate's program is here: {}", program.display());
        return Ok(());
    }
    println!("peers: building a program around the etcd-client crate");
    let target = root().join("target/peers/.etcd-client");
    let manifest = |folder: &Path| folder.join("Cargo.toml").display().to_string();
    let protoc = read(
        cargo("run").args(["--quiet", "--manifest-path", &manifest(&source.join("protoc"))]).env("CARGO_TARGET_DIR", &target),
    )?;
    quietly(
        cargo("build")
            .args(["--quiet", "--manifest-path", &manifest(&source)])
            .env("CARGO_TARGET_DIR", &target)
            .env("PROTOC", protoc.trim()),
    )?;
    // Into place at once, so that a test never runs half a program.
    let aside = program.with_extension("part");
    fs::copy(target.join("debug/etcd-client-check"), &aside)
        .and_then(|_| fs::rename(&aside, &program))
        .map_err(|error| format!("cannot put {} into place: {error}", program.display()))?;
    println!("peers: the etcd-client crate's program is here: {}", program.display());
    Ok(())
}

fn changed(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}
