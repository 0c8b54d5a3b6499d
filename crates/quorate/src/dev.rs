//! `quorate dev`: a cluster on this machine, one process per member, to see what a cluster does.
//!
//! ```text
//!   plan        which members, on which ports, in which folder          may it be started here?
//!   supervisor  starts them, asks how they are, restarts the dead       what happened?
//!   board       what is known of them                                   what of that is news?
//!   flavor      what differs between etcd's and ZooKeeper's
//!   screen      a live table, on a terminal    │  lines  plain lines or JSON, in a pipe
//! ```

mod board;
mod flavor;
mod lines;
mod plan;
mod report;
mod screen;
mod supervisor;

use crate::cli;
use crate::client::{DevState, Kind, forget_dev, remember_dev};
use crate::processes::this_program;
use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;
use supervisor::{Supervisor, Told};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

/// How long a cluster may take to get a leader.
const LEADER_WITHIN: Duration = Duration::from_secs(30);
/// How long the others may take once somebody leads.
const OTHERS_WITHIN: Duration = Duration::from_secs(5);

/// Runs until it is told to stop. What is wrong with the request is said in one line.
pub(crate) fn run(options: &cli::Dev) -> ExitCode {
    let prepared = plan::plan(options).and_then(|members| plan::prepare(options, &members).map(|()| members));
    let members = match prepared {
        Ok(members) => members,
        Err(why) => return fail(&why),
    };
    // One thread: members are tied to the life of the thread that starts them.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("cannot start: {error}")),
    };
    let outcome = runtime.block_on(supervise(options, members));
    forget_dev(kind(options));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => fail(&why),
    }
}

/// For which clients it leaves a note.
fn kind(options: &cli::Dev) -> Kind {
    if options.zookeeper { Kind::Zookeeper } else { Kind::Etcd }
}

fn fail(why: &str) -> ExitCode {
    eprintln!("quorate dev: {}", why.replace('\n', " "));
    ExitCode::FAILURE
}

async fn supervise(options: &cli::Dev, members: Vec<plan::Planned>) -> Result<(), String> {
    let endpoints = members.iter().map(plan::Planned::client).collect();
    let mut supervisor = Supervisor::start(members, !options.no_restart)?;
    let stop = stop_requested()?;
    tokio::pin!(stop);
    let settled = tokio::select! {
        settled = settle(&mut supervisor) => settled.map(|()| true),
        () = &mut stop => Ok(false),
    };
    match settled {
        Ok(true) => {}
        Ok(false) => {
            supervisor.stop().await;
            return Ok(());
        }
        Err(why) => {
            supervisor.stop().await;
            return Err(why);
        }
    }
    if let Err(error) = remember_dev(kind(options), &DevState { pid: std::process::id(), endpoints }) {
        eprintln!("quorate dev: other commands need --endpoints, because the members' addresses cannot be noted ({error})");
    }
    let shown = if options.json {
        lines::show(&mut supervisor, &mut lines::Json, &mut stop).await
    } else if std::io::stdout().is_terminal() && std::io::stdin().is_terminal() {
        screen::show(&mut supervisor, &mut stop).await
    } else {
        lines::show(&mut supervisor, &mut lines::Plain, &mut stop).await
    };
    supervisor.stop().await;
    shown
}

/// Waits until somebody leads and the others follow, or until nothing more is to be hoped for.
async fn settle(supervisor: &mut Supervisor) -> Result<(), String> {
    let started = Instant::now();
    let mut led_since = None;
    while !supervisor.board.is_settled() {
        let limit = match led_since {
            Some(since) => since + OTHERS_WITHIN,
            None => started + LEADER_WITHIN,
        };
        match tokio::time::timeout_at(limit, supervisor.next()).await {
            // Before there was a cluster, an end is a failure to start: the folder is damaged, say.
            Ok(Told::Down(member)) => {
                let name = &supervisor.board.members[member].name;
                return Err(format!("{name} does not start: {}", supervisor.last_words(member)));
            }
            Ok(_) if supervisor.board.leader().is_some() => led_since = led_since.or_else(|| Some(Instant::now())),
            Ok(_) => {}
            Err(_) if led_since.is_some() => return Ok(()),
            Err(_) => {
                let logs = supervisor.planned().iter().map(|member| member.log.display().to_string()).collect::<Vec<_>>();
                return Err(format!("no leader within {} s; see {}", LEADER_WITHIN.as_secs(), logs.join(", ")));
            }
        }
    }
    Ok(())
}

/// Ends when Ctrl-C is pressed or SIGTERM comes.
fn stop_requested() -> Result<impl Future<Output = ()>, String> {
    let listen = |kind| signal(kind).map_err(|error| format!("cannot listen for signals: {error}"));
    let (mut interrupt, mut terminate, mut hangup) =
        (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?, listen(SignalKind::hangup())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    })
}

/// This program as one would type it: by name if the shell finds it, else by path.
fn show_program() -> String {
    let program = this_program();
    let on_path = std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|folder| folder.join("quorate").canonicalize().is_ok_and(|found| found == program))
    });
    if on_path {
        return "quorate".to_owned();
    }
    let here = std::env::current_dir().ok();
    let relative = here.and_then(|here| program.strip_prefix(here).ok().map(|path| path.display().to_string()));
    match relative {
        Some(relative) if relative.contains('/') => relative,
        Some(relative) => format!("./{relative}"),
        None => program.display().to_string(),
    }
}

/// What to try first.
fn suggestions(supervisor: &Supervisor) -> Vec<(String, &'static str)> {
    let program = show_program();
    let leader = supervisor.board.leader().and_then(board::Member::pid);
    let mut suggestions: Vec<(String, &'static str)> = Vec::new();
    suggestions.extend(leader.map(|pid| (format!("kill -9 {pid}"), "the leader's process, and watch what happens")));
    let [write, read] = supervisor.board.flavor.examples();
    suggestions.push((format!("{program} {write}"), "still works"));
    suggestions.push((format!("{program} {read}"), "and so does this"));
    suggestions
}
