//! Why a data file cannot be used.

use super::pages::Failure;
use crate::fault::Fault;
use keyspace::{Revision, RowError};
use std::io;

/// Why a data file cannot be read or written. The member that has it stops.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The disk failed.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The bytes are not those that were written.
    #[error("{file} is damaged at byte {offset}")]
    Damaged {
        /// The file.
        file: String,
        /// Where the damaged page begins.
        offset: u64,
    },
    /// Another damaged page stands between a reader and what it wanted.
    #[error("revision {at} cannot be read: {source}")]
    Unreadable {
        /// What was wanted.
        at: Revision,
        /// What is in the way.
        source: Box<DataError>,
    },
    /// A change that is known to exist is not there.
    #[error("{file} does not hold revision {at}")]
    Missing {
        /// The file.
        file: String,
        /// Which change.
        at: Revision,
    },
    /// The rows are whole, and make no sense.
    #[error("{file} holds what cannot be: {error}")]
    Senseless {
        /// The file.
        file: String,
        /// What was expected.
        error: RowError,
    },
    /// Written by a later version.
    #[error("{file} has format {found}; this version reads up to {known}")]
    Version {
        /// The file.
        file: String,
        /// Its format.
        found: u32,
        /// The latest that is understood.
        known: u32,
    },
    /// What is in the pages is not what redb expects.
    #[error("{file} cannot be used: {why}")]
    Engine {
        /// The file.
        file: String,
        /// What redb says.
        why: String,
    },
}

impl DataError {
    /// What went wrong beneath redb.
    pub(super) fn of(file: String, failure: Failure) -> DataError {
        match failure {
            Failure::Damaged(offset) => DataError::Damaged { file, offset },
            Failure::Fault { action, kind, text } => {
                DataError::Fault(Fault { action, path: file, source: io::Error::new(kind, text) })
            }
        }
    }
}
