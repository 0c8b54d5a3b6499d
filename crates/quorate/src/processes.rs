//! Members as processes: started so that they die with whoever started them, and their ports.

mod ports;

pub(crate) use ports::{becomes_free, free_ports, holder, listener};

use rustix::process::{Pid, Signal, getppid, kill_process, set_parent_process_death_signal};
use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// The hidden first word under which this binary becomes another program that dies with its parent.
pub(crate) const LEASHED: &str = "leashed";

/// This binary.
pub(crate) fn this_program() -> PathBuf {
    // The path is void if the file was replaced meanwhile, as a build does; the process itself can still be asked.
    std::env::current_exe().ok().filter(|path| path.is_file()).unwrap_or_else(|| PathBuf::from("/proc/self/exe"))
}

/// A command that runs `program` and is killed by the kernel when the thread that starts it ends, however that ends.
///
/// The wish to be killed has to be uttered by the child itself, so this binary is started first and then turns into `program`.
pub(crate) fn leashed<A: AsRef<OsStr>>(program: &Path, arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(this_program());
    command.arg(LEASHED).arg(std::process::id().to_string()).arg(program).args(arguments);
    // A group of its own: Ctrl-C is for the parent, who then stops the members in order.
    command.process_group(0);
    command
}

/// The child's side of [`leashed`]: `parent`, then the program and its arguments.
pub(crate) fn become_leashed(arguments: &[String]) -> ExitCode {
    let [parent, program, arguments @ ..] = arguments else { return ExitCode::from(2) };
    if let Err(error) = set_parent_process_death_signal(Some(Signal::KILL)) {
        eprintln!("quorate: {program} would outlive its parent ({error}), so it is not started");
        return ExitCode::FAILURE;
    }
    // The parent may have died before the wish was heard.
    if getppid().map(|pid| pid.as_raw_nonzero().get().to_string()).as_ref() != Some(parent) {
        return ExitCode::FAILURE;
    }
    let error = Command::new(program).args(arguments).exec();
    eprintln!("quorate: cannot run {program}: {error}");
    ExitCode::FAILURE
}

/// Sends a signal to a process that this one started.
pub(crate) fn send(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // It may be gone already, which is as good.
        let _ = kill_process(pid, signal);
    }
}
