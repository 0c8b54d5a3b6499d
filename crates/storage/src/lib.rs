//! The log and the snapshots of a member, over one seam to the disk.
//!
//! ```text
//!   data folder/
//!     quorate                           whose data this is (written last when a member is created)
//!     lock                              held by the process that has the folder open
//!     log/0000000000000001.log …        what was promised and what was appended
//!     snapshot/<index>.snapshot         what the state machine held after that entry
//!     journal, journal.old              the member's last decisions, in plain text
//! ```
//!
//! [`open`] reads all of that and gives back a [`Store`], to be taken apart: its [`Log`] goes to the thread that writes, its
//! [`LogReader`]s to whoever fetches old entries, its [`Snapshots`] to whoever takes, sends and receives snapshots. Nothing here has
//! a thread or a clock of its own, so that the simulator runs the same code on a disk of its making.
//!
//! The rules that hold it together:
//!
//! - what [`Log::sync`] returned for is found again after any power failure, or the damage is named ([`RecoveryError`]);
//! - the log is never cut above a durable snapshot: [`Log::cut`] wants to see one ([`DurableSnapshot`]);
//! - a peer's snapshot comes into force in one order: file, sync, rename, folder sync, log reset ([`Log::install`]); a crash on the
//!   way leaves the old state, or the new one is completed by the next [`open`];
//! - a log that begins behind the newest snapshot's next entry is refused.
//!
//! A ZooKeeper server keeps ZooKeeper's own files instead, over the same seam and in the same manner: [`zookeeper`].

mod disk;
mod fault;
mod identity;
mod journal;
mod log;
mod marker;
mod snapshot;
mod store;
pub mod zookeeper;

pub use disk::{Disk, DiskFile, LossyDisk, RealDisk};
pub use fault::{Action, Fault};
pub use identity::Identity;
pub use journal::{Journal, Line};
pub use log::{Log, LogOptions, LogReader, Recovered, RecoveryError};
pub use snapshot::{DurableSnapshot, SealedSnapshot, SnapshotError, SnapshotReader, SnapshotWriter, Snapshots};
pub use store::{Blank, OpenError, Opened, Store, open};
