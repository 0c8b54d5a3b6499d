//! The face that `quorate sim` shows.

use crate::options::SimOptions;
use crate::run::run;
use crate::search::search;
use std::io::{self, IsTerminal, Write};
use std::ops::RangeInclusive;
use std::process::ExitCode;

/// Runs one seed, printing its story if `options.trace` says so, and a closing line. Fails if an invariant was violated.
pub fn run_one(options: &SimOptions) -> ExitCode {
    let outcome = run(options);
    let mut out = io::stdout().lock();
    // A reader that went away (`| head`) is no failure.
    let _ = out.write_all(outcome.trace.as_bytes());
    let _ = match &outcome.violation {
        None => writeln!(
            out,
            "seed {}: nothing violated; {} steps, {} leader changes, {} operations checked, trace hash {:016x}, faults: {}",
            outcome.seed, outcome.steps, outcome.leader_changes, outcome.operations, outcome.hash, outcome.faults
        ),
        Some(violation) => writeln!(out, "{violation} (trace hash {:016x})", outcome.hash),
    };
    if outcome.violation.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs many seeds and prints what was violated, and one closing line. Fails if an invariant was violated.
pub fn run_many(seeds: RangeInclusive<u64>, options: &SimOptions) -> ExitCode {
    let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let (total, mut ended, mut bad) = (seeds.clone().count(), 0, 0);
    let show = io::stderr().is_terminal();
    let summary = search(seeds, options, threads, |outcome| {
        ended += 1;
        if let Some(violation) = &outcome.violation {
            bad += 1;
            println!("{violation}");
        }
        if show {
            eprint!("\r{ended} of {total} seeds, {bad} with violations ");
        }
        true
    });
    if show {
        eprintln!();
    }
    println!("{summary}");
    if summary.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
