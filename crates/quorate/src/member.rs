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
mod systemd;
mod value;

use crate::logging;
use crate::signals::{self, Signals};
use fault::ConfigFault;
use given::{Asked, Given};
use server::etcd::{Config, Member, RunError};
use std::process::ExitCode;

pub(crate) use compatibility::flag_table;
pub(crate) use folder::{Contents, contents};
pub(crate) use nearest::nearest;

/// Runs a member until it is told to stop. `arguments` are those after the program's name (or after `etcd`).
pub(crate) fn run(arguments: &[String]) -> ExitCode {
    let environment = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    match given::read(arguments, environment) {
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

/// Runs the member to its end. Its threads are its own; this one only waits.
fn serve(config: Config) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!("cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(live(config)) {
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

async fn live(config: Config) -> Result<(), RunError> {
    let mut signals = Signals::listen();
    let mut member = tokio::select! {
        started = Member::start(config) => started?,
        () = signals.asked_to_end() => {
            signals::give_up_starting();
            return Ok(());
        }
    };
    let lived = tokio::select! {
        served = async {
            if member.ready().await {
                systemd::notify_ready();
            }
            member.ended().await
        } => Some(served),
        () = signals.asked_to_end() => None,
    };
    match lived {
        Some(ended) => Ok(ended?),
        None => Ok(member.stop().await?),
    }
}
