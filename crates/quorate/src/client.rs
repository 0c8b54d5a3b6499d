//! The small client: `quorate get`, `put`, `del`, `txn`, `watch`, `lease`, `compact`, `status` and `member list`.
//!
//! It asks the members in turn. A read that fails is asked of the next one; a write only while it is certain that nobody can have
//! written it, because a put that is sent twice could be written twice. A watch, and what keeps a lease alive, go from member to member.

mod actions;
mod endpoints;
mod keys;
mod lease;
mod reach;
mod show;
mod txn;
mod watch;

pub(crate) use actions::Action;
pub(crate) use endpoints::{DevState, Kind, dev_endpoints, forget_dev, remember_dev};
pub(crate) use reach::{channel, status_of};
pub(crate) use show::Table;

use std::process::ExitCode;

/// Does one thing, prints its result, and says on standard error what went wrong.
pub(crate) fn run(action: Action) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("quorate: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(actions::perform(action)) {
        Ok(printed) => {
            if let Err(trouble) = show::print(&printed.text) {
                eprintln!("quorate: {trouble}");
                return ExitCode::FAILURE;
            }
            if let Some(note) = printed.note {
                eprintln!("quorate: {note}");
            }
            printed.code
        }
        Err(trouble) => {
            eprintln!("quorate: {trouble}");
            ExitCode::FAILURE
        }
    }
}
