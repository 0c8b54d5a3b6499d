//! `quorate bench`: measurements of real clusters, ours or theirs, made in the same way.

mod cluster;
mod etcd;
mod failover;
mod figures;
mod measured;
mod member;
mod puts;
mod sets;
mod target;
mod usage;
mod zookeeper;

use crate::cli;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
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

/// Loads etcd members and says what they could do.
pub(crate) fn etcd(load: &cli::etcd::Load) -> ExitCode {
    report(etcd::measure(load))
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

/// A bar for so many steps, where somebody looks.
fn progress(total: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::hidden());
    }
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len}, {per_sec}, {eta} to go").expect("it is well formed");
    ProgressBar::new(total).with_style(style)
}
