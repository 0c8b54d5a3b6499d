//! `quorate bench`: measurements of real clusters, ours or theirs, made in the same way.

mod cluster;
mod failover;
mod figures;

use crate::cli;
use std::process::ExitCode;

/// Kills leaders and says how long writes stood still.
pub(crate) fn failover(options: &cli::Failover) -> ExitCode {
    // One thread: members are tied to the life of the thread that starts them.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("quorate bench: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(failover::measure(options)) {
        Ok(measured) => {
            print!("{}", if options.json { measured.json() } else { measured.text() });
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("quorate bench: {why}");
            ExitCode::FAILURE
        }
    }
}
