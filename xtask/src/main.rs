//! What the project does with itself: `cargo xtask <command>`.
//!
//! Plain Rust beside the product, so that a fresh clone needs nothing but cargo. `test`, `ci` and `prove` never write to tracked
//! files; `fix` and `bench` do.

mod bench;
mod check;
mod fuzz;
mod peers;
mod shell;
mod tidy;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask <command>

  test     build everything and run every test, with the original servers and clients where they can be fetched
  ci       what must hold before a change goes in: format, lints, tidy, tests, some hundred simulated seeds,
           each fuzz target for some seconds
  prove    the same with every count in full: 2,000 simulated seeds of each cluster, 20 kills of everything
  fuzz     run each fuzz target for QUORATE_FUZZ_SECONDS (10)
  bench    measure ours beside the originals and write the comparison into docs/; takes some minutes;
           `bench etcd` and `bench zookeeper` do one of them
  fix      format, and apply what clippy can fix by itself
  tidy     check the arrows between crates and the state of the files
  peers    fetch the original servers and clients that tests talk to into target/peers
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.first().map(String::as_str) {
        Some("test") => check::test(&arguments[1..]),
        Some("ci") => check::ci(),
        Some("prove") => check::prove(),
        Some("bench") => bench::bench(&arguments[1..]),
        Some("fuzz") => fuzz::fuzz(),
        Some("fix") => check::fix(),
        Some("tidy") => tidy::tidy(),
        Some("peers") => peers::fetch(),
        Some("help" | "--help" | "-h") => {
            print!("{USAGE}");
            Ok(())
        }
        Some(other) => Err(format!("there is no command {other:?}\n\n{USAGE}")),
        None => Err(USAGE.to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask: {}", why.trim_end());
            ExitCode::FAILURE
        }
    }
}
