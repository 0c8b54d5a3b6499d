//! One process that is measured, ours or an original's.

use crate::processes::{leashed, send, this_program};
use rustix::process::Signal;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::process::{Child, Command};

/// A member's process and what is needed to start it again. It ends with this process.
pub(super) struct Member {
    pub(super) name: String,
    /// Where clients reach it.
    pub(super) client: String,
    program: PathBuf,
    arguments: Vec<String>,
    log: PathBuf,
    child: Option<Child>,
}

impl Member {
    /// One that does not run yet, and will log into `folder`.
    pub(super) fn new(name: String, client: String, program: PathBuf, arguments: Vec<String>, folder: &Path) -> Member {
        Member { log: folder.join(format!("{name}.log")), name, client, program, arguments, child: None }
    }

    /// Starts its process.
    pub(super) fn spawn(&mut self) -> Result<(), String> {
        let log = File::options().create(true).append(true).open(&self.log);
        let log = log.map_err(|error| format!("cannot write {}: {error}", self.log.display()))?;
        let mut command = leashed(&self.program, &self.arguments);
        let variables = std::env::vars_os().map(|(name, _)| name).filter(|name| name.to_string_lossy().starts_with("ETCD_"));
        for variable in variables.collect::<Vec<_>>() {
            command.env_remove(variable);
        }
        let printed = log.try_clone().map_err(|error| format!("cannot write {}: {error}", self.log.display()))?;
        command.stdin(Stdio::null()).stdout(printed).stderr(log);
        let child = Command::from(command).kill_on_drop(true).spawn();
        self.child = Some(child.map_err(|error| format!("cannot start {}: {error}", self.name))?);
        Ok(())
    }

    /// Sends its process a signal.
    pub(super) fn signal(&self, signal: Signal) {
        if let Some(pid) = self.child.as_ref().and_then(Child::id) {
            send(pid, signal);
        }
    }

    /// Waits until its process, which was killed, is gone.
    pub(super) async fn reap(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.wait().await;
        }
    }
}

/// What `cargo xtask peers` has fetched under this name: beside this binary's own target folder, or in the present one.
pub(super) fn peer(name: &str) -> Option<PathBuf> {
    let own = this_program();
    let targets = own.ancestors().map(Path::to_owned).chain([PathBuf::from("target")]);
    targets.map(|target| target.join("peers").join(name)).find(|path| path.exists())
}
