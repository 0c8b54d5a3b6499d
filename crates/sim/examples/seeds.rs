//! Runs a range of seeds: `cargo run -p sim --profile proof --example seeds -- raft 1..300`, or one with its story: `-- zab 42`. What
//! follows is switched off (`-- raft 1..300 prevote`), or numbers of members and observers (`-- zab 1..300 members=3 observers=2`).

use sim::{SimOptions, cli};
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let mut options = SimOptions::new(1);
    options.protocol = arguments.next().unwrap_or_else(|| "raft".to_owned()).parse().expect("a protocol");
    let seeds = arguments.next().unwrap_or_else(|| "1..100".to_owned());
    for argument in arguments {
        match argument.split_once('=') {
            Some(("members", count)) => options.members = count.parse().expect("a number"),
            Some(("observers", count)) => options.observers = count.parse().expect("a number"),
            Some(("seconds", count)) => options.seconds = count.parse().expect("a number"),
            _ => options.off.push(argument.parse().expect("a mechanism")),
        }
    }
    match seeds.split_once("..") {
        Some((first, last)) => {
            let (first, last) = (first.parse().expect("a number"), last.parse().expect("a number"));
            cli::run_many(first..=last, &options)
        }
        None => cli::run_one(&SimOptions { trace: true, seed: seeds.parse().expect("a number"), ..options }),
    }
}
