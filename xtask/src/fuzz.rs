//! Fuzzing: each target in `fuzz/`, for some seconds.
//!
//! cargo-fuzz is built into `target/tools` and leaves its builds in `target/fuzz`, so that nothing is installed. With a nightly
//! compiler it looks for wrong uses of memory as well; without one it does as well without: no crate of ours may be `unsafe`.

use crate::shell::{exists, is_ci, is_root, quietly, read, root, run};
use std::path::PathBuf;
use std::process::Command;

/// How long each target runs, unless `QUORATE_FUZZ_SECONDS` says otherwise. 0: not at all.
const SECONDS: u32 = 10;

/// Runs every target.
pub(crate) fn fuzz() -> Result<(), String> {
    let seconds = match std::env::var("QUORATE_FUZZ_SECONDS") {
        Ok(text) => text.parse().map_err(|_| format!("QUORATE_FUZZ_SECONDS must be a whole number, and is {text:?}"))?,
        Err(_) => SECONDS,
    };
    if seconds == 0 {
        return Ok(());
    }
    if let Err(why) = install_compiler() {
        if is_ci() {
            return Err(why);
        }
        eprintln!("xtask: {why}; going on without fuzzing");
        return Ok(());
    }
    let tools = install()?;
    let nightly = quietly(Command::new("cargo").args(["+nightly", "--version"])).is_ok();
    let targets = read(cargo_fuzz(&tools, nightly, "list").args(["--fuzz-dir", "fuzz"]))?;
    for target in targets.lines() {
        let mut fuzzing = cargo_fuzz(&tools, nightly, "run");
        fuzzing.args(["--fuzz-dir", "fuzz", "--target-dir", "target/fuzz"]);
        if !nightly {
            fuzzing.args(["--sanitizer", "none"]);
        }
        let limit = format!("-max_total_time={seconds}");
        run(fuzzing.args([target, "--", &limit, "-max_len=4096", "-timeout=20", "-rss_limit_mb=3000", "-verbosity=0"]))?;
    }
    Ok(())
}

fn cargo_fuzz(tools: &std::path::Path, nightly: bool, command: &str) -> Command {
    let mut path = std::ffi::OsString::from(tools.join("bin"));
    if let Some(others) = std::env::var_os("PATH") {
        path.push(":");
        path.push(others);
    }
    let mut cargo = Command::new("cargo");
    // The cargo that runs this program has said which toolchain is meant, and that is another one.
    cargo.env_remove("CARGO").env("PATH", path).current_dir(root());
    if nightly {
        cargo.env("RUSTUP_TOOLCHAIN", "nightly");
    }
    cargo.args(["fuzz", command]);
    cargo
}

/// Builds cargo-fuzz, unless it is there.
fn install() -> Result<PathBuf, String> {
    let tools = root().join("target/tools");
    if !tools.join("bin/cargo-fuzz").is_file() {
        let mut install = Command::new("cargo");
        install.args(["install", "--quiet", "--locked", "cargo-fuzz", "--version", "^0.13", "--root"]).arg(&tools);
        run(install.arg("--target-dir").arg(root().join("target/tools/build")))?;
    }
    Ok(tools)
}

/// libFuzzer is written in C++.
fn install_compiler() -> Result<(), String> {
    if exists("c++") || exists("g++") || exists("clang++") {
        return Ok(());
    }
    if !(is_root() && exists("apt-get")) {
        return Err("fuzzing needs a C++ compiler (package g++ or clang)".to_owned());
    }
    run(Command::new("apt-get").args(["-qq", "update"]))?;
    run(Command::new("apt-get").args(["-qq", "--yes", "--no-install-recommends", "install", "g++"]))
}
