//! Runs a range of seeds: `cargo run -p sim --profile proof --example seeds -- 1..300`, or one with its story: `-- 42`. What follows
//! is switched off: `-- 1..300 prevote`.

use sim::{SimOptions, cli};
use std::process::ExitCode;

fn main() -> ExitCode {
    let argument = std::env::args().nth(1).unwrap_or_else(|| "1..100".to_owned());
    let off = std::env::args().skip(2).map(|name| name.parse().expect("a mechanism")).collect();
    let options = SimOptions { off, ..SimOptions::new(1) };
    match argument.split_once("..") {
        Some((first, last)) => {
            let (first, last) = (first.parse().expect("a number"), last.parse().expect("a number"));
            cli::run_many(first..=last, &options)
        }
        None => cli::run_one(&SimOptions { trace: true, seed: argument.parse().expect("a number"), ..options }),
    }
}
