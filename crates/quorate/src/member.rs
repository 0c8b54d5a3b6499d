//! `quorate etcd`: one member, configured as etcd is.

mod compatibility;
mod config;
mod fault;
mod file;
mod flags;
mod folder;
mod given;
mod help;
mod nearest;
mod value;

use crate::logging;
use fault::ConfigFault;
use given::{Asked, Given};
use server::etcd::RunError;
use std::process::ExitCode;

pub(crate) use compatibility::flag_table;
pub(crate) use folder::{Contents, contents};

/// Runs a member until it is told to stop. `arguments` are those after the program's name (or after `etcd`).
pub(crate) fn run(arguments: &[String]) -> ExitCode {
    match given::read(arguments, std::env::vars()) {
        Ok(Asked::Help) => {
            print!("{}", help::text());
            ExitCode::SUCCESS
        }
        Ok(Asked::Version) => {
            println!("quorate {}", crate::version());
            ExitCode::SUCCESS
        }
        Ok(Asked::Member(given)) => start(given).unwrap_or_else(|fault| refuse(&fault)),
        Err(fault) => refuse(&fault),
    }
}

fn refuse(fault: &ConfigFault) -> ExitCode {
    eprintln!("quorate: {fault}");
    ExitCode::from(fault.exit_code())
}

fn start(mut given: Given) -> Result<ExitCode, ConfigFault> {
    let mut warnings = std::mem::take(&mut given.warnings);
    let mut config = config::config(&given, &mut warnings)?;
    config.lossy_disk = std::env::var_os("QUORATE_TEST_DISK").is_some_and(|disk| disk == "lossy");
    folder::check(&config.data_dir)?;
    logging::start(&logging::Settings {
        level: given.text("log-level").to_owned(),
        console: given.text("log-format") == "console",
        outputs: given.words("log-outputs"),
    })
    .map_err(ConfigFault::Rule)?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    Ok(serve(config))
}

/// One thread for everything that waits on sockets; the log and the data have threads of their own.
fn serve(config: server::etcd::Config) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!("cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(server::etcd::run(config)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error @ RunError::Start(_)) => {
            tracing::error!("cannot start: {error}");
            ExitCode::FAILURE
        }
        Err(error @ RunError::Stop(_)) => {
            tracing::error!("stopped: {error}");
            ExitCode::FAILURE
        }
    }
}
