//! `quorate zookeeper`: one server, configured as ZooKeeper is.

mod arguments;
mod compatibility;
mod config;
mod fault;
mod folder;
mod given;
mod keys;
mod members;
mod properties;
mod value;

use crate::{logging, signals};
use arguments::Asked;
use fault::Fault;
use given::Given;
use server::zookeeper::{Config, RunError, StartError};
use std::process::ExitCode;

pub(crate) use compatibility::key_table;

/// Runs a server until it is told to stop. `arguments` are those after the program's name (or after `zookeeper`).
pub(crate) fn run(arguments: &[String]) -> ExitCode {
    answer(arguments::read(arguments))
}

/// The same, called as zkServer.sh is.
pub(crate) fn run_script(arguments: &[String]) -> ExitCode {
    answer(arguments::read_script(arguments, |name| std::env::var(name).ok().filter(|value| !value.is_empty())))
}

fn answer(asked: Result<Asked, Fault>) -> ExitCode {
    let started = match asked {
        Ok(Asked::Help) => {
            print!("{}", arguments::help());
            return ExitCode::SUCCESS;
        }
        Ok(Asked::Version) => {
            println!("quorate {}", crate::version());
            return ExitCode::SUCCESS;
        }
        Ok(Asked::File(path)) => Given::read(&path).and_then(start),
        Ok(Asked::Keys(keys)) => Given::of(keys).and_then(start),
        Err(fault) => Err(fault),
    };
    started.unwrap_or_else(|fault| {
        eprintln!("quorate: {fault}");
        ExitCode::from(fault.exit_code())
    })
}

fn start(mut given: Given) -> Result<ExitCode, Fault> {
    let mut warnings = std::mem::take(&mut given.warnings);
    let mut config = config::config(&given, &mut warnings)?;
    config.lossy_disk = std::env::var_os("QUORATE_TEST_DISK").is_some_and(|disk| disk == "lossy");
    let settings = logging::Settings { level: "info".to_owned(), console: false, outputs: vec!["stderr".to_owned()] };
    logging::start(&settings).map_err(Fault::Rule)?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    Ok(serve(config))
}

/// Runs the server to its end, on this thread and its own.
fn serve(config: Config) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!("cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let (admin, plain) = (config.admin_address, [config.client_address, config.metrics_address]);
    match runtime.block_on(server::zookeeper::run_until(config, signals::asked_to_end_once_started())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(RunError::Start(error)) => {
            tracing::error!("cannot start: {error}");
            ExitCode::from(match error {
                // Java: ExitCode.ERROR_STARTING_ADMIN_SERVER, UNABLE_TO_BIND_QUORUM_PORT, UNABLE_TO_ACCESS_DATADIR.
                StartError::Listen { address, .. } if Some(address) == admin => 4,
                StartError::Listen { address, .. } if !plain.contains(&Some(address)) => 14,
                StartError::Data(_) | StartError::Fault(_) => 3,
                _ => 1,
            })
        }
        Err(RunError::Stop(error)) => {
            tracing::error!("stopped: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests;
