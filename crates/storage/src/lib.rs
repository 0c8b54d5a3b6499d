//! The log and the data of a member, over one seam to the disk.
//!
//! ```text
//!   data folder/
//!     quorate                           whose data this is (written last when a member is created)
//!     lock                              held by the process that has the folder open
//!     log/0000000000000001.log …        what was promised and what was appended
//!     data/keyspace.data                etcd's keyspace after some entry: redb over checked pages
//!     snapshot/<index>.snapshot         what another state machine held after that entry
//!     journal, journal.old              the member's last decisions, in plain text
//! ```
//!
//! [`open_keyspace`] reads all of that and gives back a [`KeyspaceStore`], to be taken apart: its [`Log`] goes to the thread that writes,
//! its [`LogReader`]s to whoever fetches old entries, its [`Machine`] with its [`DataFile`] to the replica and to whoever flushes
//! behind it, its [`DataFolder`] to whoever receives snapshots. A state machine that lives in memory is kept in snapshots instead:
//! [`open`], [`Store`], [`Snapshots`]. (Before there was a data file, etcd's was. Such a folder is converted by [`open_keyspace`].) Nothing
//! here has a thread or a clock of its own, so that the simulator runs the same code on a disk of its making.
//!
//! The rules that hold it together:
//!
//! - what [`Log::sync`] returned for is found again after any power failure, or the damage is named ([`RecoveryError`]);
//! - the log is never cut above what is durable elsewhere: [`Log::cut`] wants to see a snapshot ([`DurableSnapshot`]),
//!   [`Log::cut_below`] what a data file has said ([`DurableData`]);
//! - a peer's snapshot comes into force in one order: file, sync, rename, folder sync, log reset ([`Log::install`],
//!   [`Log::install_data`]); a crash on the way leaves the old state, or the new one is completed by the next start;
//! - a log that begins behind the next entry of snapshot or data file is refused;
//! - whatever is read was what was written, or is named.
//!
//! A ZooKeeper server keeps ZooKeeper's own files instead, over the same seam and in the same manner: [`zookeeper`].

mod data;
mod disk;
mod fault;
mod identity;
mod journal;
mod log;
mod marker;
mod snapshot;
mod store;
pub mod zookeeper;

pub use data::{
    DataError, DataFile, DataFolder, DataOptions, DataStream, DataValues, DurableData, KeyspaceStore, Machine, OpenedKeyspace,
    PageReader, ReceiveError, SealedData, open_keyspace,
};
pub use disk::{Disk, DiskFile, LossyDisk, RealDisk};
pub use fault::{Action, Fault};
pub use identity::Identity;
pub use journal::{Journal, Line};
pub use log::{Log, LogOptions, LogReader, Recovered, RecoveryError};
pub use snapshot::{DurableSnapshot, SealedSnapshot, SnapshotError, SnapshotReader, SnapshotWriter, Snapshots};
pub use store::{Blank, OpenError, Opened, Store, open};
