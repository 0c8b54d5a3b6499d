//! The programs around Rust's client crates that tests drive. They are no members of the workspace: what they need, nothing else
//! here does.

use super::folder;
use crate::shell::{cargo, quietly, read, root};
use std::fs;
use std::path::Path;
use std::time::SystemTime;

/// A program around a crate.
struct Client {
    /// The crate, and the folder in tests.
    name: &'static str,
    /// Whether its build needs protoc: a protoc that comes as a crate serves.
    protoc: bool,
}

const CLIENTS: [Client; 2] = [Client { name: "etcd-client", protoc: true }, Client { name: "zookeeper-client", protoc: false }];

/// Builds what is not there, or older than its source.
pub(super) fn build() -> Result<(), String> {
    CLIENTS.iter().try_for_each(Client::build)
}

impl Client {
    /// Builds `target/peers/<name>-check`.
    fn build(&self) -> Result<(), String> {
        let name = self.name;
        let source = root().join("tests").join(name);
        let program = folder(&format!("{name}-check"));
        if !source.join("Cargo.toml").is_file() {
            return Ok(());
        }
        let code = fs::read_dir(source.join("src")).into_iter().flatten().flatten().map(|entry| entry.path());
        let newest = ["Cargo.toml", "Cargo.lock"]
            .map(|name| source.join(name))
            .into_iter()
            .chain(code)
            .filter_map(|path| changed(&path))
            .max();
        if changed(&program).is_some_and(|built| newest.is_none_or(|newest| newest < built)) {
            println!("peers: the {name} crate's program is here: {}", program.display());
            return Ok(());
        }
        println!("peers: building a program around the {name} crate");
        let target = folder(&format!(".{name}"));
        let manifest = |folder: &Path| folder.join("Cargo.toml").display().to_string();
        let mut build = cargo("build");
        build.args(["--quiet", "--manifest-path", &manifest(&source)]).env("CARGO_TARGET_DIR", &target);
        if self.protoc {
            let protoc = manifest(&source.join("protoc"));
            let protoc = read(cargo("run").args(["--quiet", "--manifest-path", &protoc]).env("CARGO_TARGET_DIR", &target))?;
            build.env("PROTOC", protoc.trim());
        }
        quietly(&mut build)?;
        // Into place at once, so that a test never runs half a program.
        let aside = program.with_extension("part");
        fs::copy(target.join("debug").join(format!("{name}-check")), &aside)
            .and_then(|_| fs::rename(&aside, &program))
            .map_err(|error| format!("cannot put {} into place: {error}", program.display()))?;
        println!("peers: the {name} crate's program is here: {}", program.display());
        Ok(())
    }
}

fn changed(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}
