//! Runs a range of seeds: `cargo run -p sim --profile proof --example seeds -- 1..300`, or one with its story: `-- 42`.

use sim::{SimOptions, cli};
use std::process::ExitCode;

fn main() -> ExitCode {
    let argument = std::env::args().nth(1).unwrap_or_else(|| "1..100".to_owned());
    match argument.split_once("..") {
        Some((first, last)) => {
            let (first, last) = (first.parse().expect("a number"), last.parse().expect("a number"));
            cli::run_many(first..=last, &SimOptions::new(first))
        }
        None => cli::run_one(&SimOptions { trace: true, ..SimOptions::new(argument.parse().expect("a number")) }),
    }
}
