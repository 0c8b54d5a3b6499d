//! Failures of the disk.

use std::fmt;
use std::io;

/// An operation on the disk that failed. Nobody recovers from it in place: the process says it and stops.
///
/// A failed sync in particular is never tried again. The kernel may have thrown away the very pages that it could not write, and
/// would report success for the rest.
#[derive(Debug, thiserror::Error)]
#[error("could not {action} {path}: {source}")]
pub struct Fault {
    /// What was tried.
    pub action: Action,
    /// On which file, as a person would look for it.
    pub path: String,
    /// What the system said.
    pub source: io::Error,
}

/// What was tried on the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Create a file or a folder.
    Create,
    /// Open a file.
    Open,
    /// List a folder.
    List,
    /// Read from a file.
    Read,
    /// Write to a file.
    Write,
    /// Make a file or a folder durable.
    Sync,
    /// Rename a file.
    Rename,
    /// Remove a file.
    Remove,
    /// Use the log after an earlier write or sync failed.
    Continue,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Action::Create => "create",
            Action::Open => "open",
            Action::List => "list",
            Action::Read => "read",
            Action::Write => "write",
            Action::Sync => "sync",
            Action::Rename => "rename",
            Action::Remove => "remove",
            Action::Continue => "go on with",
        })
    }
}
