//! The data file of an etcd member: its keyspace on disk, larger than memory.
//!
//! ```text
//!   machine ── put ──▶ memory ── flush ──▶ data/keyspace.data      behind the log, in transactions
//!           ◀─ get ── memory, or else ◀──  redb over checked pages
//! ```
//!
//! - [`DataValues`] is what the machine keeps its changes in: the newest in memory, the rest in the file;
//! - [`DataFile`] takes flushes ([`keyspace::Flush`]), each one a transaction that holds the applied position with all that belongs to it,
//!   and gives itself out as a snapshot for a peer ([`DataStream`]);
//! - [`DataFolder`] makes files of snapshots ([`SealedData`]), which [`crate::Log::install_data`] puts into force;
//! - [`open_keyspace`] finds all of it again.
//!
//! Rules: a flush is written after the log has synced what it holds; the log is cut only below what a flush has made durable
//! ([`DurableData`]); every page is checked when it is read ([`pages`]), and damage is named and stops the member.
//!
//! Nothing here has a thread or a clock. redb has neither; its caches are maps whose order follows from their keys, so that one thread
//! that does the same does the same to the disk.

mod error;
mod file;
mod folder;
mod marks;
mod memory;
mod pages;
mod store;
mod stream;
mod values;

pub use error::DataError;
pub use file::{DataFile, DurableData};
pub use folder::{DataFolder, ReceiveError, SealedData};
pub use store::{KeyspaceStore, OpenedKeyspace, open_keyspace};
pub use stream::DataStream;
pub use values::{DataValues, PageReader};

pub(crate) use folder::FOLDER;

/// etcd's state machine over a data file.
pub type Machine<D> = keyspace::Keyspace<DataValues<D>>;

/// How much memory a data file takes. Each start may choose anew.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DataOptions {
    /// Bytes of pages that redb keeps. 32 MiB.
    pub cache_bytes: usize,
    /// Bytes of changes that stay in memory once they are durable. 8 MiB.
    pub memory_bytes: usize,
}

impl Default for DataOptions {
    fn default() -> DataOptions {
        DataOptions { cache_bytes: 32 << 20, memory_bytes: 8 << 20 }
    }
}
