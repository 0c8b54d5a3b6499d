//! `quorate bench`: measurements of real clusters, ours or theirs, made in the same way.

mod cluster;
mod failover;
mod figures;
mod member;
mod puts;
mod sets;
mod target;
mod usage;
mod zookeeper;

use crate::cli;
use std::process::ExitCode;

/// Kills leaders and says how long writes stood still.
pub(crate) fn failover(options: &cli::Failover) -> ExitCode {
    report(async {
        let measured = failover::measure(options).await?;
        Ok(if options.json { measured.json() } else { measured.text() })
    })
}

/// Loads ZooKeeper servers and says what they could do.
pub(crate) fn zookeeper(options: &cli::ZooKeeperBench) -> ExitCode {
    report(zookeeper::measure(options))
}

/// Prints what was measured, or why nothing was.
fn report(measurement: impl Future<Output = Result<String, String>>) -> ExitCode {
    // One thread: members are tied to the life of the thread that starts them.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("quorate bench: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(measurement) {
        Ok(measured) => {
            print!("{measured}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("quorate bench: {why}");
            ExitCode::FAILURE
        }
    }
}
